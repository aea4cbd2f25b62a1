"""How many charging sessions begin in a second at all stations together, whatever a profile says; pure.

The rate is an open one: cars come when they come, and a CSMS that answers late does not keep them away. A car that
finds its connector taken because of that drives on, and the run shows fewer sessions than were asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import msgspec

from fixtures.models import station_models
from loadtest.workload.profile import SHORTEST_CYCLE, Profile, Sessions, Span, bounds
from ocppj.errors import UsageError

__all__ = ["arrival_rate", "fleet_for", "with_arrival_rate"]

_COMFORTABLE_CYCLE: Final = 2.0
"""Seconds from one car to the next that leave a station time to say everything."""


def with_arrival_rate(profile: Profile, per_second: float, stations: int) -> Profile:
    """Let so many sessions begin in a second at so many stations; raises `UsageError` where that cannot be.

    Rarer sessions have longer gaps. More frequent ones have stays and gaps that are shortened alike.
    """
    parts = profile.members or ((profile, 1.0),)
    for part, _ in parts:
        if part.sessions is None:
            raise UsageError(
                f"--arrival-rate needs a profile with `sessions`, but {part.name} has none; take quick, for example"
            )
    if not stations:
        raise UsageError("--arrival-rate is that of all stations together; say how many there are")
    evses = _evses(parts)
    cycle = evses * stations / per_second
    shortest = min(cycle * _shortest_share(part.sessions) for part, _ in parts if part.sessions is not None)
    if shortest < SHORTEST_CYCLE:
        least = math.floor(stations * SHORTEST_CYCLE / shortest) + 1
        raise UsageError(
            f"--arrival-rate {per_second:g}/s is too much for {stations} stations: at each of their EVSEs a car would "
            f"come every {cycle:.2g} s; take at least {least} stations"
        )
    if not profile.members:
        return _with_cycle(profile, cycle)
    members = tuple((_with_cycle(part, cycle), weight) for part, weight in profile.members)
    return msgspec.structs.replace(profile, members=members)


def arrival_rate(profile: Profile, stations: int) -> float | None:
    """Return how many sessions begin in a second at so many stations; None where that changes with the hour."""
    parts = profile.members or ((profile, 1.0),)
    whole = sum(weight for _, weight in parts)
    rates = [weight / whole * _evses(((part, 1.0),)) / part.sessions.cycle for part, weight in parts if part.sessions]
    return sum(rates) * stations if len(rates) == len(parts) else None


def fleet_for(profile: Profile, per_second: float, *, least: int) -> int:
    """Return how many stations begin so many sessions in a second without hurry, `least` at least."""
    evses = _evses(profile.members or ((profile, 1.0),))
    return max(least, math.ceil(per_second * _COMFORTABLE_CYCLE / evses))


def _evses(parts: Iterable[tuple[Profile, float]]) -> float:
    """Return how many EVSEs a station has on the average."""
    models = station_models()
    total = whole = 0.0
    for part, share in parts:
        weights = sum(part.models.values())
        for name, weight in part.models.items():
            total += share * weight / weights * len(models[name].evses)
        whole += share
    return total / whole


def _with_cycle(profile: Profile, cycle: float) -> Profile:
    sessions = profile.sessions
    assert sessions is not None
    return msgspec.structs.replace(profile, sessions=_paced(sessions, cycle))


def _paced(sessions: Sessions, cycle: float) -> Sessions:
    if cycle >= sessions.cycle:
        more = cycle - sessions.cycle
        low, high = bounds(sessions.gap)
        return msgspec.structs.replace(sessions, gap=(low + more, high + more))
    factor = cycle / sessions.cycle
    return msgspec.structs.replace(
        sessions,
        duration=_scaled(sessions.duration, factor),
        gap=_scaled(sessions.gap, factor),
        unplug=_scaled(sessions.unplug, factor),
    )


def _shortest_share(sessions: Sessions) -> float:
    """Return which part of the mean time between two cars the shortest one is, at the fastest."""
    return (bounds(sessions.duration)[0] + bounds(sessions.gap)[0]) / sessions.cycle


def _scaled(span: Span, factor: float) -> Span:
    low, high = bounds(span)
    return (low * factor, high * factor)
