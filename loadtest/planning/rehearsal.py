"""Stations in virtual time: what a fleet would send to a CSMS that accepts everything, without a socket or a wait.

The stations are the real ones (`loadtest.station`), so a forecast never drifts away from what a run does. The clock
jumps from timer to timer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Any, Final

import msgspec

from loadtest.measuring.recorder import Recorder
from loadtest.measuring.windows import WindowPlan
from loadtest.station import Context, Station
from loadtest.timing.pacing import van_der_corput
from loadtest.timing.timers import TimerQueue
from loadtest.transport.contract import Handshake, How, Listener
from loadtest.transport.target import Target
from loadtest.workload.identities import Identities
from loadtest.workload.profile import Profile
from ocppj.versions import Version, rules_for_subprotocol

__all__ = ["MOST_CALLS", "MOST_STATIONS", "Part", "Rehearsal", "Traffic", "rehearse"]

MOST_STATIONS: Final = 300
"""More of a fleet is not rehearsed: their phases are as evenly spread as those of all."""
MOST_CALLS: Final = 60_000
"""A rehearsal ends with the second in which it has seen so many."""

_NOWHERE: Final = "ws://127.0.0.1/ocpp"
_NOW: Final = "2026-01-01T00:00:00Z"


class Traffic(msgspec.Struct):
    """CALLs of one action and their bytes on the WebSocket, frame headers included."""

    calls: float = 0.0
    sent: float = 0.0
    """Bytes of the CALLs."""
    received: float = 0.0
    """Bytes of the answers."""


class Part(msgspec.Struct, kw_only=True):
    """What happened within one window."""

    seconds: float = 0.0
    connects: int = 0
    traffic: dict[tuple[str, str], Traffic] = {}
    """By version and action."""


class Rehearsal(msgspec.Struct, kw_only=True):
    """What was rehearsed."""

    stations: int
    seconds: float
    cut_short: bool
    """Whether it ended before the duration, because it had seen enough."""
    parts: dict[str, Part]
    """By window."""


def rehearse(
    profile: Profile,
    versions: Mapping[Version, int],
    *,
    stations: int,
    ramp: float,
    duration: float,
    warm_up: float | None = None,
    cool_down: float = 0.0,
    interval: float = 300.0,
    seed: int = 0,
) -> Rehearsal:
    """Run `stations` through their day; they start evenly over `ramp` seconds.

    `versions` come with their weights, `interval` is what the CSMS says in its answer to BootNotification. Times in
    seconds; pure.
    """
    access = _Access(profile, versions, stations, interval=interval, seed=seed)
    return access.run(ramp, duration, WindowPlan(duration=duration, warm_up=warm_up, cool_down=cool_down))


def frame_bytes(payload: int, *, masked: bool) -> int:
    """Return the size of a WebSocket message with its header (RFC 6455 §5.2)."""
    extended = 0 if payload < 126 else 2 if payload < 1 << 16 else 8  # noqa: PLR2004 - the RFC's own numbers
    return payload + 2 + extended + 4 * masked


class _Access:
    """The CSMS, the clock and the counting."""

    def __init__(
        self,
        profile: Profile,
        versions: Mapping[Version, int],
        stations: int,
        *,
        interval: float,
        seed: int,
    ) -> None:
        self.now = 0.0
        self.timers = TimerQueue()
        self.recorder = Recorder(clock=self._clock, wall=0.0)
        self.parts: defaultdict[str, Part] = defaultdict(Part)
        self.part = Part()
        self.calls = 0
        self.answers = {version: _answers(version, interval) for version in versions}
        context = Context(
            engine=_engine(self.timers),
            target=Target(_NOWHERE),
            recorder=self.recorder,
            profile=profile,
            seed=seed,
            schema_share=0.0,
            clock=self._clock,
            wall=self._clock,
            make_socket=self._make_socket,
        )
        identities = Identities()
        self._stations = [
            Station(context, _version(versions, number), identities.lease(number)) for number in range(1, stations + 1)
        ]

    def run(self, ramp: float, duration: float, plan: WindowPlan) -> Rehearsal:
        for place, station in enumerate(self._stations):
            self.at(ramp * place / len(self._stations), station.start)
        second = 0.0
        while second < duration and self.calls < MOST_CALLS:
            window = plan.window(
                second, spawned=second >= ramp, booted=self.recorder.booted_now, target=len(self._stations)
            )
            self.part = self.parts[window]
            step = min(1.0, duration - second)
            self._until(second + step)
            self.part.seconds += step
            second += step
        return Rehearsal(
            stations=len(self._stations), seconds=second, cut_short=second < duration, parts=dict(self.parts)
        )

    def at(self, when: float, function: Callable[[], object]) -> None:
        self.timers.at(when, lambda _: function())

    def take(self, socket: _Socket, text: str) -> None:
        """Play the CSMS."""
        kind, message_id, *rest = msgspec.json.decode(text)
        if kind != 2:  # noqa: PLR2004 - a CALL
            return
        version, action = socket.version, rest[0]
        answer = msgspec.json.encode([3, message_id, self.answers[version].get(action, {})]).decode()
        traffic = self.part.traffic.setdefault((str(version), action), Traffic())
        traffic.calls += 1
        traffic.sent += frame_bytes(len(text.encode()), masked=True)
        traffic.received += frame_bytes(len(answer.encode()), masked=False)
        self.calls += 1
        self.at(self.now, lambda: socket.hear(answer))

    def _make_socket(self, _engine: Any, _target: Any, station: Any, _source: str | None) -> Any:
        return _Socket(self, station)

    def _clock(self) -> float:
        return self.now

    def _until(self, end: float) -> None:
        while (when := self.timers.next_at) is not None and when < end:
            self.now = max(self.now, when)
            self.timers.run_due(self.now)
        self.now = end


class _Socket:
    """Stands in for `StationSocket`."""

    version: Version

    def __init__(self, access: _Access, station: Listener) -> None:
        self.access = access
        self.station = station
        self.open = True
        self.deaf = False

    def connect(self, url: str, subprotocol: str, headers: Mapping[str, str]) -> None:  # noqa: ARG002 - as the real one
        rules = rules_for_subprotocol(subprotocol)
        assert rules is not None
        self.version = rules.version
        self.access.part.connects += 1
        self.access.at(self.access.now, lambda: self.station.on_open(Handshake(subprotocol, 0.0, 0.0)))

    def send_text(self, text: str) -> bool:
        self.access.take(self, text)
        return self.open

    def hear(self, text: str) -> None:
        if self.open and not self.deaf:
            self.station.on_text(text, self.access.now)

    def ping_every(self, seconds: float) -> None:
        """Ping nobody: pings are no CALLs."""

    def leave_pings(self, on_ping: Callable[[], bool]) -> None:
        """Ping nobody."""

    def note(self, info: Mapping[str, Any]) -> None:
        """Trace nothing."""

    def pause(self) -> None:
        self.deaf = True

    def resume(self) -> None:
        self.deaf = False

    def hand_over(self, listener: Listener) -> None:
        self.station = listener

    def catch_up(self) -> None:
        """Nothing lies unread."""

    def give_up(self, reason: str, how: How) -> None:
        self.open = False
        self.access.at(self.access.now, lambda: self.station.on_closed(1006, reason, how))

    def close(self, code: int = 1000, reason: str = "") -> None:
        if self.open:
            self.open = False
            self.access.at(self.access.now, lambda: self.station.on_closed(code, reason, How.LOCAL))

    def abort(self) -> None:
        self.open = False


def _engine(timers: TimerQueue) -> Any:
    return SimpleNamespace(timers=timers)


def _version(versions: Mapping[Version, int], number: int) -> Version:
    """Give each version its share, evenly mixed over the fleet."""
    point = van_der_corput(number, 3) * sum(versions.values())
    chosen = next(iter(versions))
    for version, weight in versions.items():
        chosen = version
        if point < weight:
            break
        point -= weight
    return chosen


_ACCEPTED: Final = {"status": "Accepted"}
_TOKEN_ANSWERS: Final[Mapping[Version, dict[str, dict[str, Any]]]] = MappingProxyType(
    {
        Version.V16: {
            "Authorize": {"idTagInfo": _ACCEPTED},
            "StartTransaction": {"transactionId": 1_000_000, "idTagInfo": _ACCEPTED},
        },
        Version.V201: {"Authorize": {"idTokenInfo": _ACCEPTED}},
        Version.V21: {"Authorize": {"idTokenInfo": _ACCEPTED}},
    }
)


def _answers(version: Version, interval: float) -> dict[str, dict[str, Any]]:
    boot = {"currentTime": _NOW, "interval": int(interval), **_ACCEPTED}
    return {"BootNotification": boot, "Heartbeat": {"currentTime": _NOW}, **_TOKEN_ANSWERS[version]}
