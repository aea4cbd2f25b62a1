"""A whole interop run for the command line: prepared, driven by pytest, shown as it goes, written down."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evidence import exit_codes
from evidence.disk import disk_error
from evidence.run_model import CaseResult, Coverage, InteropRun
from evidence.verdicts import Verdict
from interop_suite import pytest_hooks
from interop_suite.catalogue import all_cases
from interop_suite.claims.certification import place
from interop_suite.run.coverage import coverage_of
from interop_suite.run.presentation import explain
from interop_suite.run.recorded import cases_of
from interop_suite.run.request import InteropRequest
from interop_suite.run.results import CaseOutcome, describe_case, shown_result
from interop_suite.run.runner import not_applicable
from interop_suite.run.selection import select
from interop_suite.run.state import State
from interop_suite.run.target_check import (
    BootRefusedError,
    ClosedAtOnceError,
    MisnamedVersionError,
    NobodyAnswersError,
    SubprotocolError,
    check_target,
    names_one_of,
)
from ocppj.errors import HarnessError, UsageError
from ocppj.versions import Version

__all__ = ["FinishedRun", "list_cases", "list_coverage", "run_interop"]

HERE = Path(__file__).parent
FIRST_GUESS = 5
"""Cases that must have ended before a time is guessed."""
MINUTES_FROM = 100
"""Seconds from which a guess is given in minutes."""
IDENTITIES_OF_A_CASE = 2
"""A station and a bystander."""

_MARKS = {
    Verdict.OK: "ok  ",
    Verdict.NON_STRICT: "soft",
    Verdict.INFORMATIONAL: "info",
    Verdict.FAILED: "FAIL",
    Verdict.NOT_APPLICABLE: "n/a ",
    Verdict.INCONCLUSIVE: "????",
    Verdict.XFAIL: "xfai",
    Verdict.XPASS: "XPAS",
}


def list_cases(request: InteropRequest) -> list[dict[str, str]]:
    """Describe the selected cases by version and number; raises `UsageError` for a selection that matches nothing."""
    chosen = select(cases_of(request.recorded), request.select, request.ocpp)
    return [describe_case(case) for case in sorted(chosen, key=lambda case: place(case.ocpp, case.id))]


def list_coverage(request: InteropRequest) -> list[Coverage]:
    """Count by profile and block how much of the certification list the suite holds."""
    versions = tuple(map(Version, request.ocpp)) or tuple(Version)
    return coverage_of(all_cases(), versions=versions)


class FinishedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that was written down, as it was written."""

    folder: Path
    run: InteropRun
    exit_code: int


def run_interop(request: InteropRequest, *, jobs: int, write: Callable[[str], None] = print) -> FinishedRun:
    """Run the selected cases; raises `UsageError` and `TargetUnreachableError` before anything is sent."""
    state = State.start(request)
    with state.stack:
        try:
            _leave_out_unspoken_versions(state)
        except HarnessError:
            state.folder.discard_if_empty()
            raise
        arguments = [
            str(HERE / "test_interop.py"),
            f"--rootdir={HERE.parent}",
            # The settings of a project around this environment are not meant for us.
            "-c",
            os.devnull,
            "--import-mode=importlib",
            # Nor are the plugins in it: each job would load them, which takes longer than many a case.
            "--disable-plugin-autoload",
            *("-p", "xdist", "-p", "allure_pytest"),
            "-p",
            "no:terminal",
            "--assert=plain",
            "-p",
            "no:cacheprovider",
            f"--alluredir={state.folder.allure}",
        ]
        total = len(state.cases) * state.request.repeat
        jobs = _possible_jobs(state, jobs, write)
        if jobs > 1 and total > 1:
            # Cases that wait for a silence take a hundred times as long as others: whoever is free takes the next one.
            arguments += ["-n", str(min(jobs, total)), "--maxschedchunk=1"]
        progress = _Progress(total, write)
        code = pytest.main(arguments, [_Prepared(state), progress])
        if progress.disk is not None:
            file, reason = progress.disk
            raise UsageError(f"{file or state.folder.path} cannot be written: {reason}")
        if code == pytest.ExitCode.INTERRUPTED:
            code = exit_codes.INTERRUPTED
        if state.run is None:
            raise HarnessError(f"pytest ended before {state.folder.run_json} was written; see its lines above")
        return FinishedRun(folder=state.folder.path, run=state.run, exit_code=int(code))


def _possible_jobs(state: State, jobs: int, write: Callable[[str], None]) -> int:
    """Bound the jobs: a person does one thing at a time, and no two cases may use one identity at the same time."""
    if state.driver.serial:
        return 1
    identities = len(state.request.identities)
    most = max(1, identities // IDENTITIES_OF_A_CASE) if identities else jobs
    if most < jobs:
        write(f"{identities} identities are enough for --jobs {most}; a case may need {IDENTITIES_OF_A_CASE}")
    return min(jobs, most)


def _leave_out_unspoken_versions(state: State) -> None:
    """Try each version once; what was not asked for by name and is not spoken is not applicable."""
    refusals: dict[Version, SubprotocolError | NobodyAnswersError] = {}
    versions = sorted({case.ocpp for case in state.cases})
    for version in versions:
        try:
            check_target(state.plan.target, state.driver, version)
        except (SubprotocolError, NobodyAnswersError) as error:
            refusals[version] = error
    if len(refusals) == len(versions) and all(isinstance(error, ClosedAtOnceError) for error in refusals.values()):
        # Whoever ends every connection may mind the station and not the version: the cases will tell.
        return
    asked_for = {*state.request.ocpp, *map(str, state.plan.features or ())}
    # What a CSMS is said to speak and refuses to speak is for the cases to tell.
    refusals = {v: e for v, e in refusals.items() if not (isinstance(e, BootRefusedError) and str(v) in asked_for)}
    kept = _misnamed(state, refusals, asked_for)
    refusals = {v: e for v, e in refusals.items() if v not in kept}
    if not refusals:
        return
    plain = [error for version, error in refusals.items() if str(version) in asked_for]
    if plain or len(refusals) == len(versions):
        raise next(iter(plain or refusals.values()))
    for case in state.cases:
        if case.ocpp in refusals:
            result = not_applicable(case, f"this CSMS does not speak OCPP {case.ocpp}")
            state.collect(CaseOutcome(result=result))
    state.cases = [case for case in state.cases if case.ocpp not in refusals]


def _misnamed(state: State, refusals: Mapping[Version, HarnessError], asked_for: Collection[str]) -> set[Version]:
    """Find the versions that the CSMS speaks and does not name as it should, which is for the cases to tell.

    Who names other versions, and serves this one without a name, does not speak it: it forgot to close the connection.
    """
    wrong = {v: e for v, e in refusals.items() if isinstance(e, MisnamedVersionError)}
    named = {v for v, e in wrong.items() if not e.served and (str(v) in asked_for or len(refusals) == len(Version))}
    unnamed = wrong.keys() - {v for v, e in wrong.items() if not e.served}
    if unnamed and not names_one_of(state.plan.target, state.driver, (v for v in Version if v not in unnamed)):
        named |= unnamed
    return named


class _Prepared:
    """Hands the prepared state to the plugin."""

    def __init__(self, state: State) -> None:
        self._state = state

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[pytest_hooks.state_key] = self._state


class _Progress:
    """One line a finished case, and the whole story of each that needs attention."""

    def __init__(self, total: int, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._write = write
        self._done = 0
        self._clock = clock
        self._began = clock()
        self._session: pytest.Session | None = None
        self.disk: tuple[str | None, str] | None = None
        """The file that could not be written and the reason, once the disk took no more."""

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self._session = session

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and self._is_disk(str(report.longrepr)):
            return
        if report.when != "call":
            if report.failed:
                self._write(str(report.longrepr))
            return
        for outcome in pytest_hooks.outcomes_in(report):
            self._show(shown_result(outcome))

    def _show(self, result: CaseResult) -> None:
        self._done += 1
        width = len(str(self._total))
        place = f"[{self._done:{width}}/{self._total}{self._left()}]"
        line = f"{place} {_MARKS[result.verdict]} {result.ocpp} {result.id}  {result.title}"
        if result.verdict in (Verdict.FAILED, Verdict.XPASS, Verdict.INCONCLUSIVE):
            line += "\n" + explain(result)
        elif result.verdict is not Verdict.OK:
            line += f"  ({result.reason})"
        self._write(line)

    def _left(self) -> str:
        """Guess the time that is left, from the cases so far; the first few say nothing."""
        if self._done < FIRST_GUESS or self._done >= self._total:
            return ""
        seconds = (self._clock() - self._began) / self._done * (self._total - self._done)
        return f", {seconds / 60:.0f} min left" if seconds >= MINUTES_FROM else f", {seconds:.0f} s left"

    def _is_disk(self, problem: BaseException | str) -> bool:
        found = disk_error(problem)
        self.disk = self.disk or found
        if found is not None and self._session is not None:
            self._session.shouldstop = "the disk takes no more"
        return found is not None

    def pytest_internalerror(self, excrepr: Any, excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
        # A worker's error comes as text, and once a disk is full one error follows from another.
        if self.disk is None and not self._is_disk(excinfo.value) and not self._is_disk(str(excrepr)):
            with contextlib.suppress(OSError):
                sys.stderr.write(f"{excrepr}\n")
        # True keeps pytest from printing it once more.
        return True
