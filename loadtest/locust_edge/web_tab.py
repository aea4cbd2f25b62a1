"""The tab *Charge points* in Locust's web page: the fleet, every action, the generator, storms and commands.

Locust knows the tab by its key and leaves the panel to us. `charge_points.html` is shown in it, and is a page of its
own at `/charge-points`. Its figures come from `/charge-points/now` once a second, from the master, so a distributed run
looks like a local one. Nothing is loaded from elsewhere.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from loadtest.cluster.overview import Overview
from loadtest.plugins.commands.plugin import CommandPlugin
from loadtest.plugins.storms.page import storm_kinds
from loadtest.plugins.storms.plugin import StormPlugin

if TYPE_CHECKING:
    from locust.env import Environment

__all__ = ["KEY", "TITLE", "add_tab"]

KEY: Final = "charge-points"
TITLE: Final = "Charge points"
_KEEP: Final = 0.9
"""Seconds for which one answer serves everybody who looks."""
_HERE: Final = Path(__file__).parent
_KINDS: Final = "/*KINDS*/"


def add_tab(environment: Environment, overview: Callable[[], Overview], plugins: Callable[[], Sequence[Any]]) -> None:
    """Add the tab where Locust has a web UI.

    `overview` gives the figures of the moment, `plugins` those of the present run.
    """
    web_ui: Any = environment.web_ui
    if web_ui is None:
        return
    page = (_HERE / "charge_points.html").read_text("utf-8")
    # Within a script, "</" would end it.
    page = page.replace(_KINDS, json.dumps(storm_kinds()).replace("</", "<\\/"))
    latest: list[Any] = [float("-inf"), b""]

    def show() -> Any:
        return page, 200, {"Content-Type": "text/html; charset=utf-8"}

    def now() -> Any:
        if time.monotonic() - latest[0] > _KEEP:
            latest[:] = time.monotonic(), _now(environment, overview(), plugins())
        return latest[1], 200, {"Content-Type": "application/json", "Cache-Control": "no-store"}

    known = web_ui.template_args.get("extended_tabs", [])
    web_ui.template_args["extended_tabs"] = [*known, {"title": TITLE, "key": KEY}]
    for path, name, view in ((f"/{KEY}", "plugstorm_tab", show), (f"/{KEY}/now", "plugstorm_tab_now", now)):
        web_ui.app.add_url_rule(path, name, web_ui.auth_required_if_enabled(view))


def _now(environment: Environment, overview: Overview, plugins: Sequence[Any]) -> bytes:
    runner: Any = environment.runner
    is_running = runner.state in {"spawning", "running"}
    storms = next((one for one in plugins if isinstance(one, StormPlugin)), None)
    commands = next((one for one in plugins if isinstance(one, CommandPlugin)), None)
    has_run = bool(overview.window or overview.verdict)
    found: dict[str, Any] = msgspec.to_builtins(overview)
    found["state"] = runner.state
    found["takes_storms"] = is_running and storms is not None
    found["storms"] = storms.recoveries() if storms is not None and has_run else []
    found["commands"] = commands.rows if commands is not None and has_run else []
    return msgspec.json.encode(found)
