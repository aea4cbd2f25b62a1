"""Commands that a station holds open on purpose, and what an API may say about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from drivers.base import trigger_need
from interop_suite.drive.probe import COMMAND_GRACE, Probe
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps.shared_case import NEUTRAL_COMMAND
from ocppj.messages import CallResult, encode

__all__ = [
    "COMMAND",
    "COMMANDS",
    "SECOND_COMMAND",
    "answer",
    "hold",
    "is_answered",
    "second_command",
]

SECOND_COMMAND = "GetLocalListVersion"
"""Another command of every version without payload."""
COMMAND = (trigger_need(NEUTRAL_COMMAND),)
COMMANDS = (trigger_need(NEUTRAL_COMMAND), trigger_need(SECOND_COMMAND))


def hold(probe: Probe, station: ScriptedStation | None = None) -> tuple[Future[Any], str | None]:
    """Have the CSMS send the neutral command and leave it open; gives its outcome to come, and its message id."""
    station = station or probe.station
    earlier = len(station.received(NEUTRAL_COMMAND))
    station.reply(NEUTRAL_COMMAND, silent=True)
    future = probe.trigger(NEUTRAL_COMMAND, {}, station=station)
    # As long as its API is at it the CSMS may still send, however slow it is; and an API may answer before it sends.
    station.expect(NEUTRAL_COMMAND, after=earlier, timeout=station.timeout + COMMAND_GRACE, unless=future.done)
    station.expect(NEUTRAL_COMMAND, after=earlier, timeout=probe.command_patience, unless=lambda: _never_sent(future))
    calls = station.received(NEUTRAL_COMMAND)[earlier:]
    return future, calls[0].message_id if calls else None


def _never_sent(future: Future[Any]) -> bool:
    """Return whether the API has said how it ended, and not just that it was sent: then no CALL is to come."""
    return future.done() and (future.exception() is not None or future.result().status != "sent")


def answer(station: ScriptedStation, message_id: str, status: str) -> None:
    """Answer a command that was held open, or any other id."""
    station.send_raw(encode(CallResult(message_id, {"status": status})))


def second_command(probe: Probe) -> None:
    """Have the CSMS send the other command, which the station answers as a good one does."""
    probe.command(SECOND_COMMAND, {})


def is_answered(status: str) -> Callable[[Mapping[str, Any]], bool]:
    """Expect of an API's report that the station's status came through."""
    return lambda result: result.get("status") == "answered" and (result.get("payload") or {}).get("status") == status
