"""Captures of the network: WebSocket and MQTT connections out of packets, with what networks do to them."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.findings_model import Analysis
from analysis.judge import Judge
from analysis.model import Direction, Event, Record, Side, Unread
from analysis.readers.capture import CaptureReader, packet_lines
from analysis.readers.source import open_sources, sniff
from analysis.readers.tcp import Gap, Half
from ocppj.versions import Version
from tests.analysis.judging import broken
from tests.analysis.log_scenes import DOWN, STATION, UP, Line, Scene, scenes
from tests.analysis.packets import (
    Packet,
    Wire,
    as_bytes,
    connect,
    mqtt,
    publish,
    request,
    response,
    websocket,
    write_capture,
    ws_frame,
)

SCENES = scenes()
GOOD = SCENES[0]
SAMPLES: dict[str, Callable[[Scene], Wire]] = {
    "websocket": lambda scene: websocket(scene.lines),
    "websocket in small segments": lambda scene: websocket(scene.lines, size=41),
    "mqtt, plain arrays": lambda scene: mqtt(scene.lines, "raw"),
    "mqtt, emqx": lambda scene: mqtt(scene.lines, "emqx"),
    "mqtt 5, maeve": lambda scene: mqtt(scene.lines, "maeve", level=5),
}


def read(path: Path) -> list[Record | Unread]:
    (source,) = open_sources([str(path)])
    reader = sniff(source)
    assert reader.name == "capture"
    return list(reader.read(source.lines, source.station))


def frames(path: Path) -> list[str]:
    return [record.text for record in read(path) if isinstance(record, Record) and record.event is Event.FRAME]


def unread(path: Path) -> list[str]:
    return [record.why for record in read(path) if isinstance(record, Unread)]


def judged(path: Path) -> Analysis:
    judge = Judge()
    (source,) = open_sources([str(path)])
    reader = sniff(source)
    judge.begin(source.name, reader.name, reader.traits)
    judge.read(reader.read(source.lines, source.station))
    return judge.finish()


@pytest.mark.parametrize("scene", SCENES, ids=[scene.name for scene in SCENES])
@pytest.mark.parametrize("kind", SAMPLES)
def test_a_capture_is_recognised_and_judged_as_written_down_beforehand(tmp_path: Path, kind: str, scene: Scene) -> None:
    analysis = judged(write_capture(tmp_path / "a.pcap", SAMPLES[kind](scene).packets))
    assert broken(analysis) == scene.expected
    assert analysis.frames == len(scene.lines)
    assert [one.station for one in analysis.stations] == [STATION]
    assert sum(source.unread for source in analysis.sources) == 0


@pytest.mark.parametrize("link", [0, 1, 101, 113, 276])
@pytest.mark.parametrize("ng", [False, True], ids=["pcap", "pcapng"])
def test_every_usual_link_layer_is_known(tmp_path: Path, link: int, *, ng: bool) -> None:
    path = write_capture(tmp_path / "a", websocket(GOOD.lines).packets, link=link, ng=ng)
    assert frames(path) == [line.frame for line in GOOD.lines]


def test_the_newer_internet_protocol_is_read(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "a", websocket(GOOD.lines).packets, six=True)
    assert frames(path) == [line.frame for line in GOOD.lines]


def test_a_packed_capture_is_read(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "a.pcap", websocket(GOOD.lines).packets)
    packed = tmp_path / "a.pcap.gz"
    packed.write_bytes(gzip.compress(path.read_bytes())[:-9])
    assert len(frames(packed)) == len(GOOD.lines)


def test_a_handshake_names_station_and_version_and_a_close_frame_who_ended_it(tmp_path: Path) -> None:
    wire = Wire().send(0.1, request("/a/b/CP%2F7?x=1"), up=True).send(0.2, response("ocpp2.0.1"), up=False)
    wire.send(0.3, ws_frame(b"\x03\xf0go", masked=False, opcode=8), up=False).fin(0.4, up=True)
    opened, closed = (record for record in read(write_capture(tmp_path / "a", wire.packets)))
    assert isinstance(opened, Record)
    assert isinstance(closed, Record)
    assert (opened.event, opened.station, opened.version, opened.code) == (Event.OPENED, "CP/7", Version.V201, 101)
    assert (closed.event, closed.code, closed.reason, closed.by) == (Event.CLOSED, 1008, "go", Side.CSMS)


def test_a_connection_that_only_tcp_ends_is_ended_by_who_said_so(tmp_path: Path) -> None:
    wire = websocket(GOOD.lines).fin(200.0, up=True)
    last = read(write_capture(tmp_path / "a", wire.packets))[-1]
    assert isinstance(last, Record)
    assert (last.event, last.by, last.code) == (Event.CLOSED, Side.STATION, None)


def test_a_refused_handshake_is_told(tmp_path: Path) -> None:
    wire = Wire().send(0.1, request(), up=True).send(0.2, response(status="401 Unauthorized"), up=False)
    (refused,) = read(write_capture(tmp_path / "a", wire.fin(0.3, up=False).packets))
    assert isinstance(refused, Record)
    assert (refused.event, refused.code, refused.station) == (Event.REFUSED, 401, STATION)


def test_other_traffic_says_nothing(tmp_path: Path) -> None:
    page = Wire().send(0.1, b"GET /index.html HTTP/1.1\r\nHost: x\r\n\r\n", up=True)
    page.send(0.2, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", up=False)
    assert read(write_capture(tmp_path / "a", page.packets)) == []
    mail = Wire().send(0.1, b"220 mail.example ready\r\n", up=False).send(0.2, b"EHLO x\r\n", up=True)
    assert read(write_capture(tmp_path / "b", mail.packets)) == []


def test_tls_and_compression_are_counted_with_their_packets(tmp_path: Path) -> None:
    wire = Wire().send(0.1, b"\x16\x03\x01\x02\x00\x01", up=True).send(0.2, b"\x16\x03\x03\x00", up=False)
    (why,) = unread(write_capture(tmp_path / "a", wire.packets))
    assert why.startswith("TLS between 192.0.2.17:50123")
    path = write_capture(tmp_path / "b", websocket(GOOD.lines, rsv=0x40).packets)
    reasons = unread(path)
    assert len(reasons) == len(GOOD.lines)
    assert all("permessage-deflate" in why for why in reasons)
    assert frames(path) == []


def test_packets_that_come_twice_and_in_another_order_change_nothing(tmp_path: Path) -> None:
    packets = websocket(GOOD.lines, size=50).packets
    draw = random.Random(7)
    mixed: list[Packet] = []
    for place in range(0, len(packets), 4):
        some = packets[place : place + 4]
        # What is sent again may be cut otherwise, and an acknowledgement never comes before what it confirms.
        alike = len({packet.up for packet in some}) == 1
        mixed += draw.sample(some, len(some)) if alike else some
        mixed.append(draw.choice(some))
    assert mixed != packets
    assert frames(write_capture(tmp_path / "a", mixed)) == [line.frame for line in GOOD.lines]


def test_a_lost_packet_costs_its_message_and_accuses_nobody(tmp_path: Path) -> None:
    packets = websocket(GOOD.lines).packets
    place = next(n for n, packet in enumerate(packets) if n > 12 and packet.up and len(packet.data) > 60)
    path = write_capture(tmp_path / "a", packets[:place] + packets[place + 1 :])
    assert len(frames(path)) == len(GOOD.lines) - 1
    (why,) = unread(path)
    assert f"{len(packets[place].data)} bytes of the charge point are not in the capture" in why
    assert broken(judged(path)) == set()


def test_a_capture_may_begin_in_the_middle_of_a_connection(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "a", websocket(GOOD.lines, handshake=False).packets[3:])
    records = [record for record in read(path) if isinstance(record, Record)]
    assert len(records) >= len(GOOD.lines) - 3
    ways = {record.value[2]: record.direction for record in records if record.value[0] == 2}
    assert ways["StartTransaction"] is Direction.TO_CSMS
    assert ways["GetConfiguration"] is Direction.TO_STATION
    assert {record.station for record in records} == {"192.0.2.17:50123"}


def test_the_end_of_a_capture_may_be_missing(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "a", websocket(GOOD.lines).packets)
    path.write_bytes(path.read_bytes()[:-5])
    assert len(frames(path)) == len(GOOD.lines) - 1


def test_what_a_broker_hands_on_and_repeats_is_one_message(tmp_path: Path) -> None:
    text = '[2,"1","Heartbeat",{}]'
    topic = f"ocpp/{STATION}/in"
    wire = Wire().send(0.1, connect(), up=True).send(0.2, publish(topic, text, qos=1), up=True)
    wire.send(0.3, publish(topic, text, qos=1, dup=True), up=True).send(0.4, publish(topic, text), up=False)
    assert frames(write_capture(tmp_path / "a", wire.packets)) == [text]


def test_an_ocpp_message_on_a_topic_of_nobody_is_counted(tmp_path: Path) -> None:
    wire = Wire().send(0.1, connect(), up=True).send(0.2, publish("home/light", "on"), up=True)
    wire.send(0.3, publish("charger/raw", '[2,"1","Heartbeat",{}]'), up=True)
    wire.send(0.4, publish(f"cs/in/ocpp1.6/{STATION}", '{"type":9}'), up=True)
    reasons = unread(write_capture(tmp_path / "a", wire.packets))
    assert ["no known dialect" in reasons[0], "as its dialect wants" in reasons[1], len(reasons)] == [True, True, 2]


def test_the_version_of_mqtt_is_found_out_in_the_middle(tmp_path: Path) -> None:
    for level in (4, 5):
        wire = mqtt(GOOD.lines, "maeve", level=level)
        path = write_capture(tmp_path / f"{level}", wire.packets[4:])
        assert len(frames(path)) == len(GOOD.lines)


def test_a_long_message_is_read_whole(tmp_path: Path) -> None:
    long = '[2,"1","DataTransfer",{"vendorId":"x","data":"' + "y" * 70_000 + '"}]'
    wire = websocket([Line(1.0, UP, long), Line(2.0, DOWN, '[3,"1",{"status":"Accepted"}]')])
    assert frames(write_capture(tmp_path / "a", wire.packets))[0] == long


def test_packets_of_a_pipe_are_numbered_as_wireshark_does(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "a", websocket(GOOD.lines).packets)
    lines = list(packet_lines(io.BufferedReader(io.BytesIO(path.read_bytes()))))
    assert [number for number, _ in lines] == list(range(1, len(lines) + 1))


@given(st.binary(min_size=1, max_size=300), st.randoms(use_true_random=False))
def test_a_stream_comes_out_as_it_went_in(data: bytes, draw: random.Random) -> None:
    first = draw.choice([5, (1 << 32) - 40])
    cuts = sorted(draw.sample(range(len(data)), min(len(data), 6)))
    parts = [
        ((first + 1 + start) % (1 << 32), data[start : end + draw.randrange(9)])
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)
    ]
    parts += draw.sample(parts, draw.randrange(len(parts) + 1))
    draw.shuffle(parts)
    half = Half()
    half.take(first, b"", syn=True)
    found = [piece for seq, part in parts for piece in half.take(seq, part, syn=False)] + half.rest()
    assert not [piece for piece in found if isinstance(piece, Gap)]
    assert b"".join(piece for piece in found if isinstance(piece, bytes)) == data


@given(
    parts=st.lists(st.binary(max_size=90), max_size=8),
    link=st.sampled_from([0, 1, 101, 113, 276, 7]),
    real=st.booleans(),
)
def test_no_packet_ends_in_a_traceback(parts: list[bytes], link: int, *, real: bool) -> None:
    lines = [f"(packet) {link} 1.0 {part.decode('latin-1')}" for part in parts]
    if real:
        wire = Wire()
        for place, part in enumerate(parts):
            wire.send(place, (request(), connect(), ws_frame(part, masked=True))[place % 3][: len(part)], up=True)
            wire.send(place, part, up=place % 2 == 0)
        lines = [f"(packet) 1 {at!r} {data.decode('latin-1')}" for at, data in as_bytes(wire.packets)]
    list(CaptureReader().read(enumerate(lines, 1), "x"))
