/* The Drift view in the browser: its moving map, the marks that move with it, and the rows and cells of its table.
   All text is text nodes. */
(() => {
  "use strict";
  const GRAPHS = ["drift-layers", "drift-losses"];
  const plots = () => window.dash_clientside.plots;
  const same = () => window.dash_clientside.no_update;
  const go = (changes) => window.dash_clientside.address.go(changes);
  const asked = (search) => new URLSearchParams(search ?? location.search);
  const player = () => document.getElementById("drift-player")?.player;

  /* `0,3-5` as numbers */
  const numbers = (written) =>
    (written ?? "").split(",").filter(Boolean).flatMap((part) => {
      const [first, last = first] = part.split(/[-–]/).map(Number);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });

  /* The outline of the checkpoint goes along with the slider; other marks stay where they are. */
  function mark(frame) {
    for (const graph of GRAPHS) {
      const plot = plots().of(graph), shapes = plot?.layout?.shapes ?? [];
      const own = shapes.findIndex(({ xref, yref }) => xref === "x" && /domain$/.test(yref ?? ""));
      if (own < 0 || shapes[own].x0 === frame - 0.5) continue;
      const name = (side) => `shapes[${own}].${side}`;
      plots().move(plot, { [name("x0")]: frame - 0.5, [name("x1")]: frame + 0.5 });
    }
  }

  /* The text that every checkpoint has read is shown as the one read it where the slider is. */
  function reread(frame) {
    const plot = plots().of("drift-text-plot"), { frames, checkpoints } = plot?.layout?.meta ?? {};
    if (!frames?.[frame] || plot.at === frame) return;
    plot.at = frame;
    window.Plotly.restyle(plot, { z: [frames[frame]] });
    const head = document.querySelector("#drift-text-head .caption");
    if (head) head.textContent = `as ${checkpoints[frame]} reads it`;
  }

  function passed(frame) {
    mark(frame);
    reread(frame);
  }

  const wanted = (last, search) => (asked(search).has("checkpoint") ? Number(asked(search).get("checkpoint")) : last);

  const hooks = (last) => ({
    passed,
    rested: (checkpoint) => {
      reread(checkpoint);
      if (checkpoint !== wanted(last)) go({ checkpoint });
    },
    painted: (hue) => go({ hue }),
    picked: (row) => {
      const { neurons } = player().data;
      go({ layer: Math.floor(row / neurons), neuron: row % neurons });
    },
  });

  /* The map is fetched once for a drift, and made anew only where its element is. */
  let fetched = null;
  async function made(place, { frames, last }) {
    if (place.player && place.from === frames) return place.player;
    if (fetched?.frames !== frames) fetched = { frames, bytes: fetch(frames).then((answer) => (answer.ok ? answer.arrayBuffer() : Promise.reject(answer.status))) };
    place.from = frames;
    const bytes = await fetched.bytes;
    if (!place.isConnected || place.from !== frames) return null;
    place.player?.close();
    const found = place.player && place.player.from === frames ? place.player : new window.DriftPlayer(place, bytes, hooks(last));
    found.from = frames;
    return found;
  }

  async function shown(data, search) {
    const place = document.getElementById("drift-player");
    if (!place || !data) return;
    const found = await made(place, data), query = asked(search);
    if (!found) return;
    const row = query.has("layer") && query.has("neuron") ? Number(query.get("layer")) * found.data.neurons + Number(query.get("neuron")) : null;
    found.choose(row);
    found.narrow(numbers(query.get("layers")));
    found.paint(query.get("hue") ?? "part");
    if (found.begun) found.set(wanted(data.last, search));
    else found.begin(wanted(data.last, search));
  }

  function play(data, _scene, search) {
    shown(data, search).catch((problem) => {
      fetched = null;
      document.getElementById("drift-player")?.replaceChildren(`The map could not be had (${problem}). Reload the page to try again.`);
    });
    return same();
  }

  /* A press on a cell or a loss goes to its checkpoint, and on a cell narrows the page to its layer. */
  function cell(layers, losses) {
    const [{ prop_id: from } = {}] = window.dash_clientside.callback_context.triggered;
    const point = (from?.startsWith("drift-layers") ? layers : losses)?.points?.[0];
    if (!point) return same();
    const checkpoint = Math.round(point.x), last = player()?.data.frames - 1;
    if (!(checkpoint <= last)) return same();
    go({ checkpoint, ...(from.startsWith("drift-layers") ? { layers: String(Math.round(point.y)) } : {}) });
    return same();
  }

  const NUMBERS = ["layer", "neuron", "partner", "drift", "low", "high", "location", "scale", "selectivity", "excess", "weight_in", "weight_gate", "weight_out", "bias", "overlap", "event"];
  const three = (value) => Number(value.toPrecision(3)).toString();
  function rows(data) {
    if (!data) return [];
    const { columns, same: shared } = data;
    return columns.layer.map((layer, i) => {
      const row = { ...shared, name: `L${layer}.N${columns.neuron[i]}` };
      for (const name of NUMBERS) row[name] = columns[name][i];
      row.interval = `${three(row.low)} – ${three(row.high)}`;
      row.noise = columns.above_noise[i] ? "above" : "within";
      row.above_control = columns.above_control[i] ? "yes" : "no";
      return row;
    });
  }

  const chosen = (found, _scene, search) => {
    if (!found?.length) return [];
    const query = asked(search);
    const name = query.has("layer") && query.has("neuron") ? `L${query.get("layer")}.N${query.get("neuron")}` : found[0].name;
    return found.some((row) => row.name === name) ? { ids: [name] } : [];
  };

  window.dash_clientside = Object.assign({}, window.dash_clientside, { drift: { play, cell, rows, chosen } });

  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions ?? {});
  cells.DriftCell = ({ value, data }) => {
    const leads = JSON.stringify({ layer: data.layer, neuron: data.neuron });
    const press = { type: "button", className: "cell-press drift-press", "data-go": leads, "aria-label": `Look at ${value} before and after` };
    return React.createElement("button", press, value);
  };
  cells.PartsCell = ({ data }) => {
    const parts = ["location", "scale", "selectivity"], whole = parts.reduce((sum, part) => sum + data[part], 0);
    const piece = (part) => React.createElement("span", { key: part, className: part, style: { width: `${(100 * data[part]) / (whole || 1)}%` }, title: `${part} ${Math.round((100 * data[part]) / (whole || 1))} %` });
    return React.createElement("span", { className: "parts-bar", "aria-hidden": "true" }, parts.map(piece));
  };

  /* A press anywhere on a row looks at its neuron. */
  document.addEventListener("click", ({ target }) => {
    const press = target.closest?.(".drift-table .ag-row") && !target.closest("[data-go]");
    if (!press || String(getSelection())) return;
    const row = target.closest(".ag-row").getAttribute("row-id");
    document.querySelector(`.drift-table .ag-row[row-id="${CSS.escape(row)}"] [data-go]`)?.click();
  });
})();
