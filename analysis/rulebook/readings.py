"""What meters say: registers, jumps, units and sums; the course that a transaction takes by them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from analysis.meter_readings import instant, names_phases, power_mismatch, samples_of
from analysis.rulebook.contract import CallCheck, Exchange, Payload, StationView, Watcher

__all__ = ["Course", "Readings", "say_other_transaction"]

_REGISTER: Final = "Energy.Active.Import.Register"
_POWER: Final = "Power.Active.Import"
_KILO: Final = frozenset({"kWh", "kW", "kVA", "kvar"})
_FASTEST_W: Final = 2_000_000.0
"""More than chargers deliver through one connector."""
_LEAST_JUMP_WH: Final = 50_000.0
_SUM_SHARE: Final = 0.05
_SUM_W: Final = 100.0
_LEAST_SAMPLES: Final = 3
"""Power, a voltage and a current."""
_PRODUCT_SHARE: Final = 0.3
"""By which power may differ from voltage times current in the field: there are power factors, and three clocks."""
_PRODUCT_W: Final = 500.0
_REGISTER_SLACK: Final = 10.0
"""Watt-hours: readings in kWh are rounded, and are compared with starts in Wh."""
_TIME_SLACK: Final = 1.0
"""Seconds: many stations write times without fractions."""


_instant = lru_cache(256)(instant)


class Course:
    """What a transaction showed last."""

    __slots__ = ("answered", "connector", "last", "over", "register", "register_at", "seq_no", "time", "units")

    def __init__(self, connector: object) -> None:
        """Begin a transaction."""
        self.connector = connector
        self.register: float | None = None
        self.register_at: float | None = None
        self.time: float | None = None
        self.seq_no = -1
        self.over = False
        self.answered = False
        self.last: Payload = {}
        """The last message, which may be sent again."""
        self.units: dict[str, str] = {}

    def reads(self, station: StationView, register: float | None, timestamp: object, what: str) -> None:
        """Compare a reading with the one before."""
        time = _instant(timestamp) if isinstance(timestamp, str) else None
        if register is not None:
            self._register(station, register, time, what)
        if time is not None:
            slack = 0.0 if station.traits.own_stations else _TIME_SLACK
            if self.time is not None and time < self.time - slack:
                station.find("time-backwards", f"{what} is {self.time - time:.3f} s before the one that it follows")
            self.time = time

    def _register(self, station: StationView, register: float, time: float | None, what: str) -> None:
        before = self.register
        if before is not None:
            slack = 0.0 if station.traits.own_stations else _REGISTER_SLACK
            if register < before - slack:
                station.find("register-backwards", f"{what} shows {register:g} Wh after {before:g} Wh")
            elif time is not None and self.register_at is not None and register - before > _LEAST_JUMP_WH:
                hours = max((time - self.register_at) / 3600, 1e-6)
                if (register - before) / hours > _FASTEST_W:
                    station.find(
                        "register-jump",
                        f"{what} shows {register:g} Wh, {time - self.register_at:.0f} s after {before:g} Wh",
                    )
        self.register, self.register_at = register, time


def say_other_transaction(station: StationView, course: Course | None, place: object) -> None:
    """Say that a profile for a transaction is set where that transaction does not run."""
    if course is not None and course.connector not in (0, place):
        station.find("profile-other-transaction", f"a profile for {place} names the transaction of {course.connector}")


class Readings(Watcher):
    """Checks the readings of every message that has some, by themselves and against their transaction."""

    def __init__(self, station: StationView, transactions: Any) -> None:
        """Take the watcher that knows the transactions."""
        super().__init__(station)
        self._transactions = transactions

    @property
    def calls(self) -> Mapping[str, CallCheck]:
        """Return what to do with CALLs."""
        return {"MeterValues": self._metered, "StopTransaction": self._stopped, "TransactionEvent": self._metered}

    def _metered(self, exchange: Exchange) -> None:
        payload = exchange.payload or {}
        values = payload.get("meterValue")
        if values:
            self._read(values, self._transactions.course(exchange), exchange.action)

    def _stopped(self, exchange: Exchange) -> None:
        values = (exchange.payload or {}).get("transactionData")
        if values:
            self._read(values, None, "StopTransaction")

    def _read(self, values: list[Payload], course: Course | None, what: str) -> None:
        for value in values:
            registers: dict[str, float] = {}
            powers: dict[str, float] = {}
            units = None if course is None else course.units
            for part in value["sampledValue"]:
                self._sample(part, registers, powers, units, what)
            if len(powers) > 1:
                self._sum(powers, what)
            if powers and len(value["sampledValue"]) >= _LEAST_SAMPLES:
                samples = samples_of(value)
                if self.station.traits.own_stations:
                    mismatch = power_mismatch(samples)
                else:
                    mismatch = power_mismatch(samples, relative=_PRODUCT_SHARE, absolute=_PRODUCT_W)
                    mismatch = mismatch if names_phases(samples) else ""
                if mismatch:
                    self.station.find("power-mismatch", f"{what}: {mismatch}")
            if course is not None:
                # Registers of several places cannot be compared with one another.
                register = next(iter(registers.values())) if len(registers) == 1 else None
                course.reads(self.station, register, value["timestamp"], what)

    def _sample(
        self,
        part: Payload,
        registers: dict[str, float],
        powers: dict[str, float],
        units: dict[str, str] | None,
        what: str,
    ) -> None:
        get = part.get
        measurand = get("measurand", _REGISTER)
        phase = get("phase", "")
        of_2x = get("unitOfMeasure")
        unit = get("unit") if of_2x is None else of_2x.get("unit")
        if unit is not None and units is not None:
            key = f"{measurand} {phase} {get('location', '')}"
            before = units.setdefault(key, unit)
            if before != unit:
                units[key] = unit
                self.station.find("unit-change", f"{what}: {measurand} is in {unit} after {before}")
        try:
            number = float(part["value"])
        except (TypeError, ValueError):
            if get("format") != "SignedData":
                self.station.find("not-a-number", f"{what}: {measurand} is not a number")
            return
        if unit in _KILO:
            number *= 1000.0
        if of_2x is not None and "multiplier" in of_2x:
            number *= 10.0 ** int(of_2x["multiplier"])
        if measurand == _REGISTER:
            if not phase:
                registers.setdefault(get("location", "Outlet"), number)
        elif measurand == _POWER:
            powers[phase.removesuffix("-N")] = number

    def _sum(self, powers: dict[str, float], what: str) -> None:
        whole = powers.get("")
        if whole is None or powers.keys() != {"", "L1", "L2", "L3"}:
            return
        total = powers["L1"] + powers["L2"] + powers["L3"]
        if abs(whole - total) > _SUM_W + _SUM_SHARE * abs(whole):
            self.station.find("phase-sum", f"{what}: {whole:g} W in all, {total:g} W on the phases together")
