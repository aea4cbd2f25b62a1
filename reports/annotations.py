"""What GitHub shows beside a job: one line a finding, in the form of its workflow commands.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

import msgspec

from evidence.redact import redact_text
from evidence.run_model import InteropRun, Run
from evidence.verdicts import Verdict
from evidence.visible import one_line
from reports.causes import causes
from reports.compare import Comparison
from reports.compare_load import Trend
from reports.compare_text import change_words
from reports.words import measured

__all__ = ["MOST", "Annotation", "of_comparison", "of_run", "workflow_commands"]

MOST: Final = 10
"""Annotations of one kind that GitHub takes from a step; what is more is dropped there."""
_LONGEST: Final = 400
_BAD: Final = {Verdict.FAILED: "error", Verdict.XPASS: "error", Verdict.INCONCLUSIVE: "warning"}

Level = Literal["error", "warning", "notice"]


class Annotation(msgspec.Struct, frozen=True):
    """One finding."""

    level: Level
    title: str
    text: str


def of_run(run: Run) -> list[Annotation]:
    """Return what went wrong in a run, the worst first."""
    return list(_of_suite(run) if isinstance(run, InteropRun) else _of_load(run))


def _of_suite(run: InteropRun) -> Iterator[Annotation]:
    for cause in causes(run.cases):
        level = _BAD.get(cause.verdict)
        if level is not None:
            title = f"{cause.verdict} {cause.names(3)}"
            yield Annotation("error" if level == "error" else "warning", title, cause.reason)


def _of_load(run: Run) -> Iterator[Annotation]:
    assert not isinstance(run, InteropRun)
    for symptom in run.symptoms:
        yield Annotation("error", "Symptom of the CSMS", symptom.says)
    for slo in run.slo:
        if not slo.passed:
            level: Level = "warning" if slo.undecided else "error"
            word = "undecided" if slo.undecided else "missed"
            yield Annotation(level, f"Objective {word}", f"{slo.expr}: {measured(slo)}")
    if run.generator.verdict != "VALID":
        text = " ".join(run.generator.reasons)
        yield Annotation("warning", f"The load generator was {run.generator.verdict}", text)


def of_comparison(comparison: Comparison) -> list[Annotation]:
    """Return what got worse; where nothing can be said, why."""
    found = [
        Annotation("error", f"Regression: {change.name} {change.figure}", change_words(change))
        for change in comparison.changes
        if change.direction is Trend.WORSE
    ]
    found += [
        Annotation("error", f"Regression: {case.ocpp} {case.id} is {case.after}", case.reason)
        for case in comparison.cases
        if case.kept.value == Trend.WORSE.value
    ]
    if not found and not comparison.conclusive:
        found += [Annotation("warning", "No conclusion", warning) for warning in comparison.warnings[:1]]
    return found


def workflow_commands(annotations: Sequence[Annotation]) -> list[str]:
    """Write annotations as lines that GitHub reads; of each level as many as it shows."""
    return [
        f"::{one.level} title={_property(one.title)}::{_data(one.text)}"
        for level in ("error", "warning", "notice")
        for one in _first(annotations, level)
    ]


def _first(annotations: Iterable[Annotation], level: str) -> list[Annotation]:
    found = [one for one in annotations if one.level == level]
    if len(found) <= MOST:
        return found
    more = Annotation(found[0].level, "And more", f"{len(found) - MOST + 1} more are in the report.")
    return [*found[: MOST - 1], more]


def _data(text: str) -> str:
    return one_line(redact_text(text), _LONGEST).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
