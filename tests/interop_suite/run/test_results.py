from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from evidence.run_folder import RunFolder, read_run
from evidence.run_model import FIRST_VERDICT, InteropRun
from evidence.verdicts import Verdict
from fixtures.csms import practice_csms
from interop_suite.catalogue import all_cases
from interop_suite.run.plan import make_driver
from interop_suite.run.request import InteropRequest
from interop_suite.run.results import apply_expectation, outcome_of, recounted, rejudge, write_interop_run
from interop_suite.run.runner import Runner, not_applicable
from interop_suite.run.selection import Expectation
from interop_suite.run.state import csms_request
from interop_suite.run.target import target_of
from reports.headline import headline

EXPECTED = {"TC_001_CSMS": Expectation(reason="known")}


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (Verdict.FAILED, Verdict.XFAIL),
        (Verdict.OK, Verdict.XPASS),
        (Verdict.NON_STRICT, Verdict.XPASS),
        (Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE),
        (Verdict.NOT_APPLICABLE, Verdict.NOT_APPLICABLE),
    ],
)
def test_declared_failure_must_fail(seen: Verdict, verdict: Verdict) -> None:
    case = next(case for case in all_cases() if case.id == "TC_001_CSMS")
    result = msgspec.structs.replace(not_applicable(case, ""), verdict=seen)
    assert apply_expectation(result, EXPECTED).verdict is verdict
    assert apply_expectation(result, {}).verdict is seen


def run_cases(folder: RunFolder, *names: str, defects: tuple[str, ...] = ()) -> InteropRun:
    cases = [case for case in all_cases() if case.id in names and case.ocpp == "1.6"]
    with practice_csms(defects=defects, tls_port=0) as csms, csms_request(csms, InteropRequest(timeout=5)) as request:
        runner = Runner(target_of(request), make_driver(request), folder.traces)
        outcomes = [outcome_of(runner.attempt(case)) for case in cases]
        return write_interop_run(folder, request, outcomes, started="2026-01-01T00:00:00Z", driver="http")


def test_run_is_judged_again_from_its_traces_alone(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", "interop")
    first = run_cases(folder, "TC_001_CSMS", "TC_023_1_CSMS", defects=("unknown-tag-authorized",))
    assert first.counts[Verdict.FAILED] == 1
    document = folder.run_json.read_bytes()
    folder.run_json.write_bytes(document.replace(b'"FAILED"', b'"OK"'))
    again = rejudge(folder.path)
    assert [case.verdict for case in again.cases] == [case.verdict for case in first.cases]
    assert again.counts == first.counts
    assert read_run(folder.path) == again
    changed = [case for case in again.cases if FIRST_VERDICT in case.observations]
    assert [(case.observations[FIRST_VERDICT], case.verdict) for case in changed] == [("OK", Verdict.FAILED)]
    assert f"{changed[0].id} (first OK, now FAILED)" in " ".join(headline(again).remarks)
    assert rejudge(folder.path) == again


def test_coverage_of_a_run_that_was_cut_counts_the_cases_that_came_last(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", "interop")
    whole = run_cases(folder, "TC_001_CSMS", "TC_023_1_CSMS")
    first, last = whole.cases
    folder.save_run(msgspec.structs.replace(whole, cases=[first], coverage=[], complete=False))
    cut = read_run(folder.path)
    assert isinstance(cut, InteropRun)
    assert recounted(cut).coverage == []
    folder.save_run(msgspec.structs.replace(whole, cases=[first], complete=False))
    folder.keep_case(last)
    cut = read_run(folder.path)
    assert isinstance(cut, InteropRun)
    assert recounted(msgspec.structs.replace(cut, cases=[first])).coverage != whole.coverage
    assert recounted(cut).coverage == whole.coverage


def test_password_is_in_no_file_of_a_run(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", "interop")
    cases = [case for case in all_cases() if case.id == "TC_073_CSMS"]
    password = "00112233445566778899aabbccddeeff00112233"
    with (
        practice_csms(tls_port=0) as csms,
        csms_request(csms, InteropRequest(timeout=5, password=password)) as request,
    ):
        runner = Runner(target_of(request), make_driver(request), folder.traces, secrets=frozenset({password}))
        outcomes = [outcome_of(runner.attempt(case)) for case in cases]
        run = write_interop_run(folder, request, outcomes, started="", driver="http", secrets=frozenset({password}))
    assert run.cases[0].verdict is Verdict.OK
    assert password not in msgspec.json.encode(run).decode()
    for path in folder.path.rglob("*"):
        if path.is_file():
            content = path.read_text()
            assert password not in content
            assert '"AuthorizationKey\\",\\"value\\":\\"(redacted)' in content or "ChangeConfiguration" not in content


def test_report_says_how_to_repeat_a_case(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", "interop")
    run = run_cases(folder, "TC_001_CSMS")
    assert run.cases[0].reproduce == "plugstorm interop --select 1.6-TC_001_CSMS"


def test_finished_run_is_what_run_json_says_and_needs_no_trace_read_again(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", "interop")
    with practice_csms(tls_port=0) as csms, csms_request(csms, InteropRequest(timeout=5)) as request:
        runner = Runner(target_of(request), make_driver(request), folder.traces)
        outcomes = [outcome_of(runner.attempt(case)) for case in all_cases() if case.key == "1.6-TC_001_CSMS"]
    shutil.rmtree(folder.traces)
    run = write_interop_run(folder, request, outcomes, started="2026-01-01T00:00:00Z", driver="http")
    assert run == read_run(folder.path)
    assert run.latency_ms["Heartbeat"].count == run.cases[0].latency_ms["Heartbeat"].count > 0
