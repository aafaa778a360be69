/* What the tables of the Search view show in a cell: an n-gram to look at, a neuron to open, what an n-gram does alone.
   All text is text nodes. */
(() => {
  "use strict";
  /* The slider of the least count: it follows the address, and moves it where it was moved itself. */
  const SLIDER = "search-least";
  const stands = (search, counts) => {
    const least = Number(new URLSearchParams(search).get("least") ?? 1);
    return Math.max(0, counts.findLastIndex((count) => count <= least));
  };

  /* Its thumb has no name of its own and would be read as a place; it appears some time after the slider. */
  const say = (count) => {
    const thumb = document.querySelector(`#${SLIDER} [role="slider"]`);
    thumb?.setAttribute("aria-label", "Occurs at least so many times");
    thumb?.setAttribute("aria-valuetext", String(count));
    return Boolean(thumb);
  };
  let waiting = null;
  const name = (count) => {
    waiting?.disconnect();
    if (say(count)) return;
    waiting = new MutationObserver((_changes, observer) => say(count) && observer.disconnect());
    waiting.observe(document.body, { childList: true, subtree: true });
  };

  const place = (search, counts) => {
    const stood = stands(search, counts);
    name(counts[stood]);
    return stood;
  };
  const least = (moved, counts, search) => {
    if (moved !== stands(search, counts)) window.dash_clientside.address.go({ least: counts[moved] });
    name(counts[moved]);
    return window.dash_clientside.no_update;
  };
  window.dash_clientside = Object.assign({}, window.dash_clientside, { search: { place, least } });

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

  cells.AloneCell = ({ valueFormatted, data }) => {
    if (data.fires === null || data.fires === undefined) return null;
    const { createElement } = React;
    const sign = createElement("span", { className: data.fires ? "fires" : "silent", "aria-hidden": "true" }, data.fires ? "✓" : "–");
    const said = createElement("span", { className: "visually-hidden" }, data.fires ? " fires" : " does not fire");
    return createElement("span", null, valueFormatted, sign, said);
  };

  /* A press anywhere on a row looks at its n-gram. */
  document.addEventListener("click", ({ target }) => {
    const press = target.closest?.(".ngrams-table .ag-row") && !target.closest("[data-go]");
    if (!press || String(getSelection())) return;
    const row = target.closest(".ag-row").getAttribute("row-id");
    document.querySelector(`.ngrams-table .ag-row[row-id="${CSS.escape(row)}"] [data-go]`)?.click();
  });
})();
