"""What differs between OCPP-J 1.6, 2.0.1 and 2.1 on the wire, as one table a version.

Sources: OCPP-J 1.6 §3-§4 with its errata sheet; OCPP 2.0.1 Part 4 §3-§5 with its errata sheets; OCPP 2.1 Part 4 §3-§5.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from types import MappingProxyType

import msgspec

__all__ = ["RULES", "ErrorMeaning", "MessageType", "Rules", "UnknownType", "Version", "rules_for_subprotocol"]


class Version(StrEnum):
    """An OCPP version, spelled as on the command line and in `run.json`."""

    V16 = "1.6"
    V201 = "2.0.1"
    V21 = "2.1"


class MessageType(IntEnum):
    """The first element of every OCPP-J array (OCPP 2.1 Part 4 §4.1.3)."""

    CALL = 2
    CALLRESULT = 3
    CALLERROR = 4
    CALLRESULTERROR = 5
    SEND = 6


class ErrorMeaning(StrEnum):
    """What a CALLERROR wants to say, whatever the version spells it."""

    UNKNOWN_ACTION = "unknown action"
    UNSUPPORTED_ACTION = "unsupported action"
    INTERNAL = "internal failure"
    PROTOCOL = "payload does not conform to the message"
    SECURITY = "security issue"
    FORMAT = "payload is syntactically wrong"
    PROPERTY = "a field has an invalid value"
    OCCURRENCE = "a field is missing or occurs too often"
    TYPE = "a field has the wrong data type"
    GENERIC = "any other error"
    MESSAGE_TYPE = "message type not supported"
    RPC = "not a valid RPC request"


class UnknownType(StrEnum):
    """What a receiver does with a message type number that it does not know."""

    IGNORE = "ignore"
    ANSWER = "answer"


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The wire rules of one version; lengths are in characters."""

    version: Version
    subprotocol: str
    message_types: frozenset[MessageType]
    error_codes: Mapping[ErrorMeaning, str]
    unknown_type: UnknownType
    message_id_max: int
    """OCPP-J 1.6 table 3; 2.x Part 4 table 4."""
    error_description_max: int | None
    """2.x Part 4 §4.2.3; 1.6 sets no maximum."""
    identity_max: int | None
    identity_forbidden: str
    """Characters that a station identity must not hold."""
    one_open_call: bool
    """True where a second open CALL per direction is a SHALL NOT (2.x Part 4 §4.1.1); a SHOULD NOT in 1.6."""
    unreadable_message_id: str | None
    """Id of a CALLERROR to a frame whose own id cannot be read (2.x Part 4 §4.2.3), None where undefined."""

    def code(self, meaning: ErrorMeaning) -> str:
        """Spell an error as this version does; a meaning that it lacks becomes its general error."""
        return self.error_codes.get(meaning) or self.error_codes[ErrorMeaning.GENERIC]

    @property
    def all_error_codes(self) -> frozenset[str]:
        """Every error code that may appear in a CALLERROR of this version."""
        return frozenset(self.error_codes.values())


_SHARED_CODES: dict[ErrorMeaning, str] = {
    ErrorMeaning.UNKNOWN_ACTION: "NotImplemented",
    ErrorMeaning.UNSUPPORTED_ACTION: "NotSupported",
    ErrorMeaning.INTERNAL: "InternalError",
    ErrorMeaning.PROTOCOL: "ProtocolError",
    ErrorMeaning.SECURITY: "SecurityError",
    ErrorMeaning.PROPERTY: "PropertyConstraintViolation",
    ErrorMeaning.TYPE: "TypeConstraintViolation",
    ErrorMeaning.GENERIC: "GenericError",
}
# OCPP-J 1.6 errata §5.1 and §5.2: both spellings of 1.6 are known typos that stay.
_CODES_16 = {
    **_SHARED_CODES,
    ErrorMeaning.FORMAT: "FormationViolation",
    ErrorMeaning.OCCURRENCE: "OccurenceConstraintViolation",
}
_CODES_2X = {
    **_SHARED_CODES,
    ErrorMeaning.FORMAT: "FormatViolation",
    ErrorMeaning.OCCURRENCE: "OccurrenceConstraintViolation",
    ErrorMeaning.MESSAGE_TYPE: "MessageTypeNotSupported",
    ErrorMeaning.RPC: "RpcFrameworkError",
}
_RPC_TYPES = frozenset({MessageType.CALL, MessageType.CALLRESULT, MessageType.CALLERROR})

RULES: Mapping[Version, Rules] = MappingProxyType(
    {
        Version.V16: Rules(
            version=Version.V16,
            subprotocol="ocpp1.6",
            message_types=_RPC_TYPES,
            error_codes=MappingProxyType(_CODES_16),
            unknown_type=UnknownType.IGNORE,
            message_id_max=36,
            error_description_max=None,
            identity_max=None,
            identity_forbidden="",
            one_open_call=False,
            unreadable_message_id=None,
        ),
        Version.V201: Rules(
            version=Version.V201,
            subprotocol="ocpp2.0.1",
            message_types=_RPC_TYPES,
            error_codes=MappingProxyType(_CODES_2X),
            unknown_type=UnknownType.ANSWER,
            message_id_max=36,
            error_description_max=255,
            identity_max=48,
            identity_forbidden=":",
            one_open_call=True,
            unreadable_message_id="-1",
        ),
        Version.V21: Rules(
            version=Version.V21,
            subprotocol="ocpp2.1",
            message_types=frozenset(MessageType),
            error_codes=MappingProxyType(_CODES_2X),
            unknown_type=UnknownType.IGNORE,
            message_id_max=36,
            error_description_max=255,
            identity_max=48,
            identity_forbidden=":",
            one_open_call=True,
            unreadable_message_id="-1",
        ),
    }
)

_BY_SUBPROTOCOL = {rules.subprotocol: rules for rules in RULES.values()}


def rules_for_subprotocol(subprotocol: str | None) -> Rules | None:
    """Find the rules of a negotiated WebSocket subprotocol, or None when it names no version known here."""
    return _BY_SUBPROTOCOL.get(subprotocol or "")
