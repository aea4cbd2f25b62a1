"""A broker that answers as a test wants it to, in threads of this process, and the CSMS behind it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

from mqtt.packets import (
    ConnAck,
    Connect,
    Level,
    Packet,
    Ping,
    Publish,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
    decode,
    encode,
)
from mqtt.properties import Properties

__all__ = ["SmallBroker", "small_broker"]

Say = Callable[[Publish], bytes | None]
"""What the CSMS publishes when a station has said something; None for nothing."""


class SmallBroker:
    """Everything that it does not do is a setting."""

    def __init__(self, level: Level, *, login: ConnAck, granted: int | None, say: Say, down: Properties) -> None:
        self.heard: list[Packet] = []
        self._level = level
        self._login = login
        self._granted = granted
        self._say = say
        self._down = down
        self._server = socket.create_server(("127.0.0.1", 0))
        self._clients: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self._server.getsockname()[1]}"

    def end(self) -> None:
        """Be gone: no port, and no connection."""
        for sock in (self._server, *self._clients):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self._clients.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        pending, topics = b"", list[str]()
        with contextlib.suppress(OSError):
            while data := client.recv(65_536):
                pending += data
                while (found := _packet(pending)) is not None:
                    first, body, pending = found
                    for answer in self._answers(decode(first, body, self._level), topics):
                        client.sendall(encode(answer, self._level))

    def _answers(self, packet: Packet, topics: list[str]) -> Iterator[Packet]:
        self.heard.append(packet)
        match packet:
            case Connect():
                yield self._login
            case Subscribe() if self._granted is not None:
                topics += [name for name, _ in packet.filters]
                yield SubAck(packet_id=packet.packet_id, codes=(self._granted,) * len(packet.filters))
            case Unsubscribe():
                yield UnsubAck(packet_id=packet.packet_id, codes=(0,) * len(packet.filters))
            case Ping():
                yield Ping(answer=True)
            case Publish():
                payload = self._say(packet)
                if payload is not None:
                    yield Publish(topic=topics[-1], payload=payload, properties=self._down)
            case _:
                """Nothing follows from the others."""


def _packet(data: bytes) -> tuple[int, bytes, bytes] | None:
    """Take the first packet: its first byte, its body, and what is behind it; None while it is not whole."""
    length, shift, position = 0, 0, 1
    while position < len(data):
        length |= (data[position] & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if data[position - 1] < 0x80:
            end = position + length
            return (data[0], data[position:end], data[end:]) if end <= len(data) else None
    return None


@contextlib.contextmanager
def small_broker(
    level: Level = Level.V311,
    *,
    login: ConnAck | None = None,
    granted: int | None = 0,
    say: Say = lambda _: None,
    down: Properties | None = None,
) -> Iterator[SmallBroker]:
    """Run one that lets everybody in, grants every topic, and has nobody behind it, but for what is said."""
    broker = SmallBroker(level, login=login or ConnAck(code=0), granted=granted, say=say, down=down or {})
    try:
        yield broker
    finally:
        broker.end()
