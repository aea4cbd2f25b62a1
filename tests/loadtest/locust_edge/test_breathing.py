"""The bookkeeping of a second stops between its parts, and sockets are read meanwhile."""

from __future__ import annotations

import os
import time

# The process that runs the tests must stay as it is, and the programs that it starts must not.
os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"
try:
    import gevent

    from loadtest.locust_edge.breathing import breathe
finally:
    del os.environ["LOCUST_SKIP_MONKEY_PATCH"]

PARTS = 5
LONG = 0.003


def test_what_has_come_in_is_read_between_any_two_parts() -> None:
    reading, writing = os.pipe()
    seen: list[str] = []

    def read() -> None:
        os.read(reading, 1)
        seen.append("read")

    def keep_books() -> None:
        # From a timer, as the beat of a run.
        gevent.sleep(0.001)
        for _ in range(PARTS):
            os.write(writing, b"x")
            time.sleep(LONG)
            seen.append("part")
            breathe()

    watcher = gevent.get_hub().loop.io(reading, 1)
    watcher.start(read)
    try:
        gevent.spawn(keep_books).join(timeout=30)
    finally:
        watcher.stop()
        watcher.close()
        os.close(reading)
        os.close(writing)
    assert seen == ["part", "read"] * PARTS
