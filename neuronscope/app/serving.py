"""Serving the page: from a terminal until Ctrl-C, or beside a notebook until closed.

Both stand on waitress, whose threads share the one process that holds the models. More processes would hold more copies
of every model, so there is one.
"""

from __future__ import annotations

import errno
import ipaddress
import logging
import re
import secrets
import select
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterable
from typing import Any, Protocol
from urllib.parse import quote

from dash import Dash
from waitress import wasyncore
from waitress.server import create_server

from neuronscope.app.security import LOOPBACK, MOST_BYTES, Application, Guard
from neuronscope.errors import CannotServe, Refused

THREADS = 8
CONNECTIONS = 1000  # waitress' own 100 stalls under a few hundred short-lived ones

IN_MEMORY = 64 << 20  # no request or answer is put in a temporary file


class Closer(Protocol):
    """Whatever holds running work that must end with the server."""

    def close(self) -> object:
        """End it."""


def serve(
    app: Dash,
    closer: Closer,
    *,
    host: str = "127.0.0.1",
    port: int = 8050,
    token: str | None = "auto",  # noqa: S107  the word for a new one
    open_browser: bool = True,
    hosts: Iterable[str] = (),
    announce: Callable[[str], object] = print,
) -> None:
    """Serve `app` until Ctrl-C, then close `closer` and return; it takes a second or two.

    `token`: "auto" makes a new secret, None asks for none. `port` 0 takes any free one. `hosts`: further names this
    server goes by, such as that of a proxy before it. `announce` is given the address. Raises `Refused` without a token
    where other machines could reach the server, and `CannotServe` if the address cannot be had.
    """
    secret = secrets.token_urlsafe(24) if token == "auto" else token  # noqa: S105
    private = _is_loopback(host)
    if not secret and not private:
        raise Refused(
            f"Refused to serve on {host} without a token: every machine that reaches this one could run models here. "
            "Leave out --no-token, or serve on 127.0.0.1."
        )
    listening = listen(host, port)
    names = LOOPBACK | {host.lower(), *hosts} | (set() if private else _own_names())
    guard = Guard(app.server, hosts=names, addresses=not private, token=secret or None, inline=inline_scripts(app))
    server = PageServer(guard, listening)
    page = app.config.requests_pathname_prefix + (f"?token={quote(secret, safe='')}" if secret else "")
    address = _url("127.0.0.1" if _is_wildcard(host) else host, server.port, page)
    announce(f"NeuronScope is at {address}  (Ctrl-C stops it)")
    if not private:
        announce(_open_to_the_network(host, server.port, page))
    if open_browser:
        # On a thread, because a browser that runs in the terminal returns only when it is left.
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    try:
        server.wait()
    except KeyboardInterrupt:
        announce("Stopping.")
    finally:
        closer.close()
        server.close()


def background_server(
    make: Dash | Callable[[int], Dash],
    *,
    token: str | None = None,
    path: str | None = None,
    hosts: Iterable[str] | None = LOOPBACK,
) -> BackgroundServer:
    """Serve an app on a free port of this machine while the program goes on; `.close()` ends it.

    `make` is an app, or makes one when told the port, which an app behind a proxy must know. `token` and `path` are the
    secrets of `Guard`; with `path`, the app's routes begin with `/<path>/`.
    """
    listening = listen("127.0.0.1", 0)
    try:
        app = make if isinstance(make, Dash) else make(listening.getsockname()[1])
        guard = Guard(app.server, hosts=hosts, token=token, path=path, inline=inline_scripts(app))
        server = PageServer(guard, listening)
    except BaseException:
        listening.close()
        raise
    page = app.config.routes_pathname_prefix + (f"?token={quote(token, safe='')}" if token else "")
    return BackgroundServer(app, server, _url("127.0.0.1", server.port, page))


class BackgroundServer:
    """An app that is being served."""

    def __init__(self, app: Dash, server: PageServer, url: str) -> None:
        self.app: Dash | None = app
        self.url = url
        self.port = server.port
        self._server = server

    def close(self) -> None:
        """Stop serving and let go of the app; work in the background is its own to close."""
        self._server.close()
        self.app = None


class PageServer:
    """A WSGI application answered on threads of this process, from the moment it is made."""

    def __init__(self, app: Application, listening: socket.socket) -> None:
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a queue of one is no news
        self._server: Any = create_server(
            app,
            sockets=[listening],
            threads=THREADS,
            connection_limit=CONNECTIONS,
            max_request_body_size=MOST_BYTES,
            inbuf_overflow=IN_MEMORY,
            outbuf_overflow=IN_MEMORY,
            ident=None,
            asyncore_use_poll=hasattr(select, "poll"),  # select cannot watch more than 1024 files
        )
        self.port: int = listening.getsockname()[1]
        self._thread = threading.Thread(target=self._server.run, name=f"neuronscope-server-{self.port}", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until the server ends; Ctrl-C comes through."""
        while self._thread.is_alive():
            self._thread.join(0.5)

    def close(self, patience: float = 1.0) -> None:
        """Close every connection, giving requests under way at most `patience` seconds to end."""
        if (server := self._server) is None:
            return
        self._server = None
        server.task_dispatcher.shutdown(timeout=patience)
        # A request that outlives its patience would wake the loop through a file number that may be another's by then.
        server.pull_trigger = lambda: None
        # Closed by its own loop: closing sockets under a loop that watches them would break it.
        server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map, ignore_all=True))
        self._thread.join(patience)


def inline_scripts(app: Dash) -> list[str]:
    """The scripts that Dash writes into the page itself; every callback must be registered by now."""
    page = app.server.test_client().get(app.config.routes_pathname_prefix).get_data(as_text=True)
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page, flags=re.DOTALL)
    return [text for attributes, text in scripts if "src=" not in attributes and "application/json" not in attributes]


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to an address of this machine; raises `CannotServe` saying what to choose instead."""
    if not 0 <= port <= 65535:
        raise CannotServe(f"No port {port}: ports are 1 to 65535, or 0 for any free one.")
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise CannotServe(_why_not(error, host, port)) from error


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use: choose another with --port, or 0 for any free one."
    if error.errno == errno.EACCES:
        return f"Port {port} is not open to this user: choose one above 1023 with --port, or 0 for any free one."
    return f"{host} is not an address of this machine ({error.strerror}): use 127.0.0.1, or 0.0.0.0 for all it has."


def _is_loopback(host: str) -> bool:
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_wildcard(host: str) -> bool:
    return host in ("", "0.0.0.0", "::")  # noqa: S104  recognised, not bound to


def _own_names() -> set[str]:
    name = socket.gethostname().lower()
    return {name, f"{name}.local"}


def _open_to_the_network(host: str, port: int, page: str) -> str:
    away = _url(socket.gethostname() if _is_wildcard(host) else host, port, page)
    return f"From other machines: {away}\nThis is plain HTTP: whoever can listen to the network can read along."


def _url(host: str, port: int, page: str) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{page}"
