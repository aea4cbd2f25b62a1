"""How a CSMS asks: not twice, not for nothing, and not for more at once than the station takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from analysis.model import Side
from analysis.rulebook.contract import AnswerCheck, CallCheck, Exchange, Payload, StationView, Watcher
from ocppj.actions import ACTIONS

__all__ = ["Requests"]

_STARTS: Final = frozenset({"RemoteStartTransaction", "RequestStartTransaction"})
_TWICE: Final = 1.0
"""Seconds within which nobody presses a button twice."""
_STILL_REPORTED: Final = 300.0
"""Seconds within which the results of a request may still come; a CSMS that restarts may count anew."""
_NUMBERED: Final[Mapping[str, tuple[str, str]]] = {
    "GetBaseReport": ("report", "requestId"),
    "GetReport": ("report", "requestId"),
    "GetMonitoringReport": ("report of monitors", "requestId"),
    "GetDisplayMessages": ("request for messages", "requestId"),
    "CustomerInformation": ("request for a customer", "requestId"),
    "RequestStartTransaction": ("start", "remoteStartId"),
}
"""What a request asks for, and the field that numbers it, by action; an UpdateFirmware or GetLog replaces the last."""
_LIMIT: Final = "ItemsPerMessage"
_COUNT: Final = re.compile(r"[1-9]\d{0,8}")


class Requests(Watcher):
    """Looks at what a CSMS sends, as far as it is no matter of profiles, lists or certificates."""

    def __init__(self, station: StationView) -> None:
        """Start without knowing limits."""
        super().__init__(station)
        self._limits: dict[str, int] = {}
        """By action: how many things the station takes in one message."""
        self._start: tuple[Payload, float | None] | None = None
        """The last start from afar."""
        self._numbered: dict[str, tuple[Payload, float | None]] = {}
        """By what they ask for: the last request with a number that the station accepted."""

    @property
    def calls(self) -> Mapping[str, CallCheck]:
        """Return what to do with CALLs."""
        return {name: self._sent for name, about in ACTIONS[self.station.version].items() if about.by_csms}

    @property
    def answers(self) -> Mapping[str, AnswerCheck]:
        """Return what to do with CALLRESULTs."""
        asking = dict.fromkeys((name for name in _NUMBERED if name in ACTIONS[self.station.version]), self._taken)
        return {"GetVariables": self._told, **asking}

    def _sent(self, exchange: Exchange) -> None:
        payload, action = exchange.payload or {}, exchange.action
        if exchange.sender is not Side.CSMS:
            return
        limit = self._limits.get(action)
        if limit is not None:
            most = max((len(value) for value in payload.values() if isinstance(value, list)), default=0)
            if most > limit:
                self.station.find("items-per-message", f"{action} names {most} things; the station takes {limit}")
        if action in _NUMBERED:
            self._compare_number(exchange, payload)
        if action in _STARTS:
            self._starts(exchange, payload)
        elif action == "TriggerMessage":
            if payload.get("requestedMessage") == "CustomTrigger" and not payload.get("customTrigger"):
                self.station.find("custom-trigger", "TriggerMessage for a CustomTrigger does not name it")
        elif action == "CustomerInformation" and not payload.get("report") and not payload.get("clear"):
            self.station.find("nothing-asked", "CustomerInformation asks neither for a report nor for clearing")

    def _starts(self, exchange: Exchange, payload: Payload) -> None:
        before, self._start = self._start, (payload, exchange.at)
        if before is None or before[1] is None or exchange.at is None:
            return
        asked = _without_id(payload)
        if asked == _without_id(before[0]) and 0 <= exchange.at - before[1] < _TWICE:
            self.station.find("command-doubled", f"{exchange.action} is sent twice within a moment")

    def _compare_number(self, exchange: Exchange, payload: Payload) -> None:
        kind, field = _NUMBERED[exchange.action]
        before, at = self._numbered.get(kind, (payload, None))
        if before == payload or before.get(field) != payload.get(field) or at is None or exchange.at is None:
            return
        if 0 <= exchange.at - at <= _STILL_REPORTED:
            self.station.find(
                "request-id-reused",
                f"{exchange.action} bears the {field} {payload.get(field)} of another {kind} that was Accepted before",
            )

    def _taken(self, exchange: Exchange, answer: Payload) -> None:
        if answer.get("status") == "Accepted" and exchange.payload is not None and exchange.sender is Side.CSMS:
            self._numbered[_NUMBERED[exchange.action][0]] = (exchange.payload, exchange.at)

    def _told(self, exchange: Exchange, answer: Payload) -> None:
        del exchange
        for result in answer.get("getVariableResult", ()):
            variable: Mapping[str, Any] = result.get("variable", {})
            if variable.get("name") == _LIMIT and "instance" in variable:
                self._limits.pop(variable["instance"], None)
                # A station that takes nothing at all means something else.
                if _COUNT.fullmatch(str(result.get("attributeValue"))):
                    self._limits[variable["instance"]] = int(result["attributeValue"])


def _without_id(payload: Payload) -> Payload:
    """Leave out the number that 2.x gives each start."""
    return {name: value for name, value in payload.items() if name != "remoteStartId"}
