"""One side of one OCPP-J conversation, without a socket and without a clock.

A runtime does three things, in this order, whenever something happened:

1. hand it over: `receive` a frame, `tick` the time, or ask for something with `call`, `send`, `answer`, `refuse`;
2. write what `frames_to_send` returns;
3. act on the events that `receive`, `tick` and `connection_lost` returned.

Times are monotonic seconds from whatever clock the runtime has. At most one CALL of ours is open (OCPP-J 1.6 §4.1.1,
2.x Part 4 §4.1.1); later ones wait in a queue, and their wait is part of their response time.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from ocppj.errors import LocalProtocolError, RemoteProtocolError
from ocppj.events import (
    AnswerMalformed,
    CallReceived,
    DuplicateAnswer,
    ErrorReceived,
    Event,
    LateAnswer,
    LostInFlight,
    NeverSent,
    PendingCall,
    ResultErrorReceived,
    ResultReceived,
    SendReceived,
    TimedOut,
    Unreadable,
    UnsolicitedAnswer,
)
from ocppj.messages import (
    Call,
    CallError,
    CallResult,
    CallResultError,
    Send,
    encode,
    encode_call,
    parse,
    payload_of_result,
)
from ocppj.versions import MessageType, Rules

__all__ = ["REMEMBERED", "Session", "message_ids"]

REMEMBERED = 32
"""How many unanswered CALLs a side remembers, to tell a late answer from an unsolicited one."""


def message_ids(prefix: str) -> Callable[[], str]:
    """Make an id source that never repeats for this prefix; ids are at most `len(prefix) + 12` characters."""
    counter = itertools.count(1)
    return lambda: f"{prefix}{next(counter)}"


class Session:
    """The message layer of one side of a connection: correlation, order, queue, time-outs.

    It outlives a connection: call `connection_made` and `connection_lost` around each one, so that ids stay unique
    for the station (OCPP 2.0.1 Part 4 §4.1.4) and nothing that was open or queued is lost silently.
    """

    __slots__ = (
        "_answered",
        "_connected",
        "_ended",
        "_given",
        "_incoming",
        "_new_id",
        "_open",
        "_out",
        "_queue",
        "queue_depth",
        "rules",
        "timeout",
    )

    def __init__(self, rules: Rules, new_id: Callable[[], str], *, timeout: float = 30.0) -> None:
        """Start disconnected; `timeout` in seconds is the default for each CALL (no OCPP text gives one)."""
        self.rules = rules
        self.timeout = timeout
        self._new_id = new_id
        self._connected = False
        self._open: PendingCall | None = None
        # Most stations never queue, and 10,000 empty queues are 8 MB.
        self._queue: deque[tuple[PendingCall, str]] | None = None
        self.queue_depth = 0
        """How many of our CALLs wait for their turn; only the session changes it."""
        # As with the queue: most stations have nothing in these lists most of the time.
        self._out: list[str] | None = None
        self._incoming: list[tuple[str, str]] | None = None
        self._ended: OrderedDict[str, PendingCall] | None = None
        self._answered: str | None = None
        self._given: str | None = None

    # -- state -------------------------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether a connection is up."""
        return self._connected

    @property
    def open_call(self) -> PendingCall | None:
        """Our CALL that waits for its answer."""
        return self._open

    @property
    def unanswered(self) -> dict[str, str]:
        """The peer's CALLs that we still owe an answer: id to action of the latest with this id."""
        return dict(self._incoming or ())

    @property
    def deadline(self) -> float | None:
        """When `tick` should be called next; None while nothing is open."""
        call = self._open
        return None if call is None or call.sent_at is None else call.sent_at + call.timeout

    # -- connection --------------------------------------------------------------------------------------------------

    def connection_made(self) -> None:
        """Begin a connection; raises `LocalProtocolError` when one is up."""
        if self._connected:
            raise LocalProtocolError("The session is connected already.")
        self._connected = True

    def connection_lost(self, now: float) -> list[Event]:
        """End the connection; every CALL that was open or queued comes back as an event."""
        events: list[Event] = []
        if self._open is not None:
            self._remember(self._open)
            events.append(LostInFlight(self._open, now))
        events.extend(NeverSent(call, now) for call, _ in self._queue or ())
        self._open = None
        self._queue = None
        self.queue_depth = 0
        self._out = None
        self._incoming = None
        self._connected = False
        return events

    def frames_to_send(self) -> list[str]:
        """Take the frames that must be written now, in this order."""
        out, self._out = self._out, None
        return [] if out is None else out

    # -- what we say -------------------------------------------------------------------------------------------------

    def call(
        self,
        action: str,
        payload: Any,
        now: float,
        *,
        intended_at: float | None = None,
        timeout: float | None = None,
        context: Any = None,
        message_id: str | None = None,
    ) -> PendingCall:
        """Send a CALL, or queue it behind the open one; raises `LocalProtocolError` when disconnected.

        `intended_at` is when the caller's schedule wanted it sent (default: now). A `message_id` may be reused on
        purpose, as a retry may (OCPP 2.0.1 errata 2024-09 §4.6).
        """
        intended_at = now if intended_at is None else intended_at
        timeout = self.timeout if timeout is None else timeout
        text = self.ask(action, payload, now, intended_at, timeout, context, message_id)
        if text is None:
            assert self._queue is not None
            return self._queue[-1][0]
        self._put(text)
        assert self._open is not None
        return self._open

    def ask(  # noqa: PLR0917 - positional, because it runs once a CALL
        self,
        action: str,
        payload: Any,
        now: float,
        intended_at: float,
        timeout: float,
        context: Any,
        message_id: str | None,
    ) -> str | None:
        """Do what `call` does, but return the frame for the runtime to write now; None where the CALL is queued.

        For a runtime that has written everything which `frames_to_send` gave it.
        """
        if not self._connected:
            raise LocalProtocolError(f"{action} cannot be sent: the session is not connected.")
        if message_id is None:
            new_id = self._new_id
            message_id = new_id()
        call = PendingCall(message_id, action, payload, intended_at, timeout, context)
        text = encode_call(message_id, action, payload)
        if self._open is None:
            call.sent_at = now
            self._open = call
            return text
        if self._queue is None:
            self._queue = deque()
        self._queue.append((call, text))
        self.queue_depth += 1
        return None

    def send(self, action: str, payload: Any) -> str:
        """Send a SEND, which waits for nothing and is never answered; returns its id (OCPP 2.1 Part 4 §4.2.4)."""
        self._require(MessageType.SEND)
        message_id = self._new_id()
        self._put(encode(Send(message_id, action, payload)))
        return message_id

    def answer(self, message_id: str, payload: Any) -> None:
        """Answer the peer's CALL; raises `LocalProtocolError` when no such CALL is open."""
        self._settle(CallResult(message_id, payload))

    def refuse(self, message_id: str, code: str, description: str = "", details: Any = None) -> None:
        """Answer the peer's CALL with a CALLERROR; raises `LocalProtocolError` when no such CALL is open."""
        self._settle(CallError(message_id, code, description, {} if details is None else details))

    def ignore(self, message_id: str) -> None:
        """Leave the peer's CALL without an answer on purpose."""
        self._incoming = [owed for owed in self._incoming or () if owed[0] != message_id]

    def reject_result(self, message_id: str, code: str, description: str = "", details: Any = None) -> None:
        """Tell the peer that its answer could not be processed (CALLRESULTERROR, OCPP 2.1 Part 4 §4.2.3)."""
        self._require(MessageType.CALLRESULTERROR)
        self._put(encode(CallResultError(message_id, code, description, {} if details is None else details)))

    def put_raw(self, text: str) -> None:
        """Write any text at all, past every rule; for testers."""
        if not self._connected:
            raise LocalProtocolError("Nothing can be sent: the session is not connected.")
        self._put(text)

    # -- what we hear ------------------------------------------------------------------------------------------------

    def receive(self, data: str | bytes, now: float) -> list[Event]:
        """Take one WebSocket message; never raises for anything that a peer may send."""
        try:
            message = parse(data, self.rules)
        except RemoteProtocolError as error:
            return self._receive_unreadable(error, now)
        if type(message) is CallResult or type(message) is CallError:
            return self._receive_answer(message, now)
        if type(message) is Call:
            waiting = self._incoming
            if waiting is None:
                waiting = self._incoming = []
            repeated = bool(waiting) and any(message_id == message.message_id for message_id, _ in waiting)
            event = CallReceived(message, now, len(waiting), repeated)
            waiting.append((message.message_id, message.action))
            return [event]
        if type(message) is Send:
            return [SendReceived(message, now)]
        assert type(message) is CallResultError
        return [ResultErrorReceived(message, now, solicited=message.message_id == self._given)]

    def take_result(self, text: str) -> tuple[PendingCall, dict[str, Any]] | None:
        """Take the CALLRESULT to the open CALL, while no other CALL waits, and return both.

        None where it is anything else: then nothing has changed, and the message is for `receive`.
        """
        call = self._open
        if call is None or self._queue is not None:
            return None
        payload = payload_of_result(text, call.message_id)
        if payload is None:
            return None
        self._answered = call.message_id
        self._open = None
        return call, payload

    def tick(self, now: float) -> list[Event]:
        """Let time pass; an open CALL past its deadline times out and the next one goes to the wire."""
        call = self._open
        if call is None or call.sent_at is None or now < call.sent_at + call.timeout:
            return []
        self._remember(call)
        self._next_call(now)
        return [TimedOut(call, now)]

    # -- inside ------------------------------------------------------------------------------------------------------

    def _put(self, text: str) -> None:
        if self._out is None:
            self._out = [text]
        else:
            self._out.append(text)

    def _put_on_wire(self, call: PendingCall, text: str, now: float) -> None:
        call.sent_at = now
        self._open = call
        self._put(text)

    def _next_call(self, now: float) -> None:
        self._open = None
        queue = self._queue
        if queue:
            call, text = queue.popleft()
            self.queue_depth -= 1
            if not queue:
                self._queue = None
            self._put_on_wire(call, text, now)

    def _receive_answer(self, message: CallResult | CallError, now: float) -> list[Event]:
        call = self._open
        if call is not None and call.message_id == message.message_id:
            self._answered = call.message_id
            self._next_call(now)
            if type(message) is CallResult:
                return [ResultReceived(call, message, now)]
            assert type(message) is CallError
            return [ErrorReceived(call, message, now)]
        if message.message_id == self._answered:
            return [DuplicateAnswer(message, now)]
        late = self._ended.pop(message.message_id, None) if self._ended else None
        if late is not None:
            self._answered = late.message_id
            return [LateAnswer(late, message, now)]
        return [UnsolicitedAnswer(message, now)]

    def _receive_unreadable(self, error: RemoteProtocolError, now: float) -> list[Event]:
        call = self._open
        is_answer = error.message_type in (MessageType.CALLRESULT, MessageType.CALLERROR)
        if call is not None and is_answer and error.message_id == call.message_id:
            self._answered = call.message_id
            self._next_call(now)
            return [AnswerMalformed(call, error, now)]
        return [Unreadable(error, now)]

    def _remember(self, call: PendingCall) -> None:
        if self._ended is None:
            self._ended = OrderedDict()
        self._ended[call.message_id] = call
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)

    def _settle(self, message: CallResult | CallError) -> None:
        text = encode(message)
        for position, (message_id, _) in enumerate(self._incoming or ()):
            if message_id == message.message_id:
                assert self._incoming is not None
                del self._incoming[position]
                self._given = message_id
                self._put(text)
                return
        raise LocalProtocolError(f"No CALL with id {message.message_id!r} waits for an answer.")

    def _require(self, message_type: MessageType) -> None:
        if not self._connected:
            raise LocalProtocolError(f"{message_type.name} cannot be sent: the session is not connected.")
        if message_type not in self.rules.message_types:
            raise LocalProtocolError(f"{message_type.name} does not exist in OCPP {self.rules.version}.")
