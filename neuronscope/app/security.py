"""Who may talk to this server, and what its pages may do.

A web page anywhere can make a browser send requests to 127.0.0.1, or point its own name at 127.0.0.1 and then read the
answers (DNS rebinding); so can any program of any user of this machine. `Guard` therefore answers only to known names,
to its own pages, and to those who hold the secret. It is plain WSGI and knows nothing of Dash. The headers it adds keep
a page from calling anywhere else, whatever text it is made to show.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_plus

from neuronscope.errors import Refused

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
"""The names by which a machine speaks to itself."""

MOST_BYTES = 8 << 20
"""The largest request body that is read."""

POLICY = (
    "default-src 'self'",
    "style-src 'self' 'unsafe-inline'",  # plotly writes its style into the page
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "worker-src 'self' blob:",
    "connect-src 'self'",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
)
"""Content-Security-Policy: everything comes from this server and goes to this server; `Guard` adds who may run."""

Environ = dict[str, Any]
Start = Callable[..., Any]
Application = Callable[[Environ, Start], Iterable[bytes]]


@dataclass(frozen=True)
class Reply:
    """What the guard answers by itself."""

    status: str
    """The HTTP status line."""
    body: str
    """One sentence, or a tiny page."""
    kind: str = "text/plain"
    """The body's media type."""
    headers: tuple[tuple[str, str], ...] = ()
    """Further headers."""

    def send(self, environ: Environ, start: Start) -> list[bytes]:
        """Send it, without the body where only the head was asked for."""
        body = self.body.encode()
        kind = ("Content-Type", f"{self.kind}; charset=utf-8")
        start(self.status, [kind, ("Content-Length", str(len(body))), ("Cache-Control", "no-store"), *self.headers])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


class Guard:
    """A WSGI application that passes on only the requests that may be answered.

    `hosts`: names this server goes by, in lower case; with `addresses`, any IP address too (an address, unlike a name,
    cannot be made to point elsewhere). None is any name, for a server behind a proxy that does not know how it is
    called from outside; it then wants a `path`, which a page of another site cannot know. `token`: a secret that must
    come in the address once, as `?token=...`, and is a cookie from then on; programs may send `Authorization: token
    ...`. `path`: a secret that every address begins with instead, for pages in a notebook's frame, where cookies do not
    work; the application is mounted at `/<path>/`. Without either, every program on this machine may use the server.

    `inline`: the scripts that stand in the page itself. Besides them only files of this server run, whatever text
    reaches a page. `open_paths` need no secret.
    """

    def __init__(
        self,
        app: Application,
        *,
        hosts: Iterable[str] | None = LOOPBACK,
        addresses: bool = False,
        token: str | None = None,
        path: str | None = None,
        inline: Iterable[str] = (),
        most_bytes: int = MOST_BYTES,
        open_paths: Iterable[str] = ("/health",),
    ) -> None:
        if "" in (token, path):
            raise ValueError("An empty secret is no secret: give None for none.")
        if hosts is None and path is None:
            raise ValueError("Any host name will do only where a secret path protects the server.")
        self.app = app
        self.hosts = None if hosts is None else frozenset(hosts)
        self.addresses = addresses
        self.token = token
        self.path = path
        self.most_bytes = most_bytes
        self.open_paths = frozenset(open_paths)
        self.headers = _page_headers(inline, framed=path is not None)

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        """Answer one request, or say why not."""

        def start_with_headers(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            given = {name.lower() for name, _ in headers}
            return start(status, headers + [pair for pair in self.headers if pair[0].lower() not in given], exc_info)

        for check in (self._check_host, self._check_origin, self._check_size, self._check_path, self._check_token):
            if (reply := check(environ)) is not None:
                return reply.send(environ, start_with_headers)
        return self.app(environ, start_with_headers)

    def _check_host(self, environ: Environ) -> Reply | None:
        name = _host_name(environ.get("HTTP_HOST", ""))
        if self.hosts is None or name in self.hosts or (self.addresses and _is_address(name)):
            return None
        return _refuse(
            f"This NeuronScope is not called {name or 'that'}: open it by the address it printed when it started."
        )

    def _check_origin(self, environ: Environ) -> Reply | None:
        origin = environ.get("HTTP_ORIGIN")
        foreign = origin is not None and origin.partition("://")[2] != environ["HTTP_HOST"]
        # Browsers leave Origin out of some requests that other sites cause, but then say so here.
        site, mode = environ.get("HTTP_SEC_FETCH_SITE"), environ.get("HTTP_SEC_FETCH_MODE")
        if foreign or (site in ("cross-site", "same-site") and mode != "navigate"):
            return _refuse("This NeuronScope only answers its own pages.")
        return None

    def _check_size(self, environ: Environ) -> Reply | None:
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal():
            return Reply("400 Bad Request", "The request does not say how long it is.\n")
        if len(length) > 15 or int(length) > self.most_bytes:
            return Reply(
                "413 Content Too Large", f"A request may hold {self.most_bytes} bytes; this one has {length}.\n"
            )
        if not environ.get("CONTENT_LENGTH") and environ.get("HTTP_TRANSFER_ENCODING"):
            return Reply("411 Length Required", "The request does not say how long it is.\n")
        return None

    def _check_path(self, environ: Environ) -> Reply | None:
        if self.path is None or _same(environ["PATH_INFO"].split("/", 2)[1:2], self.path):
            return None
        return _refuse("This NeuronScope is open only at its full, secret address: show it again from the notebook.")

    def _check_token(self, environ: Environ) -> Reply | None:
        if self.token is None or environ["PATH_INFO"] in self.open_paths:
            return None
        asks_page = environ["REQUEST_METHOD"] in ("GET", "HEAD")
        other_query, shown = self._split_query(environ.get("QUERY_STRING", ""))
        if asks_page and shown:
            return _go(environ, other_query, self._cookie(environ))
        if self._holds_cookie(environ) or self._holds_header(environ):
            return None
        if asks_page and _followed_link(environ):
            return _go(environ, other_query)
        return _refuse(
            "This NeuronScope needs its secret: open the full address that was printed when it started, the one that "
            "ends in ?token=... (each start has a new one)."
        )

    def _split_query(self, query: str) -> tuple[str, bool]:
        """The query without the secret, and whether it held the secret.

        A parameter called token that holds anything else is the page's own and stays.
        """
        parts = query.split("&") if query else []
        others = [part for part in parts if not self._is_token(*part.partition("=")[::2])]
        return "&".join(others), len(others) < len(parts)

    def _is_token(self, name: str, value: str) -> bool:
        return name == "token" and _same([unquote_plus(value)], self.token)

    def _holds_cookie(self, environ: Environ) -> bool:
        name, value = _cookie_name(environ), _cookie_value(self.token)
        pairs = (part.strip().partition("=") for part in environ.get("HTTP_COOKIE", "").split(";"))
        return _same([given for key, _, given in pairs if key == name], value)

    def _holds_header(self, environ: Environ) -> bool:
        scheme, _, given = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        return scheme.lower() in ("token", "bearer") and _same([given.strip()], self.token)

    def _cookie(self, environ: Environ) -> tuple[tuple[str, str], ...]:
        secure = "; Secure" if environ.get("wsgi.url_scheme") == "https" else ""
        value = f"{_cookie_name(environ)}={_cookie_value(self.token)}; Path=/; HttpOnly; SameSite=Strict{secure}"
        return (("Set-Cookie", value),)


def allowed_folder(path: str | Path, roots: Iterable[Path]) -> Path:
    """The real folder that `path` means, if it lies in one of `roots`; links are followed first.

    Raises `Refused` for anything else, in the same words whether or not it exists.
    """
    known = [root.expanduser().resolve() for root in roots]
    try:
        folder = Path(path).expanduser().resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, an unknown ~user, a NUL
        folder = None
    if folder is not None and any(folder.is_relative_to(root) for root in known):
        return folder
    places = f"it loads them only from {', '.join(map(str, known))}" if known else "it loads none by path"
    raise Refused(
        f"The page may not load a model from {str(path)!r}: {places}. Give a hub name, or start "
        "NeuronScope with --models and the folder."
    )


def _page_headers(inline: Iterable[str], *, framed: bool) -> list[tuple[str, str]]:
    # Plotly's WebGL writes its draw commands as functions; nothing that a page is given as text becomes one.
    policy = [*POLICY, " ".join(["script-src 'self' 'unsafe-eval'", *map(_script_hash, inline)])]
    # Whoever frames a page by its secret path was given the path; nobody else may frame a page.
    if not framed:
        policy.append("frame-ancestors 'self'")
    return [
        ("Content-Security-Policy", "; ".join(policy)),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Resource-Policy", "same-site"),
    ]


def _script_hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _host_name(host: str) -> str | None:
    match = re.fullmatch(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d+)?", host.lower())
    return (match[1] or match[2]) if match else None


def _is_address(name: str | None) -> bool:
    try:
        return bool(name and ipaddress.ip_address(name))
    except ValueError:
        return False


def _refuse(sentence: str) -> Reply:
    return Reply("403 Forbidden", sentence + "\n")


def _go(environ: Environ, query: str, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """Send the browser to this very page, without the secret in its address.

    The target is relative, so that it holds behind a proxy that adds a prefix. A browser that came from another site
    would not send a strict cookie along with a redirect, so there our own page asks again.
    """
    page = environ["PATH_INFO"].rpartition("/")[2].encode("latin-1")
    target = f"./{quote(page)}" + (f"?{quote(query, safe=_QUERY)}" if query else "")
    if not _followed_link(environ):
        return Reply("303 See Other", "Go on to the page.\n", headers=(("Location", target), *headers))
    where = html.escape(target)
    head = f'<meta charset="utf-8"><title>NeuronScope</title><meta http-equiv="refresh" content="0;url={where}">'
    return Reply("200 OK", f'<!doctype html>{head}<a href="{where}">Open NeuronScope</a>', "text/html", headers)


_QUERY = "%&=+;:@/?!$'()*,~-._"
"""What may stand in a query as it is; line ends may not."""


def _followed_link(environ: Environ) -> bool:
    return environ.get("HTTP_SEC_FETCH_SITE") == "cross-site"


def _cookie_name(environ: Environ) -> str:
    # Browsers share cookies between the ports of one host, so each server has its own name.
    return f"neuronscope-{environ['SERVER_PORT']}"


def _cookie_value(token: str | None) -> str:
    """A digest, so that any token may be chosen and none is written to the browser's disk."""
    return hashlib.sha256(f"neuronscope {token}".encode()).hexdigest()


def _same(given: Iterable[str], secret: str | None) -> bool:
    """Whether one of the given values is the secret, in time that does not tell how nearly."""
    expected = (secret or "").encode()
    return bool(expected) and any(hmac.compare_digest(value.encode(), expected) for value in given)
