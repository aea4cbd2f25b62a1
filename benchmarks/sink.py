"""A CSMS without a memory: it answers every CALL with canned text, counts, and is faster than any client.

    python -m benchmarks.sink [--address 127.0.0.1]… [--tls] [--latency constant:20]
    python -m benchmarks.sink --dialect raw [--qos 0]           # behind a broker of its own, over MQTT

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
from collections.abc import Awaitable, Callable
from functools import partial
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

from benchmarks.broker import BrokerSink, Connection
from benchmarks.canned import EMPTY, SELDOM, TICK, Address, Sink
from benchmarks.latency import parse_latency
from fixtures.certificates import Authority, server_context
from mqtt.dialect import load_dialect
from ocppj.errors import UsageError

__all__ = ["main"]

_BACKLOG: Final = 4096
_UPGRADE_PATIENCE: Final = 60
"""Seconds."""

Listen = Callable[[socket.socket], Awaitable[Any]]
"""Takes stations on a socket, and returns what can be closed."""


def _accept(sink: Sink, request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
    """Take every station, with the first subprotocol that it offers."""
    subprotocol = request.headers.get("Sec-WebSocket-Protocol", "ocpp1.6").split(",")[0].strip()
    identity = request.path.decode().rpartition("/")[2]
    kind = _Answering if sink.hold is None else _Holding
    tails = sink.tails_16 if subprotocol == "ocpp1.6" else sink.tails_2x
    response = WSUpgradeResponse.create_101_response({"Sec-WebSocket-Protocol": subprotocol})
    return WSUpgradeResponseWithListener(response, kind(sink, identity, tails))


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
            transport.send(WSMsgType.TEXT, b'[3,"' + message_id + self.tails.get(action, EMPTY))
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
        busy_since = sink.begin(now)
        _, message_id, _, action, _ = data.split(b'"', 4)
        sink.calls[action] += 1
        if sink.first_call is None:
            sink.first_call = now
        assert sink.hold is not None
        delay = sink.hold(now - sink.first_call)
        answer = b'[3,"' + message_id + self.tails.get(action, EMPTY)
        asyncio.get_running_loop().call_later(delay, self._answer, transport, answer, now, busy_since)
        sink.end(time.monotonic())

    def _answer(self, transport: Any, answer: bytes, since: float, at_the_earliest: float) -> None:
        sink = self.sink
        sink.begin(time.monotonic())
        if not transport.is_disconnected:
            transport.send(WSMsgType.TEXT, answer)
            sent = time.monotonic()
            sink.held.record(int((sent - since) * 1e6))
            sink.held_most.record(int((sent - at_the_earliest) * 1e6))
        sink.end(time.monotonic())


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


def _websockets(sink: Sink, context: ssl.SSLContext | None) -> Listen:
    return lambda sock: ws_create_server(
        partial(_accept, sink),
        sock=sock,
        ssl=context,
        backlog=_BACKLOG,
        websocket_handshake_timeout=_UPGRADE_PATIENCE,
    )


def _broker(broker: BrokerSink, context: ssl.SSLContext | None) -> Listen:
    return lambda sock: asyncio.get_running_loop().create_server(
        lambda: Connection(broker), sock=sock, ssl=context, backlog=_BACKLOG
    )


async def _serve(sink: Sink, sockets: list[socket.socket], listen: Listen, hello: Address) -> None:
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

    def look() -> None:
        sink.begin(time.monotonic())
        sink.end(time.monotonic())
        loop.call_later(TICK, look)

    servers = [await listen(sock) for sock in sockets]
    if sink.hold is not None:
        look()
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
    parser.add_argument("--dialect", help="take MQTT instead, in this dialect: be a broker and the CSMS behind it")
    parser.add_argument("--qos", type=int, choices=(0, 1, 2), help="with --dialect: of the answers; default: its own")
    given = parser.parse_args()
    addresses = given.address or ["127.0.0.1"]
    try:
        dialect = load_dialect(given.dialect) if given.dialect is not None else None
        if dialect is not None and given.latency != "none":
            parser.error("--latency goes with WebSocket only")
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
    scheme = ("ws" if dialect is None else "mqtt") + ("s" if given.tls else "")
    hello = Address(f"{scheme}://{addresses[0]}:{port}", os.getpid(), ca_pem)
    listen = _websockets(sink, context)
    if dialect is not None:
        listen = _broker(BrokerSink(sink, dialect, qos=given.qos), context)
    uvloop.run(_serve(sink, sockets, listen, hello))


if __name__ == "__main__":
    main()
