from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from evidence.run_folder import RunFolder
from evidence.verdicts import Verdict
from interop_suite.catalogue import all_cases
from interop_suite.run.again import resolve_again
from interop_suite.run.plan import make_plan
from interop_suite.run.request import InteropRequest
from interop_suite.run.results import CaseOutcome, write_interop_run
from interop_suite.run.runner import not_applicable
from interop_suite.run.state import reproduce_command
from ocppj.errors import UsageError

CASES = {case.key: case for case in all_cases()}
VERDICTS = {
    "1.6-TC_001_CSMS": Verdict.OK,
    "1.6-TC_023_1_CSMS": Verdict.FAILED,
    "1.6-TC_054_CSMS": Verdict.NON_STRICT,
    "2.0.1-TC_B_01_CSMS": Verdict.INCONCLUSIVE,
    "2.0.1-RPC_01": Verdict.XPASS,
}
REQUEST = InteropRequest(
    url="ws://127.0.0.1:9000/ocpp",
    tokens={"Accepted": "04A1B2C3"},
    timeout=7.5,
    model="dc-ultra",
    strict_order=True,
    expect="expected.yaml",
    select="TC_0,TC_B,RPC_01",
    repeat=3,
)


def write(folder: Path, request: InteropRequest = REQUEST, **more: Any) -> str:
    outcomes = []
    for key, verdict in VERDICTS.items():
        result = not_applicable(CASES[key], "")
        result.verdict = verdict
        outcomes.append(CaseOutcome(result=result))
    folder.mkdir(exist_ok=True)
    secrets = frozenset([request.password] if request.password else [])
    write_interop_run(RunFolder(folder), request, outcomes, started="", driver="none", secrets=secrets, **more)
    return str(folder)


def keys_of(request: InteropRequest) -> list[str]:
    plan = make_plan(InteropRequest(url="ws://127.0.0.1:9", select=request.select), embedded=False)
    return sorted(case.key for case in plan.cases)


def test_failed_and_inconclusive_cases_are_run_again_and_no_other(tmp_path: Path) -> None:
    again = resolve_again(InteropRequest(again=write(tmp_path)))
    assert keys_of(again) == ["1.6-TC_023_1_CSMS", "2.0.1-RPC_01", "2.0.1-TC_B_01_CSMS"]


def test_options_of_the_run_are_taken_over(tmp_path: Path) -> None:
    again = resolve_again(InteropRequest(again=write(tmp_path)))
    for name in ("url", "tokens", "timeout", "model", "strict_order", "expect"):
        assert getattr(again, name) == getattr(REQUEST, name)
    assert (again.repeat, again.out, again.again) == (1, None, None)


def test_what_is_given_anew_counts(tmp_path: Path) -> None:
    again = resolve_again(InteropRequest(again=write(tmp_path), timeout=20.0, model="ac-dual-2"))
    assert (again.timeout, again.model, again.url) == (20.0, "ac-dual-2", REQUEST.url)


@pytest.mark.parametrize(
    ("selection", "keys"),
    [
        ("verdict:failed", ["1.6-TC_023_1_CSMS"]),
        ("verdict:non-strict,verdict:NON_STRICT", ["1.6-TC_054_CSMS"]),
        ("TC_0", ["1.6-TC_001_CSMS", "1.6-TC_023_1_CSMS", "1.6-TC_054_CSMS"]),
        ("TC_0,!verdict:ok", ["1.6-TC_023_1_CSMS", "1.6-TC_054_CSMS"]),
        ("TC_0,verdict:failed", ["1.6-TC_023_1_CSMS"]),
    ],
)
def test_cases_of_the_run_are_chosen_by_verdict_and_by_the_rest(
    tmp_path: Path, selection: str, keys: list[str]
) -> None:
    assert keys_of(resolve_again(InteropRequest(again=write(tmp_path), select=selection))) == keys


def test_version_narrows_what_is_run_again(tmp_path: Path) -> None:
    again = resolve_again(InteropRequest(again=write(tmp_path), ocpp=("1.6",)))
    assert keys_of(again) == ["1.6-TC_023_1_CSMS"]


def test_run_against_the_practice_csms_is_repeated_against_a_new_one(tmp_path: Path) -> None:
    embedded = InteropRequest(
        url="ws://127.0.0.1:4000", ca_file="gone.pem", driver="http", control_url="http://127.0.0.1:4001", timeout=7.5
    )
    again = resolve_again(InteropRequest(again=write(tmp_path, embedded, embedded=True)))
    assert (again.url, again.ca_file, again.driver, again.control_url) == (None, None, None, None)
    assert again.timeout == 7.5


def test_password_that_no_file_keeps_is_asked_for(tmp_path: Path) -> None:
    folder = write(tmp_path, InteropRequest(url="ws://127.0.0.1:9", password="hunter2-hunter2"))
    with pytest.raises(UsageError, match="--password was not kept, because it is secret; give it again"):
        resolve_again(InteropRequest(again=folder))
    assert resolve_again(InteropRequest(again=folder, password="another")).password == "another"


@pytest.mark.parametrize(
    ("selection", "fault"),
    [
        ("verdict:faild", "there is no such verdict; did you mean 'failed'"),
        ("verdict:xfail", "has no such case"),
        ("TC_H_01", "has no such case|matches no case"),
    ],
)
def test_selection_that_finds_nothing_is_one_line(tmp_path: Path, selection: str, fault: str) -> None:
    with pytest.raises(UsageError, match=fault) as caught:
        resolve_again(InteropRequest(again=write(tmp_path), select=selection))
    assert "\n" not in str(caught.value)


def test_verdict_without_a_run_says_how_to_name_one() -> None:
    with pytest.raises(UsageError, match="is about a run; name it with --again RUN"):
        resolve_again(InteropRequest(select="TC_0,verdict:failed"))


def test_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        resolve_again(InteropRequest(again=str(tmp_path / "nothing")))


def test_line_that_repeats_a_case_has_every_option_of_the_run() -> None:
    request = InteropRequest(
        url="ws://127.0.0.1:9000", tokens={"Accepted": "04A1"}, timeout=3.0, command_timeout=9.0, model="dc-ultra",
        strict_order=True, expect="e.yaml", features="f.yaml", select="TC_0", out="there", repeat=4,
    )  # fmt: skip
    words = shlex.split(reproduce_command(CASES["1.6-TC_001_CSMS"], request, embedded=False))
    assert words[:4] == ["plugstorm", "interop", "--select", "1.6-TC_001_CSMS"]
    for flag, value in (
        ("--token", "Accepted=04A1"), ("--timeout", "3.0"), ("--command-timeout", "9.0"), ("--model", "dc-ultra"),
        ("--expect", "e.yaml"), ("--features", "f.yaml"), ("--url", "ws://127.0.0.1:9000"),
    ):  # fmt: skip
        assert words[words.index(flag) + 1] == value
    assert "--strict-order" in words
    assert not {"--out", "--repeat", "--again"} & set(words)
