"""An interop run, prepared for the page: everything that a template shows and no decision left to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from markupsafe import Markup

from evidence.run_model import CaseResult, InteropRun, Latency
from evidence.verdicts import Verdict
from reports.causes import Cause, causes
from reports.charts import Part, Table, share_bar
from reports.coverage import CoverageRow, Reason, coverage_rows, ids_without_case, unapplied, untried
from reports.frames import COMPACT, FULL, Budget, FrameView, TraceView, gaps, view_trace
from reports.headline import Headline, headline
from reports.sequence import focused, sequence_svg
from reports.words import (
    ATTENTION,
    VERDICT_ORDER,
    case_group,
    count,
    duration,
    milliseconds,
    plain,
    verdict_counts,
    verdict_words,
)

__all__ = ["CaseView", "CauseView", "CheckView", "GroupView", "InteropView", "LegendEntry", "view_interop"]

_OPEN = ATTENTION | {Verdict.XFAIL, Verdict.INFORMATIONAL}
"""Verdicts whose cases stand open; the others are one line with their reason."""


class CheckView(msgspec.Struct, frozen=True, kw_only=True):
    """One claim and what was there."""

    verdict: str
    claim: str
    actual: str
    clause: str
    line: int | None
    """Line of the trace that shows it."""
    shown: bool
    """Whether that line is on the page."""


class CaseView(msgspec.Struct, frozen=True, kw_only=True):
    """One case, ready to be shown."""

    anchor: str
    result: CaseResult
    is_open: bool
    full: bool
    """Whether the trace is shown with its diagram, or in short."""
    took: str
    checks: tuple[CheckView, ...]
    more_checks: int
    """How many findings are left out."""
    expected: tuple[str, ...]
    """Claims that no finding speaks of."""
    actual: tuple[str, ...]
    observations: tuple[tuple[str, str], ...]
    latency: Table | None
    trace: TraceView | None
    svg: Markup | None
    notes: Mapping[int, tuple[CheckView, ...]]
    """What is wrong with a line of the trace."""
    marked: Mapping[int, str]
    """Class of the style sheet for a line that a finding speaks of."""
    gaps: Mapping[int, int]
    files: tuple[tuple[str, str], ...]
    """Name and address of the trace file of every attempt."""

    def frame_anchor(self, frame: FrameView) -> str:
        """Name a frame's place on the page."""
        return f"{self.anchor}-f{frame.line}"


class GroupView(msgspec.Struct, frozen=True, kw_only=True):
    """The cases of one certification profile in one version, or of one block of our own."""

    anchor: str
    ocpp: str
    profile: str
    counts: Mapping[Verdict, int]
    bar: Markup
    cases: tuple[CaseView, ...]


class CauseView(msgspec.Struct, frozen=True, kw_only=True):
    """One reason with the cases that it is the reason of, of which the last ones may be left out."""

    cause: Cause
    cases: tuple[CaseView, ...]
    more: int


class LegendEntry(msgspec.Struct, frozen=True):
    """One verdict with its count and meaning."""

    verdict: Verdict
    count: int
    meaning: str


class InteropView(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run, ready to be shown."""

    kind: str = "interop"
    prefix: str
    name: str
    run: InteropRun
    headline: Headline
    legend: tuple[LegendEntry, ...]
    bar: Markup
    columns: tuple[Verdict, ...]
    groups: tuple[GroupView, ...]
    coverage: tuple[CoverageRow, ...]
    links: Mapping[tuple[str, str], str]
    """Anchor of a group by version and name."""
    missing: tuple[tuple[str, tuple[str, ...]], ...]
    """Versions with the ids of the certification list that have no case."""
    unapplied: tuple[Reason, ...]
    untried: tuple[str, ...]
    """What is claimed, and the run was not about."""
    attention: tuple[CauseView, ...]
    latency: Table | None


def view_interop(
    folder: Path, run: InteropRun, *, prefix: str, name: str, href: Callable[[str], str], budget: Budget
) -> InteropView:
    """Prepare a run; `href` gives the address of a file of the run folder as seen from the page."""
    weight = {verdict: place for place, verdict in enumerate(VERDICT_ORDER)}
    numbered = list(enumerate(run.cases))
    # What needs attention takes its share of the page first.
    views = {
        index: _case(folder, case, f"{prefix}c{index}", href, budget)
        for index, case in sorted(numbered, key=lambda pair: weight[pair[1].verdict])
    }
    counts = verdict_counts(run.cases)
    members: dict[tuple[str, bool, str], list[CaseView]] = {}
    for index, case in numbered:
        members.setdefault((case.ocpp, not case.certification, case_group(case)), []).append(views[index])
    versions = list(dict.fromkeys(case.ocpp for case in run.cases))
    in_order = sorted(members.items(), key=lambda item: (versions.index(item[0][0]), item[0][1]))
    groups = tuple(
        GroupView(
            anchor=f"{prefix}g{index}",
            ocpp=ocpp,
            profile=profile,
            counts=verdict_counts(view.result for view in cases),
            bar=_bar(f"OCPP {ocpp} {profile}", verdict_counts(view.result for view in cases)),
            cases=tuple(cases),
        )
        for index, ((ocpp, _, profile), cases) in enumerate(in_order)
    )
    return InteropView(
        prefix=prefix,
        name=name,
        run=run,
        headline=headline(run),
        legend=tuple(LegendEntry(verdict, amount, verdict_words[verdict]) for verdict, amount in counts.items()),
        bar=_bar("Cases by verdict", counts),
        columns=tuple(counts),
        groups=groups,
        coverage=tuple(coverage_rows(run.coverage)),
        links={(group.ocpp, group.profile): group.anchor for group in groups},
        missing=tuple(ids_without_case(run.coverage)),
        unapplied=tuple(unapplied(run.cases)),
        untried=tuple(untried(run.coverage, run.features)),
        attention=_attention(run.cases, views),
        latency=_latency(run.latency_ms),
    )


_MOST_LINKS = 40
"""Cases of one cause that have a link of their own."""


def _attention(cases: Sequence[CaseResult], views: Mapping[int, CaseView]) -> tuple[CauseView, ...]:
    place = {id(case): index for index, case in enumerate(cases)}
    return tuple(
        CauseView(
            cause=cause,
            cases=tuple(views[place[id(case)]] for case in cause.cases[:_MOST_LINKS]),
            more=max(0, len(cause.cases) - _MOST_LINKS),
        )
        for cause in causes(cases)
    )


def _bar(title: str, counts: Mapping[Verdict, int]) -> Markup:
    return share_bar(title, [Part(verdict, f"v-{verdict}", amount) for verdict, amount in counts.items()])


def _case(folder: Path, case: CaseResult, anchor: str, href: Callable[[str], str], budget: Budget) -> CaseView:
    every = sorted(map(_Finding.read, case.findings), key=lambda finding: finding.weight)
    findings = _without_repeats(every)[:_MOST_FINDINGS]
    marked = _marked(findings)
    is_open = case.verdict in _OPEN
    detail = budget.detail(FULL if is_open else COMPACT)
    trace = view_trace(folder, case.trace, marked=marked, detail=detail) if detail and case.trace else None
    if trace is not None:
        budget.spend(trace)
    shown = {frame.line for frame in trace.frames} if trace else set()
    checks = tuple(_check(finding, shown) for finding in findings)
    spoken_of = {finding.claim for finding in every}
    full = detail is FULL and trace is not None and bool(trace.frames)
    return CaseView(
        anchor=anchor,
        result=case,
        is_open=is_open,
        full=full,
        took=duration(case.duration_ms / 1000),
        checks=checks,
        more_checks=len(_without_repeats(every)) - len(checks),
        expected=tuple(claim for claim in case.expected if claim not in spoken_of),
        actual=() if checks else tuple(case.actual),
        observations=tuple((key, plain(value)) for key, value in case.observations.items()),
        latency=_latency(case.latency_ms),
        trace=trace,
        svg=_diagram(trace, marked, anchor, case) if full and trace else None,
        notes=_notes(checks),
        marked=marked,
        gaps=gaps([frame.line for frame in trace.frames]) if trace else {},
        files=tuple((name, href(name)) for name in (case.attempts or [case.trace]) if name),
    )


def _marked(findings: Sequence[_Finding]) -> dict[int, str]:
    """Give each line that a finding speaks of the look of the weightiest of them."""
    marked: dict[int, str] = {}
    for finding in findings:
        if finding.frame is not None and finding.known and finding.verdict != Verdict.OK:
            marked.setdefault(finding.frame, f"v-{finding.verdict}")
    return marked


def _diagram(trace: TraceView, marked: Mapping[int, str], anchor: str, case: CaseResult) -> Markup:
    links = {frame.line: f"#{anchor}-f{frame.line}" for frame in trace.frames}
    return sequence_svg(
        focused(trace.diagram, marked), marked=marked, links=links, title=f"Message sequence of {case.id}"
    )


def _notes(checks: tuple[CheckView, ...]) -> dict[int, tuple[CheckView, ...]]:
    notes: dict[int, tuple[CheckView, ...]] = {}
    for check in checks:
        if check.line is not None and check.verdict != Verdict.OK:
            notes[check.line] = (*notes.get(check.line, ()), check)
    return notes


_MOST_FINDINGS = 30
"""Findings of one case that are shown: a CSMS that floods a station with nonsense makes thousands."""


def _without_repeats(findings: Sequence[_Finding]) -> list[_Finding]:
    """Keep one of all findings that say of one claim that it holds, and every other finding."""
    seen: set[str] = set()
    kept = []
    for finding in findings:
        if finding.verdict == Verdict.OK:
            if finding.claim in seen:
                continue
            seen.add(finding.claim)
        kept.append(finding)
    return kept


_VERDICTS = frozenset(map(str, Verdict))


class _Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding of `run.json`, whatever another tool may have put there."""

    verdict: str
    claim: str
    actual: str
    clause: str
    frame: int | None

    @classmethod
    def read(cls, finding: Mapping[str, Any]) -> _Finding:
        frame = finding.get("frame")
        return cls(
            verdict=plain(finding.get("verdict", "")),
            claim=plain(finding.get("claim", "")),
            actual=plain(finding.get("actual", "")),
            clause=plain(finding.get("clause") or ""),
            frame=frame if isinstance(frame, int) and not isinstance(frame, bool) else None,
        )

    @property
    def weight(self) -> int:
        """The place of this finding in the list."""
        return VERDICT_ORDER.index(Verdict(self.verdict)) if self.known else len(VERDICT_ORDER)

    @property
    def known(self) -> bool:
        """Whether the verdict is one of ours."""
        return self.verdict in _VERDICTS


def _check(finding: _Finding, shown: set[int]) -> CheckView:
    return CheckView(
        verdict=finding.verdict,
        claim=finding.claim,
        actual=finding.actual,
        clause=finding.clause,
        line=finding.frame,
        shown=finding.frame in shown,
    )


def _latency(latency: Mapping[str, Latency]) -> Table | None:
    if not latency:
        return None
    rows = tuple(
        (action, count(one.count), *(milliseconds(value) for value in (one.p50, one.p95, one.p99, one.max)))
        for action, one in sorted(latency.items(), key=lambda pair: -pair[1].p99)
    )
    return Table(("action", "answers", "p50", "p95", "p99", "max"), rows)
