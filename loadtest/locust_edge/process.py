"""What the users of one process share: the context of their stations, the pacing of their connects, the storms.

The module imports Locust, which monkey-patches the process.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import logging
import os
import resource
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

import gevent
import msgspec
from gevent.lock import BoundedSemaphore
from locust.env import Environment
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser

from loadtest.locust_edge.breathing import breathe
from loadtest.locust_edge.parser import request_of
from loadtest.locust_edge.request import LoadRequest
from loadtest.locust_edge.run_settings import profile_of
from loadtest.locust_edge.wiring import Wiring, wired
from loadtest.measuring.answer_judge import compile_answers
from loadtest.plugins.commands.observer import ORDER, CommandObserver
from loadtest.plugins.storms.process import KIND, StormProcess
from loadtest.station import Context, Station
from loadtest.station.commands.respond import respond
from loadtest.station.contract import Host
from loadtest.station.life import Life
from loadtest.station.messaging import Responder
from loadtest.timing.pacing import ConnectPacer
from loadtest.timing.timers import HubTimers, Timer
from loadtest.transport.contract import Engine
from loadtest.transport.opening import open_socket
from loadtest.transport.target import Target, client_context
from loadtest.transport.traced import Tracer, trace_path
from loadtest.workload.identities import Lease
from loadtest.workload.profile import Profile, load_profile
from ocppj.errors import HarnessError
from ocppj.versions import Version

__all__ = [
    "START_AT_ONCE",
    "LoadProcess",
    "UserStation",
    "end_process",
    "keep_own_options",
    "make_engine",
    "make_target",
    "process_of",
    "reserve_descriptors",
]

_logger = logging.getLogger(__name__)

_FOR_LOCUST = (StopUser, StopTest, RescheduleTask, RescheduleTaskImmediately, InterruptTaskSet)

_FREEZE_EVERY: Final = 200
"""Parts of a fleet: a user, a station that waits for its turn, one that has started."""
START_AT_ONCE: Final = 8
"""Users; less than a millisecond of work."""
_MOST_RESERVED: Final = 65_536
"""Open files; each takes 8 bytes of the kernel's table."""

_processes: WeakKeyDictionary[Environment, LoadProcess | None] = WeakKeyDictionary()
_own_options: WeakKeyDictionary[Environment, dict[str, Any]] = WeakKeyDictionary()
_OF_THE_MACHINE: Final = ("source_address", "tls_ca", "tls_certificate")
"""Options that a worker keeps from its own command line."""
_making = BoundedSemaphore()


def make_engine(request: LoadRequest) -> Engine:
    """Make the connection engine of this process."""
    loop = gevent.get_hub().loop
    return Engine(loop, HubTimers(loop), connect_timeout=request.connect_timeout, tls_resume=request.tls_resume)


def make_target(request: LoadRequest) -> Target:
    """Look the CSMS up; raises `HarnessError` where it has no address."""
    assert request.url is not None
    target = Target(
        request.url,
        tls=client_context(request.tls_ca, request.tls_certificate) if request.uses_tls else None,
        sources=request.addresses,
        dialect=request.find_dialect(),
        mqtt_connections=request.mqtt_connections or 0,
    )
    target.resolve()
    return target


def process_of(environment: Environment) -> LoadProcess | None:
    """Return what the users of the present run share; the first user of a process makes it.

    None where that cannot be done; the log says so in one line and not once for each user.
    """
    if environment not in _processes:
        with _making:
            if environment not in _processes:
                try:
                    _processes[environment] = LoadProcess(environment, _request(environment))
                except HarnessError as error:
                    _processes[environment] = None
                    _logger.error("No station can start: %s", error)  # noqa: TRY400 - for people, no traceback
    return _processes[environment]


def keep_own_options(environment: Environment) -> None:
    """Remember what a worker's own command line says about its machine: the options of the master replace the rest."""
    given: Any = environment.parsed_options
    _own_options[environment] = {name: value for name in _OF_THE_MACHINE if (value := getattr(given, name, None))}


def _request(environment: Environment) -> LoadRequest:
    given: Any = environment.parsed_options
    vars(given).update(_own_options.get(environment, {}))
    return request_of(given, environment.host)


def end_process(environment: Environment) -> None:
    """Forget what the users of a run shared: the next one may have another target and other options."""
    process = _processes.pop(environment, None)
    if process is not None:
        process.close()
    gc.unfreeze()


def reserve_descriptors() -> None:
    """Let the kernel make its table of this process's open files as large as it may become.

    Where a process has threads, Linux waits 10 ms and more whenever the table grows (`synchronize_rcu`), and with it
    every station whose answer comes then: at the 64th socket, at the 256th, and at each doubling.
    """
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    most = _MOST_RESERVED if limit == resource.RLIM_INFINITY else min(limit, _MOST_RESERVED)
    with contextlib.suppress(OSError), Path(os.devnull).open("rb") as spare:
        os.close(fcntl.fcntl(spare, fcntl.F_DUPFD, most - 1))


class Raising(Protocol):
    """A user with a greenlet."""

    def raise_in_greenlet(self, error: Exception) -> None:
        """Raise it there."""


class UserStation(Station):
    """A station that a Locust user runs."""

    __slots__ = ("user",)

    def __init__(
        self,
        context: Context,
        version: Version,
        lease: Lease,
        user: Raising,
        responder: Responder = respond,
    ) -> None:
        """Belong to this user."""
        super().__init__(context, version, lease, responder)
        self.user = user


class LoadProcess:
    """All stations of this process within one run."""

    def __init__(self, environment: Environment, request: LoadRequest) -> None:
        """Begin without stations; raises `HarnessError` where the CSMS has no address."""
        assert request.seed is not None
        reserve_descriptors()
        wiring = wired(environment)
        self.request = request
        self.leases = wiring.leases
        self.recorder = wiring.recorder
        self.target = make_target(request)
        self.engine = make_engine(request)
        self._profile = profile_of(request)
        self._seed = request.seed
        self._tracer: Tracer | None = None
        if request.trace_share:
            assert wiring.worker is not None
            self._tracer = Tracer(
                request.trace_share,
                request.seed,
                partial(_trace_path, wiring),
                self.engine.timers,
                lost=wiring.worker.sampler.untraced,
                password=request.password,
            )
        self._contexts: dict[str | None, Context] = {}
        self._pacer: ConnectPacer[Station] = ConnectPacer()
        self._gate: Timer | None = None
        self._unfrozen = 0
        self._begun = 0
        self._logged: set[str] = set()
        self.stations: dict[str, UserStation] = {}
        """Every station of this process that was let in and is not given up, by identity."""
        assert wiring.worker is not None
        self._observer: CommandObserver | None = None
        observer = CommandObserver(self.stations, self.recorder, self.engine.timers, time.monotonic, self._watched_by)
        wiring.worker.on_order(ORDER, observer.order)
        self._storm_process = StormProcess(
            self.engine.timers, self.recorder, request.seed, self.stations, find_target=self._find_target
        )
        wiring.worker.on_order(KIND, self._storm_process.order)

    def close(self) -> None:
        """End what runs beside the stations, which are stopped."""
        self._storm_process.close()
        if self._tracer is not None:
            self._tracer.close()

    def context(self, profile: Profile | str | None) -> Context:
        """Return the context of stations with this profile, or one of that name; None: the command line's.

        Raises `UsageError` for a profile that cannot be read.
        """
        key = profile.name if isinstance(profile, Profile) else profile
        context = self._contexts.get(key)
        if context is None:
            context = self._contexts[key] = Context(
                engine=self.engine,
                target=self.target,
                recorder=self.recorder,
                profile=load_profile(profile) if isinstance(profile, str) else profile or self._profile,
                backoff=self.request.backoff,
                call_timeout=self.request.call_timeout,
                seed=self._seed,
                schema_share=self.request.schema_share,
                password=self.request.password,
                on_crash=_for_locust,
                make_socket=open_socket if self._tracer is None else self._tracer.open_socket,
            )
            context.observed_by(self._observer)
        return context

    def _watched_by(self, observer: CommandObserver | None) -> None:
        self._observer = observer
        for context in self._contexts.values():
            context.observed_by(observer)

    def once(self, text: str) -> bool:
        """Return whether this is said for the first time in this run."""
        is_new = text not in self._logged
        self._logged.add(text)
        return is_new

    def log_once(self, error: HarnessError) -> None:
        """Log, once, what keeps users of one kind from starting."""
        if self.once(str(error)):
            _logger.error("No station can start: %s", error)

    def prepare(self, version: Version) -> None:
        """Make what the stations of a version need, before the first of them has a CALL on its way."""
        if self.request.schema_share:
            compile_answers(version)

    def begin_user(self) -> None:
        """Take note that a user begins; Locust begins all of a second in a row, and answers must not wait for that."""
        self._begun += 1
        if self._begun % START_AT_ONCE == 0 and self.recorder.connected_now:
            breathe()

    def admit(self, station: UserStation) -> None:
        """Start a station when its turn comes: Locust spawns in batches, and connects must not."""
        self.stations[station.lease.identity] = station
        self.lives_long()
        self._pacer.arrive(station, time.monotonic())
        if self._gate is None:
            self._plan()

    def forget(self, station: UserStation) -> None:
        """Forget a station that is stopped for good."""
        self.stations.pop(station.lease.identity, None)

    def _find_target(self, url: str, ca: str, found: Callable[[Target], object]) -> None:
        """Look up where a storm sends stations, and which root they trust; without a word, those of the run.

        Where that fails, the log says so and they stay where they are.
        """
        changes: dict[str, Any] = ({"url": url} if url else {}) | ({"tls_ca": Path(ca)} if ca else {})

        def find() -> None:
            try:
                target = make_target(msgspec.structs.replace(self.request, **changes))
            except HarnessError as error:
                _logger.error("The storm cannot send stations to its target: %s", error)  # noqa: TRY400 - for people
                target = self.target
            found(target)

        gevent.spawn(find)

    def _open(self, _: float) -> None:
        for station in self._pacer.due(time.monotonic()):
            if station.life is Life.NEW:
                station.start()
                self.lives_long()
        if self._pacer.next_at is None:
            self._freeze()
        self._plan()

    def lives_long(self) -> None:
        """Take note of something new that will be there as long as a station."""
        self._unfrozen += 1
        if self._unfrozen >= _FREEZE_EVERY:
            self._freeze()

    def _freeze(self) -> None:
        """Take all that is there from the collector: of what lives as long as a station it finds nothing to collect.

        A full collection over ten thousand stations stops the event loop for a tenth of a second.
        """
        if self._unfrozen:
            gc.freeze()
            self._unfrozen = 0

    def _plan(self) -> None:
        when = self._pacer.next_at
        self._gate = None if when is None else self.engine.timers.at(when, self._open)


def _trace_path(wiring: Wiring) -> Path:
    assert wiring.worker is not None
    return trace_path(wiring.worker.folder, wiring.worker_name)


def _for_locust(station: Host, error: Exception) -> bool:
    """Hand Locust's own exceptions, which a listener may raise for any CALL, to the greenlet of the user."""
    if not isinstance(error, _FOR_LOCUST):
        return False
    assert isinstance(station, UserStation)
    station.user.raise_in_greenlet(error)
    return True
