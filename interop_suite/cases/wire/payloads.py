"""Payloads that are legal and often refused, and some that are not and often taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from drivers.base import token_need, trigger_need
from evidence.verdicts import Verdict
from fixtures.corpus import Mutation, MutationKind, mutations
from fixtures.payloads import v2x, v16
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked, still_serves
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind, Exchange
from interop_suite.claims.expected import one_of
from interop_suite.claims.history import History
from interop_suite.drive.answers import Answer
from interop_suite.drive.probe import Probe, now
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps.charging import TOKEN_STATUS, authorize
from interop_suite.steps.malformed_frames import Grades, Reaction
from interop_suite.steps.shared_case import ALL, V2X, bystander_serves, shared
from ocppj.versions import Version

BLOCK = "Payload"
VALIDITY = {Version.V201: Clause("201-4", "4.1.7"), Version.V21: Clause("21-4", "4.1.7")}

# -- legal, and often refused ----------------------------------------------------------------------------------------


@case(
    id="PAY_03",
    ocpp=Version.V16,
    title="Celcius and Celsius are both taken",
    block=BLOCK,
    sends="MeterValues with a temperature in Celcius, and one in Celsius.",
    expects="The CSMS SHALL take both: the first spelling is in the schema, the second in the text.",
    clause=Clause("1.6J-E", "2.1"),
    defect="celcius-refused",
    checks=(answered("MeterValues", claim="Either spelling is answered"),),
)
def both_spellings(probe: Probe) -> None:
    for unit in ("Celcius", "Celsius"):
        sample = {"value": "21.5", "measurand": "Temperature", "unit": unit}
        payload = v16.meter_values(1, [{"timestamp": now(), "sampledValue": [sample]}])
        probe.station.call("MeterValues", payload)


TIMES = (
    "2026-02-28T23:59:59Z",
    "2026-02-28T23:59:59.1Z",
    "2026-02-28T23:59:59.123Z",
    "2026-03-01T01:59:59+02:00",
    "2026-02-28T13:29:59.000-10:30",
    "2024-02-29T12:00:00Z",
)
_STATUS: Mapping[Version, Callable[[ScriptedStation, str], Answer]] = MappingProxyType(
    {
        Version.V16: lambda station, time: station.call(
            "StatusNotification", v16.status_notification(1, "Available", timestamp=time)
        ),
        **dict.fromkeys(
            V2X,
            lambda station, time: station.call("StatusNotification", v2x.status_notification(1, 1, "Available", time)),
        ),
    }
)


@shared(
    id="PAY_05",
    title="Times with an offset, with fractions of a second, and of a leap day are taken",
    block=BLOCK,
    sends=f"StatusNotifications with {len(TIMES)} ways to write a time.",
    expects="The CSMS SHALL take each: they are RFC 3339, with an offset and up to three fraction digits.",
    clause={Version.V16: Clause("1.6", "3.15"), **VALIDITY},
    defect="time-with-offset-refused",
    checks=(answered("StatusNotification", claim="Each way to write a time is taken"),),
)
def ways_to_write_a_time(probe: Probe) -> None:
    for time in TIMES:
        _STATUS[probe.version](probe.station, time)


TENTHS = 401
"""One-decimal limits from 0.0 to 40.0; a naive multipleOf refuses 134 of them."""
STEPS = (1.0, 0.1)
"""Whole limits first: who refuses them too has nothing against decimals."""


_TENTHS_IN_ORDER = "An answer with one-decimal limits is in order for the CSMS"


_SAID = {"answered": Verdict.OK, "sent": Verdict.INFORMATIONAL}


def _judge_tenths(history: History) -> list[Finding]:
    """Hold the schedule with decimals against the same with whole numbers: only what differs is about the decimals."""
    outcomes = [
        call
        for call in history.driver_calls
        if call.operation == "outcome" and call.info.get("action") == "GetCompositeSchedule"
    ]
    if len(outcomes) < 2:  # noqa: PLR2004  # the control and the schedule itself
        return []
    control, tenths = (str(call.error or call.info.get("result", {}).get("status")) for call in outcomes[:2])
    actual = f"its API says {control!r} of whole limits, and {tenths!r} of limits with a decimal"
    verdict = _SAID.get(tenths, Verdict.FAILED) if control in _SAID else Verdict.INCONCLUSIVE
    return [Finding(verdict=verdict, claim=_TENTHS_IN_ORDER, actual=actual, frame=outcomes[1].line)]


_EVERY_LIMIT = "Every limit is taken"


def _judge_limits(history: History) -> list[Finding]:
    """Judge the limits with decimals where the whole ones before them were taken."""
    found = answered("NotifyChargingLimit", claim=_EVERY_LIMIT).judge(history)
    calls = history.calls("NotifyChargingLimit")
    if any(finding.verdict is Verdict.NOT_APPLICABLE for finding in found):
        return found
    if len(found) > 1 and len(calls) > 1 and all(call.kind is AnswerKind.ERROR for call in calls):
        actual = f"whole numbers are refused too, so that it is not the decimals: {found[0].actual}"
        return [msgspec.structs.replace(found[1], verdict=Verdict.INCONCLUSIVE, actual=actual)]
    return found


def _periods(step: float) -> list[dict[str, Any]]:
    return [{"startPeriod": number, "limit": number / 10 if step < 1 else number} for number in range(TENTHS)]


@case(
    id="PAY_07",
    ocpp=Version.V16,
    title="Limits with one decimal are taken, all of them",
    block=BLOCK,
    initiator="csms",
    needs=(trigger_need("GetCompositeSchedule"),),
    sends=f"A schedule of whole limits as the answer to GetCompositeSchedule, then one of {TENTHS}: 0.0, 0.1, … 40.0.",
    expects="The CSMS SHALL take it: a limit has at most one digit after the point, and any of them is legal.",
    clause=Clause("1.6", "7.14"),
    defect="one-decimal-limit-refused",
    checks=(
        asked("GetCompositeSchedule"),
        Check(claim=_TENTHS_IN_ORDER, judge=_judge_tenths),
        still_serves(),
    ),
)
def limits_in_an_answer(probe: Probe) -> None:
    station = probe.station
    for step in STEPS:
        schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": _periods(step)}
        station.reply(
            "GetCompositeSchedule",
            {"status": "Accepted", "connectorId": 1, "scheduleStart": now(), "chargingSchedule": schedule},
        )
        probe.command("GetCompositeSchedule", {"connectorId": 1, "duration": 600, "chargingRateUnit": "A"})
    station.call("Heartbeat", {})


@shared(
    id="PAY_07",
    title="Limits with one decimal are taken, all of them",
    block=BLOCK,
    sends=f"NotifyChargingLimit with a schedule of whole limits, then with one of {TENTHS}: 0.0, 0.1, … 40.0.",
    expects="The CSMS SHALL take it: each limit has one digit after the point, and any of them is legal.",
    clause=VALIDITY,
    defect="one-decimal-limit-refused",
    checks=(Check(claim=_EVERY_LIMIT, judge=_judge_limits),),
)
def limits_in_a_call(probe: Probe) -> None:
    for step in STEPS:
        schedule = v2x.charging_schedule(1, [(each["startPeriod"], each["limit"]) for each in _periods(step)])
        probe.station.call("NotifyChargingLimit", v2x.notify_charging_limit(evse_id=1, schedules=[schedule]))


@shared(
    id="PAY_11",
    title="A token is the same in upper and in lower case",
    block=BLOCK,
    needs=(token_need("Accepted"),),
    sends="Authorize with a known token in upper case, and then in lower case.",
    expects="The CSMS SHALL accept both: the case of an identifier does not count.",
    clause={Version.V16: Clause("1.6", "7.15"), **{version: Clause("201-E", "2.15.1") for version in V2X}},
    defect="tag-case-sensitive",
    checks={
        v: (answered("Authorize", {TOKEN_STATUS[v]: one_of("Accepted")}, claim="Either case is accepted"),) for v in ALL
    },
)
def either_case(probe: Probe) -> None:
    token = probe.token()
    authorize(probe.station, token.upper())
    authorize(probe.station, token.lower())


# -- wrong, and often taken ------------------------------------------------------------------------------------------

OK, SOFT, BAD = Verdict.OK, Verdict.NON_STRICT, Verdict.FAILED
INCOMPLETE: Grades = {Reaction.ERROR: OK, Reaction.RESULT: BAD, Reaction.SILENCE: BAD, Reaction.CLOSED: SOFT}
SLIGHTLY_WRONG: Grades = {**INCOMPLETE, Reaction.RESULT: SOFT}
_REACTIONS = {
    AnswerKind.RESULT: Reaction.RESULT,
    AnswerKind.ERROR: Reaction.ERROR,
    AnswerKind.MALFORMED: Reaction.ERROR,
    AnswerKind.NONE: Reaction.SILENCE,
}
PATIENCE = 2
"""Unanswered CALLs after which a case stops: each one costs the whole time-out."""


def _mutated(action: str, claim: str, grades: Grades) -> Check:
    def grade(call: Exchange, name: str) -> Finding:
        closed = call.kind is AnswerKind.NONE and call.cut_off
        reaction = Reaction.CLOSED if closed else _REACTIONS[call.kind]
        actual = f"{name}{call.describe_answer()}"
        return Finding(verdict=grades[reaction], claim=claim, actual=actual, frame=call.call.line)

    def judge(history: History) -> list[Finding]:
        names = {n: r.info["mutation"] for n, r in enumerate(history.records) if "mutation" in r.info}
        return [grade(call, _name_before(call.call.line, names)) for call in history.calls(action)]

    return Check(claim=claim, judge=judge)


def _name_before(line: int, names: Mapping[int, str]) -> str:
    """Name what is wrong with the CALL on this line: the last thing that was noted before it."""
    last = max((noted for noted in names if noted < line), default=None)
    return "" if last is None else f"{names[last]}: "


def _throw(probe: Probe, action: str, wrong: list[Mutation]) -> None:
    station, silent = probe.station, 0
    for mutation in wrong:
        if not station.connected:
            probe.reconnect(station, judged=True)
        station.note(mutation=mutation.id)
        silent += station.call(action, mutation.payload).kind == "timeout"
        if silent >= PATIENCE:
            break
    if not station.connected:
        probe.reconnect(station, judged=True)
    station.call("Heartbeat", {})
    probe.bystander.call("Heartbeat", {})


def _wrong(version: Version, action: str, *kinds: MutationKind) -> list[Mutation]:
    # What a reader does not know it may ignore, and so what is wrong in customData (2.x Part 4 §9).
    return [m for m in mutations(version, action) if m.kind in kinds and "/customData" not in m.path]


@shared(
    id="PAY_01",
    title="A boot without its required fields is refused",
    block=BLOCK,
    bystander=True,
    sends="BootNotifications without each required field in turn, then Heartbeats from this station and another.",
    expects="The CSMS SHALL answer each with a CALLERROR of this version and go on serving every station.",
    clause=VALIDITY,
    defect="invalid-boot-accepted",
    also=("invalid-call-unanswered",),
    checks=(
        _mutated("BootNotification", "A boot without a required field is refused", INCOMPLETE),
        still_serves(),
        bystander_serves(),
    ),
)
def incomplete_boots(probe: Probe) -> None:
    _throw(probe, "BootNotification", _wrong(probe.version, "BootNotification", MutationKind.MISSING_REQUIRED))


WRONG_VALUES = (
    MutationKind.WRONG_TYPE,
    MutationKind.TOO_LONG,
    MutationKind.BAD_ENUM,
    MutationKind.EMPTY_ARRAY,
    MutationKind.NULL,
)


@shared(
    id="PAY_02",
    title="Values of a wrong type, beyond a length, outside a list, or null are refused",
    block=BLOCK,
    bystander=True,
    sends="StatusNotifications that are wrong by one step in every way, then Heartbeats from this station and another.",
    expects="The CSMS SHALL answer each with a CALLERROR of this version and go on serving every station.",
    clause=VALIDITY,
    defect="invalid-call-unanswered",
    checks=(
        _mutated("StatusNotification", "A wrong value is refused", SLIGHTLY_WRONG),
        still_serves(),
        bystander_serves(),
    ),
)
def wrong_values(probe: Probe) -> None:
    _throw(probe, "StatusNotification", _wrong(probe.version, "StatusNotification", *WRONG_VALUES))
