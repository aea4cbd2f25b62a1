"""What stations of one process see: which CALL of the CSMS each one got, what followed, and the state of each.

Switched on by an order of the leader (`loadtest.plugins.commands.plugin`); only then do stations ask anything of it:

    observer.called(station, call, outcome, at)       # a CALL of the CSMS was answered
    observer.delivered(station, message, payload)     # the CSMS answered a transaction message
    observer.booted(station)                          # the CSMS accepted the station
    observer.triggered(station, action, on_end)       # a CALL that a trigger asked for goes out; returns a new `on_end`

Times go out as those of the leader's clock. Processes of one machine share it; on another machine it follows from the
fastest of the leader's latest orders, so what happens there reads too early by the way of that order at most.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any, Final

from loadtest.measuring.recorder import Recorder
from loadtest.plugins.commands.matching import SeenEffect, digest_of, key_of
from loadtest.station.contract import Host
from loadtest.station.station import Station
from loadtest.station.views import Phase, TransactionMessage
from loadtest.timing.timers import Timer, TimerQueue
from loadtest.workload.command_catalogue import Effect, recipe_of
from ocppj.messages import Call
from ocppj.outcomes import Outcome, is_accepted
from ocppj.versions import Version

__all__ = ["DID", "ORDER", "SEEN", "STATE", "CommandObserver", "machine_of"]

ORDER: Final = "commands"
SEEN: Final = "command-seen"
DID: Final = "command-did"
STATE: Final = "command-state"

_PATIENCE: Final = 10.0
"""Seconds without an order after which stations are no longer watched."""
_SLICE: Final = 0.1
"""Seconds between two looks at a part of the stations; each is looked at once a second."""
_MOST_PENDING: Final = 32
_ORDERS: Final = 30
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def machine_of() -> str:
    """Name the running kernel, whose monotonic clock all its processes share; empty where it has no name."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


class _Pending:
    """Something that a station has been asked for and that is not seen yet."""

    __slots__ = ("effect", "key", "limit", "since", "unit", "wanted")

    def __init__(self, effect: Effect, key: str, since: float) -> None:
        self.effect = effect
        self.key = key
        self.since = since
        self.wanted = ""
        self.unit = ""
        self.limit = 0.0


class CommandObserver:
    """All stations of one process; nothing here blocks or raises for what a CSMS sends."""

    def __init__(
        self,
        stations: Mapping[str, Station],
        recorder: Recorder,
        timers: TimerQueue,
        clock: Callable[[], float],
        attach: Callable[[CommandObserver | None], object],
    ) -> None:
        """Watch nothing until the first order; `attach` gives stations the observer, or takes it away with None."""
        self._stations = stations
        self._note = recorder.note
        self._timers = timers
        self._clock = clock
        self._attach = attach
        self._timer: Timer | None = None
        self._machine = machine_of()
        self._ahead: deque[float] = deque(maxlen=_ORDERS)
        self._offset = 0.0
        self._heard = 0.0
        self._pending: dict[str, list[_Pending]] = {}
        self._told: dict[str, list[Any]] = {}
        self._round: list[Station] = []
        self._step = 1

    def order(self, order: dict[str, Any]) -> None:
        """Take an order of the leader: go on watching, and set the clock; or look away, when it is the last."""
        if order.get("last"):
            self._look_away()
            return
        now = self._heard = self._clock()
        self._ahead.append(now - order["sent"])
        same = bool(self._machine) and order["machine"] == self._machine
        self._offset = 0.0 if same else min(self._ahead)
        if self._timer is None:
            self._told.clear()
            self._pending.clear()
            self._attach(self)
            self._timer = self._timers.at(now, self._look)

    # -- what stations tell -------------------------------------------------------------------------------------------

    def called(self, station: Host, call: Call, outcome: str, at: float) -> None:
        """Take note of a CALL of the CSMS that a station has answered, before it acts on it."""
        action, payload, identity = call.action, call.payload or {}, station.lease.identity
        key, taken = key_of(action, payload), outcome == Outcome.ACCEPTED
        self._note(SEEN, identity, action, key, digest_of(payload), taken, at - self._offset)
        recipe = recipe_of(station.version, action) if taken else None
        if recipe is None or recipe.effect is Effect.NONE:
            return
        pending = _Pending(recipe.effect, key, at)
        if recipe.effect is Effect.TRIGGERED:
            pending.wanted = str(payload.get("requestedMessage"))
        elif recipe.effect is Effect.LIMITED:
            found = _limit_of(payload)
            if found is None:
                return
            pending.unit, pending.limit = found
        waiting = self._pending.setdefault(identity, [])
        waiting.append(pending)
        del waiting[:-_MOST_PENDING]

    def delivered(self, station: Host, message: TransactionMessage, answer: Mapping[str, Any]) -> None:
        """Take note of a transaction message that the CSMS has answered."""
        waiting = self._pending.get(station.lease.identity)
        if not waiting:
            return
        charging_session, kind, asked = message.charging_session, *_kind_of(station.version, message)
        for pending in list(waiting):
            match pending.effect, kind:
                case Effect.METERED, SeenEffect.STARTED if pending.key == charging_session.token:
                    seen_effect = SeenEffect.STARTED if is_accepted(answer) else SeenEffect.REFUSED
                    self._did(station, seen_effect, pending, over=seen_effect is SeenEffect.REFUSED)
                case Effect.METERED, SeenEffect.METERED | SeenEffect.ENDED if pending.key == charging_session.token:
                    self._did(station, kind, pending)
                case Effect.ENDED, SeenEffect.ENDED if pending.key == str(charging_session.transaction_id):
                    self._did(station, kind, pending)
                case Effect.TRIGGERED, SeenEffect.METERED if asked and pending.wanted == message.said.action:
                    self._did(station, SeenEffect.TRIGGERED, pending)
                case Effect.LIMITED, SeenEffect.METERED if message.intended_at >= pending.since:
                    drawn = charging_session.reading.power if pending.unit == "W" else charging_session.reading.current
                    if drawn <= pending.limit:
                        self._did(station, SeenEffect.LIMITED, pending)

    def booted(self, station: Host) -> None:
        """Take note of a station that the CSMS has accepted."""
        for pending in list(self._pending.get(station.lease.identity, ())):
            if pending.effect is Effect.BOOTED:
                self._did(station, SeenEffect.BOOTED, pending)

    def triggered(
        self, station: Host, action: str, on_end: Callable[[Any, str], object] | None
    ) -> Callable[[Any, str], object] | None:
        """Follow a CALL that goes out because the CSMS asked for it."""
        waiting = self._pending.get(station.lease.identity, ())
        pending = next((one for one in waiting if one.effect is Effect.TRIGGERED and one.wanted == action), None)
        if pending is None:
            return on_end

        def ended(payload: Any, outcome: str) -> None:
            if outcome in (Outcome.ACCEPTED, Outcome.REJECTED) and pending in self._pending.get(
                station.lease.identity, ()
            ):
                self._did(station, SeenEffect.TRIGGERED, pending)
            if on_end is not None:
                on_end(payload, outcome)

        return ended

    def _did(self, station: Host, seen_effect: SeenEffect, pending: _Pending, *, over: bool | None = None) -> None:
        identity = station.lease.identity
        self._note(DID, identity, str(seen_effect), pending.key, self._clock() - self._offset)
        if over is False or (over is None and seen_effect is SeenEffect.STARTED):
            return
        waiting = self._pending[identity]
        waiting.remove(pending)
        if not waiting:
            del self._pending[identity]

    # -- how stations stand -------------------------------------------------------------------------------------------

    def _look(self, when: float) -> None:
        """Look at a part of the stations and tell what has changed; the whole fleet takes a second."""
        if self._clock() - self._heard > _PATIENCE:
            self._look_away()
            return
        self._timer = self._timers.at(when + _SLICE, self._look)
        changed: list[list[Any]] = []
        if not self._round:
            self._round = list(self._stations.values())
            self._step = max(1, ceil(len(self._round) * _SLICE))
            changed = [self._farewell(identity) for identity in self._told.keys() - self._stations.keys()]
        part, self._round = self._round[: self._step], self._round[self._step :]
        changed += [row for station in part if (row := self._row(station)) is not None]
        if changed:
            self._note(STATE, changed)

    def _look_away(self) -> None:
        if self._timer is not None:
            self._timers.cancel(self._timer)
            self._timer = None
            self._attach(None)

    def _farewell(self, identity: str) -> list[Any]:
        _, ocpp, _, token, connectors = self._told.pop(identity)
        return [identity, ocpp, False, token, connectors]

    def _row(self, station: Station) -> list[Any] | None:
        connectors = [_connector_row(connector) for connector in station.connectors]
        lease = station.lease
        row = [lease.identity, station.dialect.ocpp, station.online, lease.token, connectors]
        if self._told.get(lease.identity) == row:
            return None
        self._told[lease.identity] = row
        return row


def _connector_row(connector: Any) -> list[Any]:
    model, charging_session = connector.model, connector.charging_session
    busy = charging_session is not None or not connector.operative
    number = (
        charging_session.transaction_id
        if charging_session is not None and charging_session.phase is Phase.CHARGING
        else None
    )
    return [model.number, model.evse_id, model.connector_id, busy, number]


def _kind_of(version: Version, message: TransactionMessage) -> tuple[SeenEffect | None, bool]:
    """Return what a transaction message was, and whether a trigger had asked for it."""
    return _KINDS[version](message.said.action, message.said.build())


_ACTIONS_V16: Final[Mapping[str, SeenEffect]] = {
    "StartTransaction": SeenEffect.STARTED,
    "MeterValues": SeenEffect.METERED,
    "StopTransaction": SeenEffect.ENDED,
}
_EVENTS_V2X: Final[Mapping[str, SeenEffect]] = {"Started": SeenEffect.STARTED, "Ended": SeenEffect.ENDED}


def _kind_v16(action: str, payload: Mapping[str, Any]) -> tuple[SeenEffect | None, bool]:
    kind = _ACTIONS_V16.get(action)
    if kind is not SeenEffect.METERED:
        return kind, False
    values = payload["meterValue"][0]["sampledValue"]
    return kind, any(value.get("context") == "Trigger" for value in values)


def _kind_v2x(_: str, payload: Mapping[str, Any]) -> tuple[SeenEffect | None, bool]:
    kind = _EVENTS_V2X.get(payload["eventType"], SeenEffect.METERED if "meterValue" in payload else None)
    return kind, payload["triggerReason"] == "Trigger"


_KINDS: Final[Mapping[Version, Callable[[str, Mapping[str, Any]], tuple[SeenEffect | None, bool]]]] = {
    Version.V16: _kind_v16,
    Version.V201: _kind_v2x,
    Version.V21: _kind_v2x,
}


def _limit_of(payload: Mapping[str, Any]) -> tuple[str, float] | None:
    """Read the unit and the lowest limit of a charging profile; None where it has none."""
    profile = payload.get("csChargingProfiles") or payload.get("chargingProfile") or {}
    schedules: Any = profile.get("chargingSchedule")
    limits = [
        (str(schedule.get("chargingRateUnit")), float(period["limit"]))
        for schedule in _as_list(schedules)
        for period in schedule.get("chargingSchedulePeriod", ())
        if "limit" in period
    ]
    return min(limits, key=lambda found: found[1], default=None)


def _as_list(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)
