from __future__ import annotations

from loadtest.station.contract import Host, State
from loadtest.station.dialect.contract import Ending
from loadtest.station.state.settings import Settings
from loadtest.station.state.store import need, peek
from tests.loadtest.fleet_harness import FleetHarness


class Diary(State):
    """Writes down what it hears."""

    __slots__ = ("heard",)

    def __init__(self, station: Host) -> None:
        super().__init__(station)
        self.heard: list[str] = []

    def back(self, now: float, *, booted: bool) -> None:  # noqa: ARG002 - a hook
        self.heard.append("booted" if booted else "back")

    def charging_session_over(self, now: float) -> None:  # noqa: ARG002 - a hook
        self.heard.append("over")

    def close(self) -> None:
        self.heard.append("close")


def test_a_station_that_nobody_commands_keeps_nothing() -> None:
    harness = FleetHarness().start()
    assert peek(harness.station, Settings) is None
    assert harness.station.store is None


def test_a_state_is_made_once_and_found_by_its_class() -> None:
    station = FleetHarness().start().station
    settings = need(station, Settings)
    assert need(station, Settings) is settings
    assert peek(station, Settings) is settings
    assert peek(station, Diary) is None


def test_draws_for_a_purpose_are_a_stream_of_their_own() -> None:
    first, second = FleetHarness().station, FleetHarness().station
    for station in (first, second):
        need(station, Settings)
    assert first.store is not None
    assert second.store is not None
    answers = [first.store.draws("answers").uniform() for _ in range(3)]
    assert [second.store.draws("reactions").uniform() for _ in range(3)] != answers
    assert [second.store.draws("answers").uniform() for _ in range(3)] == answers


def test_every_state_hears_of_boots_cars_and_the_end() -> None:
    harness = FleetHarness().start()
    diary = need(harness.station, Diary)
    harness.lose()
    harness.run(10.0)
    harness.station.reboot(Ending.HARD_RESET)
    harness.run(60.0)
    harness.station.charging_session_over()
    harness.station.abort()
    assert diary.heard == ["back", "booted", "over", "close"]
    assert harness.station.store is None
