"""The pytest plugin: options, one test a case, verdicts as outcomes, results and traces into the run folder.

It sleeps unless pytest was pointed at `interop_suite`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from config.assignments import assignments
from config.errors import ConfigError
from ocppj.errors import HarnessError

if TYPE_CHECKING:
    from interop_suite.catalogue import Case
    from interop_suite.run.state import State

HERE = Path(__file__).parent
PROPERTY = "plugstorm"

state_key = pytest.StashKey["State"]()

# option, field of Settings, and what it says; lists may be given several times.
_OPTIONS: tuple[tuple[str, str, str], ...] = (
    ("--csms-url", "url", "WebSocket URL of the CSMS; without it the practice CSMS is started and tested"),
    ("--csms-tls-url", "tls_url", "wss:// URL of the same CSMS, for the TLS cases"),
    ("--csms-ca", "ca_file", "PEM file of the root that signed the CSMS' certificate"),
    ("--csms-driver", "driver", "how to reach the CSMS' controls: none, http, a preset, or a YAML file"),
    ("--csms-control-url", "control_url", "HTTP address of the driver contract"),
    ("--csms-resume", "resume", "folder of an earlier run whose operator's answers still hold"),
    ("--csms-password", "password", "Basic-auth password that the CSMS knows for the given identities"),
    ("--csms-model", "model", "station model that the cases play"),
    ("--case-select", "select", "cases to run: ids, block:…, profile:…, level:…, comma-separated, ! takes away"),
    ("--case-expect", "expect", "YAML file of declared failures"),
    ("--run-out", "out", "folder of the run"),
)
_LISTS: tuple[tuple[str, str, str], ...] = (
    ("--csms-ocpp", "ocpp", "OCPP version to test; may be repeated"),
    ("--csms-identity", "identities", "identity that the CSMS knows; may be repeated"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of an interop run."""
    group = parser.getgroup("plugstorm", "OCPP interoperability of a CSMS")
    for option, _, text in _OPTIONS:
        group.addoption(option, default=None, help=text)
    for option, _, text in _LISTS:
        group.addoption(option, action="append", default=[], help=text)
    group.addoption(
        "--csms-token", action="append", default=[], metavar="STATUS=TOKEN", help="identity token that the CSMS knows"
    )
    group.addoption(
        "--csms-driver-option", action="append", default=[], metavar="NAME=VALUE", help="variable of the driver"
    )
    group.addoption("--case-repeat", type=int, default=None, help="how often each case is run")
    group.addoption("--strict-order", action="store_true", default=None, help="CALLs that no case asked for are FAILED")
    group.addoption("--csms-timeout", type=float, default=None, help="seconds of patience with every answer")
    group.addoption("--interop-settings", default=None, help=pytest.HIDDEN if hasattr(pytest, "HIDDEN") else "")


def _is_interop(config: pytest.Config) -> bool:
    """Tell whether pytest was pointed at the interop suite rather than at somebody's own tests."""
    paths = [Path(str(argument).split("::")[0]) for argument in config.args]
    roots = [path if path.is_absolute() else Path(config.invocation_params.dir) / path for path in paths]
    return any(root.resolve() == HERE or HERE in root.resolve().parents for root in roots)


def _settings(config: pytest.Config) -> Any:
    from interop_suite.run.options import Settings  # noqa: PLC0415  # other people's pytest runs do not need it

    given = config.getoption("--interop-settings")
    if given:
        return msgspec.json.decode(given, type=Settings)
    values: dict[str, Any] = {field: config.getoption(option) for option, field, _ in (*_OPTIONS, *_LISTS)}
    values["repeat"] = config.getoption("--case-repeat")
    values["strict_order"] = config.getoption("--strict-order")
    values["timeout"] = config.getoption("--csms-timeout")
    values["tokens"] = _assignments(config, "--csms-token", "Accepted=04A1B2C3D4E5F6")
    values["driver_options"] = _assignments(config, "--csms-driver-option", "url=http://127.0.0.1:8080")
    return Settings(**{name: value for name, value in values.items() if value is not None})


def _assignments(config: pytest.Config, option: str, example: str) -> dict[str, str]:
    try:
        return assignments(config.getoption(option), example)
    except ConfigError as error:
        raise pytest.UsageError(f"{option}: {error}") from None


def _state(config: pytest.Config) -> State:
    """Get the state of this process, made when first needed."""
    from interop_suite.run.state import State  # noqa: PLC0415  # other people's pytest runs do not need it

    if state_key not in config.stash:
        worker = getattr(config, "workerinput", None)
        try:
            config.stash[state_key] = State.borrow(worker[PROPERTY]) if worker else State.start(_settings(config))
        except HarnessError as error:
            raise pytest.UsageError(str(error)) from None
    return config.stash[state_key]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of a parallel run where the CSMS and the folder are."""
    if _is_interop(node.config):
        # xdist calls them gw0, gw1, …
        number, workers = int(node.gateway.id.removeprefix("gw")), len(node.config.getoption("tx") or [None])
        node.workerinput[PROPERTY] = _state(node.config).share(number, workers)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test of each selected case."""
    if "interop_case" in metafunc.fixturenames:
        state = _state(metafunc.config)
        attempts = range(1, state.settings.repeat + 1)
        pairs = [(case, attempt) for attempt in attempts for case in state.cases]
        names = [case.key if len(attempts) == 1 else f"{case.key}#{attempt}" for case, attempt in pairs]
        metafunc.parametrize(("interop_case", "attempt"), pairs, ids=names)


@pytest.fixture
def check_case(request: pytest.FixtureRequest) -> Callable[[Case, int], None]:
    """Run a case, hand its result to the controller and turn its verdict into an outcome."""
    from interop_suite.run.outcome import attach, raise_outcome  # noqa: PLC0415

    state = _state(request.config)

    def check(case: Case, attempt: int) -> None:
        result = state.check(case, attempt)
        request.node.user_properties.append((PROPERTY, msgspec.json.encode(result).decode()))
        attach(case, result, state.folder)
        raise_outcome(result)

    return check


def pytest_internalerror(excinfo: pytest.ExceptionInfo[BaseException]) -> bool | None:
    """Keep a full disk from filling the terminal as well: the controller says it in one line."""
    from evidence.disk import disk_error  # noqa: PLC0415  # other people's pytest runs do not need it

    return True if disk_error(excinfo.value) is not None else None


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect the result of each case in the controller."""
    if report.when == "call":
        for name, value in report.user_properties:
            if name == PROPERTY:
                _collected.append(str(value))


_collected: list[str] = []


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Generator[None, None, None]:
    """Write `run.json` in the controller and let the run's verdict be the exit code."""
    config = session.config
    if hasattr(config, "workerinput") or state_key not in config.stash:
        yield
        if state_key in config.stash:
            config.stash[state_key].stack.close()
        return
    from evidence.run_model import CaseResult  # noqa: PLC0415
    from evidence.verdicts import EXIT_CODES  # noqa: PLC0415

    state = config.stash[state_key]
    for text in _collected:
        state.collect(msgspec.json.decode(text, type=CaseResult))
    _collected.clear()
    if config.option.collectonly:
        state.stack.close()
        yield
        return
    run = state.finish(interrupted=exitstatus == pytest.ExitCode.INTERRUPTED)
    if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = EXIT_CODES[run.verdict]
    yield


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say where the run folder is."""
    if state_key in config.stash and not hasattr(config, "workerinput"):
        terminalreporter.write_line(f"run folder: {config.stash[state_key].folder.path}")
