"""Monitors of 2.x: set, shown and cleared; they report by the clock, at a threshold or after a change (N02-N08)."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from fixtures.device import Variable, device_model, find_variable
from fixtures.payloads.v2x import component_variable, event_data, monitor_data, notify_event, notify_monitoring_report
from loadtest.station.commands.common import Reaction, Request, parts_of
from loadtest.station.commands.reports import is_asked_for
from loadtest.station.commands.settings import value_of
from loadtest.station.commands.streams import EventStreams
from loadtest.station.contract import Controls, Host, State
from loadtest.station.state.connectors import charging
from loadtest.station.state.store import need, peek
from loadtest.timing.pacing import next_in_phase
from loadtest.timing.timers import Timer

__all__ = [
    "Monitors",
    "clear_variable_monitoring",
    "get_monitoring_report",
    "set_monitoring_base",
    "set_monitoring_level",
    "set_variable_monitoring",
]

_LEAST_SEVERE: Final = 9
_PART: Final = 10
"""Variables in one NotifyMonitoringReport."""
_MOST: Final = 100
"""Monitors that a station keeps."""
_SHORTEST_PERIOD: Final = 1.0
_LONGEST_PERIOD: Final = 366 * 86_400.0
_CRITERIA = {
    "ThresholdMonitoring": frozenset({"UpperThreshold", "LowerThreshold"}),
    "DeltaMonitoring": frozenset({"Delta", "TargetDelta", "TargetDeltaRelative"}),
    "PeriodicMonitoring": frozenset({"Periodic", "PeriodicClockAligned"}),
}
_THRESHOLDS = _CRITERIA["ThresholdMonitoring"]
_PERIODIC = _CRITERIA["PeriodicMonitoring"]
_ALERTING: Final = "Alerting"
_DELTA: Final = "Delta"
_BY_CLOCK: Final = "Periodic"


class Monitor:
    """One monitor of one variable."""

    __slots__ = (
        "beyond",
        "last",
        "monitor_id",
        "owner",
        "severity",
        "stream",
        "timer",
        "transaction",
        "type",
        "value",
        "variable",
    )

    def __init__(self, owner: Monitors, monitor_id: int, variable: Variable, part: Request) -> None:
        """Take what the CSMS said."""
        self.owner = owner
        self.monitor_id = monitor_id
        self.variable = variable
        self.type: str = part["type"]
        self.value: float = part["value"]
        self.severity: int = part["severity"]
        self.transaction: bool = part.get("transaction", False)
        self.stream: Request | None = part.get("periodicEventStream")
        """How its values travel where they do so as a stream (OCPP 2.1 N11)."""
        self.timer: Timer | None = None
        self.beyond = False
        """Whether a threshold is exceeded."""
        self.last = self.shows()
        """The value that a change is measured from: that of the beginning, or of the last report."""

    @property
    def station(self) -> Host:
        """Where it watches."""
        return self.owner.station

    def shows(self) -> str:
        """Return what the variable is now."""
        return value_of(self.station, self.variable) or ""

    def concerns(self) -> bool:
        """Return whether it is to watch now: one for transactions does so only while one runs (N07.FR.17)."""
        return not self.transaction or self.transaction_id() is not None

    def transaction_id(self) -> str | None:
        """Return the transaction that runs where it watches; None where none runs."""
        evse = self.variable.evse_id
        sessions = (one for one in charging(self.station) if evse in (None, one.model.evse_id))
        return next((str(one.transaction_id) for one in sessions), None)

    def look(self, when: float) -> None:
        """Report a threshold that was crossed, or a change that is large enough, since the last look."""
        if self.type in _THRESHOLDS:
            value = _number(self.shows())
            beyond = value is not None and (value > self.value if self.type == "UpperThreshold" else value < self.value)
            if value is not None and beyond != self.beyond and self.concerns():
                self.beyond = beyond
                self.owner.report(self, when, _ALERTING, cleared=None if beyond else True)
        elif self.type == _DELTA:
            shown = self.shows()
            value, last = _number(shown), _number(self.last)
            # Of a text each change counts.
            far = shown != self.last if value is None or last is None else abs(value - last) >= self.value > 0
            if far and self.concerns():
                self.last = shown
                self.owner.report(self, when, _DELTA)

    def watch(self) -> None:
        """Wait for the next report of one that works by the clock."""
        if self.type in _PERIODIC:
            context = self.station.context
            now = context.clock()
            aligned = self.type == "PeriodicClockAligned"
            due = next_in_phase(now, self.value, 0.0, context.epoch) if aligned else now + self.value
            self.timer = context.timers.at(due, self._due, self.station)

    def _due(self, when: float) -> None:
        self.timer = self.station.context.timers.at(when + self.value, self._due, self.station)
        if self.concerns():
            self.owner.report(self, when, _BY_CLOCK)

    def shown(self) -> Request:
        """Write the VariableMonitoringType."""
        return monitor_data(
            self.station.version,
            self.monitor_id,
            monitor_type=self.type,
            value=self.value,
            severity=self.severity,
            transaction=self.transaction,
        )


class Monitors(State):
    """The monitors of one station; ids are never used twice."""

    __slots__ = ("_events", "_last_id", "_monitors", "level")

    def __init__(self, station: Host) -> None:
        """Start with none."""
        super().__init__(station)
        self.level = _LEAST_SEVERE
        """The highest severity number that is still reported."""
        self._monitors: dict[int, Monitor] = {}
        self._last_id = 0
        self._events = 0

    def all(self) -> list[Monitor]:
        """List them by their ids."""
        return [self._monitors[number] for number in sorted(self._monitors)]

    def set(self, part: Request) -> Request:
        """Set one monitor and write its SetMonitoringResultType."""
        result = {name: part[name] for name in ("type", "severity", "component", "variable")}
        status, variable = find_variable(self.station.individual, part)
        monitor_id: int | None = part.get("id")
        if variable is not None:
            status = self._judge(part, variable, monitor_id)
        if variable is None or status != "Accepted":
            return result | {"status": status} | ({} if monitor_id is None else {"id": monitor_id})
        if monitor_id is None:
            self._last_id = monitor_id = self._last_id + 1
        else:
            self.clear(monitor_id)
        monitor = self._monitors[monitor_id] = Monitor(self, monitor_id, variable, part)
        monitor.watch()
        return result | {"status": status, "id": monitor_id}

    def stream(self) -> None:
        """Open the streams that monitors ask for, and close those of monitors that are gone (OCPP 2.1 N11, N14)."""
        wanted = {number: one.stream for number, one in self._monitors.items() if one.stream is not None}
        if wanted or peek(self.station, EventStreams) is not None:
            need(self.station, EventStreams).follow(wanted)

    def clear_all(self) -> None:
        """Go back to a station without monitors."""
        self.close()
        self.stream()

    def _judge(self, part: Request, variable: Variable, monitor_id: int | None) -> str:
        kind, value = part["type"], part["value"]
        if not variable.monitored or (kind in _THRESHOLDS and not variable.numeric):
            return "UnsupportedMonitorType"
        if not 0 <= part["severity"] <= _LEAST_SEVERE or (kind not in _THRESHOLDS and value < 0):
            return "Rejected"
        if kind in _PERIODIC and not _SHORTEST_PERIOD <= value <= _LONGEST_PERIOD:
            return "Rejected"
        if monitor_id is not None:
            known = self._monitors.get(monitor_id)
            return "Accepted" if known is not None and known.variable == variable else "Rejected"
        others = [one for one in self._monitors.values() if one.variable == variable]
        if any((one.type, one.severity) == (kind, part["severity"]) for one in others):
            return "Duplicate"
        return "Accepted" if len(self._monitors) < _MOST else "Rejected"

    def clear(self, monitor_id: int) -> bool:
        """Remove one; return False when no monitor has this id."""
        monitor = self._monitors.pop(monitor_id, None)
        if monitor is not None:
            self.station.context.timers.cancel(monitor.timer)
        return monitor is not None

    def close(self) -> None:
        """Remove all."""
        for monitor_id in list(self._monitors):
            self.clear(monitor_id)

    def changed(self, now: float) -> None:
        """Look at what may be another."""
        for monitor in list(self._monitors.values()):
            if monitor.type not in _PERIODIC:
                monitor.look(now)

    def report(self, monitor: Monitor, when: float, trigger: str, *, cleared: bool | None = None) -> None:
        """Tell the CSMS the present value, unless that is less severe than it wants to hear of."""
        station = self.station
        if monitor.stream is not None and need(station, EventStreams).take(monitor.monitor_id, when, monitor.shows()):
            return
        if monitor.severity > self.level or not station.online:
            return
        station.context.recorder.activity(f"monitor {monitor.type} reported")
        timestamp, value = station.context.timestamp(when), monitor.shows()
        event = event_data(
            self._events,
            timestamp,
            monitor.variable,
            value,
            trigger=trigger,
            notification_type="CustomMonitor",
            cleared=cleared,
            transaction_id=monitor.transaction_id() if monitor.transaction else None,
            variable_monitoring_id=monitor.monitor_id,
        )
        self._events += 1
        station.call("NotifyEvent", notify_event(0, timestamp, [event]), when)


def set_variable_monitoring(station: Controls, request: Request, answer: Request) -> Reaction:
    """Set monitors (N04)."""
    monitors = need(station, Monitors)
    answer["setMonitoringResult"] = [monitors.set(part) for part in request["setMonitoringData"]]
    # A threshold that is exceeded already is told at once, by `changed` after every command.
    return Reaction(then=monitors.stream)


def clear_variable_monitoring(station: Controls, request: Request, answer: Request) -> Reaction:
    """Remove monitors (N06)."""
    kept = peek(station, Monitors)
    answer["clearMonitoringResult"] = [
        {"id": monitor_id, "status": "Accepted" if kept and kept.clear(monitor_id) else "NotFound"}
        for monitor_id in request["id"]
    ]
    return Reaction(then=kept.stream if kept else None)


def set_monitoring_base(station: Controls, request: Request, _: Request) -> Reaction:
    """Go back to what the station came with, without any monitor; `All` keeps those that were set (N05)."""
    kept = peek(station, Monitors)
    if kept and request["monitoringBase"] != "All":
        return Reaction(then=kept.clear_all)
    return Reaction()


def set_monitoring_level(station: Controls, request: Request, _: Request) -> Reaction:
    """Hear only of what is this severe (N03)."""
    level = request["severity"]
    if not 0 <= level <= _LEAST_SEVERE:
        return Reaction("Rejected")
    return Reaction(then=partial(setattr, need(station, Monitors), "level", level))


def get_monitoring_report(station: Controls, request: Request, _: Request) -> Reaction:
    """Report monitors by their kind and variables (N02)."""
    kept, criteria, named = (
        peek(station, Monitors),
        request.get("monitoringCriteria"),
        request.get("componentVariable"),
    )
    kinds = frozenset().union(*(_CRITERIA[word] for word in criteria)) if criteria else None
    by_variable: dict[int, tuple[Variable, list[Any]]] = {}
    model = device_model(station.individual)
    for monitor in kept.all() if kept else ():
        mine = kinds is None or monitor.type in kinds
        if mine and (not named or any(is_asked_for(monitor.variable, part) for part in named)):
            rank = model.index(monitor.variable) if monitor.variable in model else -monitor.monitor_id
            by_variable.setdefault(rank, (monitor.variable, []))[1].append(monitor.shown())
    if not by_variable:
        return Reaction("EmptyResultSet")
    shown = [{**component_variable(variable), "variableMonitoring": found} for variable, found in by_variable.values()]
    return Reaction("Accepted", partial(_send, station, request["requestId"], shown))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _send(station: Controls, request_id: int, shown: list[Any]) -> None:
    now = station.context.clock()
    timestamp, parts = station.context.timestamp(now), parts_of(shown, _PART)
    for number, part in enumerate(parts):
        more = True if number < len(parts) - 1 else None
        payload = notify_monitoring_report(request_id, number, timestamp, part, tbc=more)
        station.call("NotifyMonitoringReport", payload, now, triggered=True)
