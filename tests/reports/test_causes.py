from __future__ import annotations

from pathlib import Path

from evidence.run_folder import read_run
from evidence.verdicts import Verdict
from reports.causes import causes
from reports.html import write_report
from reports.summary import summary_markdown
from tests.reports.page_reader import page_of
from tests.reports.report_builders import make_case, write_interop


def test_equal_reasons_are_one_row_and_the_worst_comes_first() -> None:
    cases = [
        make_case("A", Verdict.NON_STRICT, reason="soft"),
        make_case("B", Verdict.INCONCLUSIVE, reason="PS0A1B2C00010002 could not connect (TCP)"),
        make_case("C", Verdict.INCONCLUSIVE, reason="PS0A1B2C00010007 could not connect (TCP)"),
        make_case("D", Verdict.FAILED, reason="once"),
        make_case("E", Verdict.FAILED, reason="twice"),
        make_case("F", Verdict.FAILED, reason="twice"),
        make_case("G", Verdict.OK, reason="twice"),
    ]
    found = causes(cases)
    assert [(cause.verdict, cause.reason, [case.id for case in cause.cases]) for cause in found] == [
        (Verdict.FAILED, "twice", ["E", "F"]),
        (Verdict.FAILED, "once", ["D"]),
        (Verdict.INCONCLUSIVE, "the station could not connect (TCP)", ["B", "C"]),
        (Verdict.NON_STRICT, "soft", ["A"]),
    ]
    assert found[0].names(1) == "1.6 E and 1 more"


def test_clause_of_a_rule_that_was_broken_on_the_way_is_told_beside_the_reason() -> None:
    rule = {"verdict": "FAILED", "claim": "a", "actual": "b", "clause": "OCPP 2.x Part 2 K01", "frame": 3}
    case = make_case("A", Verdict.FAILED, reason="expected that a, but b (OCPP 2.x Part 2 K01)", findings=[rule])
    (found,) = causes([case])
    assert (found.reason, found.clauses) == ("expected that a, but b", ("OCPP 2.x Part 2 K01",))


def test_one_cause_of_thirty_cases_is_one_row_of_summary_and_page(tmp_path: Path) -> None:
    folder = write_interop(
        tmp_path, [make_case(f"C{number}", Verdict.FAILED, reason="the same cause") for number in range(50)]
    )
    rows = [line for line in summary_markdown(read_run(folder)).splitlines() if "the same cause" in line]
    assert len(rows) == 1
    assert "1.6 C5 and 44 more" in rows[0]
    words = page_of(write_report([(folder, read_run(folder))])).words
    assert "the same cause (1.6 §4.2) 50 cases: 1.6 C0 , 1.6 C1" in words
    assert "and 10 more" in words
