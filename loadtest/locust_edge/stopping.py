"""How the users of a process are stopped: a few at a time, so that no answer waits until all of them are.

A station's end takes a tenth of a millisecond, and Locust would tell all that it stops in one turn of the event loop:
an answer that comes to one of ten thousand stations then would wait for a second, and be recorded so.

The module imports Locust, which monkey-patches the process.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from gevent import getcurrent
from gevent.pool import Group
from locust.user.task import LOCUST_STATE_STOPPING

from loadtest.locust_edge.breathing import breathe

__all__ = ["AT_ONCE", "stop_users"]

AT_ONCE: Final = 4
"""Users; half a millisecond of work, and as much again when the CSMS has answered their Close frames."""

_logger = logging.getLogger(__name__)


def stop_users(runner: Any, user_classes_stop_count: Mapping[str, int]) -> None:
    """Stop so many users of each class, and wait for their ends, as the method of Locust's runner of this name.

    Locust's `--stop-timeout` gives tasks so many seconds to end by themselves; without it they are killed.
    """
    patience = runner.environment.stop_timeout
    chosen = [user for name, count in user_classes_stop_count.items() for user in islice(_users(runner, name), count)]
    told, ending = Group(), Group()
    for number, user in enumerate(chosen):
        if number % AT_ONCE == 0:
            breathe()
        if user.greenlet is getcurrent():
            # A task has ended the run, and cannot wait for its own end.
            user.group.killone(user.greenlet, block=False)
            continue
        if patience:
            ending.add(user.greenlet)
        # Who was told before goes on to its end; told again it would raise.
        if not patience or user._state != LOCUST_STATE_STOPPING:  # noqa: SLF001 - Locust has no other way to tell
            told.spawn(user.stop, force=not patience)
    told.join()
    if not ending.join(timeout=patience):
        _logger.info("Users that had not ended their tasks %g s after their stop are killed.", patience)
        ending.kill(block=True)


def _users(runner: Any, name: str) -> Iterator[Any]:
    """Go through the users of one class."""
    kind = runner.user_classes_by_name[name]
    for greenlet in runner.user_greenlets:
        if greenlet.args and type(greenlet.args[0]) is kind:
            yield greenlet.args[0]
