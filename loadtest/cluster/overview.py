"""A run as Locust's page shows it: the fleet, its last minutes, every action with both latencies, the generator; pure.

It is made from the merged figures of all workers, so a distributed run looks like a local one.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Final

import msgspec

from evidence.histogram import highest_in_bucket, lowest_in_bucket
from evidence.run_model import ActionStats, LoadRun, Percentiles
from evidence.vocabulary import COOL_DOWN, MEASURE, OPENED, TO_CSMS, is_failure
from loadtest.judging.moment import Moment
from loadtest.measuring.merged import Merged
from loadtest.measuring.recorder import Delta

__all__ = ["ActionTotals", "ActionView", "Overview", "SecondView", "overview_of", "overview_of_result"]

_SECONDS: Final = 180
"""The newest seconds that the page draws."""
_BITS: Final = 7
"""That are kept of a latency."""


class ActionView(msgspec.Struct, kw_only=True):
    """All CALLs of one action; times in ms, None where nothing was measured."""

    action: str
    ocpp: str
    direction: str
    calls: int
    failed: int
    outcomes: dict[str, int]
    service_p50: float | None = None
    service_p99: float | None = None
    response_p50: float | None = None
    response_p99: float | None = None


class SecondView(msgspec.Struct, kw_only=True, array_like=True):
    """One second of the run."""

    t: float
    """Seconds since 1970."""
    connected: int
    booted: int
    connects: int
    calls: int
    failed: int


class Overview(msgspec.Struct, kw_only=True):
    """What the page shows."""

    window: str = ""
    """Empty where no run goes on."""
    shown: str = MEASURE
    """The window whose CALLs are shown."""
    elapsed: float = 0.0
    wanted: int = 0
    connected: int = 0
    booted: int = 0
    charging: int = 0
    offline: int = 0
    connects_per_s: int = 0
    calls_per_s: int = 0
    failed_per_s: int = 0
    waiting: int = 0
    lost: int = 0
    """Connections that ended against the will of stations."""
    workers: int = 0
    generator: str = ""
    reasons: list[str] = []
    """Why the generator is not VALID."""
    verdict: str = ""
    """Of the run that is over."""
    actions: list[ActionView] = []
    seconds: list[SecondView] = []
    refusals: dict[str, int] = {}
    """Connection attempts that failed, by how."""


def overview_of(moment: Moment, merged: Merged, actions: ActionTotals) -> Overview:
    """Show a run that goes on; at its end the CALLs are still those of the window that is judged."""
    second = merged.latest()
    shown = MEASURE if moment.window == COOL_DOWN else moment.window
    return Overview(
        window=moment.window,
        shown=shown,
        elapsed=round(moment.elapsed, 1),
        wanted=moment.wanted,
        connected=moment.connected,
        booted=moment.booted,
        charging=moment.charging,
        offline=max(moment.wanted - moment.connected, 0),
        connects_per_s=second.opened if second is not None else 0,
        calls_per_s=second.calls if second is not None else 0,
        failed_per_s=second.errors if second is not None else 0,
        waiting=moment.waiting,
        lost=merged.lost,
        workers=sum(not worker.left for worker in moment.workers),
        generator=moment.generator.verdict,
        reasons=moment.generator.reasons,
        actions=actions.rows(shown),
        seconds=[
            SecondView(
                t=one.t,
                connected=one.connected,
                booted=one.booted,
                connects=one.opened,
                calls=one.calls,
                failed=one.errors,
            )
            for one in merged.latest_seconds(_SECONDS)
        ],
        refusals={how: number for how, number in merged.connections.items() if how != OPENED},
    )


def overview_of_result(run: LoadRun) -> Overview:
    """Show the run that was concluded last."""
    return Overview(
        elapsed=sum(window.seconds for window in run.windows),
        wanted=run.stations.requested,
        connected=run.stations.connected_peak,
        booted=run.stations.booted,
        lost=run.stations.lost,
        generator=run.generator.verdict,
        reasons=run.generator.reasons,
        verdict=str(run.verdict),
        actions=[_of_result(one) for one in run.actions],
        refusals={how: number for how, number in run.connections.items() if how != OPENED},
    )


class _Sum:
    """All CALLs of one action; the latencies by `_rounded`."""

    def __init__(self) -> None:
        self.service: Counter[int] = Counter()
        self.response: Counter[int] = Counter()
        self.outcomes: Counter[str] = Counter()


class ActionTotals:
    """The CALLs of a run by window and action, kept so that a look at them costs little, however many there are."""

    def __init__(self) -> None:
        """Start empty."""
        self._windows: dict[str, dict[tuple[str, str, str], _Sum]] = {}

    def add(self, delta: Delta) -> None:
        """Add what one process recorded."""
        for window, entries in delta["windows"].items():
            sums = self._windows.setdefault(window, {})
            for ocpp, action, direction, outcome, service, response in entries:
                one = sums.setdefault((ocpp, action, direction), _Sum())
                one.outcomes[outcome] += sum(response.values())
                for latencies, counts in ((one.service, service), (one.response, response)):
                    for index, count in counts.items():
                        latencies[_rounded(index)] += count

    def rows(self, window: str) -> list[ActionView]:
        """Return those of one window: those of the stations first, the busiest of each direction before the others."""
        rows = [_row(key, one) for key, one in self._windows.get(window, {}).items()]
        return sorted(rows, key=lambda row: (row.direction != TO_CSMS, -row.calls))


def _row(key: tuple[str, str, str], one: _Sum) -> ActionView:
    ocpp, action, direction = key
    service, response = _percentiles(one.service), _percentiles(one.response)
    return ActionView(
        action=action,
        ocpp=ocpp,
        direction=direction,
        calls=one.outcomes.total(),
        failed=sum(count for outcome, count in one.outcomes.items() if is_failure(outcome)),
        outcomes=dict(one.outcomes.most_common()),
        service_p50=service[0],
        service_p99=service[1],
        response_p50=response[0],
        response_p99=response[1],
    )


@cache
def _rounded(index: int) -> int:
    """Return the middle of a bucket of `Histogram` in µs, to within 1 %: so few of them are sorted at every look."""
    middle = (lowest_in_bucket(index) + highest_in_bucket(index)) // 2
    shift = max(middle.bit_length() - _BITS, 0)
    return middle if not shift else ((middle >> shift) << shift) + (1 << (shift - 1))


def _percentiles(latencies: Counter[int]) -> tuple[float | None, float | None]:
    """Return p50 and p99 in ms."""
    total, seen = latencies.total(), 0
    wanted = [max(int(total * share + 0.5), 1) for share in (0.5, 0.99)]
    found: list[float] = []
    for value, count in sorted(latencies.items()):
        seen += count
        while len(found) < len(wanted) and seen >= wanted[len(found)]:
            found.append(value / 1000)
    return (found[0], found[1]) if found else (None, None)


def _of_result(one: ActionStats) -> ActionView:
    def pair(found: Percentiles | None) -> tuple[float | None, float | None]:
        return (None, None) if found is None else (found.p50, found.p99)

    service, response = pair(one.service_ms), pair(one.response_ms)
    return ActionView(
        action=one.action,
        ocpp=one.ocpp,
        direction=one.direction,
        calls=one.count,
        failed=sum(count for outcome, count in one.outcomes.items() if is_failure(outcome)),
        outcomes=one.outcomes,
        service_p50=service[0],
        service_p99=service[1],
        response_p50=response[0],
        response_p99=response[1],
    )
