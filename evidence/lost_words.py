"""Why connections were lost and CALLs refused, in words: for the terminal, the summary and the report alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from evidence.run_model import CallErrors, LostConnections
from evidence.vocabulary import FROM_CSMS

__all__ = ["all_lost", "capital", "how_lost", "refused", "why_lost"]

_NO_STATUS: Final = 1005
_WORDS: Final = {
    "lost": "TCP ended without a Close frame",
    "websocket-violation": "the CSMS broke the WebSocket protocol",
    "message-too-big": "the CSMS sent a message that is too big",
    "slow-consumer": "the CSMS did not read",
}


def why_lost(one: LostConnections) -> str:
    """Say how these connections ended, with the code and the words of the CSMS."""
    said = f' "{one.reason}"' if one.reason else ""
    if one.how == "closed-by-csms":
        code = " without a code" if one.code == _NO_STATUS else f" with {one.code}"
        return f"the CSMS closed{code}{said}"
    return f"{_WORDS.get(one.how, one.how)}{f' ({one.reason})' if one.reason else ''}"


def how_lost(one: LostConnections) -> str:
    """Say how often, why, when and while what was open."""
    connections = "1 connection" if one.count == 1 else f"{one.count:,} connections"
    when = f"after {one.first:.0f} s" if one.first == one.last else f"from {one.first:.0f} s to {one.last:.0f} s"
    during = f", while {one.after} had no answer" if one.after else ""
    return f"{connections} lost {when}: {why_lost(one)}{during}"


def all_lost(rows: Sequence[LostConnections]) -> str:
    """Say in one sentence how many connections were lost, when the first, and the most frequent reason."""
    total = sum(one.count for one in rows)
    by_reason: dict[str, int] = {}
    for one in rows:
        by_reason[why_lost(one)] = by_reason.get(why_lost(one), 0) + one.count
    worst = max(by_reason, key=lambda reason: by_reason[reason])
    most = "" if len(by_reason) == 1 else f" ({by_reason[worst]:,} of them)"
    connections = "1 connection was" if total == 1 else f"{total:,} connections were"
    return f"{connections} lost, the first {min(one.first for one in rows):.0f} s after the start: {worst}{most}."


def refused(one: CallErrors) -> str:
    """Say how often a CALL was refused, by whom, with which code and text, and when."""
    who = "a station" if one.direction == FROM_CSMS else "the CSMS"
    calls = f"{one.action} was refused once" if one.count == 1 else f"{one.action} was refused {one.count:,} times"
    said = f' "{one.description}"' if one.description else ""
    when = f"{one.first:.0f} s" if one.first == one.last else f"{one.first:.0f} s to {one.last:.0f} s"
    return f"{calls} by {who} with {one.code}{said} ({when} after the start)"


def capital(text: str) -> str:
    """Begin a sentence with a capital letter."""
    return f"{text[:1].upper()}{text[1:]}"
