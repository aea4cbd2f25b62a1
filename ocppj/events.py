"""What a `Session` reports; every event is a frozen value, and latencies follow from its times (monotonic seconds)."""

from __future__ import annotations

from typing import Any

import msgspec

from ocppj.errors import RemoteProtocolError
from ocppj.messages import Call, CallError, CallResult, CallResultError, Send

__all__ = [
    "AnswerMalformed",
    "CallReceived",
    "DuplicateAnswer",
    "ErrorReceived",
    "Event",
    "LateAnswer",
    "LostInFlight",
    "NeverSent",
    "PendingCall",
    "ResultErrorReceived",
    "ResultReceived",
    "SendReceived",
    "TimedOut",
    "Unreadable",
    "UnsolicitedAnswer",
]


class PendingCall(msgspec.Struct, eq=False, gc=False):
    """A CALL of ours, from the moment it was intended to its end.

    The garbage collector does not follow it: `Session` lets go of it when it ends, or when the connection does.
    """

    message_id: str
    action: str
    payload: Any
    intended_at: float
    """When the sender's own schedule wanted it on the wire: the start of the response time."""
    timeout: float
    """Seconds from `sent_at` until the call counts as unanswered."""
    context: Any = None
    """Whatever the caller wants back with the answer."""
    sent_at: float | None = None
    """When it went to the wire: the start of the service time. None while it waits for an earlier CALL."""


class CallReceived(msgspec.Struct, frozen=True):
    """The peer asks; answer with `Session.answer` or `Session.refuse`."""

    call: Call
    at: float
    open_before: int = 0
    """How many of the peer's earlier CALLs were still unanswered; above 0 it broke the order of §4.1.1."""
    repeated_id: bool = False
    """The id is that of a CALL which is still unanswered; each of the two takes one answer."""


class SendReceived(msgspec.Struct, frozen=True):
    """A SEND came in; it is never answered (OCPP 2.1 Part 4 §4.2.4)."""

    send: Send
    at: float


class ResultReceived(msgspec.Struct, frozen=True):
    """Our open CALL was answered with a CALLRESULT."""

    call: PendingCall
    result: CallResult
    at: float


class ErrorReceived(msgspec.Struct, frozen=True):
    """Our open CALL was answered with a CALLERROR."""

    call: PendingCall
    error: CallError
    at: float


class AnswerMalformed(msgspec.Struct, frozen=True):
    """Our open CALL was answered with a frame whose id could be read and whose rest could not."""

    call: PendingCall
    error: RemoteProtocolError
    at: float


class TimedOut(msgspec.Struct, frozen=True):
    """Our CALL was not answered in time; the next one may go."""

    call: PendingCall
    at: float


class LostInFlight(msgspec.Struct, frozen=True):
    """The connection ended while our CALL was open."""

    call: PendingCall
    at: float


class NeverSent(msgspec.Struct, frozen=True):
    """The connection ended while our CALL still waited in the queue."""

    call: PendingCall
    at: float


class LateAnswer(msgspec.Struct, frozen=True):
    """An answer to a CALL that had timed out or was lost with its connection; no clause covers it."""

    call: PendingCall
    message: CallResult | CallError
    at: float


class DuplicateAnswer(msgspec.Struct, frozen=True):
    """One more answer to the CALL of ours that was answered last."""

    message: CallResult | CallError
    at: float


class UnsolicitedAnswer(msgspec.Struct, frozen=True):
    """An answer whose id belongs to no CALL of ours that is open, timed out lately or was answered last."""

    message: CallResult | CallError
    at: float


class ResultErrorReceived(msgspec.Struct, frozen=True):
    """The peer could not process an answer of ours (OCPP 2.1 Part 4 §4.2.3)."""

    error: CallResultError
    at: float
    solicited: bool
    """Whether the id is that of an answer that we gave lately."""


class Unreadable(msgspec.Struct, frozen=True):
    """A frame that is not a message of this version, unknown message types included."""

    error: RemoteProtocolError
    at: float


Event = (
    CallReceived
    | SendReceived
    | ResultReceived
    | ErrorReceived
    | AnswerMalformed
    | TimedOut
    | LostInFlight
    | NeverSent
    | LateAnswer
    | DuplicateAnswer
    | UnsolicitedAnswer
    | ResultErrorReceived
    | Unreadable
)
