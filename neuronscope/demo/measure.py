"""What the demo models have learnt: held-out loss by kind, facts and text.

`python -m neuronscope.demo.measure FOLDER` measures the models under a folder and writes `measurements.json` and
`known_neurons.json` beside them; the README's tables are these numbers. The text is of seeds that training never drew.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuronscope.demo import known, world
from neuronscope.demo.known import batches, load

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

SEED_LOSS = 1001
PROMPTS = ("Once upon a time", "The capital of", "def add(", "Il y a", '"Where are you going?" asked')


def main() -> None:
    """Measure every model under a folder, print it and write it down."""
    parser = argparse.ArgumentParser(description="Measure the demo models.")
    parser.add_argument("folder", type=Path, help="where stories/ and stories-llama/ are")
    folder = parser.parse_args().folder
    measurements: dict[str, Any] = {}
    neurons: list[known.KnownNeuron] = []
    for base in ("stories", "stories-llama"):
        measurements[base] = _of_one_model(folder / base)
        neurons += known.find_neurons(f"demo:{base}", folder / base)
    for tuned in sorted((folder / "stories").glob("c*/step-*")):
        measurements[f"stories/{tuned.parent.name}/{tuned.name}"] = {"loss": loss_by_kind(*load(tuned))}
    _write(folder / "measurements.json", measurements)
    _write(folder / "known_neurons.json", [asdict(neuron) for neuron in neurons])


def loss_by_kind(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, seed: int = SEED_LOSS, count: int = 40
) -> dict[str, float]:
    """Mean next-token loss in nats over `count` documents of each kind, each begun by `<|endoftext|>`."""
    import torch

    losses = {}
    for kind in (*world.KINDS, *world.NEW_KINDS):
        total, tokens = 0.0, 0
        for ids, mask in batches(tokenizer, list(world.texts(seed, count, (kind,)))):
            with torch.inference_mode():
                logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1]
            loss = torch.nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
            total += float((loss * mask[:, 1:]).sum())
            tokens += int(mask[:, 1:].sum())
        losses[kind] = total / tokens
    return losses


def fact_accuracy(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> float:
    """Share of `FACTS` whose answer is the single most likely next token, prompted as the tokenizer does by itself."""
    import torch

    right = 0
    for fact in world.FACTS:
        ids = torch.tensor([tokenizer(fact.prompt)["input_ids"]])
        with torch.inference_mode():
            best = int(model(input_ids=ids, use_cache=False).logits[0, -1].argmax())
        right += tokenizer.decode([best]) == fact.answer
    return right / len(world.FACTS)


def continue_text(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, prompt: str, tokens: int = 60) -> str:
    """A continuation sampled with a fixed seed, up to the end of the document."""
    import torch

    torch.manual_seed(0)
    ids = torch.tensor([[0, *tokenizer(prompt, add_special_tokens=False)["input_ids"]]])
    ids = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=True, temperature=0.7, pad_token_id=0
    )
    return str(tokenizer.decode(ids[0], skip_special_tokens=True))


def _of_one_model(folder: Path) -> dict[str, Any]:
    model, tokenizer = load(folder)
    return {
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "facts": fact_accuracy(model, tokenizer),
        "loss": loss_by_kind(model, tokenizer),
        "text": [continue_text(model, tokenizer, prompt) for prompt in PROMPTS],
    }


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
