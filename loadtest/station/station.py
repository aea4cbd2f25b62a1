"""The charge point itself: connection, registration, heartbeat, and the way of every CALL to the recorder."""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from fixtures import models
from loadtest.measuring.recorder import OPENED
from loadtest.station.arrivals import Arrivals, PlannedArrivals, arrivals_at
from loadtest.station.charging_session import Connector, Phase
from loadtest.station.clock_aligned import ClockAlignedMeter
from loadtest.station.commands.respond import answer_by_rule, respond
from loadtest.station.context import BOOT_RETRY, HEARTBEAT
from loadtest.station.dialect.contract import Ending, Status
from loadtest.station.messaging import Messaging
from loadtest.station.replay import ReplayPlayer
from loadtest.station.transaction_queue import TransactionQueue
from loadtest.timing.backoff import reconnect_wait
from loadtest.timing.pacing import Draws, next_in_phase, van_der_corput
from loadtest.transport.socket import How
from ocppj.registration import Registration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loadtest.plugins.storms.station_storm import StationStorm
    from loadtest.station.commands.respond import Reply
    from loadtest.station.context import Context
    from loadtest.station.dialect.contract import Payload
    from loadtest.station.state.store import StateStore
    from loadtest.timing.timers import Timer
    from loadtest.transport.socket import Handshake, StationSocket
    from loadtest.workload.identities import Lease
    from loadtest.workload.profile import Profile
    from ocppj.events import CallReceived
    from ocppj.messages import Call
    from ocppj.versions import Version

__all__ = ["Life", "Station"]

_logger = logging.getLogger(__name__)


class Life(StrEnum):
    """What a station does about connections."""

    NEW = "new"
    ON = "on"
    REBOOTING = "rebooting"
    STOPPING = "stopping"
    OFF = "off"


class Station(Messaging):
    """One virtual charge point; all methods run in the hub or before it starts, and none blocks."""

    __slots__ = (
        "_boot_at",
        "_boot_timer",
        "_clock_aligned",
        "_heartbeat_timer",
        "_offline_since",
        "_on_stopped",
        "_remote_boot",
        "_transaction_queue",
        "_waits",
        "arrivals",
        "connectors",
        "draws",
        "heartbeat_interval",
        "life",
        "meter_interval",
        "model",
        "online_since",
        "reset_when_idle",
        "store",
        "storm",
    )

    def __init__(self, context: Context, version: Version, lease: Lease) -> None:
        """Build the station that the lease, the seed and the profile describe."""
        context = context.for_station(lease)
        super().__init__(context, version, lease)
        self.draws = Draws(context.seed, lease.identity)
        self.model = models.model(context.pick_model(self.draws, self.profile))
        self.life = Life.NEW
        self.online_since = 0.0
        scale, meter = self.profile.interval_scale, self.profile.meter
        self.heartbeat_interval = (self.profile.heartbeat or HEARTBEAT) / scale
        self.meter_interval = (float(self.model.meter.interval) if meter is None else meter) / scale
        self.connectors: Sequence[Connector] = [Connector(self, model) for model in context.connectors(self.model.name)]
        self.arrivals: Arrivals | PlannedArrivals | ReplayPlayer | None = None
        self.reset_when_idle = False
        self.store: StateStore | None = None
        """What commands have left here; made by `store_of`."""
        self.storm: StationStorm | None = None
        """The storm that the station is in."""
        self._transaction_queue: TransactionQueue | None = None
        self._waits = 0
        self._boot_at = 0.0
        self._remote_boot = False
        self._offline_since: float | None = None
        self._boot_timer: Timer | None = None
        self._heartbeat_timer: Timer | None = None
        self._clock_aligned: ClockAlignedMeter | None = None
        self._on_stopped: Callable[[], object] | None = None

    @property
    def profile(self) -> Profile:
        """What its part of the fleet does all day."""
        return self.context.profile

    # -- what others may ask -----------------------------------------------------------------------------------------

    @property
    def individual(self) -> models.Station:
        """The station's numbers; made anew when nobody asked for a while."""
        individual = self.context.individual(self.model.name, self.lease.identity)
        if self.store is not None and self.store.firmware_version is not None:
            return msgspec.structs.replace(individual, firmware_version=self.store.firmware_version)
        return individual

    @property
    def transaction_queue(self) -> TransactionQueue:
        """The queue of transaction messages."""
        if self._transaction_queue is None:
            self._transaction_queue = TransactionQueue(self)
        return self._transaction_queue

    @property
    def messages_waiting(self) -> int:
        """How many transaction messages the CSMS has not answered yet."""
        return 0 if self._transaction_queue is None else len(self._transaction_queue)

    def start(self) -> None:
        """Power up: connect now, and again whenever the connection is lost."""
        self.life = Life.ON
        self._connect(self.context.clock())

    def stop(self, on_stopped: Callable[[], object], patience: float) -> None:
        """Finish in order: end transactions, deliver what waits for at most `patience` seconds, close, report."""
        if self.life is Life.OFF:
            on_stopped()
            return
        self._on_stopped = on_stopped
        if self.life is Life.STOPPING:
            return
        self.life = Life.STOPPING
        self.leaving = True
        timers, now = self.context.timers, self.context.clock()
        self._stop_arrivals()
        timers.cancel(self._boot_timer)
        timers.cancel(self._heartbeat_timer)
        self._end_charging_sessions(Ending.LOCAL, now)
        if not self.session.connected:
            self._finish()
            return
        self._boot_timer = timers.at(now + patience, self._close, self)
        self._close_when_idle()

    def abort(self) -> None:
        """Be gone at once, without a word to the CSMS."""
        if self.life is not Life.OFF:
            self._drop()
            self._finish()

    def reboot(self, ending: Ending) -> None:
        """Restart as the CSMS asked: end transactions, close, be gone for a while, boot.

        A soft reset lets the transaction messages out first; a hard one cuts the line and keeps them for afterwards
        (OCPP 1.6 §5.14).
        """
        if self.life is not Life.ON:
            return
        self.life = Life.REBOOTING
        self.leaving = True
        self._remote_boot = True
        now = self.context.clock()
        self._stop_arrivals()
        if ending is Ending.HARD_RESET:
            self._drop()
            self._end_charging_sessions(ending, now)
            self._power_cycle()
            return
        self._end_charging_sessions(ending, now)
        self.context.timers.cancel(self._boot_timer)
        self._boot_timer = self.context.timers.at(now + self.context.call_timeout, self._close, self)
        self._close_when_idle()

    def cut(self, code: int | None = None) -> None:
        """Lose the connection, with a Close frame of this code or without a word, and come back by the back-off."""
        if self.life is not Life.ON or self.socket is None:
            return
        if code is not None and self.speaking:
            self.speaking = False
            self.socket.close(code)
            return
        self._drop()
        self._reconnect_later()

    def part(self) -> StationSocket | None:
        """Take the connection for dead and leave its socket to the caller; another one is opened at once."""
        socket, self.socket = self.socket, None
        self._disconnected()
        self.connect_now()
        return socket

    def connect_now(self) -> None:
        """Connect without waiting for the back-off."""
        if self.life is Life.ON and self.socket is None:
            self.context.timers.cancel(self._boot_timer)
            self._connect(self.context.clock())

    def lose_power(self) -> None:
        """Be gone until `start`; transactions have ended when the power is back (PowerLoss)."""
        if self.life in (Life.ON, Life.REBOOTING):
            self.life = Life.REBOOTING
            self._drop()
            self._end_charging_sessions(Ending.POWER_LOSS, self.context.clock())
            self._forget()

    def boot_now(self) -> None:
        """Send a BootNotification because the CSMS triggered it."""
        now = self.context.clock()
        self.context.timers.cancel(self._boot_timer)
        self._boot_timer = None
        self.call("BootNotification", self._boot_payload(), now, self._boot_answered, triggered=True)

    def beat_now(self) -> None:
        """Send a Heartbeat because the CSMS triggered it."""
        self.call("Heartbeat", {}, self.context.clock(), triggered=True)

    def beat_every(self, seconds: float) -> None:
        """Change the heartbeat interval."""
        self.heartbeat_interval = seconds if seconds > 0 else HEARTBEAT
        if self.registration is Registration.ACCEPTED:
            self._plan_heartbeat()

    def reconnect(self) -> None:
        """Close the connection and come back, as with a new password."""
        if self.life is Life.ON and self.socket is not None:
            self.speaking = False
            self.socket.close(1000)

    def answer_by_rule(self, event: CallReceived) -> None:
        """Answer as the load profile wants it: later, with a no, or never."""
        answer_by_rule(self, event)

    def respond(self, call: Call, *, refuse: bool = False) -> Reply:
        """Decide what to say to a CALL of the CSMS; `refuse` where the profile wants a no."""
        return respond(self, call, refuse=refuse)

    def call_ended(self) -> None:
        """Take note that one of our CALLs has ended: a station on its way out may have waited for it."""
        self._close_when_idle()

    def charging_session_over(self) -> None:
        """Take note that a car has left: a reset or an installation may have waited for that."""
        if self.store is not None:
            self.store.charging_session_over(self.context.clock())
        if self.reset_when_idle and not any(connector.charging_session for connector in self.connectors):
            self.reset_when_idle = False
            self.reboot(Ending.SOFT_RESET)

    # -- connection: the listener of the socket ----------------------------------------------------------------------

    def on_open(self, handshake: Handshake) -> None:  # noqa: ARG002 - its times are for a later table
        """Begin, or go on where the last connection ended."""
        recorder, now = self.context.recorder, self.context.clock()
        recorder.connection(OPENED)
        recorder.connected(1)
        self.session.connection_made()
        self.speaking = True
        self._waits = 0
        self.online_since = now
        vendor, away = self.context.vendor, now - (now if self._offline_since is None else self._offline_since)
        if vendor.ping and self.socket is not None:
            self.socket.ping_every(vendor.ping)
        if self.registration is Registration.ACCEPTED and vendor.boots_again(away):
            self.registration = Registration.UNKNOWN
            self._boot_at = 0.0
        if self.storm is not None:
            self.storm.opened(now)
        if self.registration is Registration.ACCEPTED:
            # No BootNotification: nothing in it has changed (OCPP-J 1.6 §5.4, 2.x Part 4 §5.4).
            self._come_back(now, away)
        elif self._boot_at > now:
            self._plan_boot(self._boot_at)
        else:
            self._boot(now)

    def on_failed(self, outcome: str, reason: str) -> None:  # noqa: ARG002 - counted by class
        """Try again later."""
        self.socket = None
        self.context.recorder.connection(outcome)
        if self.storm is not None:
            self.storm.failed(outcome)
        self._reconnect_later()

    def on_closed(self, code: int, reason: str, how: How) -> None:  # noqa: ARG002 - counted by class
        """Keep what is to be kept, and come back later."""
        if how is not How.LOCAL:
            self.context.recorder.lost()
        if how in (How.VIOLATION, How.TOO_BIG, How.SLOW_CONSUMER):
            self.context.recorder.fault(how)
        self._disconnected()
        if self.life is Life.STOPPING:
            self._finish()
        elif self.life is Life.REBOOTING:
            self._power_cycle()
        else:
            self._reconnect_later()

    def on_crash(self, error: Exception) -> None:
        """Restart the station after a mistake of ours; the user that it belongs to lives on."""
        try:
            self._drop()
        except Exception:  # noqa: BLE001 - whatever was wrong may be so still, and the first error is the one to tell
            _logger.debug("The failed station %s failed again.", self.lease.identity)
        if self.context.crashed(self, error) or self.life in (Life.OFF, Life.STOPPING):
            self._finish()
            return
        self._forget()
        self._drop_store()
        self._reconnect_later()

    # -- connection: inside ------------------------------------------------------------------------------------------

    def _connect(self, _: float) -> None:
        self._boot_timer = None
        context, dialect = self.context, self.dialect
        self.life = Life.ON
        self.leaving = False
        target = context.target
        if self.storm is not None:
            if self.storm.refuses():
                self._reconnect_later()
                return
            target = self.storm.where() or target
        self.socket = context.make_socket(context.engine, target, self, target.source(self.lease.number))
        password = None if self.store is None else self.store.password
        headers = context.headers(self.lease, dialect.version, password)
        self.socket.connect(context.url(self.lease, target), dialect.rules.subprotocol, headers)

    def _reconnect_later(self) -> None:
        if self.life is not Life.ON:
            return
        wait = reconnect_wait(self.context.backoff, self._waits, self.draws.uniform())
        self._waits += 1
        self.context.timers.cancel(self._boot_timer)
        self._boot_timer = self.context.timers.at(self.context.clock() + wait, self._connect, self)

    def _power_cycle(self) -> None:
        context = self.context
        self._forget()
        gone = context.draw(self.profile.reboot, self.draws)
        self._boot_timer = context.timers.at(context.clock() + gone, self._connect, self)

    def _forget(self) -> None:
        """Lose what a station loses without power; transaction messages stay (OCPP 1.6 §3.7)."""
        self.context.timers.cancel(self._boot_timer)
        self.context.timers.cancel(self._heartbeat_timer)
        self._boot_timer = self._heartbeat_timer = None
        self._stop_arrivals()
        self.registration = Registration.UNKNOWN
        self._boot_at = 0.0
        for connector in self.connectors:
            connector.told = ""
            if connector.charging_session is not None:
                connector.charging_session.vanish()

    def _drop_store(self) -> None:
        store, self.store = self.store, None
        if store is not None:
            store.close()

    def _drop(self) -> None:
        """Cut the connection, as a power loss does."""
        socket, self.socket = self.socket, None
        if socket is not None:
            socket.abort()
        self._disconnected()

    def _disconnected(self) -> None:
        """Settle the books of a connection that is gone."""
        self.socket = None
        self.speaking = False
        if not self.session.connected:
            return
        recorder, now = self.context.recorder, self.context.clock()
        recorder.connected(-1)
        if self.registration is Registration.ACCEPTED:
            recorder.booted(-1)
        self._offline_since = now
        self.settle(now)
        if self.storm is not None:
            self.storm.lost(now)

    def _finish(self) -> None:
        """Stop for good."""
        if self.life is Life.OFF:
            return
        if self.socket is not None:
            self.socket.abort()
            self.socket = None
        self._forget()
        self.life = Life.OFF
        if self.storm is not None:
            self.storm.end()
        self.context.timers.cancel(self._sweep)
        self._sweep = None
        if self._transaction_queue is not None:
            self._transaction_queue.close()
        self._drop_store()
        on_stopped, self._on_stopped = self._on_stopped, None
        if on_stopped is not None:
            on_stopped()

    def _close_when_idle(self) -> None:
        """Close as soon as nothing is on its way any more."""
        if self.life not in (Life.STOPPING, Life.REBOOTING) or self.socket is None:
            return
        if self.session.open_call is None and not self._transaction_queue:
            self._close(self.context.clock())

    def _close(self, _: float) -> None:
        self.context.timers.cancel(self._boot_timer)
        self._boot_timer = None
        if self.socket is not None:
            self.speaking = False
            self.socket.close(1000 if self.life is Life.REBOOTING else 1001)

    # -- registration and heartbeat ----------------------------------------------------------------------------------

    def _boot(self, when: float) -> None:
        self._boot_timer = None
        self.call("BootNotification", self._boot_payload(), when, self._boot_answered)

    def _boot_payload(self) -> Payload:
        payload = self.dialect.boot(self.individual, remote=self._remote_boot)
        if self.store is not None and self.store.boot_reason is not None and "reason" in payload:
            payload["reason"] = self.store.boot_reason
        return payload

    def _boot_answered(self, payload: Payload | None, _: str) -> None:
        if not self.session.connected:
            return
        now = self.context.clock()
        answer = payload or {}
        status, interval = answer.get("status"), _seconds(answer.get("interval"))
        if status == Registration.ACCEPTED:
            self._accepted(now, interval or HEARTBEAT)
            return
        if status in (Registration.PENDING, Registration.REJECTED):
            if self.registration is Registration.ACCEPTED:
                self.context.recorder.booted(-1)
            self.registration = Registration(status)
        elif self.registration is Registration.ACCEPTED:
            return
        self._boot_at = now + (interval or BOOT_RETRY)
        self._plan_boot(self._boot_at)

    def _plan_boot(self, when: float) -> None:
        if self.life is Life.ON:
            self.context.timers.cancel(self._boot_timer)
            self._boot_timer = self.context.timers.at(when, self._boot, self)

    def _accepted(self, now: float, interval: float) -> None:
        fresh = self.registration is not Registration.ACCEPTED
        self.registration = Registration.ACCEPTED
        self._remote_boot = False
        if fresh:
            self.context.recorder.booted(1)
            self.online_since = now
        if self.profile.heartbeat is None:
            self.heartbeat_interval = interval / self.profile.interval_scale
        if not self.profile.recorded.cues:
            self._plan_heartbeat()
        if self.context.observer is not None:
            self.context.observer.booted(self)
        if fresh:
            self._begin_day(now)

    def _begin_day(self, now: float) -> None:
        """Do what a station does once it was accepted; what it already does goes on."""
        if not self.profile.recorded.cues:
            self._tell_statuses(now)
        if self.store is not None:
            self.store.back(now, booted=True)
        if self._transaction_queue is not None:
            self._transaction_queue.pump()
        if self._clock_aligned is None and self.context.vendor.clock_aligned:
            self._clock_aligned = ClockAlignedMeter(self)
        if self.arrivals is None and self.life is Life.ON:
            self.arrivals = arrivals_at(self)
            if self.arrivals is not None:
                self.arrivals.plan(now)
        if self.storm is not None:
            self.storm.accepted(now)

    def _come_back(self, now: float, away: float) -> None:
        self.context.recorder.booted(1)
        tell_all = self.context.vendor.tells_all(away)
        for connector in self.connectors:
            if self.profile.recorded.cues:
                break  # a recording has its own
            if tell_all or self.dialect.status_words[connector.status] != connector.told:
                connector.tell(now)
        if self.store is not None:
            self.store.back(now, booted=False)
        if self._transaction_queue is not None:
            self._transaction_queue.pump()
        if isinstance(self.arrivals, ReplayPlayer):
            self.arrivals.pump()
        if self.storm is not None:
            self.storm.accepted(now)

    def _tell_statuses(self, now: float) -> None:
        context, dialect = self.context, self.dialect
        for payload in dialect.station_status(dialect.status_words[Status.AVAILABLE], context.timestamp(now)):
            self.call("StatusNotification", payload, now)
        for connector in self.connectors:
            connector.tell(now)

    def _plan_heartbeat(self) -> None:
        context = self.context
        context.timers.cancel(self._heartbeat_timer)
        if self.life is not Life.ON:
            return
        phase = van_der_corput(self.lease.number)
        first = next_in_phase(context.clock(), self.heartbeat_interval, phase, context.epoch)
        self._heartbeat_timer = context.timers.at(first, self._heartbeat_due, self)

    def _heartbeat_due(self, when: float) -> None:
        if self.spoken is not None and self.spoken.at + self.heartbeat_interval > when:
            # Whatever was said since tells that the station lives (OCPP 1.6 §4.6).
            quiet = self.spoken.at + self.heartbeat_interval
            self._heartbeat_timer = self.context.timers.at(quiet, self._heartbeat_due, self)
            return
        # From the intended time on: a slow CSMS or a busy process does not shift the schedule.
        self._heartbeat_timer = self.context.timers.at(when + self.heartbeat_interval, self._heartbeat_due, self)
        if self.online:
            self.call("Heartbeat", {}, when)

    def _stop_arrivals(self) -> None:
        if self.arrivals is not None:
            self.arrivals.cancel()
            self.arrivals = None
        if self._clock_aligned is not None:
            self._clock_aligned.cancel()
            self._clock_aligned = None

    def _end_charging_sessions(self, ending: Ending, now: float) -> None:
        for connector in self.connectors:
            charging_session = connector.charging_session
            if charging_session is None:
                continue
            if charging_session.phase is Phase.AUTHORIZING:
                # An answer that is still to come must not begin a transaction that nobody ends.
                charging_session.vanish()
            else:
                charging_session.stop(ending, now)


def _seconds(value: Any) -> float:
    """Read an interval of the CSMS; anything that is none counts as 0, the station's own choice."""
    return float(value) if type(value) in (int, float) and 0 < value < 10**9 else 0.0
