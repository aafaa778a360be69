"""Which neurons answer to several unrelated things, and which neurons they are like: read the texts once, then ask.

python examples/neuron_senses.py
python examples/neuron_senses.py gpt2 my_texts/
"""

import sys
import tempfile
from pathlib import Path

import neuronscope as ns
from neuronscope.demo.world import texts


def main(model: str = "demo:stories", corpus: str = "") -> None:
    """Index a corpus, rank the neurons of the middle layer by their senses, and tell the cluster of the first."""
    scope = ns.load(model)
    with tempfile.TemporaryDirectory() as folder:
        index = scope.index(corpus or own_corpus(Path(folder)), Path(folder, "index"))
        layer = scope.card.layers // 2
        found = scope.polysemanticity(index, layers=[layer])
        ranked = found.table[found.table["confirmed"]]
        print(f"{len(ranked)} of {len(found.table)} neurons of layer {layer} have two senses in both halves.")
        for row in ranked.sort_values("senses", ascending=False).head(3).itertuples():
            neuron = ns.Neuron(row.layer, row.neuron)
            print(f"{neuron}: N_eff {row.effective:.1f}")
            for sense in found.senses(neuron, row.sign)[: int(row.senses)]:
                print(f"  {sense.share:4.0%}  {' '.join(token for token, _ in sense.tokens[:6])}")
        clusters = index.clusters(32)
        number = int(clusters.labels[index.row(neuron)])
        print(
            f"{neuron} is in cluster {number}: {clusters.names[number]}"
            if number >= 0
            else f"{neuron} is like no other."
        )


def own_corpus(folder: Path) -> Path:
    """Some texts of the kind that the demo models learned from, in one file."""
    path = folder / "texts.txt"
    path.write_text("\n<|endoftext|>\n".join(texts(seed=1, count=400)), encoding="utf-8")
    return path


if __name__ == "__main__":
    main(*sys.argv[1:])
