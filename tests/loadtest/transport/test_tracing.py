"""Traces under load: what is written, by whom, and what happens when the disk does not take it."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from websockets.frames import Opcode

from evidence.run_folder import read_trace
from loadtest.timing.timers import HubTimers, TimerQueue
from loadtest.transport.contract import Engine
from loadtest.transport.mqtt_socket import MqttSocket
from loadtest.transport.mqtt_trunk import TrunkEnd
from loadtest.transport.socket import StationSocket
from loadtest.transport.stream import Stream
from loadtest.transport.target import Target
from loadtest.transport.tls import TlsStationSocket
from loadtest.transport.trace_file import BLOCK, TraceFile
from loadtest.transport.traced import (
    TracedMqttSocket,
    TracedSocket,
    TracedTlsSocket,
    TracedTrunkEnd,
    Tracer,
    trace_path,
)
from loadtest.workload.identities import Identities
from ocppj.trace import Kind, TraceRecord
from tests.loadtest.listeners import Listener
from tests.loadtest.scripted_server import Peer, ScriptedServer


def record(text: str = '[3,"1",{}]', t: float = 1.0) -> TraceRecord:
    return TraceRecord(t=t, station="PS1", connection=1, kind=Kind.SENT, text=text)


class Disk:
    """Runs what a trace file hands to its thread when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Callable[[], Any], Callable[[Any], object]]] = []
        self.lost = 0

    def submit(self, work: Callable[[], Any], done: Callable[[Any], object]) -> None:
        self.waiting.append((work, done))

    def lose(self, number: int) -> None:
        self.lost += number

    def turn(self) -> None:
        work, done = self.waiting.pop(0)
        done(work())

    def file(self, path: Path, **settings: Any) -> TraceFile:
        return TraceFile(lambda: path, TimerQueue(), self.submit, self.lose, wall_offset=0.0, **settings)


# -- the file ----------------------------------------------------------------------------------------------------------


def test_records_reach_the_file_in_order_redacted_and_with_their_wall_time(tmp_path: Path) -> None:
    disk, path = Disk(), tmp_path / "traces" / "load-1.jsonl"
    file = disk.file(path)
    for number in range(3):
        file.write(
            record(f'[2,"{number}","DataTransfer",{{"data":"hunter2"}}]', t=float(number)), frozenset({"hunter2"})
        )
    assert not path.exists(), "nothing is written from the event loop"
    file.flush()
    disk.turn()
    file.close()
    found = list(read_trace(path))
    assert [line.t for line in found] == [0.0, 1.0, 2.0]
    assert found[2].wall == "1970-01-01T00:00:02.000Z"
    assert "hunter2" not in path.read_text()
    assert disk.lost == 0


def test_only_one_block_is_on_its_way_and_the_next_follows_when_it_is_there(tmp_path: Path) -> None:
    disk = Disk()
    file = disk.file(tmp_path / "x.jsonl")
    large = record("x" * BLOCK)
    for _ in range(4):
        file.write(large, frozenset())
    assert len(disk.waiting) == 1
    disk.turn()
    assert len(disk.waiting) == 1
    disk.turn()
    assert file.idle
    file.close()
    assert len(list(read_trace(tmp_path / "x.jsonl"))) == 4


def test_a_slow_disk_costs_records_that_are_counted_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Disk()
    file = disk.file(tmp_path / "x.jsonl", most_waiting=3 * BLOCK)
    for _ in range(10):
        file.write(record("x" * BLOCK), frozenset())
    written = 10 - disk.lost
    assert 3 <= written <= 4
    while disk.waiting:
        disk.turn()
    file.write(record(), frozenset())
    file.flush()
    disk.turn()
    file.close()
    assert len(list(read_trace(tmp_path / "x.jsonl"))) == written + 1, "and it goes on when the disk does"
    assert [line.message for line in caplog.records] == [
        "Frames are missing in the trace of the run: the disk is too slow; the run goes on and says how many."
    ]


def test_a_full_disk_is_told_in_one_line_and_every_record_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk()
    file = disk.file(Path("/dev/full"))
    for _ in range(5):
        file.write(record(), frozenset())
    file.flush()
    file.write(record(), frozenset())
    disk.turn()
    file.write(record(), frozenset())
    file.close()
    assert disk.lost == 7
    assert [line.levelno for line in caplog.records] == [logging.ERROR]
    assert "/dev/full: No space left on device" in caplog.text


def write_whole(disk: Disk, path: Path, number: int) -> None:
    file = disk.file(path)
    for at in range(number):
        file.write(record(t=float(at)), frozenset())
    file.flush()
    disk.turn()
    file.close()


def test_half_a_line_is_taken_away_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, path = Disk(), tmp_path / "x.jsonl"
    file = disk.file(path)
    for number in range(3):
        file.write(record(t=float(number)), frozenset())
    whole = tmp_path / "whole.jsonl"
    write_whole(disk, whole, 3)
    size = whole.stat().st_size // 3 * 2 - 10
    real = os.write

    def narrow(descriptor: int, data: bytes) -> int:
        nonlocal size
        if not size:
            raise OSError(28, "No space left on device")
        taken, size = real(descriptor, data[:size]), 0
        return int(taken)

    file.flush()
    monkeypatch.setattr("loadtest.transport.trace_file.os.write", narrow)
    disk.turn()
    monkeypatch.undo()
    assert path.read_bytes().endswith(b"\n")
    assert [line.t for line in read_trace(path)] == [0.0]
    assert disk.lost == 2
    file.close()


def test_what_no_thread_took_by_the_end_is_counted(tmp_path: Path) -> None:
    disk = Disk()
    file = disk.file(tmp_path / "x.jsonl")
    file.write(record(), frozenset())
    file.flush()
    file.write(record(), frozenset())
    file.close()
    assert disk.lost == 1
    disk.turn()
    assert len(list(read_trace(tmp_path / "x.jsonl"))) == 1


# -- who is traced, and where ------------------------------------------------------------------------------------------


@pytest.fixture
def engine() -> Iterator[Engine]:
    loop = gevent.get_hub().loop
    timers = HubTimers(loop)
    engine = Engine(loop, timers, connect_timeout=5.0, close_timeout=0.1)
    yield engine
    assert engine.open_sockets == 0
    timers.close()


class Station(Listener):
    def __init__(self, number: int = 1) -> None:
        super().__init__()
        self.lease = Identities().lease(number)


def tracer_of(engine: Engine, path: Path, share: float = 1.0, seed: int = 3) -> Tracer:
    lost: list[int] = []
    return Tracer(share, seed, lambda: path, engine.timers, lost=lost.append, password="hunter2")


def test_a_share_of_the_stations_is_drawn_and_the_same_for_a_seed(engine: Engine, tmp_path: Path) -> None:
    identities = [Identities().lease(number).identity for number in range(1, 1001)]
    first, second, other, none, every = (
        {name for name in identities if tracer_of(engine, tmp_path, share, seed).chooses(name)}
        for share, seed in ((0.1, 3), (0.1, 3), (0.1, 4), (0.0, 3), (1.0, 3))
    )
    assert first == second != other
    assert 70 < len(first) < 130
    assert (len(none), len(every)) == (0, 1000)


def test_a_station_that_is_not_chosen_gets_the_plain_socket(engine: Engine, tmp_path: Path) -> None:
    target = Target("ws://127.0.0.1:9/ocpp")
    station: Any = Station()
    kind: type[object]
    for share, kind in ((0.0, StationSocket), (1.0, TracedSocket)):
        assert type(tracer_of(engine, tmp_path, share).open_socket(engine, target, station)) is kind
    secure = Target("wss://csms.example", tls=ssl.create_default_context())
    broker = Target("mqtt://127.0.0.1:9")
    shared = Target("mqtts://127.0.0.1:9", mqtt_connections=1)
    for share, kind in ((0.0, TlsStationSocket), (1.0, TracedTlsSocket)):
        assert type(tracer_of(engine, tmp_path, share).open_socket(engine, secure, station)) is kind
    for share, kind in ((0.0, MqttSocket), (1.0, TracedMqttSocket)):
        assert type(tracer_of(engine, tmp_path, share).open_socket(engine, broker, station)) is kind
    for share, kind in ((0.0, TrunkEnd), (1.0, TracedTrunkEnd)):
        assert type(tracer_of(engine, tmp_path, share).open_socket(engine, shared, station)) is kind


def test_a_worker_without_the_masters_folder_writes_into_one_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert trace_path(str(tmp_path), "2") == tmp_path / "traces" / "load-2.jsonl"
    assert trace_path("/nowhere/at/all/night", "2") == Path("runs/night/traces/load-2.jsonl")


# -- a connection ------------------------------------------------------------------------------------------------------


def test_everything_on_a_connection_is_written_down(engine: Engine, tmp_path: Path) -> None:
    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.say(f'[2,"1","ChangeConfiguration",{{"key":"AuthorizationKey","value":"{peer.text()[-8:-1]}"}}]')
        peer.frame(Opcode.PING, b"hey")
        peer.frame(Opcode.BINARY, b"\xff\x00")
        peer.close(1001, "bye")
        peer.until_end()

    path = tmp_path / "load-1.jsonl"
    tracer = tracer_of(engine, path)
    with ScriptedServer(script) as server:
        target = Target(server.url.replace("ws://", "ws://user:secret@"))
        target.resolve()
        station: Any = Station()
        sock = tracer.open_socket(engine, target, station)
        sock.connect(f"{server.url}/PS000001", "ocpp1.6", {"Authorization": "Basic abc="})
        station.wait(1)
        sock.send_text('"hunter2"')
        station.wait(4)
    tracer.close()
    found = list(read_trace(path))
    assert [line.kind for line in found] == ["handshake", "sent", "received", "control", "received", "closed"]
    assert {(line.station, line.connection) for line in found} == {(station.lease.identity, 1)}
    assert [line.t for line in found] == sorted(line.t for line in found)
    assert found[0].info["subprotocol"] == "ocpp1.6"
    assert found[0].info["credentials"] is True
    assert found[4].data == b"\xff\x00"
    assert found[5].info == {"code": 1001, "reason": "bye", "by": "csms"}
    assert "hunter2" not in path.read_text()
    assert "abc=" not in path.read_text()


def test_refused_and_aborted_connections_are_written_down_and_counted_on(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "load-1.jsonl"
    tracer, station = tracer_of(engine, path), Station()
    listener: Any = station

    def refuse(peer: Peer) -> None:
        peer.sock.recv(65536)
        peer.raw(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")

    def stay(peer: Peer) -> None:
        peer.upgrade()
        peer.until_end()

    for number, script in enumerate((refuse, stay), 1):
        with ScriptedServer(script) as server:
            target = Target(server.url)
            target.resolve()
            sock = tracer.open_socket(engine, target, listener)
            sock.connect(f"{server.url}/PS000001", "ocpp1.6", {})
            station.wait(number)
            if number > 1:
                assert isinstance(sock, Stream)
                sock.send_ping(b"")
            sock.abort()
    tracer.close()
    found = list(read_trace(path))
    assert [(line.connection, line.kind) for line in found] == [
        (1, "handshake"),
        (2, "handshake"),
        (2, "control"),
        (2, "closed"),
    ]
    assert found[0].info["status"] == 503
    assert found[3].info["by"] == "station"


def test_who_takes_a_traced_connection_over_hears_it_and_the_trace_goes_on(engine: Engine, tmp_path: Path) -> None:
    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.say(f"heard {peer.text()}")
        peer.until_end()

    path = tmp_path / "load-1.jsonl"
    tracer = tracer_of(engine, path)
    with ScriptedServer(script) as server:
        target = Target(server.url)
        target.resolve()
        station: Any = Station()
        heir = Listener()
        sock = tracer.open_socket(engine, target, station)
        sock.connect(f"{server.url}/PS000001", "ocpp1.6", {})
        station.wait(1)
        sock.hand_over(heir)
        sock.send_text("a word")
        assert heir.wait(1) == ["heard a word"]
        sock.note({"injected": "loss", "direction": "to-csms"})
        sock.abort()
    tracer.close()
    found = list(read_trace(path))
    assert [line.kind for line in found] == ["handshake", "sent", "received", "note", "closed"]
    assert found[3].info == {"injected": "loss", "direction": "to-csms"}
