"""A connector, and a car's visit to it: plug in, authorize, charge, drive away."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from fixtures.meter import circuit_of, first_reading, next_reading, vehicle_of
from loadtest.ledger.entry import Entry
from loadtest.station.dialect import Ending, Status, Trigger
from ocppj.outcomes import Outcome

if TYPE_CHECKING:
    from fixtures.meter import Circuit, Reading
    from fixtures.models import Outlet as Place
    from loadtest.station.dialect import Payload
    from loadtest.station.fleet import Fleet
    from loadtest.station.station import Station
    from loadtest.timers import Timer

__all__ = ["Outlet", "Phase", "Visit"]


class Outlet:
    """One connector of one station."""

    __slots__ = ("energy_wh", "operative", "place", "station", "status", "told", "visit")

    def __init__(self, station: Station, place: Place) -> None:
        """Start available, with the CSMS knowing nothing."""
        self.station = station
        self.place = place
        self.status = Status.AVAILABLE
        self.told = ""
        """The word that the CSMS heard last."""
        self.visit: Visit | None = None
        self.operative = True
        self.energy_wh = 0.0
        """The meter's register."""

    def show(self, status: Status, intended_at: float) -> None:
        """Change the status and tell the CSMS, if it is another word in its version."""
        self.status = status
        if self.station.dialect.status_words[status] != self.told:
            self.tell(intended_at)

    def tell(self, intended_at: float, *, triggered: bool = False) -> None:
        """Send the present status; what cannot be sent now is sent when the station is back."""
        station = self.station
        word = station.dialect.status_words[self.status]
        payload = station.dialect.status(self.place, word, station.fleet.timestamp(intended_at))
        if station.call("StatusNotification", payload, intended_at, triggered=triggered):
            self.told = word

    @property
    def reading(self) -> Reading:
        """What the meter showed last."""
        if self.visit is not None and self.visit.phase in (Phase.CHARGING, Phase.LEAVING):
            return self.visit.reading
        return first_reading(circuit_of(self.place, vehicle_of(0)), energy_wh=self.energy_wh)

    def rest(self, intended_at: float) -> None:
        """Show what a connector without a car shows."""
        self.show(Status.AVAILABLE if self.operative else Status.UNAVAILABLE, intended_at)


class Phase(StrEnum):
    """How far a visit is."""

    AUTHORIZING = "authorizing"
    CHARGING = "charging"
    LEAVING = "leaving"
    GONE = "gone"


class Visit:
    """One car at one connector."""

    __slots__ = (
        "_leave_timer",
        "_meter_timer",
        "_read_at",
        "_seq_no",
        "circuit",
        "entry",
        "outlet",
        "phase",
        "reading",
        "remote_start_id",
        "started_at",
        "token",
        "token_type",
        "transaction_id",
    )
    circuit: Circuit
    reading: Reading

    def __init__(self, outlet: Outlet, token: str, token_type: str = "ISO14443") -> None:  # noqa: S107 - no secret
        """Plug in."""
        self.outlet = outlet
        self.token = token
        self.token_type = token_type
        self.remote_start_id: int | None = None
        self.transaction_id: int | str | None = None
        self.phase = Phase.AUTHORIZING
        self.started_at = 0.0
        self._read_at = 0.0
        self._seq_no = -1
        self._meter_timer: Timer | None = None
        self._leave_timer: Timer | None = None
        self.entry = Entry(outlet.station, token)
        outlet.visit = self

    @property
    def station(self) -> Station:
        """Where it happens."""
        return self.outlet.station

    @property
    def fleet(self) -> Fleet:
        """The surroundings."""
        return self.outlet.station.fleet

    @property
    def place(self) -> Place:
        """The connector's numbers."""
        return self.outlet.place

    @property
    def measurands(self) -> tuple[str, ...]:
        """What the meter reports."""
        return self.station.model.meter.measurands

    @property
    def register_wh(self) -> int:
        """The meter's register in whole Wh."""
        return int(self.reading.energy_wh)

    def next_seq_no(self) -> int:
        """Count the next event of the transaction (OCPP 2.x E01)."""
        self._seq_no += 1
        return self._seq_no

    def begin(self, at: float, until: float, *, authorize: bool) -> None:
        """Let the driver plug in and present the token; they leave at `until` whatever the CSMS does."""
        self.entry.begin(at, remote=False)
        self._leave_timer = self.fleet.timers.at(until, self._leaves)
        self.outlet.show(Status.PREPARING, at)
        station = self.station
        if authorize and station.call("Authorize", station.dialect.authorize(self.token), at, self._authorized):
            return
        # Offline, a station trusts the driver (LocalAuthorizeOffline).
        self._start(at)

    def begin_remote(self, at: float, until: float, remote_start_id: int | None) -> None:
        """Start because the CSMS asked for it (AuthorizeRemoteTxRequests is false)."""
        self.remote_start_id = remote_start_id
        self.entry.begin(at, remote=True)
        self._leave_timer = self.fleet.timers.at(until, self._leaves)
        self.outlet.show(Status.PREPARING, at)
        self._start(at)

    def start_answered(self, payload: Payload | None) -> None:
        """Take the answer to the start of the transaction; None when the CSMS never gave one."""
        may_go_on = self.station.dialect.read_start(self, payload)
        if not may_go_on and self.phase is Phase.CHARGING:
            self.stop(Ending.DE_AUTHORIZED, self.fleet.clock())

    def report(self, at: float, trigger: Trigger) -> None:
        """Read the meter and send what it shows."""
        self._read(at)
        self.outlet.show(Status.CHARGING if self.reading.power > 0 else Status.SUSPENDED_EV, at)
        station = self.station
        self.entry.row.metered = True
        station.outbox.add(station.dialect.metered(self, at, trigger), self, at)

    def stop(self, ending: Ending, at: float) -> None:
        """End the transaction; the car is unplugged a little later."""
        if self.phase is not Phase.CHARGING:
            return
        station, fleet = self.station, self.fleet
        self.phase = Phase.LEAVING
        self._read(at)
        self.outlet.energy_wh = self.reading.energy_wh
        self._cancel_timers()
        self.entry.row.ending, self.entry.row.seconds = ending.value, round(at - self.started_at, 3)
        station.outbox.add(station.dialect.ended(self, ending, at), self, at, is_stop=True)
        self.outlet.show(Status.FINISHING, at)
        unplug = fleet.profile.sessions.unplug if fleet.profile.sessions else 1.0
        self._leave_timer = fleet.timers.at(at + fleet.draw(unplug, station.draws), self._gone)

    def vanish(self) -> None:
        """Forget the visit without a word, as when the station loses its memory."""
        self._cancel_timers()
        self.entry.left(cut=self.phase in (Phase.AUTHORIZING, Phase.CHARGING))
        self.phase = Phase.GONE
        self.outlet.visit = None

    # -- inside ------------------------------------------------------------------------------------------------------

    def _authorized(self, _: Payload | None, outcome: str) -> None:
        if self.phase is not Phase.AUTHORIZING:
            return
        self.entry.authorized(outcome)
        now = self.fleet.clock()
        if outcome == Outcome.ACCEPTED or outcome in (Outcome.LOST, Outcome.NEVER_SENT):
            self._start(now)
        else:
            self._gone(now)

    def _start(self, now: float) -> None:
        station, fleet, outlet = self.station, self.fleet, self.outlet
        self.phase = Phase.CHARGING
        self.started_at = self._read_at = now
        number = station.draws.bits()
        self.circuit = circuit_of(outlet.place, vehicle_of(number), number)
        self.reading = first_reading(self.circuit, energy_wh=outlet.energy_wh)
        self.transaction_id = station.dialect.new_transaction_id(number << 64 | station.draws.bits())
        station.outbox.add(station.dialect.started(self, now), self, now, is_start=True)
        outlet.show(Status.CHARGING, now)
        if station.meter_interval > 0:
            self._meter_timer = fleet.timers.at(now + station.meter_interval, self._meter_due)

    def _meter_due(self, when: float) -> None:
        interval = self.station.meter_interval
        # From the intended time on, so that the schedule never slips.
        self._meter_timer = self.fleet.timers.at(when + interval, self._meter_due) if interval > 0 else None
        self.report(when, Trigger.PERIODIC)

    def _leaves(self, when: float) -> None:
        if self.phase is Phase.CHARGING:
            self.stop(Ending.LOCAL, when)
        else:
            self._gone(when)

    def _gone(self, when: float) -> None:
        self.phase = Phase.GONE
        self.vanish()
        self.outlet.rest(when)
        self.station.visit_over()

    def _read(self, at: float) -> None:
        self.reading = next_reading(self.circuit, self.reading, at - self._read_at)
        self._read_at = max(at, self._read_at)

    def _cancel_timers(self) -> None:
        timers = self.fleet.timers
        timers.cancel(self._meter_timer)
        timers.cancel(self._leave_timer)
        self._meter_timer = self._leave_timer = None
