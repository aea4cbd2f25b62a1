"""`plugstorm history`, and `compare` with what it holds: words, codes, JSON, and what a CI is told."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from evidence import exit_codes
from evidence.run_folder import read_run
from evidence.run_model import Symptom
from evidence.verdicts import Verdict
from plugstorm.ci import tell_ci
from reports.annotations import MOST, Annotation, of_run, workflow_commands
from tests.json_outputs import complaints
from tests.json_schemas import OUTPUTS
from tests.plugstorm.conftest import Plugstorm
from tests.reports.history_builders import write_night, write_nights
from tests.reports.report_builders import make_case, write_interop

BY_NAME = {output.name: output for output in OUTPUTS}


def test_history_makes_an_index_and_a_page(plugstorm: Plugstorm, tmp_path: Path) -> None:
    write_nights(tmp_path / "runs", [1, 2])
    write_interop(tmp_path / "runs" / "suite", [make_case()])
    (tmp_path / "runs" / "torn").mkdir()
    (tmp_path / "runs" / "torn" / "run.json").write_text("{")
    result = plugstorm("history")
    assert result.code == exit_codes.PASSED
    assert "3 runs in the index: 4 read, 0 known, 0 gone" in result.out
    assert "torn is left out" in result.out
    assert (tmp_path / "runs" / "history.html").exists()
    result = plugstorm("history", "runs", "--json", "--out", "page.html")
    assert complaints(BY_NAME["history"], result.out) == []
    assert (tmp_path / "page.html").exists()


def test_without_a_folder_of_runs_it_says_what_to_do(plugstorm: Plugstorm) -> None:
    plugstorm("history").assert_one_line(exit_codes.USAGE, "runs is no folder")


def test_compare_takes_its_base_from_the_history(plugstorm: Plugstorm, tmp_path: Path) -> None:
    write_nights(tmp_path / "runs" / "a", range(1, 6), label="1.0")
    write_nights(tmp_path / "runs" / "b", range(11, 16), label="1.1", day=2)
    assert plugstorm("compare", "--baseline", "latest").out.startswith("No change. ")
    write_nights(tmp_path / "new", range(21, 26), label="1.2", slower=1.2, day=3)
    news = [f"new/{seed}" for seed in range(21, 26)]
    for baseline in ("latest", "tag:1.0", "best-of:2"):
        result = plugstorm("compare", "--baseline", baseline, *news)
        assert (result.code, result.out.split(". ")[0]) == (exit_codes.FAILED, "Regression")
    result = plugstorm("compare", "--baseline", "tag:1.1", *news, "--json")
    assert complaints(BY_NAME["comparison"], result.out) == []
    told = msgspec.json.decode(result.out)
    assert (told["base_runs"], told["new_runs"], told["baseline"]) == (5, 5, "tag:1.1")


def test_without_a_base_nobody_can_tell(plugstorm: Plugstorm, tmp_path: Path) -> None:
    write_night(tmp_path / "runs" / "first")
    words = ("compare", "--baseline", "latest", "runs/first")
    plugstorm(*words).assert_one_line(exit_codes.INVALID, "no base yet")
    plugstorm("compare", "--baseline", "newest").assert_one_line(exit_codes.USAGE, "best-of:5")
    plugstorm("compare").assert_one_line(exit_codes.USAGE, "--baseline latest")


# -- what a CI is told -------------------------------------------------------------------------------------------------


def test_a_job_gets_a_summary_and_annotations(
    plugstorm: Plugstorm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    write_nights(tmp_path / "runs", range(1, 6), label="1.0")
    write_nights(tmp_path / "runs" / "new", range(11, 16), label="1.1", slower=1.3, day=2)
    result = plugstorm("compare", "--baseline", "latest", "--json")
    assert result.code == exit_codes.FAILED
    assert summary.read_text().startswith("before\n## ❌ Plugstorm compare: regression\n")
    msgspec.json.decode(result.out)
    commands = [line for line in result.errors if line.startswith("::error title=Regression%3A 1.6 ")]
    assert 0 < len(commands) <= MOST


def test_a_summary_that_cannot_be_written_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "no" / "folder"))
    tell_ci("text", [])
    assert "cannot be written" in capsys.readouterr().err
    full = tmp_path / "full.md"
    full.write_bytes(b"x" * 1_000_000)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(full))
    tell_ci("text", [])
    assert "is full" in capsys.readouterr().err
    assert full.stat().st_size == 1_000_000


def test_outside_of_a_ci_nothing_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    tell_ci("text", [Annotation("error", "title", "text")])
    assert capsys.readouterr().err == ""


def test_what_went_wrong_in_a_run_is_annotated(tmp_path: Path) -> None:
    cases = [
        make_case("GOOD"),
        make_case("BAD", Verdict.FAILED, reason="50 %\nwrong::x"),
        make_case("X", Verdict.XFAIL),
    ]
    suite = workflow_commands(of_run(read_run(write_interop(tmp_path / "suite", cases))))
    assert len(suite) == 1
    assert suite[0].startswith("::error title=FAILED ")
    assert "50 %25" in suite[0]
    load = write_night(tmp_path / "load", symptoms=[Symptom(word="gone", says="The CSMS is gone")])
    assert workflow_commands(of_run(read_run(load))) == ["::error title=Symptom of the CSMS::The CSMS is gone"]


def test_no_more_annotations_than_github_shows() -> None:
    many = [Annotation("error", "a: b, c", f"line {place}") for place in range(30)]
    lines = workflow_commands(many)
    assert len(lines) == MOST
    assert lines[0] == "::error title=a%3A b%2C c::line 0"
    assert "21 more" in lines[-1]
