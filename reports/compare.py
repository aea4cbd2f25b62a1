"""What changed between two runs, and whether it got worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from evidence import exit_codes
from evidence.run_folder import read_run
from evidence.run_model import CaseResult, InteropRun, LoadRun, Run
from evidence.verdicts import RunVerdict, Verdict
from ocppj.errors import UsageError
from reports.compare_bases import against_all
from reports.compare_load import Change, Trend, compare_load
from reports.facts import facts
from reports.words import target_name

__all__ = [
    "BEHAVIOUR",
    "CaseChange",
    "CaseTrend",
    "Change",
    "Comparison",
    "Trend",
    "compare",
    "compare_runs",
    "compare_with_all",
    "differences",
    "settings_that_count",
]


class CaseTrend(StrEnum):
    """What became of a case."""

    WORSE = "worse"
    BETTER = "better"
    CHANGED = "changed"
    """Another word for the same behaviour, or a change that the expectations file declares."""
    LOST = "no longer judged"
    NEW = "newly judged"


class CaseChange(msgspec.Struct, frozen=True, kw_only=True):
    """One case whose verdict is another than before; None where the run did not hold it."""

    id: str
    ocpp: str
    title: str
    before: Verdict | None
    after: Verdict | None
    kept: CaseTrend
    reason: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two runs side by side."""

    kind: Literal["interop", "load"]
    base: str
    new: str
    regressed: bool
    conclusive: bool
    """Whether the two runs allow a statement at all."""
    warnings: tuple[str, ...]
    """What makes the comparison less fair: other settings, another environment, a strained generator."""
    cases: tuple[CaseChange, ...] = ()
    changes: tuple[Change, ...] = ()
    """Figures of a load run, those that got worse first; figures within the noise are there, too."""
    compared: int = 0
    """Cases or figures that both runs hold."""
    baseline: str = ""
    """Which runs were to be the base, such as `tag:1.4`; empty where they were named."""
    base_runs: int = 1
    new_runs: int = 1

    @property
    def exit_code(self) -> int:
        """The exit code of `plugstorm compare`."""
        if self.regressed:
            return exit_codes.FAILED
        return exit_codes.PASSED if self.conclusive else exit_codes.INVALID


def compare(base: Path, new: Path, *, tolerance: float = 0.10, floor_ms: float = 0.5) -> Comparison:
    """Compare two run folders; raises `UsageError` when one holds no readable run or they are of different kinds.

    A latency counts as changed when it moved by more than `tolerance` (a share) and `floor_ms`, and its noise ranges
    in the two runs do not touch.
    """
    return compare_runs((base, read_run(base)), (new, read_run(new)), tolerance=tolerance, floor_ms=floor_ms)


def compare_with_all(bases: Sequence[Path], new: Path, *, tolerance: float = 0.10, floor_ms: float = 0.5) -> Comparison:
    """Compare a load run with several that came before it, which tell by themselves what is noise.

    A base whose load generator was INVALID, or that has no verdict, is left out where there is another. Raises
    `UsageError` as `compare` does, and for several interop runs.
    """
    if len(bases) == 1:
        return compare(bases[0], new, tolerance=tolerance, floor_ms=floor_ms)
    after, before = read_run(new), [(base, read_run(base)) for base in bases]
    if not isinstance(after, LoadRun) or not all(isinstance(run, LoadRun) for _, run in before):
        raise UsageError("Only load runs are compared with several bases; name one BASE, or load runs only")
    sound = [(base, run) for base, run in before if run.verdict in _JUDGED] or before
    each = [compare_runs(pair, (new, after), tolerance=tolerance, floor_ms=floor_ms) for pair in sound]
    changes = against_all([one.changes for one in each])
    left_out = [
        f"{base} is left out: its verdict is {run.verdict}." for base, run in before if (base, run) not in sound
    ]
    return Comparison(
        kind="load",
        base=", ".join(str(base) for base, _ in sound),
        new=str(new),
        regressed=any(change.direction is Trend.WORSE for change in changes),
        conclusive=_is_conclusive([*(run for _, run in sound), after], changes),
        warnings=tuple(dict.fromkeys((*left_out, *(warning for one in each for warning in one.warnings)))),
        changes=tuple(changes),
        compared=len(changes),
    )


def _is_conclusive(runs: Sequence[Run], changes: Sequence[Change]) -> bool:
    judged = all(run.verdict in _JUDGED for run in runs)
    return judged and bool(changes) and all(change.direction is not Trend.UNKNOWN for change in changes)


_JUDGED: Final = (RunVerdict.PASSED, RunVerdict.FAILED)


def compare_runs(
    base: tuple[Path, Run], new: tuple[Path, Run], *, tolerance: float = 0.10, floor_ms: float = 0.5
) -> Comparison:
    """Compare two runs that were read already; the folders are for the histograms."""
    before, after = base[1], new[1]
    if isinstance(before, InteropRun) and isinstance(after, InteropRun):
        return _compare_interop((base[0], before), (new[0], after))
    if isinstance(before, LoadRun) and isinstance(after, LoadRun):
        changes = compare_load((base[0], before), (new[0], after), tolerance=tolerance, floor_ms=floor_ms)
        return Comparison(
            kind="load",
            base=str(base[0]),
            new=str(new[0]),
            regressed=any(change.direction is Trend.WORSE for change in changes),
            conclusive=_is_conclusive((before, after), changes),
            warnings=differences(before, after),
            changes=tuple(changes),
            compared=len(changes),
        )
    raise UsageError(
        f"{base[0]} holds a {_kind(before)} run and {new[0]} a {_kind(after)} run; compare two runs of one kind"
    )


def _kind(run: Run) -> str:
    return "interop" if isinstance(run, InteropRun) else "load"


BEHAVIOUR: Final[Mapping[Verdict, int]] = {
    Verdict.OK: 0,
    Verdict.XPASS: 0,
    Verdict.INFORMATIONAL: 0,
    Verdict.NON_STRICT: 1,
    Verdict.FAILED: 2,
    Verdict.XFAIL: 2,
}
"""How bad a verdict is for the CSMS; verdicts that do not describe the CSMS are not in it."""
_KEPT_ORDER = tuple(CaseTrend)


def _compare_interop(base: tuple[Path, InteropRun], new: tuple[Path, InteropRun]) -> Comparison:
    before = {(case.ocpp, case.id): case for case in base[1].cases}
    after = {(case.ocpp, case.id): case for case in new[1].cases}
    changes = [
        change
        for key in dict.fromkeys((*before, *after))
        if (change := _case_change(before.get(key), after.get(key))) is not None
    ]
    changes.sort(key=lambda change: _KEPT_ORDER.index(change.kept))
    common = before.keys() & after.keys()
    return Comparison(
        kind="interop",
        base=str(base[0]),
        new=str(new[0]),
        regressed=any(change.kept is CaseTrend.WORSE for change in changes),
        conclusive=new[1].verdict is not RunVerdict.INCONCLUSIVE and bool(common),
        warnings=differences(base[1], new[1]),
        cases=tuple(changes),
        compared=len(common),
    )


def _case_change(before: CaseResult | None, after: CaseResult | None) -> CaseChange | None:
    old = before.verdict if before else None
    new = after.verdict if after else None
    if old == new:
        return None
    case = after or before
    assert case is not None
    return CaseChange(
        id=case.id,
        ocpp=case.ocpp,
        title=case.title,
        before=old,
        after=new,
        kept=_kept(old, new),
        reason=after.reason if after else "the new run does not contain this case",
    )


def _kept(old: Verdict | None, new: Verdict | None) -> CaseTrend:
    weight_before = None if old is None else BEHAVIOUR.get(old)
    weight_after = None if new is None else BEHAVIOUR.get(new)
    if weight_after is None:
        return CaseTrend.CHANGED if weight_before is None else CaseTrend.LOST
    if weight_before is None:
        return CaseTrend.NEW
    if weight_after < weight_before:
        return CaseTrend.BETTER
    if weight_after > weight_before and new is not Verdict.XFAIL:
        return CaseTrend.WORSE
    return CaseTrend.CHANGED


# -- can the two be compared? ----------------------------------------------------------------------------------------


def differences(before: Run, after: Run) -> tuple[str, ...]:
    """List what differs between two runs apart from the measurements."""
    warnings = _differing("setting", _asked(before), _asked(after))
    warnings += [
        f"The {name} run was interrupted." for name, run in (("base", before), ("new", after)) if run.interrupted
    ]
    for name, run in (("base", before), ("new", after)):
        if isinstance(run, LoadRun) and run.generator.verdict != "VALID":
            warnings.append(f"The load generator of the {name} run was {run.generator.verdict}.")
    warnings += _differing("target", _target(before), _target(after))
    warnings += _differing("environment", before.environment, after.environment)
    return tuple(warnings)


# These differ between two runs of the same test.
_BESIDE_THE_POINT = frozenset(
    {
        "out",
        "seed",
        "label",
        "url",
        "host",
        "csms_version",
        "control url",
        "control-url",
        "control_url",
        "metrics",
        "otlp",
        "metrics-label",
    }
)
# So do these where the run has started the practice CSMS itself.
_OF_OWN_CSMS = frozenset({"tls_url", "ca_file"})


def _target(run: Run) -> dict[str, Any]:
    return {"url": target_name(run.target.url), "ocpp": ", ".join(run.target.ocpp)}


def settings_that_count(settings: Mapping[str, Any], *, embedded: bool) -> dict[str, Any]:
    """Leave out the settings that differ between two runs of the same test; `embedded`: of the practice CSMS."""
    beside = _BESIDE_THE_POINT | (_OF_OWN_CSMS if embedded else frozenset())
    return {name: value for name, value in settings.items() if name not in beside}


def _asked(run: Run) -> dict[str, Any]:
    return settings_that_count(run.settings, embedded=isinstance(run, InteropRun) and run.embedded)


def _differing(what: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    old, new = dict(facts(before)), dict(facts(after))
    return [
        f"Different {what}: {name} {old.get(name, 'not set')} → {new.get(name, 'not set')}."
        for name in dict.fromkeys((*old, *new))
        if old.get(name) != new.get(name)
    ]
