"""A connector, and a charging session at it: plug in, authorize, charge, drive away."""

from __future__ import annotations

from fixtures.meter import (
    MIN_CURRENT_A,
    Circuit,
    Reading,
    circuit_of,
    first_reading,
    next_reading,
    vehicle_of,
)
from fixtures.models import ConnectorModel
from loadtest.station.bidirectional import EXPORTED, Bidirectional
from loadtest.station.contract import Host
from loadtest.station.dialect.contract import Ending, Payload, Status, Trigger
from loadtest.station.session_record import SessionRecord
from loadtest.station.state.charging_limits import ChargingLimits
from loadtest.station.state.connectors import charging
from loadtest.station.state.local_list import list_verdict
from loadtest.station.state.reservations import Claim, Reservations, claim_of, take
from loadtest.station.state.settings import Settings, flag
from loadtest.station.state.store import peek
from loadtest.station.views import ChargingSessionView, ConnectorView, ContextView, Phase
from loadtest.timing.timers import Timer
from loadtest.workload.car import circuit_for, reading_after
from loadtest.workload.sessions import PlannedSession
from ocppj.outcomes import Outcome, as_seen

__all__ = ["ChargingSession", "Connector"]


class Connector:
    """One connector of one station."""

    __slots__ = ("charging_session", "energy_wh", "exported_wh", "model", "operative", "station", "status", "told")

    def __init__(self, station: Host, model: ConnectorModel) -> None:
        """Start available, with the CSMS knowing nothing."""
        self.station = station
        self.model = model
        self.status = Status.AVAILABLE
        self.told = ""
        """The word that the CSMS heard last."""
        self.charging_session: ChargingSessionView | None = None
        self.operative = True
        self.energy_wh = 0.0
        """The meter's register."""
        self.exported_wh = 0.0
        """Its register of what cars have fed back."""

    def show(self, status: Status, intended_at: float) -> None:
        """Change the status and tell the CSMS, if it is another word in its version."""
        self.status = status
        if self.station.store is not None:
            self.station.store.changed(intended_at)
        if self.station.dialect.status_words[status] != self.told:
            self.tell(intended_at)

    def tell(self, intended_at: float, *, triggered: bool = False) -> None:
        """Send the present status; what cannot be sent now is sent when the station is back."""
        station = self.station
        word = station.dialect.status_words[self.status]
        payload = station.dialect.status(self.model, word, station.context.timestamp(intended_at))
        if station.call("StatusNotification", payload, intended_at, triggered=triggered):
            self.told = word
            for _ in range(station.context.vendor.quirks.status_repeats):
                station.call("StatusNotification", payload, intended_at, triggered=triggered)

    @property
    def reading(self) -> Reading:
        """What the meter showed last."""
        if self.charging_session is not None and self.charging_session.phase in (Phase.CHARGING, Phase.LEAVING):
            return self.charging_session.reading
        return first_reading(circuit_of(self.model, vehicle_of(0)), energy_wh=self.energy_wh)

    def rest(self, intended_at: float) -> None:
        """Show what a connector without a car shows."""
        reservations = peek(self.station, Reservations)
        if not self.operative:
            self.show(Status.UNAVAILABLE, intended_at)
        elif reservations is not None and reservations.covers(self):
            self.show(Status.RESERVED, intended_at)
        else:
            self.show(Status.AVAILABLE, intended_at)


class ChargingSession:
    """One car at one connector."""

    __slots__ = (
        "_leave_timer",
        "_meter_timer",
        "_power_from",
        "_power_timer",
        "_read_at",
        "_seq_no",
        "bidirectional",
        "circuit",
        "connector",
        "phase",
        "planned",
        "reading",
        "record",
        "remote_start_id",
        "reservation_id",
        "started_at",
        "station",
        "token",
        "token_type",
        "transaction_id",
    )
    circuit: Circuit
    reading: Reading

    def __init__(self, station: Host, connector: ConnectorView, token: str, token_type: str = "ISO14443") -> None:  # noqa: S107 - no secret
        """Plug in."""
        self.station = station
        self.connector = connector
        self.token = token
        self.token_type = token_type
        self.remote_start_id: int | None = None
        self.reservation_id: int | None = None
        """The reservation that the charging session has used up."""
        self.transaction_id: int | str | None = None
        self.phase = Phase.AUTHORIZING
        self.started_at = 0.0
        self._read_at = 0.0
        self._seq_no = -1
        self._meter_timer: Timer | None = None
        self._leave_timer: Timer | None = None
        self._power_timer: Timer | None = None
        self._power_from = 0.0
        self.bidirectional: Bidirectional | None = None
        """What the car does with energy in both directions (2.1)."""
        self.planned: PlannedSession | None = None
        """What was planned; None where the draws of the station decide."""
        self.record = SessionRecord(station, token)
        connector.charging_session = self

    @property
    def context(self) -> ContextView:
        """What all stations share."""
        return self.station.context

    @property
    def model(self) -> ConnectorModel:
        """At what kind of connector it takes place, and at which one."""
        return self.connector.model

    @property
    def status(self) -> Status:
        """How that connector stands."""
        return self.connector.status

    @property
    def online(self) -> bool:
        """Whether the CSMS hears of it now."""
        return self.station.online

    @property
    def measurands(self) -> tuple[str, ...]:
        """What the meter reports."""
        settings = peek(self.station, Settings)
        chosen = None if settings is None else settings.measurands
        measured = chosen or self.context.vendor.measurands or self.station.model.meter.measurands
        return measured if self.bidirectional is None else tuple(dict.fromkeys((*measured, *EXPORTED)))

    @property
    def operation_mode(self) -> str | None:
        """What the car does with energy (2.1); None where it only charges."""
        return None if self.bidirectional is None else self.bidirectional.mode.value

    @property
    def register_wh(self) -> int:
        """The meter's register in whole Wh."""
        return int(self.reading.energy_wh)

    def timestamp(self, at: float) -> str:
        """Write a moment as OCPP time stamps are written."""
        return self.station.context.timestamp(at)

    def next_seq_no(self) -> int:
        """Count the next event of the transaction (OCPP 2.x E01)."""
        self._seq_no += 1
        return self._seq_no

    def begin(self, at: float, until: float, *, authorize: bool, planned: PlannedSession | None = None) -> None:
        """Let the driver plug in and present the token; they leave at `until` whatever the CSMS does."""
        self.planned = planned
        self.record.begin(at, remote=False)
        self._leave_timer = self.context.timers.at(until, self._leaves, self.station)
        station, parent, listed = self.station, None, None
        if station.store is not None:
            token = self.token.upper(), self.token_type
            if claim_of(station, self.connector, token) is Claim.ASK:
                # Until the CSMS has named the token's group, the connector stays reserved.
                authorize, parent = True, ""
            else:
                listed = list_verdict(station, token)
                authorize = authorize and not (listed and flag(station, "local_pre"))
        if parent is None:
            self.connector.show(Status.PREPARING, at)
        if authorize and station.call("Authorize", station.dialect.authorize(self.token), at, self._authorized):
            return
        # Offline, a station trusts the driver (LocalAuthorizeOffline), unless its list says no.
        if listed is False:
            self._gone(at)
        else:
            self._start(at, parent)

    def begin_remote(self, at: float, until: float, remote_start_id: int | None, parent: str | None = None) -> None:
        """Start because the CSMS asked for it, without asking back unless AuthorizeRemoteTxRequests says so."""
        self.remote_start_id = remote_start_id
        self.record.begin(at, remote=True)
        self._leave_timer = self.context.timers.at(until, self._leaves, self.station)
        self.connector.show(Status.PREPARING, at)
        station = self.station
        if flag(station, "authorize_remote") and station.call(
            "Authorize", station.dialect.authorize(self.token), at, self._authorized
        ):
            return
        self._start(at, parent)

    def start_answered(self, payload: Payload | None) -> None:
        """Take the answer to the start of the transaction; None when the CSMS never gave one."""
        may_go_on = self.station.dialect.read_start(self, payload)
        if not may_go_on and self.phase is Phase.CHARGING:
            self.stop(Ending.DE_AUTHORIZED, self.context.clock())

    def report(self, at: float, trigger: Trigger) -> None:
        """Read the meter and send what it shows."""
        self.read_meter(at)
        self.connector.show(self._flow, at)
        station = self.station
        self.record.row.metered = True
        # Told at the time that was meant, but never before what was told already.
        station.transaction_queue.add(station.dialect.metered(self, self._read_at, trigger), self, at)

    def follow_limit(self, at: float) -> None:
        """Show at once what a limit of the CSMS, that changed at `at`, does to the flow."""
        before = self.connector.status
        self.read_meter(at)
        self.connector.show(self._flow, at)
        station = self.station
        if self.connector.status is not before and station.dialect.tells_charging_state:
            station.transaction_queue.add(
                station.dialect.metered(self, self._read_at, Trigger.CHARGING_STATE), self, at
            )

    def suspend(self, at: float) -> None:
        """Let the car draw no more, until `resume`."""
        if self.phase is Phase.CHARGING:
            self.read_meter(at)
            self._power_from = float("inf")
            self.report(at, Trigger.CHARGING_STATE)

    def resume(self, at: float) -> None:
        """Let the car draw again what it can."""
        if self.phase is Phase.CHARGING:
            self._power_from = at
            self.report(at, Trigger.CHARGING_STATE)

    def stop(self, ending: Ending, at: float) -> None:
        """End the transaction; the car is unplugged a little later."""
        if self.phase is not Phase.CHARGING:
            return
        station, context = self.station, self.context
        self.read_meter(at)
        self._enter(Phase.LEAVING)
        self.connector.energy_wh, self.connector.exported_wh = self.reading.energy_wh, self.reading.export_wh
        self._cancel_timers()
        self.record.row.ending, self.record.row.seconds = ending.value, round(self._read_at - self.started_at, 3)
        station.transaction_queue.add(station.dialect.ended(self, ending, self._read_at), self, at, is_stop=True)
        self.connector.show(Status.FINISHING, at)
        limits = peek(station, ChargingLimits)
        if limits is not None:
            limits.transaction_over(self, at)
        self._leave_timer = context.timers.at(at + self._unplugging(), self._gone, self.station)

    def vanish(self, *, cut: bool = True) -> None:
        """Forget the charging session without a word; `cut` when the station loses its memory and no car leaves."""
        limits = peek(self.station, ChargingLimits)
        if self.phase is Phase.AUTHORIZING and limits is not None:
            limits.transaction_over(self, self.context.clock())
        self._cancel_timers()
        self.record.left(cut=cut and self.phase in (Phase.AUTHORIZING, Phase.CHARGING))
        self._enter(Phase.GONE)
        self.connector.charging_session = None

    # -- inside -------------------------------------------------------------------------------------------------------

    def _enter(self, phase: Phase) -> None:
        """Change the phase; the first transaction of a station makes it one that charges, the last one ends that."""
        change = (phase is Phase.CHARGING) - (self.phase is Phase.CHARGING)
        self.phase = phase
        if change and len(charging(self.station)) == max(change, 0):
            self.context.recorder.charging(change)

    def _authorized(self, payload: Payload | None, outcome: str) -> None:
        if self.phase is not Phase.AUTHORIZING:
            return
        self.record.authorized(outcome)
        now = self.context.clock()
        if outcome == Outcome.ACCEPTED or as_seen(outcome) in (Outcome.LOST, Outcome.NEVER_SENT):
            self._start(now, _parent(payload))
        else:
            self._gone(now)

    def _start(self, now: float, parent: str | None = None) -> None:
        station, context, connector = self.station, self.context, self.connector
        if station.store is not None and not take(station, self, parent):
            self._gone(now)
            return
        if connector.status is not Status.PREPARING:
            connector.show(Status.PREPARING, now)
        self._enter(Phase.CHARGING)
        self.started_at = self._read_at = now
        number = station.draws.bits()
        if self.planned is None:
            self.circuit = circuit_of(connector.model, vehicle_of(number), number)
            self.reading = first_reading(self.circuit, energy_wh=connector.energy_wh)
        else:
            self._plug_in_planned(self.planned, now)
        limits = peek(station, ChargingLimits)
        if limits is not None:
            self.reading = limits.first(self, now)._replace(soc=self.reading.soc)
        self.reading = self.reading._replace(export_wh=connector.exported_wh)
        sessions = station.profile.sessions
        if sessions is not None and sessions.v2x is not None:
            self.bidirectional = Bidirectional(station, self, sessions.v2x)
        self.transaction_id = station.dialect.new_transaction_id(number << 64 | station.draws.bits())
        # The event of the start tells the state, so that comes first where nothing else does.
        connector.status = self._first_flow
        self.record.row.thirsty = connector.status is Status.CHARGING
        station.transaction_queue.add(station.dialect.started(self, now), self, now, is_start=True)
        connector.show(connector.status, now)
        if limits is not None:
            limits.transaction_began(now)
        if self.bidirectional is not None:
            self.bidirectional.begin(now)
        if station.meter_interval > 0:
            self._meter_timer = context.timers.at(now + station.meter_interval, self._meter_due, self.station)

    def _plug_in_planned(self, planned: PlannedSession, now: float) -> None:
        """Take the car of the plan, as it stands by now."""
        context, pace = self.context, self.station.profile.compression
        self._power_from = context.began + planned.power_from / pace
        self.circuit = circuit_for(self.connector.model, planned, pace)
        self.reading = reading_after(self.circuit, now - self._power_from, energy_wh=self.connector.energy_wh)
        if self._power_from > now:
            self._power_timer = context.timers.at(self._power_from, self._power_begins, self.station)

    def _unplugging(self) -> float:
        """Return how many seconds pass from the end of the transaction to the free connector."""
        if self.planned is not None:
            return self.planned.unplug / self.station.profile.compression
        sessions = self.station.profile.sessions
        return self.context.draw(sessions.unplug, self.station.draws) if sessions else 1.0

    def _power_begins(self, when: float) -> None:
        if self.phase is Phase.CHARGING:
            self.report(when, Trigger.CHARGING_STATE)

    def _meter_due(self, when: float) -> None:
        interval = self.station.meter_interval
        # From the intended time on, so that the schedule never slips.
        self._meter_timer = (
            self.context.timers.at(when + interval, self._meter_due, self.station) if interval > 0 else None
        )
        self.report(when, Trigger.PERIODIC)

    def _leaves(self, when: float) -> None:
        if self.phase is Phase.CHARGING:
            self.stop(Ending.LOCAL, when)
        else:
            self._gone(when)

    def _gone(self, when: float) -> None:
        self.vanish(cut=False)
        self.connector.rest(when)
        self.station.charging_session_over()

    def read_meter(self, at: float) -> None:
        """Read the meter; what has flowed since the last reading was as much as the limits allowed."""
        limits, since = peek(self.station, ChargingLimits), max(self._read_at, self._power_from)
        if self.bidirectional is not None and self.bidirectional.feeds_back:
            self.reading = self.bidirectional.read(self.reading, at - since)
        elif at < self._power_from:
            self.reading = next_reading(self.circuit, self.reading, 0.0, limit_w=0.0)
        elif limits is None:
            self.reading = next_reading(self.circuit, self.reading, at - since)
        else:
            self.reading = limits.read(self, since, max(at, since))
        self._read_at = max(at, self._read_at)
        if self.station.store is not None:
            self.station.store.changed(at)

    @property
    def _first_flow(self) -> Status:
        """What flows when the transaction begins: nothing, if the station withholds it or the car waits or is full."""
        if _withheld(self.reading):
            return Status.SUSPENDED_EVSE
        full = self.reading.soc >= self.circuit.vehicle.soc_target
        return Status.SUSPENDED_EV if full or self._power_from > self.started_at else Status.CHARGING

    @property
    def _flow(self) -> Status:
        if self._read_at < self._power_from:
            return Status.SUSPENDED_EV
        if self.reading.power > 0 or self.reading.export_power > 0:
            return Status.CHARGING
        return Status.SUSPENDED_EVSE if _withheld(self.reading) else Status.SUSPENDED_EV

    def _cancel_timers(self) -> None:
        timers = self.context.timers
        if self.bidirectional is not None:
            self.bidirectional.end()
        timers.cancel(self._meter_timer)
        timers.cancel(self._leave_timer)
        timers.cancel(self._power_timer)
        self._meter_timer = self._leave_timer = self._power_timer = None


def _withheld(reading: Reading) -> bool:
    """Return whether the station offers less than any car can take."""
    return reading.offered_current < (_LEAST_DC_A if reading.dc else MIN_CURRENT_A)


_LEAST_DC_A = 0.1
"""The least that a meter here shows."""


def _parent(answer: Payload | None) -> str:
    """Read the group of a token from the answer to Authorize; empty where the CSMS named none."""
    for holder in ("idTagInfo", "idTokenInfo"):
        info = (answer or {}).get(holder)
        if isinstance(info, dict):
            group = info.get("groupIdToken")
            name = group.get("idToken") if isinstance(group, dict) else info.get("parentIdTag")
            return name if isinstance(name, str) else ""
    return ""
