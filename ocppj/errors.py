"""Everything Plugstorm raises, as one tree with a side.

    HarnessError
    ├── UsageError              the person asked for something impossible; the message says what to do next
    ├── TargetUnreachableError  nothing answered at the address that the person gave
    ├── InconclusiveError       our own set-up failed, so nothing can be said about the CSMS
    └── ProtocolError
        ├── LocalProtocolError  we were about to send nonsense by mistake
        └── RemoteProtocolError the CSMS sent something that cannot be read

A finding about the CSMS is a result object, never one of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

__all__ = [
    "Fault",
    "HarnessError",
    "InconclusiveError",
    "LocalProtocolError",
    "ProtocolError",
    "RemoteProtocolError",
    "TargetUnreachableError",
    "UsageError",
    "as_usage_error",
]


class HarnessError(Exception):
    """Root of all errors that Plugstorm raises on purpose."""


class UsageError(HarnessError):
    """A command line, file or setting that cannot work."""


@contextmanager
def as_usage_error(*kinds: type[Exception], prefix: str = "") -> Iterator[None]:
    """Raise a `UsageError` with the same words for an error of another kind, such as that of the room `config`.

    Also a decorator, for a function that reads what a person wrote.
    """
    try:
        yield
    except kinds as error:
        raise UsageError(f"{prefix}{error}") from None


class TargetUnreachableError(HarnessError):
    """No CSMS could be reached at the given address."""


class InconclusiveError(HarnessError):
    """The harness' own preparation failed."""


class ProtocolError(HarnessError):
    """OCPP-J was broken by one of the two sides."""


class LocalProtocolError(ProtocolError):
    """The harness called the protocol core in a way that OCPP-J does not allow."""


class Fault(StrEnum):
    """What is wrong with a frame, from the outermost layer inwards."""

    NOT_TEXT = "not-text"
    NOT_UTF8 = "not-utf8"
    NOT_JSON = "not-json"
    TOO_DEEP = "too-deep"
    NUMBER_RANGE = "number-range"
    NOT_ARRAY = "not-array"
    BAD_TYPE = "bad-message-type"
    UNKNOWN_TYPE = "unknown-message-type"
    WRONG_LENGTH = "wrong-length"
    BAD_ID = "bad-message-id"
    BAD_ACTION = "bad-action"
    BAD_PAYLOAD = "bad-payload"
    BAD_ERROR_CODE = "bad-error-code"
    BAD_ERROR_DESCRIPTION = "bad-error-description"
    BAD_ERROR_DETAILS = "bad-error-details"
    # Readable, and still against the text: found by `messages.review`, never raised by `messages.parse`.
    ID_TOO_LONG = "message-id-too-long"
    EMPTY_ID = "empty-message-id"
    NULL_PAYLOAD = "null-payload"
    FOREIGN_ERROR_CODE = "error-code-of-another-version"
    UNKNOWN_ERROR_CODE = "unknown-error-code"
    DESCRIPTION_TOO_LONG = "error-description-too-long"


class RemoteProtocolError(ProtocolError):
    """The peer sent a frame that is not a readable OCPP-J message.

    `message_type` and `message_id` are what could still be read, else None.
    """

    def __init__(
        self, fault: Fault, reason: str, *, message_type: int | None = None, message_id: str | None = None
    ) -> None:
        """Store the fault, a sentence for people, and what could still be read."""
        super().__init__(reason)
        self.fault = fault
        self.reason = reason
        self.message_type = message_type
        self.message_id = message_id
