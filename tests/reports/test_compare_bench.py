from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from evidence import exit_codes
from ocppj.errors import UsageError
from plugstorm.compare_command import Limits, compare_folders
from reports.compare_bench import compare_benches
from tests.json_outputs import complaints
from tests.json_schemas import OUTPUTS

BY_NAME = {output.name: output for output in OUTPUTS}
LIMITS = Limits(tolerance=0.1, floor_ms=0.5)


def message(name: str, ratio: float) -> dict[str, Any]:
    return {"message": name, "ratio_to_ceiling": ratio, "cpu_us_per_call": 20.0}


RESULT: dict[str, Any] = {
    "engines": [
        {
            "engine": "plugstorm",
            "title": "Plugstorm",
            "kb_per_station": 13.0,
            "cpu_ms_per_connect": 0.40,
            "messages": [message("Heartbeat", 0.70), message("MeterValues", 0.60)],
        },
        {"engine": "ceiling", "title": "Ceiling", "kb_per_station": 30.0, "cpu_ms_per_connect": 0.25, "messages": []},
    ],
    "scale": [{"name": "idle", "stations": 10_000, "kb_per_station": 12.0, "cpu_ms_per_connect": 0.5, "tls": True}],
}


def changed(*path: Any, value: Any) -> dict[str, Any]:
    result = copy.deepcopy(RESULT)
    place: Any = result
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return result


def folder(path: Path, result: Any) -> Path:
    path.mkdir()
    (path / "bench.json").write_text(json.dumps(result), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("path", "value", "row"),
    [
        (("engines", 0, "messages", 1, "ratio_to_ceiling"), 0.56, "plugstorm, MeterValues"),
        (("engines", 0, "kb_per_station"), 13.8, "plugstorm"),
        (("engines", 0, "cpu_ms_per_connect"), 0.43, "plugstorm"),
        (("scale", 0, "kb_per_station"), 12.7, "10,000 stations in 1, idle, TLS"),
    ],
)
def test_a_loss_of_more_than_five_percent_in_any_row_is_found(
    path: tuple[Any, ...], value: float, row: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, new = folder(tmp_path / "a", RESULT), folder(tmp_path / "b", changed(*path, value=value))
    (worse,) = compare_benches(base, new).worse
    assert worse.row == row
    assert compare_folders([base], new, LIMITS, as_json=False) == exit_codes.FAILED
    assert f"WORSE {row}" in capsys.readouterr().out
    assert compare_folders([new], base, LIMITS, as_json=False) == exit_codes.PASSED


def test_a_slower_machine_and_a_loss_of_four_percent_are_no_regression(tmp_path: Path) -> None:
    slower = changed("engines", 0, "messages", 0, "cpu_us_per_call", value=80.0)
    slower["engines"][0]["cpu_ms_per_connect"] *= 2
    slower["engines"][1]["cpu_ms_per_connect"] *= 2
    slower["scale"][0]["cpu_ms_per_connect"] *= 2
    slower["engines"][0]["messages"][0]["ratio_to_ceiling"] = 0.673
    assert compare_benches(folder(tmp_path / "a", RESULT), folder(tmp_path / "b", slower)).worse == ()


def test_what_json_wrote_is_compared_with_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, new = folder(tmp_path / "a", RESULT), tmp_path / "new.json"
    new.write_text(json.dumps(RESULT["engines"]), encoding="utf-8")
    assert compare_folders([base], new, LIMITS, as_json=True) == exit_codes.PASSED
    text = capsys.readouterr().out
    assert complaints(BY_NAME["bench-comparison"], text) == []
    rows = json.loads(text)
    assert {row["after"] for row in rows if row["row"].startswith("10,000")} == {None}
    assert not any(row["worse"] for row in rows)


def test_what_is_no_bench_is_refused(tmp_path: Path) -> None:
    base, other = folder(tmp_path / "a", RESULT), tmp_path / "other.json"
    other.write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match=r"other\.json is no result of plugstorm bench"):
        compare_benches(base, other)
    with pytest.raises(UsageError, match="no row in common"):
        compare_benches(base, folder(tmp_path / "b", {"engines": []}))
    with pytest.raises(UsageError, match="cannot be read"):
        compare_benches(tmp_path / "missing", base)
    with pytest.raises(UsageError, match="Two benches"):
        compare_folders([base, base], base, LIMITS, as_json=False)
