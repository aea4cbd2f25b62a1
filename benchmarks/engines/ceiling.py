"""The ceiling: picows on uvloop and msgspec, no statistics, no timeouts, no outcome classes.

With `--option bytes` it does not even speak JSON: CALLs are joined from ready bytes, and an answer is not read beyond
its id.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any, Final

import msgspec
import uvloop
from picows import WSListener, WSMsgType, ws_connect

from benchmarks.engines.on_asyncio import arguments, serve
from benchmarks.engines.speech import Order
from benchmarks.workloads import SUBPROTOCOL

__all__ = ["Ceiling"]

_CALLRESULT: Final = 3
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Ceiling:
    """All connections of the process."""

    def __init__(self, kind: type[_Station]) -> None:
        """Start without connections, which will be of this kind."""
        self.kind = kind
        self.stations: list[_Station] = []
        self.action = ""
        self.payload: dict[str, Any] = {}
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
            lambda: self.kind(self),
            url,
            extra_headers={"Sec-WebSocket-Protocol": SUBPROTOCOL},
            websocket_handshake_timeout=60,
        )
        assert isinstance(station, _Station)
        self.stations.append(station)

    async def loop(self, order: Order, until: Callable[[], bool]) -> tuple[int, int]:
        """Send, wait, send the next."""
        self.action, self.payload = order.action, order.payload
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

    def on_ws_connected(self, transport: Any) -> None:
        self.transport = transport

    def send(self) -> None:
        raise NotImplementedError

    def ended(self, *, well: bool) -> None:
        engine = self.engine
        if well:
            engine.calls += 1
        else:
            engine.errors += 1
        if not engine.until():
            self.send()
        else:
            engine.open -= 1
            if not engine.open:
                engine.idle.set()


class _Speaking(_Station):
    """Writes and reads JSON."""

    def __init__(self, engine: Ceiling) -> None:
        super().__init__(engine)
        self.open_id = ""

    def send(self) -> None:
        engine = self.engine
        self.open_id = message_id = f"{next(engine.ids)}"
        self.transport.send(WSMsgType.TEXT, _encode((2, message_id, engine.action, engine.payload)))

    def on_ws_frame(self, transport: Any, frame: Any) -> None:  # noqa: ARG002 - the signature is picows'
        answer = _decode(frame.get_payload_as_bytes())
        self.ended(well=answer[0] == _CALLRESULT and answer[1] == self.open_id)


class _Bytes(_Station):
    """Joins bytes and compares bytes."""

    def __init__(self, engine: Ceiling) -> None:
        super().__init__(engine)
        self.open_id = b""

    def send(self) -> None:
        engine = self.engine
        self.open_id = message_id = b"%d" % next(engine.ids)
        self.transport.send(WSMsgType.TEXT, b'[2,"' + message_id + engine.tail)

    def on_ws_frame(self, transport: Any, frame: Any) -> None:  # noqa: ARG002 - the signature is picows'
        self.ended(well=frame.get_payload_as_bytes().startswith(self.open_id, 4))


def main() -> None:
    """Run until the standard input ends."""
    given = arguments()

    async def run() -> None:
        await serve(Ceiling(_Bytes if "bytes" in given.option else _Speaking), given.url, given.stations)

    uvloop.run(run())


if __name__ == "__main__":
    main()
