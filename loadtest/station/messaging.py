"""What a station says and hears: each CALL from the session to the socket, and its end to the recorder."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any, Final, NamedTuple, Protocol

from evidence.vocabulary import FROM_CSMS, TO_CSMS
from loadtest.station.context import Context
from loadtest.station.contract import Controls
from loadtest.station.dialect.contract import Dialect, OnEnd, Payload
from loadtest.station.excuses import Excuses
from loadtest.station.state.store import store_of
from loadtest.timing.timers import Timer
from loadtest.transport.contract import Wire
from loadtest.workload.answers import AnswerRule, Verdict, manner_of, rule_for
from ocppj.events import (
    AnswerMalformed,
    CallReceived,
    DuplicateAnswer,
    ErrorReceived,
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
from ocppj.messages import Call, CallError, encode
from ocppj.outcomes import Outcome, injected
from ocppj.registration import Registration, may_send
from ocppj.session import Session
from ocppj.versions import ErrorMeaning, MessageType

__all__ = ["MOST_QUEUED", "Messaging", "MessagingOwner", "Reply", "Responder"]

# A member of an enumeration costs a look-up in its class each time.
_ACCEPTED: Final = Registration.ACCEPTED
MOST_QUEUED: Final = 64
"""How many CALLs may wait behind an unanswered one; the next ones are counted as never sent."""


class Spoken:
    """Makes message ids, and remembers when: an id is made for each CALL, so that other stations pay nothing."""

    __slots__ = ("_context", "at")

    def __init__(self, context: Context) -> None:
        """Nothing was said yet."""
        self._context = context
        self.at = -inf

    def __call__(self) -> str:
        """Make the id of a CALL that is sent or queued now."""
        self.at = self._context.clock()
        return self._context.new_id()


class Reply(NamedTuple):
    """What to say to a CALL of the CSMS, and what to do once it is said; `payload` None means a CALLERROR."""

    outcome: str
    payload: Payload | None = None
    code: str = ""
    description: str = ""
    then: Callable[[], object] | None = None


class Responder(Protocol):
    """Who decides what a station says to the CSMS."""

    def __call__(self, station: Controls, call: Call, *, refuse: bool = False) -> Reply:
        """Answer a CALL; `refuse` where the load profile wants a no. Never raise for what is in the CALL."""


class MessagingOwner(Controls, Protocol):
    """The station, as its messaging sees it."""

    def call_ended(self) -> None:
        """Take note that a CALL has ended, in whatever way, while `leaving` is set."""


class Messaging:
    """Everything between the decisions of a station and its socket; whoever opens a socket sets `socket`."""

    __slots__ = (
        "_respond",
        "_station",
        "_sweep",
        "context",
        "dialect",
        "excuses",
        "leaving",
        "registration",
        "session",
        "socket",
        "speaking",
        "spoken",
    )

    def __init__(self, station: MessagingOwner, context: Context, dialect: Dialect, respond: Responder) -> None:
        """Start without a connection."""
        self._station = station
        self._respond = respond
        self.context = context
        self.dialect = dialect
        self.registration = Registration.UNKNOWN
        self.spoken = Spoken(context) if context.vendor.heartbeat_when_quiet else None
        """When the station said something last, where that matters."""
        self.session = Session(self.dialect.rules, self.spoken or context.new_id, timeout=context.call_timeout)
        self.excuses = Excuses(refusals=True) if context.vendor.quirks.breaks_ocpp else None
        """What is no fault of the CSMS, where the run injects faults."""
        self.socket: Wire | None = None
        self.speaking = False
        """Whether the CSMS would hear what is said: the connection is open, and our Close frame is not out."""
        self.leaving = False
        """Whether the station says its last words; it hears of the end of every CALL then."""
        self._sweep: Timer | None = None

    @property
    def online(self) -> bool:
        """Whether the station is connected and accepted."""
        return self.speaking and self.registration is Registration.ACCEPTED

    def call(
        self,
        action: str,
        payload: Payload,
        intended_at: float,
        on_end: OnEnd | None = None,
        *,
        triggered: bool = False,
        message_id: str | None = None,
    ) -> bool:
        """Send a CALL, as `Host.call` says."""
        if not self.speaking:
            return False
        if self.registration is not _ACCEPTED and not may_send(
            self.dialect.version, self.registration, action, triggered=triggered
        ):
            return False
        context, session, clock = self.context, self.session, self.context.clock
        if triggered and context.observer is not None:
            on_end = context.observer.triggered(self._station, action, on_end)
        now = clock()
        context.recorder.offered(1, intended_at)
        if session.queue_depth >= MOST_QUEUED:
            outcome = self._blamed("", Outcome.NEVER_SENT)
            context.recorder.call(self.dialect.ocpp, action, TO_CSMS, outcome, None, max(0.0, now - intended_at), now)
            if on_end is not None:
                on_end(None, Outcome.NEVER_SENT)
            return True
        text = session.ask(action, payload, now, intended_at, session.timeout, on_end, message_id)
        if self._sweep is None:
            # One timer for whatever is open when it fires; answers leave it alone.
            self._sweep = context.timers.at(now + session.timeout, self._sweep_due, self._station)
        if text is not None and self.socket is not None:
            self.socket.send_text(text)
        return True

    def send(self, action: str, payload: Payload) -> bool:
        """Send a SEND, as `Host.send` says."""
        if not self.online:
            return False
        self.session.send(action, payload)
        self.context.recorder.activity(f"SEND {action}")
        self._flush()
        return True

    def call_early(self, action: str, payload: Payload, intended_at: float) -> None:
        """Send a CALL that an unregistered station may not send, as some firmware does."""
        registration, self.registration = self.registration, Registration.ACCEPTED
        try:
            self.call(action, payload, intended_at)
        finally:
            self.registration = registration

    def excused(self) -> Excuses:
        """Return what is no fault of the CSMS at this station, made now where it is the first."""
        if self.excuses is None:
            self.excuses = Excuses()
        return self.excuses

    def new_message_id(self) -> str:
        """Make the id of a CALL that is sent now."""
        return (self.spoken or self.context.new_id)()

    def opened(self) -> None:
        """Take note that the connection stands."""
        self.session.connection_made()
        self.speaking = True

    def close(self, code: int) -> None:
        """Close the connection politely; nothing is said any more."""
        self.speaking = False
        if self.socket is not None:
            self.socket.close(code)

    def forget(self) -> None:
        """Wait for no answer any more: the station is over."""
        self.context.timers.cancel(self._sweep)
        self._sweep = None

    def on_text(self, data: str | bytes, now: float) -> None:
        """Let the session read a message, and act on what it found."""
        if type(data) is str:
            answered = self.session.take_result(data)
            if answered is not None:
                call, payload = answered
                self._answered(call, payload, now)
                return
        else:
            self.context.recorder.fault("not-text")
        events = self.session.receive(data, now)
        # What an answer lets go first; reactions send what they have to say themselves.
        self._flush()
        for event in events:
            _REACTIONS[type(event)](self, event)

    def settle(self, now: float) -> None:
        """End every CALL of a connection that is gone."""
        for event in self.session.connection_lost(now):
            _REACTIONS[type(event)](self, event)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        for text in self.session.frames_to_send():
            if self.socket is not None:
                self.socket.send_text(text)

    def _sweep_due(self, _: float) -> None:
        self._sweep = None
        session, now = self.session, self.context.clock()
        deadline = session.deadline
        if deadline is not None and deadline <= now and self.socket is not None:
            self.socket.catch_up()
        for event in session.tick(now):
            _REACTIONS[type(event)](self, event)
        deadline = session.deadline
        if deadline is not None and self._sweep is None:
            self._sweep = self.context.timers.at(deadline, self._sweep_due, self._station)
        self._flush()

    def _failed(self, call: PendingCall, outcome: str, at: float) -> None:
        """Record a CALL without a proper answer, and tell who sent it."""
        blamed = self._blamed(call.message_id, outcome)
        sent_at = call.sent_at
        self.context.recorder.call(
            self.dialect.ocpp,
            call.action,
            TO_CSMS,
            blamed,
            None if sent_at is None else at - sent_at,
            at - call.intended_at,
            at,
        )
        if blamed is outcome and (storm := self._station.storm) is not None:
            storm.answered(at - call.intended_at, outcome)
        self._end(call, None, outcome if blamed is outcome else injected(outcome))

    def _blamed(self, message_id: str, outcome: str) -> str:
        """Return the outcome, or `injected` where it is the run's own doing."""
        if self.excuses is None or not self.excuses.covers(message_id, outcome):
            return outcome
        self.context.recorder.injected(f"ended: {outcome}")
        return Outcome.INJECTED

    def _end(self, call: PendingCall, payload: Payload | None, outcome: str) -> None:
        if call.context is not None:
            call.context(payload, outcome)
        if self.leaving:
            self._station.call_ended()

    def _on_result(self, event: ResultReceived) -> None:
        self._answered(event.call, event.result.payload, event.at)

    def _answered(self, call: PendingCall, payload: Payload | None, at: float) -> None:
        """Record a CALL with its answer, and tell who sent it; `_end`, written out: so nearly every CALL ends."""
        sent_at = call.sent_at
        assert sent_at is not None
        context, dialect = self.context, self.dialect
        judge, on_end = context.judge, call.context
        outcome = judge(dialect.version, call.action, payload)
        context.recorder.call(dialect.ocpp, call.action, TO_CSMS, outcome, at - sent_at, at - call.intended_at, at)
        if (storm := self._station.storm) is not None:
            storm.answered(at - call.intended_at, outcome)
        if on_end is not None:
            on_end({} if payload is None else payload, outcome)
        if self.leaving:
            self._station.call_ended()

    def _on_error(self, event: ErrorReceived) -> None:
        error = event.error
        self.context.recorder.callerror(self.dialect.ocpp, event.call.action, TO_CSMS, error.code, error.description)
        self._failed(event.call, f"{Outcome.CALLERROR}:{error.code}", event.at)

    def _on_malformed(self, event: AnswerMalformed) -> None:
        self.context.recorder.fault("unreadable")
        self._failed(event.call, Outcome.SCHEMA_INVALID, event.at)

    def _on_timeout(self, event: TimedOut) -> None:
        self._failed(event.call, Outcome.TIMEOUT, event.at)

    def _on_lost(self, event: LostInFlight) -> None:
        self._failed(event.call, Outcome.LOST, event.at)

    def _on_never_sent(self, event: NeverSent) -> None:
        self._failed(event.call, Outcome.NEVER_SENT, event.at)

    def _on_stray(self, event: LateAnswer | DuplicateAnswer | UnsolicitedAnswer) -> None:
        if self.excuses is not None and self.excuses.knows(event.message.message_id):
            self.context.recorder.injected(f"stray: {_STRAYS[type(event)]}")
        else:
            self.context.recorder.fault(_STRAYS[type(event)])

    def _on_result_error(self, _: ResultErrorReceived) -> None:
        self.context.recorder.fault("result-error")

    def _on_send(self, event: SendReceived) -> None:
        """Take a SEND, which asks for nothing."""

    def _on_unreadable(self, event: Unreadable) -> None:
        self.context.recorder.fault("unreadable")
        error, rules = event.error, self.dialect.rules
        message_id = error.message_id or rules.unreadable_message_id
        # Only what may have been a question is answered (OCPP 2.x Part 4 §4.2.3, OCPP-J 1.6 errata §3.2).
        if message_id is not None and error.message_type == MessageType.CALL:
            code = rules.code(ErrorMeaning.FORMAT)
            self.session.put_raw(encode(CallError(message_id, code, error.reason[:255])))
            self._flush()

    def _on_call(self, event: CallReceived) -> None:
        if not self.speaking:
            return
        rule = rule_for(self.context.profile.answers, event.call.action)
        if rule is None:
            self._answer(event)
        else:
            self._answer_by_rule(event, rule)

    def _answer(self, event: CallReceived, *, refuse: bool = False) -> None:
        """Decide, answer, and do what follows."""
        call = event.call
        reply = self._respond(self._station, call, refuse=refuse)
        if reply.payload is not None:
            self.session.answer(call.message_id, reply.payload)
        else:
            self.session.refuse(call.message_id, reply.code, reply.description)
            self.context.recorder.callerror(self.dialect.ocpp, call.action, FROM_CSMS, reply.code, reply.description)
        self._flush()
        self._record_command(event, reply.outcome)
        if self.context.observer is not None:
            self.context.observer.called(self._station, call, reply.outcome, event.at)
        if reply.then is not None:
            reply.then()
            if self._station.store is not None:
                self._station.store.changed(self.context.clock())

    def _answer_by_rule(self, event: CallReceived, rule: AnswerRule) -> None:
        """Answer as the load profile wants it: later, with a no, or never."""
        manner = manner_of(rule, store_of(self._station).draws("answers"))
        refuse = manner.verdict is Verdict.REJECT
        if manner.verdict is Verdict.SILENCE:
            self.session.ignore(event.call.message_id)
            self._record_command(event, Outcome.SILENT)
        elif manner.delay > 0:
            late = partial(self._answer_late, event, self.socket, refuse)
            self.context.timers.at(event.at + manner.delay, late, self._station)
        else:
            self._answer(event, refuse=refuse)

    def _answer_late(self, event: CallReceived, socket: Wire | None, refuse: bool, _: float) -> None:  # noqa: FBT001 - bound by `partial`
        if self.speaking and self.socket is socket:
            self._answer(event, refuse=refuse)
        else:
            # The CALL came on a connection that is gone, and so is its answer.
            self._record_command(event, Outcome.LOST)

    def _record_command(self, event: CallReceived, outcome: str) -> None:
        """Count a CALL of the CSMS, with the time that the station took for it."""
        now = self.context.clock()
        took = now - event.at
        self.context.recorder.call(self.dialect.ocpp, event.call.action, FROM_CSMS, outcome, took, took, now)


_REACTIONS: dict[type[Any], Callable[[Messaging, Any], None]] = {
    ResultReceived: Messaging._on_result,  # noqa: SLF001 - a dispatch table of this very class
    ErrorReceived: Messaging._on_error,  # noqa: SLF001
    AnswerMalformed: Messaging._on_malformed,  # noqa: SLF001
    TimedOut: Messaging._on_timeout,  # noqa: SLF001
    LostInFlight: Messaging._on_lost,  # noqa: SLF001
    NeverSent: Messaging._on_never_sent,  # noqa: SLF001
    CallReceived: Messaging._on_call,  # noqa: SLF001
    SendReceived: Messaging._on_send,  # noqa: SLF001
    Unreadable: Messaging._on_unreadable,  # noqa: SLF001
    LateAnswer: Messaging._on_stray,  # noqa: SLF001
    DuplicateAnswer: Messaging._on_stray,  # noqa: SLF001
    UnsolicitedAnswer: Messaging._on_stray,  # noqa: SLF001
    ResultErrorReceived: Messaging._on_result_error,  # noqa: SLF001
}
_STRAYS: dict[type[Any], str] = {
    LateAnswer: Outcome.LATE,
    DuplicateAnswer: "duplicate",
    UnsolicitedAnswer: Outcome.UNSOLICITED,
}
