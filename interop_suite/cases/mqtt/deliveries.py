"""Deliveries: quality of service, retained messages, and messages that come twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from fixtures.payloads import v16
from interop_suite.claims.claim import Finding
from interop_suite.claims.exchange import AnswerKind
from interop_suite.claims.history import History
from interop_suite.drive.broker_side import dialect_of, listening
from interop_suite.drive.probe import Probe, now
from interop_suite.drive.transport import NoWayError
from interop_suite.steps.broker import (
    ask,
    claimed_by,
    deliveries,
    heard_from_csms,
    mqtt_case,
    new_call,
    overheard,
    served,
)
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.pending_commands import COMMAND, first_command, first_of, reply_first
from mqtt.lines import line_of
from ocppj.versions import Version

_QOS = "What the CSMS says has at least the QoS of the dialect"


def _judge_qos(history: History) -> Iterator[Finding]:
    wanted = next((r.info["qos_of_dialect"] for r in history.records if "qos_of_dialect" in r.info), None)
    for line, record in heard_from_csms(history):
        qos = record.info.get("qos")
        if wanted is not None and qos is not None:
            yield claimed_by(_QOS, good=qos >= wanted, actual=f"QoS {qos} instead of {wanted}", frame=line)


@mqtt_case(
    id="MQ_20",
    title="Messages of the CSMS have the quality of service of the dialect",
    sends="Three Heartbeats.",
    expects="The CSMS SHALL publish with the QoS that the dialect has: with QoS 0 an answer may be lost on its way.",
    rule=("DIALECT", "down.qos"),
    defect="mqtt-lower-qos",
    checks=(deliveries(_QOS, _judge_qos), served),
)
def quality(probe: Probe) -> None:
    station = probe.station
    down = dialect_of(station).down
    if not down.qos:
        raise NoWayError("this dialect delivers at most once (QoS 0)")
    station.note(qos_of_dialect=down.qos)
    for _ in range(3):
        heartbeat(station)


_ONCE = "Each CALL has one answer"


def _judge_once(history: History) -> Iterator[Finding]:
    twice = {stray.frame.line: stray.reason for stray in history.strays if stray.reason.startswith("A second answer")}
    for line, reason in twice.items():
        yield claimed_by(_ONCE, good=False, actual=reason, frame=line)
    calls = [call for call in history.calls("Heartbeat") if call.kind is not AnswerKind.NONE]
    if calls and not twice:
        yield claimed_by(_ONCE, good=True, actual=f"{len(calls)} CALLs", frame=calls[0].call.line)


@mqtt_case(
    id="MQ_21",
    title="Each CALL is answered once, however many instances the CSMS has",
    sends="Three Heartbeats, each followed by a moment of listening.",
    expects="The CSMS SHALL answer each once: instances share one subscription, else each of them answers.",
    rule=("MQTT5", "4.8.2"),
    defect="mqtt-two-instances-answer",
    checks=(deliveries(_ONCE, _judge_once), served),
)
def once(probe: Probe) -> None:
    station = probe.station
    for _ in range(3):
        heartbeat(station)
        station.take_in()
    heartbeat(station)


_NOT_KEPT = "The broker keeps nothing of what the CSMS says for those who subscribe later"


def _judge_kept(history: History) -> Iterator[Finding]:
    looked = any("looked_late" in record.info for record in history.records)
    kept = [(line, info["payload"]) for line, info in overheard(history) if info["retain"]]
    kept += [(line, str(record.text)) for line, record in heard_from_csms(history) if record.info.get("retain")]
    for line, payload in kept[:1]:
        yield claimed_by(_NOT_KEPT, good=False, actual=f"it kept {payload[:120]}", frame=line)
    if looked and not kept:
        yield claimed_by(_NOT_KEPT, good=True, actual="nothing was kept", frame=None)


def _look_late(probe: Probe) -> None:
    """Subscribe as a station does that comes later, and hear what the broker has kept."""
    station = probe.station
    line = line_of(dialect_of(station), station.identity, station.rules.subprotocol)
    station.take_in()
    with listening(station, *(topic for topic, _ in line.down_filters)) as ear:
        ear.take(station)
    station.note(looked_late=True)


@mqtt_case(
    id="MQ_22",
    title="A station that comes back hears no old answer",
    sends="A Heartbeat, the loss of the connection, a new one, and another Heartbeat.",
    expects="The CSMS SHALL publish its answers without the retain flag: they are for whoever asked, and for now.",
    rule=("DIALECT", "down.retain"),
    defect="mqtt-answers-retained",
    checks=(deliveries(_NOT_KEPT, _judge_kept), served),
)
def no_old_answer(probe: Probe) -> None:
    station = probe.station
    heartbeat(station)
    _look_late(probe)
    station.drop()
    probe.reconnect(station, judged=True)
    heartbeat(station)


@mqtt_case(
    id="MQ_23",
    title="A station that comes back hears no old command",
    initiator="csms",
    needs=COMMAND,
    sends="Accepted to a command, the loss of the connection, a new one, and a Heartbeat.",
    expects="The CSMS SHALL publish commands without the retain flag: a Reset that is kept resets at every return.",
    rule=("DIALECT", "down.retain"),
    defect="mqtt-commands-retained",
    also=("mqtt-answers-retained", "mqtt-hears-itself"),
    checks=(deliveries(_NOT_KEPT, _judge_kept), served),
)
def no_old_command(probe: Probe) -> None:
    station = probe.station
    reply_first(probe, "Accepted")
    first_command(probe)
    if station.expect(first_of(probe)) is None:
        raise NoWayError("the command did not come, so that nothing can be kept of it")
    _look_late(probe)
    station.drop()
    probe.reconnect(station, judged=True)
    heartbeat(station)


_ONE_SESSION = "A StartTransaction that is delivered twice begins one transaction"


def _judge_one_session(history: History) -> Iterator[Finding]:
    texts = [record.text for _, record in heard_from_csms(history) if record.text and "transactionId" in record.text]
    numbers = {_number_in(text) for text in texts} - {None}
    if numbers:
        actual = f"the transactions {', '.join(map(str, sorted(numbers, key=str)))}" if len(numbers) > 1 else "one"
        yield claimed_by(_ONE_SESSION, good=len(numbers) == 1, actual=actual, frame=None)


def _number_in(text: str) -> Any:
    try:
        return json.loads(text)[2].get("transactionId")
    except (ValueError, IndexError, AttributeError, TypeError):
        return None


@mqtt_case(
    id="MQ_24",
    title="A StartTransaction that a broker delivers twice begins one transaction",
    versions=(Version.V16,),
    sends="A StartTransaction twice with the same id, as a broker delivers with QoS 1, then a Heartbeat.",
    expects="The CSMS SHALL begin one transaction, and may answer once or twice.",
    rule=("MQTT5", "4.3.2"),
    defect="mqtt-delivery-handled-twice",
    checks=(deliveries(_ONE_SESSION, _judge_one_session),),
)
def delivered_twice(probe: Probe) -> None:
    station = probe.station
    if not dialect_of(station).up.qos:
        raise NoWayError("this dialect delivers at most once (QoS 0)")
    payload = v16.start_transaction(1, probe.token(), meter_start=1000, timestamp=now())
    ask(station, new_call("StartTransaction", payload), times=2)
    heartbeat(station)
