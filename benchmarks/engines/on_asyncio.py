"""What the engines on asyncio share: reading orders, opening connections some at a time, and stopping the clock."""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Protocol

from benchmarks.engines.speech import CALL_PATIENCE, Order, Stopwatch, read_order, rss_kb, say

__all__ = ["AsyncEngine", "arguments", "serve"]

_AT_ONCE: Final = 200


class AsyncEngine(Protocol):
    """What an engine has to do itself."""

    async def connect(self, url: str) -> None:
        """Open one connection."""

    async def loop(self, order: Order, until: Callable[[], bool]) -> tuple[int, int]:
        """Send CALLs on all connections until `until` is true; return the answered ones and the others."""


def arguments() -> argparse.Namespace:
    """Read the words that every engine understands: --url and --stations."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--stations", type=int, required=True)
    parser.add_argument("--option", action="append", default=[])
    return parser.parse_args()


async def serve(engine: AsyncEngine, url: str, stations: int) -> None:
    """Connect, and obey orders until the input ends."""
    gc.collect()
    before, watch = rss_kb(), Stopwatch()
    gate = asyncio.Semaphore(_AT_ONCE)

    async def open_one(number: int) -> None:
        async with gate:
            await engine.connect(f"{url}/B{number:06d}")

    await asyncio.gather(*(open_one(number) for number in range(1, stations + 1)))
    say(watch.ready(stations, before))
    loop = asyncio.get_running_loop()
    async for order in _orders():
        running = True

        def stop() -> None:
            nonlocal running
            running = False

        watch = Stopwatch()
        loop.call_later(order.seconds, stop)
        work: Awaitable[tuple[int, int]] = engine.loop(order, lambda: not running)  # noqa: B023 - ends within the turn
        calls, errors = await asyncio.wait_for(work, order.seconds + CALL_PATIENCE)
        say(watch.ran(calls, errors=errors))


async def _orders() -> AsyncIterator[Order]:
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        yield read_order(line)
