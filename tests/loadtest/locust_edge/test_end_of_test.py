"""Nothing that Locust does at the end of a test keeps answers waiting."""

from __future__ import annotations

import inspect
import logging
import os
from typing import Any

import pytest

# The process that runs the tests must stay as it is, and the programs that it starts must not.
os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"
try:
    from locust import runners
    from locust.env import Environment

    from loadtest.locust_edge.wiring import prepare_locust
finally:
    del os.environ["LOCUST_SKIP_MONKEY_PATCH"]


def test_who_ends_a_test_is_found_without_a_look_into_the_source_of_every_module(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    searched: list[Any] = []
    monkeypatch.setattr(inspect, "findsource", searched.append)
    caplog.set_level(logging.DEBUG, "locust.runners")
    prepare_locust()
    runner = Environment().create_local_runner()
    try:
        runner.stop()
    finally:
        runner.quit()
    assert searched == []
    assert f"(called from {runners.__file__}" in caplog.text
