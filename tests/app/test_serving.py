import gc
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest
from dash import Dash, html

from neuronscope.app.serving import background_server, listen, serve
from neuronscope.errors import CannotServe, Refused

SERVE = """
import sys, threading, time
from dash import Dash, html
from neuronscope.app.serving import serve

class Work:
    def close(self): print("closed", flush=True)

app = Dash("page", health_endpoint="health")
app.layout = html.Div("hello")
stuck = threading.Event()
app.server.add_url_rule("/stuck", view_func=lambda: str(stuck.wait(60)))
serve(app, Work(), port=0, open_browser=len(sys.argv) > 1)
"""


@pytest.fixture
def app():
    app = Dash("page", health_endpoint="health")
    app.layout = html.Div("hello")
    return app


@pytest.fixture
def served(app):
    server = background_server(app)
    yield server
    server.close()


def fetch(url, data=None, opener=None, **headers):
    try:
        with (opener or build_opener()).open(Request(url, data, headers), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def test_a_page_is_served_beside_the_program_until_it_is_closed(app):
    server = background_server(app)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", server.url)
    assert "hello" in fetch(server.url + "_dash-layout")[1]
    server.close()
    server.close()
    with pytest.raises(OSError, match="refused"):
        fetch(server.url)


def test_the_guard_stands_before_it(served):
    assert fetch(served.url, Host="evil.example")[0] == 403
    assert fetch(served.url + "_dash-update-component", b"{}", Origin="http://evil.example")[0] == 403
    line = HTTPConnection("127.0.0.1", served.port)
    line.putrequest("POST", "/_dash-update-component")
    line.putheader("Content-Length", str(9 << 20))
    line.endheaders()
    assert line.getresponse().status == 413
    line.close()


def test_a_token_opens_it_once_and_a_cookie_from_then_on(app):
    server = background_server(app, token="secret")
    browser = build_opener(HTTPCookieProcessor())
    clean = server.url.partition("?")[0]
    assert fetch(clean, opener=browser)[0] == 403
    assert fetch(server.url, opener=browser)[0] == 200
    assert fetch(clean + "_dash-layout", opener=browser)[0] == 200
    assert fetch(clean + "_dash-layout")[0] == 403
    assert fetch(clean + "health")[0] == 200
    server.close()


def test_an_app_at_a_secret_path_can_be_made_once_the_port_is_known():
    ports = []

    def make(port):
        ports.append(port)
        app = Dash("page", routes_pathname_prefix="/secret/", requests_pathname_prefix=f"/proxy/{port}/secret/")
        app.layout = html.Div("hello")
        return app

    server = background_server(make, path="secret")
    assert (server.url, ports) == (f"http://127.0.0.1:{server.port}/secret/", [server.port])
    assert fetch(server.url + "_dash-layout")[0] == 200
    assert fetch(server.url.replace("/secret/", "/"))[0] == 403
    server.close()


def test_a_maker_that_fails_gives_the_port_back():
    ports = []

    def make(port):
        ports.append(port)
        raise RuntimeError("no app today")

    with pytest.raises(RuntimeError, match="no app today"):
        background_server(make)
    listen("127.0.0.1", ports[0]).close()


def test_two_servers_in_one_process_do_not_know_each_other(app):
    other = Dash("other")
    other.layout = html.Div("another page")
    servers = [background_server(app), background_server(other)]
    texts = [fetch(server.url + "_dash-layout")[1] for server in servers]
    assert ["hello" in texts[0], "another page" in texts[1]] == [True, True]
    servers[0].close()
    assert fetch(servers[1].url)[0] == 200
    servers[1].close()


def test_a_closed_server_lets_go_of_its_app():
    app = Dash("page", health_endpoint="health")
    app.layout = html.Div("hello")
    gone = weakref.ref(app)
    server = background_server(app)
    fetch(server.url)
    server.close()
    del app
    Dash("another")  # Dash itself remembers the last app made
    gc.collect()
    assert gone() is None


def test_many_short_lived_clients_are_all_answered(served):
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda _: fetch(served.url + "health")[0], range(300)))
    assert answers == [200] * 300


def test_a_request_that_never_ends_does_not_hold_up_closing(app):
    stuck, asked = threading.Event(), threading.Event()
    app.server.add_url_rule("/stuck", view_func=lambda: asked.set() or str(stuck.wait(60)))
    server = background_server(app)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET /stuck HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert asked.wait(10)
        before = time.monotonic()
        server.close()
        assert time.monotonic() - before < 4
        assert client.recv(1) == b""
    stuck.set()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.7", "lab.example"])
@pytest.mark.parametrize("token", [None, ""])
def test_other_machines_are_not_let_in_without_a_token(app, host, token):
    with pytest.raises(Refused, match=r"without a token.*127\.0\.0\.1"):
        serve(app, app, host=host, port=0, token=token)


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("127.0.0.1", None, r"Port \d+ is in use: choose another with --port, or 0 for any free one\."),
        ("127.0.0.1", 70000, "No port 70000"),
        ("192.0.2.7", 0, r"192\.0\.2\.7 is not an address of this machine"),
        ("no-such-name.invalid", 0, r"no-such-name\.invalid is not an address of this machine"),
    ],
)
def test_an_address_that_cannot_be_had_is_told_with_what_to_choose_instead(app, host, port, words):
    taken = listen("127.0.0.1", 0)
    with pytest.raises(CannotServe, match=words):
        serve(app, app, host=host, port=taken.getsockname()[1] if port is None else port, token="secret")
    taken.close()


def start(*arguments, **environment):
    command = [sys.executable, "-c", SERVE, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
    line = process.stdout.readline()
    return process, re.search(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{30,}", line)[0]


def test_serving_prints_a_secret_address_opens_it_in_the_browser_and_stops_at_ctrl_c(tmp_path):
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o700)
    process, url = start("open", BROWSER=str(browser))
    try:
        opener = build_opener(HTTPCookieProcessor())
        assert fetch(url, opener=opener)[0] == 200
        deadline = time.monotonic() + 10
        while not (tmp_path / "opened").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (tmp_path / "opened").read_text().strip() == url
        hold = threading.Thread(target=hold_open, args=(url, opener), daemon=True)
        hold.start()
        time.sleep(0.3)
        pressed = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert time.monotonic() - pressed < 3
        assert process.stdout.read() == "Stopping.\nclosed\n"
    finally:
        process.kill()
        process.stdout.close()


def hold_open(url, opener):
    """A request that the server never answers."""
    try:
        fetch(url.partition("?")[0] + "stuck", opener=opener)
    except OSError:
        return
