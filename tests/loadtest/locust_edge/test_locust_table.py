"""Locust's statistics, fed in sums and fed by events."""

from __future__ import annotations

import os
from typing import Any

import pytest

# The process that runs the tests must stay as it is, and the programs that it starts must not.
os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"
try:
    from locust.env import Environment

    from evidence.histogram import bucket_index
    from loadtest.locust_edge.table import LocustTable
finally:
    del os.environ["LOCUST_SKIP_MONKEY_PATCH"]

CALLS: list[tuple[str, str, str | None, float]] = []
CALLS += [("OCPP 1.6", "Heartbeat", None, ms) for ms in (0.4, 1.2, 3.0, 47.3, 147.0, 3432.0, 58_760.0)]
CALLS += [("OCPP 1.6", "Heartbeat", "timeout", 30_000.0)] * 3 + [("OCPP 2.1", "Authorize", None, 12.0)] * 5


@pytest.fixture
def environment() -> Environment:
    environment = Environment()
    environment.create_local_runner()
    return environment


def facts(environment: Environment) -> dict[str, Any]:
    stats: Any = environment.stats
    entries = {**stats.entries, "total": stats.total}
    found: dict[str, Any] = {
        str(name): (e.num_requests, e.num_failures, dict(e.response_times), sum(e.num_reqs_per_sec.values()))
        for name, e in entries.items()
    }
    return found | {error.error: error.occurrences for error in stats.errors.values()}


def test_sums_leave_what_an_event_for_each_call_leaves(environment: Environment) -> None:
    table = LocustTable(environment)
    assert table.alone
    one, other = Environment(), environment
    one.create_local_runner()
    event: Any = one.events.request
    for request_type, name, exception, ms in CALLS:
        event.fire(
            request_type=request_type,
            name=name,
            response_time=ms,
            response_length=0,
            exception=exception,
            context={},
        )
    for kind in dict.fromkeys(call[:3] for call in CALLS):
        counts: dict[int, int] = {}
        for call in CALLS:
            if call[:3] == kind:
                bucket = bucket_index(round(call[3] * 1000))
                counts[bucket] = counts.get(bucket, 0) + 1
        table.add(*kind, counts)
        table.add(*kind, {})
    assert facts(other) == facts(one)
    for first, second in (
        (one.stats.total, other.stats.total),
        (one.stats.get("Heartbeat", "OCPP 1.6"), other.stats.get("Heartbeat", "OCPP 1.6")),
    ):
        assert second.total_response_time == pytest.approx(first.total_response_time, rel=1e-3)
        assert second.min_response_time == pytest.approx(first.min_response_time, rel=1e-3)
        assert second.max_response_time == pytest.approx(first.max_response_time, rel=1e-3)


def test_a_further_listener_wants_each_call(environment: Environment) -> None:
    table = LocustTable(environment)
    event: Any = environment.events.request
    event.add_listener(lambda **_: None)
    assert not table.alone
    table.fire(request_type="OCPP 1.6", name="Reset", response_time=1.0, response_length=0, exception=None, context={})
    assert environment.stats.total.num_requests == 1
