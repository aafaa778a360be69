"""Which neuron of the model is strongest on each word of a text, and which token it promotes most.

python examples/strongest_neurons.py
python examples/strongest_neurons.py gpt2 "Any text of yours"
"""

import sys

import numpy as np

import neuronscope as ns


def main(model: str = "demo:stories", text: str = "The capital of France is Paris.") -> None:
    """Print one line for each token that counts."""
    scope = ns.load(model)
    activations = scope.activations(text)
    tokens, strength = activations.tokens, np.abs(activations.values)
    print(scope)
    for position in np.flatnonzero(tokens.kept):
        layer, index = np.unravel_index(strength[:, position].argmax(), strength[:, position].shape)
        neuron = ns.Neuron(activations.layers[layer], int(index))
        value = activations.neuron(neuron)[position]
        weights = scope.weights(neuron, count=3)
        says = weights.promotes if value > 0 else weights.suppresses
        names = "  ".join(score.display for score in says)
        print(f"{tokens.display[position]:>14}  {neuron!s:>10}  {value:+6.2f}  promotes  {names}")


if __name__ == "__main__":
    main(*sys.argv[1:])
