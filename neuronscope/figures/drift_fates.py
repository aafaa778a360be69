"""What becomes of neurons over the checkpoints: who is born, dies, is swapped or taken over, and who is alive."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from neuronscope.figures import captions
from neuronscope.figures.drift_words import checkpoint_axis, dressed
from neuronscope.figures.shades import OTHERS
from neuronscope.figures.theme import Mode, palette
from neuronscope.series.drift import Drift

EVENTS = ("born", "died", "swapped", "taken over")
"""What can become of a neuron."""


def drift_events(drift: Drift, *, mode: Mode = "light", height: int = 420, width: int = 720) -> go.Figure:
    """How many neurons were born, died, were swapped or taken over by each checkpoint, and how many are alive in it.

    What these words mean is said by `Drift.events`.
    """
    table, own = drift_events_table(drift), palette(mode)
    figure, places = go.Figure(), np.arange(len(table), dtype=np.int32)
    for event, colour in zip(EVENTS, own.series, strict=False):
        figure.add_bar(
            x=places,
            y=table[event].to_numpy(np.int32),
            name=event,
            marker={"color": colour, "line": {"width": 0}},
            hovertemplate=f"%{{x}}<br>%{{y:,}} {event}<extra></extra>",
        )
    for state, colour in (("alive", OTHERS[mode]), ("dead", own.ink)):
        figure.add_bar(
            x=places,
            y=(table[state] / drift.units).to_numpy(np.float32),
            name=state,
            xaxis="x2",
            yaxis="y2",
            offsetgroup="state",
            base=None if state == "alive" else (table["alive"] / drift.units).to_numpy(np.float32),
            marker={"color": colour, "opacity": 0.75, "line": {"width": 0}},
            customdata=table[state].to_numpy(np.int32),
            hovertemplate=f"%{{x}}<br>%{{customdata:,}} {state}<extra></extra>",
        )
    names = table["checkpoint"].tolist()
    checkpoint_axis(figure, names, width - 2 * captions.SIDE, 2)
    most = int(table[list(EVENTS)].to_numpy().max())
    figure.update_layout(
        barmode="group",
        bargap=0.35,
        xaxis={
            "range": [-0.5, len(names) - 0.5],
            "tickvals": places,
            "ticktext": list(map(captions.plain, names)),
            "showticklabels": False,
        },
        yaxis={"domain": [0.42, 1], "title": {"text": "neurons"}, "range": [0, max(most, 4) * 1.08], "nticks": 5},
        yaxis2={"domain": [0, 0.3], "title": {"text": "alive"}, "range": [0, 1], "tickformat": ".0%", "nticks": 3},
        xaxis2={"anchor": "y2"},
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
    )
    return dressed(
        figure,
        drift,
        "drift_events",
        mode=mode,
        title="What became of the neurons",
        parts=[captions.count(drift.units, "neuron")],
        notes=[] if most else ["none was born, died, was swapped or taken over"],
        height=height,
        headroom=18,
    )


def drift_events_table(drift: Drift) -> pd.DataFrame:
    """What `drift_events` draws: of each checkpoint how many neurons had each event, and are alive."""
    rows = []
    for one in drift.checkpoints:
        events, alive = drift.events(one.label), int(drift.records(one.label)["alive"].sum())
        counts = {event: int((events == event).sum()) for event in EVENTS}
        rows.append({"checkpoint": one.label, "step": one.step, **counts, "alive": alive, "dead": drift.units - alive})
    return pd.DataFrame(rows)
