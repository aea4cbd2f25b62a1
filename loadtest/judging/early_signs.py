"""What is plainly wrong within the first seconds of a run, with what to do about it; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from evidence.vocabulary import OPENED, TO_CSMS, is_failure
from loadtest.measuring.recorder import Key
from ocppj.outcomes import Outcome

__all__ = ["LOOK_UNTIL", "Sight", "early_signs"]

LOOK_UNTIL: Final = 30.0
"""Seconds after the start; what begins later is for the objectives."""
_ENOUGH: Final = 3
"""Refusals in a row that are no chance …"""
_LATE: Final = 8.0
"""… and seconds after which a single one is enough."""
_WITH_TOKENS: Final = frozenset({"Authorize", "StartTransaction", "TransactionEvent"})
_AT_BOOT: Final = frozenset({"BootNotification", "StatusNotification"})
_LOG_IN: Final = "name the user in --url (mqtt://USER@HOST) and give --password, or --certificate"
_FIXES: Final[Mapping[str, str]] = {
    "http-401": "give the password with --password, or a --station-list with a column password",
    "http-403": "give the password with --password, or a --station-list with a column password",
    "http-404": "name stations that the CSMS knows with --station-list or --identity-pattern, or register them",
    "connack-not-authorized": _LOG_IN,
    "connack-bad-user-name-or-password": _LOG_IN,
    "connack-client-identifier-not-valid": "see how the dialect names stations to the broker (client_id)",
    "subscription-refused": "check the access rules of the broker, and --dialect",
}


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a run so far."""

    elapsed: float
    """Seconds."""
    connected: int
    """Stations, the most at one time."""
    booted: int
    """Stations, the most at one time."""
    connections: Mapping[str, int]
    """Attempts by outcome."""
    calls: Mapping[Key, int]

    def outcomes(self, actions: frozenset[str]) -> dict[str, int]:
        """Count the CALLs of the stations with one of these actions by outcome."""
        found: dict[str, int] = {}
        for (_, action, direction, outcome), count in self.calls.items():
            if direction == TO_CSMS and action in actions:
                found[outcome] = found.get(outcome, 0) + count
        return found

    def is_enough(self, count: int) -> bool:
        """Return whether so many refusals are no chance any more."""
        return count >= _ENOUGH or (count > 0 and self.elapsed >= _LATE)


def early_signs(sight: Sight) -> dict[str, str]:
    """Return a sentence for each thing that is wrong, by its word."""
    found = {name: look(sight) for name, look in _LOOKS.items()}
    return {name: sentence for name, sentence in found.items() if sentence}


def _nobody_gets_in(sight: Sight) -> str:
    failed = {outcome: count for outcome, count in sight.connections.items() if outcome != OPENED}
    if sight.connections.get(OPENED) or not sight.is_enough(sum(failed.values())):
        return ""
    worst = max(failed, key=lambda outcome: failed[outcome])
    fix = _FIXES.get(worst, "see whether the CSMS is running, and whether --url is right")
    return f"All {sum(failed.values())} connection attempts failed, most with {worst}: {fix}."


def _nobody_connects(sight: Sight) -> str:
    if sight.connections or sight.elapsed < _LATE:
        return ""
    return f"No station has tried to connect within {sight.elapsed:.0f} s: take more --stations or a --spawn-rate."


def _nobody_is_accepted(sight: Sight) -> str:
    boots = sight.outcomes(frozenset({"BootNotification"}))
    refused = boots.get(Outcome.REJECTED, 0)
    if sight.booted or boots.get(Outcome.ACCEPTED) or not sight.is_enough(refused):
        return ""
    return (
        f"The CSMS has accepted no station: it answered {refused} BootNotifications without Accepted. "
        "Register the stations there, or name registered ones with --station-list."
    )


def _nobody_is_answered(sight: Sight) -> str:
    if sight.booted or not sight.connected or sight.elapsed < _LATE:
        return ""
    if any(not is_failure(outcome) for outcome in sight.outcomes(frozenset({"BootNotification"}))):
        return ""
    return (
        f"{sight.connected} stations are connected, and the CSMS has answered no BootNotification within "
        f"{sight.elapsed:.0f} s: see its log."
    )


def _nothing_is_sent(sight: Sight) -> str:
    sent = any(direction == TO_CSMS and action not in _AT_BOOT for _, action, direction, _ in sight.calls)
    if sent or not sight.booted or sight.elapsed < _LATE:
        return ""
    return (
        f"The accepted stations have sent nothing but their boot and their status within {sight.elapsed:.0f} s: if you "
        "want more, take a busier --profile."
    )


def _nobody_charges(sight: Sight) -> str:
    outcomes = sight.outcomes(_WITH_TOKENS)
    failed = {outcome: count for outcome, count in outcomes.items() if is_failure(outcome)}
    if outcomes.get(Outcome.ACCEPTED) or outcomes.get(Outcome.REJECTED) or not sight.is_enough(sum(failed.values())):
        return ""
    worst = max(failed, key=lambda outcome: failed[outcome])
    return (
        f"Nobody has charged: {sum(failed.values())} CALLs that authorize or start failed, most with {worst}: see the "
        "log of the CSMS, and the table of CALLERRORs when the run is over."
    )


def _no_token_is_taken(sight: Sight) -> str:
    outcomes = sight.outcomes(frozenset({"Authorize"})) or sight.outcomes(_WITH_TOKENS)
    refused = outcomes.get(Outcome.REJECTED, 0)
    if outcomes.get(Outcome.ACCEPTED) or not sight.is_enough(refused):
        return ""
    return (
        f"The CSMS has refused every token ({refused} of {sum(outcomes.values())} CALLs), so nobody can charge: "
        "register the tokens there, or give known ones in the column token of --station-list."
    )


_LOOKS: Final[Mapping[str, Callable[[Sight], str]]] = {
    "connections": _nobody_gets_in,
    "nobody": _nobody_connects,
    "boots": _nobody_is_accepted,
    "mute": _nobody_is_answered,
    "sent": _nothing_is_sent,
    "charging": _nobody_charges,
    "tokens": _no_token_is_taken,
}
