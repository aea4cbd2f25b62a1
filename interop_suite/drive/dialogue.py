"""What a test station says in each version, so that the check of a driver needs no rule of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import msgspec

from fixtures.models import Station as Model
from fixtures.payloads import v2x, v16
from fixtures.tokens import Token, TokenKind
from interop_suite.drive.answers import Answer
from ocppj.versions import Version

__all__ = ["DIALOGUES", "Dialogue"]

Ask = Callable[[str, dict[str, Any]], Answer]


class Dialogue(msgspec.Struct, frozen=True, kw_only=True):
    """The sentences of one version."""

    boot: Callable[[Model], dict[str, Any]]
    available: Callable[[Model, str], list[dict[str, Any]]]
    harmless: Mapping[str, dict[str, Any]]
    """Commands that change nothing, the best first."""
    authorize: Callable[[str], dict[str, Any]]
    info: str
    """Where Authorize.conf says what it thinks of a token."""
    token_type: str | None
    parent_of: Callable[[Mapping[str, Any]], str | None]
    session: Callable[[Ask, str, Callable[[], str]], Any]
    """Have a session from start to end and give its transactionId."""


# -- OCPP 1.6 --------------------------------------------------------------------------------------------------------


def _available_16(model: Model, timestamp: str) -> list[dict[str, Any]]:
    connectors = [0, *(connector.number for connector in model.connectors)]
    return [v16.status_notification(number, "Available", timestamp=timestamp) for number in connectors]


def _session_16(ask: Ask, token: str, now: Callable[[], str]) -> Any:
    started = ask("StartTransaction", v16.start_transaction(1, token, meter_start=1000, timestamp=now()))
    number = started.get("transactionId", default=0)
    ask("StopTransaction", v16.stop_transaction(number, meter_stop=2500, timestamp=now(), id_tag=token))
    return number


_V16 = Dialogue(
    boot=v16.boot_notification,
    available=_available_16,
    harmless={
        "GetConfiguration": {"key": ["HeartbeatInterval"]},
        "TriggerMessage": {"requestedMessage": "Heartbeat"},
        "GetLocalListVersion": {},
        "UnlockConnector": {"connectorId": 1},
    },
    authorize=v16.authorize,
    info="idTagInfo",
    token_type=None,
    parent_of=lambda info: info.get("parentIdTag"),
    session=_session_16,
)


# -- OCPP 2.x --------------------------------------------------------------------------------------------------------


def _available_2x(model: Model, timestamp: str) -> list[dict[str, Any]]:
    return [
        v2x.status_notification(connector.evse_id, connector.connector_id, "Available", timestamp)
        for connector in model.connectors
    ]


def _parent_2x(info: Mapping[str, Any]) -> str | None:
    group = info.get("groupIdToken")
    return group.get("idToken") if isinstance(group, dict) else None


def _session_2x(ask: Ask, token: str, now: Callable[[], str]) -> Any:
    number = str(uuid4())
    start: dict[str, Any] = {"evse_id": 1, "connector_id": 1, "token": Token(value=token), "charging_state": "Charging"}
    ask("TransactionEvent", v2x.transaction_event("Started", "Authorized", 0, number, now(), **start))
    stop: dict[str, Any] = {"stopped_reason": "Local", "token": Token(value=token), "charging_state": "Idle"}
    ask("TransactionEvent", v2x.transaction_event("Ended", "StopAuthorized", 1, number, now(), **stop))
    return number


_HEARTBEAT_INTERVAL = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
_V2X = Dialogue(
    boot=v2x.boot_notification,
    available=_available_2x,
    harmless={
        "GetVariables": {"getVariableData": [_HEARTBEAT_INTERVAL]},
        "TriggerMessage": {"requestedMessage": "Heartbeat"},
        "GetLocalListVersion": {},
        "UnlockConnector": {"evseId": 1, "connectorId": 1},
    },
    authorize=lambda token: v2x.authorize(Token(value=token)),
    info="idTokenInfo",
    token_type=TokenKind.ISO14443,
    parent_of=_parent_2x,
    session=_session_2x,
)

DIALOGUES: Mapping[Version, Dialogue] = {Version.V16: _V16, Version.V201: _V2X, Version.V21: _V2X}
