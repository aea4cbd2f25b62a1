"""The session against a model that a person can hold in the head."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

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
    ResultReceived,
    TimedOut,
    Unreadable,
    UnsolicitedAnswer,
)
from ocppj.messages import CallError, CallResult, encode
from ocppj.session import REMEMBERED, Session, message_ids
from ocppj.versions import RULES, Version
from tests.ocppj.json_values import OBJECTS

ENDS = (ResultReceived, ErrorReceived, AnswerMalformed, TimedOut, LostInFlight, NeverSent)
TIMEOUT = 30.0


@dataclass
class Model:
    """What should be true: the CALLs that are open or wait, and how the others ended."""

    now: float = 0.0
    connected: bool = False
    alive: list[str] = field(default_factory=list)
    sent_at: float = 0.0
    ended: dict[str, str] = field(default_factory=dict)
    unanswered: list[str] = field(default_factory=list)
    answered_last: str | None = None
    owed: list[str] = field(default_factory=list)

    def end_first(self, how: str, *, remembered: bool = False) -> None:
        call = self.alive.pop(0)
        assert call not in self.ended
        self.ended[call] = how
        self.sent_at = self.now
        if remembered:
            self.unanswered = [*self.unanswered, call][-REMEMBERED:]


class SessionMachine(RuleBasedStateMachine):
    @initialize(version=st.sampled_from(list(Version)))
    def start(self, version: Version) -> None:
        self.session = Session(RULES[version], message_ids("m"), timeout=TIMEOUT)
        self.model = Model()
        self.calls: dict[str, PendingCall] = {}
        self.wire: list[list[Any]] = []
        self.given_answers = 0

    def take(self, events: list[Event]) -> list[tuple[type[Event], str | None]]:
        """Take frames off the session and reduce the events to their kind and the CALL that they end."""
        self.wire += [json.loads(frame) for frame in self.session.frames_to_send()]
        seen: list[tuple[type[Event], str | None]] = []
        for event in events:
            assert getattr(event, "at", self.model.now) == self.model.now
            call = event.call if isinstance(event, (*ENDS, LateAnswer)) else None
            assert call is None or call is self.calls[call.message_id]
            seen.append((type(event), call.message_id if call else None))
        return seen

    @precondition(lambda self: not self.model.connected)
    @rule()
    def connect(self) -> None:
        self.session.connection_made()
        self.model.connected = True

    @precondition(lambda self: self.model.connected)
    @rule()
    def lose_connection(self) -> None:
        expected: list[tuple[type[Event], str | None]] = []
        if self.model.alive:
            expected.append((LostInFlight, self.model.alive[0]))
            self.model.end_first("lost", remembered=True)
        while self.model.alive:
            expected.append((NeverSent, self.model.alive[0]))
            self.model.end_first("never-sent")
        self.model.connected = False
        self.model.owed.clear()
        assert self.take(self.session.connection_lost(self.model.now)) == expected

    @precondition(lambda self: self.model.connected)
    @rule(payload=OBJECTS)
    def call(self, payload: dict[str, Any]) -> None:
        call = self.session.call("Heartbeat", payload, self.model.now)
        assert call.message_id not in self.calls
        self.calls[call.message_id] = call
        if not self.model.alive:
            self.model.sent_at = self.model.now
        self.model.alive.append(call.message_id)
        assert self.take([]) == []

    @rule(seconds=st.floats(0, 2 * TIMEOUT))
    def wait(self, seconds: float) -> None:
        self.model.now += seconds
        expected: list[tuple[type[Event], str | None]] = []
        if self.model.alive and self.model.now >= self.model.sent_at + TIMEOUT:
            expected.append((TimedOut, self.model.alive[0]))
            self.model.end_first("timeout", remembered=True)
        assert self.take(self.session.tick(self.model.now)) == expected

    @precondition(lambda self: self.model.connected and self.model.alive)
    @rule(payload=OBJECTS)
    def answer_arrives(self, payload: dict[str, Any]) -> None:
        self.settle(encode(CallResult(self.model.alive[0], payload)), ResultReceived, "result")

    @precondition(lambda self: self.model.connected and self.model.alive)
    @rule()
    def refusal_arrives(self) -> None:
        self.settle(encode(CallError(self.model.alive[0], "GenericError")), ErrorReceived, "error")

    @precondition(lambda self: self.model.connected and self.model.alive)
    @rule(rest=st.sampled_from(["]", ",[]]", ',{"a":', ",{},{}]", ",1e999]"]))
    def broken_answer_arrives(self, rest: str) -> None:
        self.settle(f'[3,"{self.model.alive[0]}"{rest}', AnswerMalformed, "malformed")

    def settle(self, frame: str, event: type[Event], how: str) -> None:
        first = self.model.alive[0]
        seen = self.take(self.session.receive(frame, self.model.now))
        self.model.end_first(how)
        self.model.answered_last = first
        assert seen == [(event, first)]

    @precondition(lambda self: self.model.connected and self.calls)
    @rule(data=st.data())
    def answer_to_an_ended_call_arrives(self, data: st.DataObject) -> None:
        message_id = data.draw(st.sampled_from([*self.model.ended, "stranger"]))
        seen = self.take(self.session.receive(encode(CallResult(message_id, {})), self.model.now))
        if message_id == self.model.answered_last:
            assert seen == [(DuplicateAnswer, None)]
        elif message_id in self.model.unanswered:
            assert seen == [(LateAnswer, message_id)]
            self.model.unanswered.remove(message_id)
            self.model.answered_last = message_id
        else:
            assert seen == [(UnsolicitedAnswer, None)]

    @precondition(lambda self: self.model.connected)
    @rule(message_id=st.sampled_from("abc"))
    def peer_calls(self, message_id: str) -> None:
        [event] = self.session.receive(f'[2,"{message_id}","ClearCache",{{}}]', self.model.now)
        assert isinstance(event, CallReceived)
        assert event.open_before == len(self.model.owed)
        assert event.repeated_id == (message_id in self.model.owed)
        self.model.owed.append(message_id)

    @precondition(lambda self: self.model.owed)
    @rule(data=st.data(), refuse=st.booleans())
    def we_answer(self, data: st.DataObject, *, refuse: bool) -> None:
        message_id = data.draw(st.sampled_from(self.model.owed))
        if refuse:
            self.session.refuse(message_id, "NotSupported")
        else:
            self.session.answer(message_id, {"status": "Accepted"})
        self.model.owed.remove(message_id)
        self.given_answers += 1
        assert self.take([]) == []

    @precondition(lambda self: self.model.connected)
    @rule(frame=st.sampled_from(["", "noise", b"\xff", "[]", "[9]", "{}", '[2,"x"]', '[3,"y"]']))
    def noise_arrives(self, frame: str | bytes) -> None:
        assert self.take(self.session.receive(frame, self.model.now)) == [(Unreadable, None)]

    @invariant()
    def session_is_where_the_model_is(self) -> None:
        alive = self.model.alive
        assert self.session.connected == self.model.connected
        assert (self.session.open_call.message_id if self.session.open_call else None) == (alive[0] if alive else None)
        assert self.session.queue_depth == max(0, len(alive) - 1)
        assert self.session.deadline == (self.model.sent_at + TIMEOUT if alive else None)
        assert list(self.session.unanswered) == list(dict.fromkeys(self.model.owed))

    @invariant()
    def every_call_is_alive_or_ended_once(self) -> None:
        assert sorted([*self.model.alive, *self.model.ended]) == sorted(self.calls)

    @invariant()
    def wire_holds_each_call_once_in_order(self) -> None:
        never_sent = {call for call, how in self.model.ended.items() if how == "never-sent"}
        waiting = set(self.model.alive[1:])
        on_wire = [frame[1] for frame in self.wire if frame[0] == 2]
        assert on_wire == [call for call in self.calls if call not in never_sent | waiting]
        assert sum(frame[0] in (3, 4) for frame in self.wire) == self.given_answers


TestSessionMachine = SessionMachine.TestCase
TestSessionMachine.settings = settings(max_examples=settings().max_examples * 3 // 2, stateful_step_count=40)
