"""The page in a notebook: shown over the notebook's own model, one for each cell, ended with it."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbclient
import nbformat
import pytest

import neuronscope as ns
from neuronscope import notebook
from neuronscope.errors import InputError, NeuronScopeError
from tests.models_for_tests import gpt2, tokenizer

ROOT = Path(notebook.__file__).parents[1]

LOAD = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import torch
torch.set_num_threads(1)
from tests.models_for_tests import gpt2, tokenizer
import neuronscope as ns
network = gpt2()
scope = ns.attach(network, tokenizer(), "mine")
"""
ASK = """
import json, urllib.request, urllib.error
def answers(view, path="_dash-layout"):
    base = view.url.partition("?")[0]
    base = base if base.startswith("http") else f"http://127.0.0.1:{view.port}/{base.split('/')[-2]}/"
    try:
        with urllib.request.urlopen(base + path, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.URLError as error:
        return getattr(error, "code", None), ""
"""


def executed(*cells):
    """The printed text of each cell and what it shows by media type, run one after another in a new kernel."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(book, timeout=120, kernel_name="python3").execute()
    printed = ["".join(out.get("text", "") for out in cell.outputs) for cell in book.cells]
    shown = [[out["data"] for out in cell.outputs if "data" in out] for cell in book.cells]
    return printed, shown


def scope():
    return ns.attach(gpt2(), tokenizer(), "mine")


def layout(view):
    with urllib.request.urlopen(view.url.partition("?")[0] + "_dash-layout", timeout=20) as answer:
        return json.load(answer)


def test_a_view_answers_at_its_secret_address_until_it_is_closed():
    view = notebook.show(scope(), text="the cat sat", layer=2, neuron=5)
    assert layout(view)
    secret = view.url.split("/")[3]
    assert len(secret) >= 32
    assert view.url.endswith("?text=the+cat+sat&layer=2&neuron=5")
    assert repr(view) == f"NeuronScope's page on mine: open {view.url} in a browser; .close() ends it"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{view.port}/", timeout=20)
    assert refused.value.code == 403
    refused.value.close()
    view.close()
    view.close()
    assert repr(view) == "NeuronScope's page on mine, closed"
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(view.url, timeout=20)


def test_several_views_stand_side_by_side():
    first, second = scope(), ns.attach(gpt2(seed=1), tokenizer(), "other")
    views = [notebook.show(first), notebook.show(second), notebook.show(first, "neuron", layer=0, neuron=1)]
    assert len({view.port for view in views}) == 3
    assert all(layout(view) for view in views)
    views[0].close()
    assert all(layout(view) for view in views[1:])
    for view in views:
        view.close()
    assert first.activations("the cat").values.shape == (3, 2, 32)


@pytest.mark.parametrize(
    ("page", "selection", "said"),
    [
        ("nowhere", {}, "text, neuron"),
        ("text", {"colr": "peak"}, "colr"),
        ("text", {"model": "gpt2"}, "model"),
        ("text", {"layer": 7}, "it has layers 0 to 2"),
        ("text", {"site": "gate"}, "gate"),
        ("text", {"rule": "nonsense"}, "peak"),
    ],
)
def test_what_a_page_cannot_show_is_refused_before_anything_is_served(page, selection, said):
    with pytest.raises(NeuronScopeError, match=said) as refused:
        notebook.show(scope(), page, **selection)
    assert isinstance(refused.value, InputError)


@pytest.mark.parametrize("by", ["argument", "hub"])
def test_behind_a_proxy_the_address_is_the_proxys_path(monkeypatch, by):
    if by == "hub":
        monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ann/")
    view = notebook.show(scope(), proxy=None if by == "hub" else "/user/ann/", text="the cat")
    assert view.url.startswith(f"/user/ann/proxy/{view.port}/")
    assert view.url.endswith("/?text=the+cat")
    secret = view.url.split("/")[5]
    request = urllib.request.Request(f"http://127.0.0.1:{view.port}/{secret}/", headers={"Host": "hub.example"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        page = answer.read().decode()
    assert f"/user/ann/proxy/{view.port}/{secret}/_dash-component-suites/" in page
    view.close()


class TestInAKernel:
    """What only a notebook can show."""

    pytestmark = pytest.mark.notebook

    def test_the_page_is_shown_in_the_cell_on_the_notebooks_own_model(self):
        printed, shown = executed(
            LOAD + ASK,
            "view = ns.show(scope, text='the cat sat', height=500)",
            "print(answers(view)[0], scope.workspace.scope('mine').card.revision == scope.card.revision)",
            "view.close(); print(answers(view)[0])",
            "ns.figures.heatmap(scope.activations('the cat sat'), 1)",
        )
        frame = shown[1][0]["text/html"]
        assert "<iframe" in frame
        assert 'height="500"' in frame
        assert "text=the+cat+sat" in frame
        assert "application/vnd.plotly.v1+json" in shown[4][0]
        assert printed[2] == "200 True\n"
        assert printed[3] == "None\n"

    def test_running_a_cell_again_closes_what_it_showed_and_other_cells_stay(self):
        again = "views.append(ns.show(scope)); views.append(ns.show(scope, 'neuron'))"
        printed, shown = executed(
            LOAD + ASK + "views = []",
            "views.append(ns.show(scope, text='the dog'))",
            again,
            again,
            "print([answers(view)[0] for view in views])",
        )
        assert ["<iframe" in data.get("text/html", "") for data in shown[2]] == [True, True]
        assert printed[4] == "[200, None, None, 200, 200]\n"

    def test_the_page_works_behind_a_real_jupyter_server_proxy(self, tmp_path):
        token, port = secrets.token_hex(16), _free_port()
        command = [sys.executable, "-m", "jupyter_server", f"--ServerApp.port={port}", "--ServerApp.ip=127.0.0.1"]
        command += [f"--IdentityProvider.token={token}", "--ServerApp.base_url=/user/ann/", "--allow-root"]
        command += ["--ServerApp.open_browser=False", f"--ServerApp.root_dir={tmp_path}", "--ServerApp.port_retries=0"]
        environment = os.environ | {"JUPYTER_CONFIG_DIR": str(tmp_path), "JUPYTER_DATA_DIR": str(tmp_path)}
        log = (tmp_path / "log").open("w")
        with log, subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT) as server:
            try:
                view = notebook.show(scope(), proxy="/user/ann/", text="the cat")
                page = _got(f"http://127.0.0.1:{port}{view.url}", token, tmp_path / "log").decode()
                base = view.url.partition("?")[0]
                assert f"{base}_dash-component-suites/" in page
                assert json.loads(_got(f"http://127.0.0.1:{port}{base}_dash-layout", token, tmp_path / "log"))
                view.close()
            finally:
                server.terminate()


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _got(url, token, log, patience=40):
    """What a server answers once it is up."""
    request = urllib.request.Request(url, headers={"Authorization": f"token {token}"})
    until = time.monotonic() + patience
    while True:
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            with error:
                pytest.fail(f"{error.code} {error.read()[:500]!r}\n{log.read_text()[-2000:]}")
        except urllib.error.URLError:
            if time.monotonic() > until:
                pytest.fail(f"The server did not come up:\n{log.read_text()[-2000:]}")
            time.sleep(0.2)
