from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from evidence.run_folder import read_run
from evidence.run_model import LoadRun
from evidence.verdicts import RunVerdict
from ocppj.errors import UsageError
from reports.headline import headline
from reports.junit import junit_xml
from reports.ledger_view import view_ledger
from reports.summary import summary_markdown
from tests.reports.report_builders import page_text, write_load

COUNTS = {"lost": 2, "duplicated": 0, "wrong-time": 1, "open": 3, "phantom": None}
LEDGER: dict[str, Any] = {
    "says": ["2 lost of 1,234 transactions; none duplicated, crossed or wrong.", "Besides: 3 still open."],
    "failed": True,
    "source": "http://127.0.0.1:9001",
    "no_records": "",
    "transactions": 1240,
    "judged": 1234,
    "counts": COUNTS,
    "examples": {
        "lost": [{"station": "CP<1>", "transaction": 17, "token": "A", "says": "The transaction is <b>gone</b>."}]
    },
}
KPIS: dict[str, Any] = {
    "says": ["Charging success 99 %: 99 of 100 attempts."],
    "charging": {"attempts": 100, "succeeded": 99, "share": 0.99, "failed": {"start unanswered": 1}},
    "authorize_to_start_s": {"count": 99.0, "p50": 0.2, "p95": 1.5, "p99": 2.5, "max": 3.0},
    "remote_start": {"accepted": 4, "succeeded": 3, "to_start_s": {}},
    "sessions": {"started": 99, "ended": 98, "refused": 1},
    "energy_kwh": 512.5,
    "timeline": [{"t": t * 5.0, "attempts": 20.0, "succeeded": 19.0} for t in range(5)],
}


def load(folder: Path, **fields: Any) -> LoadRun:
    run = read_run(
        write_load(folder, **{"ledger": LEDGER, "kpis": KPIS, "verdict": RunVerdict.FAILED, "slo": [], **fields})
    )
    assert isinstance(run, LoadRun)
    return run


def test_the_page_says_how_many_are_lost_and_which(tmp_path: Path) -> None:
    load(tmp_path)
    page = page_text(tmp_path)
    for text in (
        "Ledger: 2 lost of 1,234 transactions",
        "<b>2 lost</b>",
        "This alone fails the run.",
        "CP&lt;1&gt;",
        "&lt;b&gt;gone&lt;/b&gt;",
        "not known",
        "What drivers would notice",
        "1.5 s (p95)",
        "99 of 100 attempts, 1 start unanswered",
        "Charging attempts",
        "512.5 kWh",
    ):
        assert text in page, text
    assert "<b>gone</b>" not in page


def test_classes_without_a_finding_fold_away_and_the_others_do_not(tmp_path: Path) -> None:
    load(tmp_path)
    page = page_text(tmp_path)
    shown, _, folded = page.partition("1 class with 0 found</summary>")
    rows = [f'<th scope="row">{name}</th>' for name in ("wrong-time", "open", "phantom", "duplicated")]
    assert [row in shown for row in rows] == [True, True, True, False]
    assert rows[3] in folded.partition("</details>")[0]


def test_a_failed_ledger_is_in_the_headline_the_summary_and_junit(tmp_path: Path) -> None:
    run = load(tmp_path)
    assert "did not record every transaction correctly" in headline(run).sentence
    summary = summary_markdown(run)
    assert "Ledger: 2 lost of 1,234 transactions" in summary
    assert "Charging success 99 %" in summary
    case = ET.fromstring(junit_xml(run)).find(".//testcase[@classname='load.ledger']")
    assert case is not None
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == LEDGER["says"][0]
    assert "CP<1> 17: The transaction is <b>gone</b>." in (failure.text or "")


def test_a_ledger_of_an_invalid_run_does_not_say_that_it_fails_it(tmp_path: Path) -> None:
    run = load(tmp_path, verdict=RunVerdict.INVALID)
    assert any("does not depend on" in remark for remark in headline(run).remarks)
    assert not any("fails the run" in remark for remark in headline(run).remarks)


@pytest.mark.parametrize(("no_records", "element"), [("nobody was asked", "skipped"), ("", None)])
def test_a_ledger_that_could_not_be_held_against_records_is_skipped_and_not_passed(
    tmp_path: Path, no_records: str, element: str | None
) -> None:
    run = load(tmp_path, ledger={**LEDGER, "failed": False, "no_records": no_records}, verdict=RunVerdict.PASSED)
    case = ET.fromstring(junit_xml(run)).find(".//testcase[@classname='load.ledger']")
    assert case is not None
    assert [child.tag for child in case if child.tag != "system-out"] == ([element] if element else [])


def test_a_run_that_says_nothing_of_transactions_shows_nothing(tmp_path: Path) -> None:
    run = load(tmp_path, ledger={}, kpis={}, verdict=RunVerdict.PASSED)
    assert view_ledger(run) is None
    page = page_text(tmp_path)
    assert "Ledger" not in page
    assert "load.ledger" not in junit_xml(run)


@pytest.mark.parametrize(
    ("ledger", "kpis"),
    [
        ({"says": ["Short."]}, {"charging": {}, "timeline": [{"t": 1.0}]}),
        (
            {"counts": {"lost": None, "stolen": 3}, "examples": {"lost": [{}, {"says": 4}]}},
            {"charging": {"attempts": 1}},
        ),
        ({"judged": 0, "counts": {"lost": 0}}, {"authorize_to_start_s": {"p50": 1.0}, "energy_kwh": 0.0}),
    ],
)
def test_fields_that_are_missing_break_no_page(tmp_path: Path, ledger: dict[str, Any], kpis: dict[str, Any]) -> None:
    run = load(tmp_path, ledger=ledger, kpis=kpis, verdict=RunVerdict.PASSED)
    assert page_text(tmp_path)
    assert junit_xml(run)
    assert summary_markdown(run)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"ledger": {"says": 5}}, r"\$\.ledger\.says"),
        ({"ledger": {"counts": {"lost": "many"}}}, r"\$\.ledger\.counts"),
        ({"kpis": {"charging": []}}, r"\$\.kpis\.charging"),
    ],
)
def test_a_field_of_another_type_is_an_error_that_names_it(tmp_path: Path, fields: dict[str, Any], path: str) -> None:
    with pytest.raises(UsageError, match=path):
        load(tmp_path, **fields)
