"""Forms of a dialect: keys, properties, names of errors, and payloads that are none of its messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from interop_suite.claims.checks import answered
from interop_suite.claims.claim import Finding
from interop_suite.claims.exchange import AnswerKind
from interop_suite.claims.history import History
from interop_suite.drive.broker_side import dialect_of, form_of, listening
from interop_suite.drive.probe import Probe
from interop_suite.drive.transport import NoWayError
from interop_suite.steps.broker import (
    ask,
    claimed_by,
    deliveries,
    heard_from_csms,
    keys_of,
    mqtt_case,
    new_call,
    overheard,
    served,
    spoil,
)
from interop_suite.steps.connections import heartbeat
from mqtt.dialect import load_dialect
from mqtt.form import Form
from mqtt.lines import line_of
from mqtt.properties import Property
from ocppj.versions import Version

_EVERY_CALL = "A CALL in this form is answered"


def _asked(claim: str = _EVERY_CALL) -> Any:
    return answered("Heartbeat", claim=claim, when=lambda call: "mq-" in str(call.call.text))


@mqtt_case(
    id="MQ_40",
    title="Keys that the CSMS does not know change nothing",
    sends="A Heartbeat whose object has two more keys, and one without.",
    expects="The CSMS SHALL answer it: gateways add keys of their own.",
    rule=("DIALECT", "object"),
    defect="mqtt-unknown-keys-refused",
    checks=(_asked(), served),
)
def unknown_keys(probe: Probe) -> None:
    keys_of(probe.station)
    ask(probe.station, new_call(), lambda members: members | {"gateway": "site 7", "hops": [1, 2]})
    heartbeat(probe.station)


@mqtt_case(
    id="MQ_41",
    title="The keys of a message may come in any order",
    sends="A Heartbeat whose object has its keys in the opposite order, and one as usual.",
    expects="The CSMS SHALL answer it: the members of an object have no order.",
    rule=("DIALECT", "object"),
    defect="mqtt-keys-by-position",
    checks=(_asked(), served),
)
def other_order(probe: Probe) -> None:
    keys_of(probe.station)
    ask(probe.station, new_call(), lambda members: dict(reversed(members.items())))
    heartbeat(probe.station)


@mqtt_case(
    id="MQ_42",
    title="A payload that is no JSON costs nothing but itself",
    sends="Payloads that are cut off, no JSON at all, and no UTF-8, each followed by a Heartbeat.",
    expects="The CSMS SHALL go on hearing the station: on a topic there is no connection that could be closed.",
    rule=("DIALECT", "up"),
    defect="mqtt-deaf-after-no-json",
    checks=(served,),
)
def no_json(probe: Probe) -> None:
    for payload in (form_of(probe.station, new_call())[:-7], b"hello", b"\xff\xfe{}"):
        spoil(probe, payload)


@mqtt_case(
    id="MQ_43",
    title="A message of another dialect costs nothing but itself",
    sends="A Heartbeat in the form of each of the other dialects, each followed by one in the right form.",
    expects="The CSMS SHALL go on hearing the station.",
    rule=("DIALECT", "up"),
    defect="mqtt-deaf-after-other-dialect",
    checks=(served,),
)
def other_dialect(probe: Probe) -> None:
    station = probe.station
    own = dialect_of(station)
    for name in ("raw", "emqx", "maeve"):
        other = load_dialect(name)
        if other.object != own.object:
            spoil(probe, Form(other, station.rules).write(new_call()).payload)


@mqtt_case(
    id="MQ_44",
    title="An empty message costs nothing but itself",
    sends="An empty message, as one that takes back what a broker has kept, followed by a Heartbeat.",
    expects="The CSMS SHALL go on hearing the station.",
    rule=("MQTT5", "3.3.1.3"),
    defect="mqtt-deaf-after-empty",
    checks=(served,),
)
def empty(probe: Probe) -> None:
    spoil(probe, b"")


@mqtt_case(
    id="MQ_45",
    title="A type of message that is written as a text costs nothing but itself",
    sends='A Heartbeat whose type is "2" and not 2, followed by one in the right form.',
    expects="The CSMS may answer it or not; it SHALL go on hearing the station.",
    rule=("DIALECT", "object"),
    defect="mqtt-deaf-after-type-as-text",
    checks=(served,),
)
def type_as_text(probe: Probe) -> None:
    station = probe.station
    keys = keys_of(station)
    members = msgspec.json.decode(form_of(station, new_call()))
    spoil(probe, msgspec.json.encode(members | {keys.type: str(members[keys.type])}))


_LARGE = "The large message is answered"


def _judge_large(history: History) -> Iterator[Finding]:
    for call in history.calls("DataTransfer"):
        good = call.kind in (AnswerKind.RESULT, AnswerKind.ERROR)
        yield claimed_by(_LARGE, good=good, actual=call.describe_answer(), frame=call.call.line)


LARGE = 100_000
"""Characters; AWS's broker takes 128 KiB, and others more."""


@mqtt_case(
    id="MQ_46",
    title="A message of a hundred thousand characters is answered",
    sends=f"DataTransfer with {LARGE:,} characters, then a Heartbeat.",
    expects="The CSMS SHALL answer it, be it with UnknownVendorId or a CALLERROR.",
    rule=("DIALECT", "up"),
    defect="mqtt-large-message-lost",
    checks=(deliveries(_LARGE, _judge_large),),
)
def large(probe: Probe) -> None:
    station = probe.station
    station.call("DataTransfer", {"vendorId": "org.example.plugstorm", "messageId": "Large", "data": "x" * LARGE})
    heartbeat(station)


_PROPERTIES = "Every message of the CSMS has the properties of the dialect"


def _judge_properties(history: History) -> Iterator[Finding]:
    for line, record in heard_from_csms(history):
        lacking = record.info.get("lacks", "")
        yield claimed_by(
            _PROPERTIES, good=not lacking, actual=f"no {lacking}" if lacking else "they are there", frame=line
        )


@mqtt_case(
    id="MQ_47",
    title="Messages of the CSMS have the properties that the gateway reads",
    sends="Three Heartbeats.",
    expects="The CSMS SHALL set the properties of MQTT 5 that the dialect has: the gateway fails without them.",
    rule=("DIALECT", "down.properties"),
    defect="mqtt-without-properties",
    checks=(deliveries(_PROPERTIES, _judge_properties), served),
)
def properties(probe: Probe) -> None:
    if not line_of(dialect_of(probe.station), "id", probe.station.rules.subprotocol).wanted:
        raise NoWayError("this dialect has no properties")
    for _ in range(3):
        heartbeat(probe.station)


_READABLE = "The correlation data of the CSMS is an object of JSON"


def _judge_correlation(history: History) -> Iterator[Finding]:
    for record in history.records:
        for text in record.info.get("correlation_data", ()):
            try:
                msgspec.json.decode(text, type=dict[str, Any])
                good = True
            except msgspec.MsgspecError:
                good = False
            yield claimed_by(_READABLE, good=good, actual=repr(text[:80]), frame=None)


@mqtt_case(
    id="MQ_48",
    title="The correlation data of an answer can be read",
    sends="Three Heartbeats, while another client listens.",
    expects="The CSMS SHALL write the correlation data as the dialect does, an object of JSON with the trace context.",
    rule=("DIALECT", "down.properties"),
    defect="mqtt-correlation-data-unreadable",
    also=("mqtt-without-properties",),
    checks=(deliveries(_READABLE, _judge_correlation), served),
)
def correlation(probe: Probe) -> None:
    station = probe.station
    if dialect_of(station).down.properties.correlation_data is None:
        raise NoWayError("this dialect has no correlation data")
    with listening(station) as ear:
        for _ in range(3):
            heartbeat(station)
        heard = ear.take(station)
    found = [message.properties.get(Property.CORRELATION_DATA, b"") for message in heard]
    station.note(correlation_data=[data.decode("utf-8", "replace") for data in found])


_CODE = "A CALLERROR has the keys of the dialect"


def _judge_code(history: History) -> Iterator[Finding]:
    wanted = next((r.info["code_key"] for r in history.records if "code_key" in r.info), None)
    for line, info in overheard(history):
        try:
            members = msgspec.json.decode(info["payload"], type=dict[str, Any])
        except msgspec.MsgspecError:
            continue
        if wanted is not None and "4" in map(str, members.values()):
            yield claimed_by(_CODE, good=wanted in members, actual=info["payload"][:160], frame=line)


@mqtt_case(
    id="MQ_49",
    title="A CALLERROR has the keys that the dialect gives it",
    sends="A CALL of an action that no version has, while another client listens.",
    expects="The CSMS SHALL put the code of the error under the key of the dialect.",
    rule=("DIALECT", "object"),
    defect="mqtt-error-without-code",
    checks=(deliveries(_CODE, _judge_code),),
)
def error_keys(probe: Probe) -> None:
    station = probe.station
    station.note(code_key=keys_of(station).code)
    with listening(station) as ear:
        station.call("NoSuchAction", {})
        ear.take(station)
    heartbeat(station)


_SPELLING = "The codes of errors are spelled as the dialect does"


def _judge_spelling(history: History) -> Iterator[Finding]:
    names: list[str] = next((r.info["spellings"] for r in history.records if "spellings" in r.info), [])
    key = next((r.info["code_key"] for r in history.records if "code_key" in r.info), "")
    for line, info in overheard(history):
        try:
            members = msgspec.json.decode(info["payload"], type=dict[str, Any])
        except msgspec.MsgspecError:
            continue
        code = members.get(key)
        if isinstance(code, str):
            yield claimed_by(_SPELLING, good=code not in names, actual=code, frame=line)


@mqtt_case(
    id="MQ_50",
    title="The codes of errors have the names of the dialect",
    versions=(Version.V16,),
    sends="BootNotification without the fields that it must have, while another client listens.",
    expects="The CSMS SHALL name the error as the dialect does, which may be other words than those of OCPP 1.6.",
    rule=("DIALECT", "errors"),
    defect="mqtt-error-codes-of-ocpp",
    also=("mqtt-error-without-code",),
    checks=(deliveries(_SPELLING, _judge_spelling),),
)
def error_names(probe: Probe) -> None:
    station = probe.station
    dialect = dialect_of(station)
    if not dialect.errors:
        raise NoWayError("this dialect has the names of OCPP")
    station.note(code_key=keys_of(station).code, spellings=list(dialect.errors))
    with listening(station) as ear:
        # An occurrence constraint of 1.6 has another spelling in every later version.
        station.call("BootNotification", {})
        ear.take(station)
    heartbeat(station)
