"""What every charging profile of 2.x must be like, whoever thought it out, and whom it is for."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.profile_rules import Fault, profile_faults
from evidence.verdicts import Verdict
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import Exchange
from interop_suite.claims.history import History
from ocppj.schemas import validator

__all__ = ["profiles_sent", "running_transaction", "sound_profiles"]

_CLAIM = "Every charging profile is sound: periods in order, kind and purpose with what belongs to them"
_WITH_PROFILES = ("SetChargingProfile", "RequestStartTransaction")


def sound_profiles() -> Check:
    """Claim that every charging profile of the CSMS keeps the rules for profiles (2.x K01, Part 6 §3.1)."""

    def judge(history: History) -> list[Finding]:
        return [finding for call in profiles_sent(history) for finding in _weigh(call)]

    return Check(claim=_CLAIM, judge=judge)


def profiles_sent(history: History) -> list[Exchange]:
    """List the CALLs of the CSMS that carry a charging profile and fit their schema."""
    return [
        call
        for call in history.commands()
        if call.action in _WITH_PROFILES
        and validator(call.call.rules.version, call.action, "request").is_valid(call.payload or {})
        and "chargingProfile" in call.payload
    ]


def _weigh(call: Exchange) -> Iterator[Finding]:
    profile = call.payload["chargingProfile"]
    faults = profile_faults(call.call.rules.version, call.action, call.payload)
    broken = [words for fault, words in faults if fault is not Fault.RELATIVE_START]
    if broken:
        yield _finding(Verdict.FAILED, "; ".join(broken), call)
    elif faults:
        # The errata (2.10.1) say "should".
        yield _finding(Verdict.NON_STRICT, faults[0].words, call)
    else:
        yield _finding(Verdict.OK, f"profile {profile['id']} is sound", call)


def _finding(verdict: Verdict, actual: str, call: Exchange) -> Finding:
    return Finding(verdict=verdict, claim=_CLAIM, actual=actual, clause=Clause("2-2", "K01"), frame=call.call.line)


def running_transaction(history: History, evse_id: int, before: int) -> str | None:
    """Find the transaction that runs at an EVSE when a line of the trace is written, as the station has told it."""
    running = None
    for call in history.calls("TransactionEvent"):
        payload = call.payload or {}
        number = payload.get("transactionInfo", {}).get("transactionId")
        if call.call.line > before:
            break
        if payload.get("eventType") == "Ended":
            running = None if number == running else running
        elif payload.get("evse", {}).get("id") == evse_id:
            running = number
    return running
