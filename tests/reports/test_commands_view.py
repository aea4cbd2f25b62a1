from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evidence.run_folder import read_run
from evidence.run_model import LoadRun
from ocppj.errors import UsageError
from reports.commands_view import view_commands
from reports.summary import summary_markdown
from tests.reports.report_builders import page_text, write_load


def clock(middle: float) -> dict[str, float]:
    return {"count": 90, "p50": middle, "p90": middle * 2, "p95": middle * 3, "p99": middle * 4, "p999": 9, "max": 900}


ROW: dict[str, Any] = {
    "command": "remote-start",
    "action": "RemoteStartTransaction",
    "ocpp": "1.6",
    "effect": "first meter value",
    "intended": 100,
    "sent": 98,
    "late": 3,
    "outcomes": {"accepted": 90, "never-seen": 5, "wrong-station": 1, "never-sent": 2, "open": 2},
    "seen": 92,
    "seen_again": 1,
    "reasons": ["POST /x gave HTTP 500: <b>oh</b>"],
    "response_ms": clock(20),
    "reach_ms": clock(5),
    "effect_ms": clock(100),
}


def loaded(folder: Path) -> LoadRun:
    run = read_run(folder)
    assert isinstance(run, LoadRun)
    return run


def test_commands_are_shown_with_their_three_latencies_and_how_they_ended(tmp_path: Path) -> None:
    folder = write_load(tmp_path / "run", commands=[ROW])
    view = view_commands(loaded(folder))
    assert view is not None
    assert view.table.rows == (
        (
            "remote-start (RemoteStartTransaction, OCPP 1.6)",
            *("98", "8", "20 ms", "80 ms", "5 ms", "20 ms", "100 ms", "400 ms"),
        ),
    )
    (bar,) = view.bars
    assert "never-seen 5 %" in bar.note
    assert "1 reached the station twice" in bar.note
    page = page_text(folder)
    assert "Commands of the CSMS" in page
    assert "&lt;b&gt;oh&lt;/b&gt;" in page
    assert "<b>oh</b>" not in page
    assert "| remote-start (RemoteStartTransaction, OCPP 1.6) | 98 | 8 |" in summary_markdown(loaded(folder))


def test_a_run_without_commands_says_nothing_of_them(tmp_path: Path) -> None:
    folder = write_load(tmp_path / "run")
    assert view_commands(loaded(folder)) is None
    assert "Commands of the CSMS" not in page_text(folder)


def test_commands_of_which_little_is_known_are_shown(tmp_path: Path) -> None:
    least = {"command": "reset", "action": "Reset", "ocpp": "2.0.1"}
    rows = [
        least,
        {**least, "outcomes": {}, "reach_ms": {"p50": 5.0}},
        {**ROW, "outcomes": {"eaten": 1}, "reasons": []},
    ]
    folder = write_load(tmp_path / "run", commands=rows)
    page = page_text(folder)
    assert "reset (Reset, OCPP 2.0.1)" in page
    assert "eaten 100 %" in page
    assert summary_markdown(loaded(folder))


@pytest.mark.parametrize(
    ("row", "path"),
    [
        ({**ROW, "command": 5}, r"\$\.commands\[0\]\.command"),
        ({**ROW, "outcomes": []}, r"\$\.commands\[0\]\.outcomes"),
        ({**ROW, "reach_ms": {"p50": "slow"}}, r"\$\.commands\[0\]\.reach_ms\.p50"),
    ],
)
def test_a_command_of_another_shape_is_an_error_that_names_the_field(
    tmp_path: Path, row: dict[str, Any], path: str
) -> None:
    folder = write_load(tmp_path / "run", commands=[row])
    with pytest.raises(UsageError, match=path):
        read_run(folder)
