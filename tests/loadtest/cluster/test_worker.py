from __future__ import annotations

from typing import Any

import gevent
import pytest

from evidence.vocabulary import TO_CSMS
from loadtest.cluster.worker import WorkerEnd


class Process:
    """A worker whose stations are stopped by hand."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.has_stations = True
        self.end = WorkerEnd(self.sent.append, stop=self.stop)
        self.end.handle({"kind": "run", "run": 1, "window": "measure"})

    def stop(self) -> bool:
        """Begin to stop, as Locust does; the stations end later."""
        if self.has_stations:
            self.end.stopping()
        return self.has_stations

    def stopped(self) -> None:
        self.has_stations = False
        self.end.flush()

    def finish(self) -> None:
        self.end.handle({"kind": "finish", "run": 1})
        gevent.sleep(0)

    def call(self) -> None:
        self.end.recorder.call("1.6", "Heartbeat", TO_CSMS, "accepted", 0.001, 0.001)

    @property
    def last_totals(self) -> list[int]:
        return [message["report"]["total"] for message in self.sent if message.get("report", {}).get("last")]


@pytest.fixture
def process() -> Process:
    return Process()


def test_however_often_it_is_asked_the_last_figures_wait_for_the_last_station(process: Process) -> None:
    process.call()
    for _ in range(3):
        process.finish()
    assert process.last_totals == []
    process.call()
    process.stopped()
    assert process.last_totals == [2]


def test_the_last_figures_wait_for_stations_that_locust_stops_by_itself(process: Process) -> None:
    process.end.stopping()
    process.finish()
    assert process.last_totals == []
    process.stopped()
    assert process.last_totals == [0]


def test_a_worker_without_stations_sends_its_last_figures_as_soon_as_it_is_asked(process: Process) -> None:
    process.has_stations = False
    process.finish()
    assert process.last_totals == [0]


def test_last_figures_that_nobody_has_acknowledged_are_sent_again(process: Process) -> None:
    process.call()
    process.stopped()
    process.finish()
    assert process.last_totals[-1] == 1
    assert len(process.last_totals) > 1
