"""From the results of all cases to the run: expectations applied, counts, verdict, `run.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from pathlib import Path

import msgspec

from evidence.run_folder import RunFolder, describe_environment, describe_tool, read_run, read_trace, utc_now
from evidence.run_model import CaseResult, InteropRun, RunTarget
from evidence.verdicts import Verdict, run_verdict, weight
from interop_suite.catalogue import Case, all_cases
from interop_suite.claims.history import History
from interop_suite.run.judge import judge, latency_of
from interop_suite.run.options import Expectation, Settings
from ocppj.errors import UsageError
from ocppj.versions import Version

__all__ = ["apply_expectation", "counts_of", "describe_case", "merge_attempts", "rejudge", "write_interop_run"]


def apply_expectation(result: CaseResult, expectations: Mapping[str, Expectation]) -> CaseResult:
    """Turn a declared FAILED into XFAIL, and a declared case that passes into XPASS."""
    expectation = expectations.get(f"{result.ocpp}-{result.id}") or expectations.get(result.id)
    if expectation is None:
        return result
    if result.verdict is Verdict.FAILED:
        reason = f"declared: {expectation.reason} (seen: {result.reason})"
        return msgspec.structs.replace(result, verdict=Verdict.XFAIL, reason=reason)
    if result.verdict in (Verdict.OK, Verdict.NON_STRICT, Verdict.INFORMATIONAL):
        reason = f"declared as failing ({expectation.reason}), and passed: take it out of the expectations"
        return msgspec.structs.replace(result, verdict=Verdict.XPASS, reason=reason)
    return result


def merge_attempts(first: CaseResult, second: CaseResult) -> CaseResult:
    """Merge two attempts at a case: the worse one is told, every trace is kept, and a change of verdict is observed."""
    judged = first if weight(first.verdict) >= weight(second.verdict) else second
    seen = Counter(first.observations.get("verdicts") or [str(first.verdict)])
    seen[str(second.verdict)] += 1
    return msgspec.structs.replace(
        judged,
        attempts=[*first.attempts, *second.attempts],
        duration_ms=first.duration_ms + second.duration_ms,
        observations={**judged.observations, "verdicts": dict(seen)},
    )


def counts_of(results: Iterable[CaseResult]) -> dict[Verdict, int]:
    """Count the verdicts, every word present."""
    counts = dict.fromkeys(Verdict, 0)
    for result in results:
        counts[result.verdict] += 1
    return counts


def describe_case(case: Case) -> dict[str, str]:
    """Describe a case as `plugstorm interop --list --json` does."""
    return {
        "id": case.id,
        "ocpp": str(case.ocpp),
        "title": case.title,
        "level": str(case.level),
        "clause": str(case.clause),
        "profile": case.profile,
        "initiator": case.initiator,
        "defect": case.defect,
        "block": case.block,
        "sends": case.sends,
        "expects": case.expects,
        "needs": ", ".join(case.needs),
    }


def write_interop_run(
    folder: RunFolder,
    settings: Settings,
    results: Sequence[CaseResult],
    *,
    started: str,
    driver: str,
    interrupted: bool = False,
    secrets: frozenset[str] = frozenset(),
) -> InteropRun:
    """Write `run.json` of a run."""
    order = {case.key: index for index, case in enumerate(all_cases())}
    ordered = sorted(results, key=lambda result: order.get(f"{result.ocpp}-{result.id}", len(order)))
    ordered = [_with_latency(folder.path, result) for result in ordered]
    histories = [history for result in ordered for history in _histories(folder.path, result)]
    versions = sorted({result.ocpp for result in ordered})
    run = InteropRun(
        tool=describe_tool(),
        target=RunTarget(url=settings.url or "", ocpp=versions, driver=driver),
        started=started,
        finished=utc_now(),
        seed=None,
        environment=describe_environment(),
        verdict=run_verdict(result.verdict for result in ordered),
        interrupted=interrupted,
        settings={k: v for k, v in msgspec.to_builtins(settings).items() if v not in (None, [], {})},
        counts=counts_of(ordered),
        cases=list(ordered),
        latency_ms=latency_of(histories),
    )
    folder.write_run(run, secrets)
    return run


def _histories(path: Path, result: CaseResult) -> list[History]:
    return [History(read_trace(path / trace), Version(result.ocpp)) for trace in result.attempts if trace]


def _with_latency(path: Path, result: CaseResult) -> CaseResult:
    """Let the latencies of a repeated case speak of all its attempts."""
    if len(result.attempts) == 1:
        return result
    return msgspec.structs.replace(result, latency_ms=latency_of(_histories(path, result)))


def rejudge(path: Path) -> InteropRun:
    """Judge a finished run again from its traces alone and write the new `run.json`."""
    run = read_run(path)
    if not isinstance(run, InteropRun):
        raise UsageError(f"{path} is no interop run; only those have verdicts to judge again")
    cases = {case.key: case for case in all_cases()}
    strict_order = bool(run.settings.get("strict_order"))
    results = [_judge_again(path, result, cases, strict_order=strict_order) for result in run.cases]
    run = msgspec.structs.replace(
        run, cases=results, counts=counts_of(results), verdict=run_verdict(result.verdict for result in results)
    )
    RunFolder(path).write_run(run)
    return run


def _judge_again(path: Path, old: CaseResult, cases: Mapping[str, Case], *, strict_order: bool) -> CaseResult:
    case = cases.get(f"{old.ocpp}-{old.id}")
    traces = [trace for trace in old.attempts or [old.trace] if trace and (path / trace).exists()]
    if case is None or not traces:
        return old
    attempts = [
        msgspec.structs.replace(
            judge(case, History(read_trace(path / trace), case.ocpp), strict_order=strict_order),
            trace=trace,
            attempts=[trace],
        )
        for trace in traces
    ]
    new = _with_latency(path, reduce(merge_attempts, attempts))
    declared = old.verdict in (Verdict.XFAIL, Verdict.XPASS)
    if declared:
        new = apply_expectation(new, {case.key: Expectation(reason="as in the first judgement")})
    return msgspec.structs.replace(new, reproduce=old.reproduce)
