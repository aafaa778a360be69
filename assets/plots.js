/* What moves in a plot while the plot itself stays as it is drawn. */
window.dash_clientside = Object.assign({}, window.dash_clientside, {
  plots: (() => {
    "use strict";
    const of = (id) => document.getElementById(id)?.querySelector(".js-plotly-plot");

    /* Change properties of the layout of a plot. Dash takes such a change for the visitor's and keeps it with the figure
       that it last drew, over one that has arrived since and is still to be drawn. So it is not told. */
    function move(plot, changes) {
      plot.removeAllListeners("plotly_relayout");
      window.Plotly.relayout(plot, changes);
    }

    /* The outlines of plots, by their ids. A plot that was asked for with other ones gets these when it is drawn. */
    let outlines = {};
    function outline(shapes) {
      outlines = shapes ?? {};
      Object.keys(outlines).forEach(follow);
      return window.dash_clientside.no_update;
    }

    function follow(id) {
      const plot = of(id);
      if (!plot?.layout) return;
      if (!plot.followed) plot.on("plotly_react", () => follow(id));
      plot.followed = true;
      const wanted = outlines[id] ?? plot.layout.shapes;
      if (JSON.stringify(plot.layout.shapes ?? []) !== JSON.stringify(wanted ?? [])) move(plot, { shapes: wanted });
    }

    return { of, move, outline };
  })(),
});
