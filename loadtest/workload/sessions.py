"""The sessions at one place, one after the other: a pure function of seed, identity, place and profile.

    sessions = Schedule(workload, seed=7, identity="CP000001", evse=1, start=week_second)
    next(sessions)

Nothing that a CSMS answers, no process and no other station has a part in it. Times are in seconds of the simulated
day, 0 being the moment at which the run begins; they are whole milliseconds, so that no machine's last bit matters. A
schedule begins before that moment, so that some cars are there already, as they are on any street.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from loadtest.timing.pacing import Draws
from loadtest.workload.curve import DAY, Curve, Rates, seconds_of_day
from loadtest.workload.spread import Spread, check, draw, quantile, settled

__all__ = ["PlannedSession", "Schedule", "Tariff", "Workload"]

_PER_KWH: Final = 1000.0


class Tariff(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cars that wait for cheap electricity: they plug in, and all of them begin to charge at the same minute."""

    at: str | int
    """Time of the day."""
    share: float = 1.0
    """Of the cars that are plugged in by then."""
    spread: Spread = 0.0
    """Seconds by which a car begins later, as its clock has it."""

    def __post_init__(self) -> None:
        """Refuse an invalid time or share."""
        seconds_of_day(self.at)
        check(self.spread, "spread")
        if not 0 <= self.share <= 1:
            raise ValueError("`share` must be from 0 to 1")


class Workload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens at every EVSE, from published figures.

    Of the energy, the idle share and the power of the car two make the third: `energy_kwh` alone charges as fast as car
    and station can, `idle` alone takes as much energy as that gives, and both together make a car that charges as fast
    as they say, within what the connector allows.
    """

    per_day: float
    """Sessions that an EVSE serves on a weekday."""
    curve: Curve
    duration: Spread
    """From plugging in to driving away."""
    energy_kwh: Spread | None = None
    """What a car wants; it may leave before it has that."""
    idle: Spread | None = None
    """Share of the time plugged in that a car is full already."""
    tariff: Tariff | None = None
    authorize: bool = True
    """Whether the driver presents a token that the CSMS is asked about."""
    unplug: Spread = 60.0
    """From the end of the transaction to pulling the plug."""

    def __post_init__(self) -> None:
        """Refuse what is not a workload."""
        if not 0 < self.per_day < float("inf"):
            raise ValueError("`per_day` must be above 0")
        check(self.duration, "duration")
        check(self.unplug, "unplug")
        if quantile(self.duration, 0.001) < 1:
            raise ValueError("`duration` must be at least 1 s")
        if self.energy_kwh is not None:
            check(self.energy_kwh, "energy_kwh")
        if self.idle is not None:
            check(self.idle, "idle", most=1.0)
        for name in ("duration", "energy_kwh", "idle", "unplug"):
            if (spread := getattr(self, name)) is not None:
                msgspec.structs.force_setattr(self, name, settled(spread))
        rates_of(self)


class PlannedSession(NamedTuple):
    """One car's stay, in seconds of the simulated day from the begin of the run."""

    number: int
    """Counts from 0."""
    at: float
    until: float
    """When the transaction ends, if nobody ends it before."""
    unplug: float
    """Seconds from there to pulling the plug."""
    energy_wh: float | None
    idle: float | None
    power_from: float
    """When the car begins to charge: `at`, unless it waits for cheap electricity."""
    car: int
    """64 bits from which everything else about the car follows."""
    pick: float
    """Which of the connectors of the EVSE, from 0 to 1."""
    token: str | None = None
    """The token of a recorded session."""
    connector: int | None = None
    """The connector of a recorded session."""


@lru_cache(maxsize=64)
def rates_of(workload: Workload) -> Rates:
    """Work out the arrivals of a workload, once."""
    return Rates(workload.curve, workload.per_day, (workload.duration, workload.unplug))


class Schedule:
    """The endless sessions at one EVSE of one station; two numbers and a stream of draws are all that it keeps."""

    __slots__ = ("_draws", "_expected", "_number", "_rates", "_start", "_workload")

    def __init__(self, workload: Workload, *, seed: int, identity: str, evse: int, start: float) -> None:
        """Begin before `start`, the second of the week at which the run begins."""
        self._workload = workload
        self._draws = Draws(seed, identity, f"workload/{evse}")
        self._rates = rates_of(workload)
        self._start = start
        self._number = -1
        self._expected = self._rates.expected(start - self._rates.history)

    def __iter__(self) -> Iterator[PlannedSession]:
        """Be its own iterator."""
        return self

    def __next__(self) -> PlannedSession:
        """Return the next car that finds the place free."""
        workload, draws = self._workload, self._draws
        at = self._rates.when(self._expected + draws.exponential(1.0))
        until = at + max(1.0, draw(workload.duration, draws))
        unplug = round(draw(workload.unplug, draws), 3)
        energy = None if workload.energy_kwh is None else round(draw(workload.energy_kwh, draws) * _PER_KWH)
        idle = None if workload.idle is None else round(draw(workload.idle, draws), 4)
        power_from = at if workload.tariff is None else _waits(workload.tariff, at, until, draws)
        # Whoever came meanwhile drove on; a Poisson process does not remember them.
        self._expected = self._rates.expected(until + unplug)
        self._number += 1
        return PlannedSession(
            self._number,
            round(at - self._start, 3),
            round(until - self._start, 3),
            unplug,
            energy,
            idle,
            round(power_from - self._start, 3),
            draws.bits(),
            draws.uniform(),
        )


def _waits(tariff: Tariff, at: float, until: float, draws: Draws) -> float:
    """Return when a car begins to charge that may wait for the tariff."""
    waits, late = draws.uniform() < tariff.share, draw(tariff.spread, draws)
    begins = at + (seconds_of_day(tariff.at) - at) % DAY
    return begins + late if waits and begins + late < until else at
