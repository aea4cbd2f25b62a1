"""A line at the foot of Locust's web page: booted stations, the verdict, and the way to the storms."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from locust.env import Environment

__all__ = ["add_bar"]

_BAR: Final = """
<div id="plugstorm" role="status" style="position:fixed;left:0;right:0;bottom:0;z-index:2000;padding:.35rem 1rem;
font:14px/1.4 system-ui,sans-serif;background:#16324f;color:#fff">
<b>Plugstorm</b> <span id="plugstorm-line">…</span> &middot; <a href="storms" style="color:#9fd0ff">Storms</a></div>
<script>
(() => {
  const line = document.getElementById("plugstorm-line");
  const ask = () => fetch("plugstorm").then((answer) => answer.json())
    .then((now) => { line.textContent = now.line; }).catch(() => {});
  ask(); setInterval(ask, 2000);
})();
</script>
"""
_BODY_ENDS: Final = "</body>"


def add_bar(environment: Environment, line: Callable[[], str]) -> None:
    """Add the line where Locust has a web UI; `line` gives its text at the moment."""
    web_ui: Any = environment.web_ui
    if web_ui is None:
        return
    from flask import jsonify, request  # noqa: PLC0415 - only where there is a page

    def show() -> Any:
        return jsonify(line=line())

    def put(response: Any) -> Any:
        if request.endpoint == "locust.index" and response.mimetype == "text/html":
            text = response.get_data(as_text=True)
            head, end, tail = text.rpartition(_BODY_ENDS)
            response.set_data(f"{head}{_BAR}{end}{tail}" if end else text + _BAR)
        return response

    web_ui.app.add_url_rule("/plugstorm", "plugstorm_bar", web_ui.auth_required_if_enabled(show))
    web_ui.app.after_request(put)
