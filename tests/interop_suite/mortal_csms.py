"""A CSMS of OCPP 1.6 that goes wrong in the middle of a run, as a process of its own.

`python -m tests.interop_suite.mortal_csms dies|hangs|mute [ACTION]` prints its port. It dies or hangs at the first CALL
of that action, or at a frame that its JSON parser cannot take; when mute, it never answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from tests.interop_suite.odd_csms import plain_answer

__all__ = ["mortal_csms"]

ROOT = Path(__file__).resolve().parents[2]
ANSWERS: dict[str, dict[str, Any]] = {
    "Authorize": {"idTagInfo": {"status": "Invalid"}},
    "DataTransfer": {"status": "UnknownVendorId"},
}


@contextlib.contextmanager
def mortal_csms(way: str, action: str = "") -> Iterator[str]:
    """Run it, and give its address."""
    command = [sys.executable, "-m", "tests.interop_suite.mortal_csms", way, action]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"ws://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def go_wrong(way: str) -> None:
    """Leave, or take no notice of anything any more."""
    if way == "dies":
        os._exit(1)
    threading.Event().wait()


async def _run(way: str, fatal: str) -> None:
    async def handle(socket: ServerConnection) -> None:
        async for text in socket:
            try:
                frame = json.loads(text)
            except RecursionError:
                go_wrong(way)
            except ValueError:
                continue
            if not isinstance(frame, list) or len(frame) != 4 or frame[0] != 2:
                continue
            if fatal and frame[2] == fatal:
                go_wrong(way)
            if way == "mute":
                continue
            answer = ANSWERS.get(str(frame[2])) or plain_answer(str(frame[2]))
            missing = [4, frame[1], "NotImplemented", "", {}]
            await socket.send(json.dumps(missing if answer is None else [3, frame[1], answer]))

    async with serve(handle, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp1.6")], max_size=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  # how the port is told
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:3]))
