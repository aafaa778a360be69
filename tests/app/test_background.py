import gc
import json
import re
import threading
import time
import weakref

import dash
import pytest
from dash import Dash, Input, Output, dcc, html
from dash.background_callback.managers import BaseBackgroundCallbackManager

from neuronscope.app.background import ThreadManager, progress_text, progress_values
from neuronscope.errors import NoSuchLayer
from neuronscope.jobs import Cancelled, Progress, checkpoint, track


class Engine:
    """Stands where a model stands: cannot be pickled, and counts what was asked of it."""

    def __init__(self, name="a"):
        self.name = name
        self.lock = threading.Lock()
        self.ended = []
        self.go = threading.Event()

    def answer(self, text, steps=3):
        try:
            for _ in track(range(steps), label="Reading"):
                self.go.wait(0.05)
        except Cancelled:
            self.ended.append("cancelled")
            raise
        if text == "layer 40":
            raise NoSuchLayer.among(40, "gpt2", 12)
        if text == "nothing":
            raise dash.exceptions.PreventUpdate
        dash.set_props("notice", {"children": f"read {text}"})
        self.ended.append("answered")
        return f"{self.name} {id(self)} {text}"


def build(engine, **options):
    manager = ThreadManager(**options)
    app = Dash(__name__, background_callback_manager=manager, on_error=options.get("on_error"))
    app.layout = html.Div([html.Button(id="go"), html.Button(id="stop"), dcc.Input(id="text"), html.Div(id="answer")])
    app.layout.children += [html.Progress(id="bar"), html.Span(id="words"), html.Div(id="notice")]

    @app.callback(
        Output("answer", "children"),
        Input("text", "value"),
        background=True,
        progress=[Output("bar", "value"), Output("bar", "max"), Output("words", "children")],
        cancel=[Input("stop", "n_clicks")],
        interval=50,
        prevent_initial_call=True,
    )
    def ask(set_progress, text):
        return engine.answer(text, steps=200 if text == "long" else 3)

    manager.seal()
    return app, manager


class Page:
    """One open page: speaks Dash's polling protocol as the browser does."""

    def __init__(self, app):
        self.client = app.server.test_client()
        config = re.search(r'_dash-config"[^>]*>(.*?)</script>', self.client.get("/").text)[1]
        self.end_id = json.loads(config)["end_id"]
        self.progress, self.props = [], {}

    def ask(self, text, **handles):
        change = {"output": "answer.children", "outputs": {"id": "answer", "property": "children"}}
        return self.post(change, {"id": "text", "property": "value", "value": text}, **handles)

    def cancel(self, job):
        change = {"output": "stop.id", "outputs": {"id": "stop", "property": "id"}}
        return self.post(change, {"id": "stop", "property": "n_clicks", "value": 1}, cancelJob=job)

    def post(self, change, entry, **handles):
        query = {"endId": self.end_id, **handles}
        body = {**change, "inputs": [entry], "changedPropIds": [f"{entry['id']}.{entry['property']}"], "state": []}
        response = self.client.post("/_dash-update-component", json=body, query_string=query)
        assert response.status_code in (200, 204), response.text
        return response.get_json(silent=True) or {"response": {}}  # 204: nothing changes

    def poll(self, text, handles):
        reply = self.ask(text, cacheKey=handles["cacheKey"], job=handles["job"])
        if reply.get("progress"):
            self.progress.append(list(reply["progress"].values()))
        self.props.update(reply.get("sideUpdate", {}))
        return reply

    def collect(self, text, handles, seconds=10):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            reply = self.poll(text, handles)
            if "response" in reply:
                return reply["response"].get("answer", {}).get("children")
            time.sleep(0.02)
        raise AssertionError("no answer")


@pytest.fixture
def engine():
    return Engine()


@pytest.fixture
def app(engine):
    app, manager = build(engine)
    yield app
    manager.close()


def manager_of(app):
    return app._background_manager


def test_the_work_sees_the_very_object_that_is_in_memory_and_its_answer_reaches_the_page(app, engine):
    page = Page(app)
    handles = page.ask("hello")
    assert page.collect("hello", handles) == f"a {id(engine)} hello"
    assert page.props["notice"] == {"children": "read hello"}
    assert manager_of(app)._jobs == {}


def test_a_poll_waits_for_an_answer_that_is_near(app, engine):
    page = Page(app)
    handles = page.ask("hello")
    threading.Timer(0.05, engine.go.set).start()
    assert page.poll("hello", handles)["response"]["answer"]["children"] == f"a {id(engine)} hello"


def test_progress_of_the_engine_reaches_the_page_without_a_word_in_the_callback(app):
    page = Page(app)
    page.collect("hello", page.ask("hello"))
    assert page.progress
    assert all(top == 3 and words.startswith("Reading") for _, top, words in page.progress)
    assert [value for value, *_ in page.progress] == sorted({value for value, *_ in page.progress})


def test_two_pages_asking_the_same_both_get_an_answer_and_cancelling_one_leaves_the_other(app, engine):
    one, two, three = Page(app), Page(app), Page(app)
    handles = [page.ask("hello") for page in (one, two)]
    long = three.ask("long")
    three.cancel(long["job"])
    assert three.collect("long", long) is None
    answers = [page.collect("hello", handle) for page, handle in zip((one, two), handles, strict=True)]
    assert answers == [f"a {id(engine)} hello"] * 2
    assert sorted(engine.ended) == ["answered", "answered", "cancelled"]


def test_cancelling_stops_the_work_at_its_next_checkpoint(app, engine):
    page = Page(app)
    handles = page.ask("long")
    wait_for(lambda: page.poll("long", handles).get("progress"))
    pressed = time.monotonic()
    page.cancel(handles["job"])
    wait_for(lambda: engine.ended)
    assert engine.ended == ["cancelled"]
    assert time.monotonic() - pressed < 1
    wait_for(lambda: not manager_of(app)._jobs)


def test_asking_anew_stops_the_question_before(app, engine):
    page = Page(app)
    before = page.ask("long")
    handles = page.ask("hello", oldJob=before["job"])
    assert page.collect("hello", handles) == f"a {id(engine)} hello"
    wait_for(lambda: len(engine.ended) == 2)
    assert sorted(engine.ended) == ["answered", "cancelled"]


def test_another_page_cannot_cancel_or_collect_a_job(app, engine):
    page, stranger = Page(app), Page(app)
    handles = page.ask("hello")
    stranger.cancel(handles["job"])
    stranger.poll("hello", handles)
    assert page.collect("hello", handles) == f"a {id(engine)} hello"


def test_work_for_a_page_that_went_away_ends(engine):
    app, manager = build(engine, abandon_after=0.2)
    Page(app).ask("long")
    wait_for(lambda: engine.ended)
    assert engine.ended == ["cancelled"]
    manager.close()


def test_an_answer_nobody_collects_is_dropped_at_the_next_question(engine):
    app, manager = build(engine, abandon_after=0.3)
    page = Page(app)
    page.ask("hello")
    wait_for(lambda: engine.ended)
    time.sleep(0.4)
    page.collect("hello", page.ask("hello"))
    assert manager._jobs == {}
    manager.close()


def test_a_question_asked_while_an_answer_is_being_collected_takes_nothing_of_it(app):
    page, manager = Page(app), manager_of(app)
    page.ask("hello")
    (key, job), *_ = manager._jobs.items()
    job.thread.join(10)
    assert manager.get_result(key, key) is not manager.UNDEFINED
    page.ask("another")
    assert manager.get_updated_props(key) == {"notice": {"children": "read hello"}}


def test_the_very_exception_reaches_one_handler_which_can_put_up_a_notice(engine):
    seen = []

    def on_error(error):
        seen.append(error)
        dash.set_props("notice", {"children": str(error)})

    app, manager = build(engine, on_error=on_error)
    page = Page(app)
    assert page.collect("layer 40", page.ask("layer 40")) is None
    assert [type(error) for error in seen] == [NoSuchLayer]
    assert page.props["notice"] == {"children": "No layer 40 in gpt2: it has layers 0 to 11."}
    manager.close()


def test_without_a_handler_or_with_a_broken_one_dash_raises_the_error_itself(engine):
    def broken(error):
        raise RuntimeError("the handler broke")

    for handler, words in ((None, "No layer 40"), (broken, "the handler broke")):
        app, manager = build(engine)
        manager.on_error = handler
        app.server.config["PROPAGATE_EXCEPTIONS"] = True
        page = Page(app)
        handles = page.ask("layer 40")
        with pytest.raises(dash.exceptions.BackgroundCallbackError, match=words):
            page.collect("layer 40", handles)
        manager.close()


def test_prevent_update_changes_nothing(app):
    page = Page(app)
    assert page.collect("nothing", page.ask("nothing")) is None
    assert manager_of(app)._jobs == {}


def test_work_beyond_the_workers_waits_says_so_and_can_be_cancelled_there(engine):
    app, manager = build(engine, workers=1)
    first, second = Page(app), Page(app)
    running = first.ask("long")
    wait_for(lambda: first.poll("long", running).get("progress"))
    waiting = second.ask("hello")
    wait_for(lambda: second.poll("hello", waiting).get("progress"))
    assert second.progress[0] == [None, None, "Waiting for other work to finish"]
    second.cancel(waiting["job"])
    wait_for(lambda: len(manager._jobs) == 1)
    assert engine.ended == []
    first.cancel(running["job"])
    wait_for(lambda: engine.ended == ["cancelled"])
    assert second.collect("hello", second.ask("hello")) == f"a {id(engine)} hello"
    manager.close()


def test_two_apps_made_by_one_factory_answer_each_with_their_own_engine():
    a, b = Engine("a"), Engine("b")
    built = [build(a), build(b)]
    pages = [Page(app) for app, _ in built]
    answers = [page.collect("hello", page.ask("hello")) for page in pages]
    assert answers == [f"a {id(a)} hello", f"b {id(b)} hello"]
    for _, manager in built:
        manager.close()


def test_a_sealed_app_leaves_nothing_in_dashs_lists_and_takes_nothing_of_others():
    before = list(BaseBackgroundCallbackManager.managers), list(BaseBackgroundCallbackManager.functions)
    _, one = build(Engine())
    others = dict(one.func_registry)
    _, two = build(Engine())
    assert (BaseBackgroundCallbackManager.managers, BaseBackgroundCallbackManager.functions) == before
    assert one.func_registry == others
    assert len(two.func_registry) == 1


def test_an_engine_is_freed_once_its_app_is_closed_and_forgotten():
    engine = Engine()
    gone = weakref.ref(engine)
    app, manager = build(engine)
    page = Page(app)
    page.collect("hello", page.ask("hello"))
    manager.close()
    del engine, app, manager, page
    build(Engine())[1].close()  # Dash itself remembers the last app made
    gc.collect()
    assert gone() is None


def test_closing_cancels_the_work_and_waits_for_it(engine):
    app, manager = build(engine)
    Page(app).ask("long")
    assert manager.close()
    assert engine.ended == ["cancelled"]
    page = Page(app)
    assert page.collect("hello", page.ask("hello")) is None
    assert engine.ended == ["cancelled"]


def test_closing_does_not_wait_for_ever_for_work_without_a_checkpoint(engine):
    app, manager = build(engine)
    deaf = threading.Event()
    engine.answer = lambda *_, **__: deaf.wait(30)
    Page(app).ask("long")
    before = time.monotonic()
    assert not manager.close(patience=0.2)
    assert time.monotonic() - before < 1
    deaf.set()


def test_outside_a_job_checkpoints_and_progress_cost_nothing():
    checkpoint()
    assert list(track([1, 2], label="Reading")) == [1, 2]


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (Progress(3, 12, "Reading", 1.5), "Reading 3 of 12 · 2/s · 4 s left"),
        (Progress(0, 12, "Reading", 0.0), "Reading 0 of 12"),
        (Progress(3, 12, "Reading", 0.1), "Reading 3 of 12"),
        (Progress(2, 10, "Reading", 60.0), "Reading 2 of 10 · 30 s each · 4 min left"),
        (Progress(10, 40000, "Scanning", 10.0), "Scanning 10 of 40000 · 1/s · 11 h left"),
        (Progress(12, 12, "Reading", 6.0), "Reading 12 of 12 · 2/s"),
        (Progress(5, None, "Reading", 2.0), "Reading 5 · 2/s"),
        (Progress(0, None, "Loading gpt2", 3.0), "Loading gpt2"),
    ],
)
def test_progress_is_told_in_words(progress, words):
    assert progress_text(progress) == words


def test_a_total_that_is_not_known_leaves_the_bar_without_a_value():
    assert progress_values(Progress(5, None, "Reading", 0.0)) == (None, None, "Reading 5")
    assert progress_values(Progress(5, 9, "Reading", 0.0)) == (5, 9, "Reading 5 of 9")


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
