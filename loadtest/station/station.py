"""The charge point itself: it holds its parts together, and carries out what the table of its life says.

What the station is, `life.TRANSITIONS` knows; this class is the only one that changes it, in `_happens`. Each wait has
a timer with a name of its own: the back-off in `Connection`, the next BootNotification in `Registrar`, the heartbeat in
`Day`, and here the restart (`_restart`) and the patience with the last answers (`_patience`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from evidence.vocabulary import STAYS_AWAY
from fixtures import models
from loadtest.station.charging_session import Connector
from loadtest.station.commands.respond import respond
from loadtest.station.connection import Connection
from loadtest.station.context import Context
from loadtest.station.contract import Observer, Store, Storm
from loadtest.station.day import HEARTBEAT, Day
from loadtest.station.dialect.contract import Dialect, Ending, Payload
from loadtest.station.life import Life, LifeAction, LifeEvent, after
from loadtest.station.line_habits import ORDERLY
from loadtest.station.messaging import Messaging, Responder
from loadtest.station.registrar import Registrar
from loadtest.station.state.firmware import Firmware
from loadtest.station.state.store import peek
from loadtest.station.transaction_queue import TransactionQueue
from loadtest.station.views import Phase
from loadtest.timing.pacing import Draws
from loadtest.timing.timers import Timer
from loadtest.transport.contract import Handshake, How, Wire
from loadtest.workload.identities import Lease
from loadtest.workload.impair import Impairment
from loadtest.workload.profile import Profile
from loadtest.workload.quirks import Leaving
from ocppj.registration import Registration
from ocppj.versions import Version

__all__ = ["Station"]

_logger = logging.getLogger(__name__)


class Station:
    """One virtual charge point; all methods run in the hub or before it starts, and none blocks."""

    __slots__ = (
        "_boots_next",
        "_connection",
        "_on_stopped",
        "_patience",
        "_registrar",
        "_restart",
        "_transaction_queue",
        "call",
        "connectors",
        "context",
        "day",
        "draws",
        "lease",
        "life",
        "messaging",
        "meter_interval",
        "model",
        "on_text",
        "online_since",
        "reset_when_idle",
        "store",
        "storm",
    )

    def __init__(self, context: Context, version: Version, lease: Lease, responder: Responder = respond) -> None:
        """Build the station that the lease, the seed and the profile describe.

        `responder` decides what it says to the CSMS.
        """
        self.context = context = context.for_station(lease)
        self.lease = lease
        self.draws = Draws(context.seed, lease.identity)
        self.model = models.model(context.pick_model(self.draws, context.profile))
        self.life = Life.NEW
        self.messaging = Messaging(self, context, context.dialect(version), responder)
        # Bound once, because methods of our own would cost every CALL two more frames.
        self.call = self.messaging.call
        self.on_text = self.messaging.on_text
        self._connection = Connection(self)
        self._registrar = Registrar(self)
        self.day = Day(self)
        self.connectors = tuple(Connector(self, model) for model in context.connectors(self.model.name))
        self.online_since = 0.0
        meter = context.profile.meter
        self.meter_interval = float(self.model.meter.interval if meter is None else meter)
        self.meter_interval /= context.profile.interval_scale
        self.reset_when_idle = False
        self.store: Store | None = None
        """What commands have left here; made by `store_of`."""
        self.storm: Storm | None = None
        """The storm that the station is in."""
        self._boots_next = False
        self._transaction_queue: TransactionQueue | None = None
        self._restart: Timer | None = None
        self._patience: Timer | None = None
        self._on_stopped: Callable[[], object] | None = None

    # -- what others may ask -----------------------------------------------------------------------------------------

    @property
    def version(self) -> Version:
        """The OCPP version."""
        return self.messaging.dialect.version

    @property
    def dialect(self) -> Dialect:
        """How it says what it has to say."""
        return self.messaging.dialect

    @property
    def profile(self) -> Profile:
        """What its part of the fleet does all day."""
        return self.context.profile

    @property
    def individual(self) -> models.Station:
        """The station's numbers; made anew when nobody asked for a while."""
        individual = self.context.individual(self.model.name, self.lease.identity)
        firmware = peek(self, Firmware)
        if firmware is not None and firmware.version is not None:
            return msgspec.structs.replace(individual, firmware_version=firmware.version)
        return individual

    @property
    def registration(self) -> Registration:
        """What the CSMS has said about it."""
        return self.messaging.registration

    @property
    def online(self) -> bool:
        """Whether the station is connected and accepted."""
        messaging = self.messaging
        return messaging.speaking and messaging.registration is Registration.ACCEPTED

    @property
    def observer(self) -> Observer | None:
        """Who follows the commands of the CSMS, while somebody does."""
        return self.context.observer

    @property
    def leaving(self) -> bool:
        """Whether it says its last words before a reset or its end."""
        return self.messaging.leaving

    @property
    def awaits_answer(self) -> bool:
        """Whether a CALL of the station is on its way."""
        return self.messaging.session.open_call is not None

    @property
    def socket(self) -> Wire | None:
        """The socket of the connection that stands or is being made."""
        return self.messaging.socket

    @property
    def heartbeat_interval(self) -> float:
        """Seconds between Heartbeats."""
        return self.day.heartbeat_interval

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

    # -- what its owner and a storm do -------------------------------------------------------------------------------

    def start(self) -> None:
        """Power up: connect now, and again whenever the connection is lost."""
        self._happens(LifeEvent.POWER_ON)

    def stop(self, on_stopped: Callable[[], object], patience: float) -> None:
        """Finish in order: end transactions, deliver what waits for at most `patience` seconds, close, report."""
        if self.life is Life.OFF:
            on_stopped()
            return
        self._on_stopped = on_stopped
        if self.life is Life.STOPPING:
            return
        if self._connected:
            self._happens(LifeEvent.STOP, Ending.LOCAL, patience)
            return
        self.messaging.leaving = True
        self._end_charging_sessions(Ending.LOCAL)
        self._happens(LifeEvent.ABORT)

    def abort(self) -> None:
        """Be gone at once, without a word to the CSMS."""
        if self.life is not Life.OFF:
            self._connection.cut()
            self._happens(LifeEvent.ABORT)

    def lose_power(self) -> None:
        """Be gone until `start`; transactions have ended when the power is back (PowerLoss)."""
        self._happens(LifeEvent.POWER_LOSS, Ending.POWER_LOSS)

    def cut(self, code: int | None = None) -> None:
        """Lose the connection, with a Close frame of this code or without a word, and come back by the back-off."""
        if self.life is not Life.ON or self.socket is None:
            return
        if code is not None and self.messaging.speaking:
            if code in ORDERLY:
                self._connection.leave(Leaving.CLOSE)
            self.messaging.close(code)
            return
        self._connection.cut()
        self._happens(LifeEvent.CONNECTION_OVER)

    def part(self) -> Wire | None:
        """Take the connection for dead and leave its socket to the caller; another one is opened at once."""
        socket = self._connection.hand_over()
        self.connect_now()
        return socket

    def blame_nobody(self) -> None:
        """Take whatever becomes of CALLs for the run's own doing, until `blame_again`."""
        self.messaging.excused().mute = True

    def blame_again(self) -> None:
        """Blame the CSMS again; not for what is still open."""
        excuses, open_call = self.messaging.excused(), self.messaging.session.open_call
        excuses.mute = False
        if open_call is not None:
            excuses.add(open_call.message_id)

    def impair(self, rule: Impairment) -> None:
        """Put the connections under one more rule, that which stands included."""
        self._connection.impair(rule)

    def relieve(self, rule: Impairment) -> None:
        """Take a rule back."""
        self._connection.relieve(rule)

    def connect_now(self) -> None:
        """Connect without waiting for the back-off."""
        if self.life is Life.ON and self.socket is None:
            self._connection.open()

    # -- what commands do --------------------------------------------------------------------------------------------

    def reboot(self, ending: Ending) -> None:
        """Restart as the CSMS asked: end transactions, close, be gone for a while, boot.

        A soft reset lets the transaction messages out first; a hard one, or one that nobody hears of, cuts the
        connection and keeps them for afterwards (OCPP 1.6 §5.14).
        """
        softly = ending is not Ending.HARD_RESET and self._connected
        event = LifeEvent.SOFT_RESET if softly else LifeEvent.HARD_RESET
        if self._happens(event, ending, self.context.call_timeout):
            self._registrar.after_reset = True

    def boot_now(self) -> None:
        """Send a BootNotification because the CSMS triggered it."""
        self._registrar.boot_now()

    def beat_now(self) -> None:
        """Send a Heartbeat because the CSMS triggered it."""
        self.call("Heartbeat", {}, self.context.clock(), triggered=True)

    def beat_every(self, seconds: float) -> None:
        """Change the heartbeat interval."""
        self.day.heartbeat_interval = seconds if seconds > 0 else HEARTBEAT
        if self.messaging.registration is Registration.ACCEPTED:
            self.day.plan_heartbeat()

    def reconnect(self, *, boot: bool = False) -> None:
        """Close the connection and come back: with a new password, or to `boot` anew."""
        if self.life is Life.ON and self.socket is not None:
            if boot:
                self._boots_next = True
            else:
                self._connection.leave(Leaving.PASSWORD)
            self.messaging.close(1000)

    # -- what parts ask and tell -------------------------------------------------------------------------------------

    def send(self, action: str, payload: Payload) -> bool:
        """Send a SEND, as `Host.send` says."""
        return self.messaging.send(action, payload)

    def new_message_id(self) -> str:
        """Make the id of a CALL that is sent now."""
        return self.messaging.new_message_id()

    def accepted(self, now: float, interval: float, *, fresh: bool) -> None:
        """Go on as an accepted station; `fresh` where it was not one before."""
        if fresh:
            self.online_since = now
        self.day.follow_csms(interval)
        if self.context.observer is not None:
            self.context.observer.booted(self)
        if fresh:
            self.day.tell_statuses(now)
            self._hears_again(now, booted=True)
            self.day.begin(now)
            if self.storm is not None:
                self.storm.accepted(now)

    def call_ended(self) -> None:
        """Take note that a CALL has ended: a station on its way out may have waited for it."""
        self._close_when_idle()

    def charging_session_over(self) -> None:
        """Take note that a car has left: a reset or an installation may have waited for that."""
        if self.store is not None:
            self.store.charging_session_over(self.context.clock())
        if self.reset_when_idle and not any(connector.charging_session for connector in self.connectors):
            self.reset_when_idle = False
            self.reboot(Ending.SOFT_RESET)

    def copied(self, action: str) -> None:
        """Take note that a CALL which is under way goes to the CSMS twice: it may be recorded twice, too."""
        if self._transaction_queue is not None:
            self._transaction_queue.copied(action)

    def disconnected(self, now: float) -> None:
        """Take note that a connection which stood is gone."""
        self._registrar.cancel()
        if self.storm is not None:
            self.storm.lost(now)

    # -- the listener of the socket ----------------------------------------------------------------------------------

    def on_open(self, handshake: Handshake) -> None:  # noqa: ARG002 - its times are for a later table
        """Begin, or go on where the last connection ended."""
        now, messaging = self.context.clock(), self.messaging
        self.online_since = now
        away = self._connection.opened(now)
        if messaging.registration is Registration.ACCEPTED and (
            self._boots_next or self.context.vendor.boots_again(away)
        ):
            self._registrar.forget()
        self._boots_next = False
        if self.storm is not None:
            self.storm.opened(now)
        if messaging.registration is Registration.ACCEPTED:
            # No BootNotification: nothing in it has changed (OCPP-J 1.6 §5.4, 2.x Part 4 §5.4).
            self._come_back(now, away)
        else:
            if self.context.vendor.quirks.speaks_first:
                connector = self.connectors[0]
                word = self.dialect.status_words[connector.status]
                status = self.dialect.status(connector.model, word, self.context.timestamp(now))
                messaging.call_early("StatusNotification", status, now)
            self._registrar.begin(now)

    def on_failed(self, outcome: str, reason: str) -> None:  # noqa: ARG002 - counted by class
        """Try again later."""
        self._connection.failed(outcome)
        if self.storm is not None:
            self.storm.failed(outcome)
        self._happens(LifeEvent.CONNECTION_OVER)

    def on_closed(self, code: int, reason: str, how: How) -> None:
        """Keep what is to be kept, and come back later."""
        leaving = self._connection.gives_up(how, code, reason) if self.life is Life.ON else None
        self._connection.closed(code, reason, how)
        if leaving is None:
            self._happens(LifeEvent.CONNECTION_OVER)
            return
        self.context.recorder.injected(f"{STAYS_AWAY}{leaving}")
        self._happens(LifeEvent.GIVEN_UP)
        if self.storm is not None:
            self.storm.stays_away(leaving)

    def on_trouble(self, kind: str, detail: str = "") -> None:
        """Count what is wrong with the connection that stands."""
        self.context.trouble(kind, detail)

    def on_crash(self, error: Exception) -> None:
        """Start over after a mistake of ours; the user that the station belongs to lives on."""
        try:
            self._connection.cut()
        except Exception:  # noqa: BLE001 - whatever was wrong may be so still, and the first error is the one to tell
            _logger.debug("The failed station %s failed again.", self.lease.identity)
        taken_over = self.context.crashed(self, error)
        self._happens(LifeEvent.ABORT if taken_over else LifeEvent.CRASH)

    # -- inside: life ------------------------------------------------------------------------------------------------

    @property
    def _connected(self) -> bool:
        return self.messaging.session.connected

    def _happens(self, event: LifeEvent, ending: Ending = Ending.LOCAL, patience: float = 0.0) -> bool:
        """Do what the table says about an event; return False where that is nothing.

        `ending` says why transactions end, and `patience` for how many seconds the last answers are waited for.
        """
        transition = after(self.life, event)
        if transition is None:
            return False
        self.life = transition.life
        _ACTIONS[transition.action](self, ending, patience)
        return True

    def _connect(self, _: Ending, __: float) -> None:
        self.context.timers.cancel(self._restart)
        self._restart = None
        self.messaging.leaving = False
        self._connection.open()

    def _connect_later(self, _: Ending, __: float) -> None:
        self._connection.open_later()

    def _stay_away(self, _: Ending, __: float) -> None:
        """Do nothing: only a restart brings the station back."""

    def _say_goodbye(self, ending: Ending, patience: float) -> None:
        context = self.context
        self.messaging.leaving = True
        self.day.end()
        self._end_charging_sessions(ending)
        context.timers.cancel(self._patience)
        self._patience = context.timers.at(context.clock() + patience, self._patience_over, self)
        self._close_when_idle()

    def _cut_and_restart(self, ending: Ending, patience: float) -> None:
        self.messaging.leaving = True
        self.day.end()
        self._connection.cut()
        self._end_charging_sessions(ending)
        self._be_gone(ending, patience)

    def _be_gone(self, _: Ending, __: float) -> None:
        context = self.context
        self._forget()
        gone = context.draw(context.profile.reboot, self.draws)
        self._restart = context.timers.at(context.clock() + gone, self._power_is_back, self)

    def _go_dark(self, ending: Ending, _: float) -> None:
        self._connection.cut()
        self._end_charging_sessions(ending)
        self._forget()

    def _start_over(self, _: Ending, __: float) -> None:
        self.messaging.leaving = False
        self._forget()
        self._drop_store()
        self._connection.open_later()

    def _finish(self, _: Ending, __: float) -> None:
        self._connection.discard()
        self._forget()
        if self.storm is not None:
            self.storm.end()
        self.messaging.forget()
        if self._transaction_queue is not None:
            self._transaction_queue.close()
        self._drop_store()
        on_stopped, self._on_stopped = self._on_stopped, None
        if on_stopped is not None:
            on_stopped()

    def _power_is_back(self, _: float) -> None:
        self._happens(LifeEvent.POWER_ON)

    def _patience_over(self, _: float) -> None:
        self._close()

    def _close_when_idle(self) -> None:
        """Say goodbye as soon as nothing is on its way any more."""
        if self.life in _LEAVING and not self.awaits_answer and not self._transaction_queue:
            self._close()

    def _close(self) -> None:
        self.context.timers.cancel(self._patience)
        self._patience = None
        if self.life in _LEAVING:
            self.messaging.close(_LEAVING[self.life])

    # -- inside: memory ----------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        """Lose what a station loses without power; transaction messages stay (OCPP 1.6 §3.7)."""
        timers = self.context.timers
        timers.cancel(self._patience)
        timers.cancel(self._restart)
        self._patience = self._restart = None
        self._connection.cancel()
        self._registrar.forget()
        self.day.end()
        for connector in self.connectors:
            connector.told = ""
            if connector.charging_session is not None:
                connector.charging_session.vanish()

    def _drop_store(self) -> None:
        store, self.store = self.store, None
        if store is not None:
            store.close()

    def _come_back(self, now: float, away: float) -> None:
        """Go on after a lost connection: the CSMS still knows the station as accepted."""
        self.context.recorder.booted(1)
        self.day.tell_changes(now, away)
        self._hears_again(now, booted=False)
        self.day.go_on()
        if self.storm is not None:
            self.storm.accepted(now)

    def _hears_again(self, now: float, *, booted: bool) -> None:
        """Let the CSMS hear what waited for it."""
        if self.store is not None:
            self.store.back(now, booted=booted)
        if self._transaction_queue is not None:
            self._transaction_queue.pump()

    def _end_charging_sessions(self, ending: Ending) -> None:
        now = self.context.clock()
        for connector in self.connectors:
            charging_session = connector.charging_session
            if charging_session is None:
                continue
            if charging_session.phase is Phase.AUTHORIZING:
                # An answer that is still to come must not begin a transaction that nobody ends.
                charging_session.vanish()
            else:
                charging_session.stop(ending, now)


_LEAVING: Mapping[Life, int] = MappingProxyType({Life.RESETTING: 1000, Life.STOPPING: 1001})
"""The lives in which a station says its last words, and with which code it closes the connection."""
_ACTIONS: Mapping[LifeAction, Callable[[Station, Ending, float], None]] = MappingProxyType(
    {
        LifeAction.CONNECT: Station._connect,  # noqa: SLF001 - a dispatch table of this very class
        LifeAction.CONNECT_LATER: Station._connect_later,  # noqa: SLF001
        LifeAction.STAY_AWAY: Station._stay_away,  # noqa: SLF001
        LifeAction.SAY_GOODBYE: Station._say_goodbye,  # noqa: SLF001
        LifeAction.CUT_AND_RESTART: Station._cut_and_restart,  # noqa: SLF001
        LifeAction.RESTART: Station._be_gone,  # noqa: SLF001
        LifeAction.GO_DARK: Station._go_dark,  # noqa: SLF001
        LifeAction.START_OVER: Station._start_over,  # noqa: SLF001
        LifeAction.FINISH: Station._finish,  # noqa: SLF001
    }
)
