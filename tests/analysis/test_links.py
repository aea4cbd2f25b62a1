"""Connections that end alike, loops and who causes them, and a line that is dead."""

from __future__ import annotations

import pytest

from tests.analysis.judging import broken, judge_text
from tests.analysis.link_plays import LINK_PLAYS, links

CP, CSMS = "charge-point", "csms"


@pytest.mark.parametrize(("rule", "side", "bad", "near"), LINK_PLAYS, ids=[play[0] for play in LINK_PLAYS])
def test_connections_that_end_alike(rule: str, side: str, bad: str, near: str) -> None:
    assert (side, rule) in broken(judge_text(bad))
    assert rule not in {name for _, name in broken(judge_text(near))}


def test_who_causes_a_loop() -> None:
    refused = links(*[(20.0, 1.0, 1008)] * 6)
    assert (CSMS, "reconnect-loop") in broken(judge_text(refused))
    broken_frames = links(*[(20.0, 1.0, 1002)] * 6)
    assert (CP, "reconnect-loop") in broken(judge_text(broken_frames))
