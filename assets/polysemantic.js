/* The ranked table of the Polysemantic view: rows of the columns that travelled, what a row leads to, what is opened.
   All text is text nodes. */
(() => {
  "use strict";
  const key = ({ name, sign }) => name + sign;

  const rows = (data) => {
    if (!data) return [];
    const { columns, verdicts, same } = data;
    const numbers = ["layer", "neuron", "effective", "senses", "half_a", "half_b", "contexts", "strong", "words"];
    return columns.layer.map((layer, i) => {
      const row = { ...same };
      for (const name of numbers) row[name] = columns[name][i];
      row.name = `L${layer}.N${columns.neuron[i]}`;
      row.sign = columns.sign[i] > 0 ? "+" : "-";
      row.verdict = verdicts[columns.verdict[i]];
      row.confirmed = row.verdict !== "scored" ? "–" : columns.confirmed[i] ? "yes" : "no";
      return row;
    });
  };

  const chosen = (shown, _scene, search) => {
    if (!shown?.length) return [];
    const asked = new URLSearchParams(search);
    if (!asked.has("neuron") || !asked.has("layer")) return { ids: [key(shown[0])] };
    const wanted = `L${asked.get("layer")}.N${asked.get("neuron")}${asked.get("sign") ?? "+"}`;
    return shown.some((row) => key(row) === wanted) ? { ids: [wanted] } : [];
  };

  /* A survey that begins by itself is a press of its button: what it finds leads back to where that was decided, and
     callbacks in a circle are not run. */
  const begin = (asked) => {
    const { dash_clientside: dash, dash_component_api: api } = window;
    const clicks = api.getLayout("polysemantic-begin").props.n_clicks ?? 0;
    if (asked) dash.set_props("polysemantic-begin", { n_clicks: clicks + 1 });
    return dash.no_update;
  };

  window.dash_clientside = Object.assign({}, window.dash_clientside, { polysemantic: { rows, chosen, begin } });

  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions ?? {});
  cells.SensesCell = ({ value, data }) => {
    const { createElement } = React;
    const leads = JSON.stringify({ layer: data.layer, neuron: data.neuron, sign: data.sign });
    const label = `Look at the senses of ${data.name}${data.sign === "-" ? " below zero" : ""}`;
    const press = { type: "button", className: "cell-press senses-press", "data-go": leads, "aria-label": label, title: value || label };
    return createElement("button", press, createElement("bdi", null, value || "–"));
  };

  /* A press anywhere on a row looks at its neuron; a press on "more" opens or closes the examples of a sense. */
  document.addEventListener("click", ({ target }) => {
    const more = target.closest?.("[data-more-senses]");
    if (more) {
      const { of, sense } = JSON.parse(more.dataset.moreSenses);
      const { dash_clientside: dash, dash_component_api: api } = window;
      const open = api.getLayout("polysemantic-more").props.data;
      const known = open?.of === of ? open.senses : [];
      const senses = known.includes(sense) ? known.filter((one) => one !== sense) : [...known, sense];
      dash.set_props("polysemantic-more", { data: { of, senses } });
      return;
    }
    const press = target.closest?.(".senses-table .ag-row") && !target.closest("[data-go]");
    if (!press || String(getSelection())) return;
    const row = target.closest(".ag-row").getAttribute("row-id");
    document.querySelector(`.senses-table .ag-row[row-id="${CSS.escape(row)}"] .senses-press`)?.click();
  });
})();
