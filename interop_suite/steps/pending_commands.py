"""Commands that have no effect on a station of ours: which of them a driver can give, held open or answered.

A case that is about the order of messages asks for any of them; the checks find out from the trace which it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from types import MappingProxyType
from typing import Any

from drivers.base import CommandResult, trigger_need
from evidence.verdicts import Verdict
from interop_suite.claims.checks import asked, reported
from interop_suite.claims.claim import Check
from interop_suite.claims.history import PRIMARY, History
from interop_suite.claims.orders import differences
from interop_suite.drive.probe import COMMAND_GRACE, Probe
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps.shared_case import V2X
from ocppj.messages import CallResult, encode
from ocppj.versions import Version

__all__ = [
    "COMMAND",
    "COMMANDS",
    "answer",
    "asked_first",
    "asked_second",
    "first_action",
    "first_command",
    "first_of",
    "has_command",
    "hold",
    "is_answered",
    "order_first",
    "order_second",
    "reply_first",
    "reported_first",
    "second_action",
    "second_command",
    "second_of",
]

Commands = Mapping[str, dict[str, Any]]
"""Payloads by action, the most harmless command first."""

_FIRST_16: Commands = {
    "ClearCache": {},
    "ChangeAvailability": {"connectorId": 2, "type": "Operative"},
    "TriggerMessage": {"requestedMessage": "Heartbeat"},
    "DataTransfer": {"vendorId": "org.example.plugstorm", "messageId": "Ping"},
}
_FIRST_2X: Commands = {
    **_FIRST_16,
    "ChangeAvailability": {"operationalStatus": "Operative", "evse": {"id": 2}},
}
FIRST: Mapping[Version, Commands] = MappingProxyType({Version.V16: _FIRST_16, **dict.fromkeys(V2X, _FIRST_2X)})
"""Commands that a station accepts or rejects, in these words."""
_VARIABLE = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
SECOND: Mapping[Version, Commands] = MappingProxyType(
    {
        Version.V16: {"GetLocalListVersion": {}, "GetConfiguration": {"key": ["HeartbeatInterval"]}},
        **{v: {"GetLocalListVersion": {}, "GetVariables": {"getVariableData": [_VARIABLE]}} for v in V2X},
    }
)
"""Commands beside those, whose answer is no matter."""


def _any_of(actions: Iterable[str]) -> str:
    return trigger_need("|".join(actions))


COMMAND = (_any_of(_FIRST_16),)
"""The need for any of the first commands, which are the same actions in each version."""
COMMANDS = {version: (*COMMAND, _any_of(SECOND[version])) for version in Version}
"""The need for one of each kind."""


def _offered(probe: Probe, commands: Commands) -> str:
    """Choose the first command that the driver can give, or the first of all where it can give none."""
    can = (action for action in commands if probe.driver.missing(trigger_need(action), probe.version) is None)
    return next(can, next(iter(commands)))


def has_command(probe: Probe, need: str) -> bool:
    """Return whether the driver can give one of the commands of a need."""
    actions = need.partition(":")[2].split("|")
    return any(probe.driver.missing(trigger_need(action), probe.version) is None for action in actions)


def first_of(probe: Probe) -> str:
    """Name the action of the first command."""
    return _offered(probe, FIRST[probe.version])


def second_of(probe: Probe) -> str:
    """Name the action of the second command."""
    return _offered(probe, SECOND[probe.version])


# -- what a script does ----------------------------------------------------------------------------------------------


def order_first(probe: Probe, *, station: ScriptedStation | None = None) -> Future[Any]:
    """Have the CSMS send the first command."""
    action = first_of(probe)
    return probe.trigger(action, FIRST[probe.version][action], station=station)


def first_command(probe: Probe, *, station: ScriptedStation | None = None) -> CommandResult | None:
    """Have the CSMS send the first command, and wait until its API has answered."""
    return probe.outcome(first_of(probe), order_first(probe, station=station), station=station)


def order_second(probe: Probe) -> Future[Any]:
    """Have the CSMS send the second command."""
    action = second_of(probe)
    return probe.trigger(action, SECOND[probe.version][action])


def second_command(probe: Probe) -> CommandResult | None:
    """Have the CSMS send the second command, which the station answers as a good one does."""
    return probe.outcome(second_of(probe), order_second(probe))


def reply_first(
    probe: Probe,
    status: str | None = None,
    *,
    station: ScriptedStation | None = None,
    payload: dict[str, Any] | None = None,
    error: tuple[str, str] | None = None,
) -> None:
    """Decide how a station answers the first command: with a status, another payload, or a CALLERROR."""
    told = payload if status is None else {"status": status}
    (station or probe.station).reply(first_of(probe), told, error=error)


def hold(probe: Probe, station: ScriptedStation | None = None) -> tuple[Future[Any], str | None]:
    """Have the CSMS send the first command and leave it open; gives its outcome to come, and its message id.

    What the CSMS sends of the same action by itself is answered as by a good station.
    """
    target = station or probe.station
    action = first_of(probe)
    ordered = FIRST[probe.version][action]

    def is_ours(payload: dict[str, Any]) -> bool:
        return not differences(action, ordered, payload)

    def ours() -> list[str]:
        return [call.message_id for call in target.received(action) if is_ours(call.payload or {})]

    earlier = len(ours())
    target.reply(action, silent=is_ours)
    future = order_first(probe, station=target)
    # As long as its API is at it the CSMS may still send, however slow it is; and an API may answer before it sends.
    target.pump(lambda: len(ours()) > earlier or future.done(), target.timeout + COMMAND_GRACE)
    target.pump(lambda: len(ours()) > earlier or _never_sent(future), probe.command_patience)
    return future, ours()[earlier] if len(ours()) > earlier else None


def _never_sent(future: Future[Any]) -> bool:
    """Return whether the API has said how it ended, and not just that it was sent: then no CALL is to come."""
    return future.done() and (future.exception() is not None or future.result().status != "sent")


def answer(station: ScriptedStation, message_id: str, status: str) -> None:
    """Answer a command that was held open, or any other id."""
    station.send_raw(encode(CallResult(message_id, {"status": status})))


# -- what a check finds ----------------------------------------------------------------------------------------------


def _ordered(history: History, commands: Commands) -> str:
    """Name the one of several actions that was ordered; the first of them where none was."""
    orders = (str(call.info.get("action")) for call in history.driver_calls if call.operation == "trigger")
    return next((action for action in orders if action in commands), next(iter(commands)))


def first_action(history: History) -> str:
    """Name the action of the first command of a case."""
    return _ordered(history, FIRST[history.rules.version])


def second_action(history: History) -> str:
    """Name the action of its second command."""
    return _ordered(history, SECOND[history.rules.version])


def asked_first(*, claim: str = "The CSMS sends the command", nth: int | None = None, role: str = PRIMARY) -> Check:
    """Claim that the CSMS sends the first command."""
    return Check(claim=claim, judge=lambda h: asked(first_action(h), claim=claim, nth=nth, role=role).judge(h))


def asked_second(*, claim: str = "The CSMS sends the next command") -> Check:
    """Claim that the CSMS sends the second command."""
    return Check(claim=claim, judge=lambda h: asked(second_action(h), claim=claim).judge(h))


def reported_first(
    holds: Callable[[Mapping[str, Any]], bool],
    *,
    claim: str,
    nth: int = -1,
    when_silent: Verdict = Verdict.INCONCLUSIVE,
    even_unsent: bool = False,
) -> Check:
    """Claim what the API says about the first command."""

    def judge(history: History) -> list[Any]:
        check = reported(
            first_action(history), holds, claim=claim, nth=nth, when_silent=when_silent, even_unsent=even_unsent
        )
        return check.judge(history)

    return Check(claim=claim, judge=judge)


def is_answered(status: str) -> Callable[[Mapping[str, Any]], bool]:
    """Expect of an API's report that the station's status came through."""
    return lambda result: result.get("status") == "answered" and (result.get("payload") or {}).get("status") == status
