"""Fine-tune a demo model for a minute on texts of a kind it has never seen, and watch its neurons change.

python examples/watch_finetuning.py
python examples/watch_finetuning.py 1000 my_run/
"""

import json
import sys
import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import neuronscope as ns
from neuronscope.demo.world import KINDS, texts
from neuronscope.models.catalogue import demo_folder

MODEL = "demo:stories"
WINDOW, BATCH = 64, 8
MIXED = [*KINDS, *["log"] * len(KINDS)]
COLUMNS = ["layer", "neuron", "drift", "location", "scale", "selectivity", "weight_in", "weight_out"]


def main(steps: str = "400", out: str = "") -> None:
    """Fine-tune, measure the drift, print what changed most, and draw it."""
    folder = Path(out or tempfile.mkdtemp(prefix="drift-"))
    fine_tune(folder / "run", int(steps))
    drift = ns.load(MODEL).drift(folder / "run", probe(folder), folder=folder / "drift", tokens=25 * int(steps))
    for one in drift.checkpoints:
        print(f"{one.label:>12}  loss {one.loss:.3f}  mean drift {drift.records(one.label)['drift'].mean():.4f}")
    last = len(drift.checkpoints) - 1
    rows = drift.rows(last).head(8)
    print(rows[COLUMNS].round(3).to_string(index=False))
    neuron = ns.Neuron(int(rows["layer"][0]), int(rows["neuron"][0]))
    for when, checkpoint in (("before", 0), ("after", last)):
        print(f"{neuron} {when}: {' '.join(token for token, _ in drift.tokens(neuron, checkpoint)[:8])}")
    ns.figures.drift_map(drift, last).write_html(folder / "map.html")
    ns.figures.animate(drift, folder / "map.gif")
    print(f"The map is in {folder / 'map.html'}; {folder / 'map.gif'} moves.")


def fine_tune(folder: Path, steps: int) -> None:
    """Teach the model ships' logs among other texts; keep it at a twentieth, a fifth and the end of the way."""
    source = demo_folder(MODEL)
    model = AutoModelForCausalLM.from_pretrained(source, dtype="float32").train()
    tokenizer = AutoTokenizer.from_pretrained(source)
    taught = tokenizer.eos_token.join(texts(seed=3, count=20 + 5 * steps, kinds=MIXED))
    ids = torch.tensor(tokenizer(taught, verbose=False).input_ids)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-4)
    torch.manual_seed(0)
    for step in range(1, steps + 1):
        starts = torch.randint(len(ids) - WINDOW, (BATCH,))
        batch = torch.stack([ids[start : start + WINDOW] for start in starts])
        model(input_ids=batch, labels=batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if step in {max(steps // 20, 1), max(steps // 5, 2), steps}:
            model.save_pretrained(folder / f"step-{step:04d}")
            tokenizer.save_pretrained(folder / f"step-{step:04d}")


def probe(folder: Path) -> Path:
    """Texts to compare the checkpoints on, of the same kinds and none of those that they were taught."""
    path = folder / "probe.jsonl"
    path.write_text("\n".join(json.dumps({"text": text}) for text in texts(seed=7, count=300, kinds=MIXED)))
    return path


if __name__ == "__main__":
    main(*sys.argv[1:])
