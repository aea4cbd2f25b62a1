"""A CSMS without a memory: it answers every CALL with canned text, counts, and is faster than any client.

    python -m benchmarks.sink [--address 127.0.0.1]… [--tls] [--latency constant:20]

The first line on the standard output says where it listens; each line `stats` or `reset` on the standard input is
answered with one line of JSON (`Stats`), and the end of the input ends the sink.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import ssl
import sys
import time
from collections import Counter, defaultdict
from typing import Any, Final

import msgspec
import uvloop
from picows import (
    WSListener,
    WSMsgType,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from benchmarks.engines.speech import rss_kb
from benchmarks.latency import Hold, parse_latency
from evidence.histogram import Histogram
from fixtures.certificates import Authority, server_context
from ocppj.errors import UsageError

__all__ = ["Address", "Sink", "Stats", "main"]

BUCKET: Final = 0.1
"""Seconds of one bucket of arrivals."""
SELDOM: Final = 900_000_000
"""Seconds between Heartbeats that even 50,000 stations do not reach within a run."""
_BACKLOG: Final = 4096
_NOW: Final = b'"2026-01-01T00:00:00Z"'
_MOST_TWICE: Final = 100

# What stands behind the id in the answer. Everything else gets an empty payload.
_COMMON: Final = {
    b"Heartbeat": b'",{"currentTime":' + _NOW + b"}]",
    b"BootNotification": b'",{"currentTime":' + _NOW + b',"interval":%d,"status":"Accepted"}]',
}
_TAILS_16: Final = _COMMON | {
    b"Authorize": b'",{"idTagInfo":{"status":"Accepted"}}]',
    b"StartTransaction": b'",{"idTagInfo":{"status":"Accepted"},"transactionId":1}]',
    b"StopTransaction": b'",{"idTagInfo":{"status":"Accepted"}}]',
    b"DataTransfer": b'",{"status":"Accepted"}]',
}
_TAILS_2X: Final = _COMMON | {
    b"Authorize": b'",{"idTokenInfo":{"status":"Accepted"}}]',
    b"DataTransfer": b'",{"status":"Accepted"}]',
}
_EMPTY: Final = b'",{}]'


class Address(msgspec.Struct, frozen=True):
    """Where a sink can be reached: the first line that it writes."""

    url: str
    pid: int
    ca_pem: str = ""
    """The root to trust, with TLS."""


class Stats(msgspec.Struct, kw_only=True):
    """What a sink has seen since its start, or since `reset`."""

    calls: dict[str, int]
    """By action."""
    others: int
    """Frames that were no CALL."""
    connected: int
    """Right now."""
    connected_most: int
    opened: int
    """Connections that were accepted."""
    arrivals: dict[int, int]
    """Connections by the tenth of a second of the monotonic clock in which they came."""
    twice: list[str]
    """Identities that were connected twice at one time, each time once; the first hundred."""
    held_us: dict[int, int]
    """How long answers were held back, in fact: counts by bucket of `evidence.histogram.Histogram`."""
    cpu_s: float
    """Processor time of the sink since its start."""
    rss_kb: int

    @property
    def total(self) -> int:
        """All CALLs."""
        return sum(self.calls.values())


class Sink:
    """Everything that the connections of one process share."""

    def __init__(self, *, hold: Hold | None = None, interval: int = SELDOM) -> None:
        """Answer at once, or as late as `hold` says; stations are told to send a Heartbeat every `interval` s."""
        self.hold = hold
        self.tails_16 = _with_interval(_TAILS_16, interval)
        self.tails_2x = _with_interval(_TAILS_2X, interval)
        self.identities: Counter[str] = Counter()
        self.connected = 0
        self.first_call: float | None = None
        self.reset()

    def reset(self) -> None:
        """Forget what was counted; connections stay."""
        self.calls: defaultdict[bytes, int] = defaultdict(int)
        self.others = 0
        self.opened: list[float] = []
        self.twice: list[str] = []
        self.held = Histogram()
        self.connected_most = self.connected

    def stats(self) -> Stats:
        """Return what was counted."""
        return Stats(
            calls={action.decode(): count for action, count in self.calls.items()},
            others=self.others,
            connected=self.connected,
            connected_most=self.connected_most,
            opened=len(self.opened),
            arrivals=dict(Counter(int(at / BUCKET) for at in self.opened)),
            twice=self.twice[:_MOST_TWICE],
            held_us=dict(self.held.counts),
            cpu_s=time.process_time(),
            rss_kb=rss_kb(),
        )

    def accept(self, request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        """Take every station, with the first subprotocol that it offers."""
        subprotocol = request.headers.get("Sec-WebSocket-Protocol", "ocpp1.6").split(",")[0].strip()
        identity = request.path.decode().rpartition("/")[2]
        kind = _Answering if self.hold is None else _Holding
        tails = self.tails_16 if subprotocol == "ocpp1.6" else self.tails_2x
        response = WSUpgradeResponse.create_101_response({"Sec-WebSocket-Protocol": subprotocol})
        return WSUpgradeResponseWithListener(response, kind(self, identity, tails))

    def arrived(self, identity: str) -> None:
        """Count a connection."""
        self.opened.append(time.monotonic())
        self.connected += 1
        self.connected_most = max(self.connected_most, self.connected)
        self.identities[identity] += 1
        if self.identities[identity] > 1:
            self.twice.append(identity)

    def left(self, identity: str) -> None:
        """Take note that a connection is gone."""
        self.connected -= 1
        self.identities[identity] -= 1
        if not self.identities[identity]:
            del self.identities[identity]


class _Answering(WSListener):
    """One connection whose CALLs are answered at once."""

    def __init__(self, sink: Sink, identity: str, tails: dict[bytes, bytes]) -> None:
        self.sink = sink
        self.identity = identity
        self.tails = tails

    def on_ws_connected(self, transport: Any) -> None:  # noqa: ARG002 - the signature is picows'
        self.sink.arrived(self.identity)

    def on_ws_disconnected(self, transport: Any) -> None:  # noqa: ARG002 - the same
        self.sink.left(self.identity)

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        data = frame.get_payload_as_bytes()
        # Asking for the first byte is cheaper than asking for the opcode, and tells a Close frame from a message, too.
        if data[:2] == b"[2":
            _, message_id, _, action, _ = data.split(b'"', 4)
            self.sink.calls[action] += 1
            transport.send(WSMsgType.TEXT, b'[3,"' + message_id + self.tails.get(action, _EMPTY))
        else:
            self.other(transport, frame)

    def other(self, transport: Any, frame: Any) -> None:
        """Take a frame that is no CALL."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), b"")
            transport.disconnect()
        else:
            self.sink.others += 1


class _Holding(_Answering):
    """One connection whose CALLs are answered as late as the sink's distribution says."""

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        data = frame.get_payload_as_bytes()
        if data[:2] != b"[2":
            self.other(transport, frame)
            return
        sink, now = self.sink, time.monotonic()
        _, message_id, _, action, _ = data.split(b'"', 4)
        sink.calls[action] += 1
        if sink.first_call is None:
            sink.first_call = now
        assert sink.hold is not None
        delay = sink.hold(now - sink.first_call)
        answer = b'[3,"' + message_id + self.tails.get(action, _EMPTY)
        asyncio.get_running_loop().call_later(delay, self._answer, transport, answer, now)

    def _answer(self, transport: Any, answer: bytes, since: float) -> None:
        if not transport.is_disconnected:
            transport.send(WSMsgType.TEXT, answer)
            self.sink.held.record(int((time.monotonic() - since) * 1e6))


def _with_interval(tails: dict[bytes, bytes], interval: int) -> dict[bytes, bytes]:
    return tails | {b"BootNotification": tails[b"BootNotification"] % interval}


def _bind(addresses: list[str], port: int, *, share: bool) -> list[socket.socket]:
    """Listen on one port of all addresses; `share` lets other sinks listen on it, too."""
    sockets: list[socket.socket] = []
    for address in addresses:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            sock.bind((address, port))
        except OSError as error:
            raise UsageError(f"The sink cannot listen on {address}:{port}: {error.strerror}") from None
        port = sock.getsockname()[1]
        sockets.append(sock)
    return sockets


async def _serve(sink: Sink, sockets: list[socket.socket], context: ssl.SSLContext | None, hello: Address) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    # Ctrl-C is for whoever started the sink, and closes its standard input.
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    pending = bytearray()

    def on_input() -> None:
        data = os.read(sys.stdin.fileno(), 4096)
        if not data:
            loop.remove_reader(sys.stdin.fileno())
            ended.set()
        pending.extend(data)
        while b"\n" in pending:
            line, _, rest = bytes(pending).partition(b"\n")
            pending[:] = rest
            stats = sink.stats()
            if line.strip() == b"reset":
                sink.reset()
            _say(stats)

    servers = [
        await ws_create_server(sink.accept, sock=sock, ssl=context, backlog=_BACKLOG, websocket_handshake_timeout=60)
        for sock in sockets
    ]
    _say(hello)
    loop.add_reader(sys.stdin.fileno(), on_input)
    await ended.wait()
    for server in servers:
        server.close()


def _say(message: msgspec.Struct) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Run until the standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sink", description=__doc__)
    parser.add_argument("--address", action="append", help="loopback address to listen on; may be repeated")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--share-port", action="store_true", help="let other sinks listen on the same port")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--latency", default="none")
    parser.add_argument("--interval", type=int, default=SELDOM, help="seconds between Heartbeats of a station")
    given = parser.parse_args()
    addresses = given.address or ["127.0.0.1"]
    try:
        sink = Sink(hold=parse_latency(given.latency), interval=given.interval)
        sockets = _bind(addresses, given.port, share=given.share_port)
    except UsageError as error:
        parser.error(str(error))
    context, ca_pem = None, ""
    if given.tls:
        authority = Authority()
        context = server_context(authority.server(*addresses))
        ca_pem = authority.root_pem.decode()
    port = sockets[0].getsockname()[1]
    hello = Address(f"{'wss' if given.tls else 'ws'}://{addresses[0]}:{port}", os.getpid(), ca_pem)
    uvloop.run(_serve(sink, sockets, context, hello))


if __name__ == "__main__":
    main()
