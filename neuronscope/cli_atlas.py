"""The terminal's atlas of an index: a map of its neurons, clusters of those that are alike, and the senses of each.

Maps and clusters need no model; for polysemanticity the model reads part of the corpus again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neuronscope import terminal
from neuronscope.cli_index import Count, Csv, Folder, number, open_index, provenance, save_csv, sentence
from neuronscope.cli_models import Device, Json
from neuronscope.cli_neurons import Sign, compared, measuring, neurons_of
from neuronscope.errors import FileError, InputError

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from neuronscope.analysis.clustering import Clusters
    from neuronscope.analysis.polysemanticity import Elsewhere, Polysemanticity, Sense
    from neuronscope.indexed import Index
    from neuronscope.vocabulary import Neuron

Layers = Annotated[str | None, typer.Option("--layers", metavar="0,3-5", help="These layers alone.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Of what is random.")]
Figure = Annotated[
    Path | None, typer.Option("--figure", metavar="FILE", help="Draw it: an .html file that needs nothing else.")
]
_SENSE_TOKENS = 6


def project(
    folder: Folder,
    method: Annotated[str, typer.Option("--method", metavar="pca|tsne|umap", help="How the map is made.")] = "pca",
    layers: Layers = None,
    seed: Seed = 0,
    csv: Csv = None,
    figure: Figure = None,
    as_json: Json = False,
) -> None:
    """Put all neurons on a map: those that are active together stand together."""
    opened, figure = open_index(folder), drawable(figure)
    with terminal.progress("Making the map"):
        made = opened.projection(method, layers=layer_numbers(layers), seed=seed)
        saved = save_csv(made.table, csv)
        drawn = _save_figure("neuron_map", opened, figure, made)
    told = {"method": made.method, "settings": made.settings, "trustworthiness": made.trustworthiness}
    told |= {"explained": made.explained[:2], "shown": len(made.rows), "of": made.units, "seed": seed}
    if as_json:
        rows = made.table.to_dict("records") if saved is None else []
        terminal.print_json("project", **provenance(opened), **told, out=saved, figure=drawn, rows=rows)
        return
    ends = [f"{low:.3g} to {high:.3g}" for low, high in zip(made.points.min(0), made.points.max(0), strict=True)]
    print(f"{made.shown}, by {made.settings}: x from {ends[0]}, y from {ends[1]}.")
    trust = f"Trustworthiness {made.trustworthiness:.2f}, over {made.anchors:,} neurons' 15 nearest"
    share = f"the first two principal components explain {made.explained[:2].sum():.0%} of the variance"
    print(f"{trust}; {share}. {sentence(opened)}")
    print(_where(saved, drawn) or "Write the points with --csv FILE, or draw them with --figure FILE.html.")


def cluster(
    folder: Folder,
    k: Annotated[int | None, typer.Option("--k", min=1, metavar="N", help="How many; suggested if left out.")] = None,
    method: Annotated[
        str,
        typer.Option("--method", metavar="NAME", help="kmeans (spherical), minibatch, agglomerative or hdbscan."),
    ] = "kmeans",
    number_: Annotated[
        int | None, typer.Option("--cluster", min=0, metavar="N", help="Show this cluster's neurons.")
    ] = None,
    layers: Layers = None,
    neurons: Annotated[
        str | None, typer.Option("--neurons", metavar="L0.N1,L2.N3", help="These neurons alone.")
    ] = None,
    seed: Seed = 0,
    count: Count = 20,
    csv: Csv = None,
    figure: Figure = None,
    as_json: Json = False,
) -> None:
    """Group neurons that are active together, and name the groups by their tokens."""
    opened, figure = open_index(folder), drawable(figure)
    if figure is not None and (k is not None or method not in ("kmeans", "minibatch")):
        raise FileError("The figure draws how the number of clusters was chosen: leave --k out, with k-means.")
    with terminal.progress("Clustering"):
        alone = neurons_of(neurons) if neurons else None
        found = opened.clusters(k, method=method, layers=layer_numbers(layers), neurons=alone, seed=seed)
        size = len(found.members(number_)) if number_ is not None else 0
        saved = save_csv(found.assigned if number_ is None else _members(found, number_), csv)
        curve = found.grouping.curve
        drawn = _save_figure("cluster_choice", opened, figure, curve) if curve else None
    chosen = curve.why if curve else ""
    if as_json:
        told = {"method": method, "k": len(found), "why": chosen, "threshold": found.grouping.threshold, "seed": seed}
        rows = found.table if number_ is None else _members(found, number_)
        more = {"of": len(found.labels), "looked_at": len(found.rows), "out": saved, "figure": drawn}
        told |= {"in_clusters": int((found.grouping.labels >= 0).sum()), "cluster": number_}
        terminal.print_json("cluster", **provenance(opened), **told, **more, rows=rows.to_dict("records"))
        return
    if number_ is not None:
        _show_members(opened, found, number_, count, size, saved)
        return
    drawing = terminal.table(
        ">cluster", "name", ">size", "layers", ">cohesion", ">stability", "sign", "tokens", folded=("tokens",)
    )
    for row in found.table.head(count).to_dict("records"):
        many, cohesion, stable = f"{row['size']:,}", number(row["cohesion"]), number(row["stability"])
        drawing.add_row(
            str(row["cluster"]), row["name"], many, row["layers"], cohesion, stable, row["sign"], row["tokens"]
        )
    why = f" {chosen[0].upper()}{chosen[1:]}." if chosen else ""
    listed = "" if count >= len(found) else f" The {count} largest are listed."
    terminal.show(drawing, f"{found.shown}.{listed}{why} {sentence(opened)} {_where(saved, drawn)}".rstrip())


def polysemantic(
    folder: Folder,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model that the index was made from.")],
    neurons: Annotated[
        str | None, typer.Argument(metavar="NEURONS", help="These alone, in windows that the index has kept.")
    ] = None,
    layers: Layers = None,
    tokens: Annotated[
        int | None, typer.Option("--tokens", min=1, metavar="N", help="Tokens to read layers over; 131,072.")
    ] = None,
    sign: Sign = "+",
    token: Annotated[
        str | None,
        typer.Option(
            "--token", metavar="TOKEN", help="One neuron on this token alone: the word's uses, as it sees them."
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="CHECKPOINT", help="What became of their senses there; needs NEURONS."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="List all that are scored, not the confirmed alone.")] = False,
    device: Device = "auto",
    count: Count = 20,
    csv: Csv = None,
    figure: Figure = None,
    as_json: Json = False,
) -> None:
    """Ask which neurons answer to several unrelated things, and to which; kept beside the index once found."""
    opened, figure, asked = open_index(folder), drawable(figure), neurons_of(neurons) if neurons else None
    if against is not None and asked is None:
        raise InputError("Senses are compared of single neurons: name them, such as L0.N3.")
    if token is not None and (asked is None or len(asked) != 1):
        raise InputError("The uses of a token are asked of one neuron: name one, such as L0.N3.")
    with terminal.progress(f"Loading {model}"):
        scope = measuring(opened, model, device)
        assert scope is not None, "a model was named"
        if token is not None and asked is not None:
            found = scope.uses(opened, asked[0], token, sign)
        else:
            found = scope.polysemanticity(opened, asked, layers=layer_numbers(layers), tokens=tokens)
        saved = save_csv(found.table, csv)
        drawn = _save_figure("senses_by_layer", opened, figure, found)
        other = compared(opened, scope, against)
        left = {one: other.senses(found, one, sign) for one in asked or () if other and found.senses(one, sign)}
    if asked is not None and not as_json:
        for one in asked:
            _show_senses(found, one, sign, left.get(one))
        print(f"{sentence(opened)} {_where(saved, drawn)}".rstrip())
        return
    table = found.table
    listed = table if every or asked is not None else table[table["confirmed"]]
    rows = listed.head(count).to_dict("records")
    if as_json:
        verdicts = {str(name): int(n) for name, n in table["verdict"].value_counts().items()}
        told = {"read": found.tokens, "retest": found.retest, "verdicts": verdicts, "of": len(table)}
        for row in rows:
            row["found"] = [_told(one) for one in found.senses(_neuron(row), row["sign"])]
            if (there := left.get(_neuron(row))) and row["sign"] == sign:
                row["against"] = _told_elsewhere(there, len(row["found"]), str(against))
        terminal.print_json(
            "polysemantic", **provenance(opened), **told, confirmed=int(table["confirmed"].sum()), out=saved,
            figure=drawn, rows=rows,
        )  # fmt: skip
        return
    _show_ranking(opened, found, rows, len(listed), every, _where(saved, drawn))


def layer_numbers(written: str | None) -> tuple[int, ...] | None:
    """Layers written as `0,3-5`, in order; None where nothing is written. Raises `BadParameter`."""
    from neuronscope.vocabulary import layers_named

    if written is None:
        return None
    try:
        found = layers_named(written)
    except InputError as error:
        raise typer.BadParameter(str(error), param_hint="--layers") from None
    if not found:
        raise typer.BadParameter("No layer is named: write 0,3-5, or leave it out for all.", param_hint="--layers")
    return found


def drawable(path: Path | None, *kinds: str) -> Path | None:
    """The file to draw into, before the work begins: an .html file unless `kinds` are named; raises `FileError`."""
    kinds = kinds or (".html", ".htm")
    if path is None:
        return None
    path = path.expanduser()
    if path.suffix.lower() not in kinds or not path.parent.is_dir():
        named = "an .html" if kinds == (".html", ".htm") else f"a {', '.join(kinds[:-1])} or {kinds[-1]}"
        raise FileError(f"Cannot draw into {path}: name {named} file in a folder that is there.")
    return path


def _save_figure(name: str, opened: Index, path: Path | None, *results: Any) -> Path | None:
    """Draw results into an HTML file that holds all it needs."""
    from neuronscope import figures
    from neuronscope.export import written_aside

    if path is None:
        return None
    drawn: go.Figure = getattr(figures, name)(*results, source=opened.source)
    with written_aside(path) as aside:
        drawn.write_html(aside, include_plotlyjs=True, full_html=True)
    return path


def _where(saved: Path | None, drawn: Path | None) -> str:
    parts = [f"The whole table is in {saved}." if saved else "", f"The figure is in {drawn}." if drawn else ""]
    return " ".join(part for part in parts if part)


def _members(found: Clusters, chosen: int) -> Any:
    table = found.assigned
    own = table[table["cluster"] == chosen]
    return own.sort_values("loading", ascending=False, kind="stable", ignore_index=True)


def _show_members(opened: Index, found: Clusters, chosen: int, count: int, size: int, saved: Path | None) -> None:
    drawing = terminal.table("neuron", ">loading")
    for row in _members(found, chosen).head(count).to_dict("records"):
        drawing.add_row(f"L{row['layer']:.0f}.N{row['neuron']:.0f}", number(row["loading"]))
    near = ", ".join(f"{other} (r {r:+.2f})" for other, r in found.neighbours(chosen, 3))
    terminal.show(
        drawing,
        f"Cluster {chosen}, {found.names[chosen]}: {min(count, size):,} of {size:,} neurons, by the correlation with "
        f"the others' mean. Nearest clusters: {near or 'none'}. {sentence(opened)} {_where(saved, None)}".rstrip(),
    )


def _neuron(row: dict[Any, Any]) -> Neuron:
    from neuronscope.vocabulary import Neuron

    return Neuron(int(row["layer"]), int(row["neuron"]))


def _told(sense: Sense) -> dict[str, Any]:
    tokens = [{"token": token, "share": share} for token, share in sense.tokens[:_SENSE_TOKENS]]
    told = {"share": sense.share, "separation": sense.separation, "tokens": tokens}
    return told | {"positions": sense.positions[:5], "values": sense.values[:5]}


def _told_elsewhere(there: Elsewhere, senses: int, against: str) -> dict[str, Any]:
    told = {"checkpoint": against, "fires": there.fires, "contexts": len(there.here), "kept": there.kept()}
    found = {"effective": there.found.effective, "senses": there.found.modes} if there.found else {}
    return told | {"kept_of_each": [there.kept(place) for place in range(senses)]} | found


def _show_ranking(
    opened: Index, found: Polysemanticity, rows: Sequence[dict[Any, Any]], of: int, every: bool, where: str
) -> None:
    drawing = terminal.table(
        "neuron",
        "sign",
        ">N_eff",
        ">half a",
        ">half b",
        ">senses",
        ">contexts",
        "tokens of each",
        folded=("tokens of each",),
    )
    for row in rows:
        numbers = (number(row[name]) for name in ("effective", "half_a", "half_b", "senses"))
        kinds = [one for one in found.senses(_neuron(row), row["sign"]) if one.share >= 0.1]
        tokens = " | ".join(" ".join(token for token, _ in one.tokens[:4]) for one in kinds)
        drawing.add_row(str(_neuron(row)), row["sign"], *numbers, f"{row['contexts']:,}", tokens)
    verdicts = ", ".join(f"{n:,} {name}" for name, n in found.table["verdict"].value_counts().items())
    kind = "scored" if every else "with two senses or more in both halves of the corpus"
    terminal.show(
        drawing,
        f"{len(rows):,} of {of:,} {kind}, most senses first, of {len(found.table):,} looked at: {verdicts}. Read over "
        f"{found.tokens:,} tokens; the scores of the two halves correlate with {number(found.retest)}. "
        f"A sense is a way to fire, not a meaning. {sentence(opened)} {where}".rstrip(),
    )


def _show_senses(found: Polysemanticity, one: Neuron, sign: str, there: Elsewhere | None) -> None:
    from neuronscope.analysis.polysemanticity import VERDICTS

    record = found.of(one, sign)
    verdict = VERDICTS[int(record["verdict"])]
    if verdict != "scored":
        print(f"{one}, sign {sign}: {verdict}.")
        return
    kept = (">kept there",) if there else ()
    drawing = terminal.table(">share", ">separation", ">contexts", *kept, "tokens", folded=("tokens",))
    for place, sense in enumerate(found.senses(one, sign)):
        tokens = " ".join(f"{token} {share:.0%}" for token, share in sense.tokens[:_SENSE_TOKENS])
        left = (f"{there.kept(place):.0%}",) if there else ()
        drawing.add_row(f"{sense.share:.0%}", number(sense.separation), f"{len(sense.positions):,}", *left, tokens)
    both = f"{number(record['half_a'])} and {number(record['half_b'])} in the two halves of the corpus"
    terminal.show(
        drawing,
        f"{one}, sign {sign}: N_eff {number(record['effective'])} ({both}), in {int(record['contexts']):,} contexts "
        f"{_read_in(found)}{_left(there)}",
    )


def _read_in(found: Polysemanticity) -> str:
    if found.token is None:
        return "of windows that the index has kept. A survey of its layer sees more."
    return f"of {found.shown[found.token]}, about what all its occurrences share."


def _left(there: Elsewhere | None) -> str:
    """What another checkpoint does in the contexts of a neuron."""
    if there is None:
        return ""
    ways = "too few to count its ways to fire"
    if there.found:
        ways = f"N_eff {number(there.found.effective)}"
    return f" There it fires in {there.fires} of them with {there.kept():.0%} of the activation: {ways}."


COMMANDS = (project, cluster, polysemantic)
"""The commands of this module, in the order in which help lists them."""
