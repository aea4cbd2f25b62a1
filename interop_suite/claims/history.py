"""A recorded trace, read back as exchanges: who asked what, and how it was answered.

Judges see nothing but this, so a verdict can be computed again from the file alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any

from interop_suite.claims.exchange import (
    AnswerKind,
    Connection,
    DriverCall,
    Exchange,
    Frame,
    NotSent,
    Oddity,
    Stray,
)
from ocppj.errors import Fault, RemoteProtocolError
from ocppj.messages import Call, CallError, CallResult, CallResultError, Message, Send, parse, review
from ocppj.trace import Kind, TraceRecord
from ocppj.versions import RULES, Rules, Version, rules_for_subprotocol

__all__ = ["BYSTANDER", "ID_FAULTS", "PRIMARY", "UNREADABLE_ID", "History"]

PRIMARY = "primary"
"""The role of the station that a case is about."""
UNREADABLE_ID = "-1"
"""The id of a CALLERROR to a frame whose own id cannot be read (2.x Part 4 §4.2.3); 1.6 names none."""
ID_FAULTS = frozenset({Fault.ID_TOO_LONG, Fault.EMPTY_ID})
"""What makes an id one that no answer may repeat."""
BYSTANDER = "bystander"
"""The role of a station that has nothing to do with it."""


def names_id(text: str | bytes, message_id: str) -> bool:
    """Return whether an id is what a lax reader finds in a frame that a strict one cannot read.

    It may have been quoted otherwise, stand in text that is not UTF-8, or be no string, such as 17, true or ["x"].
    """
    if not message_id:
        return False
    readings = (text,) if isinstance(text, str) else tuple(text.decode(code, "replace") for code in ("utf-8", "utf-16"))
    own = re.escape(message_id)
    return any(re.match(rf"[^,]*,\s*(\[\s*)?(['\"]?){own}\2\s*[\],]", reading, re.IGNORECASE) for reading in readings)


def _message_of(record: TraceRecord, rules: Rules) -> Message:
    """Read a frame; raises `RemoteProtocolError`, also for what is not of the dialect that was spoken."""
    if "foreign" in record.info:
        raise RemoteProtocolError(Fault.NOT_ARRAY, f"it is not of this dialect: {record.info['foreign']}")
    return parse(record.data, rules)


_PIPELINED = 0.2
"""Seconds: what a station sends earlier than that after a CALL, it sends without waiting for the answer."""


class History:
    """Everything that happened in one attempt at one case."""

    def __init__(self, records: Iterable[TraceRecord], version: Version) -> None:
        """Read the records in the order of the file."""
        self.rules: Rules = RULES[version]
        self.records = list(records)
        self.frames: list[Frame] = []
        self.exchanges: list[Exchange] = []
        self.strays: list[Stray] = []
        self.oddities: list[Oddity] = []
        self.sends: list[Frame] = []
        self.connections: list[Connection] = []
        self.driver_calls: list[DriverCall] = []
        self.not_sent: list[NotSent] = []
        self.answers_to_bytes: list[Frame] = []
        """Answers to what the station wrote as bytes that are not WebSocket frames."""
        self.roles: dict[str, str] = {}
        self.inconclusive: str | None = None
        self.cannot = False
        """Whether it is inconclusive because the driver has no way to do what the case needs."""
        self._open: dict[tuple[str, bool, str], Exchange] = {}
        self._answered: set[tuple[str, bool, str]] = set()
        self._late: set[tuple[str, bool, str]] = set()
        """What a station asked on an earlier connection to a broker."""
        self._own_ids: set[tuple[str, int, str]] = set()
        self._spoken: dict[tuple[str, int], Rules] = {}
        scripted = False
        for line, record in enumerate(self.records):
            match record.kind:
                case Kind.NOTE:
                    scripted = self._note(line, record, scripted=scripted)
                case Kind.SENT | Kind.RECEIVED:
                    self._frame(line, record, scripted=scripted)
                case Kind.HANDSHAKE:
                    self._handshake(line, record, scripted=scripted)
                case Kind.CLOSED:
                    self._close(line, record)
                case Kind.DRIVER:
                    operation = record.info.get("operation", "")
                    call = DriverCall(
                        line=line, t=record.t, station=record.station, operation=operation, info=record.info
                    )
                    self.driver_calls.append(call)
                case _:
                    pass

        self.broker_lost = next((c.lost_broker for c in self.connections if c.lost_broker), "")
        """What the broker did to a connection, so that nothing is known of the CSMS; empty where it did nothing."""
        for exchange in self.exchanges:
            if exchange.kind is AnswerKind.NONE:
                exchange.waited = self._silence_after(exchange.call)

    # -- questions that judges ask -----------------------------------------------------------------------------------

    def station(self, role: str = PRIMARY) -> str | None:
        """Find the identity that plays a role."""
        return self.roles.get(role)

    def calls(self, action: str | None = None, *, role: str = PRIMARY, prepared: bool = False) -> list[Exchange]:
        """List the CALLs of a station, in order; those of the preparation only when asked for."""
        return self._select(action, role, by_station=True, prepared=prepared)

    def commands(self, action: str | None = None, *, role: str = PRIMARY, prepared: bool = False) -> list[Exchange]:
        """List the CALLs of the CSMS to a station, in order."""
        return self._select(action, role, by_station=False, prepared=prepared)

    def commands_to_any(self, action: str) -> list[Exchange]:
        """List the CALLs of the CSMS with an action to whichever station, in order."""
        return [e for e in self.exchanges if not e.by_station and e.action == action and e.call.scripted]

    def unsent(self, action: str, *, role: str = PRIMARY) -> list[NotSent]:
        """List the CALLs of the script that came too late for the connection."""
        identity = self.roles.get(role)
        return [call for call in self.not_sent if call.action == action and call.station == identity and call.scripted]

    def attempts(self, *, role: str = PRIMARY, prepared: bool = False) -> list[Connection]:
        """List the connection attempts of a station, in order."""
        identity = self.roles.get(role)
        return [c for c in self.connections if c.station == identity and (c.scripted or prepared)]

    def turned_away(self, attempt: Connection) -> bool:
        """Return whether the CSMS upgraded a connection only to close it, and answered nothing on it."""
        closed = attempt.opened and attempt.ended_by_csms
        return closed and not any(
            exchange.by_station
            and exchange.answer is not None
            and (exchange.call.station, exchange.call.connection) == (attempt.station, attempt.number)
            for exchange in self.exchanges
        )

    def triggers(self, action: str) -> list[DriverCall]:
        """How the driver was asked to make the CSMS send an action."""
        return [c for c in self.driver_calls if c.operation == "trigger" and c.info.get("action") == action]

    def orders(self, action: str) -> list[tuple[DriverCall, DriverCall | None]]:
        """Pair what the driver was asked with what came of it, in order; None where it never answered."""
        outcomes = [c for c in self.driver_calls if c.operation == "outcome" and c.info.get("action") == action]
        return list(zip_longest(self.triggers(action), outcomes[: len(self.triggers(action))]))

    def notes(self, name: str) -> Iterator[Any]:
        """Give the values that the script noted under a name."""
        return (r.info[name] for r in self.records if r.kind is Kind.NOTE and name in r.info)

    def scripted_frames(self) -> list[Frame]:
        """Every judged frame of the CSMS."""
        return [frame for frame in self.frames if frame.scripted and not frame.sent]

    def _silence_after(self, call: Frame) -> float:
        """Measure how long a CALL was left open: until its sender went on, or all ended."""
        for record in self.records[call.line + 1 :]:
            goes_on = record.kind is (Kind.SENT if call.sent else Kind.RECEIVED) or record.kind is Kind.CLOSED
            if record.station == call.station and goes_on and record.t - call.t > _PIPELINED:
                return record.t - call.t
        return max(0.0, self.records[-1].t - call.t)

    # -- reading the file --------------------------------------------------------------------------------------------

    def _select(self, action: str | None, role: str, *, by_station: bool, prepared: bool) -> list[Exchange]:
        identity = self.roles.get(role)
        return [
            exchange
            for exchange in self.exchanges
            if exchange.by_station is by_station
            and exchange.call.station == identity
            and (action is None or exchange.action == action)
            and (exchange.call.scripted or prepared)
        ]

    def _note(self, line: int, record: TraceRecord, *, scripted: bool) -> bool:
        info = record.info
        if "not_sent" in info:
            self._could_not_send(line, record, scripted=scripted)
        if "own_id" in info:
            self._own_ids.add((record.station, record.connection, info["own_id"]))
        if "role" in info:
            self.roles[info["role"]] = record.station
        if "inconclusive" in info and self.inconclusive is None:
            self.inconclusive, self.cannot = str(info["inconclusive"]), bool(info.get("cannot"))
        return info["phase"] == "script" if "phase" in info else scripted

    def _could_not_send(self, line: int, record: TraceRecord, *, scripted: bool) -> None:
        ended = [c.closed for c in self.connections if c.station == record.station and c.closed is not None]
        self.not_sent.append(
            NotSent(
                line=line,
                station=record.station,
                action=str(record.info["not_sent"]),
                scripted=scripted,
                closed=ended[-1] if ended else {},
            )
        )

    def _handshake(self, line: int, record: TraceRecord, *, scripted: bool) -> None:
        self.connections.append(
            Connection(
                station=record.station,
                number=record.connection,
                scripted=scripted,
                line=line,
                info=record.info,
                t=record.t,
            )
        )
        negotiated = rules_for_subprotocol(record.info.get("subprotocol"))
        if negotiated is not None:
            self._spoken[record.station, record.connection] = negotiated
        if record.info.get("over"):
            # A topic is no connection: what the CSMS had not answered by then may still come, and counts no more.
            self._late.update(key for key in self._open if key[0] == record.station and key[1])
        # Answers do not cross connections (OCPP-J 1.6 §4.1.1), so what was open stays unanswered.
        self._open = {key: exchange for key, exchange in self._open.items() if key[0] != record.station}

    def _close(self, line: int, record: TraceRecord) -> None:
        for connection in reversed(self.connections):
            if connection.station == record.station and connection.number == record.connection:
                connection.closed, connection.closed_t, connection.closed_line = record.info, record.t, line
                break
        if record.info.get("by") in ("csms", "network"):
            self._cut_oddity_off(record)
            for (station, by_station, _), exchange in self._open.items():
                if station == record.station and by_station:
                    exchange.cut_off = True

    def _cut_oddity_off(self, record: TraceRecord) -> None:
        for oddity in reversed(self.oddities):
            frame = oddity.frame
            if frame.station == record.station and frame.connection == record.connection:
                oddity.cut_off = not any(
                    e.by_station and e.answer and e.call.station == frame.station and e.call.line > frame.line
                    for e in self.exchanges
                )
                return

    def _frame(self, line: int, record: TraceRecord, *, scripted: bool) -> None:
        sent = record.kind is Kind.SENT
        message: Message | None = None
        error: RemoteProtocolError | None = None
        rules = self._spoken.get((record.station, record.connection), self.rules)
        try:
            message = _message_of(record, rules)
        except RemoteProtocolError as problem:
            error = problem
        frame = Frame(
            line=line,
            t=record.t,
            station=record.station,
            sent=sent,
            scripted=scripted,
            connection=record.connection,
            rules=rules,
            message=message,
            error=error,
            text=record.data,
        )
        self.frames.append(frame)
        match message:
            case Call():
                self._ask(frame, message)
            case CallResult():
                self._answer(frame, message.message_id, AnswerKind.RESULT)
            case CallError():
                self._answer(frame, message.message_id, AnswerKind.ERROR)
            case Send():
                self.sends.append(frame)
            case CallResultError():
                pass
            case None:
                assert error is not None
                self._unreadable(frame, error)

    def _ask(self, frame: Frame, call: Call) -> None:
        exchange = Exchange(action=call.action, payload=call.payload, by_station=frame.sent, call=frame)
        self.exchanges.append(exchange)
        self._open[frame.station, frame.sent, call.message_id] = exchange

    def _answer(self, frame: Frame, message_id: str, kind: AnswerKind) -> None:
        key = (frame.station, not frame.sent, message_id)
        exchange = self._open.pop(key, None) or self._take_unnamed(frame, message_id, kind)
        if exchange is not None:
            exchange.answer, exchange.kind = frame, kind
            self._answered.add(key)
            return
        if key in self._late:
            self._late.remove(key)
            return
        oddity = None if frame.sent else self._find_oddity(frame, message_id)
        if oddity is not None:
            oddity.answers.append(frame)
        elif (frame.station, frame.connection, message_id) in self._own_ids:
            self.answers_to_bytes.append(frame)
        elif not frame.sent:
            again = key in self._answered
            reason = (
                f"A second answer to the CALL {message_id}."
                if again
                else f"No CALL has the id {message_id or '(empty)'}."
            )
            self.strays.append(Stray(frame=frame, fault=None, reason=reason))

    def _take_unnamed(self, frame: Frame, message_id: str, kind: AnswerKind) -> Exchange | None:
        """Take the CALL that an error with the id "-1" must be for: the last one whose own id no answer may have."""
        if frame.sent or kind is not AnswerKind.ERROR or message_id != frame.rules.unreadable_message_id:
            return None
        for key, exchange in reversed(self._open.items()):
            call = exchange.call
            here = (call.station, call.connection, call.sent) == (frame.station, frame.connection, True)
            if here and call.message is not None and not ID_FAULTS.isdisjoint(review(call.message, call.rules)):
                return self._open.pop(key)
        return None

    def _find_oddity(self, frame: Frame, message_id: str) -> Oddity | None:
        """Find the frame that an answer without a CALL must be for; "-1" stands for an id that is unreadable."""
        for oddity in reversed(self.oddities):
            sent = oddity.frame
            if sent.station != frame.station or sent.connection != frame.connection:
                continue
            own_id = sent.error.message_id if sent.error else None
            if own_id is None and names_id(sent.text, message_id):
                return oddity
            if message_id == own_id or (message_id == UNREADABLE_ID and not oddity.answers):
                return oddity
        return None

    def _unreadable(self, frame: Frame, error: RemoteProtocolError) -> None:
        if frame.sent:
            self.oddities.append(Oddity(frame=frame))
            return
        key = (frame.station, True, error.message_id or "")
        exchange = self._open.get(key) if error.message_type in (3, 4) else None
        if exchange is not None:
            del self._open[key]
            exchange.answer, exchange.kind = frame, AnswerKind.MALFORMED
        self.strays.append(Stray(frame=frame, fault=error.fault, reason=error.reason))
