/* Light or dark, settled before anything is painted: what was chosen before, or what the system prefers. */
(() => {
  const KEY = "neuronscope-theme";
  let mode = null;
  try {
    mode = JSON.parse(localStorage.getItem(KEY));
    if (mode !== "light" && mode !== "dark") {
      mode = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
      localStorage.setItem(KEY, JSON.stringify(mode));
    }
  } catch {
    mode = mode === "dark" ? "dark" : "light";
  }
  document.documentElement.dataset.bsTheme = mode;
})();
