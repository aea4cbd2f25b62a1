"""Locust whose run ends, as at the end of its time, when it has counted enough: `python -m tests.loadtest.enough`.

A run of some seconds has counted nothing yet where its processes need those seconds to start. Environment: ENOUGH, in
JSON how many CALLs of a kind there are to be. A kind is an action with its outcome (`Heartbeat accepted`), with the
version before it (`1.6 Heartbeat accepted`), or a window.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import gevent
from locust import events
from locust.main import main

from loadtest.locust_edge.wiring import wired
from loadtest.measuring.recorder import Delta
from loadtest.plugins.contract import Plugin

__all__ = ["Enough", "end_when_enough"]


class Enough(Plugin):
    """Ends a run."""

    name = "enough"

    def __init__(self, wanted: dict[str, int], end: Callable[[], object]) -> None:
        self._wanted = wanted
        self._end = end
        self._counted: Counter[str] = Counter()
        self._has_ended = False

    def delta(self, delta: Delta) -> None:
        for window, entries in delta["windows"].items():
            for ocpp, action, _, outcome, _, response in entries:
                kinds = (window, f"{action} {outcome}", f"{ocpp} {action} {outcome}")
                self._counted.update(dict.fromkeys(kinds, sum(response.values())))
        if not self._has_ended and all(self._counted[kind] >= count for kind, count in self._wanted.items()):
            self._has_ended = True
            gevent.spawn(self._end)


def take_part(environment: Any, **_: Any) -> None:
    wiring = wired(environment)
    if wiring.master is not None:
        wiring.settings.plugins.append(Enough(json.loads(os.environ["ENOUGH"]), environment.runner.quit))


def end_when_enough() -> None:
    """Let the runs of this process end when they have counted enough."""
    events.test_start.add_listener(take_part)  # type: ignore[no-untyped-call]  # Locust has no types there


if __name__ == "__main__":
    end_when_enough()
    sys.exit(main())  # type: ignore[no-untyped-call]  # the same
