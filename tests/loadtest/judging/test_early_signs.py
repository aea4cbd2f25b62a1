from __future__ import annotations

from typing import Any

import pytest

from evidence.vocabulary import FROM_CSMS, TO_CSMS
from loadtest.judging.early_signs import Sight, early_signs


def sight(calls: dict[str, int] | None = None, direction: str = TO_CSMS, **fields: Any) -> Sight:
    """Make a run of two seconds with ten accepted stations; `calls` are counts by action and outcome."""
    counts = {tuple(text.split()): count for text, count in (calls or {}).items()}
    known: dict[str, Any] = {
        "elapsed": 2.0,
        "connected": 10,
        "booted": 10,
        "connections": {"opened": 10},
        "calls": {("1.6", action, direction, outcome): count for (action, outcome), count in counts.items()},
    }
    return Sight(**known | fields)


WRONG: dict[str, tuple[Sight, str]] = {
    "connections": (
        sight(connected=0, booted=0, connections={"http-401": 4, "reset": 1}),
        "All 5 connection attempts failed, most with http-401: give the password with --password",
    ),
    "nobody": (sight(elapsed=9.0, connected=0, booted=0, connections={}), "No station has tried to connect within 9 s"),
    "boots": (
        sight({"BootNotification rejected": 3}, booted=0),
        "The CSMS has accepted no station: it answered 3 BootNotifications without Accepted",
    ),
    "mute": (
        sight({"BootNotification timeout": 10}, booted=0, elapsed=8.0),
        "10 stations are connected, and the CSMS has answered no BootNotification within 8 s",
    ),
    "sent": (
        sight({"BootNotification accepted": 10, "StatusNotification accepted": 20}, elapsed=9.0),
        "The accepted stations have sent nothing but their boot and their status within 9 s: if you want more",
    ),
    "charging": (
        sight({"Authorize callerror:InternalError": 4, "StartTransaction timeout": 1, "Heartbeat accepted": 7}),
        "Nobody has charged: 5 CALLs that authorize or start failed, most with callerror:InternalError",
    ),
    "tokens": (
        sight({"Authorize rejected": 3, "StartTransaction rejected": 2, "Heartbeat accepted": 7}),
        "The CSMS has refused every token (3 of 3 CALLs), so nobody can charge",
    ),
}


@pytest.mark.parametrize("word", WRONG)
def test_what_is_plainly_wrong_is_said_with_what_to_do(word: str) -> None:
    seen, sentence = WRONG[word]
    found = early_signs(seen)
    assert list(found) == [word]
    assert found[word].startswith(sentence)


@pytest.mark.parametrize(
    "seen",
    [
        sight(),
        sight(connected=0, booted=0, connections={"reset": 2}),
        sight(connections={"opened": 10, "reset": 30}),
        sight({"BootNotification rejected": 9, "BootNotification accepted": 1}, booted=0),
        sight({"BootNotification timeout": 9}, booted=0, elapsed=7.0),
        sight({"Authorize rejected": 9, "Authorize accepted": 1}),
        sight({"Authorize rejected": 2}),
        sight({"Authorize timeout": 2}),
        sight({"Authorize timeout": 9, "TransactionEvent accepted": 1}),
        sight({"BootNotification accepted": 10, "Heartbeat accepted": 1}, elapsed=20.0),
        sight({"BootNotification accepted": 10}, elapsed=7.0),
        sight({"TransactionEvent rejected": 9, "TransactionEvent accepted": 1}),
    ],
)
def test_a_run_that_may_be_right_has_no_signs_no_false_alarm(seen: Sight) -> None:
    assert early_signs(seen) == {}


def test_a_broker_that_refuses_everybody_is_said_with_its_reason() -> None:
    found = early_signs(sight(connected=0, booted=0, connections={"connack-not-authorized": 4, "reset": 1}))
    assert found["connections"].startswith(
        "All 5 connection attempts failed, most with connack-not-authorized: name the user in --url"
    )


def test_late_a_single_refusal_is_enough() -> None:
    assert list(early_signs(sight({"Authorize rejected": 1}, elapsed=8.0))) == ["tokens"]


def test_commands_of_the_csms_that_stations_reject_are_no_refused_tokens() -> None:
    assert early_signs(sight(direction=FROM_CSMS, calls={"Authorize rejected": 9})) == {}
