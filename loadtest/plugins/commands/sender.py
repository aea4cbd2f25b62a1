"""Hands commands to the CSMS's API, so many at once, and never lets a slow answer move the schedule.

Under Locust sockets, waits and child processes are gevent's, so a driver that speaks HTTP, runs a shell command or
asks a database client holds up nobody but the greenlet that it runs in.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Final

import gevent

from drivers.base import MOST_AT_ONCE, CommandResult, Driver
from loadtest.plugins.commands.matching import Api, Sent
from loadtest.plugins.commands.schedule import Due
from ocppj.errors import HarnessError
from ocppj.outcomes import is_accepted
from ocppj.versions import Version

__all__ = ["Sender"]

_logger = logging.getLogger(__name__)

_WORDS: Final = {"sent": Api.SENT, "timeout": Api.UNANSWERED}


class Sender:
    """The way to one driver."""

    def __init__(
        self,
        driver: Driver,
        clock: Callable[[], float],
        prepare: Callable[[Due, float], Sent | None],
        answered: Callable[[Sent, Api, float, str], object],
        most: int = MOST_AT_ONCE,
    ) -> None:
        """Send at most so many at once; `prepare` chooses a station, or gives None where the command is not sent."""
        self._driver = driver
        self._clock = clock
        self._prepare = prepare
        self._answered = answered
        self._most = most
        self._waiting: deque[Due] = deque()
        self._workers: set[gevent.Greenlet] = set()

    @property
    def waiting(self) -> int:
        """How many are due and wait for their turn."""
        return len(self._waiting)

    def submit(self, due: Due) -> None:
        """Take a command whose time has come."""
        self._waiting.append(due)
        if len(self._workers) < self._most:
            worker = gevent.spawn(self._work)
            self._workers.add(worker)
            worker.link(self._workers.discard)

    def stop(self) -> list[Due]:
        """End everything that is under way, and return what never had its turn."""
        left = list(self._waiting)
        self._waiting.clear()
        gevent.killall(list(self._workers), timeout=1.0)
        return left

    def drain(self, patience: float) -> None:
        """Wait for what is under way, at most so many seconds."""
        gevent.joinall(list(self._workers), timeout=patience)

    def _work(self) -> None:
        while self._waiting:
            due = self._waiting.popleft()
            sent = self._prepare(due, self._clock())
            if sent is not None:
                api, why = self._ask(sent)
                self._answered(sent, api, self._clock(), why)

    def _ask(self, sent: Sent) -> tuple[Api, str]:
        seconds = sent.errand.command.timeout
        given_up = Api.TIMEOUT, f"no answer within {seconds:g} s"
        found: tuple[Api, str] = gevent.with_timeout(seconds, self._command, sent, timeout_value=given_up)
        return found

    def _command(self, sent: Sent) -> tuple[Api, str]:
        try:
            result = self._driver.command(sent.station, sent.recipe.action, sent.payload, Version(sent.ocpp))
        except HarnessError as error:
            return Api.ERROR, str(error)
        except Exception as error:
            _logger.exception("A driver failed; the run goes on.")
            return Api.ERROR, type(error).__name__
        return _word(result)


def _word(result: CommandResult) -> tuple[Api, str]:
    if result.status == "answered":
        return (Api.ACCEPTED if is_accepted(result.payload) else Api.REJECTED), ""
    if result.status == "error":
        why = f"{result.code or ''} {result.description or ''}".strip()
        return (Api.CALLERROR if result.origin == "station" else Api.ERROR), why
    return _WORDS[result.status], ""
