"""What a CSMS makes of the needs of a car: a schedule for its transaction, or the word that there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from evidence.verdicts import Verdict
from interop_suite.claims.charging_profiles import profiles_sent, running_transaction
from interop_suite.claims.checks import answered
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import Exchange
from interop_suite.claims.expected import field, one_of, other_than
from interop_suite.claims.history import History
from interop_suite.claims.moments import moment

__all__ = ["TAKEN", "needs_taken", "no_schedule_given", "renegotiated", "schedule_given", "transfer_refused"]

NEEDS = "NotifyEVChargingNeeds"
TAKEN = ("Accepted", "Processing")
"""Answers after which a schedule is to come."""
_DECLINED = ("Rejected", "NoChargingProfile")
_GIVEN = "What the car needs is followed by a TxProfile for the transaction at its EVSE that is not over yet"
_AGAIN = "A schedule of the car that goes over the limits is followed by a new TxProfile for its transaction"
_ON_THE_WAY = timedelta(seconds=60)
"""How long a profile may lie in the queue of the CSMS."""
_NONE = "A CSMS that announces no charging profile sends none"


def needs_taken() -> Check:
    """Claim that the needs of a car are taken; a CSMS that declines makes no schedules for cars, which is its right."""
    claim = "The CSMS takes what the car needs"
    taken = answered(NEEDS, {"status": one_of(*TAKEN)}, claim=claim)

    def judge(history: History) -> list[Finding]:
        declined = [call for call in history.calls(NEEDS) if call.result.get("status") in _DECLINED]
        if not declined:
            return taken.judge(history)
        actual = f"this CSMS makes no schedule for this car: {declined[0].describe_answer()}"
        return [Finding(verdict=Verdict.NOT_APPLICABLE, claim=claim, actual=actual, frame=declined[0].call.line)]

    return Check(claim=claim, judge=judge)


def schedule_given() -> Check:
    """Claim that a profile follows each of the needs that were taken; they may cross orders of the operator."""

    def judge(history: History) -> list[Finding]:
        asked = [call for call in history.calls(NEEDS) if call.result.get("status") in TAKEN]
        lines = [*(call.call.line for call in asked), len(history.records)]
        return [
            _weigh(history, call, until, _GIVEN, Clause("2-2", "K15"))
            for call, until in zip(asked, lines[1:], strict=True)
        ]

    return Check(claim=_GIVEN, judge=judge)


def renegotiated() -> Check:
    """Claim that a new profile follows the schedule of a car, which the script made to go over the limits."""

    def judge(history: History) -> list[Finding]:
        told = history.calls("NotifyEVChargingSchedule")[:1]
        return [_weigh(history, call, len(history.records), _AGAIN, Clause("2-2", "K15")) for call in told]

    return Check(claim=_AGAIN, judge=judge)


def _weigh(history: History, cause: Exchange, until: int, claim: str, clause: Clause) -> Finding:
    sent = [call for call in history.commands("SetChargingProfile") if cause.call.line < call.call.line < until]
    if not sent:
        actual = f"no SetChargingProfile came after {cause.describe_answer()}"
        return Finding(verdict=Verdict.FAILED, claim=claim, actual=actual, clause=clause, frame=cause.call.line)
    evse = field(cause.payload, "evseId")
    transaction = running_transaction(history, evse, cause.call.line)
    wrong = [_wrong(call.payload, evse, transaction) or _over(history, call) for call in sent]
    verdict = Verdict.FAILED if all(wrong) else Verdict.OK
    actual = wrong[-1] if all(wrong) else "a TxProfile came"
    longer = "" if all(wrong) else _longer(cause.payload, sent)
    if longer:
        verdict, actual = Verdict.NON_STRICT, longer
    return Finding(verdict=verdict, claim=claim, actual=actual, clause=clause, frame=sent[-1].call.line)


def _wrong(payload: object, evse: int, transaction: str | None) -> str:
    """Say what is wrong with a profile for a transaction; an empty text where nothing is."""
    wanted = {
        "evseId": evse,
        "chargingProfile.chargingProfilePurpose": "TxProfile",
        "chargingProfile.transactionId": transaction,
    }
    found = {path: field(payload, path) for path in wanted}
    return "; ".join(
        f"{path} {other_than(found[path], value)}" for path, value in wanted.items() if found[path] != value
    )


def _over(history: History, call: Exchange) -> str:
    """Say that a profile is over when it comes, by the clock that the CSMS has told; an empty text where it is not."""
    if call not in profiles_sent(history):
        return ""
    profile = call.payload["chargingProfile"]
    present = _clock(history, call.call.t)
    if present is None:
        return ""
    present -= _ON_THE_WAY
    valid_to = moment(profile.get("validTo"))
    if valid_to is not None and valid_to < present:
        return f"validTo is {profile['validTo']}, but it came at {present + _ON_THE_WAY:%H:%M:%SZ}"
    ends = [_end(profile, each) for each in profile["chargingSchedule"]]
    if all(end is not None and end < present for end in ends):
        return f"its schedule was over before it came at {present + _ON_THE_WAY:%H:%M:%SZ}"
    return ""


def _longer(needs: object, sent: Sequence[Exchange]) -> str:
    """Say that a schedule has more periods than the car takes; an empty text where one profile keeps to its limit."""
    most = field(needs, "maxScheduleTuples")
    longest = [
        max((len(each.get("chargingSchedulePeriod", ())) for each in schedules), default=0)
        for call in sent
        if isinstance(schedules := field(call.payload, "chargingProfile.chargingSchedule"), list)
    ]
    if not isinstance(most, int) or not longest or min(longest) <= most:
        return ""
    return f"a schedule has {min(longest)} periods, but the car takes {most} (maxScheduleTuples)"


def _clock(history: History, t: float) -> datetime | None:
    """Tell what the clock of the CSMS shows at a monotonic time, as far as it has told the time before."""
    for call in reversed(history.calls(prepared=True)):
        told = moment(call.result.get("currentTime"))
        if told is not None and call.answer is not None and call.answer.t < t:
            return told + timedelta(seconds=t - call.answer.t)
    return None


def _end(profile: Mapping[str, Any], schedule: Mapping[str, Any]) -> datetime | None:
    """Tell when a schedule with a beginning of its own is over; None where it has no end, or begins with a session."""
    begins, duration = moment(schedule.get("startSchedule")), schedule.get("duration")
    if profile["chargingProfileKind"] != "Absolute" or begins is None or duration is None:
        return None
    return begins + timedelta(seconds=duration)


def no_schedule_given() -> Check:
    """Claim that no profile follows where the CSMS says so; it does not apply to one that makes a schedule."""

    def judge(history: History) -> list[Finding]:
        return [_weigh_none(history, call) for call in history.calls(NEEDS)]

    return Check(claim=_NONE, judge=judge)


def _weigh_none(history: History, call: Exchange) -> Finding:
    line = call.call.line
    if call.result.get("status") != "NoChargingProfile":
        actual = f"this CSMS does not leave the schedule to the station: {call.describe_answer()}"
        return Finding(verdict=Verdict.NOT_APPLICABLE, claim=_NONE, actual=actual, frame=line)
    transaction = running_transaction(history, call.payload["evseId"], line)
    sent = [
        each
        for each in history.commands("SetChargingProfile")
        if each.call.line > line and field(each.payload, "chargingProfile.transactionId") == transaction
    ]
    verdict = Verdict.FAILED if sent else Verdict.OK
    actual = "a TxProfile came all the same" if sent else "none came"
    return Finding(verdict=verdict, claim=_NONE, actual=actual, clause=Clause("2-2", "K19"), frame=line)


def transfer_refused() -> Check:
    """Claim that needs are declined whose energy transfer the CSMS did not allow when it authorized the token."""
    claim = "Needs with an energy transfer that the token may not use are declined"
    declined = answered(NEEDS, {"status": one_of(*_DECLINED)}, claim=claim, clause=Clause("2-2", "Q01"))

    def judge(history: History) -> list[Finding]:
        allowed = [call.result.get("allowedEnergyTransfer") for call in history.calls("Authorize")]
        if not any(allowed):
            actual = "this CSMS does not say which energy transfer a token may use"
            return [Finding(verdict=Verdict.NOT_APPLICABLE, claim=claim, actual=actual)]
        return declined.judge(history)

    return Check(claim=claim, judge=judge)
