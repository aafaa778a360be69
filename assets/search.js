/* What the tables of the Search view show in a cell: an n-gram to look at, a neuron to open. All text is text nodes. */
(() => {
  "use strict";
  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions ?? {});

  cells.NgramCell = ({ value, data }) => {
    const press = { type: "button", className: "cell-press", "data-go": JSON.stringify({ ngram: data.ids }) };
    return React.createElement("button", press, React.createElement("bdi", null, value));
  };

  cells.NeuronCell = ({ value, data }) => {
    const changes = { view: "neuron", layer: data.layer, neuron: data.neuron };
    const { address } = window.dash_clientside;
    const href = address.next(location.search, changes, window.dash_component_api.getLayout("schema").props.data);
    return React.createElement("a", { href, className: "cell-press", "data-go": JSON.stringify(changes) }, value);
  };

  /* A press anywhere on a row looks at its n-gram. */
  document.addEventListener("click", ({ target }) => {
    const press = target.closest?.(".ngrams-table .ag-row") && !target.closest("[data-go]");
    if (!press || String(getSelection())) return;
    const row = target.closest(".ag-row").getAttribute("row-id");
    document.querySelector(`.ngrams-table .ag-row[row-id="${CSS.escape(row)}"] [data-go]`)?.click();
  });
})();
