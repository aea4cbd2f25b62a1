"""What a trace is made of: frames, exchanges, connections, and what was asked of the driver."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from ocppj.errors import Fault, RemoteProtocolError
from ocppj.messages import CallError, CallResult, Message
from ocppj.versions import Rules

__all__ = ["AnswerKind", "Connection", "DriverCall", "Exchange", "Frame", "NotSent", "Oddity", "Stray", "is_untrusted"]

_UNAUTHORIZED = (401, 403)


def is_untrusted(error: object) -> bool:
    """Return whether TLS failed for want of a root; a wrong name or date is the fault of the CSMS."""
    return any(words in str(error) for words in ("issuer certificate", "self-signed certificate", "self signed"))


class AnswerKind(StrEnum):
    """How a CALL was answered."""

    RESULT = "CALLRESULT"
    ERROR = "CALLERROR"
    MALFORMED = "a malformed answer"
    NONE = "no answer"


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One WebSocket message with what could be read of it."""

    line: int
    t: float
    station: str
    sent: bool
    """True from the station to the CSMS."""
    scripted: bool
    """False while the station was still being prepared; such frames are not judged."""
    connection: int
    rules: Rules
    """Those of the version that its connection negotiated."""
    message: Message | None
    error: RemoteProtocolError | None
    text: str | bytes


class Exchange(msgspec.Struct, kw_only=True, eq=False):
    """One CALL and its answer."""

    action: str
    payload: Any
    by_station: bool
    call: Frame
    answer: Frame | None = None
    kind: AnswerKind = AnswerKind.NONE
    cut_off: bool = False
    """Whether the CSMS ended the connection while the CALL was open."""
    waited: float | None = None
    """Seconds that nobody answered, where nobody did."""

    @property
    def result(self) -> dict[str, Any]:
        """The payload of the CALLRESULT; empty when there was none, or one that is not an object."""
        message = self.answer.message if self.answer else None
        payload = message.payload if isinstance(message, CallResult) else None
        return payload if isinstance(payload, dict) else {}

    @property
    def error(self) -> CallError | None:
        """The CALLERROR, if that was the answer."""
        message = self.answer.message if self.answer else None
        return message if isinstance(message, CallError) else None

    @property
    def service_ms(self) -> float | None:
        """Milliseconds from the CALL to its answer."""
        return None if self.answer is None else (self.answer.t - self.call.t) * 1000

    def describe_answer(self) -> str:
        """Say in a sentence how the CALL was answered."""
        if self.kind is not AnswerKind.NONE:
            return f"it answered {self.name_answer()}"
        if self.cut_off:
            return f"the connection was closed before {self.action} was answered"
        within = "" if self.waited is None else f" within {_seconds(self.waited)}"
        return f"no answer to {self.action} came{within}"

    def name_answer(self) -> str:
        """Name the answer, with what it holds."""
        if self.error is not None:
            return f"CALLERROR {self.error.code}: {self.error.description[:120]}"
        if self.kind is AnswerKind.RESULT:
            return f"CALLRESULT {_short(self.result)}"
        if self.kind is AnswerKind.MALFORMED:
            assert self.answer is not None
            assert self.answer.error is not None
            return f"a malformed answer: {self.answer.error.reason}"
        return "no answer"


class Stray(msgspec.Struct, frozen=True, kw_only=True):
    """A frame of the CSMS that belongs to no exchange."""

    frame: Frame
    fault: Fault | None
    reason: str


class Oddity(msgspec.Struct, kw_only=True, eq=False):
    """A frame of a station that is not a message of its version, and what the CSMS made of it."""

    frame: Frame
    answers: list[Frame] = []
    """Every CALLRESULT and CALLERROR with the id of the frame, or with "-1"."""
    cut_off: bool = False
    """Whether the CSMS ended the connection before it answered anything that came later."""


class Connection(msgspec.Struct, kw_only=True, eq=False):
    """One connection attempt and its end."""

    station: str
    number: int
    scripted: bool
    line: int
    info: dict[str, Any]
    t: float
    closed: dict[str, Any] | None = None
    closed_t: float | None = None
    closed_line: int | None = None

    @property
    def opened(self) -> bool:
        """Whether the CSMS upgraded the connection."""
        return self.status == 101  # noqa: PLR2004  # HTTP's own number

    @property
    def status(self) -> int | None:
        """The HTTP status of the answer; None when there was no HTTP answer."""
        return self.info.get("status")

    @property
    def subprotocol(self) -> str | None:
        """What the CSMS chose."""
        return self.info.get("subprotocol")

    @property
    def ended_by_csms(self) -> bool:
        """Whether it was not the station that ended it: with a close frame, or with a reset."""
        return (self.closed or {}).get("by") in ("csms", "network")

    @property
    def lost_broker(self) -> str:
        """How a broker refused or ended it, so that it says nothing about the CSMS; empty where none did."""
        if not self.info.get("over"):
            return ""
        end = self.info.get("error") or (self.closed or {}).get("reason")
        return str(end) if self.status is None or self.ended_by_csms else ""

    @property
    def unreachable(self) -> bool:
        """Whether there was no TCP connection at all: nobody refused, nobody was there."""
        return bool(self.info.get("unreachable"))

    @property
    def untrusted(self) -> bool:
        """Whether the station did not trust the certificate of the CSMS: a matter of the set-up."""
        return is_untrusted(self.info.get("error"))

    @property
    def wanted_credentials(self) -> bool:
        """Whether it was refused for want of credentials that no case was about: a matter of the set-up."""
        proven = self.info.get("credentials") and not self.info.get("lent")
        return self.status in _UNAUTHORIZED and not proven

    def describe(self) -> str:
        """Say in a few words how the attempt ended."""
        if self.status is None and self.info.get("over"):
            return f"the broker did not let it in ({self.info.get('error', 'unknown')})"
        if self.status is None:
            return f"no HTTP answer ({self.info.get('error', 'unknown')})"
        text = f"HTTP {self.status}"
        if self.opened:
            text += f" with subprotocol {self.subprotocol}" if self.subprotocol else " without a subprotocol"
            if self.closed and self.ended_by_csms:
                text += f", then closed by the CSMS with {self.closed.get('code') or 'no close frame'}"
        return text


class NotSent(msgspec.Struct, frozen=True, kw_only=True):
    """A CALL that the script wanted to send when there was no connection any more."""

    line: int
    station: str
    action: str
    scripted: bool
    closed: dict[str, Any]
    """How the connection had ended."""

    def describe(self) -> str:
        """Say in a few words why the CALL could not be sent."""
        how = " ".join(str(part) for part in (self.closed.get("code"), self.closed.get("reason")) if part)
        return f"it could not be sent: the connection had been closed ({how or 'without a close frame'})"

    @property
    def by_csms(self) -> bool:
        """Whether it was not the station that ended the connection."""
        return self.closed.get("by") in ("csms", "network")


class DriverCall(msgspec.Struct, frozen=True, kw_only=True):
    """An operation asked of the CSMS through its driver, and what came of it."""

    line: int
    t: float
    station: str
    operation: str
    info: dict[str, Any]

    @property
    def error(self) -> str | None:
        """Why the operation did not happen; None when it did."""
        return self.info.get("error")

    @property
    def cannot(self) -> bool:
        """Whether the driver has no way to do it, so that it says nothing about the CSMS."""
        return bool(self.info.get("cannot"))


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.1f} s"


def _short(payload: object) -> str:
    text = msgspec.json.encode(payload).decode()
    return text if len(text) <= 160 else f"{text[:160]}…"  # noqa: PLR2004  # a line for people
