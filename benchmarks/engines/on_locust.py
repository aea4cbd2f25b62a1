"""What the engines on Locust share: orders from the standard input, obeyed by the users that are there.

Imported by their locustfiles only, because Locust patches the process.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any, Final, Protocol

import gevent
import gevent.fileobject
from locust import events

from benchmarks.engines.speech import CALL_PATIENCE, Order, Stopwatch, read_order, rss_kb, say

__all__ = ["ClosedLoop", "obey"]

_POLL: Final = 0.01
_LAST_SECOND: Final = 2.5


class ClosedLoop(Protocol):
    """One closed loop over all users."""

    calls: int
    errors: int
    open: int
    """Users that wait for an answer."""

    def start(self) -> None:
        """Let every user send."""

    def stop(self) -> None:
        """Let nobody send any more."""


def obey(
    online: Callable[[Any], int], loop: Callable[[Order], ClosedLoop], settle: Callable[[], object] = lambda: None
) -> None:
    """Attach to the Locust that runs this locustfile.

    `online` counts the connected users of an environment, `loop` prepares a closed loop. `settle` waits until Locust's
    statistics hold everything that has happened.
    """
    hooks: Any = events

    @hooks.init.add_listener  # type: ignore[untyped-decorator] # Locust's own annotations lack it
    def on_init(environment: Any, **_: Any) -> None:
        gc.collect()
        before = rss_kb()
        watch: list[Stopwatch] = []
        environment.events.test_start.add_listener(lambda **_: watch.append(Stopwatch()))

        def run() -> None:
            wanted = environment.parsed_options.num_users
            while not watch or online(environment) < wanted:
                gevent.sleep(_POLL)
            say(watch[0].ready(wanted, before))
            try:
                for line in gevent.fileobject.FileObjectPosix(sys.stdin.fileno(), "rb", close=False):
                    settle()
                    _run(environment, loop(read_order(line)), read_order(line).seconds)
            finally:
                environment.runner.quit()

        gevent.spawn(run)


def _run(environment: Any, loop: ClosedLoop, seconds: float) -> None:
    counted = environment.stats.total.num_requests
    watch = Stopwatch()
    loop.start()
    gevent.sleep(seconds)
    loop.stop()
    with gevent.Timeout(CALL_PATIENCE):
        while loop.open:
            gevent.sleep(_POLL / 10)
    ran = watch.ran(loop.calls, errors=loop.errors)
    # Plugstorm feeds Locust's statistics once a second; that work is done within every loop, too.
    with gevent.Timeout(_LAST_SECOND, exception=False):
        while environment.stats.total.num_requests - counted < loop.calls + loop.errors:
            gevent.sleep(_POLL)
    ran.counted = environment.stats.total.num_requests - counted
    say(ran)
