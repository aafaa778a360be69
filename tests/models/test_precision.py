"""What precisions promise: sizes known beforehand, the best that fits, weights that can be read back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, LlamaConfig

from neuronscope.engine.capture import capture
from neuronscope.errors import InputError, ModelDoesNotFit
from neuronscope.models import precision as precision_module
from neuronscope.models.estimate import estimate
from neuronscope.models.loading import load
from neuronscope.models.precision import Precision, choose, matrix
from neuronscope.vocabulary import Site
from tests import models_for_tests as tiny

CPU = torch.device("cpu")
GB = 10**9
SIZES = {Precision.FLOAT32: 8 * GB, Precision.BFLOAT16: 4 * GB, Precision.FLOAT16: 4 * GB}
SIZES |= {Precision.INT8: 3 * GB, Precision.NF4: 2 * GB}
WIDE = {"hidden_size": 64, "intermediate_size": 192, "num_attention_heads": 4, "num_key_value_heads": 2}
QUANTIZED = ["int8", "nf4"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Llama whose widths are whole blocks of 4-bit scales."""
    path = tmp_path_factory.mktemp("wide")
    tiny.llama(**WIDE).save_pretrained(path)
    tiny.tokenizer().save_pretrained(path)
    return str(path)


def half() -> LlamaConfig:
    """The configuration of a checkpoint that was saved in float16."""
    config = tiny.llama().config
    config.dtype = torch.float16
    return config


@pytest.mark.parametrize(("free", "chosen"), [(9, "float32"), (8.5, "bfloat16"), (4, "int8"), (3, "nf4"), (2.3, "nf4")])
def test_auto_takes_the_best_that_fits_and_says_why(free: float, chosen: str) -> None:
    choice = choose("auto", tiny.llama().config, CPU, SIZES, int(free * GB))
    assert choice.precision == chosen
    assert choice.reason.startswith("full precision fits" if chosen == "float32" else "the best that fits")


def test_auto_says_where_the_processor_is_slow_in_what_it_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    for fast in (True, False):
        monkeypatch.setattr(precision_module, "computes_bfloat16", lambda fast=fast: fast)
        choices = {free: choose("auto", tiny.llama().config, CPU, SIZES, free * GB) for free in (9, 5, 3)}
        assert {free: "slow here" in choice.reason for free, choice in choices.items()} == {
            9: False,
            5: not fast,
            3: False,
        }


def test_what_auto_chose_is_known_of_the_model(folder: str) -> None:
    assert load(folder, device="cpu").card.chosen == "full precision fits"
    assert load(folder, precision="bfloat16", device="cpu").card.chosen == "as asked"


def test_float16_is_never_chosen_on_a_cpu() -> None:
    config = half()
    assert choose("auto", config, CPU, SIZES, 100 * GB).precision == "float32"
    assert choose("auto", config, CPU, SIZES, 5 * GB).precision == "bfloat16"
    assert choose("float16", config, CPU, SIZES, 5 * GB).precision == "float16"


def test_a_gpu_keeps_the_checkpoint_s_own_type() -> None:
    gpu = torch.device("cuda")
    assert choose("auto", half(), gpu, SIZES, 100 * GB).precision == "float16"
    assert choose("auto", tiny.llama().config, gpu, SIZES, 100 * GB).precision == "float32"


def test_what_cannot_fit_is_refused_with_the_numbers_and_what_would() -> None:
    with pytest.raises(
        ModelDoesNotFit, match=r"needs 8\.0 GB in float32 and 5\.0 GB is free\. .* bfloat16 \(4\.0 GB\)"
    ):
        choose("float32", tiny.llama().config, CPU, SIZES, 5 * GB)
    with pytest.raises(ModelDoesNotFit, match="No precision fits: choose a smaller model"):
        choose("auto", tiny.llama().config, CPU, SIZES, GB)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16", *QUANTIZED])
def test_the_estimate_is_what_the_weights_then_take(folder: str, precision: str) -> None:
    card = load(folder, precision=precision, device="cpu").card
    expected = estimate(AutoConfig.from_pretrained(folder))
    assert card.precision == precision
    assert card.parameters == expected.parameters
    assert card.bytes == pytest.approx(expected.bytes[Precision(precision)], rel=0.03)


@pytest.mark.parametrize("name", ["stories260k", "babyllama-tok105", "minilm-l6-encoder", "gpt-nano-sort"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8", "nf4"])
def test_estimates_hold_on_real_models(shared_data: Path, name: str, precision: str) -> None:
    folder = str(shared_data / name)
    auto_class = "AutoModel" if name.startswith("minilm") else "AutoModelForCausalLM"
    expected = estimate(AutoConfig.from_pretrained(folder), auto_class).bytes
    if Precision(precision) not in expected:
        with pytest.raises(InputError, match="not a multiple of 64 inputs"):
            load(folder, precision=precision, device="cpu")
        return
    assert load(folder, precision=precision, device="cpu").card.bytes == pytest.approx(expected[precision], rel=0.03)


LOADING = """
import sys, threading, time
from neuronscope.models.loading import load

def held():
    line = next(line for line in open("/proc/self/status") if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024

def watch():
    while not done:
        seen.append(held())
        time.sleep(0.002)

small, large, precision = sys.argv[1:]
load(small, precision=precision, device="cpu")  # what a first load takes for good is not the model's
before, done, seen = held(), False, []
watching = threading.Thread(target=watch)
watching.start()
size = load(large, precision=precision, device="cpu").card.bytes
done = True
watching.join()
print(size, max(seen) - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is measured as Linux tells it")
@pytest.mark.parametrize("precision", ["bfloat16", *QUANTIZED])
def test_a_sharded_checkpoint_loads_within_its_final_size(tmp_path: Path, precision: str) -> None:
    """Twelve tenths of it, and what quantizing the largest projection takes."""
    small, large = tmp_path / "small", tmp_path / "large"
    for folder, layers in ((small, 1), (large, 20)):
        network = tiny.llama(hidden_size=512, intermediate_size=1024, num_hidden_layers=layers).bfloat16()
        network.save_pretrained(folder, max_shard_size="20MB")
        tiny.tokenizer().save_pretrained(folder)
    assert len(list(large.glob("*.safetensors"))) > 3
    command = [sys.executable, "-c", LOADING, str(small), str(large), precision]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    size, peak = map(int, done.stdout.split()[-2:])
    one_projection = 24 * 512 * 1024 if precision in QUANTIZED else 0
    assert peak <= 1.2 * size + one_projection + 8e6, f"{peak / 1e6:.0f} MB for {size / 1e6:.0f} MB"


@pytest.mark.parametrize(("precision", "closeness"), [("int8", 0.9999), ("nf4", 0.99)])
def test_quantized_weights_are_read_back_before_and_after_a_pass(folder: str, precision: str, closeness: float) -> None:
    full, model = load(folder, device="cpu"), load(folder, precision=precision, device="cpu")
    text = [full.tokens("the cat sat on the mat .")]
    for _ in range(2):
        for path in (model.family.up, model.family.gate, model.family.down, model.family.attention_out):
            expected, found = matrix(full.in_block(1, path)), matrix(model.in_block(1, path))
            both = torch.stack([expected.flatten(), found.flatten()])
            assert torch.corrcoef(both)[0, 1] > closeness, path
        capture(model, text)


@pytest.mark.parametrize(("precision", "closeness"), [("bfloat16", 0.999), ("int8", 0.99), ("nf4", 0.8)])
def test_quantized_activations_resemble_the_full_ones(folder: str, precision: str, closeness: float) -> None:
    full, model = load(folder, device="cpu"), load(folder, precision=precision, device="cpu")
    text = [full.tokens("the king and the queen sat under a green tree")]
    a, b = (capture(each, text)[0][Site.NEURONS].values for each in (full, model))
    assert b.dtype == np.float32
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > closeness
