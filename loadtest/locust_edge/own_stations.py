"""Stations that people write themselves: they react to commands, send at their own pace, and check what comes back.

    class MyStation(OwnStation):
        ocpp = "1.6"

        @every(3)
        def report(self):
            answer = self.call("DataTransfer", {"vendorId": "org.example"})
            self.check(answer.outcome == "accepted", "DataTransfer is accepted")

        def on_command(self, action, payload):
            if action == "RemoteStartTransaction":
                return {"status": "Rejected"}

Such a station is leased, connected, booted, measured, traced and judged as the built-in ones; whatever it leaves alone,
the built-in station does. `docs/custom-stations.md` explains it with examples. Everything that may wait runs in a
greenlet of the station's own; only `on_command` does not, and must return at once.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Final, TypeVar

import gevent
from locust.env import Environment

from evidence.vocabulary import CHECK
from loadtest.locust_edge.process import UserStation
from loadtest.locust_edge.users import Answer, ChargePointUser
from loadtest.station.commands.respond import respond
from loadtest.station.context import Context
from loadtest.station.contract import Controls
from loadtest.station.messaging import Reply
from loadtest.workload.identities import Lease
from ocppj.messages import Call
from ocppj.outcomes import Outcome, is_accepted
from ocppj.versions import Version

__all__ = ["OwnStation", "every"]

_logger = logging.getLogger(__name__)

_Method = TypeVar("_Method", bound=Callable[..., Any])
_PACE: Final = "plugstorm_every"
_MOST_CHARACTERS: Final = 56
"""Of the text of a check: peers of the recorder are told apart by their first characters."""


def every(seconds: float) -> Callable[[_Method], _Method]:
    """Call a method again and again, `seconds` apart, while the station is connected and accepted.

    The stations of a run do not all begin at the same moment. A CALL of the method counts from the moment when its turn
    came, so that a slow answer to the one before is part of its response latency.
    """
    if not seconds > 0:
        raise ValueError(f"every({seconds}): the time between two turns is above 0 s")

    def mark(method: _Method) -> _Method:
        setattr(method, _PACE, float(seconds))
        return method

    return mark


class OwnStation(ChargePointUser):
    """A charge point of somebody's own making; a subclass adds what is different."""

    abstract = True
    _paces: ClassVar[tuple[tuple[str, float], ...]] = ()

    def __init_subclass__(cls) -> None:
        """Find the methods with a pace of their own."""
        super().__init_subclass__()
        methods = inspect.getmembers(cls, lambda one: hasattr(one, _PACE))
        cls._paces = tuple((name, getattr(method, _PACE)) for name, method in methods)

    def __init__(self, environment: Environment) -> None:
        """Plug into an environment; nothing is connected yet."""
        super().__init__(environment)
        self._greenlets: list[gevent.Greenlet] = []
        self._due: dict[gevent.Greenlet, float] = {}

    # -- what a subclass may define ----------------------------------------------------------------------------------

    def on_command(self, action: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        """Decide what a command of the CSMS is answered with; None leaves it to the built-in station.

        An answer of one's own takes the place of everything that the built-in station would do. Must not wait.
        """
        del action, payload
        return None

    def after_command(self, action: str, payload: dict[str, Any], answer: dict[str, Any]) -> None:
        """Do what follows a command, after its answer was sent; may wait and send CALLs."""

    # -- what a subclass may use -------------------------------------------------------------------------------------

    def call(self, action: str, payload: dict[str, Any] | None = None) -> Answer:
        """Send a CALL and wait for its end; `never-sent` where the station is not accepted."""
        return self.call_at(action, payload, self._due.pop(gevent.getcurrent(), time.monotonic()))

    def check(self, holds: object, what: str) -> bool:
        """Count a check that does not hold; a run with one fails, with this text as the reason."""
        if not holds:
            assert self._process is not None, "checks belong into what a station does while it runs"
            self._process.recorder.fault(f"{CHECK}{' '.join(what.split())[:_MOST_CHARACTERS]}")
        return bool(holds)

    def now(self) -> str:
        """Return the present time as the station writes it into its messages."""
        assert self.station is not None, "the station is not there yet"
        context = self.station.context
        return context.timestamp(context.clock())

    # -- what Locust and the station call ----------------------------------------------------------------------------

    def on_start(self) -> None:
        """Begin the methods with a pace; a subclass that overrides this calls it first."""
        super().on_start()
        for name, seconds in self._paces:
            self._greenlets.append(gevent.spawn(self._keep_pace, getattr(self, name), seconds))

    def on_stop(self) -> None:
        """End them, and then the station."""
        gevent.killall(self._greenlets, block=False)
        self._greenlets.clear()
        super().on_stop()

    def make_station(self, context: Context, lease: Lease) -> UserStation:
        """Make the charge point of this user, which asks it what to answer."""
        return UserStation(context, Version(self.ocpp), lease, self, self._respond)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _keep_pace(self, method: Callable[[], object], seconds: float) -> None:
        due: float | None = None
        while True:
            if not self.online:
                due = None
                gevent.sleep(min(seconds, 0.2))
                continue
            assert self.station is not None
            if due is None:
                due = time.monotonic() + self.station.draws.uniform() * seconds
            gevent.sleep(max(due - time.monotonic(), 0.0))
            me = gevent.getcurrent()
            self._due[me] = due
            self._guard(method)
            self._due.pop(me, None)
            due += seconds

    def _respond(self, station: Controls, call: Call, *, refuse: bool = False) -> Reply:
        payload = call.payload or {}
        answer = self._guard(partial(self.on_command, call.action, payload))
        if isinstance(answer, dict):
            reply = Reply(Outcome.ACCEPTED if is_accepted(answer) else Outcome.REJECTED, answer)
        else:
            reply = respond(station, call, refuse=refuse)
        if reply.payload is None:
            return reply
        return reply._replace(then=partial(self._after, reply, call.action, payload))

    def _after(self, reply: Reply, action: str, payload: dict[str, Any]) -> None:
        if reply.then is not None:
            reply.then()
        if type(self).after_command is not OwnStation.after_command:
            work = partial(self.after_command, action, payload, dict(reply.payload or {}))
            self._greenlets = [one for one in self._greenlets if not one.dead]
            self._greenlets.append(gevent.spawn(self._guard, work))

    def _guard(self, work: Callable[[], Any]) -> Any:
        """Do something of the subclass's; a failed `assert` is a failed check, and so is any other mistake."""
        try:
            return work()
        except AssertionError as error:
            self.check(False, str(error) or "an assertion without a text")
        except Exception as error:
            if self._process is not None and self._process.once(repr(error)):
                _logger.exception("A station of your own failed; it goes on.")
            self.check(False, f"{type(error).__name__}: {error}")
        return None
