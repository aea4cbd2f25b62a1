from __future__ import annotations

from pathlib import Path

from rich.console import Console

from evidence.run_folder import read_run
from evidence.run_model import Claims, Coverage, InteropRun
from evidence.verdicts import Verdict
from reports.coverage import coverage_rows, sentences, unapplied, untried
from reports.coverage_text import print_coverage
from reports.html import write_report
from reports.summary import summary_markdown
from tests.reports.page_reader import page_of
from tests.reports.report_builders import make_case, write_interop

COVERAGE = [
    Coverage(
        ocpp="2.0.1", profile="Core", block="A Security", ids=8, withdrawn=[], exist=3,
        missing=["TC_A_05_CSMS"], counts={Verdict.OK: 2, Verdict.FAILED: 1},
    ),
    Coverage(
        ocpp="2.0.1", profile="Core", block="B Provisioning", ids=19, withdrawn=["TC_B_99_CSMS"], exist=2,
        missing=["TC_B_77_CSMS"], counts={Verdict.NON_STRICT: 1, Verdict.NOT_APPLICABLE: 1},
    ),
    Coverage(
        ocpp="2.0.1", profile="", block="RPC", ids=0, withdrawn=[], exist=25, missing=[], counts={Verdict.OK: 25},
    ),
]  # fmt: skip


def run_with(coverage: list[Coverage], folder: Path) -> InteropRun:
    run = read_run(write_interop(folder, [make_case("TC_A_01_CSMS", ocpp="2.0.1")]))
    assert isinstance(run, InteropRun)
    run.coverage = coverage
    return run


def test_profile_is_the_sum_of_its_blocks() -> None:
    core, security, provisioning, own, rpc = coverage_rows(COVERAGE)
    assert (core.name, core.ids, core.exist, core.passed, core.withdrawn) == ("Core", 27, 5, 3, 1)
    assert [row.name for row in (security, provisioning)] == ["A Security", "B Provisioning"]
    assert (own.name, own.exist, own.listed, rpc.name) == ("own cases", 25, False, "RPC")


def test_sentences_tell_list_existence_and_what_passed() -> None:
    assert sentences(COVERAGE) == [
        "OCPP 2.0.1 Core: 5 of 27 list ids exist, 3 passed, 1 failed, 1 not applicable (1 withdrawn, not counted)",
        "OCPP 2.0.1 own cases: 25, 25 passed",
    ]


def test_profiles_that_were_not_run_are_left_out_where_only_judged_ones_are_wanted() -> None:
    idle = Coverage(ocpp="2.0.1", profile="Reservation", block="H", ids=9, withdrawn=[], exist=1, missing=[])
    assert sentences([idle], judged=True) == []
    assert sentences([idle]) == ["OCPP 2.0.1 Reservation: 1 of 9 list ids exist"]


def test_reasons_for_not_applying_are_grouped_with_the_most_frequent_first() -> None:
    cases = [
        make_case("TC_A_01_CSMS", Verdict.NOT_APPLICABLE, reason="no TLS"),
        make_case("TC_A_02_CSMS", Verdict.NOT_APPLICABLE, reason="no driver"),
        make_case("TC_A_03_CSMS", Verdict.NOT_APPLICABLE, reason="no driver"),
        make_case("TC_A_04_CSMS", Verdict.FAILED, reason="no driver"),
    ]
    assert [(row.reason, len(row.cases)) for row in unapplied(cases)] == [("no driver", 2), ("no TLS", 1)]


def test_claimed_ids_that_a_run_left_out_are_told_by_profile(tmp_path: Path) -> None:
    idle = Coverage(ocpp="2.0.1", profile="Reservation", block="H", ids=9, withdrawn=[], exist=9, missing=[])
    claims = {"2.0.1": Claims(profiles=["Core", "Reservation"])}
    assert untried([*COVERAGE, idle], claims) == [
        "OCPP 2.0.1 Core, 22 of 27 list ids",
        "OCPP 2.0.1 Reservation, 9 of 9 list ids",
    ]
    assert untried([*COVERAGE, idle], {"2.1": Claims(profiles=["Core"])}) == []
    assert untried([*COVERAGE, idle], None) == []
    run = run_with([idle], tmp_path)
    run.features = claims
    assert (
        "Claimed, and not run OCPP 2.0.1 Reservation, 9 of 9 list ids" in page_of(write_report([(tmp_path, run)])).words
    )


def test_page_shows_list_and_own_cases_in_tables_of_their_own(tmp_path: Path) -> None:
    run = run_with(COVERAGE, tmp_path)
    words = page_of(write_report([(tmp_path, run)])).words
    head, _, tail = words.partition("Own cases, which are in no certification list")
    assert "Coverage of the certification list" in head
    assert "27 5 3" in head
    assert "RPC" in tail
    assert "OCPP 2.0.1: 2 list ids without a case TC_A_05_CSMS, TC_B_77_CSMS" in words


def test_markdown_tells_coverage(tmp_path: Path) -> None:
    assert "- OCPP 2.0.1 Core: 5 of 27 list ids exist, 3 passed" in summary_markdown(run_with(COVERAGE, tmp_path))


def test_terminal_names_ids_without_a_case() -> None:
    console = Console(width=120)
    with console.capture() as printed:
        print_coverage(COVERAGE, console)
    text = printed.get()
    assert "2.0.1: 2 list ids without a case: TC_A_05, TC_B_77" in text
    assert "1 withdrawn, not counted" in text
