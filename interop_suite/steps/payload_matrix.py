"""One message after another to a CSMS, each of them named: what the payload matrices send."""

from __future__ import annotations

from typing import Any

from interop_suite.claims.history import History
from interop_suite.claims.rate_limit import is_limited
from interop_suite.drive.answers import Answer
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps.connections import PACE

__all__ = ["call_named", "named_lines"]


def call_named(station: ScriptedStation, action: str, payload: dict[str, Any], **name: str) -> Answer:
    """Send a CALL under a name; again after a pause, where the CSMS only says that the station sends too much."""
    station.note(**name)
    answer = station.call(action, payload)
    if is_limited(answer.description):
        station.listen(PACE)
        station.note(**name)
        answer = station.call(action, payload)
    return answer


def named_lines(history: History, kind: str) -> list[tuple[str, int]]:
    """List the names of one kind, each with the line after which it was sent for the last time."""
    return list({r.info[kind]: line for line, r in enumerate(history.records) if kind in r.info}.items())
