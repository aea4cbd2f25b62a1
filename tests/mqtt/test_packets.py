"""Every packet comes back as it went, and no bytes break the reader."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt.errors import MqttError
from mqtt.packets import (
    Ack,
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Kind,
    Level,
    Packet,
    Ping,
    Publish,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
    Will,
    decode,
    encode,
)
from mqtt.properties import Property, decode_properties, encode_properties, read_variable, write_variable
from mqtt.reasons import explain, reason_name

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
TOPICS = st.text(st.characters(exclude_characters="\0+#", exclude_categories=["Cs"]), min_size=1, max_size=40)
BYTES = st.binary(max_size=300)
IDS = st.integers(1, 65_535)
CODES = st.integers(0, 255)

NUMBERS = {1: st.integers(0, 255), 2: st.integers(0, 65_535), 4: st.integers(0, 2**32 - 1)}
PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        Property.PAYLOAD_FORMAT: NUMBERS[1],
        Property.MESSAGE_EXPIRY: NUMBERS[4],
        Property.CONTENT_TYPE: TEXTS,
        Property.RESPONSE_TOPIC: TEXTS,
        Property.CORRELATION_DATA: BYTES,
        Property.SUBSCRIPTION_ID: st.lists(st.integers(1, 268_435_455), min_size=1, max_size=3),
        Property.SESSION_EXPIRY: NUMBERS[4],
        Property.ASSIGNED_CLIENT_ID: TEXTS,
        Property.SERVER_KEEP_ALIVE: NUMBERS[2],
        Property.REASON: TEXTS,
        Property.RECEIVE_MAXIMUM: NUMBERS[2],
        Property.MAXIMUM_QOS: NUMBERS[1],
        Property.USER: st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3),
    },
)
QOS = st.integers(0, 2)
WILLS = st.builds(Will, topic=TOPICS, payload=BYTES, qos=QOS, retain=st.booleans(), properties=PROPERTIES)
PACKETS: st.SearchStrategy[Packet] = st.one_of(
    st.builds(
        Connect,
        client_id=TEXTS,
        clean=st.booleans(),
        keep_alive=st.integers(0, 65_535),
        user=st.none() | TEXTS,
        password=st.none() | BYTES,
        will=st.none() | WILLS,
        properties=PROPERTIES,
    ),
    st.builds(ConnAck, code=CODES, session_present=st.booleans(), properties=PROPERTIES),
    st.builds(
        Publish,
        topic=TOPICS,
        payload=BYTES,
        qos=st.integers(1, 2),
        retain=st.booleans(),
        duplicate=st.booleans(),
        packet_id=IDS,
        properties=PROPERTIES,
    ),
    st.builds(Publish, topic=TOPICS, payload=BYTES, retain=st.booleans(), properties=PROPERTIES),
    st.builds(
        Ack,
        kind=st.sampled_from([Kind.PUBACK, Kind.PUBREC, Kind.PUBREL, Kind.PUBCOMP]),
        packet_id=IDS,
        code=CODES,
        properties=PROPERTIES,
    ),
    st.builds(
        Subscribe,
        packet_id=IDS,
        filters=st.lists(st.tuples(TOPICS, QOS), min_size=1, max_size=3).map(tuple),
        properties=PROPERTIES,
    ),
    st.builds(SubAck, packet_id=IDS, codes=st.lists(CODES, min_size=1, max_size=3).map(tuple), properties=PROPERTIES),
    st.builds(
        Unsubscribe, packet_id=IDS, filters=st.lists(TOPICS, min_size=1, max_size=3).map(tuple), properties=PROPERTIES
    ),
    st.builds(UnsubAck, packet_id=IDS, codes=st.lists(CODES, max_size=3).map(tuple), properties=PROPERTIES),
    st.builds(Ping, answer=st.booleans()),
    st.builds(Disconnect, code=CODES, properties=PROPERTIES),
    st.builds(Auth, code=CODES, properties=PROPERTIES),
)


def body_of(data: bytes) -> bytes:
    size, start = read_variable(data, 1)
    assert len(data) == start + size
    return data[start:]


def as_311(packet: Packet) -> Packet:
    """Take away what MQTT 3.1.1 does not carry."""
    changes: dict[str, object] = {"properties": {}}
    if isinstance(packet, Connect) and packet.will is not None:
        changes["will"] = msgspec.structs.replace(packet.will, properties={})
    if isinstance(packet, Ack | Disconnect):
        changes["code"] = 0
    if isinstance(packet, UnsubAck):
        changes["codes"] = ()
    return msgspec.structs.replace(packet, **changes)


@given(PACKETS)
def test_packets_of_mqtt_5_come_back_as_they_went(packet: Packet) -> None:
    data = encode(packet, Level.V5)
    found = decode(data[0], body_of(data), Level.V5)
    if isinstance(packet, Ping):
        assert found == Ping(answer=packet.answer)
    else:
        assert found == packet


@given(PACKETS.filter(lambda packet: not isinstance(packet, Auth)))
def test_packets_of_mqtt_311_come_back_without_what_it_does_not_have(packet: Packet) -> None:
    data = encode(packet, Level.V311)
    assert decode(data[0], body_of(data), Level.V311) == as_311(packet)


@given(CODES, st.binary(max_size=200), st.sampled_from(Level))
def test_no_bytes_raise_anything_but_an_error_of_mqtt(first: int, body: bytes, level: Level) -> None:
    try:
        decode(first, body, level)
    except MqttError as error:
        assert str(error)  # noqa: PT017 - other bytes are a packet


@given(PACKETS, st.data(), st.sampled_from(Level))
def test_a_changed_packet_raises_nothing_but_an_error_of_mqtt(
    packet: Packet, draws: st.DataObject, level: Level
) -> None:
    data = bytearray(encode(packet, level))
    data[draws.draw(st.integers(0, len(data) - 1))] = draws.draw(CODES)
    try:
        decode(data[0], bytes(data[2:]), level)
    except MqttError as error:
        assert str(error)  # noqa: PT017 - some changes make another packet


@given(PROPERTIES)
def test_properties_come_back_as_they_went(properties: dict[Property, object]) -> None:
    data = encode_properties(properties)
    assert decode_properties(data, 0) == (properties, len(data))


@pytest.mark.parametrize(
    ("value", "size"), [(0, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (2_097_151, 3), (268_435_455, 4)]
)
def test_numbers_take_as_many_bytes_as_the_standard_says(value: int, size: int) -> None:
    data = write_variable(value)
    assert len(data) == size
    assert read_variable(data, 0) == (value, size)


def test_a_number_that_is_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="268435456 is more than"):
        write_variable(268_435_456)
    with pytest.raises(MqttError, match="more than four bytes"):
        read_variable(b"\xff\xff\xff\xff\x01", 0)


@pytest.mark.parametrize(
    ("first", "body", "words"),
    [
        (0x00, b"", "packet type 0"),
        (0x36, b"\x00\x01a\x00\x01", "QoS 3"),
        (0x30, b"\x00\x03a/#", "wildcard"),
        (0x30, b"\x00\x00", "no topic"),
        (0x32, b"\x00\x01a\x00\x00", "no identifier"),
        (0x60, b"\x00\x01", "flags"),
        (0x20, b"\x02\x00", "CONNACK is not whole"),
        (0x90, b"\x00\x01", "SUBACK has no code"),
        (0x30, b"\x00\x02\xff\xff", "not UTF-8"),
        (0x30, b"\x00\x01\x00", r"U\+0000"),
        (0xD0, b"\x00", "longer than its fields"),
        (0xF0, b"", "3.1.1 has no AUTH"),
    ],
)
def test_what_the_standard_calls_malformed_is_refused(first: int, body: bytes, words: str) -> None:
    with pytest.raises(MqttError, match=words):
        decode(first, body, Level.V311)


def test_a_property_that_stands_twice_is_refused() -> None:
    with pytest.raises(MqttError, match="CONTENT_TYPE stands twice"):
        decode_properties(b"\x08\x03\x00\x01a\x03\x00\x01b", 0)


def test_the_words_of_a_broker_stand_behind_its_code() -> None:
    assert reason_name(5, Level.V311) == "not-authorized"
    assert reason_name(0x86, Level.V5) == "bad-user-name-or-password"
    assert explain(0x87, Level.V5, {Property.REASON: "no such fleet"}) == "not authorized (no such fleet)"
    assert reason_name(77, Level.V311) == "code-0x4d"
