"""`capacity.html`: how strained the objectives were with each fleet, as a drawing and as a table."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from reports.svg import drawing, el, linear, linear_ticks

if TYPE_CHECKING:
    from loadtest.planning.capacity import Trial
    from plugstorm.capacity_command import Result

__all__ = ["chart", "page_of"]

_WIDTH: Final = 720.0
_HEIGHT: Final = 320.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 60.0, 20.0, 20.0, 48.0
_MOST_STRAIN: Final = 3.0
"""What lies above is drawn at the edge."""

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1d2430; --soft: #5b6675; --line: #d5dbe3; --bg: #fff;
  --kept: #1a7f4b; --missed: #c22f3a; --generator: #8a6d00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #a3adba; --line: #39424f; --bg: #14181f;
  --kept: #4cc38a; --missed: #ff7b82; --generator: #e0b93b; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--bg); margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } .soft, figcaption { color: var(--soft); }
figure { margin: 1.5rem 0; } svg { width: 100%; height: auto; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
.grid { stroke: var(--line); } .limit { stroke: var(--missed); stroke-dasharray: 6 4; }
.kept { fill: var(--kept); color: var(--kept); } .missed { fill: var(--missed); color: var(--missed); }
.generator { fill: var(--generator); color: var(--generator); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .4rem .6rem; text-align: left; vertical-align: top; }
td.num, th.num { text-align: right; font-variant-numeric: tabular-nums; }
"""


def page_of(result: Result) -> str:
    """Write the whole page; it loads nothing."""
    finding = result.finding
    sentence = f"{finding.sentence[0].upper()}{finding.sentence[1:]}"
    objectives = "".join(f"<li><code>{escape(text)}</code></li>" for text in result.slo)
    rows = "".join(_row(number, trial) for number, trial in enumerate(result.trials, 1))
    heads = "".join(
        f'<th scope="col"{" class=num" if numeric else ""}>{name}</th>'
        for name, numeric in (
            ("step", True),
            ("stations", True),
            ("result", False),
            ("CALL/s", True),
            ("failed/s", True),
            ("slowest p50 ms", True),
            ("slowest p99 ms", True),
            ("limit used", True),
            ("why", False),
        )
    )
    confidence = f"{finding.kept} of {finding.of} runs with {finding.stations} stations kept every objective."
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Capacity: {finding.stations} stations</title><style>{_STYLE}</style></head><body>
<h1>{escape(sentence)}</h1>
<p class="soft">{escape(str(result.target["url"]))}, OCPP {escape(", ".join(result.target["ocpp"]))}, profile
{escape(result.profile)}, {escape(result.started)} to {escape(result.finished)}. {confidence if finding.of else ""}</p>
<h2>Objectives</h2><ul>{objectives}</ul>
<figure>{chart(result.trials)}<figcaption>How much of the most strained objective was used up with each fleet; above
the broken line it was missed. Green: kept, red: missed, amber: not judged, because the generator was strained.
</figcaption></figure>
<h2>Runs</h2><div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>
</body></html>
"""


def chart(trials: list[Trial]) -> Markup:
    """Draw stations against the strain of the most strained objective."""
    most = max((trial.stations for trial in trials), default=1)
    stations = linear_ticks(float(most))
    used = max([1.2, *(min(trial.strain, _MOST_STRAIN) for trial in trials)])
    shares = linear_ticks(used * 100)
    x = linear(0, stations[-1], _LEFT, _WIDTH - _RIGHT)
    y = linear(0, shares[-1], _HEIGHT - _BOTTOM, _TOP)
    parts = []
    for tick in shares:
        parts.append(el("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y(tick), y2=y(tick), class_="grid"))
        parts.append(el("text", f"{tick:g} %", x=_LEFT - 8, y=y(tick) + 4, text_anchor="end"))
    parts += [el("text", f"{tick:g}", x=x(tick), y=_HEIGHT - _BOTTOM + 18, text_anchor="middle") for tick in stations]
    parts.append(el("text", "stations", x=(_LEFT + _WIDTH - _RIGHT) / 2, y=_HEIGHT - 8, text_anchor="middle"))
    parts.append(el("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y(100), y2=y(100), class_="limit"))
    for trial in trials:
        label = el("title", f"{trial.stations} stations: {trial.word}, {trial.strain:.0%} of the limit")
        parts.append(
            el("circle", label, cx=x(trial.stations), cy=y(min(trial.strain, used) * 100), r=5.0, class_=trial.word)
        )
    return drawing(_WIDTH, _HEIGHT, *parts, title="Strain of the objectives by number of stations")


def _row(number: int, trial: Trial) -> str:
    why = trial.reasons if trial.word == "generator" else trial.missed
    word = f"generator {trial.generator}" if trial.word == "generator" else trial.word
    link = f'<a href="{escape(trial.folder)}/report.html">{number}</a>' if trial.folder else str(number)
    numbers = (
        f"{trial.calls_per_s:,.1f}",
        f"{trial.failed_per_s:,.1f}",
        "" if trial.p50_ms is None else f"{trial.p50_ms:,.1f}",
        "" if trial.p99_ms is None else f"{trial.p99_ms:,.1f}",
        f"{trial.strain:.0%}",
    )
    cells = "".join(f'<td class="num">{text}</td>' for text in numbers)
    return (
        f'<tr><td class="num">{link}</td><td class="num">{trial.stations}</td>'
        f'<td class="{trial.word}">{escape(word)}</td>{cells}<td>{"<br>".join(escape(line) for line in why)}</td></tr>'
    )
