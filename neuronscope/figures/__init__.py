"""A result in, a Plotly figure out: every figure that the page draws, for a notebook too.

Each takes `mode="light"` or `"dark"` and names in `layout.meta` the model, revision, precision, site and number of
tokens its numbers come from. What a figure plots can be had as a table from the function beside it. Plotly is imported
when the first figure is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuronscope.figures.atlas import neuron_map
    from neuronscope.figures.captions import empty
    from neuronscope.figures.clusters import cluster_choice, cluster_layers, cluster_profile
    from neuronscope.figures.comparisons import difference, difference_table, layers, layers_table
    from neuronscope.figures.corpus import corpus_histogram, corpus_histogram_table
    from neuronscope.figures.distributions import histogram, histogram_table
    from neuronscope.figures.drift import DRIFT_MEASURES, drift_layers, drift_losses, drift_losses_table
    from neuronscope.figures.drift_courses import drift_course, drift_course_table
    from neuronscope.figures.drift_fates import drift_events, drift_events_table
    from neuronscope.figures.drift_maps import drift_map, drift_map_table, drift_parts
    from neuronscope.figures.fidelity import layer_fidelity
    from neuronscope.figures.heatmaps import clicked, heatmap, heatmap_table
    from neuronscope.figures.moving import animate
    from neuronscope.figures.neuron_drift import drift_neuron, drift_neuron_table, drift_pairs, drift_pairs_table
    from neuronscope.figures.overviews import head_heatmap, head_table, overview, overview_table
    from neuronscope.figures.polysemanticity import (
        sense_map,
        sense_map_table,
        sense_shares,
        senses_by_layer,
        senses_by_layer_table,
    )
    from neuronscope.figures.queries import reverse_query
    from neuronscope.figures.statistics import STATISTICS, layer_statistics
    from neuronscope.figures.text_drift import drift_text, drift_text_table
    from neuronscope.figures.theme import DARK, LIGHT, template, visible
    from neuronscope.figures.token_drift import drift_tokens, drift_tokens_table

_HOMES = {
    "atlas": ("neuron_map",),
    "captions": ("empty",),
    "clusters": ("cluster_choice", "cluster_layers", "cluster_profile"),
    "comparisons": ("difference", "difference_table", "layers", "layers_table"),
    "corpus": ("corpus_histogram", "corpus_histogram_table"),
    "distributions": ("histogram", "histogram_table"),
    "drift": ("DRIFT_MEASURES", "drift_layers", "drift_losses", "drift_losses_table"),
    "drift_courses": ("drift_course", "drift_course_table"),
    "drift_fates": ("drift_events", "drift_events_table"),
    "drift_maps": ("drift_map", "drift_map_table", "drift_parts"),
    "fidelity": ("layer_fidelity",),
    "heatmaps": ("clicked", "heatmap", "heatmap_table"),
    "moving": ("animate",),
    "neuron_drift": ("drift_neuron", "drift_neuron_table", "drift_pairs", "drift_pairs_table"),
    "overviews": ("head_heatmap", "head_table", "overview", "overview_table"),
    "polysemanticity": (
        "sense_map",
        "sense_map_table",
        "sense_shares",
        "senses_by_layer",
        "senses_by_layer_table",
    ),
    "queries": ("reverse_query",),
    "statistics": ("STATISTICS", "layer_statistics"),
    "theme": ("DARK", "LIGHT", "template", "visible"),
    "text_drift": ("drift_text", "drift_text_table"),
    "token_drift": ("drift_text", "drift_tokens", "drift_tokens_table"),
}

ALL = (
    "cluster_choice",
    "cluster_layers",
    "cluster_profile",
    "corpus_histogram",
    "difference",
    "drift_course",
    "drift_events",
    "drift_layers",
    "drift_losses",
    "drift_map",
    "drift_neuron",
    "drift_pairs",
    "drift_parts",
    "drift_tokens",
    "head_heatmap",
    "heatmap",
    "histogram",
    "layer_fidelity",
    "layer_statistics",
    "layers",
    "neuron_map",
    "overview",
    "reverse_query",
    "sense_map",
    "sense_shares",
    "senses_by_layer",
)
"""The figures themselves, by name."""

__all__ = [
    "ALL",
    "DARK",
    "DRIFT_MEASURES",
    "LIGHT",
    "STATISTICS",
    "animate",
    "clicked",
    "cluster_choice",
    "cluster_layers",
    "cluster_profile",
    "corpus_histogram",
    "corpus_histogram_table",
    "difference",
    "difference_table",
    "drift_course",
    "drift_course_table",
    "drift_events",
    "drift_events_table",
    "drift_layers",
    "drift_losses",
    "drift_losses_table",
    "drift_map",
    "drift_map_table",
    "drift_neuron",
    "drift_neuron_table",
    "drift_pairs",
    "drift_pairs_table",
    "drift_parts",
    "drift_text",
    "drift_text_table",
    "drift_tokens",
    "drift_tokens_table",
    "empty",
    "head_heatmap",
    "head_table",
    "heatmap",
    "heatmap_table",
    "histogram",
    "histogram_table",
    "layer_fidelity",
    "layer_statistics",
    "layers",
    "layers_table",
    "neuron_map",
    "overview",
    "overview_table",
    "reverse_query",
    "sense_map",
    "sense_map_table",
    "sense_shares",
    "senses_by_layer",
    "senses_by_layer_table",
    "template",
    "visible",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
