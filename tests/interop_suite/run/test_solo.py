"""Cases side by side, and one that must be alone."""

from __future__ import annotations

import threading
from pathlib import Path

from interop_suite.run.solo import turn


def test_case_that_may_end_the_csms_waits_for_those_under_way_no_false_alarm(tmp_path: Path) -> None:
    order: list[str] = []
    waiting = threading.Event()

    def alone() -> None:
        waiting.set()
        with turn(tmp_path, alone=True):
            order.append("alone")

    dangerous = threading.Thread(target=alone)
    with turn(tmp_path, alone=False), turn(tmp_path, alone=False):
        dangerous.start()
        waiting.wait()
        order.append("together")
    dangerous.join()
    assert order == ["together", "alone"]


def test_case_waits_for_the_one_that_is_alone(tmp_path: Path) -> None:
    order: list[str] = []
    waiting = threading.Event()

    def ordinary() -> None:
        waiting.set()
        with turn(tmp_path, alone=False):
            order.append("ordinary")

    other = threading.Thread(target=ordinary)
    with turn(tmp_path, alone=True):
        other.start()
        waiting.wait()
        order.append("alone")
    other.join()
    assert order == ["alone", "ordinary"]
