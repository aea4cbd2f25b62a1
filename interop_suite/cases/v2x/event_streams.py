"""Periodic event streams of 2.1: a monitor whose values travel as SEND, adjusted, listed and closed."""

from __future__ import annotations

import secrets
from typing import Any

from drivers.base import trigger_need
from evidence.verdicts import Verdict
from fixtures.device import Variable
from fixtures.payloads import v2x, v21
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, given, still_serves
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import each, one_of
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe, now
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.obeying import obey
from interop_suite.steps.operator_orders import ordered
from ocppj.messages import Send, encode
from ocppj.versions import Version

BLOCK = "Diagnostics"
PROFILE = "unknown (2.1)"
BY_SCHEMA = Clause("21-4", "4.1.7")
UNANSWERED = Clause("21-4", "4.2.4")
STREAM, OTHER_STREAM = 17, 28
MONITOR, OTHER_MONITOR = 731, 842
CURRENT = Variable("EVSE", "Current", "31.5", "decimal", evse_id=2, unit="A")
PARAMS, ADJUSTED = {"interval": 45, "values": 6}, {"interval": 90, "values": 12}
READINGS = (("31.5", "31.75"), ("30.25",), ("29.5", "28.75", "28.5"))

_TAKEN = "The CSMS takes the stream"
_NO_ANSWER = "No SEND is answered"


def _judge_sends(history: History) -> list[Finding]:
    """Find answers to what the station sent as SEND."""
    ids = {sent.message.message_id: sent for sent in history.sends if sent.sent and isinstance(sent.message, Send)}
    answers = [
        stray.frame
        for stray in history.strays
        if stray.frame.message is not None and stray.frame.message.message_id in ids
    ]
    if not ids:
        return []
    first = answers[0] if answers else None
    return [
        Finding(
            verdict=Verdict.OK if first is None else Verdict.FAILED,
            claim=_NO_ANSWER,
            actual=f"{len(ids)} SENDs, {len(answers)} answers",
            clause=UNANSWERED,
            frame=None if first is None else first.line,
        )
    ]


def _judge_opening(history: History) -> list[Finding]:
    """Judge the answer to the opening; a CSMS that wants no stream may reject it."""
    rejected = [c for c in history.calls("OpenPeriodicEventStream") if c.result.get("status") == "Rejected"]
    if not rejected:
        return answered("OpenPeriodicEventStream", {"status": one_of("Accepted")}, claim=_TAKEN).judge(history)
    actual = "this CSMS takes no streams: it answered OpenPeriodicEventStream with Rejected"
    return [Finding(verdict=Verdict.NOT_APPLICABLE, claim=_TAKEN, actual=actual, frame=rejected[0].call.line)]


def _send(station: ScriptedStation, values: tuple[str, ...]) -> None:
    readings = [(index * 1.5, value) for index, value in enumerate(values)]
    payload = v21.notify_periodic_event_stream(STREAM, now(), readings)
    station.send_raw(encode(Send(f"stream-{secrets.token_hex(6)}", "NotifyPeriodicEventStream", payload)))


def _install(request: dict[str, Any]) -> dict[str, Any]:
    data = (request.get("setMonitoringData") or [{}])[0]
    about = {name: data[name] for name in ("type", "severity", "component", "variable") if name in data}
    return {"setMonitoringResult": [{"id": MONITOR, "status": "Accepted", **about}]}


@case(
    id="TC_N_105_CSMS",
    ocpp=(Version.V21,),
    title="The values of a frequent monitor travel as a stream, which is opened, adjusted and closed",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need("SetVariableMonitoring"), trigger_need("AdjustPeriodicEventStream")),
    sends="OpenPeriodicEventStream for a new monitor, SENDs of its values, ClosePeriodicEventStream, a Heartbeat.",
    expects="The CSMS SHALL order the monitor with its stream, answer opening and closing, adjust it, answer no SEND.",
    clause=BY_SCHEMA,
    defect="monitor-without-event-stream",
    also=("event-stream-params-swapped", "send-answered", "monitor-value-as-integer"),
    checks=(
        ordered(
            "SetVariableMonitoring",
            {
                "setMonitoringData": each("value", "type", "severity", "component", "variable"),
                "setMonitoringData.0.type": one_of("Periodic"),
                "setMonitoringData.0.periodicEventStream.interval": one_of(PARAMS["interval"]),
                "setMonitoringData.0.periodicEventStream.values": one_of(PARAMS["values"]),
            },
        ),
        Check(claim=_TAKEN, judge=_judge_opening),
        Check(claim=_NO_ANSWER, judge=_judge_sends),
        ordered(
            "AdjustPeriodicEventStream",
            {
                "id": one_of(STREAM),
                "params.interval": one_of(ADJUSTED["interval"]),
                "params.values": one_of(ADJUSTED["values"]),
            },
        ),
        answered("ClosePeriodicEventStream", claim="The end of the stream is answered"),
        still_serves(),
    ),
)
def streamed(probe: Probe) -> None:
    station = probe.station
    monitor = {
        "type": "Periodic",
        "value": 1.5,
        "severity": 8,
        "periodicEventStream": PARAMS,
        **v2x.component_variable(CURRENT),
    }
    if obey(probe, "SetVariableMonitoring", {"setMonitoringData": [monitor]}, _install) is None:
        return
    opening = v21.open_periodic_event_stream(STREAM, MONITOR, **PARAMS)
    if station.call("OpenPeriodicEventStream", opening).get("status") != "Accepted":
        return
    for values in READINGS[:2]:
        _send(station, values)
    obey(probe, "AdjustPeriodicEventStream", {"id": STREAM, "params": ADJUSTED}, {"status": "Accepted"})
    _send(station, READINGS[2])
    station.call("ClosePeriodicEventStream", v21.close_periodic_event_stream(STREAM))
    heartbeat(station)


def _two_lists(history: History) -> tuple[bool, str]:
    """Tell whether both lists were asked for; a CSMS may well ask more often."""
    asked = len(history.commands("GetPeriodicEventStream"))
    orders = len(history.orders("GetPeriodicEventStream"))
    return asked >= orders, f"{asked} GetPeriodicEventStream for {orders} orders"


@case(
    id="TC_N_107_CSMS",
    ocpp=(Version.V21,),
    title="Two streams are listed, and then none",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need("GetPeriodicEventStream"),),
    sends="Two streams to GetPeriodicEventStream, none to the next one, then a Heartbeat.",
    expects="The CSMS SHALL ask for the streams, take a list as well as the lack of one, and go on.",
    clause=BY_SCHEMA,
    defect="closes-after-no-event-streams",
    checks=(
        ordered("GetPeriodicEventStream", {}),
        given("Both lists are asked for", _two_lists),
        still_serves(),
    ),
)
def listed(probe: Probe) -> None:
    streams = [
        {"id": STREAM, "params": PARAMS, "variableMonitoringId": MONITOR},
        {"id": OTHER_STREAM, "params": ADJUSTED, "variableMonitoringId": OTHER_MONITOR},
    ]
    if obey(probe, "GetPeriodicEventStream", {}, {"constantStreamData": streams}) is None:
        return
    obey(probe, "GetPeriodicEventStream", {}, {})
    heartbeat(probe.station)
