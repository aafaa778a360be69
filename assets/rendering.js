/* The components are told together of what happened. Dash's store asks every component on the page whether it has changed
   after each of its actions, and a press is two hundred actions, a search a thousand more: on a page of two thousand
   components that is millions of questions. Here one question follows all actions that follow upon each other, but for
   what is written or chosen, which has to be in its box before anyone else looks there. */
(() => {
  "use strict";
  const filling = () => window.event?.target?.matches?.("input, textarea, select");

  /* The store's own observers, which run the callbacks, listen already; who listens from now on are the components.
     A message to oneself comes when all that follows from promises already kept has been done. */
  function together(subscribe) {
    return (listener) => {
      const { port1, port2 } = new MessageChannel();
      let due = false;
      const tell = () => {
        if (!due) return;
        due = false; // first, for the listener may act itself
        listener();
      };
      port1.onmessage = tell;
      const leave = subscribe(() => {
        if (!due) port2.postMessage(null);
        due = true;
        if (filling()) tell();
      });
      return () => {
        port1.close();
        leave();
      };
    };
  }

  let store;
  const made = (it) => (store = Object.assign(it, { subscribe: together(it.subscribe) }));
  Object.defineProperty(window, "store", { get: () => store, set: made, configurable: true });
})();
