"""The web page: the only room that knows Dash.

`create_app` makes one app for one workspace. Nothing is kept at module level, so several apps live side by side in one
process, each with its own models, callbacks and threads.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuronscope.settings import assets_folder

if TYPE_CHECKING:
    from dash import Dash

    from neuronscope.scope import Workspace

DEFAULT_MODEL = "demo:stories"
_LOOK = "_look"
_STYLES = ("css/bootstrap.min.css", "css/font/bootstrap-icons.min.css")
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}
<title>{%title%}</title>
<link rel="icon" type="image/svg+xml" href="ASSETS/logo.svg">
<script src="ASSETS/theme.js"></script>
{%css%}
</head>
<body>
{%app_entry%}
<footer>{%config%}{%scripts%}{%renderer%}</footer>
</body>
</html>"""


def create_app(
    workspace: Workspace,
    *,
    prefix: str = "/",
    requests_prefix: str | None = None,
    model: str = DEFAULT_MODEL,
    index_demos: bool = True,
) -> Dash:
    """Make the page's app.

    Args:
        workspace: What the page asks: its models, cache and settings.
        prefix: The path that all routes of this server begin with.
        requests_prefix: The same as the browser sees it, where a proxy stands between.
        model: What to show when the address names no model.
        index_demos: Whether a demo model that is looked at gets an index by itself, in the background.

    Returns:
        The app; `app.manager.close()` ends the work it started.
    """
    from functools import partial

    from dash import Dash

    from neuronscope.app import shell
    from neuronscope.app.background import ThreadManager
    from neuronscope.app.building import Builder
    from neuronscope.app.readings import Readings

    seen = requests_prefix or prefix
    report = partial(shell.report, model=model)
    manager = ThreadManager(on_error=report)
    app = Dash(
        "neuronscope",
        title="NeuronScope",
        update_title=None,
        routes_pathname_prefix=prefix,
        requests_pathname_prefix=seen,
        assets_folder=str(assets_folder()),
        assets_ignore=r"theme\\.js|.*\\.svg",
        external_stylesheets=[f"{seen}{_LOOK}/{style}" for style in _STYLES],
        index_string=_PAGE.replace("ASSETS", f"{seen}assets"),
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
        background_callback_manager=manager,
        on_error=report,
        compress=False,
        add_log_handler=False,
    )
    app.manager = manager
    app.readings = Readings()
    app.builder = Builder()
    manager.beside.append(app.builder)
    _serve_bootstrap(app, prefix)
    app.layout = shell.layout(model)
    app.validation_layout = shell.everything(model)
    shell.register(app, workspace, manager, model, demos=index_demos)
    manager.seal()
    return app


def _serve_bootstrap(app: Any, prefix: str) -> None:
    """Serve Bootstrap's styles and icons from the package that carries them, so that nothing comes from elsewhere."""
    import flask
    import flask_bootstrap

    folder = Path(flask_bootstrap.__file__).parent / "static" / "bootstrap5"

    @app.server.route(f"{prefix}{_LOOK}/css/<path:name>", endpoint="look")
    def look(name: str) -> Any:
        return flask.send_from_directory(folder / "css", name, max_age=86400)
