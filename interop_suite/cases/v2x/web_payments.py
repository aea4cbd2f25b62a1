"""Codes that a station of 2.1 shows for payments on the web: a code that is wrong starts nothing."""

from __future__ import annotations

import secrets
import time
from typing import Any

from drivers.base import trigger_need
from evidence.verdicts import Verdict
from fixtures.totp import LENGTH, VALIDITY, one_time_password
from interop_suite.catalogue import case
from interop_suite.claims.checks import asked, given
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import field
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps.v2x import EVSE
from interop_suite.steps.variables import set_all

BLOCK = "Authorization"
PROFILE = "Payment"
V21 = "2.1"
CLAUSE = Clause("21-4", "4.1.7")
PAID = 2
"""The EVSE whose code is right."""
NO_SUCH_EVSE = 71
START = "RequestStartTransaction"


def _starts(history: History) -> list[Any]:
    return [field(call.payload, "evseId") for call in history.commands(START)]


def _was_paid(history: History) -> tuple[bool, str]:
    starts = _starts(history)
    return PAID in starts, f"{START} came for EVSE {', '.join(map(str, starts)) or 'none'}"


_ONLY_PAID = "A wrong code starts nothing"


def _judge_starts(history: History) -> list[Finding]:
    """Compare with the one payment that was right: only beside that does the absence of others say something."""
    starts = _starts(history)
    if PAID not in starts:
        return []
    verdict = Verdict.OK if set(starts) == {PAID} else Verdict.FAILED
    return [Finding(verdict=verdict, claim=_ONLY_PAID, actual=_was_paid(history)[1])]


def _await_start(station: ScriptedStation) -> None:
    """Wait for the start that was paid for; what a wrong code has started comes before."""

    def started() -> bool:
        return any((call.payload or {}).get("evseId") == PAID for call in station.received(START))

    station.pump(started, station.timeout)


CHECKS = (given("A right code starts a session", _was_paid), Check(claim=_ONLY_PAID, judge=_judge_starts))


@case(
    id="TC_C_132_CSMS",
    ocpp=V21,
    title="A code that names an EVSE which the station does not have starts nothing",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=("web-payment",),
    sends="A payment with the code of an EVSE that does not exist, then one with a code that is right.",
    expects="The CSMS SHALL start no session for the first, and one for the second.",
    clause=CLAUSE,
    defect="code-of-any-evse-taken",
    checks=CHECKS,
)
def wrong_evse(probe: Probe) -> None:
    station = probe.station
    station.note(only_told=True)
    station.reply(START, {"status": "Accepted"})
    for evse in (NO_SUCH_EVSE, PAID):
        probe.pay_on_web(station, evse)
    _await_start(station)


def _variable(name: str, value: object) -> dict[str, Any]:
    return {"component": {"name": "WebPaymentsCtrlr"}, "variable": {"name": name}, "attributeValue": str(value)}


@case(
    id="TC_C_133_CSMS",
    ocpp=V21,
    title="A code whose one-time password is wrong starts nothing",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=("web-payment", trigger_need("SetVariables")),
    sends="Accepted to SetVariables of a shared secret, a payment with another password, then one with the right one.",
    expects="The CSMS SHALL start no session for the first, and one for the second.",
    clause=CLAUSE,
    defect="code-of-any-password-taken",
    also=("set-variables-one-by-one",),
    checks=(asked("SetVariables"), *CHECKS),
)
def wrong_password(probe: Probe) -> None:
    station, secret = probe.station, secrets.token_urlsafe(24)
    station.reply("SetVariables", set_all)
    station.reply(START, {"status": "Accepted"})
    settings = {"TOTPVersion": "v1", "Length": LENGTH, "ValidityTime": VALIDITY, "SharedSecret": secret}
    data = [_variable(name, value) for name, value in settings.items()]
    probe.command("SetVariables", {"setVariableData": data})
    if station.expect("SetVariables") is None:
        return
    right = one_time_password(secret, time.time())
    wrong = str((int(right) + 11_111_111) % 10**LENGTH).zfill(LENGTH)
    probe.pay_on_web(station, EVSE, wrong)
    probe.pay_on_web(station, PAID, right)
    _await_start(station)
