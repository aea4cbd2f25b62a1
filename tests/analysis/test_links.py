"""Connections that end alike, loops and who causes them, and a line that is dead."""

from __future__ import annotations

import pytest

from tests.analysis.judging import broken, judge_text
from tests.analysis.link_plays import LINK, LINK_PLAYS, links

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


def test_a_log_of_one_direction_no_false_alarm() -> None:
    assert broken(judge_text(links((100.0, 60.0, 1006), (340.0, 60.0, 1006)))) == set()


def test_a_csms_that_restarts_may_ask_for_a_boot_no_false_alarm() -> None:
    """On a new connection it may have forgotten that it accepted the station."""
    asked = '[2,"b","TriggerMessage",{"requestedMessage":"BootNotification"}]'
    head = (LINK.format("00:00:00,000", 1), LINK.format("00:05:00,000", 2))
    boot = '[2,"a","BootNotification",{"chargePointVendor":"Invented","chargePointModel":"A"}]'
    told = '[3,"a",{"status":"Accepted","currentTime":"2026-03-02T00:00:00Z","interval":300}]'
    lines = [f"{head[0]}Connection is established", f"{head[0]}Received: {boot}", f"{head[0]}Sending: {told}"]
    again = [f"{head[1]}Connection is established", f"{head[1]}Sending: {asked}"]
    assert broken(judge_text("\n".join([*lines, *again]))) == set()
    assert (CSMS, "boot-asked-again") in broken(judge_text("\n".join([*lines, f"{head[0]}Sending: {asked}"])))
