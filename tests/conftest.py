"""What every test of the harness shares."""

from __future__ import annotations

import random
import signal

import pytest
from hypothesis import HealthCheck, settings

from tests.order import spread

# Two shared cores make single examples slow now and then; the number of examples bounds the time instead.
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples each time, so that a change is judged by what it changes; `make flake` draws others.
settings.register_profile("plugstorm", settings.get_profile("explore"), derandomize=True)
settings.load_profile("plugstorm")


def pytest_configure() -> None:
    """Give SIGINT back to this process, and so to everything that the tests start.

    A shell makes a job in the background ignore SIGINT, and each child inherits that; so do the workers of xdist.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--order-seed", type=int, default=None, help="Run the tests in a random order made from this seed."
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    seed = config.getoption("--order-seed")
    if seed is not None:
        random.Random(seed).shuffle(items)
    else:
        items[:] = spread([(item, item.location[0], item.get_closest_marker("waits") is not None) for item in items])
