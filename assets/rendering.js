/* New components are told of together. Dash tells its store of each component that an answer brings by an action of its
   own, and each action asks every component on the page whether it has changed: a hundred examples of twenty tokens each
   on a page of two thousand components are millions of questions. What is told of a component is told of all within it,
   so that of what was drawn at once the outermost are enough. */
(() => {
  "use strict";
  const NEW = "RESET_COMPONENT_STATE";
  const within = (path, outer) => outer.every((step, i) => step === path[i]);

  function outermost(actions) {
    const kept = [];
    const byDepth = actions.sort((a, b) => a.payload.itempath.length - b.payload.itempath.length);
    for (const action of byDepth) {
      if (!kept.some((other) => within(action.payload.itempath, other.payload.itempath))) kept.push(action);
    }
    return kept;
  }

  function together(dispatch) {
    let waiting = [];
    const tell = () => {
      const told = outermost(waiting);
      waiting = [];
      told.forEach(dispatch);
    };
    return (action) => {
      if (action.type !== NEW) return dispatch(action);
      if (!waiting.length) queueMicrotask(tell);
      waiting.push(action);
      return action;
    };
  }

  let store;
  const made = (it) => (store = Object.assign(it, { dispatch: together(it.dispatch) }));
  Object.defineProperty(window, "store", { get: () => store, set: made, configurable: true });
})();
