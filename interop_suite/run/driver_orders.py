"""Which operations `--check-driver` is to try alone, such as `token:Blocked` or `trigger:Reset={"type": "Hard"}`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from config.assignments import split_assignment
from config.words import hint
from interop_suite.drive.dialogue import DIALOGUES
from ocppj.actions import ACTIONS
from ocppj.errors import UsageError
from ocppj.schemas import validator
from ocppj.versions import Version

__all__ = ["NAMES", "CheckedTrigger", "Wanted", "read_wanted"]

NAMES = (
    "health", "register", "connect", "token:Accepted", "token:Blocked", "token:Expired", "token:parent",
    "transactions", "boot_status", "password", "sign_client_certificate",
)  # fmt: skip
_TOKEN = {"idToken": "04A1B2C3D4E5F6", "type": "ISO14443"}
_OF_2X: Mapping[str, dict[str, Any]] = {
    "ChangeAvailability": {"operationalStatus": "Operative"},
    "ClearCache": {},
    "GetBaseReport": {"requestId": 4711, "reportBase": "FullInventory"},
    "GetTransactionStatus": {},
    "RequestStartTransaction": {"idToken": _TOKEN, "remoteStartId": 4712, "evseId": 1},
    "RequestStopTransaction": {"transactionId": "no-such-session"},
    "Reset": {"type": "OnIdle"},
}
_PAYLOADS: Mapping[Version, Mapping[str, dict[str, Any]]] = MappingProxyType(
    {
        Version.V16: {
            "ChangeAvailability": {"connectorId": 0, "type": "Operative"},
            "ChangeConfiguration": {"key": "HeartbeatInterval", "value": "300"},
            "ClearCache": {},
            "RemoteStartTransaction": {"connectorId": 1, "idTag": "04A1B2C3D4E5F6"},
            "RemoteStopTransaction": {"transactionId": 4711},
            "Reset": {"type": "Soft"},
        },
        Version.V201: _OF_2X,
        Version.V21: _OF_2X,
    }
)
"""What is sent where nobody says more; the commands that change nothing are those of the dialogue."""


class CheckedTrigger(msgspec.Struct, frozen=True, kw_only=True):
    """A command that is to be tried."""

    action: str
    payload: dict[str, Any]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be tried; nothing named stands for everything."""

    names: frozenset[str] = frozenset()
    triggers: tuple[CheckedTrigger, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether nothing was named."""
        return not self.names and not self.triggers

    def includes(self, name: str) -> bool:
        """Return whether an operation is tried, for itself or because another one cannot do without."""
        others = self.triggers or self.names - {"health", "register"}
        return (
            self.everything
            or name in self.names
            or (name in ("register", "connect") and bool(others))
            or (name == "token:Accepted" and "transactions" in self.names)
        )


def read_wanted(words: Sequence[str], version: Version) -> Wanted:
    """Read the operations of a command line; raises `UsageError` for an unknown one, or one with a wrong payload."""
    names = []
    triggers = []
    for word in words:
        kind, _, rest = word.partition(":")
        if kind == "trigger":
            triggers.append(_read_trigger(word, rest, version))
        elif word in NAMES:
            names.append(word)
        else:
            raise UsageError(f"--check-driver {word} is no operation; {hint(word, [*NAMES, 'trigger:ACTION'])}")
    return Wanted(names=frozenset(names), triggers=tuple(triggers))


def _read_trigger(word: str, rest: str, version: Version) -> CheckedTrigger:
    action, text = split_assignment(rest)
    known = [name for name, entry in ACTIONS[version].items() if entry.by_csms]
    if action not in known:
        raise UsageError(f"--check-driver {word}: a CSMS sends no {action} in OCPP {version}; {hint(action, known)}")
    if text:
        try:
            payload = msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise UsageError(f"--check-driver trigger:{action}: its payload is no JSON object: {error}") from None
    else:
        found = {**DIALOGUES[version].harmless, **_PAYLOADS[version]}.get(action)
        if found is None:
            raise UsageError(f"--check-driver {word} needs a payload: 'trigger:{action}={{…}}'")
        payload = found
    for fault in validator(version, action, "request").errors(payload):
        raise UsageError(f"--check-driver trigger:{action}: {fault.path or '/'}: {fault.message[:200]}")
    return CheckedTrigger(action=action, payload=payload)
