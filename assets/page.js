/* What the page does in the browser: it follows presses and keys, keeps plots, and moves the histogram's marker.

   Everything is said by attributes beside the component in Python:
   data-go      changes to the selection (JSON)        data-key     the key that presses it
   data-focus   the key that puts the cursor there     data-submit  the button that Ctrl-Enter presses
   data-export  png, svg, csv or table                 data-copy    the id of the text to copy
   data-enlarge the panel around it fills the window   data-theme   changes between light and dark
   data-marks   the id of a histogram; its tokens carry data-value */
(() => {
  "use strict";
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  const plotOf = (id) => document.getElementById(id)?.querySelector(".js-plotly-plot");

  function follow(element) {
    set("go", { data: { ...JSON.parse(element.dataset.go), at: performance.now() } });
  }

  function changeTheme() {
    const mode = document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark";
    document.documentElement.dataset.bsTheme = mode;
    set("neuronscope-theme", { data: mode });
  }

  function enlarge(button) {
    const panel = button.closest(".panel");
    const large = panel.classList.toggle("enlarged");
    panel.querySelectorAll("[data-enlarge]").forEach((b) => b.setAttribute("aria-pressed", String(large)));
    document.body.classList.toggle("has-enlarged", large);
    window.dispatchEvent(new Event("resize"));
  }

  async function copy(button) {
    const text = document.getElementById(button.dataset.copy).textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = Object.assign(document.createElement("textarea"), { value: text });
      button.after(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), 1200);
  }

  function keep(button) {
    const { export: kind, graph, name } = button.dataset;
    button.closest("details")?.removeAttribute("open");
    if (kind === "table") return set(graph, { exportDataAsCsv: true });
    const plot = plotOf(graph);
    if (!plot) return;
    if (kind === "csv") return save(`${name}.csv`, window.neuronscopeCsv(plot));
    const { width, height } = plot.getBoundingClientRect();
    window.Plotly.downloadImage(plot, { format: kind, filename: name, width, height, scale: kind === "png" ? 3 : 1 });
  }

  function save(name, text) {
    const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
    Object.assign(document.createElement("a"), { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  }

  const PRESSES = [
    ["[data-theme]", changeTheme],
    ["[data-enlarge]", enlarge],
    ["[data-copy]", copy],
    ["[data-export]", keep],
    ["[data-go]", follow],
  ];

  document.addEventListener("click", (event) => {
    document.querySelectorAll("details.popover-menu[open], details.dropdown-menu-small[open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.removeAttribute("open");
    });
    for (const [selector, act] of PRESSES) {
      const element = event.target.closest(selector);
      if (!element || element.disabled) continue;
      if (element.href && (event.ctrlKey || event.metaKey || event.shiftKey)) return;
      if (element.href) event.preventDefault();
      act(element);
      return;
    }
  });

  const typing = (target) => target.closest?.("input, textarea, select, [contenteditable='true'], [role='grid'], .modal");
  const visible = (element) => element.offsetParent !== null && !element.disabled;
  const first = (attribute, key) =>
    [...document.querySelectorAll(`[${attribute}]`)].find((e) => e.getAttribute(attribute) === key && visible(e));

  document.addEventListener("keydown", (event) => {
    const box = event.target.closest?.("[data-submit]");
    if (box && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      return document.querySelector(box.dataset.submit)?.click();
    }
    if (event.key === "Escape") {
      document.querySelector(".panel.enlarged [data-enlarge]")?.click();
      document.querySelectorAll("details[open].popover-menu").forEach((menu) => menu.removeAttribute("open"));
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const pressed = first("data-key", event.key);
    const focused = first("data-focus", event.key);
    if (!pressed && !focused) return;
    event.preventDefault();
    if (pressed) pressed.click();
    else focused.querySelector("input")?.select();
  });

  let marked = null;
  function mark(strip, value) {
    const plot = plotOf(strip.dataset.marks);
    if (!plot?.layout?.shapes?.length || marked === value) return;
    marked = value;
    window.Plotly.relayout(plot, { "shapes[0].x0": value, "shapes[0].x1": value, "shapes[0].visible": true });
  }
  for (const kind of ["mouseover", "focusin"]) {
    document.addEventListener(kind, (event) => {
      const token = event.target.closest?.("[data-marks] [data-value]");
      if (token) mark(token.closest("[data-marks]"), Number(token.dataset.value));
    });
  }
})();
