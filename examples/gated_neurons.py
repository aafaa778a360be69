"""The four ways a gated neuron can fire: its gate and its up projection are each above or below zero.

python examples/gated_neurons.py
python examples/gated_neurons.py TinyLlama/TinyLlama-1.1B-Chat-v1.0 "Any text of yours"
"""

import sys

import numpy as np

import neuronscope as ns

TEXT = "Once upon a time there was a small dog who lived in Madrid and liked to sing."


def main(model: str = "demo:stories-llama", text: str = TEXT) -> None:
    """Print how much of all activation each of the four cases makes up, layer by layer."""
    scope = ns.load(model)
    neurons, gate, up = (scope.activations(text, site=site) for site in ("neurons", "gate", "up"))
    kept = neurons.tokens.kept
    print(f"{scope}\nshare of |activation| over {kept.sum()} tokens")
    print("layer   gate+ up+   gate+ up-   gate- up+   gate- up-")
    for i, layer in enumerate(neurons.layers):
        size = np.abs(neurons.values[i, kept])
        is_open, is_up = gate.values[i, kept] > 0, up.values[i, kept] > 0
        cases = (is_open & is_up, is_open & ~is_up, ~is_open & is_up, ~is_open & ~is_up)
        print(f"{layer:>5}" + "".join(f"{size[case].sum() / size.sum():>12.1%}" for case in cases))


if __name__ == "__main__":
    main(*sys.argv[1:])
