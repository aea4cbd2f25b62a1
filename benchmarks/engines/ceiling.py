"""The ceiling: picows on uvloop, frames made by joining bytes, no JSON, no statistics, no timeouts."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import uvloop
from picows import WSListener, WSMsgType, ws_connect

from benchmarks.engines.on_asyncio import arguments, serve
from benchmarks.engines.speech import Order
from benchmarks.workloads import SUBPROTOCOL

__all__ = ["Ceiling"]


class Ceiling:
    """All connections of the process."""

    def __init__(self) -> None:
        """Start without connections."""
        self.stations: list[_Station] = []
        self.ids = itertools.count(1)
        self.tail = b""
        self.until: Callable[[], bool] = lambda: True
        self.open = 0
        self.calls = 0
        self.errors = 0
        self.idle = asyncio.Event()

    async def connect(self, url: str) -> None:
        """Open one connection."""
        _, station = await ws_connect(
            lambda: _Station(self),
            url,
            extra_headers={"Sec-WebSocket-Protocol": SUBPROTOCOL},
            websocket_handshake_timeout=60,
        )
        assert isinstance(station, _Station)
        self.stations.append(station)

    async def loop(self, order: Order, until: Callable[[], bool]) -> tuple[int, int]:
        """Send, wait, send the next."""
        self.tail = b'","' + order.action.encode() + b'",' + msgspec.json.encode(order.payload) + b"]"
        self.until = until
        self.calls = self.errors = 0
        self.open = len(self.stations)
        self.idle.clear()
        for station in self.stations:
            station.send()
        await self.idle.wait()
        return self.calls, self.errors


class _Station(WSListener):
    def __init__(self, engine: Ceiling) -> None:
        self.engine = engine
        self.transport: Any = None
        self.message_id = b""

    def on_ws_connected(self, transport: Any) -> None:
        self.transport = transport

    def send(self) -> None:
        engine = self.engine
        self.message_id = message_id = b"%d" % next(engine.ids)
        self.transport.send(WSMsgType.TEXT, b'[2,"' + message_id + engine.tail)

    def on_ws_frame(self, transport: Any, frame: Any) -> None:  # noqa: ARG002 - the signature is picows'
        engine = self.engine
        data = frame.get_payload_as_bytes()
        if data.startswith(self.message_id, 4):
            engine.calls += 1
        else:
            engine.errors += 1
        if not engine.until():
            self.send()
        else:
            engine.open -= 1
            if not engine.open:
                engine.idle.set()


def main() -> None:
    """Run until the standard input ends."""
    given = arguments()

    async def run() -> None:
        await serve(Ceiling(), given.url, given.stations)

    uvloop.run(run())


if __name__ == "__main__":
    main()
