"""Messages on the display of a 2.x station (O01-O06); one that is over is forgotten when somebody looks."""

from __future__ import annotations

from functools import partial
from typing import Final

from fixtures.payloads.v2x import notify_display_messages
from loadtest.station.commands.common import Reaction, Request, parts_of
from loadtest.station.contract import Controls, Host, State
from loadtest.station.state.connectors import moment, ongoing
from loadtest.station.state.store import need, peek

__all__ = ["DisplayMessages", "clear_display_message", "get_display_messages", "set_display_message"]


_FORMATS: Final = ("ASCII", "UTF8")
_MOST: Final = 50
"""Messages that a station keeps."""
_PART: Final = 5
"""Messages in one NotifyDisplayMessages."""


class DisplayMessages(State):
    """The messages of one station."""

    __slots__ = ("by_id",)

    def __init__(self, station: Host) -> None:
        """Start without any."""
        super().__init__(station)
        self.by_id: dict[int, Request] = {}
        """As they came."""


def _present(station: Controls) -> dict[int, Request]:
    """Return the messages that still count."""
    kept, now = peek(station, DisplayMessages), station.context.clock()
    by_id = {} if kept is None else kept.by_id
    return {number: message for number, message in by_id.items() if not _is_over(station, message, now)}


def _is_over(station: Controls, message: Request, now: float) -> bool:
    if "transactionId" in message and ongoing(station, message["transactionId"]) is None:
        return True
    end = moment(station.context, message["endDateTime"]) if "endDateTime" in message else None
    return end is not None and end <= now


def set_display_message(station: Controls, request: Request, _: Request) -> Reaction:
    """Show a message, which replaces one with the same id (O01, O02, O06)."""
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


def _keep(station: Controls, messages: dict[int, Request]) -> None:
    need(station, DisplayMessages).by_id = messages


def get_display_messages(station: Controls, request: Request, _: Request) -> Reaction:
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


def _send(station: Controls, request_id: int, found: list[Request]) -> None:
    parts = parts_of(found, _PART)
    for number, part in enumerate(parts):
        more = True if number < len(parts) - 1 else None
        payload = notify_display_messages(request_id, part, tbc=more)
        station.call("NotifyDisplayMessages", payload, station.context.clock(), triggered=True)


def clear_display_message(station: Controls, request: Request, _: Request) -> Reaction:
    """Show a message no longer (O05)."""
    present = _present(station)
    if present.pop(request["id"], None) is None:
        return Reaction("Unknown")
    return Reaction(then=partial(_keep, station, present))
