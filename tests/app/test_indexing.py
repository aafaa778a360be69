"""Indexing from the page: corpora a visitor may choose, one index at a time, seen while it grows."""

import time

import pytest

from neuronscope.app import corpora, create_app
from neuronscope.app.building import Builder
from neuronscope.app.indexing import begin_demo, described, state_of
from neuronscope.errors import InputError, Refused
from neuronscope.scope import Workspace
from neuronscope.settings import Settings


@pytest.fixture
def settings(tmp_path):
    allowed = tmp_path / "texts"
    allowed.mkdir()
    return Settings(tmp_path / "cache", tmp_path / "data", offline=True, model_roots=(allowed,))


@pytest.fixture
def workspace(settings):
    made = Workspace(settings)
    yield made
    made.close()


@pytest.fixture
def builder():
    made = Builder()
    yield made
    made.close()


def wait(builder, seconds=60.0):
    deadline = time.monotonic() + seconds
    while builder.busy:
        assert time.monotonic() < deadline, "the index was not built in time"
        time.sleep(0.02)


def test_a_demo_model_gets_an_index_by_itself_once(workspace, builder, monkeypatch):
    monkeypatch.setattr("neuronscope.app.indexing.DEMO_TOKENS", 3000)
    scope = workspace.scope("demo:stories")
    assert workspace.index_of(scope) is None
    begin_demo(builder, workspace, scope)
    assert builder.of(scope).running
    wait(builder)
    assert builder.of(scope).problem == ""
    index = workspace.index_of(scope)
    assert index.manifest.complete
    assert index.manifest.seen > 2500
    assert "generated-7" in described(index)
    assert f"{index.manifest.seen:,} tokens" in described(index)
    begin_demo(builder, workspace, scope)
    assert not builder.busy


def test_a_model_with_an_index_of_another_corpus_can_be_given_a_new_one(workspace, builder, settings):
    scope = workspace.scope("demo:stories")
    builder.start(scope, corpora.pasted(settings, "The cat sat on the mat. " * 40), 500)
    wait(builder)
    before = state_of(scope, workspace.index_of(scope))
    builder.start(scope, corpora.pasted(settings, "A dog ran over the hill. " * 40), 500)
    wait(builder)
    assert "Choose another folder" in builder.of(scope).problem
    builder.start(scope, corpora.pasted(settings, "A dog ran over the hill. " * 40), 500, anew=True)
    wait(builder)
    assert builder.of(scope).problem == ""
    assert state_of(scope, workspace.index_of(scope)) != before
    assert [path.name for path in scope.index_folder.parent.iterdir()] == [scope.index_folder.name]


def test_only_one_index_is_built_at_a_time_and_it_can_be_cancelled(workspace, builder, settings):
    scope = workspace.scope("demo:stories")
    builder.start(scope, corpora.generated(settings, 400_000), 400_000)
    with pytest.raises(InputError, match="An index is being built"):
        builder.start(scope, corpora.pasted(settings, "word"), 100)
    builder.cancel(scope)
    wait(builder)
    found = builder.of(scope)
    assert (found.running, found.stopped, found.problem) == (False, True, "")


def test_a_corpus_that_holds_nothing_says_so(workspace, builder, settings):
    scope = workspace.scope("demo:stories")
    with pytest.raises(InputError, match="No text was pasted"):
        corpora.pasted(settings, "  \n")
    builder.start(scope, corpora.pasted(settings, "a"), 100)
    wait(builder)
    assert "hold no token to index" in builder.of(scope).problem
    assert workspace.index_of(scope) is None


def test_files_are_read_only_below_folders_that_were_allowed(settings, tmp_path):
    inside = settings.model_roots[0] / "corpus.txt"
    inside.write_text("hello")
    (tmp_path / "secret.txt").write_text("secret")
    assert corpora.at_path(settings, str(inside))() == inside.resolve()
    for asked in (str(tmp_path / "secret.txt"), str(settings.model_roots[0] / ".." / "secret.txt"), "/no/such/file"):
        with pytest.raises(Refused, match="may not read"):
            corpora.at_path(settings, asked)
    with pytest.raises(InputError, match="No file is named"):
        corpora.at_path(settings, " ")


def test_generated_text_is_written_once_and_is_enough(workspace, settings):
    path = corpora.generated(settings, 5000)()
    stamp = path.stat().st_mtime_ns
    assert corpora.generated(settings, 5000)().stat().st_mtime_ns == stamp
    index = workspace.scope("demo:stories").index(path, tokens=5000)
    assert index.manifest.seen > 4500


def test_closing_an_app_ends_the_index_it_builds(workspace, settings):
    app = create_app(workspace)
    scope = workspace.scope("demo:stories")
    app.builder.start(scope, corpora.generated(settings, 400_000), 400_000)
    app.manager.close()
    assert not app.builder.busy
    app.builder.start(scope, corpora.generated(settings, 1000), 1000)
    assert not app.builder.busy
