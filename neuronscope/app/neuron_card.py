"""A neuron's card as a file: all that its page knows, as JSON or as one HTML file that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from neuronscope.app.examples import number, place_of
from neuronscope.app.indexing import described
from neuronscope.figures import corpus_histogram_table
from neuronscope.vocabulary import Example, Neuron

if TYPE_CHECKING:
    from neuronscope.app.notes import Note
    from neuronscope.indexed import Index
    from neuronscope.vocabulary import ModelCard, NeuronWeights, TokenScore

EXAMPLES, RANDOM, NGRAMS, KIN = 20, 20, 20, 10


def card_of(
    model: ModelCard, neuron: Neuron, index: Index | None, weights: NeuronWeights, note: Note
) -> dict[str, Any]:
    """All that is known of a neuron, as JSON writes it; without an index, its weights and the note alone."""
    found: dict[str, Any] = {
        "neuron": str(neuron),
        "layer": neuron.layer,
        "index": neuron.index,
        "model": {"name": model.label, "revision": model.revision, "precision": model.precision},
        "label": note.label,
        "note": note.note,
    }
    if index is not None:
        found |= _of_corpus(index, neuron)
    lists = ("reads_most", "reads_least", "gate_reads_most", "gate_reads_least", "promotes", "suppresses")
    return found | {"weights": {name: _scores(getattr(weights, name)) for name in lists}}


def as_json(found: dict[str, Any]) -> str:
    """The card as JSON; numbers that are not known are null."""
    return json.dumps(found, ensure_ascii=False, indent=1, allow_nan=False)


def as_html(found: dict[str, Any]) -> str:
    """The card as a page that fetches nothing and runs nothing."""
    model, corpus = found["model"], found.get("corpus")
    title = f"{model['name']} · {found['neuron']}"
    said = f"{model['precision']}, revision {model['revision'][:12]}" + (f" · {corpus['described']}" if corpus else "")
    parts = [f"<h1>{escape(title)}</h1><p class=said>{escape(said)}</p>"]
    if found["label"] or found["note"]:
        parts.append(f"<p><b>{escape(found['label'])}</b> {escape(found['note'])}</p>")
    if corpus:
        parts += _corpus_parts(found)
    for name, scores in found["weights"].items():
        if scores:
            listed = ", ".join(f"<code>{escape(s['token'])}</code> {number(s['score'])}" for s in scores)
            parts.append(f"<h2>{escape(name.replace('_', ' ').capitalize())}</h2><p>{listed}</p>")
    return _PAGE.format(title=escape(title), body="\n".join(parts))


def _of_corpus(index: Index, neuron: Neuron) -> dict[str, Any]:
    m, numbers = index.manifest, index.store.statistics[index.row(neuron)]
    names = ("mean", "variance", "skewness", "kurtosis", "min", "max", "positive", "mean_abs")
    counted = corpus_histogram_table(index.histogram(neuron), float(numbers["min"]), float(numbers["max"]))
    return {
        "corpus": {
            "sources": [source.rsplit("/", 1)[-1] for source in m.sources],
            "described": described(index),
            "seen": m.seen,
            "tokens": m.tokens,
            "window": m.window,
        },
        "statistics": {name: _finite(numbers[name]) for name in names},
        "cases": dict(zip(index.cases, map(float, numbers["cases"]), strict=True)) if m.gated else None,
        "histogram": counted.to_dict("list"),
        "examples": {case: [_example(one) for one in index.examples(neuron, EXAMPLES, case)] for case in index.cases},
        "bands": [
            {"low": b.low, "high": b.high, "share": b.share, "examples": [_example(one) for one in b.examples]}
            for b in index.bands(neuron)
        ],
        "random": [_example(one) for one in index.examples(neuron, RANDOM, kind="random")],
        "ngrams": [_ngram(row) for row in index.reverse_query(neuron).table.head(NGRAMS).to_dict("records")],
        "nearest": [{"neuron": str(other), "correlation": r} for other, r in index.nearest(neuron, KIN)],
    }


def _example(one: Example) -> dict[str, Any]:
    return {
        "tokens": list(one.tokens),
        "values": [_finite(value) for value in one.values],
        "peak": one.peak,
        "value": one.value,
        "place": place_of(one),
    }


def _ngram(row: Mapping[Any, Any]) -> dict[str, Any]:
    kept = ("ngram", "mean", "low", "high", "max", "count", "share", "source")
    return {name: row[name] if isinstance(row[name], str) else _finite(row[name]) for name in kept}


def _scores(scores: tuple[TokenScore, ...]) -> list[dict[str, Any]]:
    return [{"id": s.id, "token": s.display, "score": s.score} for s in scores]


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _corpus_parts(found: dict[str, Any]) -> list[str]:
    numbers, ends = found["statistics"], (found["statistics"]["max"], found["statistics"]["min"])
    limit = max(abs(end) for end in ends) or 1.0
    shown = ("positive", "max", "min", "mean", "skewness", "kurtosis")
    facts = " · ".join(f"{name} {number(numbers[name])}" for name in shown if numbers[name] is not None)
    parts = [f"<p>{escape(facts.replace('positive', 'share above 0'))}</p>", _bars(found["histogram"])]
    groups = {f"Strongest, {case}": rows for case, rows in found["examples"].items()} | {"Random": found["random"]}
    for title, rows in groups.items():
        parts.append(f"<h2>{escape(title)}</h2><ol>{''.join(_line(row, limit) for row in rows)}</ol>")
    ngrams = "".join(
        f"<tr><td><code>{escape(r['ngram'])}</code><td>{number(r['mean'])}<td>{number(r['max'])}<td>{r['count']:.0f}"
        for r in found["ngrams"]
    )
    nearest = ", ".join(f"{one['neuron']} ({number(one['correlation'])})" for one in found["nearest"])
    table = f"<table><tr><th>n-gram<th>mean<th>max<th>count{ngrams}</table>"
    return [*parts, f"<h2>N-grams that excite it</h2>{table}", f"<h2>Nearest by activation</h2><p>{nearest}</p>"]


def _line(row: dict[str, Any], limit: float) -> str:
    marks = (" class=peak" if i == row["peak"] else "" for i in range(len(row["tokens"])))
    tokens = "".join(
        f'<span style="background:{_colour(value, limit)}"{mark}>{escape(token)}</span>'
        for token, value, mark in zip(row["tokens"], row["values"], marks, strict=True)
    )
    return f'<li title="{escape(row["place"])}"><b>{number(row["value"])}</b> {tokens}'


def _colour(value: float | None, limit: float) -> str:
    if value is None:
        return "none"
    return f"rgb({'201 101 33' if value > 0 else '42 111 207'} / {min(abs(value) / limit, 1.0) * 0.75:.2f})"


def _bars(histogram: dict[str, list[float]]) -> str:
    """The histogram as a picture of its own: density on a logarithmic scale."""
    if not histogram["density"]:
        return ""
    low, high = histogram["low"][0], histogram["high"][-1]
    heights = np.log10(np.array(histogram["density"]))
    heights = 8 + 92 * (heights - heights.min()) / (float(np.ptp(heights)) or 1.0)
    wide = 600 / ((high - low) or 1.0)
    bars = "".join(
        f'<rect x="{(a - low) * wide:.2f}" y="{100 - h:.1f}" width="{max((b - a) * wide, 0.3):.2f}" height="{h:.1f}" '
        f'fill="{"#c96521" if a + b > 0 else "#2a6fcf"}"/>'
        for a, b, h in zip(histogram["low"], histogram["high"], heights, strict=True)
    )
    said = f"Share of tokens per unit of activation, on a logarithmic scale, from {number(low)} to {number(high)}"
    return f'<figure><svg viewBox="0 0 600 100" role="img" aria-label="{said}">{bars}</svg><figcaption>{said}</figure>'


_PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 14px/1.5 system-ui, sans-serif; margin: 24px auto; max-width: 900px; padding: 0 16px; color: #1b2430; background: #fff; }}
h1 {{ font-size: 22px; margin: 0; }} h2 {{ font-size: 15px; margin: 22px 0 6px; }}
.said, figcaption {{ color: #566172; font-size: 12px; }} figure {{ margin: 12px 0; }} svg {{ width: 100%; height: 120px; }}
ol {{ padding: 0; list-style: none; }} li {{ white-space: nowrap; overflow-x: auto; font-family: ui-monospace, monospace; font-size: 12px; }}
li b {{ display: inline-block; width: 60px; }} .peak {{ outline: 1px solid #1b2430; }} td, th {{ text-align: left; padding: 2px 16px 2px 0; }}
</style>
{body}
</html>
"""  # noqa: E501  rules of style read best one to a line
