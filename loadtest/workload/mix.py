"""How many messages a profile's stations send on average, worked out and not rehearsed: CALLs of 1.6 by action.

A rehearsal (`loadtest.planning.rehearsal`) tells more and costs seconds; this tells what a day is made of at once.
"""

from __future__ import annotations

from collections.abc import Mapping

from fixtures.models import StationModel, station_models
from loadtest.workload.curve import DAY
from loadtest.workload.profile import Profile
from loadtest.workload.sessions import Workload, rates_of
from loadtest.workload.spread import mean

__all__ = ["messages_a_day", "sessions_a_day"]


def sessions_a_day(workload: Workload, weekday: int | None = None) -> float:
    """Return the sessions of an EVSE on a day, Monday being 0; without one, on the average day of a week."""
    served = rates_of(workload).served
    each = len(served) // 7
    return sum(served) / 7 if weekday is None else sum(served[weekday * each : (weekday + 1) * each])


def messages_a_day(
    profile: Profile, *, heartbeat: float, weekday: int | None = None, clock_aligned: float | None = None
) -> dict[str, float]:
    """Return the CALLs of an average station in a day of the clock, by action.

    `heartbeat` (seconds) is what the CSMS asks for where the profile has none. `clock_aligned` adds a reading of every
    connector in such an interval. With time compression K, a day of the clock has K times the sessions.
    """
    total: dict[str, float] = {}
    parts = profile.members or ((profile, 1.0),)
    weights = sum(weight for _, weight in parts)
    for part, weight in parts:
        models = sum(part.models.values())
        for name, count in part.models.items():
            share = weight / weights * count / models
            day = _day(part, station_models()[name], heartbeat, weekday, clock_aligned)
            for action, calls in day.items():
                total[action] = total.get(action, 0.0) + share * calls
    return total


def _day(
    profile: Profile, model: StationModel, heartbeat: float, weekday: int | None, clock_aligned: float | None
) -> Mapping[str, float]:
    beat = (profile.heartbeat or heartbeat) / profile.interval_scale
    meter = (float(model.meter.interval) if profile.meter is None else profile.meter) / profile.interval_scale
    day = {"Heartbeat": DAY / beat}
    if clock_aligned is not None:
        day["MeterValues"] = DAY / clock_aligned * sum(len(evse.connectors) for evse in model.evses)
    workload = profile.workload
    if workload is None:
        return day
    pace = profile.compression
    sessions = sessions_a_day(workload, weekday) * len(model.evses) * pace
    stay = mean(workload.duration) / pace
    if meter:
        # A stay of two and a half intervals has two readings; the tariff brings one of its own.
        day["MeterValues"] = day.get("MeterValues", 0.0) + sessions * max(0.0, stay / meter - 0.5)
    # Preparing, Charging, Finishing, Available; and SuspendedEV of a car that was seen full.
    full = workload.idle is not None and mean(workload.idle) * stay > meter > 0
    day["StatusNotification"] = sessions * (5 if full or workload.idle is None else 4)
    if workload.authorize:
        day["Authorize"] = sessions
    return day | {"StartTransaction": sessions, "StopTransaction": sessions}
