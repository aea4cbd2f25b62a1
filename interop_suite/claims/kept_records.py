"""What a CSMS kept of the sessions that a station told and it confirmed: every field that its records have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from evidence.verdicts import Verdict
from interop_suite.claims.claim import Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind, Exchange
from interop_suite.claims.expected import field
from interop_suite.claims.history import History
from interop_suite.claims.moments import apart
from ocppj.versions import Version

__all__ = ["Session", "is_same", "record_findings", "same_number", "sessions_of", "stations_with_sessions"]

_SAME_TIME = 1.0
"""Seconds: a CSMS may keep times without their fractions."""
_ENERGY = "Energy.Active.Import.Register"
_OPEN, _CLOSED = "open", "closed"
_UNSAID = "Local"
"""The reason of an end that names none (OCPP 1.6 §6.49; 2.x stoppedReason)."""
_CLAUSES: Mapping[Version, Clause] = MappingProxyType(
    {
        Version.V16: Clause("1.6", "4.10"),
        **dict.fromkeys((Version.V201, Version.V21), Clause("201-6", "E06.FR.02")),
    }
)
_TELLS = frozenset({"StartTransaction", "StopTransaction", "TransactionEvent"})


class Session(msgspec.Struct, kw_only=True):
    """One session as its station told it; what it did not tell, or told in two ways, is not in `fields`."""

    id: int | str
    fields: dict[str, Any]
    """Values by the names that records have."""
    ended: bool = False
    doubtful: bool = False
    """Whether a message about it was not answered: the CSMS may know it or not."""


def stations_with_sessions(history: History) -> list[str]:
    """List the stations that told a session which the CSMS confirmed."""
    stations = [name for name in dict.fromkeys(history.roles.values()) if "#" not in name]
    return [station for station in stations if sessions_of(history, station)]


def sessions_of(history: History, station: str) -> dict[str, Session]:
    """Collect the sessions of a station by id, as text, from its messages in their order.

    Another socket that claims to be the station makes it unclear who told what: then there are none.
    """
    calls = [e for e in history.exchanges if e.by_station and e.action in _TELLS and isinstance(e.payload, Mapping)]
    if any(e.call.station.startswith(f"{station}#") for e in calls):
        return {}
    sessions: dict[str, Session] = {}
    for call in calls:
        if call.call.station == station:
            _READERS[call.action](sessions, call)
    return sessions


def _start(sessions: dict[str, Session], call: Exchange) -> None:
    number, payload = call.result.get("transactionId"), call.payload
    if call.kind is not AnswerKind.RESULT or type(number) is not int:
        return
    told = {
        "connectorId": payload.get("connectorId"),
        "idTag": payload.get("idTag"),
        "meterStart": payload.get("meterStart"),
        "startTime": payload.get("timestamp"),
    }
    known = sessions.get(str(number))
    if known is None:
        # What a CSMS keeps of a start that it refused is its own affair.
        refused = field(call.result, "idTagInfo.status") != "Accepted"
        sessions[str(number)] = Session(id=number, fields=told, doubtful=refused)
    elif any(known.fields.get(name) != value for name, value in told.items()):
        known.doubtful = True


def _stop(sessions: dict[str, Session], call: Exchange) -> None:
    payload = call.payload
    known = sessions.get(str(payload.get("transactionId")))
    if known is None:
        return
    told = {
        "meterStop": payload.get("meterStop"),
        "stopTime": payload.get("timestamp"),
        "reason": payload.get("reason", _UNSAID),
        "stopIdTag": payload.get("idTag"),
    }
    _end(known, told, call)


def _end(known: Session, told: Mapping[str, Any], call: Exchange) -> None:
    if call.kind is not AnswerKind.RESULT:
        known.doubtful = True
    elif not known.ended:
        known.ended = True
        known.fields |= told


def _event(sessions: dict[str, Session], call: Exchange) -> None:
    payload = call.payload
    number, kind = field(payload, "transactionInfo.transactionId"), payload.get("eventType")
    if not isinstance(number, str):
        return
    known = sessions.get(number)
    if known is None:
        # Whoever hears of a session in its middle dates it as it likes.
        known = sessions[number] = Session(id=number, fields={}, doubtful=kind != "Started")
    if call.kind is not AnswerKind.RESULT:
        known.doubtful = True
        return
    if kind == "Started":
        known.fields |= {"startTime": payload.get("timestamp"), "meterStart": _register(payload)}
    for name, path in (("evseId", "evse.id"), ("connectorId", "evse.connectorId"), ("idTag", "idToken.idToken")):
        value = field(payload, path)
        if name == "idTag" and kind == "Ended" and name in known.fields:
            # Whoever ends a session need not be who began it.
            continue
        if value is not None and known.fields.setdefault(name, value) != value:
            # Two tokens or places in one session: a record has room for one.
            known.fields[name] = None
    if kind == "Ended":
        told = {
            "meterStop": _register(payload),
            "stopTime": payload.get("timestamp"),
            "reason": field(payload, "transactionInfo.stoppedReason") or _UNSAID,
            "stopIdTag": field(payload, "idToken.idToken"),
        }
        _end(known, told, call)


def _register(payload: Mapping[str, Any]) -> float | None:
    """Read the energy register of an event in Wh; None unless there is exactly one plain value."""
    values = payload.get("meterValue")
    samples = [s for value in values for s in value.get("sampledValue", ())] if isinstance(values, list) else []
    own = [s for s in samples if s.get("measurand", _ENERGY) == _ENERGY and "phase" not in s]
    if len(own) != 1 or field(own[0], "unitOfMeasure.unit") not in (None, "Wh"):
        return None
    value = own[0].get("value")
    plain = isinstance(value, int | float) and not field(own[0], "unitOfMeasure.multiplier")
    return value if plain else None


_READERS: Mapping[str, Callable[[dict[str, Session], Exchange], None]] = MappingProxyType(
    {"StartTransaction": _start, "StopTransaction": _stop, "TransactionEvent": _event}
)


def record_findings(history: History) -> Iterator[Finding]:
    """Hold the records that were read at the end of a case against what the stations told."""
    last = {call.station: call for call in history.driver_calls if call.operation == "kept" and call.error is None}
    for station, read in last.items():
        rows = read.info.get("transactions") or []
        for session in sessions_of(history, station).values():
            for problem in _problems(session, rows):
                yield Finding(
                    verdict=Verdict.NON_STRICT,
                    claim="The CSMS keeps of a session what the station told and it confirmed",
                    actual=f"transaction {session.id}: {problem}",
                    clause=_CLAUSES[history.rules.version],
                    frame=read.line,
                )


def _problems(session: Session, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if session.doubtful:
        return
    own = [row for row in rows if str(row.get("transactionId")) == str(session.id)]
    if len(own) != 1:
        yield "it is not recorded" if not own else f"it is recorded {len(own)} times"
        return
    state = own[0].get("state")
    if state is not None and state != (_CLOSED if session.ended else _OPEN):
        yield f"recorded as {state}, although its end was {'told' if session.ended else 'never told'}"
    for name, told in session.fields.items():
        # A field that a record does not have is one that this CSMS does not keep.
        if told is not None and name in own[0] and not _SAME[name](told, own[0][name]):
            yield f"{name} is {own[0][name]!r}, told {told!r}"


def _same_text(told: Any, kept: Any) -> bool:
    return str(told).casefold() == str(kept).casefold()


def same_number(told: Any, kept: Any) -> bool:
    """Return whether both are the same number, written in whatever way."""
    try:
        return float(told) == float(kept)
    except (TypeError, ValueError, OverflowError):
        return False


def _same_time(told: Any, kept: Any) -> bool:
    if kept is None:
        return False
    difference = apart(told, kept)
    # What is not written as OCPP writes times cannot be compared.
    return difference is None or difference <= _SAME_TIME


def _same_reason(told: Any, kept: Any) -> bool:
    return _letters(told) == _letters(kept) or (told == _UNSAID and kept is None)


def _letters(word: Any) -> str:
    """Leave out how the words of a reason are joined: EVDisconnected may be kept as EV_DISCONNECTED."""
    return "".join(letter for letter in str(word).casefold() if letter.isalnum())


_SAME: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType(
    {
        "connectorId": same_number,
        "evseId": same_number,
        "idTag": _same_text,
        "meterStart": same_number,
        "startTime": _same_time,
        "meterStop": same_number,
        "stopTime": _same_time,
        "reason": _same_reason,
        "stopIdTag": _same_text,
    }
)


def is_same(name: str, told: Any, kept: Any) -> bool:
    """Return whether a record keeps in a field what was told; states are words, and other fields have their rules."""
    return _SAME.get(name, _same_text)(told, kept)
