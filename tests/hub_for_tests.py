"""A small model hub on 127.0.0.1: enough of a hub's manners for its real client, and misfortunes on demand."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

CHUNK = 64 << 10


@dataclass
class Repository:
    """One model on the hub."""

    files: dict[str, bytes]
    """Its files."""
    gated: bool = False
    """Whether only the holder of the right token is given its files."""
    commit: str = "c0ffee" + 34 * "0"
    """The only commit, which is also its branch `main`."""


@dataclass
class Misfortunes:
    """What goes wrong at this hub; nothing unless a test says so."""

    pause: float = 0.0
    """Seconds of rest after each chunk."""
    stall_after: int | None = None
    """Bytes after which a weight file stops coming, until `go_on` is set."""
    break_after: list[int] = field(default_factory=list)
    """For each of the next answers with weights: the bytes after which the line is cut."""
    damaged: bool = False
    """Whether weights come with one byte changed."""
    shorter_by: int = 0
    """Bytes that weights lack on the hub."""
    without_ranges: bool = False
    """Whether a request for a part of a file is answered with all of it."""
    status: int | None = None
    """What every request is answered with."""
    stated_size: int | None = None
    """What the hub says the size of weights is."""
    elsewhere: str | None = None
    """Another address that large files are kept at."""
    go_on: threading.Event = field(default_factory=threading.Event)
    """Ends a stall."""


class Hub:
    """The hub, its models and a record of what it was asked."""

    def __init__(self) -> None:
        """Open it at a free port of 127.0.0.1."""
        self.models: dict[str, Repository] = {}
        self.token = "hf_right"
        self.wrong = Misfortunes()
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.sent = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def fetched(self, ending: str) -> list[dict[str, str]]:
        """The headers, their names in small letters, of every request for the contents of a file whose name ends so."""
        return [headers for method, path, headers in self.asked if method == "GET" and path.endswith(ending)]

    def close(self) -> None:
        """Close it."""
        self.wrong.go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append((self.command, path, {name.lower(): value for name, value in self.headers.items()}))
        if self.hub.wrong.status:
            self._answer(self.hub.wrong.status)
        elif listing := re.fullmatch(r"/api/models/(.+?)(?:/revision/(.+))?", path):
            self._list(listing[1], listing[2] or "main")
        elif wanted := re.fullmatch(r"/(.+?)/resolve/([^/]+)/(.+)", path):
            self._give(wanted[1], wanted[2], wanted[3])
        elif stored := re.fullmatch(r"/stored/(.+)/([^/]+)", path):
            self._send(self.hub.models[stored[1]].files[stored[2]], {})

    def _list(self, name: str, revision: str) -> None:
        if self._permitted(name, revision, listing=True):
            model = self.hub.models[name]
            files = [self._describe(file, content) for file, content in model.files.items()]
            body = json.dumps({"id": name, "sha": model.commit, "siblings": files}).encode()
            self._answer(200, {"Content-Type": "application/json"}, body)

    def _describe(self, file: str, content: bytes) -> dict[str, object]:
        stated = {"rfilename": file, "size": len(content), "blobId": _git_sha1(content)}
        if _is_large(file):
            size = self.hub.wrong.stated_size or len(content)
            stated["lfs"] = {"size": size, "sha256": hashlib.sha256(content).hexdigest(), "pointerSize": 130}
        return stated

    def _give(self, name: str, revision: str, file: str) -> None:
        if not self._permitted(name, revision, listing=False):
            return
        model = self.hub.models[name]
        content = model.files[file]
        headers = {"X-Repo-Commit": model.commit, "ETag": f'"{_git_sha1(content)}"'}
        if _is_large(file):
            headers |= {"X-Linked-Etag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Linked-Size": str(len(content))}
            if self.hub.wrong.elsewhere:
                self._answer(302, headers | {"Location": f"{self.hub.wrong.elsewhere}/stored/{name}/{file}"})
                return
            if self.command == "GET":
                content = self._spoil(content)
        self._send(content, headers)

    def _permitted(self, name: str, revision: str, *, listing: bool) -> bool:
        """Whether this request is answered; the real hub says 401 to strangers and 403 to accounts without access."""
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if given == "hf_expired":
            self._answer(401, {"X-Error-Message": "Invalid credentials in Authorization header"})
        elif name not in self.hub.models:
            code = {"X-Error-Code": "RepoNotFound"} if given else {"X-Error-Message": "Invalid username or password."}
            self._answer(404 if given else 401, code)
        elif revision not in {"main", self.hub.models[name].commit}:
            self._answer(404, {"X-Error-Code": "RevisionNotFound"})
        elif self.hub.models[name].gated and not listing and given != self.hub.token:
            self._answer(403 if given else 401, {"X-Error-Code": "GatedRepo"})
        else:
            return True
        return False

    def _spoil(self, content: bytes) -> bytes:
        if self.hub.wrong.damaged:
            content = content[:-1] + bytes([content[-1] ^ 1])
        return content[: len(content) - self.hub.wrong.shorter_by]

    def _send(self, content: bytes, headers: dict[str, str]) -> None:
        asked = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked and not self.hub.wrong.without_ranges else 0
        if start and start >= len(content):
            self._answer(416)
            return
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._answer(206 if start else 200, headers, content[start:])

    def _answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self._trickle(body)

    def _trickle(self, body: bytes) -> None:
        wrong = self.hub.wrong
        large = len(body) > CHUNK or self.path.endswith(".safetensors")
        end = wrong.break_after.pop(0) if large and wrong.break_after else None
        for start in range(0, len(body), CHUNK):
            if end is not None and start >= end:
                self.close_connection = True
                return
            if large and wrong.stall_after is not None and start >= wrong.stall_after:
                wrong.go_on.wait(30)
            try:
                self.wfile.write(body[start : start + CHUNK])
            except ConnectionError:
                self.close_connection = True
                return
            self.hub.sent += len(body[start : start + CHUNK])
            if large and wrong.pause:
                time.sleep(wrong.pause)


def _is_large(file: str) -> bool:
    return file.endswith((".safetensors", ".bin", ".msgpack"))


def _git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
