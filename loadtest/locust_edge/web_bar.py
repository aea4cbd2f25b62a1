"""A line at the foot of Locust's web page: booted stations, the verdict, and the way to the storms.

It also brings what fills the panel of the tab *Charge points* (`loadtest.locust_edge.web_tab`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from loadtest.locust_edge.web_tab import KEY, TITLE

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
_TAB: Final = """
<script>
(() => {
  // Locust draws the tab and an empty panel; while the tab is chosen, the panel holds a page of our own.
  const title = TITLE, page = PAGE;
  let frame = null;
  const shade = () => {
    const inside = frame && frame.contentDocument && frame.contentDocument.documentElement;
    if (inside) inside.dataset.ground = getComputedStyle(document.body).backgroundColor;
  };
  const fit = () => {
    const inside = frame.contentDocument;
    shade();
    new ResizeObserver(() => {
      if (frame) frame.style.height = `${inside.documentElement.offsetHeight + 8}px`;
    }).observe(inside.documentElement);
  };
  const place = () => {
    const chosen = [...document.querySelectorAll('[role="tab"][aria-selected="true"]')]
      .find((tab) => tab.textContent.trim() === title);
    const box = chosen && chosen.closest(".MuiContainer-root");
    if (!box) {
      if (frame) { frame.remove(); frame = null; }
      return;
    }
    if (frame && frame.parentNode === box) return;
    if (frame) frame.remove();
    frame = Object.assign(document.createElement("iframe"), {id: "plugstorm-tab", src: page, title, onload: fit});
    frame.style.cssText = "display:block;width:100%;height:70vh;border:0;margin-bottom:3rem";
    box.append(frame);
  };
  new MutationObserver(place).observe(document.getElementById("root"),
    {subtree: true, childList: true, attributes: true, attributeFilter: ["aria-selected"]});
  new MutationObserver(shade).observe(document.head, {childList: true, subtree: true});
  place();
})();
</script>
""".replace("TITLE", json.dumps(TITLE)).replace("PAGE", json.dumps(KEY))
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
            ours = _BAR + _TAB
            response.set_data(f"{head}{ours}{end}{tail}" if end else text + ours)
        return response

    web_ui.app.add_url_rule("/plugstorm", "plugstorm_bar", web_ui.auth_required_if_enabled(show))
    web_ui.app.after_request(put)
