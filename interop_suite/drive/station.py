"""The scripted station: says exactly what a case tells it to, answers whatever it is asked, and records everything."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

import msgspec

from fixtures.answers import answer as plausible_answer
from fixtures.models import Station as Model
from interop_suite.claims.orders import differences, nearest
from interop_suite.drive.answers import Answer, Order, Reply
from interop_suite.drive.offer import TRAITS, Handshake, Offer, asks
from interop_suite.drive.told_passwords import told_password
from interop_suite.drive.transport import Closed, Incoming, NoWayError, Pinged, Trait, Transport, WireEvent
from interop_suite.drive.wire import WebSocketTransport, readable
from ocppj.actions import ACTIONS
from ocppj.errors import LocalProtocolError, RemoteProtocolError
from ocppj.events import (
    AnswerMalformed,
    CallReceived,
    ErrorReceived,
    Event,
    LostInFlight,
    NeverSent,
    PendingCall,
    ResultReceived,
    TimedOut,
)
from ocppj.identity import decode_authorization_key, without_user
from ocppj.messages import Call
from ocppj.session import Session, message_ids
from ocppj.trace import Kind, TraceRecord
from ocppj.versions import RULES, ErrorMeaning, Version

__all__ = ["ScriptedStation"]

QUIET = 0.05
"""Seconds to listen after a script has ended, for what comes uninvited."""
SOON = 0.25
"""Seconds for what follows an answer at once, such as a second one."""
NO_FORM = "over MQTT a dialect has a form for OCPP-J messages only, and this is none"
CATCH_UP_MAX = 100
"""Reads in which a CSMS that never stops talking is heard out."""
LULL = 1.0
"""Seconds that a station goes unheard at most while its case is busy with another one: a ping wants an answer."""


class ScriptedStation:
    """A station on at most one connection at a time; all methods block, and none raises for what a CSMS does."""

    def __init__(
        self,
        model: Model,
        version: Version,
        offer: Offer,
        record: Callable[[TraceRecord], None],
        *,
        timeout: float,
        label: str | None = None,
        settle: Callable[[], None] | None = None,
        transport: Transport | None = None,
        beside: Callable[[], Iterable[ScriptedStation]] = tuple,
    ) -> None:
        """Prepare; `timeout` in seconds is the patience with every answer.

        `label` stands for the identity in the trace where two sockets claim the same one. `settle` waits until the CSMS
        has dealt with everything that it was given; only a CSMS of our own can tell. Without a `transport` it takes
        WebSocket. `beside` lists the stations of the same case, which are served while this one waits.
        """
        self.model = model
        self.identity = model.identity
        self.label = label or model.identity
        self.version = version
        self.offer = offer
        self.timeout = timeout
        self.rules = RULES[version]
        self.transport = transport or WebSocketTransport()
        self.wire = self.transport.link(version)
        self.session = Session(self.rules, message_ids(f"{os.urandom(4).hex()}-"), timeout=timeout)
        self.replies: dict[str, Reply] = {}
        self.commands: list[Call] = []
        """Every CALL of the CSMS, in order, answered or not."""
        self.connection = 0
        self.reconnect_pause = 0.0
        """Seconds that it stays away before it connects again."""
        self.slowest = 0.0
        """Seconds that the slowest of its CALLs took to be answered, so far."""
        self.pongs = 0
        self.orders: dict[str, Order] = {}
        """What its operator last asked for, by action."""
        self.heard = 0
        """Frames that came in so far."""
        self._record = record
        self._settle = settle
        self._beside = beside
        self._listened = time.monotonic()
        self._ended: dict[int, Answer] = {}
        self._wake_read, self._wake_write = os.pipe()

    # -- connection --------------------------------------------------------------------------------------------------

    def connect(self, **changes: Any) -> Handshake:
        """Open a connection, with some parts of the offer changed for this time only.

        Raises `NoWayError` for what no CSMS sees over this transport.
        """
        for trait in (*(TRAITS[name] for name in changes if name in TRAITS), *asks(self.offer)):
            self.need(trait)
        self.disconnect()
        if self.connection:
            time.sleep(self.reconnect_pause)
        offer = msgspec.structs.replace(self.offer, **changes)
        self.connection += 1
        handshake = self.wire.open(offer, self.timeout, self._settle)
        info: dict[str, Any] = {
            "url": without_user(offer.url),
            **self.transport.noted,
            "offered": list(offer.subprotocols),
            "credentials": offer.password is not None or offer.authorization is not None,
            "status": handshake.status,
            "subprotocol": handshake.subprotocol,
            "headers": [list(header) for header in handshake.headers],
        }
        info |= {"lent": True} if offer.lent else {}
        info |= {"error": handshake.error} if handshake.error else {}
        info |= {"unreachable": True} if handshake.unreachable else {}
        info |= {"tls": handshake.tls} if handshake.tls else {}
        self._note_record(Kind.HANDSHAKE, info=info)
        if handshake.opened and not handshake.error:
            self.session.connection_made()
        return handshake

    def need(self, trait: Trait) -> None:
        """Raise `NoWayError` where this transport lacks something that the case is about."""
        reason = self.transport.lacks.get(trait)
        if reason is not None:
            raise NoWayError(reason)

    def disconnect(self) -> None:
        """Close with a close frame; nothing happens when there is no connection."""
        if self.wire.connected:
            self._take(self.wire.close())

    def drop(self) -> None:
        """Cut the TCP connection, as a power loss does."""
        closed = self.wire.abort()
        if closed is not None:
            self._take([closed])

    @property
    def connected(self) -> bool:
        """Whether the WebSocket is open."""
        return self.wire.connected

    # -- asking ------------------------------------------------------------------------------------------------------

    def call(self, action: str, payload: dict[str, Any], *, message_id: str | None = None) -> Answer:
        """Send a CALL and wait for its end."""
        began = time.monotonic()
        pending = self.start_call(action, payload, message_id=message_id)
        if pending is None:
            return Answer("not sent", {})
        answer = self.finish(pending)
        if answer.ok:
            self.slowest = max(self.slowest, time.monotonic() - began)
        return answer

    def start_call(self, action: str, payload: dict[str, Any], *, message_id: str | None = None) -> PendingCall | None:
        """Send a CALL without waiting; None when there is no connection."""
        try:
            pending = self.session.call(action, payload, time.monotonic(), message_id=message_id)
        except LocalProtocolError:
            self.note(not_sent=action)
            return None
        self._flush()
        return pending

    def finish(self, pending: PendingCall) -> Answer:
        """Wait for the end of a CALL."""
        self.pump(lambda: id(pending) in self._ended, self.timeout + 1)
        return self._ended.pop(id(pending), Answer("timeout", {}))

    def send_raw(self, *texts: str | bytes, fragments: int = 1, pings: bool = False, binary: bool = False) -> None:
        """Send any bytes at all, each text as one message, all of them in one write.

        Raises `NoWayError` for what this transport has no form for; `carries` tells before.
        """
        if binary or pings or fragments > 1:
            self.need(Trait.FRAMES)
        if not self.wire.connected:
            self.note(not_sent="raw")
            return
        if not all(map(self.carries, texts)):
            raise NoWayError(NO_FORM)
        for text in texts:
            self._frame(Kind.SENT, text)
        if binary:
            for text in texts:
                self.wire.send_binary(text.encode() if isinstance(text, str) else text)
        else:
            self.wire.send_text(*texts, fragments=fragments, pings=pings)
        self.note(raw=len(texts))

    def record_sent(self, text: str) -> None:
        """Write down a message that goes out in another form than usual."""
        self._frame(Kind.SENT, text)

    def take_in(self) -> None:
        """Hear everything that the CSMS has said by now; where it cannot be asked, what it says within a moment."""
        if self._settle is None:
            self.pump(lambda: False, SOON)
            self.wire.arrive()
        self._catch_up()

    def carries(self, text: str | bytes) -> bool:
        """Return whether a message can be written so that the CSMS reads the same one."""
        return self.wire.carries(text)

    def break_framing(self, data: bytes, *, own_id: str | None = None) -> None:
        """Send bytes that are not WebSocket frames; `own_id` is that of a CALL which a lax reader may find in them."""
        self.need(Trait.FRAMES)
        if self.wire.connected:
            self.note(raw=1, bytes=data.hex(), **({} if own_id is None else {"own_id": own_id}))
            self.wire.send_bytes(data)

    def ping(self) -> bool:
        """Send a ping and return whether its pong came in time."""
        self.need(Trait.FRAMES)
        seen = self.pongs
        if not self.wire.connected:
            return False
        self.wire.ping(b"plugstorm")
        return self.pump(lambda: self.pongs > seen or not self.wire.connected, self.timeout) and self.pongs > seen

    # -- being asked -------------------------------------------------------------------------------------------------

    def reply(
        self,
        action: str,
        payload: dict[str, Any] | Callable[[dict[str, Any]], dict[str, Any]] | None = None,
        *,
        error: tuple[str, str] | None = None,
        silent: bool | Callable[[dict[str, Any]], bool] = False,
    ) -> None:
        """Decide how commands of this action will be answered from now on."""
        self.replies[action] = Reply(payload=payload, error=error, silent=silent)

    def expect(
        self,
        action: str,
        *,
        timeout: float | None = None,
        after: int = 0,
        unless: Callable[[], bool] = lambda: False,
    ) -> dict[str, Any] | None:
        """Wait until the CSMS has sent an action and return its payload, None when it did not in time.

        `after` skips that many earlier CALLs of the same action; `unless` ends the wait early. Where an operator asked
        for the action, the CALL that fits the order best is the one: a CSMS may send others of its own.
        """
        patience = self.timeout if timeout is None else timeout
        order = self.orders.get(action)
        after = max(after, order.after if order else 0)
        self.pump(
            lambda: len(self.received(action)) > after or unless() or (order is not None and order.refused), patience
        )
        if order is None:
            calls = self.received(action)
            return (calls[after].payload or {}) if len(calls) > after else None
        self.pump(lambda: order.closed or unless() or self._arrived(action, order), patience)
        payloads = [call.payload or {} for call in self.received(action)[after:]]
        return payloads[nearest(action, order.payload, payloads, order.handed_over)] if payloads else None

    def await_order(self, action: str, patience: float) -> None:
        """Wait until the CALL has come that its operator asked for, as long as there is a connection for it."""
        order = self.orders[action]
        self.pump(lambda: not self.connected or len(self.received(action)) > order.after, patience)
        self.pump(lambda: not self.connected or self._arrived(action, order), min(patience, self.timeout))

    def _arrived(self, action: str, order: Order) -> bool:
        """Return whether a CALL came exactly as it was ordered."""
        return any(
            not differences(action, order.payload, call.payload or {}, order.handed_over)
            for call in self.received(action)[order.after :]
        )

    @property
    def answers_heard(self) -> int:
        """Frames that came in so far and that are no commands."""
        return self.heard - len(self.commands)

    def received(self, action: str) -> list[Call]:
        """List the CALLs of the CSMS with this action so far."""
        return [call for call in self.commands if call.action == action]

    # -- time --------------------------------------------------------------------------------------------------------

    def pump(self, until: Callable[[], bool], timeout: float) -> bool:
        """Serve the connection until something holds, at most `timeout` seconds; returns whether it holds."""
        deadline = time.monotonic() + timeout
        while not until():
            now = time.monotonic()
            self._listened = now
            due = min(deadline, self.session.deadline or deadline, self._serve_others(now))
            if now < due:
                if self.wire.wait(due - now, self._wake_read):
                    self._take(self.wire.receive())
                self._drain_wake()
                continue
            self._catch_up()
            self._handle(self.session.tick(now))
            self._flush()
            if now >= deadline:
                return until()
        return True

    def look_in(self, now: float) -> float:
        """Hear what has come in, if nobody listened for a while; says when this is due the next time."""
        if now - self._listened >= LULL:
            self._listened = now
            if self.wire.wait(0):
                self._take(self.wire.receive())
        return self._listened + LULL

    def listen(self, seconds: float = QUIET) -> None:
        """Serve the connection for a while."""
        self.pump(lambda: not self.wire.connected, seconds)

    def await_future(self, future: Future[Any], timeout: float) -> bool:
        """Serve the connection until something running elsewhere is done."""
        future.add_done_callback(lambda _: self.wake())
        return self.pump(future.done, timeout)

    def wake(self) -> None:
        """Make a running `pump` look again; safe from any thread."""
        try:
            os.write(self._wake_write, b"x")
        except OSError:  # the station has been put away meanwhile
            return

    # -- recording ---------------------------------------------------------------------------------------------------

    def note(self, **info: Any) -> None:
        """Write something down for the judge."""
        self._note_record(Kind.NOTE, info=info)

    def close(self) -> None:
        """End for good; as `put_away`, for whoever makes a station of no case."""
        self.put_away()

    def put_away(self) -> None:
        """End for good, even where nothing can be recorded any more."""
        try:
            self.disconnect()
        finally:
            self.wire.abort()
            os.close(self._wake_read)
            os.close(self._wake_write)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _catch_up(self) -> None:
        """Hear what has come in already: that we were late to listen is not silence of the CSMS."""
        if self._settle is not None:
            self.wire.arrive()
            self._settle()
            self.wire.arrive()
        for _ in range(CATCH_UP_MAX):
            if not self.wire.wait(0):
                break
            self._take(self.wire.receive())

    def _serve_others(self, now: float) -> float:
        """Hear the other stations of the case that nobody listened to for a while; says when the next one is due."""
        others = [other for other in self._beside() if other is not self and other.connected]
        return min((other.look_in(now) for other in others), default=now + LULL)

    def _drain_wake(self) -> None:
        if readable(0, self._wake_read):
            os.read(self._wake_read, 4096)

    def _flush(self) -> None:
        for text in self.session.frames_to_send():
            self._frame(Kind.SENT, text)
            self.wire.send_text(text)

    def _take(self, events: list[WireEvent]) -> None:
        for event in events:
            match event:
                case Incoming():
                    self.heard += 1
                    foreign = {"foreign": event.foreign} if event.foreign else {}
                    self._frame(Kind.RECEIVED, event.data, event.at, info=event.info | foreign)
                    if not event.foreign:
                        self._handle(self.session.receive(event.data, event.at))
                case Pinged():
                    self.pongs += event.opcode == "pong"
                    self._note_record(Kind.CONTROL, info={"opcode": event.opcode})
                case Closed():
                    info = {"code": event.code, "reason": event.reason, "by": event.by}
                    self._note_record(Kind.CLOSED, info=info)
                    if self.session.connected:
                        self._handle(self.session.connection_lost(event.at))
        self._flush()

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case ResultReceived():
                    self._ended[id(event.call)] = Answer("result", event.result.payload or {})
                case ErrorReceived():
                    self._ended[id(event.call)] = Answer("error", {}, event.error.code, event.error.description)
                case AnswerMalformed():
                    self._ended[id(event.call)] = Answer("malformed", {})
                case TimedOut():
                    self._ended[id(event.call)] = Answer("timeout", {})
                case LostInFlight() | NeverSent():
                    self._ended[id(event.call)] = Answer("lost", {})
                case CallReceived():
                    self._obey(event.call)
                case _:
                    pass

    def _obey(self, call: Call) -> None:
        self.commands.append(call)
        reply = self.replies.get(call.action) or Reply()
        if reply.stays_silent(call.payload or {}):
            return
        action = ACTIONS[self.version].get(call.action)
        if reply.error is not None:
            self.session.refuse(call.message_id, *reply.error)
        elif action is None or not action.by_csms:
            self.session.refuse(call.message_id, self.rules.code(ErrorMeaning.UNKNOWN_ACTION))
        elif callable(reply.payload):
            self.session.answer(call.message_id, reply.payload(call.payload or {}))
        elif reply.payload is not None:
            self.session.answer(call.message_id, reply.payload)
        else:
            self._answer_plausibly(call)

    def _answer_plausibly(self, call: Call) -> None:
        try:
            payload = plausible_answer(self.version, call.action, call.payload or {}, self.model)
        except RemoteProtocolError as error:
            # A payload that makes no sense is refused as a good station would; the judge speaks about it.
            self.session.refuse(call.message_id, self.rules.code(ErrorMeaning.FORMAT), error.reason[:255])
            return
        self.session.answer(call.message_id, payload)
        password = told_password(self.version, call.action, call.payload or {}, payload)
        if password is not None:
            secret = decode_authorization_key(password, self.version)
            self.offer = msgspec.structs.replace(self.offer, password=secret, lent=False)

    def _frame(
        self, kind: Kind, data: str | bytes, at: float | None = None, *, info: dict[str, Any] | None = None
    ) -> None:
        text = data if isinstance(data, str) else None
        raw = None if isinstance(data, str) else base64.b64encode(data).decode()
        self._record(
            TraceRecord(
                t=time.monotonic() if at is None else at,
                station=self.label,
                connection=self.connection,
                kind=kind,
                text=text,
                data_base64=raw,
                info=info or {},
            )
        )

    def _note_record(self, kind: Kind, *, info: dict[str, Any]) -> None:
        self._record(
            TraceRecord(t=time.monotonic(), station=self.label, connection=self.connection, kind=kind, info=info)
        )
