"""Numbers, times and verdicts in the words that every report uses."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from evidence.run_model import CaseResult, InteropRun, LoadRun, Run, RunTarget, SloResult
from evidence.verdicts import Verdict
from ocppj.messages import encode_json

__all__ = [
    "ATTENTION",
    "VERDICT_ORDER",
    "case_group",
    "count",
    "duration",
    "measured",
    "milliseconds",
    "number",
    "parties",
    "percent",
    "plain",
    "plural",
    "run_seconds",
    "signed_percent",
    "target_name",
    "target_title",
    "verdict_counts",
    "verdict_words",
    "versions",
    "when",
    "workload_title",
]

VERDICT_ORDER = (
    Verdict.FAILED,
    Verdict.XPASS,
    Verdict.INCONCLUSIVE,
    Verdict.NON_STRICT,
    Verdict.XFAIL,
    Verdict.INFORMATIONAL,
    Verdict.OK,
    Verdict.NOT_APPLICABLE,
)
"""Verdicts by how much a reader needs to see them."""

ATTENTION = frozenset({Verdict.FAILED, Verdict.XPASS, Verdict.INCONCLUSIVE, Verdict.NON_STRICT})
"""Verdicts that somebody should act on."""

verdict_words = {
    Verdict.OK: "kept every rule that was checked",
    Verdict.NON_STRICT: "works, but misses a recommendation or shows a tolerated deviation",
    Verdict.INFORMATIONAL: "has no rule; it records what the CSMS does",
    Verdict.FAILED: "found that the CSMS breaks a rule of the specification",
    Verdict.NOT_APPLICABLE: "could not be run here, for the given reason",
    Verdict.INCONCLUSIVE: "could not be judged, because the set-up, an order to the CSMS or its control check failed",
    Verdict.XFAIL: "fails, as the expectations file declares",
    Verdict.XPASS: "was declared as failing but passes, so the expectations file is out of date",
}
"""What each verdict means, as the rest of a sentence that begins with: the case."""

_NO_VALUE = "–"


def case_group(case: CaseResult) -> str:
    """Name the group that a case is shown in: its certification profile, or its block where it is of our own."""
    return case.certification or f"own cases: {case.block or case.profile or 'others'}"


def verdict_counts(cases: Iterable[CaseResult]) -> dict[Verdict, int]:
    """Count the cases of each verdict, the most needed to be seen first; verdicts that no case has are left out."""
    counts = Counter(case.verdict for case in cases)
    return {verdict: counts[verdict] for verdict in VERDICT_ORDER if counts[verdict]}


def count(value: float) -> str:
    """Write a count with separators of thousands."""
    return f"{value:,.0f}"


def number(value: float, digits: int = 3) -> str:
    """Write a number with so many significant digits and no exponent."""
    if not math.isfinite(value):
        return _NO_VALUE
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def milliseconds(value: float | None) -> str:
    """Write a latency of so many ms with three significant digits and the unit that fits."""
    if value is None or not math.isfinite(value):
        return _NO_VALUE
    if abs(value) >= 1000:  # noqa: PLR2004 - ms in a second
        return f"{number(value / 1000)} s"
    if 0 < abs(value) < 1:
        return f"{number(value * 1000)} µs"
    return f"{number(value)} ms"


def percent(share: float) -> str:
    """Write a share of 0 to 1; what is neither none nor all never reads 0 % or 100 %."""
    if not math.isfinite(share):
        return _NO_VALUE
    text = f"{share * 100:.1f}"
    if share > 0 and text == "0.0":
        return "< 0.1 %"
    if share < 1 and text == "100.0":
        return "> 99.9 %"
    return f"{text.removesuffix('.0')} %"


def signed_percent(change: float) -> str:
    """Write a relative change with its sign."""
    return f"{change * 100:+.1f} %" if math.isfinite(change) else _NO_VALUE


def plural(amount: int, one: str, many: str = "") -> str:
    """Write an amount with the noun that fits it."""
    return f"{count(amount)} {one if amount == 1 else many or one + 's'}"


def plain(value: Any, longest: int = 600) -> str:
    """Write a JSON value of `run.json` as text: words as they are, anything else as JSON; both bounded in length."""
    text = value if isinstance(value, str) else encode_json(value)
    return text if len(text) <= longest else f"{text[:longest]}… ({count(len(text))} characters)"


def duration(seconds: float | None) -> str:
    """Write a length of time with the unit that fits."""
    if seconds is None or not math.isfinite(seconds):
        return _NO_VALUE
    if seconds < 1:
        return f"{number(max(seconds, 0.0) * 1000)} ms"
    if seconds < 60:  # noqa: PLR2004 - seconds in a minute
        return f"{number(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def measured(result: SloResult, digits: int = 4) -> str:
    """Write what was measured for an objective, with its unit."""
    if result.value is None:
        return "no value"
    calls = "" if result.n is None else f" of {plural(result.n, 'call')}"
    few = ", too few to decide" if result.undecided else ""
    return f"{number(result.value, digits)} {result.unit}".rstrip() + calls + few


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def run_seconds(run: Run) -> float | None:
    """Measure a run from its two time stamps; None when one of them is missing or no time."""
    started, finished = _moment(run.started), _moment(run.finished)
    if started is None or finished is None or (started.tzinfo is None) != (finished.tzinfo is None):
        return None
    return max(0.0, (finished - started).total_seconds())


def when(text: str) -> str:
    """Write a time stamp of `run.json` as date and time in UTC; any other text stays as it is."""
    moment = _moment(text)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else text


def parties(run: InteropRun | LoadRun) -> list[tuple[str, str]]:
    """Name the CSMS, the tester and the laboratory, as far as somebody wrote them down."""
    named = [("CSMS", f"{run.target.name} {run.target.version}".strip()), ("Label", run.label)]
    if isinstance(run, InteropRun):
        named += [("Tester", run.tester), ("Laboratory", run.laboratory)]
    return [(name, value) for name, value in named if value]


def versions(run: InteropRun | LoadRun) -> str:
    """Name the OCPP versions of a run."""
    return f"OCPP {', '.join(run.target.ocpp)}" if run.target.ocpp else "OCPP"


# A practice CSMS that a run starts itself listens on whatever port is free.
_OWN_PORT = re.compile(r"(?<=//)(127\.\d+\.\d+\.\d+|localhost):\d+")


def target_name(url: str) -> str:
    """Name a CSMS by its URL; a practice CSMS is the same one on whatever port it was started."""
    return _OWN_PORT.sub(r"\1", url)


def target_title(target: RunTarget) -> str:
    """Name a CSMS by its name, where somebody wrote it down, and its URL."""
    url = target_name(target.url)
    return f"{target.name} ({url})" if target.name else url


def workload_title(settings: Mapping[str, Any]) -> str:
    """Say in short what the stations of a load run did: profile, stations, length."""
    stages = settings.get("stages")
    words = [settings.get("plugstorm-profile", "quick")]
    words += [f"stages {stages}"] if stages else []
    if not stages:
        words += [f"{settings['stations']} stations"] if settings.get("stations") else []
        words += [str(settings["duration"])] if settings.get("duration") else []
    return ", ".join(map(str, words))
