"""What a CSMS makes of the needs of a car: a schedule for its transaction, or the word that there is none."""

from __future__ import annotations

from evidence.verdicts import Verdict
from interop_suite.claims.charging_profiles import running_transaction
from interop_suite.claims.checks import answered
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import Exchange
from interop_suite.claims.expected import field, one_of
from interop_suite.claims.history import History

__all__ = ["TAKEN", "needs_taken", "no_schedule_given", "renegotiated", "schedule_given", "transfer_refused"]

NEEDS = "NotifyEVChargingNeeds"
TAKEN = ("Accepted", "Processing")
"""Answers after which a schedule is to come."""
_DECLINED = ("Rejected", "NoChargingProfile")
_GIVEN = "What the car needs is followed by a TxProfile for the transaction at its EVSE"
_AGAIN = "A schedule of the car that goes over the limits is followed by a new TxProfile for its transaction"
_NONE = "A CSMS that announces no charging profile sends none"


def needs_taken() -> Check:
    """Claim that the needs of a car are taken; a CSMS that declines makes no schedules for cars, which is its right."""
    claim = "The CSMS takes what the car needs"
    taken = answered(NEEDS, {"status": one_of(*TAKEN)}, claim=claim)

    def judge(history: History) -> list[Finding]:
        declined = [call for call in history.calls(NEEDS) if call.result.get("status") in _DECLINED]
        if not declined:
            return taken.judge(history)
        actual = f"this CSMS makes no schedule for this car: it answered {declined[0].describe_answer()}"
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
        return [_weigh(history, call, len(history.records), _AGAIN, Clause("2-2", "K17")) for call in told]

    return Check(claim=_AGAIN, judge=judge)


def _weigh(history: History, cause: Exchange, until: int, claim: str, clause: Clause) -> Finding:
    sent = [call for call in history.commands("SetChargingProfile") if cause.call.line < call.call.line < until]
    if not sent:
        actual = f"no SetChargingProfile came after {cause.describe_answer()}"
        return Finding(verdict=Verdict.FAILED, claim=claim, actual=actual, clause=clause, frame=cause.call.line)
    evse = field(cause.payload, "evseId")
    transaction = running_transaction(history, evse, cause.call.line)
    wrong = [_wrong(call.payload, evse, transaction) for call in sent]
    verdict = Verdict.FAILED if all(wrong) else Verdict.OK
    actual = wrong[-1] if all(wrong) else "a TxProfile came"
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
        f"{path} is {found[path]!r} instead of {value!r}" for path, value in wanted.items() if found[path] != value
    )


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
