"""A page in Locust's web UI that shows the storms of the run and starts another one: `/storms`.

A script that asks for JSON gets what was said as JSON; the tab *Charge points* does.

What comes from the form is judged as every other storm is; a shell command is never taken from there. A form of another
site is refused, so that no page that somebody happens to have open can strike a CSMS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import jinja2

from loadtest.plugins.storms.plugin import StormPlugin
from loadtest.workload.storms import known_storms, parameters

if TYPE_CHECKING:
    from locust.env import Environment

__all__ = ["add_storm_page", "storm_kinds"]

_HIDDEN: Final = frozenset({"at", "command"})
_REFUSED: Final = 400

_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
)


def add_storm_page(environment: Environment, plugins: Callable[[], Sequence[Any]]) -> None:
    """Add the page where Locust has a web UI; `plugins` gives those of the present run."""
    web_ui: Any = environment.web_ui
    if web_ui is None:
        return
    from flask import request  # noqa: PLC0415 - only where there is a page

    kinds = storm_kinds()

    def show() -> Any:
        said, code = "", 200
        plugin = _plugin(plugins())
        runner: Any = environment.runner
        is_running = plugin is not None and runner.state in {"spawning", "running"}
        if request.method == "POST":
            said, code = _take(plugin if is_running else None, request)
            if request.accept_mimetypes.best == "application/json":
                return {"said": said, "ok": code < _REFUSED}, code
        running = plugin.storms if plugin is not None and is_running else None
        page = _TEMPLATES.get_template("page.html.j2")
        return page.render(said=said, running=running, kinds=kinds), code

    web_ui.app.add_url_rule(
        "/storms", "plugstorm_storms", web_ui.auth_required_if_enabled(show), methods=["GET", "POST"]
    )


def storm_kinds() -> dict[str, dict[str, Any]]:
    """Return every storm that the page can start: what it says, and its parameters with their values."""
    return {
        name: {"says": kind.says, "parameters": {k: _shown(v) for k, v in parameters(kind).items() if k not in _HIDDEN}}
        for name, kind in known_storms().items()
    }


def _take(plugin: StormPlugin | None, request: Any) -> tuple[str, int]:
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        return "This form came from another site and was refused.", 403
    if plugin is None:
        return "No test is running.", 409
    document = {key: value for key, value in request.form.items() if value != ""}
    if _HIDDEN & document.keys():
        return "A storm from this page begins at once and runs no command.", 400
    said = plugin.trigger(document, "web UI")
    if "error" in said:
        return said["error"], 400
    return f"Storm {said['number']}: {said['storm']} strikes {said['stations']} stations.", 200


def _plugin(plugins: Sequence[Any]) -> StormPlugin | None:
    return next((one for one in plugins if isinstance(one, StormPlugin)), None)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
