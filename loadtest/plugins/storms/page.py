"""A page in Locust's web UI that shows the storms of the run and lets another one loose: `/storms`.

What comes from the form is judged as every other storm is; a shell command is never taken from there. A form of another
site is refused, so that no page that somebody happens to have open can strike a CSMS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from loadtest.plugins.storms.plugin import StormPlugin
from loadtest.workload.storms import STORMS, parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from locust.env import Environment

__all__ = ["add_storm_page"]

_HIDDEN: Final = frozenset({"at", "command"})

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Storms</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color-scheme:light dark}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #8884}
details{border:1px solid #8886;border-radius:.4rem;padding:.4rem .8rem;margin:.4rem 0}
label{display:inline-block;margin:.2rem 1rem .2rem 0}input{width:7rem}.said{padding:.5rem .8rem;border:1px solid}
</style></head><body>
<p><a href=".">Back to Locust</a></p><h1>Storms</h1>
{% if said %}<p class="said" role="status">{{ said }}</p>{% endif %}
{% if running is none %}<p>No test is running.</p>{% else %}
<table><thead><tr><th>#</th><th>storm</th><th>at, s</th><th>hit</th><th>back</th><th></th></tr></thead><tbody>
{% for storm in running %}<tr><td>{{ storm.number }}</td><td>{{ storm.storm }}</td><td>{{ storm.at }}</td>
<td>{{ storm.struck }}</td><td>{{ storm.back }}</td><td>{{ "over" if storm.over else "under way" }}</td></tr>
{% else %}<tr><td colspan="6">None so far.</td></tr>{% endfor %}</tbody></table>
{% for name, kind in kinds.items() %}<details><summary><b>{{ name }}</b> {{ kind.says }}</summary>
<form method="post"><input type="hidden" name="storm" value="{{ name }}">
{% for key, value in kind.parameters.items() %}<label>{{ key }} <input name="{{ key }}" value="{{ value }}"></label>
{% endfor %}<button>Let loose</button></form></details>
{% endfor %}{% endif %}
</body></html>"""


def add_storm_page(environment: Environment, plugins: Callable[[], Sequence[Any]]) -> None:
    """Add the page where Locust has a web UI; `plugins` gives those of the present run."""
    web_ui: Any = environment.web_ui
    if web_ui is None:
        return
    from flask import render_template_string, request  # noqa: PLC0415 - only where there is a page

    kinds = {
        name: {"says": kind.says, "parameters": {k: _shown(v) for k, v in parameters(kind).items() if k not in _HIDDEN}}
        for name, kind in STORMS.items()
    }

    def show() -> Any:
        said, code = "", 200
        plugin = _plugin(plugins())
        runner: Any = environment.runner
        is_running = plugin is not None and runner.state in {"spawning", "running"}
        if request.method == "POST":
            said, code = _take(plugin if is_running else None, request)
        running = plugin.storms if plugin is not None and is_running else None
        # Flask escapes whatever a template from a string is given.
        return render_template_string(_PAGE, said=said, running=running, kinds=kinds), code

    web_ui.app.add_url_rule(
        "/storms", "plugstorm_storms", web_ui.auth_required_if_enabled(show), methods=["GET", "POST"]
    )


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
