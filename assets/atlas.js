/* The Atlas view in the browser: points that are clicked or drawn round on the map, and the cells of its tables.
   Nothing here asks the server. */
(() => {
  "use strict";
  const MOST = 256; /* the most neurons that one search takes */
  const go = (changes) => window.dash_clientside.address.go(changes);
  const same = () => window.dash_clientside.no_update;
  /* What a point carries: layer and index of its neuron. Dash tells which point it is, the plot what that carries. */
  const known = (data) => {
    const traces = document.querySelector("#atlas-map .js-plotly-plot")?._fullData ?? [];
    const carried = (data?.points ?? []).map((point) => traces[point.curveNumber]?.customdata?.[point.pointNumber]);
    return carried.filter(Boolean).map((columns) => [...columns].slice(0, 2).map(Number));
  };

  function click(data) {
    const [found] = known(data);
    if (found) go({ layer: found[0], neuron: found[1] });
    return same();
  }

  function picked(neurons) {
    const count = neurons?.length ?? 0;
    const named = count.toLocaleString("en");
    const most = count > MOST ? ` Search takes ${MOST} at most: draw round fewer to ask it.` : "";
    return [!count, `${named} neuron${count === 1 ? "" : "s"} drawn round on the map.${most}`, count > MOST];
  }

  function ask(presses, neurons) {
    if (!presses || !neurons?.length) return same();
    const named = neurons.map(([layer, neuron]) => `L${layer}.N${neuron}`).join(" ");
    go({ view: "search", ask: "neuron", neurons: named });
    return same();
  }
  /* Plotly draws by WebGL only where a page may make functions of text; a browser or a policy may forbid either. */
  let found = null;
  function able() {
    if (found !== null) return found;
    try {
      const context = document.createElement("canvas").getContext("webgl");
      found = Boolean(context) && new Function("return true")();
      context?.getExtension("WEBGL_lose_context")?.loseContext();
    } catch {
      found = false;
    }
    return found;
  }
  window.dash_clientside = Object.assign({}, window.dash_clientside, { atlas: { able, click, pick: known, picked, ask } });

  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions ?? {});
  cells.ClusterCell = ({ value, data }) => {
    const press = { type: "button", className: "cell-press", "data-go": JSON.stringify({ cluster: data.cluster, group: null }) };
    return React.createElement("button", press, React.createElement("bdi", null, value));
  };
})();
