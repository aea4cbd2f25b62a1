"""Topics: where the CSMS speaks, to whom, and how it writes identities there."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from evidence.verdicts import Verdict
from interop_suite.claims.checks import answered
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.exchange import AnswerKind
from interop_suite.claims.expected import present
from interop_suite.claims.history import BYSTANDER, History
from interop_suite.drive.broker_side import dialect_of, form_of, listening, post
from interop_suite.drive.probe import Probe
from interop_suite.drive.setup import Start
from interop_suite.drive.station import ScriptedStation
from interop_suite.drive.transport import NoWayError
from interop_suite.steps.broker import claimed_by, deliveries, mqtt_case, new_call, overheard, served
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.pending_commands import (
    COMMAND,
    asked_first,
    first_command,
    is_answered,
    reply_first,
    reported_first,
)
from mqtt.lines import line_of


def _beat_three_times(station: ScriptedStation) -> None:
    for _ in range(3):
        heartbeat(station)


@mqtt_case(
    id="MQ_01",
    title="Answers come on the topic on which the station hears the CSMS",
    start=Start.CONNECTED,
    sends="A boot and three Heartbeats.",
    expects="The CSMS SHALL answer each on the down topic of the station: no gateway hears another one.",
    rule=("DIALECT", "down.topic"),
    defect="mqtt-answers-on-another-topic",
    checks=(answered("BootNotification", claim="The boot is answered"), served),
)
def right_topic(probe: Probe) -> None:
    probe.boot(probe.station)
    _beat_three_times(probe.station)


_NOWHERE_ELSE = "What the CSMS says to a station goes over the topic of that station alone"


def _judge_elsewhere(history: History) -> Iterator[Finding]:
    topics = {record.info["topic"] for record in history.records if "topic" in record.info and record.text is not None}
    heard = list(overheard(history))
    strange = [(line, info) for line, info in heard if info["overheard"] not in topics]
    for line, info in strange[:1]:
        yield claimed_by(_NOWHERE_ELSE, good=False, actual=f"it was heard on {info['overheard']}, too", frame=line)
    if heard and not strange:
        yield claimed_by(_NOWHERE_ELSE, good=True, actual=f"{len(heard)} messages", frame=heard[0][0])


@mqtt_case(
    id="MQ_02",
    title="Answers go to their station and nowhere else",
    sends="Three Heartbeats, while another client listens to every topic.",
    expects="The CSMS SHALL publish each answer once: a copy shows tokens and prices to whoever may read its topic.",
    rule=("DIALECT", "down.topic"),
    defect="mqtt-answers-copied-elsewhere",
    checks=(deliveries(_NOWHERE_ELSE, _judge_elsewhere), served),
)
def nowhere_else(probe: Probe) -> None:
    station = probe.station
    with listening(station) as ear:
        _beat_three_times(station)
        ear.take(station)


@mqtt_case(
    id="MQ_03",
    title="Commands come on the topic on which the station hears the CSMS",
    initiator="csms",
    needs=COMMAND,
    sends="Accepted to a command.",
    expects="The CSMS SHALL send the command on the down topic of the station, and take the answer.",
    rule=("DIALECT", "down.topic"),
    defect="mqtt-commands-on-another-topic",
    also=("mqtt-hears-itself",),
    checks=(asked_first(claim="The command reaches the station"),),
)
def command_on_topic(probe: Probe) -> None:
    reply_first(probe, "Accepted")
    first_command(probe)
    heartbeat(probe.station)


@mqtt_case(
    id="MQ_04",
    title="Answers of a station are heard on the topic that the dialect has for them",
    initiator="csms",
    needs=COMMAND,
    sends="Accepted to a command, on the topic for answers.",
    expects="The CSMS SHALL subscribe to the topic on which stations answer, and take what comes there.",
    rule=("DIALECT", "up.answers"),
    defect="mqtt-answers-of-stations-unheard",
    also=("mqtt-commands-on-another-topic", "mqtt-hears-itself"),
    checks=(reported_first(is_answered("Accepted"), even_unsent=True, claim="The answer reaches the CSMS"),),
)
def reply_topic(probe: Probe) -> None:
    if dialect_of(probe.station).up.answers is None:
        raise NoWayError("this dialect has one topic for all that a station says")
    reply_first(probe, "Accepted")
    first_command(probe)
    heartbeat(probe.station)


_EACH_ITS_OWN = "Each station gets the answers to what it asked, and no others"


def _judge_own(history: History) -> Iterator[Finding]:
    for call in (*history.calls("Heartbeat"), *history.calls("Heartbeat", role=BYSTANDER)):
        good = call.kind is AnswerKind.RESULT
        yield claimed_by(_EACH_ITS_OWN, good=good, actual=call.describe_answer(), frame=call.call.line)


@mqtt_case(
    id="MQ_05",
    title="Two stations in turn: each gets its own answers",
    start=Start.CONNECTED,
    bystander=True,
    sends="A boot, and Heartbeats of two stations in turn.",
    expects="The CSMS SHALL answer each on its own topic, whoever spoke last.",
    rule=("DIALECT", "down.topic"),
    defect="mqtt-answers-the-one-before",
    checks=(deliveries(_EACH_ITS_OWN, _judge_own),),
)
def in_turn(probe: Probe) -> None:
    probe.boot(probe.station)
    for _ in range(3):
        heartbeat(probe.station)
        heartbeat(probe.bystander)
    heartbeat(probe.station)


_OVER_ONE = "What one connection says for two stations is answered to each of them"


def _judge_shared(history: History) -> Iterator[Finding]:
    other = history.station(BYSTANDER)
    asked = [r.info["asked_for"] for r in history.records if "asked_for" in r.info]
    found = [(line, info) for line, info in overheard(history) if other and other in info["overheard"]]
    for message_id in asked:
        line = next((line for line, info in found if message_id in info["payload"]), None)
        actual = "it was answered" if line is not None else f"no answer to {message_id} came to {other}"
        yield claimed_by(_OVER_ONE, good=line is not None, actual=actual, frame=line)


@mqtt_case(
    id="MQ_06",
    title="A gateway may speak for two stations over one connection",
    start=Start.CONNECTED,
    bystander=True,
    sends="A boot and a Heartbeat, and one of another station over the same connection, in turn.",
    expects="The CSMS SHALL know a station by its topic, and by nothing else: it sees no connections.",
    rule=("DIALECT", "up"),
    defect="mqtt-answers-the-one-before",
    checks=(deliveries(_OVER_ONE, _judge_shared),),
)
def one_connection(probe: Probe) -> None:
    station, other = probe.station, probe.bystander
    probe.boot(station)
    other.disconnect()
    line = line_of(dialect_of(station), other.identity, station.rules.subprotocol)
    with listening(station, *(topic for topic, _ in line.down_filters)) as ear:
        for _ in range(2):
            heartbeat(station)
            text = new_call()
            station.note(asked_for=text.split('"')[1])
            post(station, form_of(station, text), topic=line.up[2:].decode(), properties=line.properties)
            station.take_in()
        ear.take(station, other)
    heartbeat(station)


def _answered_as(role: str, what: str) -> Check:
    return answered("BootNotification", {"status": present()}, role=role, claim=f"A station {what} is answered")


def _boots_as(probe: Probe, role: str, identity: str) -> None:
    station = probe.new_station(role, identity=identity)
    probe.reconnect(station)
    probe.send_boot(station)


@mqtt_case(
    id="MQ_07",
    title="Identities that differ in case alone are two stations",
    start=Start.OFFLINE,
    serves=False,
    needs=("register",),
    sends="Boots of two stations whose identities differ in upper and lower case.",
    expects="The CSMS SHALL write each identity in topics as the station does: topics have upper and lower case.",
    rule=("MQTT5", "4.7.3"),
    defect="mqtt-identity-in-lower-case",
    checks=(_answered_as("upper", "in capitals"), _answered_as("mixed", "in mixed letters")),
)
def upper_and_lower(probe: Probe) -> None:
    tag = secrets.token_hex(4)
    _boots_as(probe, "upper", f"PSCASE{tag.upper()}X")
    _boots_as(probe, "mixed", f"PSCase{tag.upper()}x")


@mqtt_case(
    id="MQ_08",
    title="Identities with a space or letters of other languages stand in topics as they are",
    needs=("register",),
    sends="Boots of stations with a space, an umlaut and a per cent sign in their identities, then a Heartbeat.",
    expects="The CSMS SHALL write identities in topics as they are: topics are text, and no part of a URL.",
    rule=("MQTT5", "4.7.3"),
    defect="mqtt-identity-percent-encoded",
    checks=(
        _answered_as("space", "with a space"),
        _answered_as("umlaut", "with an umlaut"),
        _answered_as("percent", "with a per cent sign"),
    ),
)
def odd_identities(probe: Probe) -> None:
    tag = secrets.token_hex(4).upper()
    for role, identity in (("space", f"PS {tag}"), ("umlaut", f"PS\u00c4{tag}"), ("percent", f"PS%20{tag}")):
        _boots_as(probe, role, identity)
    heartbeat(probe.station)


_NO_ECHO = "The CSMS does not answer what it hears on the topics on which it speaks"


def _judge_echo(history: History) -> Iterator[Finding]:
    for asked, said in (r.info["echo"] for r in history.records if "echo" in r.info):
        heard = [info for _, info in overheard(history) if asked in info["payload"]]
        answers = [info for info in heard if info["payload"] != said]
        if said not in (info["payload"] for info in heard):
            yield Finding(verdict=Verdict.INCONCLUSIVE, claim=_NO_ECHO, actual="the broker did not deliver the CALL")
            continue
        actual = f"it answered on {answers[0]['overheard']}" if answers else "no answer"
        yield claimed_by(_NO_ECHO, good=not answers, actual=actual, frame=None)


@mqtt_case(
    id="MQ_09",
    title="The CSMS does not hear itself",
    sends="A Heartbeat on the topic on which the CSMS speaks to the station, as from somebody else.",
    expects="The CSMS SHALL NOT answer it: whoever takes its own messages for requests goes round in circles.",
    rule=("DIALECT", "up"),
    defect="mqtt-hears-itself",
    also=("mqtt-answers-retained",),
    checks=(deliveries(_NO_ECHO, _judge_echo),),
)
def no_echo(probe: Probe) -> None:
    station = probe.station
    heartbeat(station)
    # A station would answer it itself, and then nobody knew whose answer it was.
    station.disconnect()
    down = line_of(dialect_of(station), station.identity, station.rules.subprotocol).down
    text = new_call()
    with listening(station) as ear:
        payload = form_of(station, text)
        station.note(echo=(text.split('"')[1], payload.decode()))
        ear.say(down, payload)
        ear.take(station)
    probe.reconnect(station, judged=True)
    heartbeat(station)
