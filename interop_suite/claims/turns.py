"""What the CSMS sends while a command of its own is open: one CALL of each side at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from evidence.verdicts import Verdict
from interop_suite.claims.claim import Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import Exchange, Frame
from interop_suite.claims.history import History
from ocppj.messages import Call
from ocppj.versions import Version

__all__ = ["turn_findings"]

_CLAUSES: Mapping[Version, Clause] = MappingProxyType(
    {
        Version.V16: Clause("1.6J", "4.1.1"),
        Version.V201: Clause("201-4", "4.1.1"),
        Version.V21: Clause("21-4", "4.1.1"),
    }
)
LONGEST: Final = 1.0
"""Seconds: a CSMS that goes on after more than that may have given up the command before."""


def turn_findings(history: History) -> Iterator[Finding]:
    """Find the first CALL that the CSMS sent while another one was open on the same connection (OCPP-J §4.1.1).

    Where the station has booted in its preparation, the same habit would only be told again, in every case.
    """
    booted = {call.call.station for call in history.calls("BootNotification")}
    last: dict[tuple[str, int], Exchange] = {}
    for later in history.exchanges:
        if later.by_station or not _is_call(later.call) or later.call.station not in booted:
            continue
        where = later.call.station, later.call.connection
        earlier, last[where] = last.get(where), later
        if earlier is not None and _was_open(history, earlier, later.call):
            yield Finding(
                verdict=Verdict.NON_STRICT,
                claim="The CSMS has one command open at a time",
                actual=f"{later.action} came while {earlier.action} was open",
                clause=_CLAUSES[history.rules.version],
                frame=later.call.line,
            )
            return


def _is_call(frame: Frame) -> bool:
    return isinstance(frame.message, Call) and frame.scripted


def _same(one: Frame, other: Frame) -> bool:
    return (one.station, one.connection) == (other.station, other.connection)


def _id(frame: Frame) -> object:
    return frame.message.message_id if isinstance(frame.message, Call) else None


def _was_open(history: History, earlier: Exchange, later: Frame) -> bool:
    """Tell whether nothing that could pass for an answer went out between, and too little time for a time-out."""
    if earlier.answer is not None and earlier.answer.line < later.line:
        return False
    if _id(earlier.call) == _id(later):
        # It is the same one, sent again.
        return False
    mine = [frame for frame in history.frames if _same(frame, later) and frame.line < later.line]
    said = [frame for frame in mine if frame.sent and frame.line > earlier.call.line]
    if not all(isinstance(frame.message, Call) for frame in said):
        return False
    # A station that did not read for a while finds both at once, whenever they were sent.
    read = [frame.t for frame in mine if not frame.sent and frame.line < earlier.call.line]
    return bool(read) and later.t - read[-1] < LONGEST
