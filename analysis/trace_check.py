"""Reads trace files record by record and checks every station in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from analysis.conversation import Conversation
from analysis.findings import Findings, TraceReport
from evidence.run_folder import read_trace
from ocppj.trace import Kind, TraceRecord
from ocppj.versions import Version

__all__ = ["CALL_TIMEOUT", "check_traces"]

CALL_TIMEOUT: Final = 30.0
"""Seconds until a station gives up on an answer, unless the run says something else."""


def check_traces(paths: Iterable[Path], *, call_timeout: float = CALL_TIMEOUT) -> TraceReport:
    """Check the stations of each file; raises `UsageError` where one cannot be read.

    Each file is checked by itself: its monotonic times are its own, and a station that moved to another worker began
    anew there.
    """
    findings = Findings()
    calls: Counter[tuple[Version, str]] = Counter()
    files: list[str] = []
    frames = connections = answers = transactions = 0
    stations: set[str] = set()
    for path in paths:
        files.append(str(path))
        findings.file = path.name
        conversations: dict[str, Conversation] = {}
        for number, record in enumerate(read_trace(path), 1):
            findings.line = number
            conversation = conversations.get(record.station)
            if conversation is None:
                conversation = conversations[record.station] = Conversation(
                    record.station, findings, calls, call_timeout=call_timeout
                )
            frames += _take(conversation, record)
        stations |= conversations.keys()
        connections += sum(conversation.connections for conversation in conversations.values())
        answers += sum(conversation.answers for conversation in conversations.values())
        transactions += sum(conversation.transactions for conversation in conversations.values())
    by_version: dict[str, dict[str, int]] = {}
    for (version, action), count in sorted(calls.items()):
        by_version.setdefault(str(version), {})[action] = count
    return TraceReport(
        files=files,
        frames=frames,
        stations=len(stations),
        connections=connections,
        calls=by_version,
        answers=answers,
        transactions=transactions,
        kinds=dict(findings.kinds),
        findings=findings.kept,
    )


def _take(conversation: Conversation, record: TraceRecord) -> int:
    """Pass a record on to its conversation; return how many frames it holds."""
    match record.kind:
        case Kind.SENT:
            conversation.sent(record.t, record.data)
            return 1
        case Kind.RECEIVED:
            conversation.received(record.t, record.data)
            return 1
        case Kind.HANDSHAKE if "subprotocol" in record.info:
            conversation.opened(record.connection, record.info["subprotocol"])
        case Kind.CLOSED:
            conversation.closed(record.t)
        case _:
            pass
    return 0
