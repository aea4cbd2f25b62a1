"""Tokens of one group, and what the CSMS says of their group."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from evidence.verdicts import Verdict
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.exchange import AnswerKind, Exchange
from interop_suite.claims.expected import field
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe

__all__ = ["group_is_told", "member", "new_group"]

_ACTIONS = ("Authorize", "TransactionEvent")
_TOLD = "Every answer about a token names its group, the same for all members and for nobody else"


def new_group(word: str) -> str:
    """Make up the name of a group that no earlier run has used."""
    return f"PLG-{word}-{secrets.token_hex(3).upper()}"


def member(probe: Probe, group: str, status: str = "Accepted") -> str:
    """Get a token of a group, and note for the judge whose it is."""
    token = probe.token(status, parent=group)
    probe.station.note(member_of=[token, group])
    return token


def group_is_told() -> Check:
    """Claim that the CSMS names the group of each noted token in every answer about it.

    A CSMS may have a name of its own for the group that an operator named; it is one name for one group.
    """

    def judge(history: History) -> list[Finding]:
        groups = {str(token).casefold(): str(group) for token, group in history.notes("member_of")}
        told: dict[str, str] = {}
        return [_judge(call, groups[_token(call)], told) for call in _about(history, groups)]

    return Check(claim=_TOLD, judge=judge)


def _about(history: History, groups: Mapping[str, str]) -> list[Exchange]:
    """List what was answered about members, in the order of the CALLs; what was not answered others judge."""
    return [
        call
        for call in history.calls()
        if call.action in _ACTIONS and _token(call) in groups and call.kind is AnswerKind.RESULT
    ]


def _token(call: Exchange) -> str:
    return str(field(call.payload, "idToken.idToken")).casefold()


def _judge(call: Exchange, group: str, told: dict[str, str]) -> Finding:
    """Compare with what was told before, and add to it: names by group."""
    said: Any = field(call.result, "idTokenInfo.groupIdToken.idToken")
    name = None if said is None else str(said).casefold()
    if name is None:
        problem = "names no group (groupIdToken)"
    elif told.setdefault(group, name) != name:
        problem = f"names {said!r}, but an earlier answer about this group named {told[group]!r}"
    elif any(other != group and of_other == name for other, of_other in told.items()):
        problem = f"names {said!r}, which an earlier answer named for another group"
    else:
        problem = ""
    return Finding(
        verdict=Verdict.FAILED if problem else Verdict.OK,
        claim=_TOLD,
        actual=f"the answer to {call.action} {problem or f'names {said!r}'}",
        frame=call.answer.line if call.answer else None,
    )
