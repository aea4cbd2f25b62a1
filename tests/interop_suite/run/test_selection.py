from __future__ import annotations

import re
from pathlib import Path

import pytest

from drivers.base import NoDriver
from interop_suite.catalogue import all_cases
from interop_suite.run.plan import make_driver
from interop_suite.run.request import InteropRequest
from interop_suite.run.selection import load_expectations, select
from interop_suite.run.target import target_of
from ocppj.errors import UsageError


def ids(expression: str | None, *versions: str) -> set[str]:
    return {case.id for case in select(all_cases(), expression, versions)}


def test_no_expression_selects_every_case_of_the_versions() -> None:
    assert len(select(all_cases(), None, [])) == len(all_cases())
    assert {case.ocpp for case in select(all_cases(), None, ["1.6"])} == {"1.6"}


def test_cases_are_selected_by_id_prefix_block_profile_and_key() -> None:
    assert ids("TC_001_CSMS") == ids("tc_001") == ids("1.6-TC_001_CSMS") == {"TC_001_CSMS"}
    assert ids("TC_023") == {"TC_023_1_CSMS", "TC_023_2_CSMS", "TC_023_3_CSMS"}
    assert "TC_046_CSMS" in ids("block:reservation")
    assert "TC_056_CSMS" in ids("profile:smart-charging")


def test_terms_add_up_and_exclamation_marks_take_away() -> None:
    chosen = ids("block:reservation,TC_001,!TC_047", "1.6")
    assert {"TC_001_CSMS", "TC_046_CSMS"} <= chosen
    assert "TC_047_CSMS" not in chosen
    assert "TC_001_CSMS" not in ids("!TC_001")


def test_term_that_matches_nothing_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'TC_001_CSMS'"):
        ids("TCx001_CSMS")


@pytest.mark.parametrize(
    ("term", "words"),
    [
        ("verdict:failed", "name it with --again RUN"),
        ("!", "matches no case"),
        (",", "names no case"),
        ("title:", "matches no case"),
        ("ocpp:9", "known are 1.6, 2.0.1, 2.1"),
        ("(", "matches no case"),
        ("zzzz", "see plugstorm interop --list"),
        ("level:foo", "known are behaviour, recommended, required"),
        ("level:requred", "did you mean 'required'"),
        ("a\nb", "matches no case"),
        ("title:nothing is called so", "see plugstorm interop --list"),
    ],
)
def test_wrong_term_is_one_short_sentence(term: str, words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)) as caught:
        ids(term)
    assert len(str(caught.value)) < 120


def test_cases_are_selected_by_words_of_their_title() -> None:
    assert "PAY_09" in ids("title:deep nesting")


def test_unknown_version_is_an_error_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match=r"--ocpp 1\.7 is not known; did you mean '1\.6'"):
        select(all_cases(), None, ["1.7"])


def test_target_must_be_a_websocket_url() -> None:
    with pytest.raises(UsageError, match="ws://example"):
        target_of(InteropRequest(url="http://example"))
    with pytest.raises(UsageError, match="--timeout -1 must be above 0"):
        target_of(InteropRequest(url="ws://example", timeout=-1))


def test_without_a_control_address_there_is_no_driver() -> None:
    assert isinstance(make_driver(InteropRequest()), NoDriver)


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "expect.yaml"
    path.write_text(text)
    return str(path)


def test_expectations_are_read_by_id(tmp_path: Path) -> None:
    path = write(tmp_path, "TC_001_CSMS: {reason: not yet}\n1.6-TC_003_CSMS:\n  reason: known\n")
    assert load_expectations(path, all_cases())["TC_001_CSMS"].reason == "not yet"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("TC_999_CSMS: {reason: x}", "expect.yaml:1: TC_999_CSMS: TC_999_CSMS is not a case; did you mean 'TC_"),
        ("TC_001_CSMS: {}", "expect.yaml:1: TC_001_CSMS: expected the key 'reason', but it is missing"),
        (
            "TC_001_CSMS: {reason: x, raeson: y}",
            "TC_001_CSMS.raeson: the key 'raeson' is unknown; did you",
        ),
        ("a: [", "expect.yaml:1: expected YAML"),
        ("- 1", "expect.yaml:1: expected a mapping, but it is a list"),
    ],
)
def test_bad_expectations_are_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        load_expectations(write(tmp_path, text), all_cases())
    assert "\n" not in str(caught.value)


def test_missing_expectations_file_is_named() -> None:
    with pytest.raises(UsageError, match=r"nowhere\.yaml: the file of expectations cannot be read"):
        load_expectations("nowhere.yaml", all_cases())
