"""The same pages in a notebook cell, over the model that the notebook holds.

    view = ns.show(scope, text="Hello world", layer=2)
    view.url        where it is, to open it in a tab of its own
    view.close()    ends it; running the cell again does, too

Each call starts a server of its own on a free port of the machine that runs the kernel, so several pages stand side by
side. A page in a notebook's frame gets no cookies, so its secret is part of its path. The browser reaches it directly
or, on a hub, through jupyter-server-proxy.
"""

from __future__ import annotations

import os
import secrets
import sys
from typing import TYPE_CHECKING, Any

from neuronscope.errors import InputError

if TYPE_CHECKING:
    from dash import Dash

    from neuronscope.app.serving import BackgroundServer
    from neuronscope.scope import Scope

_SHOWN = "_neuronscope_shown"
"""The attribute of a notebook's shell that holds the views of each run of each cell."""


class View:
    """A page that is being shown."""

    def __init__(self, server: BackgroundServer, url: str, model: str) -> None:
        """Use `show`."""
        self.url = url
        """Where the page is, for the browser."""
        self.port = server.port
        """The port it is served at, on the machine that runs the kernel."""
        self._model = model
        self._server = server
        self._app = server.app

    def __repr__(self) -> str:
        if self._app is None:
            return f"NeuronScope's page on {self._model}, closed"
        return f"NeuronScope's page on {self._model}: open {self.url} in a browser; .close() ends it"

    def close(self) -> None:
        """Stop the page's work and its server; the model stays."""
        if self._app is not None:
            self._app.manager.close()
            self._server.close()
            self._app = None


def show(scope: Scope, page: str = "text", height: int = 720, *, proxy: str | None = None, **selection: Any) -> View:
    """Show a page on `scope`'s model in this cell, and return its View.

    Args:
        scope: The model, as `load` or `attach` returned it; the page uses the very same object.
        page: The view to open: `text` or `neuron`.
        height: Height of the frame, in pixels.
        proxy: The path of the Jupyter server that jupyter-server-proxy stands behind, such as `/user/ann/`. By default
            that of the JupyterHub this notebook runs on; outside a hub the page is reached directly.
        selection: What the page is to show, by the names that stand in its address: `text`, `layer`, `neuron`, `site` …

    Raises:
        InputError: for a page or a selection there is not.
    """
    from neuronscope.app import serving

    query = _query(scope, page, selection)
    behind = proxy or os.environ.get("JUPYTERHUB_SERVICE_PREFIX")
    secret = secrets.token_urlsafe(24)
    if behind is None:
        server = serving.background_server(_app(scope, f"/{secret}/"), path=secret)
        view = View(server, server.url + query, scope.card.label)
    else:
        path = f"{behind.rstrip('/')}/proxy/{{}}/{secret}/"
        server = serving.background_server(
            lambda port: _app(scope, f"/{secret}/", path.format(port)), path=secret, hosts=None
        )
        view = View(server, path.format(server.port) + query, scope.card.label)
    _take_the_place_of_earlier_views(view)
    _display(view, height)
    return view


def _app(scope: Scope, prefix: str, requests_prefix: str | None = None) -> Dash:
    from neuronscope.app import create_app

    return create_app(scope.workspace, prefix=prefix, requests_prefix=requests_prefix, model=scope.name)


def _query(scope: Scope, page: str, selection: dict[str, Any]) -> str:
    """The query string of the page to open; raises `InputError`."""
    from dataclasses import fields

    from neuronscope.app.selection import CHOICES, Selection
    from neuronscope.app.views import VIEWS

    names = [view.NAME for view in VIEWS]
    if page not in names:
        raise InputError(f"No page {page!r}: there are {', '.join(names)}.")
    known = {field.name for field in fields(Selection)} - {"view", "model", "precision"}
    if unknown := selection.keys() - known:
        raise InputError(f"A page has no {', '.join(sorted(unknown))}: it can show {', '.join(sorted(known))}.")
    precision = scope.key.precision if scope.key.precision in CHOICES["precision"] else "auto"
    return Selection(view=page, precision=precision).go(**selection).check(scope.card).search


def _take_the_place_of_earlier_views(view: View) -> None:
    """Close what earlier runs of this cell show; what this very run has shown stays, beside `view`.

    A cell is known by its id where the notebook tells it, else by its code. Outside a notebook there are no cells.
    """
    if (shell := _shell()) is None:
        return
    asked = shell.get_parent() or {}
    cell = asked.get("metadata", {}).get("cellId") or asked.get("content", {}).get("code")
    views = shell.__dict__.setdefault(_SHOWN, {}).setdefault(cell, {})
    for run in [run for run in views if run != shell.execution_count]:
        for earlier in views.pop(run):
            earlier.close()
    views.setdefault(shell.execution_count, []).append(view)


def _display(view: View, height: int) -> None:
    if _shell() is not None:
        from IPython.display import IFrame, display

        display(IFrame(view.url, "100%", height, extras=['title="NeuronScope"']))


def _shell() -> Any:
    """The notebook's shell, None outside a notebook."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    shell = get_ipython()
    return shell if hasattr(shell, "get_parent") else None
