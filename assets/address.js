/* The address and the page: what was pressed becomes the address, and the address becomes the question and the controls.

   The address is the only memory of a visit. Only what was pressed changes it; all else is made from it, and leads back
   to nothing that it is made from. So no answer, however late it comes, can lead to another question.
   `schema` is what neuronscope/app/selection.py says of the fields. */
window.dash_clientside = Object.assign({}, window.dash_clientside, {
  address: (() => {
    "use strict";
    const same = () => window.dash_clientside.no_update;
    const whole = /^\d+$/;

    /* The selection, with what cannot be read left as it stands: the server says what is wrong with it. */
    function read(search, { defaults, numbers }) {
      const given = Object.fromEntries(new URLSearchParams(search));
      const value = (name) => (numbers.includes(name) && whole.test(given[name]) ? Number(given[name]) : given[name]);
      return Object.fromEntries(Object.entries(defaults).map(([name, usual]) => [name, name in given ? value(name) : usual]));
    }

    function written(selection, { defaults }) {
      const changed = Object.entries(selection).filter(([name, value]) => value !== null && value !== defaults[name]);
      const search = new URLSearchParams(changed).toString();
      return search ? `?${search}` : "";
    }

    const two = (selection) => selection.compare !== null || selection.against !== "";
    const ofSecond = (selection) => two(selection) && selection.side === "b";
    const held = (selection, name) => (name === "of_second" ? ofSecond(selection) : selection[name]);

    /* The selection after these changes, having let go of what they make meaningless. */
    function moved(before, changes, { defaults, lets_go }) {
      const after = { ...before, ...changes };
      for (const [name, loose] of Object.entries(lets_go)) {
        if (held(after, name) === held(before, name)) continue;
        loose.filter((field) => !(field in changes)).forEach((field) => (after[field] = defaults[field]));
      }
      return after;
    }

    function next(search, changes, schema) {
      const before = read(search, schema);
      const locked = Object.keys(changes).join() === "position" && changes.position === before.position;
      return written(moved(before, locked ? { position: null } : changes, schema), schema); // pressed again, it lets go
    }

    /* What was pressed is followed at once: were it left to a callback, of two quick presses one would be lost. */
    function go(changes) {
      const { dash_clientside: dash, dash_component_api: api } = window;
      dash.set_props("url", { search: next(api.getLayout("url").props.search, changes, api.getLayout("schema").props.data) });
      dash.set_props("go", { data: { ...changes, at: performance.now() } });
    }

    /* What the server found is to be gone to; what has been followed already says when (`at`). */
    const follow = (found, search, schema) => (!found || "at" in found ? same() : next(search, found, schema));

    /* The view that the address names, if another one is open. */
    function view(search, schema, open) {
      if (typeof search !== "string") return same();
      const named = read(search, schema).view;
      return named === open ? same() : named;
    }

    /* What the address asks that needs the model, if that is something else than before. */
    function question(search, schema, open) {
      if (typeof search !== "string") return same();
      const selection = read(search, schema);
      const key = JSON.stringify(schema.heavy.map((name) => selection[name]));
      return key === open?.key ? same() : { key, model: selection.model ?? schema.model, precision: selection.precision };
    }

    /* The texts of the address and their model, if they are others than before: then the boxes are filled anew. */
    function texts(search, schema, open) {
      if (typeof search !== "string") return same();
      const { model, text, compare } = read(search, schema);
      const found = { model: model ?? schema.model, text, compare };
      return JSON.stringify(found) === JSON.stringify(open) ? same() : found;
    }

    /* What each control shows; of the layer, the middle one where none is chosen. */
    function controls(search, schema, ready) {
      const selection = read(search, schema);
      const shown = ({ id: { field } }) => {
        const value = field === "layer" && ready ? selection.layer ?? Math.floor(ready.layers / 2) : selection[field];
        return value === null ? same() : String(value);
      };
      return window.dash_clientside.callback_context.outputs_list.map(shown);
    }

    /* What each part of a view is drawn from; it stays as it was while that is the same, or the part is not seen. */
    function scenes(search, mode, schema, parts, ...open) {
      const selection = read(search, schema);
      return parts.map(({ view, tab, fields }, i) => {
        if (selection.view !== view || (tab && selection.tab !== tab)) return same();
        const seen = JSON.stringify([mode, ...schema.heavy.concat(fields).map((name) => selection[name])]);
        return seen === open[i] ? same() : seen;
      });
    }

    /* Whether what is shown answers another question than the one asked, and whether that is one to be run again by hand.
       A question that found no answer although it neither failed nor was cancelled (`ended`) is asked again, twice. */
    const TIMES = 2;
    let answered = null;
    let repeated = { key: null, times: 0 };
    function unanswered(asked, ready, rests, ended) {
      answered = ready?.key ?? answered; // what was answered and let go of since is not asked for again
      const open = Boolean(asked) && asked.key !== ready?.key;
      const lost = open && rests && ![ended, answered].includes(asked.key) && times(asked.key) < TIMES;
      if (lost) setTimeout(repeat, 1000, asked.key);
      return [open ? "main stale" : "main", !(open && rests) || lost];
    }

    const times = (key) => (repeated.key === key ? repeated.times : 0);

    function repeat(key) {
      const { dash_clientside: dash, dash_component_api: api } = window;
      const at = (id) => api.getLayout(id).props;
      if (at("question").data.key !== key || at("ready").data?.key === key || !at("work").hidden) return;
      if (times(key) >= TIMES) return;
      repeated = { key, times: times(key) + 1 };
      dash.set_props("again-button", { n_clicks: (at("again-button").n_clicks ?? 0) + 1 });
    }

    return { go, next, unanswered, scenes, follow, view, question, texts, controls };
  })(),
});
