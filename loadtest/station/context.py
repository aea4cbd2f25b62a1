"""What all stations of one process share, so that a station itself is little more than its state."""

from __future__ import annotations

import copy
import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Final

from msgspec import structs

from config.locations import Location
from evidence.vocabulary import STATION_CRASH
from fixtures import models
from fixtures.time_style import TimeStyle
from loadtest.measuring.answer_judge import AnswerJudge
from loadtest.measuring.recorder import Recorder
from loadtest.station.contract import Host, Observer
from loadtest.station.dialect.contract import Dialect
from loadtest.station.dialect.vendor import dialect_of
from loadtest.timing.backoff import SPEC, Backoff
from loadtest.timing.pacing import Draws
from loadtest.timing.timers import TimerQueue
from loadtest.transport.contract import Engine, Listener, Wire
from loadtest.transport.opening import open_socket
from loadtest.transport.target import Target
from loadtest.workload.identities import Lease
from loadtest.workload.impair import Impairment, read_impairments
from loadtest.workload.profile import Profile, Span, bounds
from loadtest.workload.vendor import NEUTRAL, Vendor, load_vendor
from ocppj.identity import basic_authorization, decode_authorization_key, station_url
from ocppj.session import message_ids
from ocppj.trace import wall_clock
from ocppj.versions import Version

__all__ = ["Context"]

_logger = logging.getLogger(__name__)
_LOGGED_CRASHES: Final = 5


class Context:
    """The surroundings of stations: connection engine, clock, recorder, and everything that was asked for.

    Each part of a mixed profile, and each vendor in it, has a copy of its own, so that a station needs no reference but
    this one; what changes and concerns them all belongs into an object that the copies share.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        target: Target,
        recorder: Recorder,
        profile: Profile,
        backoff: Backoff = SPEC,
        call_timeout: float = 30.0,
        seed: int = 0,
        schema_share: float = 0.01,
        password: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        make_socket: Callable[[Engine, Target, Listener, str | None], Wire] = open_socket,
        on_crash: Callable[[Host, Exception], bool] | None = None,
    ) -> None:
        """Take the settings of a run; times in seconds.

        `schema_share` (0 to 1) of the answers are checked against their schema. `on_crash` may take over an exception
        that came out of a station by returning True, as Locust's `StopUser` needs.
        """
        self.engine = engine
        self.timers: TimerQueue = engine.timers
        self.target = target
        self.recorder = recorder
        self.profile = profile
        self.backoff = backoff
        self.call_timeout = call_timeout
        self.seed = seed
        self.clock = clock
        self.new_id = message_ids(f"{secrets.token_hex(4)}-")
        self.make_socket = make_socket
        self.observer: Observer | None = None
        """Who follows the commands of the CSMS, while somebody does."""
        self.judge = AnswerJudge(recorder, schema_share).judge
        """Classes a CALLRESULT."""
        self._password = password
        self._on_crash = on_crash
        self._crashes = 0
        self._told: set[str] = set()
        self.vendor: Vendor = NEUTRAL
        """Whose firmware the stations here run."""
        self._write_time: Callable[[float], str] = wall_clock
        self._wall_offset = self._shown_offset = wall() - clock()
        # All processes of a run, on whatever machine, count their phases from the same moment.
        self.epoch = -self._wall_offset
        self.began = clock()
        """When the simulated day begins; a fleet is made for the first station of a run."""
        self.individual = lru_cache(maxsize=512)(self._make_individual)
        self.impairments = _impairments(profile)
        """What the run does to the frames of stations, on purpose."""
        self._parts: list[tuple[Profile, Context]] = []
        self._vendor_weights: list[float] = []
        self._of_vendors: list[Context] = []
        self._divide()

    # -- what a station asks for -------------------------------------------------------------------------------------

    def dialect(self, version: Version) -> Dialect:
        """Return how a version speaks."""
        return dialect_of(self.vendor, version)

    def for_station(self, lease: Lease) -> Context:
        """Return the surroundings of one station: those of its part of a mix, and there of its vendor."""
        if self._parts:
            wanted = self.profile.member(lease.number)
            return next(context for part, context in self._parts if part is wanted).for_station(lease)
        if not self._of_vendors:
            return self
        point = Draws(self.seed, lease.identity, "vendor").uniform() * self._vendor_weights[-1]
        return next(
            context for context, upto in zip(self._of_vendors, self._vendor_weights, strict=True) if point < upto
        )

    def timestamp(self, now: float) -> str:
        """Write a moment of the monotonic clock as OCPP time stamps are written."""
        return self._write_time(now + self._shown_offset)

    def pick_model(self, draws: Draws, profile: Profile) -> str:
        """Draw a station model by the weights of its profile."""
        upto = list(accumulate(profile.models.values()))
        point = draws.uniform() * upto[-1]
        return next(name for name, end in zip(profile.models, upto, strict=True) if point < end)

    def connectors(self, model: str) -> Sequence[models.ConnectorModel]:
        """List the connectors of a station model."""
        return self.individual(model, "any").connectors

    def _make_individual(self, model: str, identity: str) -> models.Station:
        return models.station(model, identity, self.seed)

    def url(self, lease: Lease, target: Target | None = None) -> str:
        """Write the URL that a station connects to; a storm may send it to another target."""
        return station_url((target or self.target).url, lease.identity)

    def headers(self, lease: Lease, version: Version, changed: str | None = None) -> Mapping[str, str]:
        """Write the station's credentials; `changed` is a password that the CSMS has set since."""
        password = lease.password if lease.password is not None else self._password
        password = password if changed is None else changed
        if password is None:
            return {}
        return {"Authorization": basic_authorization(lease.identity, decode_authorization_key(password, version))}

    def draw(self, span: Span, draws: Draws) -> float:
        """Draw from a span of the profile."""
        low, high = bounds(span)
        return low if low == high else draws.between(low, high)

    def observed_by(self, observer: Observer | None) -> None:
        """Let somebody follow the commands of the CSMS at all stations, or nobody any more."""
        self.observer = observer
        for context in (*self._of_vendors, *(context for _, context in self._parts)):
            context.observed_by(observer)

    def _divide(self) -> None:
        """Make the copies; a part of a mix without vendors has those of the mix."""
        profile = self.profile
        self._of_vendors = [self._for_vendor(load_vendor(name)) for name in profile.vendors]
        self._vendor_weights = list(accumulate(profile.vendors.values()))
        self._parts = [(part, self._for_part(part)) for part, _ in profile.members]

    def _for_part(self, part: Profile) -> Context:
        own = copy.copy(self)
        own.profile = part
        if not part.vendors and self.profile.vendors:
            own.profile = structs.replace(part, vendors=self.profile.vendors)
        own.impairments = _impairments(part) or self.impairments
        own._divide()  # noqa: SLF001 - a copy of this very object
        return own

    def _for_vendor(self, vendor: Vendor) -> Context:
        own, profile, sessions, workload = copy.copy(self), self.profile, self.profile.sessions, self.profile.workload
        own.vendor = vendor
        own.backoff = vendor.way_back(self.backoff)
        if vendor.quirks.time_style != TimeStyle():
            own._write_time = vendor.quirks.time_style.writer()  # noqa: SLF001 - a copy of this very object
        # What a station's own clock shows; plans and phases go by the right time.
        own._shown_offset = (  # noqa: SLF001 - a copy of this very object
            -self.began if vendor.quirks.clock_from_1970 else self._wall_offset + vendor.quirks.clock_ahead
        )
        if sessions is not None and vendor.quirks.skips_authorize:
            sessions = structs.replace(sessions, authorize=False)
        if workload is not None and vendor.quirks.skips_authorize:
            workload = structs.replace(workload, authorize=False)
        own.profile = structs.replace(
            profile,
            heartbeat=vendor.heartbeat or profile.heartbeat,
            meter=profile.meter if vendor.meter is None else vendor.meter,
            sessions=sessions,
            workload=workload,
            vendors={},
        )
        return own

    # -- what a station tells ----------------------------------------------------------------------------------------

    def trouble(self, kind: str, detail: str) -> None:
        """Count something wrong with a connection that stands; its details are logged the first time."""
        self.recorder.fault(kind)
        if detail and kind not in self._told:
            self._told.add(kind)
            _logger.warning("%s (%s; the report counts them all)", detail[:1].upper() + detail[1:], kind)

    def crashed(self, station: Host, error: Exception) -> bool:
        """Take note of a mistake of ours within a station; return True when somebody else takes the station over."""
        if self._on_crash is not None and self._on_crash(station, error):
            return True
        self.recorder.fault(STATION_CRASH)
        self._crashes += 1
        if self._crashes <= _LOGGED_CRASHES:
            # Locust stops forwarding the log of a worker that logs too much.
            _logger.error("A station failed and will be restarted (%s).", type(error).__name__, exc_info=error)
        return False


def _impairments(profile: Profile) -> tuple[Impairment, ...]:
    return read_impairments(list(profile.impair), Location("impair"))
