"""The sentence that says how a run ended, for a reader who does not know Plugstorm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from evidence.lost_words import capital
from evidence.run_model import FIRST_VERDICT, InteropRun, LoadRun, Run
from evidence.verdicts import RunVerdict, Verdict
from reports.ledger_view import ledger_consequence
from reports.load_remarks import load_remarks
from reports.words import count, duration, plural, run_seconds, verdict_counts

__all__ = ["Headline", "Tone", "all_calls", "headline"]


class Tone(StrEnum):
    """How good the news is."""

    GOOD = "good"
    MIXED = "mixed"
    BAD = "bad"
    UNKNOWN = "unknown"


class Headline(msgspec.Struct, frozen=True):
    """The verdict in a word, the sentence, and what else a reader must know."""

    tone: Tone
    word: str
    sentence: str
    remarks: tuple[str, ...] = ()


def headline(run: Run) -> Headline:
    """Say how a run ended; the verdict is the one in `run.json`."""
    return _interop(run) if isinstance(run, InteropRun) else _load(run)


_WORDS = {
    RunVerdict.PASSED: (Tone.GOOD, "Passed"),
    RunVerdict.FAILED: (Tone.BAD, "Failed"),
    RunVerdict.INCONCLUSIVE: (Tone.UNKNOWN, "No conclusion"),
    RunVerdict.INVALID: (Tone.UNKNOWN, "Invalid run"),
}


_MOST_CHANGED = 5


def _interop(run: InteropRun) -> Headline:
    counts = Counter(verdict_counts(run.cases))
    total = sum(counts.values())
    tone, word = _WORDS[run.verdict]
    remarks = _interrupted(run) + _changed(run)
    if run.verdict is RunVerdict.PASSED and counts[Verdict.NON_STRICT]:
        tone = Tone.MIXED
    if run.verdict is not RunVerdict.INCONCLUSIVE and counts[Verdict.INCONCLUSIVE]:
        remarks.append(f"{plural(counts[Verdict.INCONCLUSIVE], 'case')} could not be judged; each says why.")
    if counts[Verdict.XPASS]:
        one = counts[Verdict.XPASS] == 1
        remarks.append(
            f"{plural(counts[Verdict.XPASS], 'case')} declared as failing {'passes' if one else 'pass'} now: "
            "update the expectations file."
        )
    if tone is Tone.MIXED:
        remarks.append(
            f"{plural(counts[Verdict.NON_STRICT], 'case')} found a missed recommendation or a tolerated deviation."
        )
    return Headline(tone, word, _interop_sentence(run, counts, total), tuple(remarks))


def _changed(run: InteropRun) -> list[str]:
    """Say which cases were judged again and got another verdict than at first."""
    changed = [
        f"{case.ocpp} {case.id} (first {first}, now {case.verdict})"
        for case in run.cases
        if (first := case.observations.get(FIRST_VERDICT)) not in (None, str(case.verdict))
    ]
    if not changed:
        return []
    more = f" and {len(changed) - _MOST_CHANGED} more" if len(changed) > _MOST_CHANGED else ""
    return [f"Judged again, with another verdict than at first: {', '.join(changed[:_MOST_CHANGED])}{more}."]


def _interop_sentence(run: InteropRun, counts: Mapping[Verdict, int], total: int) -> str:
    tried = total - counts[Verdict.NOT_APPLICABLE]
    if not total:
        return "No case was run, so nothing is known about this CSMS."
    if not tried:
        return f"None of the {plural(total, 'case')} could be run here, so nothing is known about this CSMS."
    if counts[Verdict.FAILED]:
        return f"This CSMS broke the specification in {count(counts[Verdict.FAILED])} of {plural(tried, 'case')}."
    if counts[Verdict.INCONCLUSIVE]:
        inconclusive = counts[Verdict.INCONCLUSIVE]
        rest = "" if inconclusive == tried else " The others found no broken rule."
        return f"{count(inconclusive)} of {plural(tried, 'case')} could not be judged.{rest}"
    kept = tried - counts[Verdict.XFAIL]
    if run.verdict is RunVerdict.FAILED:
        return f"No rule was broken in {plural(tried, 'case')}, but the declared expectations no longer hold."
    if not kept:
        return f"All {plural(tried, 'case')} fail as declared."
    return f"This CSMS broke no rule in {plural(kept, 'case')}."


def _load(run: LoadRun) -> Headline:
    tone, word = _WORDS[run.verdict]
    own = [slo for slo in run.slo if not slo.built_in]
    missed = sum(not slo.passed and not slo.undecided for slo in own)
    reasons = [slo.reason or slo.expr for slo in run.slo if slo.built_in and not slo.passed]
    if run.verdict is RunVerdict.INVALID:
        reasons.clear()
    told = [symptom.says for symptom in run.symptoms] + reasons
    remarks = _interrupted(run) + [f"{capital(reason)}." for reason in told[run.verdict is not RunVerdict.INVALID :]]
    if reasons and missed:
        remarks.append(f"{capital(_missed(missed, len(own)))}.")
    undecided = [slo for slo in own if slo.undecided]
    remarks += [f"{slo.expr} was kept, but {slo.reason}." for slo in undecided]
    remarks += _stopped(run) + run.warnings + _changed_objectives(run) + load_remarks(run)
    if run.ledger.says:
        remarks.append(f"Ledger: {run.ledger.says[0]} {ledger_consequence(run)}".rstrip())
    if run.stations.connected_peak < run.stations.requested:
        remarks.append(
            f"Only {count(run.stations.connected_peak)} of {plural(run.stations.requested, 'station')} "
            "were connected at the same time."
        )
    if run.generator.verdict == "DEGRADED":
        tone = Tone.MIXED if tone is Tone.GOOD else tone
        remarks.append("The load generator was DEGRADED: read its reasons before you trust the high percentiles.")
    if run.symptoms:
        tone = Tone.MIXED if tone is Tone.GOOD else tone
    return Headline(tone, word, _load_sentence(run, told, missed, len(own)), tuple(remarks))


def _load_sentence(run: LoadRun, told: list[str], missed: int, own: int) -> str:
    """Say how a run ended; `told` is what the CSMS did wrong, and the built-in objectives that were missed."""
    total = all_calls(run)
    seconds = run_seconds(run)
    over = f" in {duration(seconds)}" if seconds else ""
    work = f"{plural(run.stations.connected_peak, 'station')} made {plural(total, 'call')}{over}"
    if run.verdict is RunVerdict.INVALID:
        return "The load generator could not generate the requested load, so the figures do not describe the CSMS."
    if told:
        failed = any(slo.built_in and not slo.passed for slo in run.slo)
        rest = work if failed else _work_and_objectives(run, work, missed, own)
        return f"{capital(told[0])}. {capital(rest)}."
    if not total:
        return f"No call was made{over}, so nothing is known about this CSMS."
    return f"{_work_and_objectives(run, work, missed, own)}."


def _work_and_objectives(run: LoadRun, work: str, missed: int, own: int) -> str:
    """Say what was done, and whether it was good enough."""
    if missed:
        return f"{work}; {_missed(missed, own)}"
    if run.ledger.failed:
        return f"{work}, but the CSMS did not record every transaction correctly: see the ledger"
    if run.verdict is RunVerdict.INCONCLUSIVE:
        undecided = sum(slo.undecided for slo in run.slo)
        return f"{work}, too few to decide {count(undecided)} of {plural(own, 'SLO')}: take a longer run, or set min"
    return f"{work}; {_met(own, len(run.slo) - own)}"


def _stopped(run: LoadRun) -> list[str]:
    return [f"The run was {run.stopped_early}."] if run.stopped_early else []


def _met(own: int, built_in: int) -> str:
    if own:
        return {1: "the one SLO was met", 2: "both SLOs were met"}.get(own, f"all {own} SLOs were met")
    if built_in:
        return f"{plural(built_in, 'built-in objective')} {'was' if built_in == 1 else 'were'} met, and no SLO was set"
    return "no SLO was set"


def _missed(missed: int, total: int) -> str:
    return f"{count(missed)} of {plural(total, 'SLO')} {'was' if missed == 1 else 'were'} missed"


def _changed_objectives(run: LoadRun) -> list[str]:
    """Name the built-in objectives that the run was not held against as they are."""
    off, changed = run.settings.get("no-objective", []), run.settings.get("objectives", {})
    named = [f"{name} (off)" for name in off] if isinstance(off, list) else []
    named += [f"{name} ({limit})" for name, limit in changed.items()] if isinstance(changed, dict) else []
    return [f"Built-in objectives were changed for this run: {', '.join(named)}."] if named else []


def all_calls(run: LoadRun) -> int:
    """Count the CALLs of a whole load run, those outside of the judged window included."""
    return int(run.throughput.get("calls_total", sum(call.count for call in run.calls)))


def _interrupted(run: Run) -> list[str]:
    if isinstance(run, InteropRun) and (run.stopped_early or not run.complete):
        why = run.stopped_early or "The run was cut before its end, as by kill -9."
        missing = run.planned - len(run.cases)
        return [f"{why} Not run to the end: {count(missing)} of {plural(run.planned, 'case')}." if missing > 0 else why]
    return ["The run was interrupted; the report shows what had finished by then."] if run.interrupted else []
