"""What every test of the harness shares."""

from __future__ import annotations

import gc
import os
import random
import secrets
import signal
from typing import Any

# Packages of others bring plugins for Hypothesis, which it loads when it is imported; no test uses one.
os.environ["HYPOTHESIS_NO_PLUGINS"] = "1"

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

from tests.order import SECONDS, spread
from tests.sampling import Draw, keep, told

# Two shared cores make single examples slow now and then; the number of examples bounds the time instead.
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples each time, so that a change is judged by what it changes; `make flake` draws others.
settings.register_profile("whole", settings.get_profile("explore"), derandomize=True)
settings.register_profile("plugstorm", settings.get_profile("whole"), max_examples=40)
settings.load_profile("plugstorm")

DRAW = pytest.StashKey[Draw]()
"""What tests draw while they run, each in one process."""
DRAWN = pytest.StashKey[Draw]()
"""What is drawn while tests are collected, in every process alike."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--order-seed", type=int, default=None, help="Run the tests in a random order made from this seed."
    )
    parser.addoption("--full", action="store_true", help="Try all of what is sampled otherwise.")
    parser.addoption(
        "--sample-seed", type=int, default=None, help="Draw the samples that another run told this seed of."
    )


def pytest_configure(config: pytest.Config) -> None:
    """Give SIGINT back to this process, and so to everything that the tests start.

    A shell makes a job in the background ignore SIGINT, and each child inherits that; so do the workers of xdist.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.option.sample_seed is None:
        drawn_for_all = getattr(config, "workerinput", {}).get("sample_seed")
        config.option.sample_seed = secrets.randbelow(2**31) if drawn_for_all is None else drawn_for_all
    config.stash[DRAW] = Draw(config.option.sample_seed, full=config.option.full)
    config.stash[DRAWN] = Draw(config.option.sample_seed, full=config.option.full)
    if config.option.full:
        settings.load_profile("whole")
    elif config.getoption("--hypothesis-profile") != "explore":
        # To find constants worth trying, every worker would read all source of ours, and any change of it would
        # change the examples of every test.
        providers._get_local_constants = lambda: providers._local_constants


def pytest_collection() -> None:
    # What is collected stays until the end: no use in looking through it for garbage again and again.
    gc.disable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items[:] = keep(config.stash[DRAWN], items)
    seed = config.getoption("--order-seed")
    if seed is not None:
        random.Random(seed).shuffle(items)
    else:
        workers = getattr(config, "workerinput", {}).get("workercount", 1)
        items[:] = spread([(item, str(item.path), _waits(item)) for item in items], workers)


def _waits(item: pytest.Item) -> float:
    mark = item.get_closest_marker("waits")
    return 0.0 if mark is None else mark.args[0] if mark.args else SECONDS


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def draw(pytestconfig: pytest.Config) -> Draw:
    """Draw what this run tries of a long list."""
    return pytestconfig.stash[DRAW]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["draw"] = session.config.stash[DRAW].left_out
        session.config.workeroutput["drawn"] = session.config.stash[DRAWN].left_out


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["sample_seed"] = node.config.option.sample_seed


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    output = getattr(node, "workeroutput", {})
    node.config.stash[DRAWN].left_out.update(output.get("drawn", {}))
    here = node.config.stash[DRAW].left_out
    for name, (left_out, of) in output.get("draw", {}).items():
        before = here.get(name, (0, 0))
        here[name] = before[0] + left_out, before[1] + of


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    left_out = config.stash[DRAW].left_out | config.stash[DRAWN].left_out
    for line in told(config.option.sample_seed, left_out):
        terminalreporter.write_line(line)
