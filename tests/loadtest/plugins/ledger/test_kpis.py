from __future__ import annotations

from typing import Any

import pytest

from evidence.vocabulary import MEASURE, RAMP
from loadtest.measuring.session_row import Row
from loadtest.plugins.ledger.kpis import CUT, NOT_MEANT, SPOILT, SUCCEEDED, Kpis, outcome_of


def charging_session(**changes: Any) -> Row:
    fields: dict[str, Any] = {
        "station": "CP1",
        "ocpp": "1.6",
        "token": "A",
        "plugged": 1000.0,
        "window": MEASURE,
        "authorize": "accepted",
        "start": "accepted",
        "to_start": 0.5,
        "meter_start": 100,
        "stop": "accepted",
        "meter_stop": 1100,
        "seconds": 60.0,
    }
    return Row(**(fields | changes))


GONE = {"start": "", "stop": "", "to_start": None, "meter_start": None, "meter_stop": None}


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, SUCCEEDED),
        ({"stop": "rejected"}, SUCCEEDED),
        ({"cut": True}, SUCCEEDED),
        ({"authorize": "lost"}, SUCCEEDED),
        ({"meter_stop": 100, "seconds": 5.0}, SUCCEEDED),
        ({"meter_stop": None}, SUCCEEDED),
        ({"meter_stop": 100}, "no energy"),
        ({"meter_stop": 100, "thirsty": False}, SUCCEEDED),
        ({**GONE, "authorize": "rejected"}, "token refused"),
        ({**GONE, "authorize": "rejected", "expected": False}, NOT_MEANT),
        ({**GONE, "authorize": "timeout"}, "no answer to Authorize"),
        ({**GONE, "authorize": "", "cut": True}, CUT),
        ({"start": "rejected"}, "start refused"),
        ({"start": "rejected", "cut": True}, "start refused"),
        ({"start": "timeout"}, "start unanswered"),
        ({"start": "never-sent", "cut": True}, CUT),
        ({"stop": "callerror:InternalError"}, "stop unanswered"),
        ({"stop": "", "cut": True}, CUT),
        ({"stop": "injected:timeout"}, SPOILT),
        ({"start": "injected:lost"}, SPOILT),
        ({**GONE, "authorize": "injected:timeout"}, SPOILT),
        ({**GONE, "authorize": "injected:lost", "start": "rejected"}, "start refused"),
        ({"authorize": "injected:lost"}, SUCCEEDED),
        ({"stop": "never-sent"}, "stop unanswered"),
        ({"stop": "never-sent", "storm": True}, SPOILT),
        ({"start": "lost", "storm": True}, SPOILT),
        ({**GONE, "authorize": "never-sent", "storm": True}, SPOILT),
        ({**GONE, "authorize": ""}, "no answer to Authorize"),
        ({**GONE, "authorize": "", "storm": True}, SPOILT),
        ({"stop": "timeout", "storm": True}, "stop unanswered"),
        ({**GONE, "authorize": "lost", "start": "rejected", "storm": True}, "start refused"),
        ({"storm": True}, SUCCEEDED),
    ],
)
def test_an_attempt_succeeds_or_says_what_kept_the_driver_from_charging(changes: dict[str, Any], outcome: str) -> None:
    assert outcome_of(charging_session(**changes)) == outcome


def test_only_attempts_of_the_window_measure_are_judged() -> None:
    kpis = Kpis(990.0)
    for row in [
        charging_session(),
        charging_session(stop="timeout"),
        charging_session(stop="", cut=True),
        charging_session(window=RAMP, start="timeout"),
    ]:
        kpis.add(row)
    assert kpis.quantities()["charging-success"] == (1.0, 2.0)
    figures = kpis.figures()
    assert figures["charging"] == {
        "attempts": 2,
        "succeeded": 1,
        "share": 0.5,
        "failed": {"stop unanswered": 1},
        "cut_short": 1,
        "refused_as_expected": 0,
    }
    assert figures["charging_whole_run"]["attempts"] == 3
    assert figures["timeline"] == [{"t": 10.0, "attempts": 3.0, "succeeded": 1.0}]
    assert figures["says"][0] == "Charging success 50 %: 1 of 2 attempts."
    assert "3 charging sessions over, charging success 33.33 %" in kpis.line()


def test_nothing_is_measured_where_nobody_came() -> None:
    kpis = Kpis()
    assert set(kpis.quantities().values()) == {(None, None)}
    assert kpis.figures()["says"] == []
    assert kpis.line() == ""
    kpis.add(charging_session(stop="", cut=True))
    assert kpis.quantities()["charging-success"] == (None, None)


def test_one_failure_among_very_many_is_not_rounded_away() -> None:
    kpis = Kpis()
    for _ in range(30_000):
        kpis.add(charging_session())
    kpis.add(charging_session(start="timeout"))
    assert "99.99 %" in kpis.figures()["says"][0]


def test_seconds_from_authorize_to_start_are_those_of_drivers_at_the_station() -> None:
    kpis = Kpis()
    for hundredths in range(1, 101):
        kpis.add(charging_session(to_start=hundredths / 100))
    for _ in range(50):
        kpis.add(charging_session(to_start=77.0, remote=True, authorize="", metered=True))
        kpis.add(charging_session(to_start=88.0, authorize="lost"))
    quantities = kpis.quantities()
    assert quantities["authorize-to-start-p50"][0] == pytest.approx(500, rel=0.002)
    assert quantities["authorize-to-start-p95"][0] == pytest.approx(950, rel=0.002)
    assert quantities["authorize-to-start-p99"][0] == pytest.approx(990, rel=0.002)
    assert kpis.figures()["remote_start"]["to_start_s"]["p50"] == pytest.approx(77.0, rel=0.002)


def test_a_remote_start_works_when_the_transaction_begins_and_its_meter_is_told() -> None:
    kpis = Kpis()
    order = {"remote": True, "authorize": ""}
    for row in [
        charging_session(**order, metered=True, stop="", cut=True),
        charging_session(**order),
        charging_session(**order, metered=True),
        charging_session(**order, start="rejected"),
        charging_session(**order, start="timeout", stop="timeout"),
    ]:
        kpis.add(row)
    assert kpis.quantities()["remote-start-success"] == (2.0, 4.0)


def test_a_run_of_days_keeps_a_short_timeline() -> None:
    kpis = Kpis(0.0)
    for minute in range(5000):
        kpis.add(charging_session(plugged=minute * 60.0))
    timeline = kpis.figures()["timeline"]
    assert len(timeline) <= 240
    assert sum(bucket["attempts"] for bucket in timeline) == 5000
    assert timeline[-1]["t"] <= 4999 * 60.0
