"""What every charging profile of 2.x must be like, whoever thought it out, and whom it is for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

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
    broken = [*_purpose(call.action, call.payload, profile), *_kind(profile), *_periods(profile)]
    if broken:
        yield _finding(Verdict.FAILED, "; ".join(broken), call)
    elif profile["chargingProfileKind"] == "Relative" and _starts(profile):
        # The errata (2.10.1) say "should".
        yield _finding(Verdict.NON_STRICT, "a Relative profile has a startSchedule", call)
    else:
        yield _finding(Verdict.OK, f"profile {profile['id']} is sound", call)


def _finding(verdict: Verdict, actual: str, call: Exchange) -> Finding:
    return Finding(verdict=verdict, claim=_CLAIM, actual=actual, clause=Clause("2-2", "K01"), frame=call.call.line)


def _purpose(action: str, payload: Mapping[str, Any], profile: Mapping[str, Any]) -> Iterator[str]:
    purpose, transaction = profile["chargingProfilePurpose"], profile.get("transactionId")
    if action == "RequestStartTransaction":
        if purpose != "TxProfile":
            yield f"RequestStartTransaction carries a {purpose}"
        if transaction is not None:
            yield "RequestStartTransaction names the transaction that it is to start"
        return
    if purpose == "TxProfile" and payload["evseId"] == 0:
        yield "a TxProfile is for evseId 0"
    if purpose == "TxProfile" and transaction is None:
        yield "a TxProfile names no transaction"
    if purpose == "ChargingStationMaxProfile" and payload["evseId"] != 0:
        yield f"a ChargingStationMaxProfile is for evseId {payload['evseId']}"


def _starts(profile: Mapping[str, Any]) -> bool:
    return any("startSchedule" in schedule for schedule in profile["chargingSchedule"])


def _kind(profile: Mapping[str, Any]) -> Iterator[str]:
    kind = profile["chargingProfileKind"]
    if kind in ("Absolute", "Recurring") and not all("startSchedule" in each for each in profile["chargingSchedule"]):
        yield f"a schedule of kind {kind} has no startSchedule"
    if kind == "Recurring" and "recurrencyKind" not in profile:
        yield "a Recurring profile has no recurrencyKind"
    if kind == "Relative" and profile["chargingProfilePurpose"] == "ChargingStationMaxProfile":
        yield "a ChargingStationMaxProfile is Relative"


def _periods(profile: Mapping[str, Any]) -> Iterator[str]:
    for schedule in profile["chargingSchedule"]:
        periods = schedule["chargingSchedulePeriod"]
        starts = [period["startPeriod"] for period in periods]
        if starts[0] != 0:
            yield f"the first period begins at {starts[0]} instead of 0"
        if any(later <= earlier for earlier, later in pairwise(starts)):
            yield f"the periods begin at {starts}, which is not in order"
        if any("phaseToUse" in period and period.get("numberPhases") != 1 for period in periods):
            yield "phaseToUse stands beside numberPhases other than 1"


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
