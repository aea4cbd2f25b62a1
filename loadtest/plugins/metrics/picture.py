"""All metrics of a run at one moment, from what was counted and from what the run is like now; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from evidence.vocabulary import WINDOWS
from loadtest.judging.moment import Moment
from loadtest.measuring.recorder import Key
from loadtest.plugins.metrics import families as of
from loadtest.plugins.metrics.families import Distribution, Family, Point, Sample
from loadtest.plugins.metrics.totals import Totals, distribution_of

__all__ = ["CommandCount", "RunName", "picture"]

_VERDICTS = ("VALID", "DEGRADED", "INVALID")


class RunName(msgspec.Struct, frozen=True, kw_only=True):
    """Which run it is."""

    run: str
    """Name of its folder."""
    target: str
    """URL of the CSMS, without secrets."""
    ocpp: str


CommandCount = tuple[str, str, str, int]
"""Command, version, outcome, and how often."""


def picture(
    name: RunName,
    totals: Totals,
    moment: Moment,
    *,
    storms: Iterable[Mapping[str, Any]] = (),
    commands: Iterable[CommandCount] = (),
) -> list[Sample]:
    """Return every metric that has a series, in the order of the table."""
    storms = list(storms)
    values: dict[Family, list[Point]] = {
        of.RUN: [Point((name.run, name.target, name.ocpp), float(bool(moment.window)))],
        of.WINDOW: [Point((window,), float(window == moment.window)) for window in WINDOWS],
        of.ELAPSED: _alone(moment.elapsed),
        of.WANTED: _alone(moment.wanted),
        of.CONNECTED: _alone(moment.connected),
        of.BOOTED: _alone(moment.booted),
        of.CHARGING: _alone(moment.charging),
        of.CONNECTS: _counted(totals.connects),
        of.LOST: _counted(totals.lost),
        of.CALLS: [Point(_call(key), float(one.count)) for key, one in totals.response.items()],
        of.OFFERED: _alone(totals.offered),
        of.WAITING: _alone(moment.waiting),
        of.SERVICE: _latencies(totals.service),
        of.RESPONSE: _latencies(totals.response),
        of.FAULTS: _counted(totals.faults),
        of.INJECTED: _counted(totals.injected),
        **_storms(storms, moment.elapsed),
        of.COMMANDS: [Point((command, ocpp, outcome), float(count)) for command, ocpp, outcome, count in commands],
        **_generator(moment),
    }
    return [Sample(family, points) for family in of.FAMILIES if (points := values[family])]


def _alone(value: float) -> list[Point]:
    return [Point((), float(value))]


def _counted(table: Mapping[str, int]) -> list[Point]:
    return [Point((name,), float(number)) for name, number in table.items()]


def _call(key: Key) -> tuple[str, ...]:
    ocpp, action, direction, outcome = key
    return action, ocpp, direction, outcome


def _latencies(table: Mapping[Key, Distribution]) -> list[Point]:
    # Copies: they are written in a thread of its own, while the counting goes on.
    return [Point(_call(key), Distribution(one.counts[:], one.sum)) for key, one in table.items() if one.count]


def _storms(storms: list[Mapping[str, Any]], elapsed: float) -> dict[Family, list[Point]]:
    begun = [storm for storm in storms if storm["at"] <= elapsed]
    latest = {storm["storm"]: storm for storm in begun}
    numbers = {kind: sum(one["storm"] == kind for one in begun) for kind in latest}
    active = {kind: sum(one["storm"] == kind and not one["over"] for one in begun) for kind in latest}
    return {
        of.STORMS: _counted(numbers),
        of.STORMING: _counted(active),
        of.STRUCK: _counted({kind: storm["struck"] for kind, storm in latest.items()}),
        of.BACK: _counted({kind: storm["back"] for kind, storm in latest.items()}),
    }


def _generator(moment: Moment) -> dict[Family, list[Point]]:
    workers = moment.workers
    return {
        of.WORKERS: _alone(sum(not worker.left for worker in workers)),
        of.VERDICT: [Point((word,), float(word == moment.generator.verdict)) for word in _VERDICTS],
        of.WORKER_STATIONS: [Point((one.name,), float(one.stations)) for one in workers],
        of.WORKER_CPU: [Point((one.name,), one.cpu_seconds) for one in workers],
        of.WORKER_LAG: [Point((one.name,), distribution_of(one.lag)) for one in workers],
        of.WORKER_MEMORY: [Point((one.name,), float(one.rss)) for one in workers],
        of.WORKER_FILES: [Point((one.name,), one.descriptors) for one in workers],
        of.WORKER_MISSED: [Point((one.name,), float(one.missed)) for one in workers],
    }
