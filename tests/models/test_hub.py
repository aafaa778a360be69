"""What having a model from the hub promises: the right bytes, seen coming, stopped at once; or why not, in a sentence.

The client is the real one; the hub is a small one on 127.0.0.1.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from huggingface_hub import constants, hf_hub_download, scan_cache_dir
from huggingface_hub.utils import close_session

from neuronscope.errors import CannotDownload, ModelNotFound, UnsupportedModel
from neuronscope.jobs import Cancelled, Progress, running
from neuronscope.models import hub_refusals
from neuronscope.models.hub import download, find, obtain, plan
from neuronscope.models.loading import load
from tests import models_for_tests as tiny
from tests.hub_for_tests import Hub, Repository

WEIGHTS = os.urandom(3 << 20)
FILES = {
    "config.json": b'{"model_type": "gpt2"}',
    "tokenizer.json": b"{}",
    "merges.txt": b"#version: 0.2",
    "model.safetensors": WEIGHTS,
}
OTHER_FILES = {
    "pytorch_model.bin": b"pickled" * 1000,
    "flax_model.msgpack": b"packed" * 1000,
    "consolidated.safetensors": WEIGHTS,
    "onnx/model.safetensors": WEIGHTS,
    "README.md": b"A model",
    "modeling_own.py": b"raise SystemExit('run')",
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub that the client of this process speaks to, and an empty cache."""
    opened = Hub()
    opened.models["owner/model"] = Repository({**FILES, **OTHER_FILES})
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", opened.address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", opened.address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    yield opened
    close_session()
    opened.close()


class Watcher:
    """A job that notes its progress and stops the work once `enough` says so."""

    def __init__(self, enough=lambda: False) -> None:
        self.reports: list[Progress] = []
        self.stopped_at = 0.0
        self._enough = enough

    def check(self) -> None:
        if self._enough():
            self.stopped_at = self.stopped_at or time.monotonic()
            raise Cancelled

    def report(self, progress: Progress) -> None:
        self.reports.append(progress)


def test_only_configuration_tokenizer_and_safetensors_are_counted_and_fetched(hub: Hub) -> None:
    planned = plan("owner/model")
    assert {file.name for file in planned.files} == set(FILES)
    assert planned.bytes == planned.missing == sum(len(content) for content in FILES.values())
    folder = download(planned).folder
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES
    assert plan("owner/model").missing == 0


def test_shards_are_taken_where_an_index_names_them_and_code_only_when_asked_for(hub: Hub) -> None:
    shards = {f"model-0000{i}-of-00002.safetensors": bytes(2000) for i in (1, 2)}
    rest = {name: content for name, content in FILES.items() if name != "model.safetensors"}
    hub.models["owner/sharded"] = Repository({**rest, **shards, **OTHER_FILES, "model.safetensors.index.json": b"{}"})
    wanted = {*rest, *shards, "model.safetensors.index.json"}
    assert {file.name for file in plan("owner/sharded").files} == wanted
    assert {file.name for file in plan("owner/sharded", code=True).files} == {*wanted, "modeling_own.py"}


@pytest.mark.parametrize("shards", [0, 2])
def test_pickled_weights_are_fetched_only_where_there_are_no_others(hub: Hub, shards: int) -> None:
    files = {name: content for name, content in FILES.items() if name != "model.safetensors"}
    one = {"pytorch_model.bin": bytes(2000)}
    several = {f"pytorch_model-0000{i + 1}-of-00002.bin": bytes(2000) for i in range(shards)}
    several["pytorch_model.bin.index.json"] = b"{}"
    files |= several if shards else one
    hub.models["owner/older"] = Repository({**files, "flax_model.msgpack": b"packed"})
    assert {file.name for file in plan("owner/older").files} == set(files)
    hub.models["owner/both"] = Repository({**FILES, **one})
    assert {file.name for file in plan("owner/both").files} == set(FILES)


def test_a_model_on_this_machine_is_found_without_asking_anybody(hub: Hub) -> None:
    assert find("owner/model") is None
    snapshot = obtain("owner/model")
    asked = len(hub.asked)
    assert find("owner/model") == find("owner/model", snapshot.commit) == obtain("owner/model") == snapshot
    assert obtain("owner/model", offline=True) == snapshot
    assert len(hub.asked) == asked


def test_other_programs_find_what_was_downloaded(hub: Hub) -> None:
    snapshot = obtain("owner/model")
    found = hf_hub_download("owner/model", "model.safetensors", local_files_only=True)
    assert Path(found).read_bytes() == WEIGHTS
    [repository] = scan_cache_dir(constants.HF_HUB_CACHE).repos
    assert (repository.repo_id, repository.refs.keys()) == ("owner/model", {"main"})
    assert snapshot.commit == hub.models["owner/model"].commit


def test_what_another_program_left_incomplete_is_completed(hub: Hub) -> None:
    hf_hub_download("owner/model", "config.json")
    assert find("owner/model") is None
    assert (obtain("owner/model").folder / "model.safetensors").read_bytes() == WEIGHTS


def test_progress_is_told_in_megabytes(hub: Hub) -> None:
    watcher = Watcher()
    hub.wrong.pause = 0.01
    with running(watcher):
        obtain("owner/model")
    assert {report.label for report in watcher.reports} == {"Downloading owner/model, in MB"}
    assert {report.total for report in watcher.reports} == {4}
    done = [report.done for report in watcher.reports]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, 4)
    assert {1, 2} <= set(done)


def test_a_cancelled_download_stops_within_a_second_and_goes_on_later(hub: Hub) -> None:
    hub.wrong.pause = 0.02
    watcher = Watcher(enough=lambda: hub.sent > len(WEIGHTS) / 2)
    with pytest.raises(Cancelled), running(watcher):
        obtain("owner/model")
    assert time.monotonic() - watcher.stopped_at < 1
    assert find("owner/model") is None
    time.sleep(0.2)
    sent_before = hub.sent
    assert sent_before < 0.8 * len(WEIGHTS), "the transfer itself went on after it was cancelled"

    hub.wrong.pause = 0
    assert 0 < plan("owner/model").missing < 0.6 * len(WEIGHTS)
    watcher = Watcher()
    with running(watcher):
        snapshot = obtain("owner/model")
    assert (snapshot.folder / "model.safetensors").read_bytes() == WEIGHTS
    assert hub.sent - sent_before < 0.6 * len(WEIGHTS)
    first, second = (
        int(headers["range"].removeprefix("bytes=").rstrip("-")) for headers in hub.fetched(".safetensors")
    )
    assert first == 0
    assert second > len(WEIGHTS) * 0.4
    assert watcher.reports[0].label == "Downloading the rest of owner/model, in MB"


def test_a_download_that_stalls_can_be_cancelled_all_the_same(hub: Hub) -> None:
    hub.wrong.stall_after = 1 << 20
    began = time.monotonic()
    watcher = Watcher(enough=lambda: time.monotonic() - began > 0.5)
    with pytest.raises(Cancelled), running(watcher):
        obtain("owner/model")
    assert time.monotonic() - watcher.stopped_at < 1
    hub.wrong.stall_after = None
    hub.wrong.go_on.set()
    assert (obtain("owner/model").folder / "model.safetensors").read_bytes() == WEIGHTS


def test_a_line_that_breaks_is_taken_up_again_where_it_broke(hub: Hub) -> None:
    hub.wrong.break_after = [1 << 20, 1 << 19]
    assert (obtain("owner/model").folder / "model.safetensors").read_bytes() == WEIGHTS
    ranges = [headers["range"] for headers in hub.fetched(".safetensors")]
    assert ranges == ["bytes=0-", f"bytes={1 << 20}-", f"bytes={(1 << 20) + (1 << 19)}-"]


def test_a_line_that_breaks_for_good_is_told_and_nothing_is_lost(hub: Hub) -> None:
    hub.wrong.break_after = [1 << 20, 0, 0, 0]
    with pytest.raises(
        CannotDownload, match=r"connection broke while owner/model was downloaded. What has come is kept"
    ):
        obtain("owner/model")
    assert plan("owner/model").missing == len(WEIGHTS) - (1 << 20)
    assert (obtain("owner/model").folder / "model.safetensors").read_bytes() == WEIGHTS


def test_a_hub_that_gives_no_parts_of_files_gives_the_right_file_too(hub: Hub) -> None:
    hub.wrong.break_after = [1 << 20]
    hub.wrong.without_ranges = True
    assert (obtain("owner/model").folder / "model.safetensors").read_bytes() == WEIGHTS


def test_two_who_ask_for_one_model_fetch_it_once(hub: Hub) -> None:
    hub.wrong.pause = 0.01
    with ThreadPoolExecutor(3) as pool:
        [first, *others] = pool.map(obtain, ["owner/model"] * 3)
    assert others == [first, first]
    assert len(hub.fetched(".safetensors")) == 1


def test_a_damaged_file_is_not_kept(hub: Hub) -> None:
    hub.wrong.damaged = True
    with pytest.raises(CannotDownload, match=r"model.safetensors of owner/model arrived damaged: its checksum"):
        obtain("owner/model")
    assert find("owner/model") is None
    hub.wrong.damaged = False
    assert (obtain("owner/model").folder / "model.safetensors").read_bytes() == WEIGHTS


def test_a_file_that_is_cut_short_on_the_hub_is_told(hub: Hub) -> None:
    hub.wrong.shorter_by = 1000
    with pytest.raises(CannotDownload, match="is shorter on the hub than the hub says: 3,144,728 bytes of 3,145,728"):
        obtain("owner/model")
    assert find("owner/model") is None


def test_a_gated_model_wants_a_token_of_an_account_that_has_access(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.models["owner/gated"] = Repository(FILES, gated=True)
    page = f"{hub.address}/owner/gated"
    with pytest.raises(CannotDownload, match=f"No token is set here. Ask for access on {page}, then set HF_TOKEN"):
        obtain("owner/gated")
    monkeypatch.setenv("HF_TOKEN", "hf_another")
    with pytest.raises(CannotDownload, match=f"The account of the token set here is not among them. .* {page}"):
        obtain("owner/gated")
    monkeypatch.setenv("HF_TOKEN", "hf_expired")
    with pytest.raises(CannotDownload, match="does not know the token in HF_TOKEN"):
        obtain("owner/gated")
    monkeypatch.setenv("HF_TOKEN", hub.token)
    assert (obtain("owner/gated").folder / "model.safetensors").read_bytes() == WEIGHTS


def test_the_token_is_not_given_to_where_the_hub_keeps_large_files(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", hub.token)
    storage = Hub()
    storage.models = hub.models
    hub.wrong.elsewhere = storage.address.replace("127.0.0.1", "localhost")
    try:
        assert (obtain("owner/model").folder / "model.safetensors").read_bytes() == WEIGHTS
    finally:
        storage.close()
    assert {headers["authorization"] for headers in hub.fetched(".safetensors")} == {f"Bearer {hub.token}"}
    assert len(storage.fetched(".safetensors")) == 1
    assert all("authorization" not in headers for _, _, headers in storage.asked)


@pytest.mark.parametrize("token", [None, "hf_right"], ids=["a stranger", "an account"])
def test_a_misspelt_name_is_met_with_the_nearest(hub: Hub, monkeypatch: pytest.MonkeyPatch, token: str | None) -> None:
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(ModelNotFound, match=r"No model 'gtp2' on the hub. Did you mean gpt2"):
        obtain("gtp2")
    with pytest.raises(ModelNotFound, match=r"Did you mean TinyLlama/TinyLlama-1\.1B-Chat-v1\.0"):
        obtain("TinyLama/TinyLLama-1.1B-chat")
    with pytest.raises(ModelNotFound, match=r"No model 'nobody/zzzz' on the hub. A private one wants HF_TOKEN"):
        obtain("nobody/zzzz")
    with pytest.raises(ModelNotFound, match="'a/b/c' is no name of a model: on the hub they read owner/name"):
        obtain("a/b/c")


def test_a_revision_that_is_not_there_is_told(hub: Hub) -> None:
    with pytest.raises(ModelNotFound, match="owner/model has no revision 'step-7' on the hub"):
        obtain("owner/model", "step-7")


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("model.safetensors", r"has no model\.safetensors, .* only flax_model\.msgpack"),
        ("tokenizer.json", "has no tokenizer on the hub"),
        ("config.json", r"is no model that transformers loads: it has no config\.json"),
    ],
)
def test_a_model_we_could_not_read_is_not_downloaded(hub: Hub, missing: str, sentence: str) -> None:
    hub.models["owner/odd"] = Repository(
        {name: held for name, held in {**FILES, **OTHER_FILES}.items() if name != missing}
    )
    del hub.models["owner/odd"].files["consolidated.safetensors"]
    del hub.models["owner/odd"].files["pytorch_model.bin"]
    with pytest.raises(UnsupportedModel, match=f"owner/odd .*{sentence}"):
        obtain("owner/odd")
    assert hub.fetched(".json") == []


def test_a_hub_that_is_busy_or_out_of_reach_is_told(hub: Hub) -> None:
    hub.wrong.status = 503
    with pytest.raises(CannotDownload, match=r"could not give owner/model now \(it answered 503\). Try again"):
        obtain("owner/model")
    close_session()
    hub.close()
    with pytest.raises(CannotDownload, match=f"the hub at {hub.address} cannot be reached. Check the connection"):
        obtain("owner/model")


def test_a_disk_without_room_is_told_before_anything_comes(hub: Hub) -> None:
    hub.wrong.stated_size = 1 << 60
    with pytest.raises(
        CannotDownload, match=r"no room on the disk for owner/model: 1,152,921,504,606\.\d MB are to come"
    ):
        obtain("owner/model")
    assert hub.fetched("resolve/main/config.json") == []


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "The disk is full, so gpt2 could not be downloaded to .* what has come is kept"),
        (errno.EACCES, "gpt2 could not be downloaded: this user may not write to .* Set HF_HOME"),
        (errno.EIO, "gpt2 could not be downloaded to .*: Input/output error"),
    ],
)
def test_a_disk_that_fails_half_way_is_told(number: int, sentence: str) -> None:
    with pytest.raises(CannotDownload, match=sentence), hub_refusals.refusing("gpt2", None, under_way=True):
        raise OSError(number, os.strerror(number))


def test_offline_no_socket_is_opened(hub: Hub) -> None:
    obtain("owner/model")
    asked = len(hub.asked)
    sockets: list[str] = []
    listening = True
    me = threading.get_ident()

    def note(event: str, _: object) -> None:
        if listening and event.startswith("socket.") and threading.get_ident() == me:
            sockets.append(event)

    sys.addaudithook(note)
    assert obtain("owner/model", offline=True).folder.is_dir()
    with pytest.raises(
        ModelNotFound, match=r"gpt2-medum is not on this machine, and NeuronScope is offline.* gpt2-medium"
    ):
        obtain("gpt2-medum", offline=True)
    assert sockets == []
    socket.socket().close()
    listening = False
    assert sockets == ["socket.__new__"], "the ear itself is deaf"
    assert len(hub.asked) == asked


def test_a_model_is_downloaded_and_loaded_by_its_name(hub: Hub, tmp_path: Path) -> None:
    tiny.llama().save_pretrained(tmp_path / "model")
    tiny.tokenizer().save_pretrained(tmp_path / "model")
    hub.models["owner/tiny"] = Repository({path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()})
    watcher = Watcher()
    with running(watcher):
        model = load("owner/tiny", device="cpu")
    assert (model.card.name, model.card.revision) == ("owner/tiny", hub.models["owner/tiny"].commit)
    assert watcher.reports[0].label == "Downloading owner/tiny, in MB"
    assert watcher.reports[-1].label == "Loading weights"
    asked = len(hub.asked)
    assert load("owner/tiny", device="cpu", offline=True).card == model.card
    assert len(hub.asked) == asked
