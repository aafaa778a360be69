"""Which neuron answers to a token, over a whole corpus, and what else excites it: read the texts once, then ask.

python examples/corpus_index.py
python examples/corpus_index.py gpt2 my_texts/ " Paris"
"""

import sys
import tempfile
from pathlib import Path

import neuronscope as ns
from neuronscope.demo.world import texts


def main(model: str = "demo:stories", corpus: str = "", word: str = " rain") -> None:
    """Index a corpus, then print the neuron that `word` excites most, its contexts and its best tokens and n-grams."""
    scope = ns.load(model)
    with tempfile.TemporaryDirectory() as folder:
        index = scope.index(corpus or own_corpus(Path(folder)), Path(folder, "index"))
        table = scope.responders(index, word).table
        best = table[table["sign"] == "+"].iloc[0]
        neuron = ns.Neuron(int(best["layer"]), int(best["neuron"]))
        print(index)
        print(f"{neuron} answers to {word!r} with {best['z']:.1f} standard deviations. It is strongest on")
        for example in index.examples(neuron, 3):
            print(f"{example.value:+7.2f}  {example.text!r}")
        print("and is excited by")
        for row in scope.reverse_query(index, neuron).table.head(8).itertuples():
            print(f"{row.mean:+7.2f} [{row.low:+.2f}, {row.high:+.2f}]  {row.count:>6,}×  {row.ngram}")


def own_corpus(folder: Path) -> Path:
    """Some texts of the kind that the demo models learned from, in one file."""
    path = folder / "texts.txt"
    path.write_text("\n<|endoftext|>\n".join(texts(seed=1, count=200)), encoding="utf-8")
    return path


if __name__ == "__main__":
    main(*sys.argv[1:])
