"""The words of the trace check: its rules, what it found, and how it reports both."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Final

import msgspec

__all__ = ["MOST_FINDINGS", "Finding", "Findings", "Report", "Rule"]

MOST_FINDINGS: Final = 1_000
"""How many findings are kept word for word; all are counted."""


class Rule(StrEnum):
    """What a station must keep to."""

    UNREADABLE = "unreadable"
    """A frame that is no OCPP-J message (OCPP-J §4)."""
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
    """A frame on a connection of which the trace does not say the version."""
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
    """A reading of 1.6 that is no number although its format is Raw (OCPP 1.6 §7.43)."""
    POWER_MISMATCH = "power-mismatch"
    """A power that is not the sum of voltage times current over the phases."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One broken rule, and the line of the trace that shows it."""

    rule: Rule
    station: str
    connection: int
    file: str
    line: int
    """From 1, as editors count."""
    detail: str


class Findings:
    """Collects what is found while a trace is read."""

    def __init__(self) -> None:
        """Start empty, before the first line."""
        self.kinds: Counter[str] = Counter()
        self.kept: list[Finding] = []
        self.file = ""
        self.line = 0

    def add(self, rule: Rule, station: str, connection: int, detail: str) -> None:
        """Note a broken rule at the present line."""
        self.kinds[rule] += 1
        if len(self.kept) < MOST_FINDINGS:
            self.kept.append(
                Finding(
                    rule=rule,
                    station=station,
                    connection=connection,
                    file=self.file,
                    line=self.line,
                    detail=detail,
                )
            )


class Report(msgspec.Struct, kw_only=True):
    """What was checked, and what was found."""

    files: list[str]
    frames: int
    """Sent and received."""
    stations: int
    connections: int
    calls: dict[str, dict[str, int]]
    """CALLs of the stations by version and action."""
    answers: int
    """CALLRESULTs and CALLERRORs of the stations."""
    transactions: int
    kinds: dict[str, int]
    """How many findings each rule has."""
    findings: list[Finding]
    """The first of them."""

    @property
    def total(self) -> int:
        """How many findings there are."""
        return sum(self.kinds.values())

    @property
    def sent(self) -> int:
        """How many CALLs the stations sent."""
        return sum(sum(actions.values()) for actions in self.calls.values())
