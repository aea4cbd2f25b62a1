"""A server that upgrades every connection and then does what a test says."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from ocppj.trace import wall_clock

__all__ = ["Handler", "never_answers", "odd_csms", "plain_answer"]

Handler = Callable[[ServerConnection], Awaitable[None]]


@contextmanager
def odd_csms(handler: Handler, *, subprotocols: Sequence[str] = ("ocpp1.6",), **options: Any) -> Iterator[str]:
    """A server that upgrades every connection and then does whatever it likes."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    address: list[str] = []
    stop = asyncio.Event()

    async def run() -> None:
        spoken = [Subprotocol(name) for name in subprotocols]
        async with serve(handler, "127.0.0.1", 0, subprotocols=spoken or None, **options) as server:
            address.append(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    ready.wait()
    try:
        yield address[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def never_answers(socket: ServerConnection) -> None:
    await socket.wait_closed()


def plain_answer(action: str) -> dict[str, Any] | None:
    """Give what a CSMS of OCPP 1.6 answers to the CALLs of every start, with the time of this moment; else None."""
    now = wall_clock(time.time())
    answers: dict[str, dict[str, Any]] = {
        "BootNotification": {"status": "Accepted", "interval": 60, "currentTime": now},
        "Heartbeat": {"currentTime": now},
        "StatusNotification": {},
    }
    return answers.get(action)
