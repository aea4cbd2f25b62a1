"""Coverage of the certification list in words and rows: by version, profile and block, and our own cases apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from evidence.run_model import CaseResult, Claims, Coverage
from evidence.verdicts import Verdict
from reports.words import VERDICT_ORDER, plural

__all__ = ["CoverageRow", "Reason", "coverage_rows", "ids_without_case", "passed", "sentences", "unapplied", "untried"]

_PASSED = frozenset({Verdict.OK, Verdict.NON_STRICT, Verdict.INFORMATIONAL})
"""Verdicts that break no rule."""
OWN = "own cases"


class CoverageRow(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the table: a profile or all cases of our own, or one block of it."""

    ocpp: str
    name: str
    listed: bool
    is_block: bool
    ids: int
    exist: int
    withdrawn: int
    counts: dict[Verdict, int]

    @property
    def passed(self) -> int:
        """How many cases broke no rule."""
        return passed(self.counts)


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why some cases did not apply."""

    reason: str
    cases: tuple[CaseResult, ...]


def passed(counts: dict[Verdict, int]) -> int:
    """Count the cases that broke no rule."""
    return sum(amount for verdict, amount in counts.items() if verdict in _PASSED)


def coverage_rows(coverage: Sequence[Coverage]) -> list[CoverageRow]:
    """Sum up the blocks of each profile, and put each sum before its blocks; a profile with one block has one line."""
    groups: dict[tuple[str, str], list[Coverage]] = {}
    for row in coverage:
        groups.setdefault((row.ocpp, row.profile), []).append(row)
    rows = []
    for (ocpp, profile), blocks in groups.items():
        rows.append(_row(ocpp, profile or OWN, blocks, is_block=False))
        if len(blocks) > 1 or not profile:
            rows.extend(_row(ocpp, block.block, [block], is_block=True) for block in blocks)
    return rows


def _row(ocpp: str, name: str, blocks: Sequence[Coverage], *, is_block: bool) -> CoverageRow:
    counts: Counter[Verdict] = Counter()
    for block in blocks:
        counts.update(block.counts)
    return CoverageRow(
        ocpp=ocpp,
        name=name,
        listed=bool(blocks[0].profile),
        is_block=is_block,
        ids=sum(block.ids for block in blocks),
        exist=sum(block.exist for block in blocks),
        withdrawn=sum(len(block.withdrawn) for block in blocks),
        counts={verdict: counts[verdict] for verdict in VERDICT_ORDER if counts[verdict]},
    )


def sentences(coverage: Sequence[Coverage], *, judged: bool = False) -> list[str]:
    """Say of each profile how many ids of the list exist and passed, and the same of our own cases.

    With `judged` only of those that the run was about.
    """
    return [_sentence(row) for row in coverage_rows(coverage) if not row.is_block and (row.counts or not judged)]


def _sentence(row: CoverageRow) -> str:
    told = f", {row.passed} passed" if row.counts else ""
    for verdict, word in ((Verdict.FAILED, "failed"), (Verdict.NOT_APPLICABLE, "not applicable")):
        told += f", {row.counts[verdict]} {word}" if row.counts.get(verdict) else ""
    if not row.listed:
        return f"OCPP {row.ocpp} own cases: {row.exist}{told}"
    gone = f" ({row.withdrawn} withdrawn, not counted)" if row.withdrawn else ""
    return f"OCPP {row.ocpp} {row.name}: {row.exist} of {plural(row.ids, 'list id')} exist{told}{gone}"


def ids_without_case(coverage: Sequence[Coverage]) -> list[tuple[str, tuple[str, ...]]]:
    """List by version the ids of the certification list that the suite has no case for."""
    missing: dict[str, list[str]] = {}
    for row in coverage:
        missing.setdefault(row.ocpp, []).extend(row.missing)
    return [(version, tuple(ids)) for version, ids in missing.items() if ids]


def untried(coverage: Sequence[Coverage], claims: Mapping[str, Claims] | None) -> list[str]:
    """Say of each certification profile that is claimed how many ids of its list the run was not about."""
    claimed = {(version, profile) for version, each in (claims or {}).items() for profile in each.profiles}
    profiles = [row for row in coverage_rows(coverage) if not row.is_block and (row.ocpp, row.name) in claimed]
    left = [(row, row.ids - sum(row.counts.values())) for row in profiles]
    return [f"OCPP {row.ocpp} {row.name}, {ids} of {plural(row.ids, 'list id')}" for row, ids in left if ids > 0]


def unapplied(cases: Iterable[CaseResult]) -> list[Reason]:
    """Group the cases that did not apply by their reason, the most frequent one first."""
    groups: dict[str, list[CaseResult]] = {}
    for case in cases:
        if case.verdict is Verdict.NOT_APPLICABLE:
            groups.setdefault(case.reason, []).append(case)
    found = [Reason(reason=reason, cases=tuple(members)) for reason, members in groups.items()]
    return sorted(found, key=lambda reason: -len(reason.cases))
