"""The rules that a station must keep, by the names that a finding carries."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Rule"]


class Rule(StrEnum):
    """What a station must keep to."""

    UNREADABLE = "unreadable"
    """A frame that is not an OCPP-J message (OCPP-J §4)."""
    ENVELOPE = "envelope"
    """A message id that is too long, an error code that does not exist, and the like (OCPP-J §4.2)."""
    DUPLICATE_KEYS = "duplicate-keys"
    UNKNOWN_ACTION = "unknown-action"
    """An action that a station of this version does not send."""
    SCHEMA = "schema"
    """A CALL against the schema of the OCA."""
    ANSWER_SCHEMA = "answer-schema"
    """A CALLRESULT against the schema of the OCA."""
    REPEATED_ID = "repeated-id"
    """A message id that was used for another CALL (OCPP-J 1.6 §4.1.4, 2.0.1 Part 4 §4.1.4)."""
    SECOND_OPEN_CALL = "second-open-call"
    """A CALL while another one waits for its answer (OCPP-J 1.6 §4.1.1, 2.x Part 4 §4.1.1)."""
    UNSOLICITED_ANSWER = "unsolicited-answer"
    UNANSWERED_CALL = "unanswered-call"
    """A CALL of the CSMS that got no answer within the time-out."""
    NO_BOOT_FIRST = "no-boot-first"
    """A CALL before any BootNotification (OCPP 1.6 §4.2, 2.x B01)."""
    BEFORE_ACCEPTED = "before-accepted"
    """A CALL that a station must not send while Pending or Rejected (OCPP 1.6 §4.2, 2.x B02 and B03)."""
    BOOT_TOO_EARLY = "boot-too-early"
    NO_HANDSHAKE = "no-handshake"
    """A frame on a connection whose version the trace does not hold."""
    UNKNOWN_TRANSACTION = "unknown-transaction"
    REPEATED_TRANSACTION = "repeated-transaction"
    TRANSACTION_OVER = "transaction-over"
    WRONG_CONNECTOR = "wrong-connector"
    SEQUENCE_GAP = "sequence-gap"
    """A seqNo that is not one more than the last (OCPP 2.x E01)."""
    TIME_BACKWARDS = "time-backwards"
    REGISTER_BACKWARDS = "register-backwards"
    """An energy register that shows less than before."""
    NO_NUMBER = "no-number"
    """A reading of 1.6 that is not a number although its format is Raw (OCPP 1.6 §7.43)."""
    POWER_MISMATCH = "power-mismatch"
    """A power that differs from the sum of voltage times current over the phases."""
