"""The impaired network of one station: a socket around its socket, which delays, repeats, loses and swallows frames.

Only a station under such rules has one; all the others speak to their sockets directly. Whatever is done is counted as
injected, noted in the trace of a traced station, and excused: what follows from it is no fault of the CSMS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from loadtest.station.connection_owner import ConnectionOwner
from loadtest.timing.pacing import Draws
from loadtest.timing.timers import Timer
from loadtest.transport.contract import Handshake, How, Listener, Wire
from loadtest.workload.identities import Lease
from loadtest.workload.impair import Direction, Impairment, fate_of
from ocppj.versions import MessageType

__all__ = ["ImpairedWire", "Impairments"]

_HEAD: Final = re.compile(r'\s*\[\s*(\d)\s*,\s*"((?:[^"\\]|\\.)*)"\s*(?:,\s*"([^"]*)")?')
"""The message type, the id, and the action of a CALL."""
_MOST: Final = 1000
"""Ids whose actions are remembered."""
_OTHER: Final[Mapping[Direction, Direction]] = {
    Direction.TO_CSMS: Direction.FROM_CSMS,
    Direction.FROM_CSMS: Direction.TO_CSMS,
}


class Impairments:
    """The rules that one station is under at the moment, and what they have to remember of its messages."""

    def __init__(self, station: ConnectionOwner, rules: Sequence[Impairment] = ()) -> None:
        """Begin with the rules of the profile."""
        self.station = station
        self.rules: list[Impairment] = list(rules)
        self.draws = Draws(station.context.seed, station.lease.identity, "impair")
        self._actions: dict[tuple[Direction, str], str] = {}

    def wrap(self, make: Callable[[Listener], Wire]) -> ImpairedWire:
        """Make the socket of a connection, which is to be impaired."""
        wire = ImpairedWire(self, self.station)
        wire.inner = make(wire)
        return wire

    def take_over(self, inner: Wire) -> ImpairedWire:
        """Impair a connection that stands already."""
        wire = ImpairedWire(self, self.station)
        wire.inner = inner
        inner.hand_over(wire)
        return wire

    def read(self, direction: Direction, data: str | bytes) -> tuple[int, str, str]:
        """Return the type of a message, its id, and the action that it belongs to; 0 and nothing if unreadable."""
        found = _HEAD.match(data) if isinstance(data, str) else None
        if found is None:
            return 0, "", ""
        kind, message_id, action = int(found[1]), found[2], found[3] or ""
        if kind in (MessageType.CALL, MessageType.SEND):
            self._actions[direction, message_id] = action
            if len(self._actions) > _MOST:
                del self._actions[next(iter(self._actions))]
            return kind, message_id, action
        return kind, message_id, self._actions.get((_OTHER[direction], message_id), "")


class ImpairedWire:
    """One connection: a `Wire` for the station, and the listener of the socket inside."""

    inner: Wire

    def __init__(self, impairments: Impairments, listener: Listener) -> None:
        """Pass everything between `inner`, which is set next, and `listener`."""
        self._impairments = impairments
        self._listener = listener
        self._timers = impairments.station.context.timers
        self._waiting: set[Timer] = set()
        self._free_at = dict.fromkeys(_OTHER, 0.0)
        """When the last frame that is under way arrives: a later one does not overtake it."""
        self._dead = False

    @property
    def lease(self) -> Lease:
        """Whose connection it is."""
        return self._impairments.station.lease

    # -- what the station does with it -------------------------------------------------------------------------------

    def connect(self, url: str, subprotocol: str, headers: Mapping[str, str]) -> None:
        """Begin to connect; only messages are impaired."""
        self.inner.connect(url, subprotocol, headers)

    def send_text(self, text: str) -> bool:
        """Let a message of the station meet its fate."""
        if self._dead:
            return True
        self._pass(Direction.TO_CSMS, text, lambda: self.inner.send_text(text))
        return True

    def ping_every(self, seconds: float) -> None:
        """Ping; pings are not impaired, but a half-open connection hears no pong."""
        self.inner.ping_every(seconds)

    def leave_pings(self, on_ping: Callable[[], bool]) -> None:
        """Answer no pings."""
        self.inner.leave_pings(on_ping)

    def note(self, info: Mapping[str, Any]) -> None:
        """Write a note into the trace."""
        self.inner.note(info)

    def pause(self) -> None:
        """Read nothing more."""
        self.inner.pause()

    def resume(self) -> None:
        """Read again, unless the connection is half-open."""
        if not self._dead:
            self.inner.resume()

    def hand_over(self, listener: Listener) -> None:
        """Let somebody else hear what is still to come."""
        self._listener = listener

    def catch_up(self) -> None:
        """Hear what lies unread, unless the connection is half-open."""
        if not self._dead:
            self.inner.catch_up()

    def give_up(self, reason: str, how: How) -> None:
        """End at once; `on_closed` follows."""
        self.inner.give_up(reason, how)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close politely, behind everything that is under way."""
        if self._dead:
            self._cut(code, reason, How.LOCAL)
        elif self._free_at[Direction.TO_CSMS] > self._now:
            self._later(self._free_at[Direction.TO_CSMS], lambda: self.inner.close(code, reason))
        else:
            self.inner.close(code, reason)

    def abort(self) -> None:
        """End at once; no callback follows."""
        self._forget()
        self.inner.abort()

    # -- the listener of the socket ----------------------------------------------------------------------------------

    def on_open(self, handshake: Handshake) -> None:
        """Pass it on."""
        self._listener.on_open(handshake)

    def on_failed(self, outcome: str, reason: str) -> None:
        """Pass it on."""
        self._listener.on_failed(outcome, reason)

    def on_text(self, data: str | bytes, now: float) -> None:
        """Let a message of the CSMS meet its fate."""
        if not self._dead:
            self._pass(Direction.FROM_CSMS, data, lambda: self._listener.on_text(data, max(now, self._now)))

    def on_closed(self, code: int, reason: str, how: How) -> None:
        """Pass it on; what was under way is gone."""
        self._forget()
        self._listener.on_closed(code, reason, how)

    def on_trouble(self, kind: str, detail: str = "") -> None:
        """Pass it on."""
        self._listener.on_trouble(kind, detail)

    def on_crash(self, error: Exception) -> None:
        """Pass it on."""
        self._forget()
        self._listener.on_crash(error)

    # -- inside ------------------------------------------------------------------------------------------------------

    @property
    def _now(self) -> float:
        return self._impairments.station.context.clock()

    def _pass(self, direction: Direction, data: str | bytes, deliver: Callable[[], object]) -> None:
        impairments = self._impairments
        kind, message_id, action = impairments.read(direction, data)
        fate = fate_of(impairments.rules, direction, action, impairments.draws)
        excuses = impairments.station.messaging.excused
        tell = {"direction": direction.value, "action": action, "message_id": message_id}
        if fate.half_open is not None:
            self._count("half-open", tell | {"seconds": fate.half_open})
            excuses().everything = True
            self._go_half_open(fate.half_open)
            return
        if fate.lost:
            self._count("loss", tell)
            self._cut(1006, "loss", How.INJECTED)
            return
        if fate.delay:
            self._count("latency", tell | {"ms": round(fate.delay * 1000, 1)})
        if fate.duplicated:
            # Told before either of the two is on the wire, so that a reader of the trace knows them.
            self._count("duplicate", tell)
        self._deliver(direction, fate.delay, deliver)
        if self._free_at[direction] - self._now >= impairments.station.context.call_timeout / 2:
            # A CALL that takes so long may time out, however fast the CSMS is.
            excuses().add(message_id)
        if fate.duplicated:
            excuses().add(message_id)
            if kind == MessageType.CALL and direction is Direction.TO_CSMS:
                impairments.station.copied(action)
            self._deliver(direction, fate.delay, deliver)

    def _count(self, kind: str, tell: dict[str, Any]) -> None:
        self._impairments.station.context.recorder.injected(f"{kind} {tell['direction']}")
        self.inner.note({"injected": kind} | tell)

    def _deliver(self, direction: Direction, delay: float, deliver: Callable[[], object]) -> None:
        now, free_at = self._now, self._free_at[direction]
        at = max(now + delay, free_at)
        if at <= now:
            deliver()
            return
        self._free_at[direction] = at
        self._later(at, deliver)

    def _later(self, at: float, work: Callable[[], object]) -> None:
        def due(_: float) -> None:
            self._waiting.discard(timer)
            work()

        timer = self._timers.at(at, due, self._impairments.station)
        self._waiting.add(timer)

    def _go_half_open(self, hold: float) -> None:
        self._forget()
        self._dead = True
        # Pongs are not heard either, so that the station's own pings may notice first.
        self.inner.pause()
        self._later(self._now + hold, lambda: self._cut(1006, "half-open", How.INJECTED))

    def _cut(self, code: int, reason: str, how: How) -> None:
        """End the connection; the station hears of it in a moment, and not from within what it does now."""
        self._forget()
        self._dead = True
        self.inner.abort()
        self._later(self._now, lambda: self._listener.on_closed(code, reason, how))

    def _forget(self) -> None:
        for timer in self._waiting:
            self._timers.cancel(timer)
        self._waiting.clear()
