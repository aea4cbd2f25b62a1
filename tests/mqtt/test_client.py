"""A client without a network: its handshakes, what it repeats, and what it takes only once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt.client import Client, Delivered, Undelivered
from mqtt.errors import MqttError
from mqtt.packets import Ack, ConnAck, Connect, Kind, Level, Packet, Ping, Publish, SubAck, Subscribe, decode, encode
from mqtt.properties import Property, read_variable, write_text

TOPIC = write_text("CP1/in")


def sent(client: Client, level: Level = Level.V5) -> list[Packet]:
    """Read what the client wants written."""
    data, found = client.data_to_send(), []
    while data:
        size, start = read_variable(data, 1)
        found.append(decode(data[0], data[start : start + size], level))
        data = data[start + size :]
    return found


def connected(level: Level = Level.V5, **properties: Any) -> Client:
    client = Client(level)
    client.connect(Connect(client_id="CP1"))
    client.data_to_send()
    told = {Property[name.upper()]: value for name, value in properties.items()}
    client.receive(encode(ConnAck(code=0, properties=told), level))
    return client


def hear(client: Client, *packets: Packet) -> list[Any]:
    return list(client.receive(b"".join(encode(packet, client.level) for packet in packets)))


def ack(kind: Kind, number: int, code: int = 0) -> Ack:
    return Ack(kind=kind, packet_id=number, code=code)


def test_qos_0_is_written_and_forgotten() -> None:
    client = connected()
    assert client.publish(TOPIC, b"x") == 0
    assert sent(client) == [Publish(topic="CP1/in", payload=b"x")]
    assert client.unacknowledged == 0


def test_qos_1_is_delivered_with_its_puback() -> None:
    client = connected()
    number = client.publish(TOPIC, b"x", 1)
    assert client.unacknowledged == 1
    assert hear(client, ack(Kind.PUBACK, number)) == [Delivered(number)]
    assert client.unacknowledged == 0


def test_qos_2_is_delivered_after_both_steps() -> None:
    client = connected()
    number = client.publish(TOPIC, b"x", 2)
    sent(client)
    assert hear(client, ack(Kind.PUBREC, number)) == []
    assert sent(client) == [ack(Kind.PUBREL, number)]
    assert hear(client, ack(Kind.PUBCOMP, number)) == [Delivered(number)]


def test_a_refused_message_says_why() -> None:
    client = connected()
    number = client.publish(TOPIC, b"x", 2)
    assert hear(client, ack(Kind.PUBREC, number, 0x87)) == [Delivered(number, 0x87)]


def test_an_answer_of_the_wrong_kind_settles_nothing() -> None:
    client = connected()
    number = client.publish(TOPIC, b"x", 2)
    assert hear(client, ack(Kind.PUBACK, number), ack(Kind.PUBCOMP, number), ack(Kind.PUBACK, 999)) == []
    assert client.unacknowledged == 1


def test_a_message_of_qos_1_is_acknowledged_and_handed_on_each_time() -> None:
    client = connected()
    message = Publish(topic="a", payload=b"x", qos=1, packet_id=7)
    assert hear(client, message, message) == [message, message]
    assert sent(client) == [ack(Kind.PUBACK, 7)] * 2


def test_a_message_of_qos_2_is_handed_on_once_until_it_is_released() -> None:
    client = connected()
    message = Publish(topic="a", payload=b"x", qos=2, packet_id=7)
    assert hear(client, message, message) == [message]
    assert sent(client) == [ack(Kind.PUBREC, 7)] * 2
    hear(client, ack(Kind.PUBREL, 7))
    assert sent(client) == [ack(Kind.PUBCOMP, 7)]
    assert hear(client, message) == [message]


def test_no_more_messages_are_under_way_than_the_broker_takes() -> None:
    client = connected(receive_maximum=2)
    numbers = [client.publish(TOPIC, str(number).encode(), 1) for number in range(4)]
    assert len(sent(client)) == 2
    assert client.unacknowledged == 4
    hear(client, ack(Kind.PUBACK, numbers[0]))
    (third,) = sent(client)
    assert isinstance(third, Publish)
    assert third.payload == b"2"


def test_a_session_that_goes_on_repeats_what_was_not_acknowledged() -> None:
    client = connected(receive_maximum=2)
    first, second, third = (client.publish(TOPIC, payload, 2) for payload in (b"a", b"b", b"c"))
    hear(client, ack(Kind.PUBREC, second))
    client.connection_lost()
    client.connect(Connect(client_id="CP1", clean=False))
    sent(client)
    hear(client, ConnAck(code=0, session_present=True))
    again, release = sent(client)
    assert isinstance(again, Publish)
    assert (again.packet_id, again.duplicate, again.payload) == (first, True, b"a")
    assert release == ack(Kind.PUBREL, second)
    assert third not in (again.packet_id, second)


def test_a_session_that_is_gone_gives_back_what_was_not_acknowledged() -> None:
    client = connected()
    number = client.publish(TOPIC, b"x", 1)
    client.connection_lost()
    client.connect(Connect(client_id="CP1"))
    events = hear(client, ConnAck(code=0))
    assert events[1:] == [Undelivered(number)]
    assert client.unacknowledged == 0


def test_identifiers_go_round_and_skip_those_in_use() -> None:
    client = connected()
    kept = client.publish(TOPIC, b"x", 1)
    for _ in range(65_534):
        number = client.subscribe(("a", 0))
        client.data_to_send()
    assert number == 65_535
    assert client.subscribe(("a", 0)) == kept + 1


def test_a_subscription_has_its_filters_and_its_answer() -> None:
    client = connected(Level.V311)
    number = client.subscribe(("CP1/out", 1), ("x/+", 0))
    assert sent(client, Level.V311) == [Subscribe(packet_id=number, filters=(("CP1/out", 1), ("x/+", 0)))]
    answer = SubAck(packet_id=number, codes=(1, 0x80))
    assert hear(client, answer) == [answer]


@given(st.lists(st.integers(1, 40), max_size=60), st.integers(0, 400))
def test_packets_come_out_the_same_however_the_bytes_are_cut(cuts: list[int], size: int) -> None:
    packets: list[Packet] = [
        Publish(topic="a", payload=bytes(size)),
        Ping(answer=True),
        Publish(topic="b", payload=b"y", qos=1, packet_id=3),
        SubAck(packet_id=1, codes=(0,)),
    ]
    data = b"".join(encode(packet, Level.V5) for packet in packets)
    client, found = connected(), list[Any]()
    for cut in cuts:
        found += client.receive(data[:cut])
        data = data[cut:]
    found += client.receive(data)
    assert found == packets


def test_a_packet_that_is_too_long_is_refused_by_its_header() -> None:
    client = Client(Level.V5, most_packet=1000)
    client.receive(encode(ConnAck(code=0), Level.V5))
    with pytest.raises(MqttError, match="longer than 1000"):
        client.receive(b"\x30\xff\xff\x7f")


def test_a_peer_that_does_not_begin_with_connack_is_no_broker() -> None:
    with pytest.raises(MqttError, match="expected a CONNACK, but the first byte is 0x48"):
        Client(Level.V311).receive(b"HTTP/1.1 400 Bad Request")


def test_a_broker_that_asks_for_a_sign_of_life_is_wrong() -> None:
    with pytest.raises(MqttError, match="PINGREQ"):
        hear(connected(), Ping())
