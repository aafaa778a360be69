"""How the demo models are made: `python -m neuronscope.demo.train --out FOLDER`.

Trains a tokenizer and two language models of a million weights on the demo world, then fine-tunes the first one on
ships' logs, which it has never seen, and keeps five checkpoints on the way and one control. Some ten minutes on an idle
core for each model; `--only` makes one of them. The same machine, seed and library versions give the same weights.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuronscope.demo import corpus, world

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

CONTEXT = 256
CHECKPOINTS = (10, 30, 100, 200, 400)
SEED_TRAINING, SEED_TUNING = 1, 3
# One log to three documents of any other kind: logs alone would make the model forget the rest.
TUNING = (tuple(world.NEW_KINDS), *[tuple(world.KINDS)] * 3)


@dataclass(frozen=True)
class Schedule:
    """How long and how fast one training run goes."""

    steps: int
    """Optimizer steps."""
    rate: float
    """Highest learning rate, reached after the warm-up."""
    batch: int = 8
    """Windows of 256 tokens in a step."""
    warmup: int = 100
    """Steps over which the rate rises from zero; after them it falls along a cosine to a tenth."""


def main() -> None:
    """Read the command line and train what it asks for."""
    import torch

    parser = argparse.ArgumentParser(description="Train the demo models.")
    parser.add_argument("--out", type=Path, required=True, help="folder for stories/ and stories-llama/")
    parser.add_argument("--only", choices=("stories", "stories-llama", "tuning"), help="make one of them")
    parser.add_argument("--steps", type=int, default=2400, help="steps of pre-training")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    if args.only in (None, "stories"):
        pretrain(gpt2(), args.out / "stories", Schedule(args.steps, 2e-3), begins=False)
    if args.only in (None, "tuning"):
        fine_tune(args.out / "stories", Schedule(CHECKPOINTS[-1], 2e-4, warmup=20))
    if args.only in (None, "stories-llama"):
        pretrain(llama(), args.out / "stories-llama", Schedule(args.steps, 2e-3), begins=True)


def pretrain(model: PreTrainedModel, folder: Path, schedule: Schedule, begins: bool) -> None:
    """Train a fresh model on the whole world and save it; `begins` as for the tokenizer."""
    tokenizer = corpus.train_tokenizer(SEED_TRAINING, begins=begins)
    batches = corpus.packed(tokenizer, SEED_TRAINING, CONTEXT, schedule.batch)
    for _ in optimise(model, batches, schedule):
        pass
    save(model, tokenizer, folder)


def fine_tune(base: Path, schedule: Schedule) -> None:
    """Fine-tune the saved base model on logs, and once more on more of the same as a control."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    for name, mixture in (("checkpoints", TUNING), ("control", (tuple(world.KINDS),))):
        model = AutoModelForCausalLM.from_pretrained(base, dtype="float32")
        batches = corpus.packed(tokenizer, SEED_TUNING, CONTEXT, schedule.batch, mixture)
        kept = CHECKPOINTS if name == "checkpoints" else CHECKPOINTS[-1:]
        for step in optimise(model, batches, schedule):
            if step in kept:
                save(model, tokenizer, base / name / f"step-{step:04d}")


def optimise(model: PreTrainedModel, batches: Iterator[np.ndarray], schedule: Schedule) -> Iterator[int]:
    """Take AdamW steps on next-token loss, in bfloat16 where it is safe; yield the number of steps taken."""
    import torch

    matrices = [weight for weight in model.parameters() if weight.ndim > 1]
    vectors = [weight for weight in model.parameters() if weight.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=schedule.rate, betas=(0.9, 0.98))
    # For a model this small, plain attention is faster on a processor than the fused kernel.
    model.set_attn_implementation("eager")
    model.train()
    began = time.monotonic()
    for step in range(1, schedule.steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, schedule)
        ids = torch.from_numpy(next(batches))
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 50 == 0:
            print(f"step {step} loss {loss.item():.3f} after {time.monotonic() - began:.0f} s", flush=True)
        yield step


def rate_at(step: int, schedule: Schedule) -> float:
    """The learning rate at a step: linear warm-up, then a cosine down to a tenth of the highest rate."""
    if step <= schedule.warmup:
        return schedule.rate * step / schedule.warmup
    done = (step - schedule.warmup) / max(1, schedule.steps - schedule.warmup)
    return schedule.rate * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * done)))


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a float16 copy of the weights, the configuration and the tokenizer; the model itself is left as it is."""
    import copy

    rounded = copy.deepcopy(model).half()
    rounded.config.dtype = "float16"
    if rounded.config.model_type == "gpt2":
        rounded.config.activation_function = "gelu_new"
    rounded.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    # The name that every version of transformers knows.
    settings = folder / "tokenizer_config.json"
    settings.write_text(settings.read_text().replace("TokenizersBackend", "PreTrainedTokenizerFast"))
    (folder / "tokenizer.json").write_text(tokenizer.backend_tokenizer.to_str())


def gpt2() -> PreTrainedModel:
    """A GPT-2 of four layers of 512 GELU neurons, with random weights."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    dropouts = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=corpus.VOCABULARY,
            n_positions=CONTEXT,
            n_embd=128,
            n_layer=4,
            n_head=4,
            n_inner=512,
            # The same function as gelu_new, as one kernel; `save` gives it the name GPT-2 has it by.
            activation_function="gelu_pytorch_tanh",
            bos_token_id=0,
            eos_token_id=0,
            pad_token_id=0,
            **dropouts,
        )
    )


def llama() -> PreTrainedModel:
    """A Llama of four layers of 384 gated neurons and two key-value heads for four queries, with random weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=corpus.VOCABULARY,
            max_position_embeddings=CONTEXT,
            hidden_size=128,
            intermediate_size=384,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=2,
            tie_word_embeddings=True,
            bos_token_id=0,
            eos_token_id=0,
            pad_token_id=0,
        )
    )


if __name__ == "__main__":
    main()
