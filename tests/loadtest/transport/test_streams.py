from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Self

from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from loadtest.timing.timers import TimerQueue
from loadtest.transport.contract import Engine, Handshake, How
from loadtest.transport.socket import StationSocket
from loadtest.transport.target import Target
from tests.loadtest.listeners import TIMEOUT, kept_by
from tests.loadtest.scripted_server import Peer


class Watcher:
    """Stands in for the hub's watcher of the epoll: the test runs its callback."""

    def __init__(self, fd: int, events: int) -> None:
        self.fd = fd
        self.events = events
        self.callback: Callable[[], object] | None = None

    def start(self, callback: Callable[[], object]) -> None:
        self.callback = callback

    def stop(self) -> None:
        self.callback = None

    def close(self) -> None:
        self.fd = -1


class Loop:
    """Stands in for the hub of one connection."""

    watcher: Watcher

    def io(self, fd: int, events: int) -> Watcher:
        self.watcher = Watcher(fd, events)
        return self.watcher

    def run_callback(self, function: Callable[..., object], *args: Any) -> None:
        function(*args)

    def turn(self) -> None:
        """Wait until the connection can go on, and let it."""
        watcher = self.watcher
        assert any(select.select([watcher.fd], [], [], TIMEOUT))
        assert watcher.callback is not None
        watcher.callback()

    @property
    def is_done(self) -> bool:
        return self.watcher.callback is None


class Ear:
    """A listener that keeps messages and ends."""

    def __init__(self) -> None:
        self.messages: list[str | bytes] = []
        self.ends: list[How] = []

    def on_open(self, _: Handshake) -> None:
        pass

    def on_text(self, data: str | bytes, _: float) -> None:
        self.messages.append(data)

    def on_closed(self, _code: int, _reason: str, how: How) -> None:
        self.ends.append(how)


class Connection:
    """A connection over loopback whose event loop the test turns by hand."""

    def __init__(self) -> None:
        self.timers, self.loop, self.ear = TimerQueue(), Loop(), Ear()
        self.engine = Engine(self.loop, self.timers, max_message=50_000)  # type: ignore[arg-type]  # the core of the timers is enough
        with socket.create_server(("127.0.0.1", 0)) as server:
            target = Target(f"ws://127.0.0.1:{server.getsockname()[1]}")
            target.resolve()
            self.sock = StationSocket(self.engine, target, self.ear)  # type: ignore[arg-type]  # hears no more than this
            self.sock.connect(f"{target.url}/PS1", "ocpp1.6", {})
            self.peer = Peer(server.accept()[0])
        self.peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.loop.turn()
        self.peer.upgrade()
        self.loop.turn()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.abort()
        self.peer.sock.close()

    def hear(self, data: bytes) -> None:
        """Send these bytes to the station and let it read what is there."""
        self.peer.raw(data)
        if data and not self.loop.is_done:
            self.loop.turn()

    def end(self) -> None:
        """End TCP, and let the station read up to there."""
        with contextlib.suppress(OSError):
            self.peer.sock.shutdown(socket.SHUT_WR)
        while not self.loop.is_done:
            self.loop.turn()


texts = st.one_of(st.text(max_size=200), st.integers(0, 40_000).map(lambda size: "ß" * (size // 2)))
frames = st.lists(
    st.one_of(
        texts.map(lambda text: [Frame(Opcode.TEXT, text.encode())]),
        st.binary(max_size=100).map(lambda data: [Frame(Opcode.BINARY, data)]),
        st.binary(max_size=125).map(lambda data: [Frame(Opcode.PING, data)]),
        st.lists(st.binary(max_size=50), min_size=1, max_size=4).map(
            lambda parts: [
                Frame(Opcode.BINARY if n == 0 else Opcode.CONT, part, n == len(parts))
                for n, part in enumerate([*parts, b""])
            ]
        ),
    ),
    max_size=8,
)


def message_of(group: list[Frame]) -> list[str | bytes]:
    if group[0].opcode is Opcode.PING:
        return []
    data = b"".join(bytes(frame.data) for frame in group)
    return [data.decode() if group[0].opcode is Opcode.TEXT else data]


@given(frames, st.data())
@settings(max_examples=150, deadline=None)
def test_any_cut_of_the_stream_gives_the_same_messages(groups: list[list[Frame]], data: st.DataObject) -> None:
    stream = b"".join(frame.serialize(mask=False) for group in groups for frame in group)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12))
    with Connection() as connection:
        for start, end in pairwise(sorted({0, len(stream), *cuts})):
            connection.hear(stream[start:end])
        connection.peer.say("the last")
        ear = connection.ear
        while "the last" not in ear.messages:
            connection.loop.turn()
        assert ear.messages == [*(message for group in groups for message in message_of(group)), "the last"]
        assert ear.ends == []
        # Between messages nothing is kept: that is what makes ten thousand connections cheap.
        assert kept_by(connection.sock) == []


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=20))
@settings(max_examples=300, deadline=None)
def test_no_bytes_at_all_can_raise(parts: list[bytes]) -> None:
    with Connection() as connection:
        for part in parts:
            connection.hear(part)
        connection.end()
        connection.timers.run_due(1e12)
        assert len(connection.ear.ends) == 1
        assert connection.engine.open_sockets == 0
