"""The life of a station: its table, the page that is made from it, and what the table brought to light."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import loadtest.station
from loadtest.station.dialect.contract import Ending
from loadtest.station.life import TRANSITIONS, Life, LifeAction, LifeEvent, after
from ocppj.versions import Version
from tests.loadtest.fleet_harness import SILENT, FleetHarness, charging
from tests.loadtest.station.life_page import PAGE, meanings, page

every_version = pytest.mark.parametrize("version", list(Version))


def test_the_page_is_what_the_table_says() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m tests.loadtest.station.life_page"


def test_every_state_and_every_event_is_explained() -> None:
    assert list(meanings(Life)) == list(Life)
    assert list(meanings(LifeEvent)) == list(LifeEvent)


def test_every_state_is_reached_and_every_one_but_the_last_is_left() -> None:
    assert {transition.life for transition in TRANSITIONS.values()} == set(Life) - {Life.NEW}
    assert {life for life, _ in TRANSITIONS} == set(Life) - {Life.OFF}


def test_every_event_and_every_action_is_used() -> None:
    assert {event for _, event in TRANSITIONS} == set(LifeEvent)
    assert {transition.action for transition in TRANSITIONS.values()} == set(LifeAction)


@pytest.mark.parametrize("life", [life for life in Life if life is not Life.OFF])
def test_a_station_can_be_ended_at_any_time(life: Life) -> None:
    assert after(life, LifeEvent.ABORT) == (Life.OFF, LifeAction.FINISH)


def test_nothing_wakes_a_station_that_stops_or_is_over() -> None:
    ends = {Life.STOPPING, Life.OFF}
    assert {transition.life for (life, _), transition in TRANSITIONS.items() if life in ends} == {Life.OFF}


def test_an_event_that_is_not_in_the_table_changes_nothing() -> None:
    harness = FleetHarness().start()
    harness.station.start()
    harness.run(10.0)
    assert len(harness.sockets) == 1
    harness.station.stop(lambda: None, 5.0)
    harness.run(10.0)
    harness.station.start()
    harness.station.reboot(Ending.HARD_RESET)
    harness.station.lose_power()
    harness.run(100.0)
    assert harness.station.life is Life.OFF
    assert len(harness.sockets) == 1
    assert len(harness.timers) == 0


# -- what hung before there was a table --------------------------------------------------------------------------------


@every_version
def test_a_soft_reset_that_falls_due_offline_restarts_the_station(version: Version) -> None:
    harness = FleetHarness(version).start()
    harness.lose(refuse_with="refused")
    harness.run(1.0)
    harness.station.reboot(Ending.SOFT_RESET)
    assert harness.station.life is Life.DARK
    harness.refuse_with = None
    harness.run(60.0)
    assert harness.station.online
    assert len(harness.sent("BootNotification")) == 2


def test_a_station_that_fails_while_it_resets_starts_over() -> None:
    harness = FleetHarness(answers={"Heartbeat": SILENT}).start()
    harness.station.beat_now()
    harness.station.reboot(Ending.SOFT_RESET)
    assert harness.station.life is Life.RESETTING
    harness.station.on_crash(ValueError("a mistake of ours"))
    harness.run(60.0)
    assert harness.station.online
    assert len(harness.sent("BootNotification")) == 2


def test_a_boot_that_the_csms_triggers_does_not_keep_a_station_from_its_end() -> None:
    harness = FleetHarness(answers={"Heartbeat": SILENT}).start()
    harness.station.beat_now()
    ended: list[float] = []
    harness.station.stop(lambda: ended.append(harness.now), 5.0)
    harness.command("TriggerMessage", {"requestedMessage": "BootNotification"})
    harness.run(60.0)
    assert ended == [1005.0]


def test_a_station_without_power_waits_until_it_is_switched_on() -> None:
    harness = FleetHarness(profile=charging()).start().run(100.0)
    harness.station.reboot(Ending.HARD_RESET)
    harness.station.lose_power()
    harness.run(1000.0)
    assert harness.station.life is Life.DARK
    harness.station.start()
    harness.run(10.0)
    assert harness.station.online


# -- timers ------------------------------------------------------------------------------------------------------------


def test_every_timer_of_a_station_names_its_owner() -> None:
    sources = sorted(Path(loadtest.station.__file__).parent.rglob("*.py"))
    calls = [
        (path.name, node)
        for path in sources
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("timers.at")
    ]
    assert len(calls) > 20
    assert [(name, node.lineno) for name, node in calls if len(node.args) < 3] == []
