"""An interop run in pytest: one test a case, verdicts as outcomes, results and traces into the run folder."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import msgspec
import pytest

from evidence import exit_codes
from evidence.disk import disk_error
from evidence.verdicts import EXIT_CODES
from interop_suite.catalogue import Case
from interop_suite.run.again import resolve_again
from interop_suite.run.presentation import CouldNotBeJudgedError, attach, raise_outcome
from interop_suite.run.request import FIELDS, WORKER_INPUT, InteropRequest, from_options
from interop_suite.run.results import CaseOutcome, shown_result
from interop_suite.run.solo import turn
from interop_suite.run.state import State
from ocppj.errors import HarnessError

__all__ = ["outcomes_in", "request_of", "state_key"]

PROPERTY = "plugstorm"
"""The property of a test report that holds its `CaseOutcome`."""
state_key = pytest.StashKey[State]()


def request_of(config: pytest.Config) -> InteropRequest:
    """Read the options of pytest; raises `UsageError`."""
    options = {field.name: config.getoption(f"interop_{field.name}") for field in FIELDS}
    return resolve_again(from_options(options, "option"))


def outcomes_in(report: pytest.TestReport) -> list[CaseOutcome]:
    """Read what a test hands to the controller."""
    return [
        msgspec.json.decode(str(value), type=CaseOutcome) for name, value in report.user_properties if name == PROPERTY
    ]


def _state(config: pytest.Config) -> State:
    """Get the state of this process, made when first needed."""
    if state_key not in config.stash:
        worker = getattr(config, "workerinput", None)
        try:
            config.stash[state_key] = State.borrow(worker[WORKER_INPUT]) if worker else State.start(request_of(config))
        except HarnessError as error:
            raise pytest.UsageError(str(error)) from None
    return config.stash[state_key]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of a parallel run where the CSMS and the folder are."""
    # xdist calls them gw0, gw1, …
    number, workers = int(node.gateway.id.removeprefix("gw")), len(node.config.getoption("tx") or [None])
    node.workerinput[WORKER_INPUT] = _state(node.config).share(number, workers)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test of each selected case."""
    if "interop_case" in metafunc.fixturenames:
        state = _state(metafunc.config)
        attempts = range(1, state.request.repeat + 1)
        pairs = [(case, attempt) for attempt in attempts for case in state.cases]
        names = [case.key if len(attempts) == 1 else f"{case.key}#{attempt}" for case, attempt in pairs]
        metafunc.parametrize(("interop_case", "attempt"), pairs, ids=names)


@pytest.fixture
def check_case(request: pytest.FixtureRequest) -> Callable[[Case, int], None]:
    """Run a case, hand its outcome to the controller and let its verdict be pytest's."""
    state = _state(request.config)

    def check(case: Case, number: int) -> None:
        if state.gone:
            pytest.skip(f"not run: the CSMS is gone, {state.gone}")
        # Another worker's case must not lose its connection to one that ends the CSMS.
        with turn(state.folder.path, alone=case.may_end_csms):
            attempt = state.check(case, number)
            outcome = state.examine(case, attempt)
        request.node.user_properties.append((PROPERTY, msgspec.json.encode(outcome).decode()))
        attach(case, attempt, state.folder)
        raise_outcome(shown_result(outcome))

    return check


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show of a case that could not be judged the reason, and no lines of ours."""
    report = yield
    if call.excinfo is not None and isinstance(call.excinfo.value, CouldNotBeJudgedError):
        report.longrepr = str(call.excinfo.value)
    return report


def pytest_internalerror(excinfo: pytest.ExceptionInfo[BaseException]) -> bool | None:
    """Keep a full disk from filling the terminal as well: the controller says it in one line."""
    return True if disk_error(excinfo.value) is not None else None


class _Recorder:
    """Writes `run.json` in the controller as the run goes: what kills it costs at most the cases that are running."""

    def __init__(self, state: State) -> None:
        self._state = state
        state.save()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for outcome in outcomes_in(report) if report.when == "call" else ():
            self._state.keep(outcome)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Record what comes, now that the cases are known and begin."""
    config = session.config
    if state_key in config.stash and not hasattr(config, "workerinput") and not config.option.collectonly:
        config.pluginmanager.register(_Recorder(config.stash[state_key]))


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Generator[None, None, None]:
    """Write `run.json` in the controller and let the run's verdict be the exit code."""
    config = session.config
    if hasattr(config, "workerinput") or state_key not in config.stash:
        yield
        if state_key in config.stash:
            config.stash[state_key].stack.close()
        return
    state = config.stash[state_key]
    if config.option.collectonly:
        state.stack.close()
        yield
        return
    run = state.finish(interrupted=exitstatus == pytest.ExitCode.INTERRUPTED)
    if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = exit_codes.UNREACHABLE if run.stopped_early else EXIT_CODES[run.verdict]
    yield


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say where the run folder is."""
    if state_key in config.stash and not hasattr(config, "workerinput"):
        terminalreporter.write_line(f"run folder: {config.stash[state_key].folder.path}")
