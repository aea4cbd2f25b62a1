from __future__ import annotations

from pathlib import Path

import pytest

from evidence.sequence import Shape
from ocppj.trace import Kind
from reports.frames import COMPACT, FULL, Budget, gaps, kept_lines, view_trace
from tests.reports.report_builders import Tape, charging_tape, write_trace


def test_short_trace_is_shown_whole_and_laid_out(tmp_path: Path) -> None:
    name = write_trace(tmp_path, "a.jsonl", charging_tape())
    view = view_trace(tmp_path, name, marked=set(), detail=FULL)
    assert (view.total, len(view.frames), view.left_out, view.problem) == (12, 12, 0, "")
    start = next(frame for frame in view.frames if frame.label == "StartTransaction")
    assert start.text.splitlines()[0] == '[2, "id-3", "StartTransaction", {'


def test_long_trace_keeps_its_ends_and_what_surrounds_a_marked_line(tmp_path: Path) -> None:
    name = write_trace(tmp_path, "a.jsonl", charging_tape(frames=200))
    view = view_trace(tmp_path, name, marked={200}, detail=FULL)
    lines = [frame.line for frame in view.frames]
    assert lines == [*range(60), *range(185, 216), *range(352, 412)]
    assert [frame.line for frame in view.frames if frame.marked] == [200]
    assert view.left_out == 412 - len(lines)
    assert gaps(lines) == {185: 125, 352: 136}


def test_compact_view_of_a_long_trace_is_bounded(tmp_path: Path) -> None:
    name = write_trace(tmp_path, "a.jsonl", charging_tape(frames=500))
    view = view_trace(tmp_path, name, marked=set(), detail=COMPACT)
    assert len(view.frames) == 24
    assert all(len(frame.text) <= COMPACT.frame for frame in view.frames)


def test_huge_frame_is_cut_and_says_its_size(tmp_path: Path) -> None:
    tape = Tape()
    big = tape.frame('[2,"1","DataTransfer",{"data":"' + "A" * 1_000_000 + '"}]')
    view = view_trace(tmp_path, write_trace(tmp_path, "a.jsonl", tape), marked={big}, detail=FULL)
    frame = view.frames[0]
    assert frame.cut
    assert frame.size == 1_000_034
    assert FULL.frame < len(frame.text) < FULL.marked_frame * 1.1


def test_unreadable_frame_is_shown_as_it_came(tmp_path: Path) -> None:
    tape = Tape()
    tape.frame("hello  [ world,\n\x1b]")
    frame = view_trace(tmp_path, write_trace(tmp_path, "a.jsonl", tape), marked=set(), detail=FULL).frames[0]
    assert (frame.shape, frame.text) == (Shape.UNREADABLE, "hello  [ world,\n\\u001b]")


def test_lines_that_are_no_records_are_counted_and_keep_the_numbers(tmp_path: Path) -> None:
    name = write_trace(tmp_path, "a.jsonl", charging_tape())
    file = tmp_path / name
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([lines[0], b"not json\n", b"\xff\xfe\n", b"[" * 9000 + b"\n", *lines[1:], lines[0][:20]]))
    view = view_trace(tmp_path, name, marked=set(), detail=FULL)
    assert view.unreadable == 4
    assert [frame.line for frame in view.frames][:3] == [0, 4, 5]


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "traces/../../secret"])
def test_trace_outside_of_the_run_folder_is_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("secret")
    view = view_trace(tmp_path / "run", name, marked=set(), detail=FULL)
    assert view.problem == f"The trace {name} lies outside of the run folder."
    assert view.frames == ()


def test_link_out_of_the_run_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "run" / "a.jsonl").symlink_to(tmp_path / "secret")
    assert "outside" in view_trace(tmp_path / "run", "a.jsonl", marked=set(), detail=FULL).problem


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "This case left no trace."),
        ("traces/gone.jsonl", "The trace traces/gone.jsonl cannot be read: No such file or directory."),
        ("traces", "The trace traces cannot be read: Is a directory."),
        ("nul\x00", "The trace nul\x00 cannot be read: not a usable file name."),
    ],
)
def test_missing_trace_becomes_a_problem_and_no_exception(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "traces").mkdir()
    assert view_trace(tmp_path, name, marked=set(), detail=FULL).problem == problem


def test_trace_too_large_for_a_page_is_named_with_its_size(tmp_path: Path) -> None:
    file = tmp_path / "huge.jsonl"
    with file.open("wb") as sparse:
        sparse.truncate(200_000_000)
    view = view_trace(tmp_path, "huge.jsonl", marked=set(), detail=FULL)
    assert view.problem == "The trace huge.jsonl is too large for this page: 200 MB."


def test_bytes_that_are_no_base64_are_said_to_be_lost(tmp_path: Path) -> None:
    tape = Tape()
    tape.add(Kind.RECEIVED, data_base64="abcde")
    frame = view_trace(tmp_path, write_trace(tmp_path, "a.jsonl", tape), marked=set(), detail=FULL).frames[0]
    assert frame.text == "(the recorded bytes cannot be decoded)"


def test_budget_gives_less_and_less(tmp_path: Path) -> None:
    view = view_trace(tmp_path, write_trace(tmp_path, "a.jsonl", charging_tape(50)), marked=set(), detail=FULL)
    budget = Budget(450_000)
    seen = []
    while (detail := budget.detail(FULL)) is not None:
        seen.append(detail)
        budget.spend(view)
    assert (seen[0], seen[-1]) == (FULL, COMPACT)
    assert seen == sorted(seen, key=[FULL, COMPACT].index)


def test_kept_lines_of_nothing_are_none() -> None:
    assert kept_lines([], {3}, FULL) == []
