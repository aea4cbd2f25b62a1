"""What became of an operator's orders: each makes one CALL, and the API says what the station answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from evidence.verdicts import Verdict
from interop_suite.claims.claim import Finding
from interop_suite.claims.exchange import AnswerKind, DriverCall, Exchange
from interop_suite.claims.expected import shown
from interop_suite.claims.history import History
from interop_suite.claims.orders import redated
from ocppj.actions import ACTIONS
from ocppj.schemas import validator

__all__ = ["Ordered", "orders_of", "outcome_findings"]

PROMPT = 1.0
"""Seconds within which a station must have answered before a time-out at the API is the CSMS's own."""


_ONCE = frozenset(
    {
        "CertificateSigned",
        "RemoteStartTransaction",
        "RequestStartTransaction",
        "ReserveNow",
        "Reset",
        "SignedUpdateFirmware",
        "UnlockConnector",
        "UpdateFirmware",
    }
)
"""Commands whose repetition does something to the station."""
_STOPS = ("RemoteStopTransaction", "RequestStopTransaction")
_OCCASIONS = frozenset(
    {
        "Authorize",
        "BootNotification",
        "SignCertificate",
        "StartTransaction",
        "StatusNotification",
        "StopTransaction",
        "TransactionEvent",
    }
)
"""What a station says that a CSMS may act on: the same command after it is another one."""
_SESSION = frozenset({"StartTransaction", "StopTransaction", "TransactionEvent"})


class Ordered(msgspec.Struct, frozen=True, kw_only=True):
    """An order of the operator, the CALLs of its action until the next one, and what the API said."""

    order: DriverCall
    action: str
    calls: list[Exchange]
    outcome: DriverCall | None


def orders_of(history: History) -> Iterator[Ordered]:
    """List the orders in turn."""
    orders = [call for call in history.driver_calls if call.operation == "trigger"]
    for order in orders:
        action = str(order.info.get("action"))
        until = min(
            (o.line for o in orders if o.line > order.line and o.info.get("action") == action),
            default=len(history.records),
        )
        calls = [
            e
            for e in history.exchanges
            if not e.by_station
            and e.action == action
            and e.call.scripted
            and e.call.station.partition("#")[0] == order.station
            and order.line < e.call.line < until
        ]
        outcome = next(
            (
                call
                for call in history.driver_calls
                if call.operation == "outcome"
                and (call.station, call.info.get("action")) == (order.station, action)
                and order.line < call.line < until
            ),
            None,
        )
        yield Ordered(order=order, action=action, calls=calls, outcome=outcome)


def outcome_findings(history: History) -> Iterator[Finding]:
    """Find orders that were carried out twice, and answers of stations that the API tells otherwise."""
    yield from _unasked_again(history)
    for ordered in orders_of(history):
        again = _sent_again(history, ordered)
        if again is not None:
            yield Finding(
                verdict=Verdict.NON_STRICT,
                claim="One order makes one CALL",
                actual=f"{ordered.action} came again, although the station had answered it",
                frame=again.call.line,
            )
        yield from _redated(ordered)
        wrong = _told_otherwise(history, ordered)
        if wrong is not None and ordered.outcome is not None:
            yield Finding(
                verdict=Verdict.NON_STRICT,
                claim="The API of the CSMS says what the station answered",
                actual=f"{ordered.action}: {wrong}",
                frame=ordered.outcome.line,
            )


def _redated(ordered: Ordered) -> Iterator[Finding]:
    named, handed_over = ordered.order.info.get("payload") or {}, ordered.order.info.get("handed_over")
    if len(ordered.calls) != 1:
        return
    call = ordered.calls[0]
    for change in redated(ordered.action, named, call.payload or {}, handed_over):
        yield Finding(
            verdict=Verdict.NON_STRICT,
            claim="A date that the operator named is sent as it was named",
            actual=f"{ordered.action}: {change}",
            frame=call.call.line,
        )


def _unasked_again(history: History) -> Iterator[Finding]:
    """Find CALLs with an effect that nobody ordered and that repeat an answered one.

    A CSMS may send one for each message of a session, also when it comes to them late.
    """
    answered: set[tuple[str, int, str, bytes]] = set()
    sent: Counter[tuple[str, int, str, bytes]] = Counter()
    sessions: Counter[str] = Counter()
    for call in history.exchanges:
        if call.by_station and call.action in _OCCASIONS:
            answered = {place for place in answered if place[0] != call.call.station}
            sessions[call.call.station] += call.action in _SESSION
        if call.by_station or call.action not in _ONCE or history.triggers(call.action):
            continue
        place = (call.call.station, call.call.connection, call.action, msgspec.json.encode(call.payload))
        if place in answered and call.call.scripted and sent[place] >= sessions[call.call.station]:
            yield Finding(
                verdict=Verdict.NON_STRICT,
                claim="What has an effect is sent once",
                actual=f"{call.action} came again, although the station had answered it",
                frame=call.call.line,
            )
        sent[place] += 1
        if call.kind is AnswerKind.RESULT:
            answered.add(place)


def _sent_again(history: History, ordered: Ordered) -> Exchange | None:
    """Find a CALL that repeats an answered one; a CSMS may ask a station that has just booted for the same.

    What changes nothing may come again on another connection, and for the sake of a later order, such as a look at
    what the station takes; and once of its own accord, as many a CSMS reads a station after its boot. A CSMS that sends
    stations commands of its own accord may send the same at that moment, and stop a session for a reason of its own,
    too, such as a payment that failed.
    """
    if ordered.action in _STOPS or (ordered.action not in _ONCE and _asks_unasked(history, ordered)):
        return None
    answered: list[Exchange] = []
    own_looks = int(ordered.action not in _ONCE and ordered.action.startswith("Get") and _has_booted(history, ordered))
    later = min(
        (
            call.line
            for call in history.driver_calls
            if call.operation == "trigger" and call.station == ordered.order.station and call.line > ordered.order.line
        ),
        default=len(history.records),
    )
    for call in ordered.calls:
        if call.call.line > later and ordered.action not in _ONCE and call.action.startswith("Get"):
            break
        for earlier in answered:
            booted = any(
                e.by_station and e.action == "BootNotification" and ordered.order.line < e.call.line < call.call.line
                for e in history.exchanges
            )
            anew = earlier.call.connection != call.call.connection and ordered.action not in _ONCE
            if earlier.payload == call.payload and not booted and not anew and not _occasion(history, earlier, call):
                if not own_looks:
                    return call
                own_looks -= 1
        if call.kind is AnswerKind.RESULT:
            answered.append(call)
    return None


def _occasion(history: History, earlier: Exchange, later: Exchange) -> bool:
    """Return whether the station has begun or ended a session between two commands: a CSMS may act on that."""
    return any(
        e.by_station
        and e.action in _SESSION
        and e.call.station == later.call.station
        and earlier.call.line < e.call.line < later.call.line
        for e in history.exchanges
    )


def _asks_unasked(history: History, ordered: Ordered) -> bool:
    """Return whether the CSMS has sent this station something that nobody ordered, on the connection of the order."""
    first = ordered.calls[0].call if ordered.calls else None
    return first is not None and any(
        not e.by_station
        and (e.call.station, e.call.connection) == (first.station, first.connection)
        and not history.triggers(e.action)
        for e in history.exchanges
    )


def _has_booted(history: History, ordered: Ordered) -> bool:
    return any(
        e.by_station and e.action == "BootNotification" and e.call.station == ordered.order.station
        for e in history.exchanges
    )


def _told_otherwise(history: History, ordered: Ordered) -> str | None:
    if ordered.outcome is None or ordered.outcome.error is not None or len(ordered.calls) != 1:
        return None
    call, result = ordered.calls[0], ordered.outcome.info.get("result") or {}
    if not _is_plain(history, call, ordered.outcome.line):
        return None
    status = result.get("status")
    if call.error is not None:
        return f"it says {status!r}, but the station answered CALLERROR" if status == "answered" else None
    if status in ("timeout", "error") and result.get("origin") != "csms":
        return f"it says {status!r}, but the station answered {call.name_answer()}"
    payload = result.get("payload")
    if status != "answered" or not isinstance(payload, Mapping):
        return None
    return next(iter(_other_values(payload, call.result)), None)


def _other_values(told: Mapping[str, Any], answered: Mapping[str, Any]) -> Iterator[str]:
    """Compare words and numbers; an API may shape lists and objects as it likes."""
    for name, value in told.items():
        own = answered.get(name)
        if isinstance(value, str | int) and isinstance(own, str | int) and str(value).casefold() != str(own).casefold():
            yield f"it says {name} {value!r}, but the station answered {shown(own)}"


def _is_plain(history: History, call: Exchange, until: int) -> bool:
    """Return whether a command was answered at once, as its schema wants, and nothing else happened meanwhile."""
    answer = call.answer
    if answer is None or answer.line > until or answer.t - call.call.t > PROMPT:
        return False
    station = call.call.station
    ended = any(
        c.station == station and c.closed_line and call.call.line < c.closed_line < until for c in history.connections
    )
    odd = any(o.frame.station == station and call.call.line < o.frame.line < until for o in history.oddities)
    if ended or odd:
        return False
    if call.kind is not AnswerKind.RESULT:
        return call.kind is AnswerKind.ERROR
    version = call.call.rules.version
    known = call.action in ACTIONS[version]
    return known and not validator(version, call.action, "response").errors(call.result)
