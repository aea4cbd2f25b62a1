"""A Locust user that is a virtual charge point.

    class MyStation(ChargePointUser):
        ocpp = "2.0.1"
        profile = "quick"

The user sleeps without a stack (`loadtest.locust_edge.sleeper`); its station lives in callbacks of the event loop.
Importing this module adds the options of `loadtest.locust_edge.options` to Locust and attaches the measuring of
`loadtest.locust_edge.wiring`.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple, NoReturn

import gevent
import gevent.event
from gevent import Greenlet, GreenletExit, get_hub, getcurrent
from gevent.pool import Group
from locust import User
from locust.env import Environment
from locust.exception import StopTest, StopUser
from locust.user.task import LOCUST_STATE_WAITING, DefaultTaskSet

from loadtest.cluster.leases import Request
from loadtest.locust_edge.events import listen
from loadtest.locust_edge.process import LoadProcess, UserStation, process_of
from loadtest.locust_edge.sleeper import FallsAsleep, Sleeper
from loadtest.station import Context
from loadtest.transport.turn import Pause
from loadtest.workload.identities import Lease
from loadtest.workload.profile import Profile
from ocppj.errors import UsageError
from ocppj.outcomes import Outcome
from ocppj.versions import Version

__all__ = ["Answer", "ChargePointUser"]

listen()


class Answer(NamedTuple):
    """How a CALL ended; `payload` is None unless it was a CALLRESULT."""

    outcome: str
    payload: dict[str, Any] | None


_new = tuple.__new__


class _Answered(Pause):
    """The wait of a task for the end of its CALL: gevent's `Waiter` for the engine's batches, and made once a user."""

    __slots__ = ("call", "on_end", "turn")

    def __init__(self, station: UserStation) -> None:
        """Wait for CALLs of this station."""
        super().__init__()
        self.call = station.call
        self.turn = station.context.engine.turn
        self.on_end = self._end
        """For `Station.call`; bound once."""

    def _end(self, answer: dict[str, Any] | None, outcome: str) -> None:
        # `Answer(…)` without a frame for what a named tuple does there.
        self.value = _new(Answer, (str(outcome), answer))
        turn = self.turn
        turn.woken.append(self)
        if not turn.collects:
            turn.wake_soon()


def _to_hub() -> Any:
    return get_hub().switch()


def _begin(user: ChargePointUser) -> None:
    try:
        user.run()  # type: ignore[no-untyped-call]  # Locust has no types there
    except FallsAsleep:
        user.sleep()


def _live(user: ChargePointUser) -> None:
    """Be a charge point: the one task of a user that has no others."""
    user.fall_asleep()


class ChargePointUser(User):
    """One charge point for each user; subclasses choose what kind, and may add tasks that send CALLs of their own."""

    abstract = True
    tasks = [_live]  # noqa: RUF012 - Locust's own way to declare tasks

    ocpp: str = Version.V16
    """The OCPP version: 1.6, 2.0.1 or 2.1."""
    profile: Profile | str | None = None
    """A load profile, or its name or file; None takes that of the command line."""
    on_demand: bool = False
    """Takes part only when `--ocpp` names its version, or the command line the class."""

    def __init_subclass__(cls) -> None:
        """Let the tasks of a subclass take the place of the one that only sleeps."""
        super().__init_subclass__()
        own: list[Any] = [task for task in cls.tasks if task is not _live]
        cls.tasks = own or [_live]

    def __init__(self, environment: Environment) -> None:
        """Plug into an environment; nothing is connected yet."""
        super().__init__(environment)
        self.station: UserStation | None = None
        """The charge point; None while no identity was leased."""
        self._process: LoadProcess | None = None
        self._context: Context | None = None
        self._request: Request | None = None
        self._woken_by: Any = None
        self._pause: _Answered | None = None

    # -- what Locust calls -------------------------------------------------------------------------------------------

    def on_start(self) -> None:
        """Ask for an identity; the station starts when it is there. Subclasses that override this call it first."""
        process = process_of(self.environment)
        if process is None:
            return
        try:
            self._context = process.context(self.profile)
        except UsageError as error:
            process.log_once(error)
            return
        self._process = process
        self._ask()

    def on_stop(self) -> None:
        """End transactions, close the connection and give the identity back."""
        request, self._request = self._request, None
        if request is not None:
            request.cancel()
        station, process = self.station, self._process
        if station is None or process is None:
            return
        patience = process.request.stop_patience
        stopped = gevent.event.Event()
        try:
            station.stop(stopped.set, patience)
            stopped.wait(patience + process.engine.close_timeout + 1.0)
        finally:
            station.abort()
            self.station = self._pause = None
            process.forget(station)
            process.leases.release(station.lease)

    def start(self, group: Group) -> Greenlet:
        """Begin in a greenlet of this group, which the user leaves again when it has nothing to do there."""
        # What they share is made here: ten thousand greenlets that wait for it would each need a stack.
        process = process_of(self.environment)
        self._group = group
        greenlet = self._greenlet = group.spawn(_begin, self)
        if process is not None:
            process.prepare(Version(self.ocpp))
            process.lives_long()
            process.begin_user()
        return greenlet

    def fall_asleep(self) -> NoReturn:
        """Do nothing more until Locust ends the user; the station goes on meanwhile."""
        # Locust ends a waiting user at once, and then calls `on_stop`.
        self._state = LOCUST_STATE_WAITING
        error, self._woken_by = self._woken_by, None
        if error is not None:
            raise error
        raise FallsAsleep

    def sleep(self) -> None:
        """Leave the present greenlet to its end; Locust finds a sleeper in its place."""
        self._taskset_instance = None
        group, greenlet, self._greenlet = self._group, self._greenlet, Sleeper(self)
        # In this order, because others wait for the group to be empty; and past `add`, which would have the sleeper
        # call back at its end: `wake_in` takes it out.
        group.greenlets.add(self._greenlet)
        group.discard(greenlet)

    def wake_in(self, greenlet: Greenlet) -> None:
        """Let a greenlet, which begins soon and calls `wake`, take the place of the sleeper."""
        group, sleeper, self._greenlet = self._group, self._greenlet, greenlet
        group.add(greenlet)
        group.discard(sleeper)
        # Who kills by the group makes a note of it only now.
        greenlet.rawlink(lambda _: group.discard(sleeper))

    def wake(self, error: Any) -> None:
        """Go on in the present greenlet, as if the error had been raised in the task that fell asleep."""
        self._woken_by = error
        self._taskset_instance = DefaultTaskSet(self)
        try:
            self._taskset_instance.run()  # type: ignore[no-untyped-call]  # the same
        except (GreenletExit, StopUser, StopTest):
            self.on_stop()
        except FallsAsleep:
            self.sleep()

    # -- for tasks of subclasses -------------------------------------------------------------------------------------

    @property
    def online(self) -> bool:
        """Whether the station is connected and accepted."""
        return self.station is not None and self.station.online

    def call(self, action: str, payload: dict[str, Any] | None = None) -> Answer:
        """Send a CALL and wait for its end; `never-sent` where the station is not accepted."""
        return self.call_at(action, payload, time.monotonic())

    def call_at(self, action: str, payload: dict[str, Any] | None, intended_at: float) -> Answer:
        """Send a CALL that was due at this moment of `time.monotonic()`, and wait for its end."""
        pause = self._pause
        if pause is None or pause.greenlet is not None:
            # The first CALL, or one of another greenlet beside one that waits.
            if self.station is None:
                return Answer(Outcome.NEVER_SENT, None)
            pause = self._pause = _Answered(self.station)
        pause.greenlet = getcurrent()
        call = pause.call
        try:
            if not call(action, {} if payload is None else payload, intended_at, pause.on_end):
                pause.greenlet = None
                return Answer(Outcome.NEVER_SENT, None)
            answer: Answer = pause.turn.rest(_to_hub)
        except BaseException:
            # The answer may still come, and finds nobody.
            pause.greenlet = self._pause = None
            raise
        pause.greenlet = None
        return answer

    def make_station(self, context: Context, lease: Lease) -> UserStation:
        """Make the charge point of this user."""
        return UserStation(context, Version(self.ocpp), lease, self)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        assert self._process is not None
        self._request = self._process.leases.acquire(self._leased, self._fenced)

    def _leased(self, lease: Lease) -> None:
        assert self._process is not None
        assert self._context is not None
        self.station = self.make_station(self._context, lease)
        self._pause = None
        self._process.admit(self.station)

    def raise_in_greenlet(self, error: Exception) -> None:
        """Let an exception of Locust's, which came up in a callback, take effect in the greenlet of the user."""
        if self.greenlet is not None:
            self.greenlet.kill(error, block=False)

    def _fenced(self, _: Lease) -> None:
        """Let go of an identity that may be somebody else's by now, and ask for another one."""
        station, self.station, self._pause = self.station, None, None
        if station is not None:
            station.abort()
            if self._process is not None:
                self._process.forget(station)
        if self._request is not None:
            self._ask()
