"""What the CSMS sends of its own accord, held against the registration of its station and the rules of profiles.

What an operator ordered is the operator's word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from analysis.command_rules import Untimely, untimely
from analysis.profile_rules import Fault, profile_faults
from evidence.verdicts import Verdict
from interop_suite.claims.claim import Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind, Exchange
from interop_suite.claims.history import History
from ocppj.registration import Registration
from ocppj.versions import Version

__all__ = ["moment_findings"]

_V2X = (Version.V201, Version.V21)


class _Told(msgspec.Struct, frozen=True):
    """What is wrong with a command, and how much it weighs."""

    verdict: Verdict
    claim: str
    actual: str
    clause: Clause


def moment_findings(history: History) -> Iterator[Finding]:
    """Judge every CALL of the CSMS; of several findings of one kind the first is told."""
    told: set[str] = set()
    for call in history.exchanges:
        if call.by_station:
            continue
        for problem in (*_state(history, call), *_profile(history, call)):
            if problem.claim not in told:
                told.add(problem.claim)
                yield Finding(
                    verdict=problem.verdict if call.call.scripted else Verdict.NON_STRICT,
                    claim=problem.claim,
                    actual=problem.actual,
                    clause=problem.clause,
                    frame=call.call.line,
                )


# -- registration ----------------------------------------------------------------------------------------------------

_BEFORE_BOOT: Mapping[Version, Clause] = MappingProxyType(
    {Version.V16: Clause("1.6", "4.2"), **dict.fromkeys(_V2X, Clause("201-6", "B01.FR.02"))}
)
_REJECTED: Mapping[Version, tuple[Verdict, Clause]] = MappingProxyType(
    {
        Version.V16: (Verdict.NON_STRICT, Clause("1.6", "4.2")),
        **dict.fromkeys(_V2X, (Verdict.FAILED, Clause("201-E", "2.3.1"))),
    }
)
_PENDING: Mapping[Version, Clause] = MappingProxyType(
    {Version.V16: Clause("1.6", "4.2"), **dict.fromkeys(_V2X, Clause("201-6", "B02.FR.05"))}
)


def _state(history: History, call: Exchange) -> Iterator[_Told]:
    """Hold a command against the registration, by the rules that logs are judged by as well (`command_rules`)."""
    if any(order.line < call.call.line for order in history.triggers(call.action)):
        return
    version = call.call.rules.version
    boots = [
        e
        for e in history.exchanges
        if e.by_station and e.action == "BootNotification" and e.call.station == call.call.station
    ]
    answered = [e for e in boots if e.kind is AnswerKind.RESULT and e.answer and e.answer.line < call.call.line]
    state = _registration(answered[-1].result.get("status")) if answered else Registration.UNKNOWN
    later = boots[boots.index(answered[-1]) + 1 :] if answered else ()
    boots_again = any(e.call.line < call.call.line for e in later)
    match None if state is None else untimely(version, state, call.action, call.payload):
        case Untimely.BEFORE_BOOT:
            if _is_new(history, call.call.station) and call.call.scripted:
                claim = "A station that has never booted is sent nothing"
                actual = f"{call.action} came before the first boot was answered"
                yield _Told(Verdict.NON_STRICT, claim, actual, _BEFORE_BOOT[version])
        case Untimely.REJECTED if not boots_again:
            verdict, clause = _REJECTED[version]
            yield _Told(verdict, "A rejected station is sent nothing", f"it sent {call.action}", clause)
        case Untimely.SESSION_WHILE_PENDING:
            claim = "No session is begun or ended from afar while a station is Pending"
            yield _Told(Verdict.FAILED, claim, f"it sent {call.action}", _PENDING[version])
        case Untimely.BOOT_AGAIN if not boots_again:
            claim = "A station that is accepted is not asked to boot again"
            actual = "it sent TriggerMessage for BootNotification"
            yield _Told(Verdict.FAILED, claim, actual, Clause("1.6-E", "3.40"))


def _registration(status: object) -> Registration | None:
    """Read the status of a boot's answer; None for what is none."""
    return Registration(status) if status in ("Accepted", "Pending", "Rejected") else None


def _is_new(history: History, station: str) -> bool:
    """Return whether a station was made up for this case, so that the CSMS cannot have accepted it before."""
    return any(record.station == station and record.info.get("new") for record in history.records)


# -- charging profiles -----------------------------------------------------------------------------------------------

_CLAUSES: Mapping[tuple[str, Fault], Clause] = MappingProxyType(
    {
        ("SetChargingProfile", Fault.RECURRENCY_UNUSED): Clause("1.6-E", "3.56"),
        ("SetChargingProfile", Fault.WHOLE_PLACE): Clause("1.6", "3.13.1"),
        ("SetChargingProfile", Fault.SESSION_PLACE): Clause("1.6", "5.16.1"),
        ("SetChargingProfile", Fault.TRANSACTION): Clause("1.6", "5.16.1"),
        ("RemoteStartTransaction", Fault.RECURRENCY_UNUSED): Clause("1.6-E", "3.56"),
        ("RemoteStartTransaction", Fault.PURPOSE): Clause("1.6-E", "3.41"),
        ("RemoteStartTransaction", Fault.TRANSACTION): Clause("1.6-E", "3.41"),
    }
)
"""What is claimed of profiles of 1.6 in every case; in 2.x that is every fault, whoever thought the profile out."""
_PROFILES_2X = Clause("2-2", "K01")
_WITH_PROFILES = frozenset({"SetChargingProfile", "RemoteStartTransaction", "RequestStartTransaction"})
_Weight = tuple[Verdict, Clause]


def _weigh_16(action: str, fault: Fault) -> _Weight | None:
    clause = _CLAUSES.get((action, fault))
    return None if clause is None else (Verdict.FAILED, clause)


def _weigh_2x(_action: str, fault: Fault) -> _Weight | None:
    # A start in a Relative one "should" not be (errata 2.10.1).
    return Verdict.NON_STRICT if fault is Fault.RELATIVE_START else Verdict.FAILED, _PROFILES_2X


_WEIGH: Mapping[Version, Callable[[str, Fault], _Weight | None]] = MappingProxyType(
    {Version.V16: _weigh_16, Version.V201: _weigh_2x, Version.V21: _weigh_2x}
)


def _profile(history: History, call: Exchange) -> Iterator[_Told]:
    version = call.call.rules.version
    ordered = [order.info.get("payload") for order in history.triggers(call.action)]
    excused = {problem for payload in ordered for problem in _wrong(version, call.action, payload)}
    for problem, (verdict, clause) in _wrong(version, call.action, call.payload).items():
        if problem not in excused:
            claim = "A charging profile keeps the rules of its kind and purpose"
            yield _Told(verdict, claim, f"{call.action}: {problem}", clause)


def _wrong(version: Version, action: str, payload: Any) -> dict[str, _Weight]:
    """Weigh what is wrong with a profile, by its words."""
    faults = profile_faults(version, action, payload) if action in _WITH_PROFILES else []
    weighed = ((words, _WEIGH[version](action, fault)) for fault, words in faults)
    return {words: weight for words, weight in weighed if weight is not None}
