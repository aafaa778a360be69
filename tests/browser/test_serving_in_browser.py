import re
import threading
import time

import dash_ag_grid
import dash_bootstrap_components as dbc
import plotly.graph_objects as go
import pytest
from dash import Dash, Input, Output, dcc, html
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from neuronscope.app.background import ThreadManager
from neuronscope.jobs import track
from tests.browser.looking import axe, console, foreign, requests_made, settle

CALL_OUT = """
const done = arguments[0], there = 'http://192.0.2.1/', broken = [];
document.addEventListener('securitypolicyviolation', event => broken.push(event.effectiveDirective));
const load = tag => new Promise(told => {
    const element = document.createElement(tag);
    element.onload = () => told('went');
    element.onerror = () => told('stopped');
    element.src = there;
    document.head.append(element);
});
const evaluated = new Promise(told => {
    document.body.insertAdjacentHTML('beforeend', '<img src="data:," onerror="window.ran = true">');
    setTimeout(() => told(window.ran ? 'went' : 'stopped'), 100);
});
const ask = fetch(there).then(() => 'went', () => 'stopped');
Promise.all([ask, load('img'), load('script'), evaluated])
    .then(ends => setTimeout(() => done([ends, broken.sort()]), 100));
"""

BROKEN = ["connect-src", "img-src", "script-src-attr", "script-src-elem"]

pytestmark = pytest.mark.browser


def working_app(**options):
    """An app with one long piece of work, and a counter that shows whether the page is still alive meanwhile."""
    manager = ThreadManager()
    app = Dash("page", background_callback_manager=manager, assets_folder="none", **options)
    app.layout = html.Main(
        [
            html.H1("Work"),
            html.Button("Go", id="go"),
            html.Button("Stop", id="stop", disabled=True),
            html.Button("Count", id="count"),
            html.Progress(id="bar", value="0", max="1", **{"aria-label": "Progress"}),
            *[html.Div(id=name) for name in ("words", "answer", "counted")],
        ]
    )

    @app.callback(
        Output("answer", "children"),
        Input("go", "n_clicks"),
        background=True,
        progress=[Output("bar", "value"), Output("bar", "max"), Output("words", "children")],
        progress_default=[0, 1, ""],
        running=[(Output("stop", "disabled"), False, True)],
        cancel=[Input("stop", "n_clicks")],
        interval=100,
        prevent_initial_call=True,
    )
    def work(set_progress, clicks):
        for _ in track(range(20), label="Reading"):
            time.sleep(0.05)
        return f"answer {clicks}"

    @app.callback(Output("counted", "children"), Input("count", "n_clicks"), prevent_initial_call=True)
    def count(clicks):
        return f"counted {clicks}"

    manager.seal()
    return app, manager


def drawing_app(**options):
    """An app with one of each kind of thing our pages are made of."""
    app = Dash("page", assets_folder="none", **options)
    grid = dash_ag_grid.AgGrid(
        rowData=[{"neuron": "L0.N1", "peak": 1.5}],
        columnDefs=[
            {"field": "neuron"},
            {"field": "peak", "filter": True, "valueFormatter": {"function": "d3.format('.3f')(params.value)"}},
        ],
    )
    config = {"showSendToCloud": False, "plotlyServerURL": ""}
    app.layout = html.Main(
        [
            html.H1("Drawings"),
            dcc.Location(id="address"),
            html.Div(id="search"),
            dbc.Label("Choice", html_for="select"),
            dbc.Select(id="select", options=["a", "b"]),
            grid,
            dcc.Graph(figure=go.Figure(go.Heatmap(z=[[1, 2], [3, 4]])), config=config),
            dcc.Graph(figure=go.Figure(go.Scattergl(x=[1, 2], y=[1, 2], mode="markers")), config=config),
        ]
    )
    app.clientside_callback("search => search", Output("search", "children"), Input("address", "search"))
    return app


def find(driver, name):
    return driver.find_element(By.ID, name)


def wait(driver, condition, seconds=15):
    return WebDriverWait(driver, seconds, poll_frequency=0.05).until(lambda _: condition())


def test_plots_webgl_tables_and_clientside_callbacks_work_under_the_policy_and_call_nobody(driver, served):
    server = served(drawing_app(), token="secret")
    driver.get(server.url + "&layer=3")
    settle(driver)
    assert driver.current_url == f"http://127.0.0.1:{server.port}/?layer=3"
    assert find(driver, "search").text == "?layer=3"
    cells = wait(driver, lambda: driver.find_elements(By.CSS_SELECTOR, ".ag-cell"))
    assert [cell.text for cell in cells] == ["L0.N1", "1.500"]
    assert len(driver.find_elements(By.CSS_SELECTOR, "canvas.gl-canvas")) > 0
    assert driver.execute_script("return document.cookie") == ""
    made = requests_made(driver)
    assert any("plotly" in url for url in made)
    assert foreign(made) == []


def test_a_page_cannot_call_out_whatever_it_is_made_to_run(driver, served):
    driver.get(served(drawing_app()).url)
    settle(driver)
    assert driver.execute_async_script(CALL_OUT) == [["stopped"] * 4, BROKEN]
    assert len(console(driver)) > 3  # one or two for each
    requests_made(driver)


def test_work_shows_its_progress_keeps_the_page_alive_and_can_be_stopped(driver, served):
    driver.get(served(*working_app()).url)
    settle(driver)
    find(driver, "go").click()
    words = wait(driver, lambda: re.fullmatch(r"Reading \d+ of 20.*", find(driver, "words").text))
    assert words
    find(driver, "count").click()
    wait(driver, lambda: find(driver, "counted").text == "counted 1")
    assert find(driver, "answer").text == ""
    find(driver, "stop").click()
    wait(driver, lambda: find(driver, "stop").get_property("disabled"))
    settle(driver)
    assert (find(driver, "answer").text, find(driver, "words").text) == ("", "")
    find(driver, "go").click()
    wait(driver, lambda: find(driver, "answer").text == "answer 2")
    assert axe(driver) == ["html-has-lang: ['html']"]  # all that is wrong: Dash names no language unless told


def test_two_tabs_asking_the_same_at_once_do_not_touch_each_other(driver, served):
    server = served(*working_app())
    first = driver.current_window_handle
    driver.get(server.url)
    settle(driver)
    driver.switch_to.new_window("tab")
    second = driver.current_window_handle
    driver.get(server.url)
    settle(driver)
    for tab in (first, second):
        driver.switch_to.window(tab)
        find(driver, "go").click()
    wait(driver, lambda: find(driver, "words").text.startswith("Reading"))
    find(driver, "stop").click()
    driver.switch_to.window(first)
    wait(driver, lambda: find(driver, "answer").text == "answer 1")
    driver.switch_to.window(second)
    settle(driver)
    assert find(driver, "answer").text == ""


def test_a_link_on_another_site_opens_the_page_for_whoever_holds_the_cookie_and_for_nobody_else(driver, served):
    server = served(linking_app("#"), token="secret")
    page = f"http://127.0.0.1:{server.port}/?layer=3"
    elsewhere = f"http://localhost:{served(linking_app(page)).port}/"  # to a browser, another site than 127.0.0.1
    follow(driver, elsewhere)
    wait(driver, lambda: "needs its secret" in driver.page_source)

    driver.get(server.url)
    follow(driver, elsewhere)
    wait(driver, lambda: driver.current_url == page and driver.find_elements(By.ID, "link"))
    assert all("403" in message for message in console(driver))  # the first try, and its icon


def follow(driver, elsewhere):
    driver.get(elsewhere)
    wait(driver, lambda: driver.find_elements(By.ID, "link"))
    find(driver, "link").click()


def test_a_page_at_a_secret_path_works_in_a_frame_of_another_site_and_one_with_a_token_cannot_be_framed(driver, served):
    framed = served(drawing_app(url_base_pathname="/secret/"), path="secret")
    guarded = served(drawing_app(), token="secret")
    outer = Dash("outer", assets_folder="none")
    outer.layout = html.Div([html.Iframe(id="notebook", src=framed.url), html.Iframe(id="clickjack", src=guarded.url)])
    with Unguarded(outer) as port:
        driver.get(f"http://localhost:{port}/")
        wait(driver, lambda: driver.find_elements(By.ID, "notebook"))
        driver.switch_to.frame("notebook")
        wait(driver, lambda: driver.find_elements(By.ID, "search"))
        settle(driver)
        driver.switch_to.default_content()
        driver.switch_to.frame("clickjack")
        assert driver.find_elements(By.ID, "search") == []
        driver.switch_to.default_content()
    assert any("frame-ancestors" in message for message in console(driver))


def linking_app(target):
    app = Dash("links", assets_folder="none")
    app.layout = html.A("link", id="link", href=target)
    return app


class Unguarded:
    """A notebook's side: a server without our guard, since our policy lets no page frame another."""

    def __init__(self, app):
        from werkzeug.serving import make_server

        self.server = make_server("127.0.0.1", 0, app.server, threaded=True)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self.server.server_port

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()
