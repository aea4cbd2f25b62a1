"""The connection of a station: one socket at a time, and the wait before the next attempt."""

from __future__ import annotations

from functools import partial

from evidence.vocabulary import OPENED
from loadtest.station.connection_owner import ConnectionOwner
from loadtest.station.context import Context
from loadtest.station.impairments import ImpairedWire, Impairments
from loadtest.station.line_habits import habits_of
from loadtest.station.state.certificates import CertificateStore
from loadtest.station.state.settings import Settings
from loadtest.station.state.store import peek
from loadtest.timing.backoff import reconnect_wait
from loadtest.timing.timers import Timer
from loadtest.transport.contract import How, Listener, Wire
from loadtest.transport.target import Target
from loadtest.workload.impair import Impairment, rules_for
from loadtest.workload.quirks import Leaving
from ocppj.registration import Registration

__all__ = ["Connection"]

_FAULTS = (How.VIOLATION, How.TOO_BIG, How.SLOW_CONSUMER)


class Connection:
    """Opens, counts and ends the connections of one station; it never decides by itself to connect again."""

    __slots__ = ("_attempts", "_habits", "_impairments", "_offline_since", "_retry", "_station")

    def __init__(self, station: ConnectionOwner) -> None:
        """Start without a connection."""
        self._station = station
        self._habits = habits_of(station)
        rules = rules_for(station.context.impairments, station.lease.identity, station.context.seed)
        self._impairments = Impairments(station, rules) if rules else None
        self._attempts = 0
        """How many attempts have been waited for since the last connection."""
        self._offline_since: float | None = None
        self._retry: Timer | None = None

    def open(self) -> None:
        """Connect now, unless a storm lets every attempt fail."""
        self.cancel()
        station, context = self._station, self._station.context
        storm, target = station.storm, context.target
        if storm is not None:
            if storm.refuses():
                self.open_later()
                return
            target = storm.where() or target
        if self._habits is not None and self._habits.probes(self.open):
            return
        certificates = peek(station, CertificateStore)
        if certificates is not None:
            target = certificates.target(target)
        make = partial(_make_socket, context, target, station.lease.number)
        impairments = self._impairments
        socket = impairments.wrap(make) if impairments is not None and impairments.rules else make(station)
        station.messaging.socket = socket
        settings = peek(station, Settings)
        headers = context.headers(station.lease, station.version, None if settings is None else settings.password)
        socket.connect(context.url(station.lease, target), station.dialect.rules.subprotocol, headers)

    def open_later(self) -> None:
        """Connect after the wait that the back-off sets for this attempt."""
        self.cancel()
        context, station = self._station.context, self._station
        wait = reconnect_wait(context.backoff, self._attempts, station.draws.uniform())
        self._attempts += 1
        self._retry = context.timers.at(context.clock() + wait, self._retry_due, station)

    def cancel(self) -> None:
        """Wait for no further attempt."""
        self._station.context.timers.cancel(self._retry)
        self._retry = None
        if self._habits is not None:
            self._habits.over()

    def cut(self) -> None:
        """Lose the connection without a word, as a power loss does."""
        self.discard()
        self._settle()

    def discard(self) -> None:
        """Let go of the socket, without looking back."""
        messaging = self._station.messaging
        socket, messaging.socket = messaging.socket, None
        if socket is not None:
            socket.abort()
        if self._habits is not None:
            self._habits.over()

    def leave(self, why: Leaving) -> None:
        """Note that the station itself closes the connection, and why; some firmware takes that for the end."""
        if self._habits is not None:
            self._habits.leaving = why

    def impair(self, rule: Impairment) -> None:
        """Put the connections under one more rule, that which stands included."""
        if self._impairments is None:
            self._impairments = Impairments(self._station)
        self._impairments.rules.append(rule)
        messaging = self._station.messaging
        if messaging.socket is not None and not isinstance(messaging.socket, ImpairedWire):
            messaging.socket = self._impairments.take_over(messaging.socket)

    def relieve(self, rule: Impairment) -> None:
        """Take a rule back."""
        if self._impairments is not None and rule in self._impairments.rules:
            self._impairments.rules.remove(rule)

    def gives_up(self, how: How, code: int, reason: str) -> Leaving | None:
        """Return after what the station stays away, when a connection has ended so; None where it comes back."""
        return None if self._habits is None else self._habits.gives_up(how, code, reason)

    def hand_over(self) -> Wire | None:
        """Take the connection for dead, and leave its socket to the caller."""
        messaging = self._station.messaging
        socket, messaging.socket = messaging.socket, None
        self._settle()
        return socket

    # -- what the socket tells ---------------------------------------------------------------------------------------

    def opened(self, now: float) -> float:
        """Take note that the connection stands; return for how many seconds there was none before it."""
        station = self._station
        context, messaging = station.context, station.messaging
        context.recorder.connection(OPENED)
        context.recorder.connected(1)
        messaging.opened()
        self._attempts = 0
        if context.vendor.ping and messaging.socket is not None:
            messaging.socket.ping_every(context.vendor.ping)
        if self._habits is not None and messaging.socket is not None:
            self._habits.opened(messaging.socket, now)
        return 0.0 if self._offline_since is None else now - self._offline_since

    def failed(self, outcome: str) -> None:
        """Count an attempt that has failed."""
        self._station.messaging.socket = None
        self._station.context.recorder.connection(outcome)

    def closed(self, code: int, reason: str, how: How) -> None:
        """Count a connection that has ended."""
        recorder, messaging = self._station.context.recorder, self._station.messaging
        if messaging.excuses is not None and messaging.excuses.everything:
            # What a station that hears nothing takes for a loss is none of the CSMS.
            how = How.INJECTED
        if how is How.INJECTED:
            recorder.injected(f"connection ended: {reason}")
            messaging.excused().everything = True
        elif how is not How.LOCAL:
            open_call = self._station.messaging.session.open_call
            recorder.lost(str(how), code, reason, "" if open_call is None else open_call.action)
        if how in _FAULTS:
            recorder.fault(how)
        self._settle()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _retry_due(self, _: float) -> None:
        self.open()

    def _settle(self) -> None:
        """Settle the books of a connection that is gone."""
        messaging = self._station.messaging
        messaging.socket = None
        messaging.speaking = False
        if not messaging.session.connected:
            return
        recorder, now = self._station.context.recorder, self._station.context.clock()
        recorder.connected(-1)
        if messaging.registration is Registration.ACCEPTED:
            recorder.booted(-1)
        self._offline_since = now
        messaging.settle(now)
        if messaging.excuses is not None:
            messaging.excuses.everything = False
        self._station.disconnected(now)


def _make_socket(context: Context, target: Target, number: int, listener: Listener) -> Wire:
    return context.make_socket(context.engine, target, listener, target.source(number))
