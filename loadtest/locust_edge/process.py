"""What the users of one process share: the fleet, the gate that paces their connects, and the road back to a user.

The module imports Locust, which monkey-patches the process.
"""

from __future__ import annotations

import gc
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import gevent
import msgspec
from gevent.lock import BoundedSemaphore
from locust.exception import InterruptTaskSet, RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser

from loadtest.locust_edge.options import LoadOptions, read_options
from loadtest.locust_edge.wiring import wired
from loadtest.plugins.commands.observer import ORDER, CommandObserver
from loadtest.plugins.storms.process import KIND, StormProcess
from loadtest.station import Context, Station
from loadtest.station.life import Life
from loadtest.timing.pacing import ConnectPacer
from loadtest.timing.timers import HubTimers
from loadtest.transport.socket import Engine
from loadtest.transport.target import Target, client_context
from loadtest.transport.tls import open_socket
from loadtest.transport.traced import Tracer, trace_path
from loadtest.workload.profile import Profile, load_profile
from ocppj.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from locust.env import Environment

    from loadtest.locust_edge.users import ChargePointUser
    from loadtest.locust_edge.wiring import Wiring
    from loadtest.station.contract import Host
    from loadtest.timing.timers import Timer
    from loadtest.workload.identities import Lease
    from ocppj.versions import Version

__all__ = ["Crew", "UserStation", "crew_of", "dismiss", "keep_local", "make_engine", "make_target"]

_logger = logging.getLogger(__name__)

_FOR_LOCUST = (StopUser, StopTest, RescheduleTask, RescheduleTaskImmediately, InterruptTaskSet)

_FREEZE_EVERY: Final = 200
"""Stations."""

_crews: WeakKeyDictionary[Environment, Crew | None] = WeakKeyDictionary()
_local: WeakKeyDictionary[Environment, dict[str, Any]] = WeakKeyDictionary()
_OF_THE_MACHINE: Final = ("source_address", "tls_ca")
_making = BoundedSemaphore()


def make_engine(options: LoadOptions) -> Engine:
    """Make the connection engine of this process."""
    loop = gevent.get_hub().loop
    return Engine(loop, HubTimers(loop), connect_timeout=options.connect_timeout)


def make_target(options: LoadOptions) -> Target:
    """Look the CSMS up; raises `HarnessError` where it has no address."""
    tls = client_context(options.tls_ca) if options.url.startswith("wss:") else None
    target = Target(options.url, tls=tls, sources=options.sources)
    target.resolve()
    return target


def crew_of(environment: Environment) -> Crew | None:
    """Return the crew of the present run; the first user of a process makes it.

    None where that cannot be done, which the log says in one line and not once for each user.
    """
    with _making:
        if environment not in _crews:
            try:
                _crews[environment] = Crew(environment, _options(environment))
            except HarnessError as error:
                _crews[environment] = None
                _logger.error("No station can start: %s", error)  # noqa: TRY400 - for people, no traceback
        return _crews[environment]


def keep_local(environment: Environment) -> None:
    """Remember what a worker was told about its own machine: the options of the master will come over it."""
    given: Any = environment.parsed_options
    _local[environment] = {name: value for name in _OF_THE_MACHINE if (value := getattr(given, name, None))}


def _options(environment: Environment) -> LoadOptions:
    given: Any = environment.parsed_options
    vars(given).update(_local.get(environment, {}))
    return read_options(given, environment.host)


def dismiss(environment: Environment) -> None:
    """Forget the crew of a run that is over: the next one may have another target and other options."""
    crew = _crews.pop(environment, None)
    if crew is not None:
        crew.storm_process.close()
        if crew.tracer is not None:
            crew.tracer.close()
    gc.unfreeze()


class UserStation(Station):
    """A station that knows the Locust user that it belongs to."""

    __slots__ = ("user",)

    def __init__(self, context: Context, version: Version, lease: Lease, user: ChargePointUser) -> None:
        """Belong to a user."""
        super().__init__(context, version, lease)
        self.user = user


class Crew:
    """All stations of this process within one run."""

    def __init__(self, environment: Environment, options: LoadOptions) -> None:
        """Begin without stations; raises `HarnessError` where the CSMS has no address."""
        wiring = wired(environment)
        self.options = options
        self.leases = wiring.leases
        self.recorder = wiring.recorder
        self.target = make_target(options)
        self.engine = make_engine(options)
        self.tracer: Tracer | None = None
        if options.trace_share:
            assert wiring.worker is not None
            self.tracer = Tracer(
                options.trace_share,
                options.seed,
                partial(_trace_path, wiring),
                self.engine.timers,
                lost=wiring.worker.sampler.untraced,
                password=options.password,
            )
        self._fleets: dict[str | None, Context] = {}
        self._pacer: ConnectPacer[Station] = ConnectPacer()
        self._gate: Timer | None = None
        self._unfrozen = 0
        self._complaints: set[str] = set()
        self.stations: dict[str, UserStation] = {}
        """Every station of this process that was let in and is not given up, by identity."""
        assert wiring.worker is not None
        self._observer: CommandObserver | None = None
        observer = CommandObserver(self.stations, self.recorder, self.engine.timers, time.monotonic, self._watched_by)
        wiring.worker.on_order(ORDER, observer.order)
        self.storm_process = StormProcess(
            self.engine.timers, self.recorder, options.seed, self.stations, find_target=self._find_target
        )
        wiring.worker.on_order(KIND, self.storm_process.order)

    def context(self, wanted: Profile | str | None) -> Context:
        """Return the surroundings of stations with this profile, or one of that name; None: the command line's.

        Raises `UsageError` for a profile that cannot be read.
        """
        key = wanted.name if isinstance(wanted, Profile) else wanted
        context = self._fleets.get(key)
        if context is None:
            profile = load_profile(wanted) if isinstance(wanted, str) else wanted or self.options.profile
            context = self._fleets[key] = Context(
                engine=self.engine,
                target=self.target,
                recorder=self.recorder,
                profile=profile,
                backoff=self.options.backoff,
                call_timeout=self.options.call_timeout,
                seed=self.options.seed,
                schema_share=self.options.schema_share,
                password=self.options.password,
                on_crash=_for_locust,
                make_socket=open_socket if self.tracer is None else self.tracer.open_socket,
            )
            context.observed_by(self._observer)
        return context

    def _watched_by(self, observer: CommandObserver | None) -> None:
        self._observer = observer
        for context in self._fleets.values():
            context.observed_by(observer)

    def complain(self, error: HarnessError) -> None:
        """Tell people once what keeps users of one kind from starting."""
        if str(error) not in self._complaints:
            self._complaints.add(str(error))
            _logger.error("No station can start: %s", error)

    def let_in(self, station: UserStation) -> None:
        """Start a station when its turn comes: Locust spawns in batches, and connects must not."""
        self.stations[station.lease.identity] = station
        self._pacer.arrive(station, time.monotonic())
        if self._gate is None:
            self._plan()

    def let_go(self, station: UserStation) -> None:
        """Forget a station that is stopped for good."""
        self.stations.pop(station.lease.identity, None)

    def _find_target(self, url: str, found: Callable[[Target], object]) -> None:
        """Look up where a storm sends stations; one that is not found is told once, and they stay where they are."""

        def find() -> None:
            try:
                target = make_target(msgspec.structs.replace(self.options, url=url))
            except HarnessError as error:
                _logger.error("The other region cannot be reached: %s", error)  # noqa: TRY400 - for people
                target = self.target
            found(target)

        gevent.spawn(find)

    def _open(self, _: float) -> None:
        for station in self._pacer.due(time.monotonic()):
            if station.life is Life.NEW:
                station.start()
                self._unfrozen += 1
        if self._unfrozen >= _FREEZE_EVERY:
            # A full collection over ten thousand stations stops the event loop for a tenth of a second, and finds
            # nothing: what lives as long as a station needs no collector.
            gc.freeze()
            self._unfrozen = 0
        self._plan()

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
    greenlet = station.user.greenlet
    if greenlet is not None:
        greenlet.kill(error, block=False)
    return True
