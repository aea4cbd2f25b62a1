"""The batteries of a swap station: which lie in its slots, and how a swap goes (OCPP 2.1 S01-S04)."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from fixtures.payloads.v21 import battery_swap
from fixtures.tokens import Token
from loadtest.station.contract import Host, State
from loadtest.station.dialect.contract import Payload
from loadtest.timing.timers import Timer
from ocppj.outcomes import Outcome

__all__ = ["REFUSED", "SWAPPED", "BatteryBay"]

SWAPPED: Final = "battery swapped"
REFUSED: Final = "battery swap refused by the CSMS"
_FULL: Final = 100.0
_A_MINUTE: Final = 1.0
"""Percent that a battery gains in its slot."""
_EMPTY: Final = (5.0, 30.0)
"""Percent with which a battery comes."""
_FIRST_OWN: Final = 1_000_000
"""Requests of the station itself are counted from here, apart from those that a CSMS numbers."""


class _Battery:
    __slots__ = ("charge", "number", "since")

    def __init__(self, number: int, charge: float, since: float) -> None:
        self.number = number
        self.charge = charge
        self.since = since


class BatteryBay(State):
    """One slot for each EVSE; the last one is kept free for the battery that comes."""

    __slots__ = ("_busy", "_last_request", "_made", "_slots", "_timer", "_unsaid")

    def __init__(self, station: Host) -> None:
        """Begin with charged batteries in all slots but one."""
        super().__init__(station)
        now = station.context.clock()
        evses = sorted({connector.model.evse_id for connector in station.connectors})
        self._made = len(evses) - 1
        self._slots: dict[int, _Battery | None] = {
            evse: _Battery(number, _FULL, now) if number < len(evses) else None
            for number, evse in enumerate(evses, start=1)
        }
        self._last_request = _FIRST_OWN
        self._busy = False
        self._timer: Timer | None = None
        self._unsaid: list[Payload] = []
        """What happened while nobody heard."""

    @property
    def ready(self) -> bool:
        """Whether a driver can swap: nobody else does, a slot is free, and there is a battery to hand out."""
        batteries = self._slots.values()
        return not self._busy and None in batteries and any(one is not None for one in batteries)

    def swap(self, token: Token | Payload, takes: float, at: float, request_id: int | None = None) -> None:
        """Take the empty battery of a driver in, and hand a full one out `takes` seconds later.

        `request_id` is that of the CSMS's RequestBatterySwap; without it the driver came unasked.
        """
        if request_id is None:
            self._last_request += 1
            request_id = self._last_request
        self._busy = True
        self._made += 1
        free = next(slot for slot, battery in self._slots.items() if battery is None)
        charge = self.station.context.draw(_EMPTY, self.station.draws)
        self._slots[free] = _Battery(self._made, charge, at)
        self._tell("BatteryIn", request_id, token, free, at)
        done = partial(self._hand_out, request_id, token, free)
        self._timer = self.station.context.timers.at(at + takes, done, self.station)

    def back(self, now: float, *, booted: bool) -> None:  # noqa: ARG002 - said whenever that is
        """Say what happened meanwhile."""
        unsaid, self._unsaid = self._unsaid, []
        for payload in unsaid:
            self._say(payload, now)

    def close(self) -> None:
        """Hand nothing out any more; a driver who waits leaves with the old battery."""
        self.station.context.timers.cancel(self._timer)
        self._timer = None
        self._busy = False

    # -- inside ------------------------------------------------------------------------------------------------------

    def _charge(self, battery: _Battery, at: float) -> float:
        return min(_FULL, battery.charge + (at - battery.since) / 60.0 * _A_MINUTE)

    def _hand_out(self, request_id: int, token: Token | Payload, taken: int, at: float) -> None:
        """Hand the fullest battery out, but not the one that has just come."""
        others = [(slot, battery) for slot, battery in self._slots.items() if battery is not None and slot != taken]
        slot, _ = max(others, key=lambda pair: self._charge(pair[1], at))
        self._tell("BatteryOut", request_id, token, slot, at)
        self._slots[slot] = None
        self._busy = False
        self._timer = None
        self.station.context.recorder.activity(SWAPPED)

    def _tell(self, event: str, request_id: int, token: Token | Payload, slot: int, at: float) -> None:
        battery = self._slots[slot]
        assert battery is not None
        serial = f"{self.station.individual.serial_number}-B{battery.number}"
        charge = round(self._charge(battery, at), 1)
        payload = battery_swap(event, request_id, token, evse_id=slot, serial_number=serial[:50], soc=charge)
        self._say(payload, at)

    def _say(self, payload: Payload, at: float) -> None:
        ended = partial(self._said, payload)
        if not self.station.call("BatterySwap", payload, at, ended):
            self._unsaid.append(payload)

    def _said(self, payload: Payload, _: Any, outcome: str) -> None:
        if outcome in (Outcome.LOST, Outcome.NEVER_SENT):
            self._unsaid.append(payload)
