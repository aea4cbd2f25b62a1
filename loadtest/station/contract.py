"""What the parts of a station may ask of one another: read this page first.

One `Station` (`station.py`) is one virtual charge point. It holds its parts together and decides nothing that a part
can decide. From the wire upwards, the parts are:

    life               what the station is (on, resetting, off, …) and what events make of that: a table
    connection         the socket, and the wait before the next attempt
    messaging          every CALL on its way to the CSMS and back, and every CALL of the CSMS
    registrar          BootNotification, until the CSMS accepts the station
    day                what an accepted station does by itself: statuses, heartbeats, readings by the clock, arrivals
    arrivals, replay   which cars come and when; or what a recording says next
    charging_session   a connector, and one car at it
    transaction_queue  the transaction messages: in order, kept while offline, sent again after a failure
    session_record     what the ledger will hear of a charging session
    dialect/           how a version, and a vendor, says all of this
    commands/          how the station answers a CALL of the CSMS, and what it does after the answer
    state/             what it keeps because of a command, and the rules for that
    context            what all stations of a process share
    views              what the parts may see of all these things

A part knows the station as `Host`, a command handler knows it as `Controls`, and neither knows the class behind it.
They must keep these rules:

Rule 1: nothing blocks. Everything runs in callbacks of the event loop, for thousands of stations by turns.

Rule 2: time comes from `context.clock()`, in monotonic seconds. A timer gives its callback the time that was intended,
which goes to `call` as `intended_at`: whatever delays a CALL is part of its response time.

Rule 3: every timer names its station: `context.timers.at(when, callback, station)`. If the callback fails, this station
starts over and the others go on.

Rule 4: `call` returns False when the station cannot or must not speak; then `on_end` is never called. Otherwise it is
called exactly once, with the payload of the CALLRESULT or None, and the outcome. What must not be lost goes through
`transaction_queue`; what is only a status is told again by whoever comes back.

Rule 5: a command handler decides, and sends, stops and restarts nothing. It returns a `Reaction`, whose `then` runs
after the answer is written (OCPP 1.6 §5.17, 2.x F06).

Rule 6: a station that nobody commands keeps nothing. A part asks `store.get` for a feature's state; only the handler
that fills it asks `store.need`.

Rule 7: what differs between versions is a member of the dialect or a table by `Version`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from fixtures.models import Station as Individual
from fixtures.models import StationModel
from loadtest.station.dialect.contract import Dialect, Ending, OnEnd, Payload
from loadtest.station.life import Life
from loadtest.station.views import ConnectorView, ContextView, QueueView, TransactionMessage
from loadtest.timing.pacing import Draws
from loadtest.transport.target import Target
from loadtest.workload.identities import Lease
from loadtest.workload.profile import Profile
from ocppj.messages import Call
from ocppj.registration import Registration
from ocppj.versions import Version

__all__ = ["Controls", "Host", "Observer", "State", "Store", "Storm"]


# -- the station -------------------------------------------------------------------------------------------------------


class Host(Protocol):
    """The station, as its parts see it."""

    lease: Lease
    """Who the station is."""
    model: StationModel
    """What kind of station it is."""
    draws: Draws
    """Its own random numbers, the same in every run with this seed."""
    life: Life
    """What it is; `Station` alone changes that."""
    online_since: float
    """When the last connection was made, or accepted."""
    store: Store | None
    """What commands have left here; None while that is nothing."""
    storm: Storm | None
    """The storm that the station is in."""

    @property
    def version(self) -> Version:
        """The OCPP version."""

    @property
    def dialect(self) -> Dialect:
        """How it says what it has to say."""

    @property
    def context(self) -> ContextView:
        """What it shares with others."""

    @property
    def profile(self) -> Profile:
        """What its part of the fleet does all day."""

    @property
    def individual(self) -> Individual:
        """Its serial numbers and its firmware."""

    @property
    def connectors(self) -> Sequence[ConnectorView]:
        """Its connectors, in the order of their numbers."""

    @property
    def transaction_queue(self) -> QueueView:
        """Where transaction messages go."""

    @property
    def registration(self) -> Registration:
        """What the CSMS has said about it."""

    @property
    def online(self) -> bool:
        """Whether it is connected and accepted."""

    @property
    def observer(self) -> Observer | None:
        """Who follows the commands of the CSMS, while somebody does."""

    @property
    def leaving(self) -> bool:
        """Whether it says its last words before a reset or its end."""

    @property
    def heartbeat_interval(self) -> float:
        """Seconds between Heartbeats."""

    @property
    def meter_interval(self) -> float:
        """Seconds between meter values while charging; 0 for none."""

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
        """Send a CALL, or queue it behind the open one; return False when the station cannot or must not speak.

        `triggered` marks what the CSMS asked for; `message_id` is that of an earlier try, where a station keeps it.
        """

    def send(self, action: str, payload: Payload) -> bool:
        """Send a SEND, which is never answered (OCPP 2.1 Part 4 §4.2.4); return False when nobody would hear it."""

    def new_message_id(self) -> str:
        """Make the id of a CALL that is sent now."""

    def charging_session_over(self) -> None:
        """Take note that a car has left."""

    def on_crash(self, error: Exception) -> object:
        """Start over after an exception that one of its timers raised."""


class Controls(Host, Protocol):
    """The station, as a command handler sees it."""

    reset_when_idle: bool
    """Whether it resets when the last car has left."""
    meter_interval: float

    @property
    def messages_waiting(self) -> int:
        """How many transaction messages the CSMS has not answered yet."""

    def reboot(self, ending: Ending) -> None:
        """Restart; a soft reset lets the last messages out first."""

    def boot_now(self) -> None:
        """Send a BootNotification because the CSMS triggered it."""

    def beat_now(self) -> None:
        """Send a Heartbeat because the CSMS triggered it."""

    def beat_every(self, seconds: float) -> None:
        """Change the heartbeat interval."""

    def reconnect(self, *, boot: bool = False) -> None:
        """Close the connection and come back: with a new password, or to `boot` anew."""


# -- what it remembers -------------------------------------------------------------------------------------------------


class State:
    """What one feature keeps at one station; most features need only some of the hooks, or none."""

    __slots__ = ("station",)

    def __init__(self, station: Host) -> None:
        """Keep nothing yet."""
        self.station = station

    def back(self, now: float, *, booted: bool) -> None:
        """Take note that the CSMS hears the station again, after a boot or a lost connection."""

    def charging_session_over(self, now: float) -> None:
        """Take note that a car has left."""

    def changed(self, now: float) -> None:
        """Take note that what the station shows of itself may be another: a status, a reading, a setting."""

    def close(self) -> None:
        """Stop everything that is still to come: the station is over, or starts over."""


Kept = TypeVar("Kept", bound=State)


class Store(Protocol):
    """The state behind commands, by its class."""

    def get(self, kind: type[Kept]) -> Kept | None:
        """Return the state of a feature; None where it was never needed."""

    def need(self, kind: type[Kept]) -> Kept:
        """Return the state of a feature, made now if it is not there."""

    def draws(self, purpose: str) -> Draws:
        """Return random numbers for one purpose, apart from those of the drivers."""

    def back(self, now: float, *, booted: bool) -> None:
        """Take note that the CSMS hears the station again, after a boot or a lost connection."""

    def charging_session_over(self, now: float) -> None:
        """Take note that a car has left."""

    def changed(self, now: float) -> None:
        """Take note that what the station shows of itself may be another."""

    def close(self) -> None:
        """Stop everything that is still to come."""


# -- what surrounds it -------------------------------------------------------------------------------------------------


class Observer(Protocol):
    """Who follows the commands of the CSMS at all stations of a process."""

    def called(self, station: Host, call: Call, outcome: str, at: float) -> None:
        """Take note of a CALL of the CSMS that a station has answered, before it acts on it."""

    def delivered(self, station: Host, message: TransactionMessage, answer: Payload) -> None:
        """Take note of a transaction message that the CSMS has answered."""

    def booted(self, station: Host) -> None:
        """Take note of a station that the CSMS has accepted."""

    def triggered(self, station: Host, action: str, on_end: OnEnd | None) -> OnEnd | None:
        """Follow a CALL that the CSMS asked for; return what is to be called at its end."""


class Storm(Protocol):
    """What strikes one station from outside."""

    @property
    def comes_between(self) -> bool:
        """Whether it keeps messages of the station from the CSMS, or its answers from the station."""

    def refuses(self) -> bool:
        """Return whether an attempt to connect fails in this moment."""

    def where(self) -> Target | None:
        """Return where the station is to connect to, where that is not the usual target."""

    def answered(self, response_s: float, outcome: str) -> None:
        """Take note that a CALL of the station has ended."""

    def opened(self, now: float) -> None:
        """Take note that the station is connected."""

    def accepted(self, now: float) -> None:
        """Take note that the CSMS has accepted the station, or still does."""

    def failed(self, outcome: str) -> None:
        """Take note that an attempt to connect has failed."""

    def lost(self, now: float) -> None:
        """Take note that the connection is gone."""

    def stays_away(self, why: str) -> None:
        """Take note that the station takes the loss for the end and comes back no more."""

    def end(self) -> None:
        """Let go of everything: the station is over."""
