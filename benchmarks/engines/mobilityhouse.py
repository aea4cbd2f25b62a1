"""mobilityhouse/ocpp on asyncio and `websockets`, as its README shows; `--option unchecked` spares it the schemas."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import websockets
from ocpp.charge_point import camel_to_snake_case  # type: ignore[import-untyped] # it ships no types
from ocpp.v201 import ChargePoint, call  # type: ignore[import-untyped] # the same

from benchmarks.engines.on_asyncio import arguments, serve
from benchmarks.engines.speech import Order
from benchmarks.workloads import SUBPROTOCOL

__all__ = ["MobilityHouse"]


class MobilityHouse:
    """All charge points of the process."""

    def __init__(self, *, checked: bool) -> None:
        """Start without connections; `checked` leaves the library's schema check on."""
        self._checked = checked
        self._points: list[ChargePoint] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def connect(self, url: str) -> None:
        """Open one connection, and start the charge point on it."""
        connection = await websockets.connect(url, subprotocols=[websockets.Subprotocol(SUBPROTOCOL)])
        point = ChargePoint(url.rpartition("/")[2], connection)
        self._points.append(point)
        self._tasks.add(asyncio.create_task(point.start()))

    async def loop(self, order: Order, until: Callable[[], bool]) -> tuple[int, int]:
        """Send, wait, send the next."""
        kind: Any = getattr(call, order.action)
        values = camel_to_snake_case(order.payload)

        async def one(point: ChargePoint) -> tuple[int, int]:
            calls = errors = 0
            while not until():
                answer = await point.call(kind(**values), skip_schema_validation=not self._checked)
                if answer is None:
                    errors += 1
                else:
                    calls += 1
            return calls, errors

        counts = await asyncio.gather(*(one(point) for point in self._points))
        return sum(calls for calls, _ in counts), sum(errors for _, errors in counts)


def main() -> None:
    """Run until the standard input ends."""
    given = arguments()
    logging.disable(logging.ERROR)

    async def run() -> None:
        await serve(MobilityHouse(checked="unchecked" not in given.option), given.url, given.stations)

    asyncio.run(run())


if __name__ == "__main__":
    main()
