"""The practice CSMS with one freedom taken that the texts leave, for tests that nobody is FAILED for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from evidence.run_model import CaseResult
from evidence.verdicts import Verdict
from fixtures.csms import ThreadCsms, practice_csms
from fixtures.csms.defects.common import V2X
from fixtures.csms.defects.model import Defect
from interop_suite.catalogue import all_cases
from interop_suite.run.plan import make_driver
from interop_suite.run.request import InteropRequest
from interop_suite.run.runner import Runner
from interop_suite.run.state import csms_request
from interop_suite.run.target import target_of

__all__ = ["LawfulCsms", "freedom", "lawful_csms"]


def freedom(id: str) -> Defect:  # noqa: A002  # the field's own word
    """Make an empty change of the CSMS, to be given hooks."""
    return Defect(id, title="Does what the texts leave open.", breaks="Nothing.", versions=V2X)


class LawfulCsms:
    """Runs cases while a freedom is taken."""

    def __init__(self, csms: ThreadCsms, runner: Runner) -> None:
        self.csms = csms
        self.runner = runner

    def results(self, taken: Iterable[Defect], *ids: str) -> dict[str, CaseResult]:
        """Run the cases of every version of 2.x, and give their results by key."""
        self.csms.do(lambda practice: practice.hooks.activate(taken))
        try:
            cases = [case for case in all_cases() if case.id in ids and case.ocpp in V2X]
            return {case.key: self.runner.run(case) for case in cases}
        finally:
            self.csms.do(lambda practice: practice.hooks.activate(()))

    def verdicts(self, taken: Defect, *ids: str) -> dict[str, Verdict]:
        """Run the cases, and give those that are not simply OK, with their verdicts."""
        return {
            key: result.verdict
            for key, result in self.results([taken], *ids).items()
            if result.verdict is not Verdict.OK
        }


@contextmanager
def lawful_csms() -> Iterator[LawfulCsms]:
    """Start a strict practice CSMS with its driver."""
    with (
        practice_csms(tls_port=0, call_timeout=2) as csms,
        csms_request(csms, InteropRequest(timeout=2)) as request,
    ):
        driver = make_driver(request)
        try:
            yield LawfulCsms(csms, Runner(target_of(request), driver, None, introspection=csms))
        finally:
            driver.close()
