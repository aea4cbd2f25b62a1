"""The charge point itself: connection, registration, heartbeat, and the way of every CALL to the recorder."""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from fixtures import models
from loadtest.measuring.recorder import OPENED
from loadtest.station.arrivals import Arrivals, PlannedArrivals, arrivals_at
from loadtest.station.charging_session import Outlet, Phase
from loadtest.station.clock_aligned import Clockwork
from loadtest.station.commands.respond import answer_by_rule, respond
from loadtest.station.context import BOOT_RETRY, HEARTBEAT
from loadtest.station.dialect.contract import Ending, Status
from loadtest.station.messaging import Line
from loadtest.station.replay import Player
from loadtest.station.transaction_queue import Outbox
from loadtest.timing.backoff import reconnect_wait
from loadtest.timing.pacing import Draws, next_in_phase, van_der_corput
from loadtest.transport.socket import How
from ocppj.registration import Registration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loadtest.plugins.storms.station_storm import Spell
    from loadtest.station.commands.respond import Reply
    from loadtest.station.context import Fleet
    from loadtest.station.dialect.contract import Payload
    from loadtest.station.state.store import Extras
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


class Station(Line):
    """One virtual charge point; all methods run in the hub or before it starts, and none blocks."""

    __slots__ = (
        "_boot_at",
        "_boot_timer",
        "_clockwork",
        "_heartbeat_timer",
        "_offline_since",
        "_on_stopped",
        "_outbox",
        "_remote_boot",
        "_waits",
        "arrivals",
        "draws",
        "extras",
        "heartbeat_interval",
        "life",
        "meter_interval",
        "model",
        "online_since",
        "outlets",
        "reset_when_idle",
        "weather",
    )

    def __init__(self, fleet: Fleet, version: Version, lease: Lease) -> None:
        """Build the station that the lease, the seed and the profile describe."""
        fleet = fleet.for_station(lease)
        super().__init__(fleet, version, lease)
        self.draws = Draws(fleet.seed, lease.identity)
        self.model = models.model(fleet.pick_model(self.draws, self.profile))
        self.life = Life.NEW
        self.online_since = 0.0
        scale, meter = self.profile.interval_scale, self.profile.meter
        self.heartbeat_interval = (self.profile.heartbeat or HEARTBEAT) / scale
        self.meter_interval = (float(self.model.meter.interval) if meter is None else meter) / scale
        self.outlets: Sequence[Outlet] = [Outlet(self, place) for place in fleet.places(self.model.name)]
        self.arrivals: Arrivals | PlannedArrivals | Player | None = None
        self.reset_when_idle = False
        self.extras: Extras | None = None
        """What commands have left here; made by `extras_of`."""
        self.weather: Spell | None = None
        """The storm that the station is in."""
        self._outbox: Outbox | None = None
        self._waits = 0
        self._boot_at = 0.0
        self._remote_boot = False
        self._offline_since: float | None = None
        self._boot_timer: Timer | None = None
        self._heartbeat_timer: Timer | None = None
        self._clockwork: Clockwork | None = None
        self._on_stopped: Callable[[], object] | None = None

    @property
    def profile(self) -> Profile:
        """What its part of the fleet does all day."""
        return self.fleet.profile

    # -- what others may ask -----------------------------------------------------------------------------------------

    @property
    def individual(self) -> models.Station:
        """The station's numbers; made anew when nobody asked for a while."""
        individual = self.fleet.individual(self.model.name, self.lease.identity)
        if self.extras is not None and self.extras.firmware_version is not None:
            return msgspec.structs.replace(individual, firmware_version=self.extras.firmware_version)
        return individual

    @property
    def outbox(self) -> Outbox:
        """The queue of transaction messages."""
        if self._outbox is None:
            self._outbox = Outbox(self)
        return self._outbox

    @property
    def messages_waiting(self) -> int:
        """How many transaction messages the CSMS has not answered yet."""
        return 0 if self._outbox is None else len(self._outbox)

    def start(self) -> None:
        """Power up: connect now, and again whenever the connection is lost."""
        self.life = Life.ON
        self._connect(self.fleet.clock())

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
        timers, now = self.fleet.timers, self.fleet.clock()
        self._stop_arrivals()
        timers.cancel(self._boot_timer)
        timers.cancel(self._heartbeat_timer)
        self._end_visits(Ending.LOCAL, now)
        if not self.session.connected:
            self._finish()
            return
        self._boot_timer = timers.at(now + patience, self._close)
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
        now = self.fleet.clock()
        self._stop_arrivals()
        if ending is Ending.HARD_RESET:
            self._drop()
            self._end_visits(ending, now)
            self._power_cycle()
            return
        self._end_visits(ending, now)
        self.fleet.timers.cancel(self._boot_timer)
        self._boot_timer = self.fleet.timers.at(now + self.fleet.call_timeout, self._close)
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
            self.fleet.timers.cancel(self._boot_timer)
            self._connect(self.fleet.clock())

    def lose_power(self) -> None:
        """Be gone until `start`; transactions have ended when the power is back (PowerLoss)."""
        if self.life in (Life.ON, Life.REBOOTING):
            self.life = Life.REBOOTING
            self._drop()
            self._end_visits(Ending.POWER_LOSS, self.fleet.clock())
            self._forget()

    def boot_now(self) -> None:
        """Send a BootNotification because the CSMS triggered it."""
        now = self.fleet.clock()
        self.fleet.timers.cancel(self._boot_timer)
        self._boot_timer = None
        self.call("BootNotification", self._boot_payload(), now, self._boot_answered, triggered=True)

    def beat_now(self) -> None:
        """Send a Heartbeat because the CSMS triggered it."""
        self.call("Heartbeat", {}, self.fleet.clock(), triggered=True)

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

    def visit_over(self) -> None:
        """Take note that a car has left: a reset or an installation may have waited for that."""
        if self.extras is not None:
            self.extras.visit_over(self.fleet.clock())
        if self.reset_when_idle and not any(outlet.visit for outlet in self.outlets):
            self.reset_when_idle = False
            self.reboot(Ending.SOFT_RESET)

    # -- connection: the listener of the socket ----------------------------------------------------------------------

    def on_open(self, handshake: Handshake) -> None:  # noqa: ARG002 - its times are for a later table
        """Begin, or go on where the last connection ended."""
        recorder, now = self.fleet.recorder, self.fleet.clock()
        recorder.connection(OPENED)
        recorder.connected(1)
        self.session.connection_made()
        self.speaking = True
        self._waits = 0
        self.online_since = now
        vendor, away = self.fleet.vendor, now - (now if self._offline_since is None else self._offline_since)
        if vendor.ping and self.socket is not None:
            self.socket.ping_every(vendor.ping)
        if self.registration is Registration.ACCEPTED and vendor.boots_again(away):
            self.registration = Registration.UNKNOWN
            self._boot_at = 0.0
        if self.weather is not None:
            self.weather.opened(now)
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
        self.fleet.recorder.connection(outcome)
        if self.weather is not None:
            self.weather.failed(outcome)
        self._reconnect_later()

    def on_closed(self, code: int, reason: str, how: How) -> None:  # noqa: ARG002 - counted by class
        """Keep what is to be kept, and come back later."""
        if how is not How.LOCAL:
            self.fleet.recorder.lost()
        if how in (How.VIOLATION, How.TOO_BIG, How.SLOW_CONSUMER):
            self.fleet.recorder.fault(how)
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
        if self.fleet.crashed(self, error) or self.life in (Life.OFF, Life.STOPPING):
            self._finish()
            return
        self._forget()
        self._drop_extras()
        self._reconnect_later()

    # -- connection: inside ------------------------------------------------------------------------------------------

    def _connect(self, _: float) -> None:
        self._boot_timer = None
        fleet, dialect = self.fleet, self.dialect
        self.life = Life.ON
        self.leaving = False
        target = fleet.target
        if self.weather is not None:
            if self.weather.refuses():
                self._reconnect_later()
                return
            target = self.weather.where() or target
        self.socket = fleet.make_socket(fleet.engine, target, self, target.source(self.lease.number))
        password = None if self.extras is None else self.extras.password
        headers = fleet.headers(self.lease, dialect.version, password)
        self.socket.connect(fleet.url(self.lease, target), dialect.rules.subprotocol, headers)

    def _reconnect_later(self) -> None:
        if self.life is not Life.ON:
            return
        wait = reconnect_wait(self.fleet.backoff, self._waits, self.draws.uniform())
        self._waits += 1
        self.fleet.timers.cancel(self._boot_timer)
        self._boot_timer = self.fleet.timers.at(self.fleet.clock() + wait, self._connect)

    def _power_cycle(self) -> None:
        fleet = self.fleet
        self._forget()
        gone = fleet.draw(self.profile.reboot, self.draws)
        self._boot_timer = fleet.timers.at(fleet.clock() + gone, self._connect)

    def _forget(self) -> None:
        """Lose what a station loses without power; transaction messages stay (OCPP 1.6 §3.7)."""
        self.fleet.timers.cancel(self._boot_timer)
        self.fleet.timers.cancel(self._heartbeat_timer)
        self._boot_timer = self._heartbeat_timer = None
        self._stop_arrivals()
        self.registration = Registration.UNKNOWN
        self._boot_at = 0.0
        for outlet in self.outlets:
            outlet.told = ""
            if outlet.visit is not None:
                outlet.visit.vanish()

    def _drop_extras(self) -> None:
        extras, self.extras = self.extras, None
        if extras is not None:
            extras.close()

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
        recorder, now = self.fleet.recorder, self.fleet.clock()
        recorder.connected(-1)
        if self.registration is Registration.ACCEPTED:
            recorder.booted(-1)
        self._offline_since = now
        self.settle(now)
        if self.weather is not None:
            self.weather.lost(now)

    def _finish(self) -> None:
        """Stop for good."""
        if self.life is Life.OFF:
            return
        if self.socket is not None:
            self.socket.abort()
            self.socket = None
        self._forget()
        self.life = Life.OFF
        if self.weather is not None:
            self.weather.end()
        self.fleet.timers.cancel(self._sweep)
        self._sweep = None
        if self._outbox is not None:
            self._outbox.close()
        self._drop_extras()
        on_stopped, self._on_stopped = self._on_stopped, None
        if on_stopped is not None:
            on_stopped()

    def _close_when_idle(self) -> None:
        """Close as soon as nothing is on its way any more."""
        if self.life not in (Life.STOPPING, Life.REBOOTING) or self.socket is None:
            return
        if self.session.open_call is None and not self._outbox:
            self._close(self.fleet.clock())

    def _close(self, _: float) -> None:
        self.fleet.timers.cancel(self._boot_timer)
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
        if self.extras is not None and self.extras.boot_reason is not None and "reason" in payload:
            payload["reason"] = self.extras.boot_reason
        return payload

    def _boot_answered(self, payload: Payload | None, _: str) -> None:
        if not self.session.connected:
            return
        now = self.fleet.clock()
        answer = payload or {}
        status, interval = answer.get("status"), _seconds(answer.get("interval"))
        if status == Registration.ACCEPTED:
            self._accepted(now, interval or HEARTBEAT)
            return
        if status in (Registration.PENDING, Registration.REJECTED):
            if self.registration is Registration.ACCEPTED:
                self.fleet.recorder.booted(-1)
            self.registration = Registration(status)
        elif self.registration is Registration.ACCEPTED:
            return
        self._boot_at = now + (interval or BOOT_RETRY)
        self._plan_boot(self._boot_at)

    def _plan_boot(self, when: float) -> None:
        if self.life is Life.ON:
            self.fleet.timers.cancel(self._boot_timer)
            self._boot_timer = self.fleet.timers.at(when, self._boot)

    def _accepted(self, now: float, interval: float) -> None:
        fresh = self.registration is not Registration.ACCEPTED
        self.registration = Registration.ACCEPTED
        self._remote_boot = False
        if fresh:
            self.fleet.recorder.booted(1)
            self.online_since = now
        if self.profile.heartbeat is None:
            self.heartbeat_interval = interval / self.profile.interval_scale
        if not self.profile.recorded.cues:
            self._plan_heartbeat()
        if self.fleet.watch is not None:
            self.fleet.watch.booted(self)
        if fresh:
            self._begin_day(now)

    def _begin_day(self, now: float) -> None:
        """Do what a station does once it was accepted; what it already does goes on."""
        if not self.profile.recorded.cues:
            self._tell_statuses(now)
        if self.extras is not None:
            self.extras.back(now, booted=True)
        if self._outbox is not None:
            self._outbox.pump()
        if self._clockwork is None and self.fleet.vendor.clock_aligned:
            self._clockwork = Clockwork(self)
        if self.arrivals is None and self.life is Life.ON:
            self.arrivals = arrivals_at(self)
            if self.arrivals is not None:
                self.arrivals.plan(now)
        if self.weather is not None:
            self.weather.accepted(now)

    def _come_back(self, now: float, away: float) -> None:
        self.fleet.recorder.booted(1)
        tell_all = self.fleet.vendor.tells_all(away)
        for outlet in self.outlets:
            if self.profile.recorded.cues:
                break  # a recording has its own
            if tell_all or self.dialect.status_words[outlet.status] != outlet.told:
                outlet.tell(now)
        if self.extras is not None:
            self.extras.back(now, booted=False)
        if self._outbox is not None:
            self._outbox.pump()
        if isinstance(self.arrivals, Player):
            self.arrivals.pump()
        if self.weather is not None:
            self.weather.accepted(now)

    def _tell_statuses(self, now: float) -> None:
        fleet, dialect = self.fleet, self.dialect
        for payload in dialect.station_status(dialect.status_words[Status.AVAILABLE], fleet.timestamp(now)):
            self.call("StatusNotification", payload, now)
        for outlet in self.outlets:
            outlet.tell(now)

    def _plan_heartbeat(self) -> None:
        fleet = self.fleet
        fleet.timers.cancel(self._heartbeat_timer)
        if self.life is not Life.ON:
            return
        phase = van_der_corput(self.lease.number)
        first = next_in_phase(fleet.clock(), self.heartbeat_interval, phase, fleet.epoch)
        self._heartbeat_timer = fleet.timers.at(first, self._heartbeat_due)

    def _heartbeat_due(self, when: float) -> None:
        if self.spoken is not None and self.spoken.at + self.heartbeat_interval > when:
            # Whatever was said since tells that the station lives (OCPP 1.6 §4.6).
            quiet = self.spoken.at + self.heartbeat_interval
            self._heartbeat_timer = self.fleet.timers.at(quiet, self._heartbeat_due)
            return
        # From the intended time on: a slow CSMS or a busy process does not shift the schedule.
        self._heartbeat_timer = self.fleet.timers.at(when + self.heartbeat_interval, self._heartbeat_due)
        if self.online:
            self.call("Heartbeat", {}, when)

    def _stop_arrivals(self) -> None:
        if self.arrivals is not None:
            self.arrivals.cancel()
            self.arrivals = None
        if self._clockwork is not None:
            self._clockwork.cancel()
            self._clockwork = None

    def _end_visits(self, ending: Ending, now: float) -> None:
        for outlet in self.outlets:
            visit = outlet.visit
            if visit is None:
                continue
            if visit.phase is Phase.AUTHORIZING:
                # An answer that is still to come must not begin a transaction that nobody ends.
                visit.vanish()
            else:
                visit.stop(ending, now)


def _seconds(value: Any) -> float:
    """Read an interval of the CSMS; anything that is none counts as 0, the station's own choice."""
    return float(value) if type(value) in (int, float) and 0 < value < 10**9 else 0.0
