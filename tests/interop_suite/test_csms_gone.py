"""A CSMS that dies or hangs in the middle of a run ends it, and the case that did it is named."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from evidence import exit_codes
from evidence.verdicts import RunVerdict, Verdict
from interop_suite.catalogue import all_cases
from interop_suite.drive.offer import Handshake
from interop_suite.main import FinishedRun, run_interop
from interop_suite.run.request import InteropRequest
from interop_suite.run.results import CaseOutcome, name_the_culprit, rejudge
from interop_suite.run.runner import not_applicable
from interop_suite.run.vital_signs import Loss, Suspicion, absence
from tests.interop_suite.mortal_csms import mortal_csms

pytestmark = pytest.mark.waits


def run(url: str, select: str, out: Path, jobs: int = 1) -> FinishedRun:
    request = InteropRequest(url=url, ocpp=("1.6",), select=select, out=str(out), timeout=1)
    return run_interop(request, jobs=jobs, write=lambda _: None)


@pytest.mark.parametrize("jobs", [1, 2])
def test_case_that_ends_the_csms_is_named_and_ends_the_run(jobs: int, tmp_path: Path) -> None:
    with mortal_csms("dies") as url:
        finished = run(url, "PAY_09,TC_001,TC_003,RPC_13", tmp_path / "run", jobs)
    assert finished.exit_code == exit_codes.UNREACHABLE
    cases = {case.id: case for case in finished.run.cases}
    # What may end a CSMS runs last, so that every other case was judged.
    assert jobs > 1 or set(cases) == {"TC_001_CSMS", "TC_003_CSMS", "RPC_13", "PAY_09"}
    assert cases["PAY_09"].verdict is Verdict.FAILED
    assert "gone since case 1.6 PAY_09: its process no longer accepts connections" in cases["PAY_09"].reason
    assert cases["TC_001_CSMS"].verdict is Verdict.OK
    assert finished.run.stopped_early.startswith("The CSMS is gone since case 1.6 PAY_09: its process")
    assert (finished.run.verdict, finished.run.planned) == (RunVerdict.FAILED, 4)
    assert rejudge(tmp_path / "run").counts == finished.run.counts


@pytest.mark.parametrize(
    ("way", "words"),
    [("dies", "no longer accepts connections"), ("hangs", "accepts connections and answers no opening request")],
)
def test_what_comes_after_the_end_is_not_run_and_not_judged(way: str, words: str, tmp_path: Path) -> None:
    with mortal_csms(way, "DiagnosticsStatusNotification") as url:
        finished = run(url, "TC_001,PAY_DiagnosticsStatusNotification_missing,RPC_12,PAY_09", tmp_path / "run")
    assert finished.exit_code == exit_codes.UNREACHABLE
    judged = {case.id: case.verdict for case in finished.run.cases}
    assert judged == {"TC_001_CSMS": Verdict.OK, "PAY_DiagnosticsStatusNotification_missing": Verdict.FAILED}
    assert words in finished.run.stopped_early
    assert finished.run.planned == 4


def losses(**suspicions: Suspicion) -> dict[str, CaseOutcome]:
    one = next(case for case in all_cases() if case.key == "1.6-TC_001_CSMS")
    return {
        f"1.6-{name}": CaseOutcome(
            result=msgspec.structs.replace(not_applicable(one, "fine"), id=name, verdict=Verdict.OK),
            loss=Loss(seen="it was seen", suspicion=suspicion),
        )
        for name, suspicion in suspicions.items()
    }


def test_likeliest_of_several_cases_is_blamed_alone() -> None:
    told, sentence = name_the_culprit(losses(A=Suspicion.BEFORE, B=Suspicion.DANGEROUS, C=Suspicion.DURING))
    assert {key: outcome.result.verdict for key, outcome in told.items()} == {
        "1.6-A": Verdict.OK,
        "1.6-B": Verdict.FAILED,
        "1.6-C": Verdict.OK,
    }
    assert sentence == "The CSMS is gone since case 1.6 B: it was seen."


def test_nobody_is_blamed_where_it_cannot_be_known() -> None:
    told, sentence = name_the_culprit(losses(A=Suspicion.DURING, B=Suspicion.DURING))
    assert {outcome.result.verdict for outcome in told.values()} == {Verdict.INCONCLUSIVE}
    assert "--jobs 1" in told["1.6-A"].result.reason
    assert sentence == "The CSMS is gone since case 1.6 A or 1.6 B: it was seen."
    assert name_the_culprit(losses(A=Suspicion.NONE))[1] == "The CSMS is gone: it was seen."


@pytest.mark.parametrize(
    ("answers", "gone"),
    [
        ([Handshake(error="TCP: Connection refused", unreachable=True)], True),
        ([Handshake(error="TCP: Connection refused", unreachable=True), Handshake(status=401)], False),
        ([Handshake(error="no HTTP answer within the time-out")], True),
        ([Handshake(status=503)], True),
        ([Handshake(status=404)], False),
        ([Handshake(error="TLS: certificate verify failed")], False),
    ],
)
def test_csms_is_gone_only_when_no_fresh_connection_gets_an_answer(answers: list[Handshake], *, gone: bool) -> None:
    now, left = [0.0], list(answers)

    def wait(seconds: float) -> None:
        now[0] += seconds

    seen = absence(lambda: left.pop(0) if len(left) > 1 else left[0], clock=lambda: now[0], wait=wait)
    assert (seen is not None) is gone
