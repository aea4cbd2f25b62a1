from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from loadtest.timing.timers import TimerQueue
from loadtest.transport.contract import Engine, How
from loadtest.transport.socket import ConnectionPhase, StationSocket
from loadtest.transport.target import Target


class Loop:
    """Stands in for the hub: remembers what shall run soon."""

    def run_callback(self, function: Any, *args: Any) -> None:
        function(*args)


class Sock:
    """A kernel socket that takes everything."""

    def __init__(self) -> None:
        self.sent = b""

    def send(self, data: bytes) -> int:
        self.sent += data
        return len(data)

    def close(self) -> None:
        self.sent = b""


class Listener:
    def __init__(self) -> None:
        self.messages: list[str | bytes] = []
        self.ends: list[How] = []

    def on_text(self, data: str | bytes, _: float) -> None:
        self.messages.append(data)

    def on_closed(self, _code: int, _reason: str, how: How) -> None:
        self.ends.append(how)


def listening() -> tuple[StationSocket, Listener, TimerQueue]:
    """Make a socket whose connection stands, without a network."""
    timers, ear = TimerQueue(), Listener()
    engine = Engine(Loop(), timers, max_message=50_000)  # type: ignore[arg-type]  # the core of the timers is enough
    sock = StationSocket(engine, Target("ws://127.0.0.1:1"), ear)  # type: ignore[arg-type]  # hears no more than this
    sock._sock = Sock()  # type: ignore[assignment]  # no network
    sock._phase = ConnectionPhase.OPEN
    return sock, ear, timers


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
@settings(max_examples=150)
def test_any_cut_of_the_stream_gives_the_same_messages(groups: list[list[Frame]], data: st.DataObject) -> None:
    stream = b"".join(frame.serialize(mask=False) for group in groups for frame in group)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12))
    sock, ear, _ = listening()
    for start, end in pairwise(sorted({0, len(stream), *cuts})):
        sock._received(stream[start:end], 0.0)
    assert ear.messages == [message for group in groups for message in message_of(group)]
    assert ear.ends == []
    # Between messages nothing is kept: that is what makes ten thousand connections cheap.
    assert sock._protocol is None
    assert sock._inbox is None


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=20))
@settings(max_examples=300)
def test_no_bytes_at_all_can_raise(parts: list[bytes]) -> None:
    sock, ear, timers = listening()
    for part in parts:
        sock._received(part, 0.0)
    sock._ended("end of stream")
    timers.run_due(1e12)
    assert len(ear.ends) == 1
    assert sock._phase is ConnectionPhase.CLOSED
