"""Messages of stations that are odd and legal, or wrong in a way that stations in the field are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from drivers.base import token_need
from evidence.verdicts import Verdict
from fixtures.payloads import v2x, v16
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, still_serves
from interop_suite.claims.claim import Check, Finding, Level
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe, now
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps.charging import Charging, meter_value
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.kept_sessions import kept_as_told
from interop_suite.steps.shared_case import ALL, V2X, bystander_serves, shared
from interop_suite.steps.transaction_records import sessions_began
from interop_suite.steps.v16 import NO_TRANSACTION, ago
from ocppj.versions import Version

BLOCK = "Field"
TOKEN = token_need("Accepted")
_LEGAL_2X = {Version.V201: Clause("201-4", "4.1.7"), Version.V21: Clause("21-4", "4.1.7")}
_PLACE: Mapping[Version, dict[str, int]] = {Version.V16: {"connectorId": 1}, **{key: {"evseId": 1} for key in V2X}}


def _statuses_16() -> list[dict[str, Any]]:
    status = v16.status_notification
    return [
        status(7, "Available", timestamp=now()),
        status(1, "Available"),
        status(0, "Faulted", error_code="GroundFailure", timestamp=now()),
        status(1, "Faulted", error_code="OtherError", timestamp=now(), vendor_error_code="9" * 32, vendor_id="V"),
        status(2, "Faulted", error_code="OtherError", timestamp=now(), info='{"state":"C2","pwm":53.3}'),
        status(1, "Available", timestamp="1970-01-01T00:00:05Z"),
        status(2, "Available", timestamp=ago(hours=-2)),
    ]


def _statuses_2x() -> list[dict[str, Any]]:
    return [
        v2x.status_notification(7, 1, "Available", now()),
        v2x.status_notification(1, 4, "Unavailable", now()),
        v2x.status_notification(1, 1, "Faulted", now()),
        v2x.status_notification(1, 1, "Available", "1970-01-01T00:00:05Z"),
        v2x.status_notification(2, 1, "Available", ago(hours=-2)),
    ]


_STATUSES = {Version.V16: _statuses_16, **dict.fromkeys(V2X, _statuses_2x)}


@shared(
    id="FLD_60",
    title="A status that is odd is answered as any other",
    block=BLOCK,
    sends="StatusNotifications of a connector nobody has heard of, with vendor codes, of 1970, of two hours from now.",
    expects="The CSMS SHALL answer each: what the station tells is legal, whatever the CSMS makes of it.",
    clause={Version.V16: Clause("1.6", "4.9"), **_LEGAL_2X},
    defect="unknown-connector-refused",
    also={
        Version.V16: (
            "vendor-error-refused",
            "status-without-time-refused",
            "time-out-of-range-refused",
            "connector-fault-refused",
        ),
        **dict.fromkeys(V2X, ("time-out-of-range-refused",)),
    },
    checks=(answered("StatusNotification", claim="Every StatusNotification is answered"), still_serves()),
)
def odd_statuses(probe: Probe) -> None:
    for payload in _STATUSES[probe.version]():
        if probe.station.call("StatusNotification", payload).kind not in ("result", "error"):
            break
    heartbeat(probe.station)


_FAULTED: Mapping[Version, Callable[[], dict[str, Any]]] = {
    Version.V16: lambda: v16.status_notification(1, "Faulted", error_code="GroundFailure", timestamp=now()),
    **dict.fromkeys(V2X, lambda: v2x.status_notification(1, 1, "Faulted", now())),
}


@shared(
    id="FLD_61",
    title="A fault of one station is no other one's affair",
    block=BLOCK,
    bystander=True,
    needs=(TOKEN,),
    sends="Faulted of a connector of another station, and then the start and the end of a session at this one.",
    expects="The CSMS SHALL take the session as ever.",
    clause={Version.V16: Clause("1.6J-E", "3.4"), **_LEGAL_2X},
    defect="fault-refuses-neighbours",
    checks={
        Version.V16: (answered("StartTransaction", claim="The start is answered"), sessions_began()),
        **dict.fromkeys(V2X, (answered("TransactionEvent", claim="Each event is answered"), sessions_began())),
    },
)
def fault_next_door(probe: Probe) -> None:
    probe.bystander.call("StatusNotification", _FAULTED[probe.version]())
    charging = Charging(probe.station, probe.token())
    charging.begin(1000)
    charging.end(1200)


# -- numbers and lists -----------------------------------------------------------------------------------------------

_IN_ORDER = "Each is answered, by a CALLRESULT or a CALLERROR"


def _answered_somehow(action: str) -> Check:
    """Claim that a CALL is answered in whatever way; one that ends the connection is a habit."""

    def judge(history: History) -> list[Finding]:
        return [
            Finding(
                verdict=Verdict.OK
                if call.kind in (AnswerKind.RESULT, AnswerKind.ERROR)
                else Verdict.NON_STRICT
                if call.cut_off
                else Verdict.FAILED,
                claim=_IN_ORDER,
                actual=call.describe_answer(),
                frame=call.call.line,
            )
            for call in history.calls(action)
        ]

    return Check(claim=_IN_ORDER, judge=judge)


def _reading(value: str = "1000") -> list[dict[str, Any]]:
    return [{"timestamp": now(), "sampledValue": [{"value": value}]}]


NUMBERS = (9_223_372_036_854_775_807, 2_147_483_648, 0, -1, -2_147_483_648)
"""Ids of transactions that stations have sent; a 1.6 integer has no bounds in the schema."""


_READ = "Readings of a transaction that nobody knows are confirmed"
_BITS = 31


def _judge_readings(history: History) -> list[Finding]:
    """Judge ids that fit: what stands for none SHALL be confirmed (errata §3.18), others SHOULD (§4.7)."""
    findings = []
    for call in history.calls("MeterValues"):
        number = call.payload.get("transactionId")
        if call.kind is AnswerKind.ERROR and isinstance(number, int) and number.bit_length() <= _BITS:
            verdict = Verdict.FAILED if number == NO_TRANSACTION else Verdict.NON_STRICT
            clause = Clause("1.6-E", "3.18") if number == NO_TRANSACTION else None
            actual = f"{number}: {call.describe_answer()}"
            findings.append(Finding(verdict=verdict, claim=_READ, actual=actual, clause=clause, frame=call.call.line))
    return findings or [Finding(verdict=Verdict.OK, claim=_READ, actual="none is refused")]


def _send_all(probe: Probe, action: str, payloads: list[dict[str, Any]]) -> None:
    station = probe.station
    for payload in payloads:
        if not station.connected:
            probe.reconnect(station, judged=True)
        if station.call(action, payload).kind == "timeout":
            break
    if not station.connected:
        probe.reconnect(station, judged=True)
    heartbeat(station)
    heartbeat(probe.bystander)


@case(
    id="FLD_62",
    ocpp=Version.V16,
    title="Readings of transactions with odd ids are answered",
    block=BLOCK,
    bystander=True,
    sends="MeterValues with the transactionIds 9223372036854775807, 2147483648, 0, -1 and -2147483648.",
    expects="The CSMS SHALL answer each, and go on serving this station and the others.",
    clause=Clause("1.6", "4.7"),
    defect="big-number-deafens",
    also=("reading-of-no-transaction-refused",),
    checks=(
        _answered_somehow("MeterValues"),
        Check(claim=_READ, judge=_judge_readings),
        still_serves(),
        bystander_serves(),
    ),
)
def odd_ids(probe: Probe) -> None:
    payloads = [v16.meter_values(1, _reading(), transaction_id=number) for number in NUMBERS]
    _send_all(probe, "MeterValues", payloads)


def _empty(version: Version) -> list[dict[str, Any]]:
    place = _PLACE[version]
    return [
        {**place, "meterValue": []},
        {**place, "meterValue": [{}]},
        {**place, "meterValue": [{"timestamp": now(), "sampledValue": []}]},
        {**place, "meterValue": [{"timestamp": "", "sampledValue": [{"value": "1"}]}]},
    ]


@shared(
    id="FLD_63",
    title="Readings that hold nothing are answered",
    block=BLOCK,
    bystander=True,
    sends="MeterValues with an empty list, an empty reading, no sampled value, and an empty time.",
    expects="The CSMS may refuse each; it SHALL answer, and go on serving this station and the others.",
    clause={Version.V16: Clause("1.6", "4.7"), **_LEGAL_2X},
    defect="bare-reading-deafens",
    also=("invalid-call-unanswered",),
    checks=(_answered_somehow("MeterValues"), still_serves(), bystander_serves()),
)
def empty_readings(probe: Probe) -> None:
    _send_all(probe, "MeterValues", _empty(probe.version))


SAMPLES = 2_000
_END: Mapping[Version, str] = {Version.V16: "StopTransaction", **dict.fromkeys(V2X, "TransactionEvent")}


def _long_end_16(station: ScriptedStation, charging: Charging) -> None:
    data = [{"timestamp": now(), "sampledValue": [{"value": str(number)}]} for number in range(SAMPLES)]
    payload = v16.stop_transaction(int(charging.id), SAMPLES, now(), id_tag=charging.token, transaction_data=data)
    station.call("StopTransaction", payload)


def _long_end_2x(_station: ScriptedStation, charging: Charging) -> None:
    value = meter_value(0, "Sample.Periodic")
    samples = [{**value["sampledValue"][0], "value": number} for number in range(SAMPLES)]
    charging.end(SAMPLES, meter_value=[{**value, "sampledValue": samples}])


_LONG_END = {Version.V16: _long_end_16, **dict.fromkeys(V2X, _long_end_2x)}


@shared(
    id="FLD_64",
    title="The end of a long session comes with all its readings",
    block=BLOCK,
    bystander=True,
    may_end_csms=True,
    needs=(TOKEN,),
    sends=f"A session whose end holds {SAMPLES} sampled values; then Heartbeats of this station and another.",
    expects="The CSMS SHALL answer it, as a refusal is repeated for ever, and go on serving everybody.",
    clause={Version.V16: Clause("1.6", "4.10"), **{v: Clause("201-6", "J02.FR.19") for v in V2X}},
    level=Level.BEHAVIOUR,
    defect="many-samples-deafen",
    checks={v: (sessions_began(), _answered_somehow(_END[v]), still_serves(), bystander_serves()) for v in ALL},
)
def long_session(probe: Probe) -> None:
    station = probe.station
    charging = Charging(station, probe.token())
    charging.begin(0)
    _LONG_END[probe.version](station, charging)
    if not station.connected:
        probe.reconnect(station, judged=True)
    heartbeat(station)
    heartbeat(probe.bystander)


@shared(
    id="FLD_65",
    title="A session of 1970, and one of two hours from now, are sessions",
    block=BLOCK,
    needs=(TOKEN, "transactions"),
    sends="A session of 1970, as of a clock that has never been set, and one of two hours from now.",
    expects="The CSMS SHALL (a start in 1.6: should) answer each message and keep both: no clock need be right.",
    clause={Version.V16: Clause("1.6", "3.15"), **{v: Clause("201-6", "J02.FR.19") for v in V2X}},
    defect="time-out-of-range-refused",
    also={
        Version.V16: ("offline-stop-refused", "start-lost", "stop-lost", "times-of-receipt"),
        **dict.fromkeys(V2X, ("start-lost", "stop-lost", "times-of-receipt", "meter-stop-lost")),
    },
    checks={
        # No sanity check SHOULD keep a start from its answer (1.6 §4.8); an end SHALL be answered (§4.10).
        Version.V16: (
            answered("StartTransaction", level=Level.RECOMMENDED),
            answered("StopTransaction"),
            kept_as_told(),
        ),
        **dict.fromkeys(V2X, (answered("TransactionEvent"), kept_as_told())),
    },
)
def odd_clocks(probe: Probe) -> None:
    token = probe.token()
    for begin, end in (("1970-01-01T00:00:05Z", "1970-01-01T00:10:05Z"), (ago(hours=-2), ago(hours=-3))):
        charging = Charging(probe.station, token)
        charging.begin(1000, timestamp=begin)
        charging.end(1300, timestamp=end)
