"""A harness where stations run without a network and without waiting: the clock jumps from timer to timer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import msgspec

from loadtest.measuring.recorder import Recorder
from loadtest.station import Context, Station
from loadtest.timing.backoff import Backoff
from loadtest.timing.timers import TimerQueue
from loadtest.transport.contract import Handshake, How
from loadtest.transport.target import Target
from loadtest.workload.identities import Identities
from loadtest.workload.profile import Profile, Sessions
from ocppj.schemas import validator
from ocppj.versions import Version

__all__ = ["SILENT", "Call", "FleetHarness", "accepting"]

SILENT = object()
"""Stands for no answer at all."""

IDLE = Profile(name="idle", title="nobody charges", models={"ac-single": 1.0})


def charging(duration: float = 60.0, gap: float = 30.0, **more: Any) -> Profile:
    """Make a profile with one kind of charging session."""
    sessions = Sessions(duration=duration, gap=gap, unplug=1.0, **more)
    return Profile(name="charging", title="cars", models={"ac-single": 1.0}, meter=10.0, sessions=sessions)


class Call(msgspec.Struct, frozen=True):
    """A CALL that a station sent."""

    at: float
    action: str
    payload: dict[str, Any]
    message_id: str
    connection: int


def accepting(version: Version, interval: int = 300) -> dict[str, Any]:
    """Write what a CSMS says that takes everything."""
    boot = {"status": "Accepted", "currentTime": "2026-01-01T00:00:00Z", "interval": interval}
    answers: dict[str, Any] = {"BootNotification": boot, "Heartbeat": {"currentTime": "2026-01-01T00:00:00Z"}}
    if version is Version.V16:
        yes = {"idTagInfo": {"status": "Accepted"}}
        return answers | {"Authorize": yes, "StartTransaction": {"transactionId": 4711, **yes}}
    return answers | {"Authorize": {"idTokenInfo": {"status": "Accepted"}}}


class HarnessSocket:
    """Stands in for `StationSocket`; the harness decides what it hears."""

    def __init__(self, harness: FleetHarness, station: Station) -> None:
        self.harness = harness
        self.station = station
        self.number = len(harness.sockets) + 1
        self.open = False
        self.closed_with: int | None = None
        self.pings: float | None = None
        """Seconds between its pings."""
        self.on_ping: Callable[[], bool] | None = None
        """Who hears of pings of the CSMS instead of a pong being sent."""
        self.notes: list[dict[str, Any]] = []
        """What a trace would say beside the frames."""
        self.linger = 0.0
        """Seconds between our Close frame and the end of the connection."""
        self.request: tuple[str, str, Mapping[str, str]] | None = None
        self.paused = False
        self.unread: list[Callable[[], object]] = []
        """What came in while nobody read."""

    def connect(self, url: str, subprotocol: str, headers: Mapping[str, str]) -> None:
        self.request = (url, subprotocol, headers)
        self.harness.attempts.append(self.harness.now)
        self.harness.soon(self._answer_upgrade)

    def _answer_upgrade(self) -> None:
        if self.closed_with is not None:
            return
        if self.harness.refuse_with is not None:
            self.station.on_failed(self.harness.refuse_with, "the harness is closed")
            return
        self.open = True
        assert self.request is not None
        self.station.on_open(Handshake(self.request[1], 0.0, 0.0))

    def send_text(self, text: str) -> bool:
        if self.open:
            self.harness.take(self, text)
        return self.open

    def ping_every(self, seconds: float) -> None:
        self.pings = seconds

    def leave_pings(self, on_ping: Callable[[], bool]) -> None:
        self.on_ping = on_ping

    def note(self, info: Mapping[str, Any]) -> None:
        self.notes.append(dict(info))

    def catch_up(self) -> None:
        if not self.paused:
            while self.unread and self.closed_with is None:
                self.unread.pop(0)()

    def give_up(self, reason: str, how: How) -> None:
        self.open = False
        self.closed_with = 0
        self.station.on_closed(1006, reason, how)

    def close(self, code: int = 1000, reason: str = "") -> None:
        if not self.open:
            self.abort()
            return
        self.open = False
        self.closed_with = code
        self.harness.soon(lambda: self.station.on_closed(code, reason, How.LOCAL), self.linger)

    def abort(self) -> None:
        self.open = False
        self.closed_with = 0

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        while self.unread and self.closed_with is None:
            self.unread.pop(0)()

    def hand_over(self, listener: Any) -> None:
        self.station = listener

    def hear(self, what: Callable[[], object]) -> None:
        """Let its owner hear something now, or when it reads again."""
        if self.paused or self.harness.asleep:
            self.unread.append(what)
        elif self.open:
            what()


class FleetHarness:
    """One station and the CSMS in front of it; `answers` maps actions to payloads, functions of those, or SILENT."""

    def __init__(
        self,
        version: Version = Version.V16,
        profile: Profile = IDLE,
        answers: dict[str, Any] | None = None,
        *,
        latency: float = 0.0,
        number: int = 1,
        target: Target | None = None,
        **settings: Any,
    ) -> None:
        self.now = 1000.0
        self.version = version
        self.answers = accepting(version) | (answers or {})
        self.latency = latency
        self.refuse_with: str | None = None
        self.asleep = False
        """Whether the process is too busy to read what comes in."""
        self.lawful = True
        """Whether every CALL of the station has to keep to its schema."""
        self.calls: list[Call] = []
        self.sends: list[Call] = []
        """What came as SEND."""
        self.replies: list[list[Any]] = []
        """What the station answered to commands."""
        self.attempts: list[float] = []
        self.sockets: list[HarnessSocket] = []
        self.timers = TimerQueue()
        self.recorder = Recorder(clock=self.clock, wall=1_700_000_000.0)
        engine: Any = SimpleNamespace(timers=self.timers)
        target = target or Target("ws://csms.example/ocpp")
        self.targets: list[Target] = []
        """Where each attempt went."""
        defaults: dict[str, Any] = {"backoff": Backoff("fixed", 5.0, 0.0, 0), "call_timeout": 30.0, "schema_share": 1.0}
        self.context = Context(
            engine=engine,
            target=target,
            recorder=self.recorder,
            profile=profile,
            clock=self.clock,
            wall=lambda: 1_700_000_000.0,
            make_socket=self._make_socket,
            **(defaults | settings),
        )
        self.station = Station(self.context, version, Identities().lease(number))
        self._ids = 0

    def clock(self) -> float:
        return self.now

    def soon(self, function: Callable[[], object], delay: float = 0.0) -> None:
        self.timers.at(self.now + delay, lambda _: function())

    def run(self, seconds: float = 0.0) -> FleetHarness:
        """Let time pass."""
        until = self.now + seconds
        while (when := self.timers.next_at) is not None and when <= until:
            self.now = max(self.now, when)
            self.timers.run_due(self.now)
        self.now = until
        return self

    def start(self) -> FleetHarness:
        """Switch the station on and let it settle."""
        self.station.start()
        return self.run()

    def command(self, action: str, payload: Any) -> list[Any]:
        """Send a CALL to the station and return the array that it answers at once; reactions follow."""
        self._ids += 1
        before = len(self.replies)
        frame = msgspec.json.encode([2, f"csms-{self._ids}", action, payload]).decode()
        self.hear(frame)
        self.run()
        assert len(self.replies) == before + 1, "one command, one answer"
        reply = self.replies[-1]
        if reply[0] == 3:
            errors = validator(self.version, action, "response").errors(reply[2])
            assert not errors, f"{action}: {errors} in {reply[2]}"
        else:
            assert reply[2] in self.station.dialect.rules.all_error_codes
        return reply

    def command_later(self, action: str, payload: Any) -> None:
        """Send a CALL through the socket of the station; the answer may take its time."""
        self._ids += 1
        self.hear_on_the_wire(msgspec.json.encode([2, f"csms-{self._ids}", action, payload]).decode())

    def hear(self, data: str | bytes) -> None:
        """Let the station hear a message."""
        self.station.on_text(data, self.now)

    def hear_on_the_wire(self, data: str) -> None:
        """Let the station hear a message through its socket, and whatever is around that."""
        self.sockets[-1].station.on_text(data, self.now)

    def lose(self, how: How = How.LOST, *, refuse_with: str | None = None) -> None:
        """Cut the connection."""
        self.refuse_with = refuse_with
        self.sockets[-1].open = False
        self.station.on_closed(1006, "", how)

    def take(self, socket: HarnessSocket, text: str) -> None:
        """Play the CSMS."""
        message = msgspec.json.decode(text)
        if message[0] == 6:
            errors = validator(self.version, message[2], "send").errors(message[3])
            assert not errors, f"{message[2]}: {errors}"
            self.sends.append(Call(self.now, message[2], message[3], message[1], socket.number))
            return
        if message[0] != 2:
            self.replies.append(message)
            return
        _, message_id, action, payload = message
        errors = validator(self.version, action, "request").errors(payload)
        assert not (errors and self.lawful), f"{action}: {errors}"
        self.calls.append(Call(self.now, action, payload, message_id, socket.number))
        answer = self.answers.get(action, {})
        if callable(answer):
            answer = answer(payload)
        if answer is SILENT:
            return
        frame = answer if isinstance(answer, list) else [3, message_id, answer]
        frame = [message_id if part == "ID" else part for part in frame]
        self.soon(lambda: self._say(socket, msgspec.json.encode(frame).decode()), self.latency)

    def _say(self, socket: HarnessSocket, text: str) -> None:
        if socket.open:
            socket.hear(lambda: socket.station.on_text(text, self.now))

    def _make_socket(self, _engine: Any, target: Target, station: Any, _source: str | None) -> Any:
        self.targets.append(target)
        self.sockets.append(HarnessSocket(self, station))
        return self.sockets[-1]

    # -- what tests ask ----------------------------------------------------------------------------------------------

    def sent(self, action: str) -> list[Call]:
        """List the CALLs of an action."""
        return [call for call in self.calls if call.action == action]

    @property
    def actions(self) -> list[str]:
        """List the actions of all CALLs in order."""
        return [call.action for call in self.calls]

    @property
    def statuses(self) -> list[str]:
        """List the statuses that were told of connector 1, in order."""
        told = [call.payload for call in self.sent("StatusNotification")]
        if self.version is Version.V16:
            return [payload["status"] for payload in told if payload["connectorId"] == 1]
        return [payload["connectorStatus"] for payload in told if (payload["evseId"], payload["connectorId"]) == (1, 1)]

    def outcomes(self) -> Counter[tuple[str, str]]:
        """Count the recorded CALLs by action and outcome, both directions together."""
        counts: Counter[tuple[str, str]] = Counter()
        delta = self.recorder.take(final=True)
        self.faults = delta["faults"]
        self.connections = delta["connections"]
        self.injected = delta["injected"]
        self.activity = delta["activity"]
        self.lost = sum(count for _, _, _, _, count, _, _ in delta["lost"])
        for entries in delta["windows"].values():
            for _, action, _, outcome, _, response in entries:
                counts[action, outcome] += sum(response.values())
        return counts
