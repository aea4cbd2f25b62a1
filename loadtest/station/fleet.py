"""What all stations of one process share, so that a station itself is little more than its state."""

from __future__ import annotations

import logging
import secrets
import time
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from fixtures import models
from loadtest.backoff import SPEC, Backoff
from loadtest.profiles import bounds
from loadtest.station.dialects import DIALECTS
from loadtest.transport_tls import open_socket
from ocppj.actions import ACTIONS
from ocppj.identity import basic_authorization, decode_authorization_key, station_url
from ocppj.outcomes import Outcome, is_accepted
from ocppj.schemas import validator
from ocppj.session import message_ids
from ocppj.trace import wall_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from loadtest.identities import Lease
    from loadtest.pacing import Draws
    from loadtest.profiles import Profile, Span
    from loadtest.recorder import Recorder
    from loadtest.station.dialect import Dialect
    from loadtest.station.station import Station
    from loadtest.transport import Engine, Listener, StationSocket
    from loadtest.transport_target import Target
    from ocppj.versions import Version

__all__ = ["BOOT_RETRY", "HEARTBEAT", "Fleet"]

HEARTBEAT: Final = 300.0
"""Seconds between Heartbeats where the CSMS leaves it to the station with `interval` 0 (OCPP 1.6 §4.2)."""
BOOT_RETRY: Final = 30.0
"""Seconds until the next BootNotification where the CSMS leaves it to the station, or gave no answer."""

_logger = logging.getLogger(__name__)
_LOGGED_CRASHES: Final = 5


def _blame_station(callback: Callable[[float], object], error: Exception) -> bool:
    """Restart the station whose timer failed; a station, its visits and queues know where they belong."""
    station = getattr(getattr(callback, "__self__", None), "station", None)
    if station is None:
        return False
    station.on_crash(error)
    return True


class Fleet:
    """The surroundings of stations: connection engine, clock, recorder, and everything that was asked for."""

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
        make_socket: Callable[[Engine, Target, Listener, str | None], StationSocket] = open_socket,
        on_crash: Callable[[Station, Exception], bool] | None = None,
    ) -> None:
        """Take the settings of a run; times in seconds.

        `schema_share` (0 to 1) of the answers are checked against their schema. `on_crash` may take over an exception
        that came out of a station by returning True, as Locust's `StopUser` needs.
        """
        self.engine = engine
        self.timers = engine.timers
        self.timers.on_error = _blame_station
        self.target = target
        self.recorder = recorder
        self.profile = profile
        self.backoff = backoff
        self.call_timeout = call_timeout
        self.seed = seed
        self.clock = clock
        self.new_id = message_ids(f"{secrets.token_hex(4)}-")
        self.make_socket = make_socket
        self._schema_share = schema_share
        self._schema_due = 0.0
        self._password = password
        self._on_crash = on_crash
        self._crashes = 0
        self._wall_offset = wall() - clock()
        # All processes of a run, on whatever machine, count their phases from the same moment.
        self.epoch = -self._wall_offset
        self._models = list(profile.models)
        self._model_weights = list(accumulate(profile.models.values()))
        self.individual = lru_cache(maxsize=512)(self._make_individual)

    # -- what a station asks for -------------------------------------------------------------------------------------

    def dialect(self, version: Version) -> Dialect:
        """Return how a version speaks."""
        return DIALECTS[version]

    def timestamp(self, now: float) -> str:
        """Write a moment of the monotonic clock as OCPP time stamps are written."""
        return wall_clock(now + self._wall_offset)

    def pick_model(self, draws: Draws) -> str:
        """Draw a station model by the weights of the profile."""
        point = draws.uniform() * self._model_weights[-1]
        return next(name for name, upto in zip(self._models, self._model_weights, strict=True) if point < upto)

    def places(self, model: str) -> Sequence[models.Outlet]:
        """List the connectors of a station model."""
        return self.individual(model, "any").outlets

    def _make_individual(self, model: str, identity: str) -> models.Station:
        return models.station(model, identity, self.seed)

    def url(self, lease: Lease, target: Target | None = None) -> str:
        """Write the URL that a station connects to; a storm may send it to another target."""
        return station_url((target or self.target).url, lease.identity)

    def headers(self, lease: Lease, version: Version) -> Mapping[str, str]:
        """Write the station's credentials."""
        password = lease.password if lease.password is not None else self._password
        if password is None:
            return {}
        return {"Authorization": basic_authorization(lease.identity, decode_authorization_key(password, version))}

    def draw(self, span: Span, draws: Draws) -> float:
        """Draw from a span of the profile."""
        low, high = bounds(span)
        return low if low == high else draws.between(low, high)

    # -- what a station tells ----------------------------------------------------------------------------------------

    def judge(self, version: Version, action: str, payload: Mapping[str, Any] | None) -> str:
        """Class a CALLRESULT; the configured share of them is checked against the schema."""
        self._schema_due += self._schema_share
        if self._schema_due >= 1.0:
            self._schema_due -= 1.0
            if action in ACTIONS[version] and not validator(version, action, "response").is_valid(payload or {}):
                self.recorder.fault(Outcome.SCHEMA_INVALID)
                return Outcome.SCHEMA_INVALID
        return Outcome.ACCEPTED if is_accepted(payload) else Outcome.REJECTED

    def crashed(self, station: Station, error: Exception) -> bool:
        """Take note of a mistake of ours within a station; True when somebody else takes the station over."""
        if self._on_crash is not None and self._on_crash(station, error):
            return True
        self.recorder.fault("station-crash")
        self._crashes += 1
        if self._crashes <= _LOGGED_CRASHES:
            # Locust stops forwarding the log of a worker that logs too much.
            _logger.error("A station failed and will be restarted (%s).", type(error).__name__, exc_info=error)
        return False
