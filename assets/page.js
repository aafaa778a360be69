/* What the page does in the browser: it follows presses and keys, keeps plots, and moves the histogram's marker.

   Everything is said by attributes beside the component in Python:
   data-go      changes to the selection (JSON)        data-key     the key that presses it
   data-focus   the key that puts the cursor there     data-run     runs the texts written beside it
   data-submit  holds them, and the data-run button that Ctrl-Enter presses
   data-export  png, svg or table                       data-copy    the id of the text to copy
   data-enlarge the panel around it fills the window   data-theme   changes between light and dark
   data-unfold  shows what a narrow screen folds away
   data-marks   the id of a histogram; its tokens carry data-value */
(() => {
  "use strict";
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  const plots = () => window.dash_clientside.plots;

  const go = (changes) => window.dash_clientside.address.go(changes);
  const follow = (element) => go(JSON.parse(element.dataset.go));

  function run(button) {
    const place = button.closest("[data-submit]");
    const written = [...place.querySelectorAll("textarea")].map((box) => [JSON.parse(box.id).draft, box.value]);
    const { text, compare } = Object.fromEntries(written);
    const sample = window.dash_component_api.getLayout({ sample: "prompt" }).props.data;
    const untouched = text === sample && !new URLSearchParams(location.search).has("text");
    go({ text: untouched ? null : text, compare: compare || null });
  }

  /* A control of the settings changes its field at once. Its id says which. */
  document.addEventListener("change", ({ target }) => {
    if (!target.matches("select") || !target.id.startsWith('{"field"')) return;
    go({ [JSON.parse(target.id).field]: /^\d+$/.test(target.value) ? Number(target.value) : target.value });
  });

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
    const plot = plots().of(graph);
    if (!plot) return;
    const size = plot.getBoundingClientRect();
    const picture = titled(plot);
    const room = picture.layout.margin.t - plot.layout.margin.t;
    const more = { format: kind, filename: name, scale: kind === "png" ? 3 : 1 };
    window.Plotly.downloadImage(picture, { ...more, width: size.width, height: size.height + room });
  }

  /* On the page the panel's heading says what a plot shows; away from it, the plot has to say so itself. */
  function wrapped(parts, most) {
    const lines = [];
    for (const part of parts) {
      const line = lines.length ? `${lines.at(-1)} · ${part}` : part;
      if (lines.length && line.length <= most) lines[lines.length - 1] = line;
      else lines.push(part);
    }
    return lines;
  }

  function titled(plot) {
    const { meta, margin } = plot.layout;
    const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
    const lines = wrapped([meta.subtitle, ...meta.notes].join(" · ").split(" · "), plot.clientWidth / 6.5);
    const subtitle = { text: lines.map(plain).join("<br>") };
    const title = { text: plain(meta.title), subtitle, y: 1, yanchor: "top", yref: "container", pad: { t: 12, l: 14 } };
    const ground = getComputedStyle(document.documentElement).getPropertyValue("--paper").trim();
    const layout = { ...plot.layout, title, paper_bgcolor: ground, margin: { ...margin, t: margin.t + 43 + 15 * lines.length } };
    return { data: plot.data, layout };
  }

  function unfold(button) {
    const open = button.closest(".side").classList.toggle("unfolded");
    button.setAttribute("aria-expanded", String(open));
  }

  const PRESSES = [
    ["[data-unfold]", unfold],
    ["[data-theme]", changeTheme],
    ["[data-enlarge]", enlarge],
    ["[data-copy]", copy],
    ["[data-export]", keep],
    ["[data-run]", run],
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
      return box.querySelector("[data-run]").click();
    }
    if (event.key === "Escape") {
      document.querySelector(".panel.enlarged [data-enlarge]")?.click();
      document.querySelectorAll("details[open].popover-menu").forEach((menu) => menu.removeAttribute("open"));
    }
    const taken = event.defaultPrevented; // by a slider or a table, which keep their arrows to themselves
    if (taken || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const pressed = first("data-key", event.key);
    const focused = first("data-focus", event.key);
    if (!pressed && !focused) return;
    event.preventDefault();
    if (pressed) pressed.click();
    else focused.querySelector("input")?.select();
  });

  let marked = null;
  function mark(strip, value) {
    const plot = plots().of(strip.dataset.marks);
    if (!plot?.layout?.shapes?.length || marked === value) return;
    marked = value;
    const said = value.toPrecision(3).replace("-", "−");
    const line = { "shapes[0].x0": value, "shapes[0].x1": value };
    plots().move(plot, { ...line, "annotations[0].x": value, "annotations[0].text": said });
  }
  for (const kind of ["mouseover", "focusin"]) {
    document.addEventListener(kind, (event) => {
      const token = event.target.closest?.("[data-marks] [data-value]");
      if (token) mark(token.closest("[data-marks]"), Number(token.dataset.value));
    });
  }
})();
