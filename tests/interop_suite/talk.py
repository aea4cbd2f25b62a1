"""Hand-made histories of 2.x: a station, a CSMS and its operator, each line with its answer."""

from __future__ import annotations

import json
from typing import Any

from interop_suite.catalogue import all_cases
from interop_suite.claims.history import History
from interop_suite.run.judge import judge
from ocppj.versions import Version
from tests.interop_suite.recording import begun

__all__ = ["ACCEPTED", "Talk"]

ACCEPTED = {"status": "Accepted"}
NOW = "2026-01-01T00:00:00Z"


class Talk:
    """Writes the conversation of one attempt."""

    def __init__(self, version: Version = Version.V21) -> None:
        self.version = version
        self.recording = begun(version)
        self._count = 0

    def _id(self) -> str:
        self._count += 1
        return f"m{self._count}"

    def station(self, action: str, payload: dict[str, Any], answer: dict[str, Any] | str) -> Talk:
        """A CALL of the station; an answer that is a text is the code of a CALLERROR."""
        number = self._id()
        reply = [4, number, answer, "", {}] if isinstance(answer, str) else [3, number, answer]
        self.recording.sent(json.dumps([2, number, action, payload])).got(json.dumps(reply))
        return self

    def csms(self, action: str, payload: Any, answer: dict[str, Any] = ACCEPTED) -> Talk:
        """A CALL of the CSMS."""
        number = self._id()
        self.recording.got(json.dumps([2, number, action, payload])).sent(json.dumps([3, number, answer]))
        return self

    def ordered(
        self,
        action: str,
        named: dict[str, Any],
        sent: dict[str, Any] | None,
        *,
        handed_over: list[str] | None = None,
        answer: dict[str, Any] = ACCEPTED,
        result: dict[str, Any] | None = None,
    ) -> Talk:
        """An order of the operator, and what the CSMS made of it; None where nothing came."""
        told = {} if handed_over is None else {"handed_over": handed_over}
        self.recording.driver(operation="trigger", action=action, payload=named, **told)
        if sent is not None:
            self.csms(action, sent, answer)
        said = result or {"status": "answered", "payload": answer}
        self.recording.driver(operation="outcome", action=action, result=said)
        return self

    def session(self, transaction: str, evse: int) -> Talk:
        """A transaction that begins at an EVSE."""
        event = {
            "eventType": "Started",
            "timestamp": NOW,
            "triggerReason": "CablePluggedIn",
            "seqNo": 0,
            "transactionInfo": {"transactionId": transaction},
            "evse": {"id": evse, "connectorId": 1},
        }
        return self.station("TransactionEvent", event, {})

    def heartbeat(self) -> Talk:
        return self.station("Heartbeat", {}, {"currentTime": NOW})

    def history(self) -> History:
        return self.recording.history()

    def verdict(self, name: str) -> str:
        """Judge the conversation as an attempt at a case."""
        case = next(case for case in all_cases() if case.id == name and case.ocpp is self.version)
        return str(judge(case, self.history()).verdict)
