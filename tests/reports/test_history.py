"""The index of runs follows the folders, the page shows them, and a baseline is chosen among them."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from evidence.run_model import RunTarget
from evidence.verdicts import RunVerdict, Verdict
from ocppj.errors import InconclusiveError, UsageError
from reports.baseline import Baseline, choose, newest, read_baseline
from reports.history import TargetHistory, history_of
from reports.history_index import HistoryIndex, Refreshed, indexed
from reports.history_page import write_history
from tests.reports.history_builders import write_night, write_nights
from tests.reports.page_reader import Page
from tests.reports.report_builders import make_case, write_interop


def refreshed(root: Path, **options: bool) -> Refreshed:
    with HistoryIndex(root) as index:
        return index.refresh(**options)


def targets(root: Path, last: int = 100) -> list[TargetHistory]:
    with HistoryIndex(root) as index:
        index.refresh()
        return history_of(index, last=last).targets


def chosen(root: Path, baseline: str, *news: Path) -> tuple[list[str], int]:
    with HistoryIndex(root) as index:
        index.refresh()
        leave = {path.relative_to(root).as_posix() for path in news if path.is_relative_to(root)}
        found = choose(index, read_baseline(baseline), [indexed(path) for path in news], leave=leave)
    return [folder.relative_to(root).as_posix() for folder in found.folders], found.tries


# -- the index ---------------------------------------------------------------------------------------------------------


def test_only_what_is_new_or_has_changed_is_read(tmp_path: Path) -> None:
    write_nights(tmp_path / "2026" / "march", [1, 2])
    assert refreshed(tmp_path) == Refreshed(read=2, kept=0, forgotten=0)
    write_night(tmp_path / "another", seed=3)
    write_night(tmp_path / "2026" / "march" / "1", seed=1, label="a longer label")
    assert refreshed(tmp_path) == Refreshed(read=2, kept=1, forgotten=0)
    shutil.rmtree(tmp_path / "another")
    assert refreshed(tmp_path) == Refreshed(read=0, kept=2, forgotten=1)
    assert refreshed(tmp_path, again=True).read == 2
    (target,) = targets(tmp_path)
    assert [run.label for run in target.runs] == ["a longer label", ""]


def test_the_index_is_made_again_from_the_folders(tmp_path: Path) -> None:
    write_nights(tmp_path, [1, 2])
    before = targets(tmp_path)
    (tmp_path / "history.sqlite").write_bytes(b"SQLite format 3\0 and then nonsense" * 100)
    assert targets(tmp_path) == before
    with sqlite3.connect(tmp_path / "history.sqlite") as database:
        database.execute("PRAGMA user_version = 99")
    assert targets(tmp_path) == before
    (tmp_path / "history.sqlite").unlink()
    assert targets(tmp_path) == before


def test_a_database_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "history.sqlite"
    with sqlite3.connect(theirs) as database:
        database.execute("CREATE TABLE theirs (one)")
    (tmp_path / "notes.txt").write_text("what somebody wrote down")
    for file in (None, tmp_path / "notes.txt"):
        with pytest.raises(UsageError, match="no index of Plugstorm"):
            HistoryIndex(tmp_path, file)
    assert (tmp_path / "notes.txt").read_text() == "what somebody wrote down"
    assert sqlite3.connect(theirs).execute("SELECT count(*) FROM theirs").fetchone() == (0,)


@pytest.mark.parametrize("tables_fit", [False, True])
def test_a_full_disk_costs_the_index_and_not_the_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, tables_fit: bool
) -> None:
    with HistoryIndex(tmp_path) as index:
        (pages,) = index._database.execute("PRAGMA page_count").fetchone()
    (tmp_path / "history.sqlite").unlink()
    write_nights(tmp_path, list(range(1, 21)))
    connect = HistoryIndex._connect

    def connect_to_little(index: HistoryIndex) -> sqlite3.Connection:
        database = connect(index)
        if index.file is not None:
            database.execute(f"PRAGMA max_page_count = {pages if tables_fit else 1}")
        return database

    monkeypatch.setattr(HistoryIndex, "_connect", connect_to_little)
    with HistoryIndex(tmp_path) as index:
        assert index.refresh().read == 20
        assert len(index.runs()) == 20
        assert index.file is None
    with (
        pytest.raises(UsageError, match="disk is full; name another file"),
        HistoryIndex(tmp_path, tmp_path / "named.sqlite") as index,
    ):
        index.refresh()


def test_an_index_moves_with_its_folder(tmp_path: Path) -> None:
    write_nights(tmp_path / "here", [1, 2])
    refreshed(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    assert refreshed(tmp_path / "there") == Refreshed(read=0, kept=2, forgotten=0)


def test_a_damaged_run_is_named_and_the_others_are_there(tmp_path: Path) -> None:
    write_night(tmp_path / "good")
    for name, text in (("torn", '{"kind": "load", "tar'), ("other", '{"kind": "load", "format": 9}'), ("empty", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(text)
    with HistoryIndex(tmp_path) as index:
        index.refresh()
        assert [one.folder for one in index.unreadable()] == ["empty", "other", "torn"]
        assert len(index.runs()) == 1


def test_runs_inside_of_runs_are_not_looked_for(tmp_path: Path) -> None:
    write_night(tmp_path / "run")
    write_night(tmp_path / "run" / "traces" / "inner")
    assert refreshed(tmp_path).read == 1


def test_a_folder_that_is_not_there_is_a_mistake_of_the_person(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no folder"):
        HistoryIndex(tmp_path / "nothing")


# -- the history -------------------------------------------------------------------------------------------------------


def test_tests_of_one_kind_are_told_apart_by_target_version_and_workload(tmp_path: Path) -> None:
    write_nights(tmp_path, [1, 2])
    write_night(tmp_path / "port", seed=3, target=RunTarget(url="ws://127.0.0.1:40999/ocpp", ocpp=["1.6"]))
    write_night(tmp_path / "v2", seed=4, target=RunTarget(url="ws://127.0.0.1:40123/ocpp", ocpp=["2.0.1"]))
    write_night(tmp_path / "more", seed=5, settings={"stations": "900", "duration": "60s"})
    write_interop(tmp_path / "suite", [make_case()])
    found = {(one.kind, one.ocpp, one.workload): len(one.runs) for one in targets(tmp_path)}
    assert found == {
        ("load", "1.6", "quick, 100 stations, 60s"): 3,
        ("load", "2.0.1", "quick, 100 stations, 60s"): 1,
        ("load", "1.6", "quick, 900 stations, 60s"): 1,
        ("interop", "1.6, 2.0.1", ""): 1,
    }


def test_every_figure_is_there_run_by_run(tmp_path: Path) -> None:
    write_nights(tmp_path, [1, 2, 3])
    (target,) = targets(tmp_path, last=2)
    assert (target.older, len(target.runs)) == (1, 2)
    heartbeat = next(action for action in target.actions if action.action == "Heartbeat")
    assert [(point.run, point.count, point.per_s) for point in heartbeat.points] == [(0, 600, 12.0), (1, 600, 12.0)]
    assert all(point.service_p50 and point.response_p99 for point in heartbeat.points)
    assert [[point.passed for point in one.points] for one in target.objectives] == [[True, True]]
    assert {kpi.name for kpi in target.kpis} >= {"CALLs per second", "Stations that booted"}


def test_cases_are_followed_over_runs_that_did_not_hold_them(tmp_path: Path) -> None:
    verdicts = [Verdict.OK, None, Verdict.FAILED]
    for day, verdict in enumerate(verdicts, 1):
        cases = [make_case("ALWAYS")] + ([make_case("X", verdict)] if verdict else [])
        write_interop(tmp_path / str(day), cases, started=f"2026-03-0{day}T02:00:00.000Z")
    (target,) = targets(tmp_path)
    assert {case.id: case.verdicts for case in target.cases} == {"ALWAYS": [Verdict.OK] * 3, "X": verdicts}
    assert (target.verdicts[Verdict.OK], target.verdicts[Verdict.FAILED]) == ([2, 1, 1], [0, 0, 1])


HOSTILE = '<script>alert(1)</script>" onload="x'


def test_the_page_shows_all_and_believes_nobody(tmp_path: Path) -> None:
    for day, verdict in enumerate((Verdict.OK, Verdict.FAILED), 1):
        write_interop(
            tmp_path / f"suite{day}",
            [make_case("CHANGED", verdict, title=HOSTILE), make_case("QUIET")],
            label=HOSTILE,
            started=f"2026-03-0{day}T02:00:00.000Z",
        )
    write_nights(tmp_path, [1, 2], label="1.4.2")
    (tmp_path / "1" / "report.html").write_text("a report")
    with HistoryIndex(tmp_path) as index:
        index.refresh()
        written = write_history(history_of(index, last=50), tmp_path / "pages" / "history.html")
    page = Page(written.read_text("utf-8"))
    assert len(page.all("script")) == 1
    assert not any("onload" in attributes for _, attributes in page.elements)
    for words in ("4 runs of 2 tests", "Heartbeat", "p99 < 500 ms", "1.6 CHANGED", "OK before", "label 1.4.2"):
        assert words in page.words, words
    assert "1.6 QUIET" not in page.words
    assert "1 case had one verdict in all these runs" in page.words
    assert [one["href"] for one in page.all("a") if one["href"].endswith("report.html")] == ["./../1/report.html"]
    # Points of the figures are read with the pointer.
    assert len(page.with_class("rect", "hover")) > 20


def test_the_page_of_nothing_says_so(tmp_path: Path) -> None:
    with HistoryIndex(tmp_path) as index:
        index.refresh()
        page = write_history(history_of(index, last=50), tmp_path / "history.html")
    assert "holds no run yet" in Page(page.read_text("utf-8")).words


# -- the baseline ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "newest", "tag:", "best-of", "best-of:0", "best-of:x", "latest:2"])
def test_another_word_for_a_baseline_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="best-of:5"):
        read_baseline(text)


def test_baselines_are_read() -> None:
    assert read_baseline("tag:a:b") == Baseline("tag", label="a:b")
    assert read_baseline("best-of:3") == Baseline("best-of", releases=3)


def test_latest_is_the_release_before(tmp_path: Path) -> None:
    write_nights(tmp_path / "one", [1, 2], label="1.0", day=1)
    write_nights(tmp_path / "two", [1, 2, 3], label="1.1", day=2)
    news = write_nights(tmp_path / "three", [1, 2], label="1.2", day=3)
    write_nights(tmp_path / "later", [1, 2], label="1.3", day=4)
    assert chosen(tmp_path, "latest", *news) == (["two/1", "two/2", "two/3"], 1)
    assert chosen(tmp_path, "tag:1.0", *news) == (["one/1", "one/2"], 1)
    with pytest.raises(InconclusiveError, match=r"the last ones are 1\.1, 1\.0"):
        chosen(tmp_path, "tag:0.9", *news)


def test_runs_without_a_label_come_in_groups_like_the_new_ones(tmp_path: Path) -> None:
    write_nights(tmp_path / "old", [1, 2, 3, 4, 5])
    news = write_nights(tmp_path / "new", [1, 2], day=2)
    assert chosen(tmp_path, "latest", *news) == (["old/4", "old/5"], 1)
    with HistoryIndex(tmp_path) as index:
        index.refresh()
        assert newest(index) == [tmp_path / "new" / "2"]


def test_the_best_of_the_last_releases_is_the_fastest(tmp_path: Path) -> None:
    for day, slower in enumerate((0.5, 1.2, 1.0, 1.3), 1):
        write_nights(tmp_path / str(day), [1, 2], label=f"1.{day}", day=day, slower=slower)
    news = write_nights(tmp_path / "new", [1, 2], label="new", day=9)
    assert chosen(tmp_path, "best-of:3", *news) == (["3/1", "3/2"], 3)
    assert chosen(tmp_path, "best-of:99", *news) == (["1/1", "1/2"], 4)


def test_runs_that_were_asked_for_otherwise_are_no_base(tmp_path: Path) -> None:
    write_night(tmp_path / "bigger", seed=1, settings={"stations": "900"})
    write_night(tmp_path / "invalid", seed=2, verdict=RunVerdict.INVALID)
    news = write_nights(tmp_path / "new", [1], day=2)
    with pytest.raises(InconclusiveError, match="2 runs differ in settings or have none"):
        chosen(tmp_path, "latest", *news)
    shutil.rmtree(tmp_path / "bigger")
    shutil.rmtree(tmp_path / "invalid")
    with pytest.raises(InconclusiveError, match="no base yet"):
        chosen(tmp_path, "latest", *news)
