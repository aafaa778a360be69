"""The frame: what it serves, what it says when something goes wrong, and that apps do not know each other."""

import json
import re
from pathlib import Path

import dash_bootstrap_components as dbc
import pytest
from dash import dcc

from neuronscope.app import assets_folder, create_app, memory_bar, picker, shell, sizes
from neuronscope.app.equations import typeset
from neuronscope.app.parts import dom_id
from neuronscope.app.prospects import Prospects
from neuronscope.app.selection import Selection
from neuronscope.app.sizes import Sizes
from neuronscope.errors import (
    EmptyText,
    InputError,
    ModelNotFound,
    NoSuchLayer,
    NoSuchNeuron,
    NoSuchSite,
    NoSuchToken,
    Refused,
    TextTooLong,
)
from neuronscope.scope import Workspace
from neuronscope.settings import Settings
from tests.app.test_parts import props, walk
from tests.models_for_tests import gpt2, tokenizer


@pytest.fixture
def workspace(tmp_path):
    opened = Workspace(
        Settings(tmp_path / "cache", tmp_path / "data", offline=True, model_roots=(tmp_path / "models",))
    )
    yield opened
    opened.close()


@pytest.fixture
def app(workspace):
    workspace.attach(gpt2(), tokenizer(), "small")
    made = create_app(workspace, model="small")
    yield made
    made.manager.close()


def texts(part):
    return " ".join(str(piece) for piece in walk(part) if isinstance(piece, str))


def test_the_page_names_its_language_and_loads_nothing_from_elsewhere(app):
    page = app.server.test_client().get("/").text
    assert '<html lang="en">' in page
    assert page.index("theme.js") < page.index('rel="stylesheet"')
    assert [url for url in re.findall(r'(?:src|href)="([^"]+)"', page) if "//" in url] == []


def test_bootstrap_comes_from_the_package_that_carries_it_under_the_prefix_of_the_app(workspace):
    made = create_app(workspace, prefix="/secret/", requests_prefix="/proxy/8050/secret/")
    client = made.server.test_client()

    def got(path):
        with client.get(path) as answer:
            return answer.status_code, answer.text[:4000] if answer.mimetype.startswith("text") else ""

    assert "bootstrap" in got("/secret/_look/css/bootstrap.min.css")[1][:200].lower()
    assert got("/secret/_look/css/font/fonts/bootstrap-icons.woff2")[0] == 200
    assert got("/secret/_look/css/../icons/bootstrap-icons.svg")[0] == 404
    assert got("/_look/css/bootstrap.min.css")[0] == 404
    assert 'href="/proxy/8050/secret/_look/css/bootstrap.min.css' in got("/secret/")[1]
    made.manager.close()


def test_styles_and_scripts_are_found():
    assert {"style.css", "page.js", "theme.js", "logo.svg"} <= {file.name for file in assets_folder().iterdir()}


def test_every_graph_of_every_view_is_one_that_sends_nothing(app):
    graphs = [part for part in walk(app.validation_layout) if isinstance(part, dcc.Graph)]
    assert len(graphs) >= 5
    assert all(graph.config["showSendToCloud"] is False and not graph.config["plotlyServerURL"] for graph in graphs)


def test_no_part_of_the_page_reads_text_as_html():
    sources = [path.read_text() for path in Path(shell.__file__).parent.rglob("*.py")]
    scripts = [path.read_text() for path in assets_folder().glob("*.js")]
    for word in ("dangerously_allow", "DangerouslySetInnerHTML", "innerHTML", "insertAdjacentHTML", "document.write"):
        assert not any(word in source for source in (*sources, *scripts))


def test_every_control_has_a_label(app):
    parts = list(walk(app.validation_layout))
    pointed_at = {part.htmlFor for part in parts if getattr(part, "htmlFor", None)}
    controls = [part for part in parts if isinstance(part, dbc.Select | dbc.Textarea | dbc.Input | dcc.Input)]
    ids = [part.id if isinstance(part.id, str) else dom_id(part.id) for part in controls]
    assert len(ids) >= 5
    assert set(ids) <= pointed_at


def test_no_link_of_the_rail_is_dead():
    names = {view.NAME for view in shell.VIEWS}
    rail = shell._rail("text")
    assert {link.href for link in rail} == {f"?view={name}" for name in names}
    assert [getattr(link, "aria-current", None) for link in rail] == ["page", *[None] * (len(names) - 1)]


def test_each_view_says_what_the_frame_needs_of_it():
    for view in shell.VIEWS:
        assert view.QUESTION.endswith("?")
        assert view.TITLE
        assert view.ICON
        assert list(walk(view.layout(Selection(view=view.NAME), "demo:stories")))


def test_two_apps_in_one_process_keep_their_callbacks_and_managers_apart(workspace, tmp_path):
    other = Workspace(Settings(tmp_path / "c2", tmp_path / "d2", offline=True))
    first, second = create_app(workspace), create_app(other)
    assert first.manager is not second.manager
    assert first.callback_map.keys() == second.callback_map.keys()
    assert first.server is not second.server
    for made in (first, second):
        made.manager.close()
    other.close()


@pytest.mark.parametrize(
    ("error", "heading"),
    [
        (TextTooLong("300 tokens."), "Text too long"),
        (NoSuchLayer("No layer 9."), "No such layer"),
        (InputError("It says layer=x."), "That cannot be answered"),
        (Refused("Not that folder."), "Not allowed here"),
    ],
)
def test_an_error_for_a_person_is_headed_by_its_kind(error, heading):
    assert shell._heading(error) == heading


def test_a_text_that_is_too_long_offers_to_be_read_in_windows():
    assert getattr(shell._way_out(TextTooLong("x"), "gpt2", "gpt2"), "data-go") == '{"long": "window"}'


@pytest.mark.parametrize("kind", [InputError, NoSuchLayer, NoSuchNeuron, NoSuchSite, NoSuchToken])
def test_an_address_that_leads_nowhere_offers_a_fresh_start(kind):
    assert shell._way_out(kind("x"), "gpt2", "gpt2").href == "?"
    assert shell._way_out(EmptyText("x"), "gpt2", "gpt2") is None


def test_a_model_that_cannot_be_had_offers_the_way_back_to_the_one_of_the_server():
    back = shell._way_out(ModelNotFound("x"), "demo:stories", "banana/none")
    assert back.children == "Back to demo:stories"
    assert json.loads(getattr(back, "data-go")) == {"model": None, "precision": "auto"}
    assert shell._way_out(ModelNotFound("x"), "demo:stories", "demo:stories") is None


def test_the_shares_of_memory_add_up_to_all_of_it():
    shares = memory_bar.ram_shares(this=3, models=10, available=60, total=100)
    assert [share.bytes for share in shares] == [3, 7, 30, 60]
    assert sum(share.bytes for share in memory_bar.ram_shares(0, 0, 40, 100)) == 100


def test_models_on_a_gpu_do_not_make_memory_negative():
    assert [share.bytes for share in memory_bar.ram_shares(this=50, models=90, available=40, total=100)] == [
        50,
        40,
        0,
        10,
    ]


@pytest.mark.parametrize(
    ("size", "said"), [(12, "12 B"), (4_320_000, "4.32 MB"), (25.3e9, "25.3 GB"), (1200e9, "1,200 GB")]
)
def test_bytes_are_said_as_a_person_says_them(size, said):
    assert memory_bar.readable(size) == said


def test_only_hub_names_known_models_and_allowed_folders_may_be_loaded(workspace, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "mine").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    for name in ("gpt2", "EleutherAI/pythia-70m", "demo:stories", str(tmp_path / "models" / "mine"), "given/../model"):
        picker.permitted(name, workspace, given="given/../model")
    for name in (str(tmp_path / "here"), "here", "../etc", "/etc", "~/x", str(tmp_path / "models" / ".." / "here")):
        with pytest.raises(Refused):
            picker.permitted(name, workspace, given="gpt2")
    with pytest.raises(ModelNotFound, match="'hello world !!' is not a valid model name: write one as on the hub"):
        picker.permitted("hello world !!", workspace, given="gpt2")


def test_the_catalogue_stands_by_size_with_demo_models_first_and_says_what_picking_one_means(tmp_path):
    small = Workspace(Settings(tmp_path / "c", tmp_path / "d", offline=True), budget=10_000_000_000)
    prospects = Prospects(small, Sizes(small.catalogue))
    sections = list(picker._groups(prospects, small.catalogue, "float32", offline=True))
    words = [texts(section) for section in sections]
    assert words[0].startswith("Demo models")
    assert "not on this machine" not in words[0]
    assert "not on this machine" in words[1]
    assert "needs about 27 GB" in words[-1]
    assert ": does not fit" in words[-1]
    assert "needs" not in texts(next(iter(picker._groups(prospects, small.catalogue, "bfloat16", offline=True))))
    listed = [props(row)["data-go"] for section in sections for row in section.children[1].children]
    assert [json.loads(go)["model"] for go in listed] == [entry.name for entry in small.catalogue]
    small.close()


def test_the_precisions_offered_are_those_that_can_be_had(monkeypatch):
    assert picker_precisions() == ["auto", "float32", "bfloat16", "float16", "int8", "nf4"]
    monkeypatch.setattr(sizes.importlib.util, "find_spec", lambda name: None)
    assert picker_precisions() == ["auto", "float32", "bfloat16", "float16"]


def picker_precisions():
    controls = (part for part in walk(picker.layout()) if getattr(part, "id", None) == picker.Picker.PRECISION)
    return [option["value"] for option in next(controls).options]


def test_formulas_have_scripts_and_italics():
    var, over, rest = typeset("w_{i}^{up} = 2")
    assert (type(var).__name__, var.children) == ("Var", "w")
    assert [type(script).__name__ for script in over.children] == ["Sup", "Sub"]
    assert rest == " = 2"
