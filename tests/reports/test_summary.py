from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from evidence.run_folder import read_run
from evidence.run_model import Generator
from evidence.verdicts import RunVerdict, Verdict
from reports.summary import print_summary, write_summary
from tests.reports.report_builders import every_verdict, hostile_case, make_case, write_interop, write_load


def summary(folder: Path) -> str:
    return write_summary(folder, read_run(folder)).read_text("utf-8")


def printed(folder: Path, *, width: int = 100, terminal: bool = False) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=terminal, color_system="standard" if terminal else None)
    print_summary(read_run(folder), console)
    return out.getvalue()


@pytest.fixture(scope="module")
def interop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("interop")
    return write_interop(folder, every_verdict(folder))


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Path:
    generator = Generator(verdict="DEGRADED", reasons=["Lag is high."])
    return write_load(tmp_path_factory.mktemp("load"), seconds=10, failing=0.04, generator=generator)


def test_terminal_summary_of_an_interop_run(interop: Path) -> None:
    lines = [line.rstrip() for line in printed(interop).splitlines()]
    assert lines[0] == "Failed. This CSMS broke the specification in 1 of 10 cases."
    assert re.sub(r"\s+", " ", lines[4]) == " profile FAILED XPASS INCONCL. NON STRICT XFAIL INFO OK N/A"
    assert re.sub(r"\s+", " ", lines[6]) == " 1.6 Core 1 · · 1 · · 2 ·"
    assert lines[14].startswith("  FAILED        1.6 TC_003_CSMS  The StartTransaction response of the CSMS matches")


@pytest.mark.parametrize("width", [60, 80, 200])
def test_terminal_summary_fits_its_width(interop: Path, load: Path, width: int) -> None:
    for folder in (interop, load):
        assert max(map(len, printed(folder, width=width).splitlines())) <= width


def test_output_that_is_no_terminal_holds_no_colour_codes(interop: Path, load: Path) -> None:
    assert "\x1b" not in printed(interop) + printed(load)
    assert "\x1b[1;31m" in printed(interop, terminal=True)


def test_terminal_summary_of_a_load_run(load: Path) -> None:
    text = printed(load)
    assert "  The load generator was DEGRADED" in text
    assert re.search(r"1\.6 MeterValues +1,300 +96 % ", text)
    assert "MISSED share(timeout) < 0.1 %  (measured 0.02)" in text
    assert "load generator DEGRADED Lag is high." in text


def test_hostile_text_moves_no_terminal(tmp_path: Path) -> None:
    text = printed(write_interop(tmp_path, [hostile_case(tmp_path)]), width=300)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", text)
    assert "\\u001b[31m" in text


def test_rich_markup_of_a_stranger_is_not_obeyed(tmp_path: Path) -> None:
    case = make_case("[red]X[/red]", Verdict.FAILED, reason="[link=x]y[/link] [/]", profile="[bold]P")
    text = printed(write_interop(tmp_path, [case]))
    assert "[red]X[/red]" in text
    assert "[link=x]y[/link] [/]" in text
    assert "[bold]P" in text


def test_long_list_ends_with_how_many_are_left(tmp_path: Path) -> None:
    cases = [make_case(f"C{number}", Verdict.FAILED, reason=f"r{number}") for number in range(30)]
    folder = write_interop(tmp_path, cases)
    assert "  and 18 more in the report" in printed(folder)
    assert "… and 18 more in the report." in summary(folder)


def test_empty_runs_are_said_in_a_sentence(tmp_path: Path) -> None:
    empty = write_interop(tmp_path / "a", [])
    assert printed(empty) == "No conclusion. No case was run, so nothing is known about this CSMS.\n"
    nothing = write_load(
        tmp_path / "b", seconds=1, calls=[], slo=[], throughput={}, verdict=RunVerdict.INCONCLUSIVE, histograms=False
    )
    assert "No call was made" in printed(nothing)


def test_markdown_of_an_interop_run(interop: Path) -> None:
    lines = summary(interop).splitlines()
    assert lines[0] == "## ❌ Plugstorm interop: failed"
    assert lines[2] == "**This CSMS broke the specification in 1 of 10 cases.**"
    assert (
        "Target `ws://csms.example:9000/ocpp` · OCPP 1.6, 2.0.1 · 2026-03-02 09:00:00 UTC · 41 s · plugstorm 0.1.0"
    ) in lines
    assert "| 1.6 Core | 1 |  |  | 1 |  |  | 2 |  |" in lines
    assert any(line.startswith("| FAILED | `1.6 TC_003_CSMS` | `The StartTransaction response") for line in lines)


def test_markdown_of_a_load_run(load: Path) -> None:
    lines = summary(load).splitlines()
    assert "| ❌ | `share(timeout) < 0.1 %` | 0.02 |" in lines
    assert any(line.startswith("| 1.6 MeterValues | 1,300 | 96 % |") for line in lines)
    assert "Load generator: **DEGRADED** Lag is high." in lines


def test_every_row_of_a_markdown_table_has_as_many_cells(interop: Path, load: Path, tmp_path: Path) -> None:
    hostile = write_interop(tmp_path, [make_case("a|b", Verdict.FAILED, reason="`tick` | pipe\nline", profile="p|q")])
    for folder in (interop, load, hostile):
        tables = re.split(r"\n\n", summary(folder))
        for table in tables:
            rows = [line for line in table.splitlines() if line.startswith("|")]
            assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) <= 1


def test_markdown_of_a_stranger_is_not_obeyed(tmp_path: Path) -> None:
    reason = "@everyone <img src=x> **bold** `code` [a](b)"
    case = make_case("X", Verdict.FAILED, reason=reason, profile="*P* <b>", clause="<i>")
    text = summary(write_interop(tmp_path, [case]))
    assert f"`` {reason} ``" in text
    assert r"1.6 own cases: \*P\* \<b\>" in text
    assert r"\<i\>" in text
