"""Values that every message of a CSMS must stay within, besides its schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from evidence.verdicts import Verdict
from interop_suite.claims.claim import Finding
from interop_suite.claims.exchange import AnswerKind
from interop_suite.claims.expected import field
from interop_suite.claims.history import History
from ocppj.messages import Call, CallResult

__all__ = ["value_findings"]

_LARGEST = 2**31 - 1
_INTERNAL_ERROR = 1011
"""The close code of a server that ran into an error (RFC 6455 §7.4.1)."""
_HASHES = "certificateHashData"
_ECHOES = MappingProxyType(
    {
        "GetCertificateChainStatus": ("certificateStatusRequests", "certificateStatus"),
        "VatNumberValidation": ("vatNumber", "vatNumber"),
    }
)
"""Where a station names what it asks for, and where the answer names it again."""
_PERIODS = "chargingSchedulePeriod"


def value_findings(history: History) -> Iterator[Finding]:
    """Find integers that no station can hold, and schedules whose periods are out of order.

    What the station sent or the operator named comes back as it was.
    """
    given = {number for frame in history.frames if frame.sent for number in _integers(_payload(frame.message))}
    given |= {
        number
        for call in history.driver_calls
        if call.operation == "trigger"
        for number in _integers(call.info.get("payload"))
    }
    yield from _collapses(history)
    yield from _echoes(history)
    for frame in history.scripted_frames():
        payload = _payload(frame.message)
        wide = next((n for n in _integers(payload) if not -_LARGEST - 1 <= n <= _LARGEST and n not in given), None)
        if wide is not None:
            yield Finding(
                verdict=Verdict.NON_STRICT,
                claim="Every integer of the CSMS has 32 bits, as stations hold it",
                actual=f"it sent {wide}",
                frame=frame.line,
            )
        starts = next((s for s in _starts(payload) if s[0] != 0 or sorted(set(s)) != s), None)
        if starts is not None and isinstance(frame.message, Call):
            yield Finding(
                verdict=Verdict.NON_STRICT,
                claim="The periods of a schedule begin at 0 and follow one another",
                actual=f"startPeriod is {', '.join(map(str, starts))}",
                frame=frame.line,
            )


def _collapses(history: History) -> Iterator[Finding]:
    """Find connections that the CSMS ended for an error of its own, while stations sent nothing that is odd."""
    if history.oddities or any("raw" in record.info for record in history.records):
        return
    for connection in history.connections:
        closed = connection.closed or {}
        if connection.ended_by_csms and closed.get("code") == _INTERNAL_ERROR:
            yield Finding(
                verdict=Verdict.NON_STRICT,
                claim="The CSMS keeps the connection of a station that does nothing wrong",
                actual=f"it closed with {_INTERNAL_ERROR}: {closed.get('reason') or 'no reason'}",
                frame=connection.closed_line,
            )


def _echoes(history: History) -> Iterator[Finding]:
    """Find answers that name another thing than the station asked for."""
    for exchange in history.exchanges:
        wanted, told = _ECHOES.get(exchange.action, (None, None))
        if wanted is None or told is None or not exchange.by_station or exchange.kind is not AnswerKind.RESULT:
            continue
        asked = _texts(field(exchange.payload, wanted))
        foreign = next((text for text in _texts(field(exchange.result, told)) if text not in asked), None)
        if foreign is not None:
            yield Finding(
                verdict=Verdict.NON_STRICT,
                claim="An answer names what the station asked for",
                actual=f"{exchange.action}: {foreign!r} is not what was asked for",
                frame=exchange.answer.line if exchange.answer else None,
            )


def _texts(value: Any) -> list[str]:
    """List the texts that name a thing: a number, or the hashes of certificates."""
    if isinstance(value, list):
        hashes = [entry[_HASHES] for entry in value if isinstance(entry, Mapping) and _HASHES in entry]
        return [text for each in hashes if isinstance(each, Mapping) for text in map(str, each.values())]
    return [] if value is None else [str(value)]


def _payload(message: object) -> Any:
    return message.payload if isinstance(message, Call | CallResult) else None


def _integers(value: Any) -> Iterator[int]:
    match value:
        case bool():
            return
        case int():
            yield value
        case Mapping():
            for inner in value.values():
                yield from _integers(inner)
        case list():
            for inner in value:
                yield from _integers(inner)
        case _:
            return


def _starts(value: Any) -> Iterator[list[int]]:
    """List the beginnings of each schedule's periods."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            periods = inner if name == _PERIODS and isinstance(inner, list) else ()
            starts = [p.get("startPeriod") for p in periods if isinstance(p, Mapping)]
            numbers = [start for start in starts if type(start) is int]
            if numbers and numbers == starts:
                yield numbers
            yield from _starts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _starts(inner)
