"""From the results of all cases to the run: expectations applied, counts, verdict, `run.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, reduce
from pathlib import Path

import msgspec

from evidence.run_folder import RunFolder, describe_environment, describe_tool, read_run, read_trace, utc_now
from evidence.run_model import FIRST_VERDICT, CaseResult, Coverage, InteropRun, RunTarget
from evidence.verdicts import RunVerdict, Verdict, run_verdict, weight
from interop_suite.catalogue import Case, all_cases
from interop_suite.claims.certification import place
from interop_suite.claims.history import History
from interop_suite.run.coverage import Layout
from interop_suite.run.features import Features, held_against_claim
from interop_suite.run.judge import judge, latency_of, service_times
from interop_suite.run.recorded import cases_of
from interop_suite.run.request import InteropRequest
from interop_suite.run.runner import Attempt
from interop_suite.run.selection import Expectation
from interop_suite.run.vital_signs import Loss, Suspicion, blame, culprits
from ocppj.errors import UsageError
from ocppj.versions import Version

__all__ = [
    "CaseOutcome",
    "apply_expectation",
    "counts_of",
    "describe_case",
    "merge_attempts",
    "name_the_culprit",
    "outcome_of",
    "recounted",
    "rejudge",
    "shown_result",
    "write_interop_run",
]


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


class CaseOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a case over all its attempts, and the service times that its latencies are made of."""

    result: CaseResult
    service_ms: dict[str, list[float]] = {}
    loss: Loss | None = None
    """What was seen of the CSMS afterwards, when it was gone."""


def outcome_of(attempt: Attempt) -> CaseOutcome:
    """Keep of an attempt what the run needs."""
    return CaseOutcome(result=attempt.result, service_ms=service_times(attempt.history))


def shown_result(outcome: CaseOutcome) -> CaseResult:
    """Return the result of a case as it looks at once, before it is known which other case may have ended the CSMS."""
    loss = outcome.loss
    return blame(outcome.result, loss.seen) if loss and loss.suspicion is not Suspicion.NONE else outcome.result


def name_the_culprit(outcomes: Mapping[str, CaseOutcome]) -> tuple[dict[str, CaseOutcome], str]:
    """Blame the case that ended the CSMS, and say in a sentence that it is gone; empty where it is not.

    Of several cases that ran at the same time and are as likely, none is FAILED: the run says to try them one by one.
    """
    losses = {key: outcome.loss for key, outcome in outcomes.items() if outcome.loss is not None}
    if not losses:
        return dict(outcomes), ""
    named = culprits(losses)
    seen = max(losses.values(), key=lambda loss: loss.suspicion).seen
    words = " or ".join(key.replace("-", " ", 1) for key in named)
    told = dict(outcomes)
    if len(named) == 1:
        (key,) = named
        told[key] = msgspec.structs.replace(told[key], result=blame(told[key].result, seen))
        return told, f"The CSMS is gone since case {words}: {seen}."
    for key in named:
        reason = f"the CSMS is gone since {words}, which ran at the same time ({seen}); run them again with --jobs 1"
        result = msgspec.structs.replace(told[key].result, verdict=Verdict.INCONCLUSIVE, reason=reason)
        told[key] = msgspec.structs.replace(told[key], result=result)
    return told, f"The CSMS is gone since case {words}: {seen}." if named else f"The CSMS is gone: {seen}."


def merge_attempts(first: CaseOutcome, second: CaseOutcome) -> CaseOutcome:
    """Merge attempts at a case: the worse one is told, every trace is kept, and a change of verdict is observed."""
    one, other = first.result, second.result
    judged = one if weight(one.verdict) >= weight(other.verdict) else other
    seen = Counter(one.observations.get("verdicts") or [str(one.verdict)])
    seen[str(other.verdict)] += 1
    times = {
        action: [*first.service_ms.get(action, ()), *second.service_ms.get(action, ())]
        for action in {**first.service_ms, **second.service_ms}
    }
    result = msgspec.structs.replace(
        judged,
        attempts=[*one.attempts, *other.attempts],
        duration_ms=one.duration_ms + other.duration_ms,
        observations={**judged.observations, "verdicts": dict(seen)},
        latency_ms=latency_of([times]),
    )
    return CaseOutcome(result=result, service_ms=times, loss=second.loss or first.loss)


def counts_of(results: Iterable[CaseResult]) -> dict[Verdict, int]:
    """Count the verdicts, every word present."""
    counts = dict.fromkeys(Verdict, 0)
    for result in results:
        counts[result.verdict] += 1
    return counts


def describe_case(case: Case) -> dict[str, str]:
    """Describe a case as `plugstorm interop --list --json` does."""
    row = case.listed
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
        "certification": case.certification,
        "withdrawn": "" if row is None else row.withdrawn,
    }


def write_interop_run(
    folder: RunFolder,
    request: InteropRequest,
    outcomes: Sequence[CaseOutcome],
    *,
    started: str,
    driver: str,
    interrupted: bool = False,
    secrets: frozenset[str] = frozenset(),
    planned: int | None = None,
    complete: bool = True,
    stopped_early: str = "",
    features: Features | None = None,
    embedded: bool = False,
) -> InteropRun:
    """Write `run.json` of a run, and return it: without its secrets once it is `complete`.

    It is not `complete` while cases are still to come: then nobody may read it as passed.
    """
    results = sorted((outcome.result for outcome in outcomes), key=lambda result: place(result.ocpp, result.id))
    run = InteropRun(
        tool=describe_tool(),
        target=RunTarget(
            url=request.url or "",
            ocpp=sorted({result.ocpp for result in results}),
            driver=driver,
            dialect=request.spoken_dialect,
            name=request.csms_name or "",
            version=request.csms_version or "",
        ),
        started=started,
        finished=utc_now(),
        seed=None,
        environment=describe_environment(),
        verdict=_verdict_of(results, complete=complete and not stopped_early),
        interrupted=interrupted,
        settings={k: v for k, v in msgspec.to_builtins(request).items() if v not in (None, (), {})},
        counts=counts_of(results),
        cases=results,
        latency_ms=latency_of(outcome.service_ms for outcome in outcomes),
        planned=len(results) if planned is None else planned,
        complete=complete,
        stopped_early=stopped_early,
        features=None if features is None else {str(version): claims for version, claims in features.items()},
        coverage=_coverage(results),
        embedded=embedded,
        tester=request.tester or "",
        laboratory=request.laboratory or "",
        label=request.label or "",
    )
    if complete:
        return folder.write_run(run, secrets)
    folder.save_run(run, secrets)
    return run


def recounted(run: InteropRun) -> InteropRun:
    """Count the coverage of a run that was cut again: its last cases came after it was counted."""
    return msgspec.structs.replace(run, coverage=_coverage(run.cases)) if run.coverage and not run.complete else run


def _coverage(results: Sequence[CaseResult]) -> list[Coverage]:
    return _layout(frozenset(Version(result.ocpp) for result in results)).counted(results)


# A run is written again and again while it goes.
@cache
def _layout(versions: frozenset[Version]) -> Layout:
    return Layout(all_cases(), versions)


def _verdict_of(results: Iterable[CaseResult], *, complete: bool) -> RunVerdict:
    """Merge the cases; of a run that was not brought to its end nobody knows that it passes."""
    verdict = run_verdict(result.verdict for result in results)
    return RunVerdict.INCONCLUSIVE if verdict is RunVerdict.PASSED and not complete else verdict


def rejudge(path: Path) -> InteropRun:
    """Judge a finished run again from its traces alone and write the new `run.json`."""
    run = read_run(path)
    if not isinstance(run, InteropRun):
        raise UsageError(f"{path} is not an interop run; only those have verdicts to judge again")
    cases = {case.key: case for case in cases_of(run.settings.get("recorded", ()))}
    strict_order = bool(run.settings.get("strict_order"))
    features = None if run.features is None else {Version(name): claims for name, claims in run.features.items()}
    results = [_judge_again(path, result, cases, strict_order=strict_order, features=features) for result in run.cases]
    run = msgspec.structs.replace(
        run,
        cases=results,
        counts=counts_of(results),
        verdict=_verdict_of(results, complete=run.complete and not run.stopped_early),
        coverage=_coverage(results),
    )
    return RunFolder(path).write_run(run)


def _judge_again(
    path: Path, old: CaseResult, cases: Mapping[str, Case], *, strict_order: bool, features: Features | None
) -> CaseResult:
    case = cases.get(f"{old.ocpp}-{old.id}")
    traces = [trace for trace in old.attempts or [old.trace] if trace and (path / trace).exists()]
    if case is None or not traces:
        return old
    attempts = []
    for trace in traces:
        history = History(read_trace(path / trace), case.ocpp)
        result = judge(case, history, strict_order=strict_order)
        result = msgspec.structs.replace(result, trace=trace, attempts=[trace])
        attempts.append(outcome_of(Attempt(result=result, history=history)))
    new = held_against_claim(reduce(merge_attempts, attempts).result, features, case, None)
    if "csms_gone" in old.observations:
        # The traces end before the CSMS was found to be gone.
        new = blame(new, str(old.observations["csms_gone"]))
    declared = old.verdict in (Verdict.XFAIL, Verdict.XPASS)
    if declared:
        new = apply_expectation(new, {case.key: Expectation(reason="as in the first judgement")})
    first = old.observations.get(FIRST_VERDICT)
    if first is None and new.verdict is not old.verdict:
        first = str(old.verdict)
    if first is not None:
        new = msgspec.structs.replace(new, observations={**new.observations, FIRST_VERDICT: first})
    return msgspec.structs.replace(new, reproduce=old.reproduce)
