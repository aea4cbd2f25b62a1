from __future__ import annotations

import signal

import pytest

from loadtest.locust_edge.orphans import PARENT, Orphan


def watch(parents: list[int], *, is_forked: bool) -> list[int]:
    """Look as often as there are parents after the first; return the signals that were sent."""
    sent: list[int] = []
    orphan = Orphan(is_forked=is_forked, parent=lambda: parents[0], end=sent.append)
    while len(parents) > 1:
        parents.pop(0)
        orphan.look()
    return sent


def test_the_leading_process_is_interrupted_once_when_the_named_parent_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PARENT, "77")
    assert watch([77, 77, 1, 1], is_forked=False) == [signal.SIGINT]


def test_a_parent_that_is_gone_before_anybody_looks_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PARENT, "77")
    assert watch([1, 1], is_forked=False) == [signal.SIGINT]


def test_a_forked_worker_watches_the_process_that_has_forked_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PARENT, "77")
    assert watch([78, 78, 1], is_forked=True) == [signal.SIGTERM]


def test_locust_that_somebody_has_started_by_hand_outlives_its_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PARENT, raising=False)
    assert watch([77, 1], is_forked=False) == []
