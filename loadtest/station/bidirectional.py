"""A car that charges and feeds energy back by turns: by the plan of its profile, or by what the CSMS orders (2.1 Q)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from fixtures.meter import Reading, discharged_reading
from fixtures.payloads.v2x import bidirectional_needs, notify_ev_charging_needs
from loadtest.station.contract import Host
from loadtest.station.dialect.contract import Mode, Trigger
from loadtest.station.views import ChargingSessionView
from loadtest.timing.timers import Timer
from loadtest.workload.profile import V2x

__all__ = ["EXPORTED", "FED_BACK", "Bidirectional"]

EXPORTED: Final = ("Energy.Active.Export.Register", "Power.Active.Export")
"""What the meter reports besides."""
FED_BACK: Final = "car that feeds back"
"""The activity that is counted each time that a car begins to feed back."""


class Bidirectional:
    """What one car at one connector does with energy."""

    __slots__ = ("_allowed", "_car", "_plan", "_station", "_timer", "_watts", "mode")

    def __init__(self, station: Host, car: ChargingSessionView, plan: V2x) -> None:
        """Charge, until `begin`."""
        self._station = station
        self._car = car
        self._plan = plan
        self._timer: Timer | None = None
        self._allowed = True
        self._watts = 0.0
        """What the car feeds back by now."""
        self.mode = Mode.CHARGING

    @property
    def feeds_back(self) -> bool:
        """Whether energy flows out of the car."""
        return self._watts > 0.0

    def begin(self, at: float) -> None:
        """Tell the CSMS what the car can do, and wait for its turn to feed back."""
        car = self._car
        needs = bidirectional_needs(car.circuit, car.reading.soc, self._plan.power)
        self._station.call("NotifyEVChargingNeeds", notify_ev_charging_needs(car.model.evse_id, needs), at)
        self._wait(at)

    def end(self) -> None:
        """Change nothing any more."""
        self._station.context.timers.cancel(self._timer)
        self._timer = None

    def read(self, last: Reading, seconds: float) -> Reading:
        """Read the meter after some seconds of feeding back."""
        return discharged_reading(self._car.circuit, last, seconds, power=self._watts, reserve=self._plan.reserve)

    def follow(self, setpoint: float, mode: Mode, at: float) -> bool:
        """Do as the CSMS says: feed back where the setpoint in W is below 0; returns whether the car may do that."""
        if setpoint < 0 and not self._allowed:
            return False
        self.end()
        self._change(mode, min(-setpoint, self._plan.power) if setpoint < 0 else 0.0, at)
        return True

    def allow(self, transfers: Collection[str], at: float) -> None:
        """Take which kinds of transfer the CSMS allows; without one for both directions, the car only charges."""
        self._allowed = any(transfer.endswith("BPT") or "_BPT_" in transfer for transfer in transfers)
        if not self._allowed:
            self.end()
            self._change(Mode.CHARGING, 0.0, at)
        elif self._timer is None and self.mode is Mode.CHARGING:
            self._wait(at)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _wait(self, at: float) -> None:
        span = self._plan.discharge if self.feeds_back else self._plan.charge
        station = self._station
        self._timer = station.context.timers.at(at + station.context.draw(span, station.draws), self._turn, station)

    def _turn(self, when: float) -> None:
        self._timer = None
        if self.feeds_back:
            self._change(Mode.CHARGING, 0.0, when)
        else:
            self._change(Mode.BALANCING, self._plan.power, when)
        self._wait(when)

    def _change(self, mode: Mode, watts: float, at: float) -> None:
        """Read what has flowed until now, and tell the CSMS what happens from now on."""
        if (mode, watts) == (self.mode, self._watts):
            return
        self._car.read_meter(at)
        if watts and not self._watts:
            self._station.context.recorder.activity(FED_BACK)
        self.mode, self._watts = mode, watts
        self._car.report(at, Trigger.OPERATION_MODE)
