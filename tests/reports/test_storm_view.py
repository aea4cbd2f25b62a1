from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evidence.run_folder import read_run
from evidence.run_model import LoadRun
from ocppj.errors import UsageError
from reports.storm_view import StormView, view_storms
from tests.reports.report_builders import page_text, write_load


def storm(**changes: Any) -> dict[str, Any]:
    """Write a storm as a run leaves it."""
    curve = [
        {"t": float(at), "struck": 100.0, "back": 20.0 * at, "booted": 19.0 * at, "drained": 18.0 * at,
         "expected": 21.0 * at, "connects_per_s": 20.0, "failed_per_s": 1.0, "queued": 3.0}
        for at in range(6)
    ]  # fmt: skip
    sample = {"seconds": 10, "calls_per_s": 50.0, "failed_share": 0.0, "p99_ms": 12.0, "booted": 100.0}
    return {
        "storm": "csms-restart",
        "number": 1,
        "says": "The CSMS restarts.",
        "trigger": "schedule",
        "at": 20.0,
        "parameters": {"down": 5.0},
        "stations": {"struck": 100, "connected": 100, "accepted": 100, "settled": 100, "unrecovered": 0},
        "recovery_ms": {"p50": 2500.0, "p95": 4800.0, "p999": 5000.0, "max": 5000.0},
        "connected_ms": {"p50": 2400.0, "p95": 4700.0, "p999": 4900.0, "max": 4900.0},
        "settled_ms": {"p50": 2600.0, "p95": 4900.0, "p999": None, "max": None},
        "formula": {
            "backoff": "spec:3/10/3",
            "expected_ms": {"p50": 2400.0, "p95": 4500.0},
            "deviation": 0.0,
            "distance": 0.031,
        },
        "peak_connects_per_s": 60,
        "failed_upgrades": {"http-503": 4},
        "messages": {"queued_most": 3, "lost": 0},
        "calls": {"before": sample, "during": sample, "after": sample},
        "recovered": True,
        "curve": curve,
    } | changes


def views(folder: Path, *storms: Any) -> Sequence[StormView]:
    run = read_run(write_load(folder, storms=list(storms)))
    assert isinstance(run, LoadRun)
    return view_storms(run)


def page(folder: Path, *storms: Any) -> str:
    return page_text(write_load(folder, storms=list(storms)))


def test_a_storm_shows_its_curve_beside_the_expected_one(tmp_path: Path) -> None:
    (view,) = views(tmp_path, storm())
    assert (view.title, view.tone, view.word) == ("Storm 1: csms-restart", "pass", "recovered")
    assert "99.9 % of them were back after 5" in view.says
    assert "that the back-off spec:3/10/3 predicts by at most 3.1 % of the stations; 0 % if half" in view.says
    recovery = view.figures[0]
    names = [name for _, name in recovery.legend]
    assert names == ["struck", "connected again", "accepted again", "predicted from the back-off"]
    assert recovery.table.columns == ("time", *names)
    assert len(view.figures) == 3
    assert view.times is not None
    assert ("until everything was answered", "2.6 s", "4.9 s", "–", "–") in view.times.rows
    assert ("failed attempts: http-503", "4") in view.costs


def test_a_storm_that_leaves_the_connections_alone_shows_the_answers(tmp_path: Path) -> None:
    rows = [{"t": float(at), "struck": 9.0, "back": 0.0, "booted": 0.0, "drained": 3.0 * at} for at in range(4)]
    (view,) = views(tmp_path, storm(storm="clock-surge", curve=rows, connected_ms={}, formula={}))
    assert [name for _, name in view.figures[0].legend] == ["struck", "all answered"]


def test_a_metastable_csms_is_shown_with_the_reasons(tmp_path: Path) -> None:
    reasons = ["20.0% of the CALLs fail, 0.0% did"]
    (view,) = views(tmp_path, storm(recovered=False, reasons=reasons))
    assert (view.tone, view.word, view.reasons) == ("miss", "not recovered", tuple(reasons))
    (view,) = views(tmp_path, storm(recovered=None))
    assert view.word == "not judged"


def test_the_page_holds_the_storms_and_escapes_them(tmp_path: Path) -> None:
    text = page(tmp_path, storm(), storm(says="<script>alert(1)</script>", failed_upgrades={"<i>": 1}))
    assert "<h2>Storms</h2>" in text
    assert text.count("Storm 1: csms-restart") == 2
    assert "<script>alert" not in text
    assert "<i>" not in text


def test_what_a_storm_does_not_say_breaks_no_page(tmp_path: Path) -> None:
    text = page(
        tmp_path,
        {"storm": "lb-drain"},
        storm(curve=[{}, {"t": 1.0}]),
        storm(formula={"backoff": "fixed:1", "deviation": None, "distance": None}),
        storm(recovery_ms={}, stations={}, calls={"before": {}}),
    )
    assert text.count('<h3 class="sub">Storm ') == 4


@pytest.mark.parametrize(
    ("damaged", "path"),
    [
        ({}, "missing required field `storm`"),
        ({"storm": 3}, r"\$\.storms\[0\]\.storm"),
        (storm(curve=[{"t": "x"}]), r"\$\.storms\[0\]\.curve"),
        (storm(formula={"expected_ms": 4}), r"\$\.storms\[0\]\.formula\.expected_ms"),
    ],
)
def test_a_storm_of_another_shape_is_an_error_that_names_the_field(
    tmp_path: Path, damaged: dict[str, Any], path: str
) -> None:
    with pytest.raises(UsageError, match=path):
        views(tmp_path, damaged)


def test_a_run_without_storms_says_nothing_of_them(tmp_path: Path) -> None:
    assert "Storms" not in page(tmp_path)


def test_the_neighbours_of_a_storm_stand_beside_its_curve(tmp_path: Path) -> None:
    neighbours = {
        "stations": 60,
        "before": {"calls": 600, "p95_ms": 20.0},
        "during": {"calls": 600, "p95_ms": 90.0},
        "slower": 4.5,
        "curve": [{"t": float(at), "p95_ms": 20.0 if at < 0 else 90.0} for at in range(-9, 9)],
    }
    (view,) = views(tmp_path / "run", storm(neighbours=neighbours))
    assert "Calls of the other 60 stations took 4.5 times as long (p95)." in view.says
    titles = [figure.title for figure in view.figures]
    assert titles.index("Neighbours") == titles.index("Recovery") + 2
    assert "response p95 20 ms before it, 90 ms while it struck the others" in page(
        tmp_path / "page", storm(neighbours=neighbours)
    )
    (alone,) = views(tmp_path / "alone", storm())
    assert "Neighbours" not in [figure.title for figure in alone.figures]
