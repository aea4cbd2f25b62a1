"""The codec against real brokers, and against paho on the other side of them."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from mqtt.client import Delivered
from mqtt.packets import ConnAck, Connect, Level, Ping, Publish, SubAck, Will
from mqtt.properties import Property, encode_properties, write_text
from tests.mqtt.brokers import BROKERS, MOSQUITTO, Broker, mosquitto, running
from tests.mqtt.talker import PATIENCE, Talker

LEVELS = pytest.mark.parametrize("level", Level, ids=["3.1.1", "5"])


@pytest.fixture(scope="module", params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with running(request.param) as one:
        yield one


class Paho:
    """The client that people use."""

    def __init__(self, broker: Broker, level: Level, topic: str, qos: int) -> None:
        protocol = paho.MQTTv311 if level is Level.V311 else paho.MQTTv5
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=protocol)
        self.messages: queue.Queue[paho.MQTTMessage] = queue.Queue()
        self.ready: queue.Queue[Any] = queue.Queue()
        self.client.on_message = lambda _, __, message: self.messages.put(message)
        self.client.on_subscribe = lambda *_: self.ready.put(None)
        self.client.on_connect = self._subscribe
        self._wanted = (topic, qos)
        self.client.connect("127.0.0.1", broker.ports[level])
        self.client.loop_start()
        self.ready.get(timeout=PATIENCE)

    def _subscribe(self, *_: Any) -> None:
        self.client.subscribe(*self._wanted)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.mark.parametrize("qos", [0, 1, 2])
@LEVELS
def test_messages_go_both_ways_between_paho_and_the_codec(broker: Broker, level: Level, qos: int) -> None:
    name = f"both-{level}-{qos}"
    talker = Talker(broker, level, Connect(client_id=name))
    other = Paho(broker, level, f"{name}/in", qos)
    try:
        assert talker.wait(ConnAck).code == 0
        number = talker.client.subscribe((f"{name}/out", qos))
        talker.flush()
        answer = talker.wait(SubAck)
        assert (answer.packet_id, answer.codes) == (number, (qos,))

        properties = encode_properties({Property.CORRELATION_DATA: b"42"}) if level is Level.V5 else b"\0"
        payload = "é".encode() * 3000
        mine = talker.client.publish(write_text(f"{name}/in"), payload, qos, properties=properties)
        talker.flush()
        if qos:
            assert talker.wait(Delivered) == Delivered(mine, 0)
        heard = other.messages.get(timeout=PATIENCE)
        assert (heard.payload, heard.qos, heard.retain) == (payload, qos, False)

        told: Any = None
        if level is Level.V5:
            told = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's own
            told.CorrelationData = b"43"
            assert vars(heard.properties)["CorrelationData"] == b"42"
        other.client.publish(f"{name}/out", payload, qos, properties=told)
        message = talker.wait(Publish)
        assert (message.topic, message.payload, message.qos) == (f"{name}/out", payload, qos)
        assert message.properties.get(Property.CORRELATION_DATA) == (b"43" if level is Level.V5 else None)
    finally:
        talker.close()
        other.close()


@LEVELS
def test_the_broker_answers_a_ping(broker: Broker, level: Level) -> None:
    talker = Talker(broker, level, Connect(client_id=f"ping-{level}"))
    talker.wait(ConnAck)
    talker.client.ping()
    talker.flush()
    assert talker.wait(Ping) == Ping(answer=True)
    talker.close()


@LEVELS
def test_a_will_is_published_when_a_client_goes_without_a_word(broker: Broker, level: Level) -> None:
    name = f"will-{level}"
    other = Paho(broker, level, f"{name}/gone", 1)
    try:
        will = Will(topic=f"{name}/gone", payload=b"x", qos=1)
        talker = Talker(broker, level, Connect(client_id=name, will=will))
        talker.wait(ConnAck)
        talker.socket.close()
        assert other.messages.get(timeout=PATIENCE).payload == b"x"
    finally:
        other.close()


@pytest.mark.skipif(
    MOSQUITTO is None, reason="apt install mosquitto; rumqttd keeps no session that has expired by choice"
)
@LEVELS
def test_a_session_that_expires_later_keeps_what_came_meanwhile(level: Level) -> None:
    with mosquitto() as broker:
        wanted = {Property.SESSION_EXPIRY: 60} if level is Level.V5 else {}
        packet = Connect(client_id="kept", clean=False, properties=wanted)
        talker = Talker(broker, level, packet)
        assert not talker.wait(ConnAck).session_present
        talker.client.subscribe(("kept/out", 1))
        talker.flush()
        talker.wait(SubAck)
        talker.socket.close()

        other = Talker(broker, level, Connect(client_id="other"))
        other.wait(ConnAck)
        number = other.client.publish(write_text("kept/out"), b"meanwhile", 1)
        other.flush()
        assert other.wait(Delivered).packet_id == number

        again = Talker(broker, level, packet)
        assert again.wait(ConnAck).session_present
        assert again.wait(Publish).payload == b"meanwhile"
        again.close()
        other.close()


@pytest.mark.skipif(MOSQUITTO is None, reason="apt install mosquitto; rumqttd's listeners have no password here")
@LEVELS
def test_a_wrong_password_is_the_reason_in_connack(level: Level) -> None:
    with mosquitto("allow_anonymous false") as broker:
        talker = Talker(broker, level, Connect(client_id="x", user="a", password=b"b"))
        answer = talker.wait(ConnAck)
        assert answer.code == (5 if level is Level.V311 else 0x87)
        talker.socket.close()
