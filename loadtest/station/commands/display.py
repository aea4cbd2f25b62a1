"""Messages on the display of a 2.x station (O01-O06); one that is over is forgotten when somebody looks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from fixtures.payloads.v2x import notify_display_messages
from loadtest.station.commands.common import Reaction, Request, moment, ongoing, parts_of
from loadtest.station.state.store import store_of

if TYPE_CHECKING:
    from loadtest.station.station import Station

__all__ = ["Messages", "clear_display_message", "get_display_messages", "set_display_message"]

Messages = dict[int, Request]
"""By id, as they came."""

_FORMATS: Final = ("ASCII", "UTF8")
_MOST: Final = 50
"""Messages that a station keeps."""
_PART: Final = 5
"""Messages in one NotifyDisplayMessages."""


def _present(station: Station) -> Messages:
    """Return the messages that still count."""
    kept = (station.store and station.store.messages) or {}
    now = station.context.clock()
    return {number: message for number, message in kept.items() if not _is_over(station, message, now)}


def _is_over(station: Station, message: Request, now: float) -> bool:
    if "transactionId" in message and ongoing(station, message["transactionId"]) is None:
        return True
    end = moment(station, message["endDateTime"]) if "endDateTime" in message else None
    return end is not None and end <= now


def set_display_message(station: Station, request: Request, _: Request) -> Reaction:
    """Show a message, in the place of one with the same id (O01, O02, O06)."""
    message = request["message"]
    contents = [message["message"], *message.get("messageExtra", ())]
    if any(content["format"] not in _FORMATS for content in contents):
        return Reaction("NotSupportedMessageFormat")
    if "transactionId" in message and ongoing(station, message["transactionId"]) is None:
        return Reaction("UnknownTransaction")
    present = _present(station)
    if message["priority"] == "AlwaysFront":
        # There is one place in front of everything (O01.FR.10).
        present = {number: other for number, other in present.items() if other["priority"] != "AlwaysFront"}
    present[message["id"]] = message
    if len(present) > _MOST:
        return Reaction("Rejected")
    return Reaction(then=partial(_keep, station, present))


def _keep(station: Station, messages: Messages) -> None:
    store_of(station).messages = messages


def get_display_messages(station: Station, request: Request, _: Request) -> Reaction:
    """Report the messages that fit (O03, O04)."""
    ids = request.get("id")
    found = [
        message
        for number, message in sorted(_present(station).items())
        if (not ids or number in ids)
        and request.get("priority") in (None, message["priority"])
        and request.get("state") in (None, message.get("state"))
    ]
    return Reaction("Accepted", partial(_send, station, request["requestId"], found)) if found else Reaction("Unknown")


def _send(station: Station, request_id: int, found: list[Request]) -> None:
    parts = parts_of(found, _PART)
    for number, part in enumerate(parts):
        more = True if number < len(parts) - 1 else None
        payload = notify_display_messages(request_id, part, tbc=more)
        station.call("NotifyDisplayMessages", payload, station.context.clock(), triggered=True)


def clear_display_message(station: Station, request: Request, _: Request) -> Reaction:
    """Show a message no longer (O05)."""
    present = _present(station)
    if present.pop(request["id"], None) is None:
        return Reaction("Unknown")
    return Reaction(then=partial(_keep, station, present))
