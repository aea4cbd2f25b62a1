"""What meters say: registers, jumps, units and sums; the course that a transaction takes by them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from analysis.meters import Sample, instant, power_mismatch, samples_of
from analysis.rules.contract import CallCheck, Exchange, Payload, StationView, Watcher
from ocppj.versions import Version

__all__ = ["Course", "Readings"]

_REGISTER: Final = "Energy.Active.Import.Register"
_POWER: Final = "Power.Active.Import"
_FASTEST_W: Final = 2_000_000.0
"""More than chargers deliver through one connector."""
_LEAST_JUMP_WH: Final = 50_000.0
_SUM_SHARE: Final = 0.05
_SUM_W: Final = 100.0
_REGISTER_SLACK: Final = 10.0
"""Watt-hours: readings in kWh are rounded, and are compared with starts in Wh."""
_TIME_SLACK: Final = 1.0
"""Seconds: many stations write times without fractions."""


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
        self.units: dict[tuple[str, str], str] = {}

    def reads(self, station: StationView, register: float | None, timestamp: object, what: str) -> None:
        """Compare a reading with the one before."""
        time = instant(timestamp)
        if register is not None:
            self._register(station, register, time, what)
        if time is not None:
            slack = 0 if station.traits.exact_meters else _TIME_SLACK
            if self.time is not None and time < self.time - slack:
                station.find("time-backwards", f"{what} is {self.time - time:.3f} s before the one that it follows")
            self.time = time

    def _register(self, station: StationView, register: float, time: float | None, what: str) -> None:
        before = self.register
        if before is not None:
            if register < before - (0 if station.traits.exact_meters else _REGISTER_SLACK):
                station.find("register-backwards", f"{what} shows {register:g} Wh after {before:g} Wh")
            elif time is not None and self.register_at is not None and register - before > _LEAST_JUMP_WH:
                hours = max((time - self.register_at) / 3600, 1e-6)
                if (register - before) / hours > _FASTEST_W:
                    station.find(
                        "register-jump",
                        f"{what} shows {register:g} Wh, {time - self.register_at:.0f} s after {before:g} Wh",
                    )
        self.register, self.register_at = register, time


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

    def _read(self, values: list[Payload], course: Course | None, what: str) -> None:  # noqa: C901 - one pass is quick
        station = self.station
        for value in values:
            samples = samples_of(value)
            register = None
            powers: list[Sample] = []
            for sample in samples:
                if sample.value is None:
                    if station.version is Version.V16:
                        station.find("not-a-number", f"{what}: {sample.measurand} is not a number")
                elif sample.measurand == _REGISTER:
                    if register is None and not sample.phase and not _elsewhere(value):
                        register = sample.value
                elif sample.measurand == _POWER:
                    powers.append(sample)
            if len(powers) > 1:
                self._sum(powers, what)
            if station.traits.exact_meters and powers:
                mismatch = power_mismatch(samples)
                if mismatch:
                    station.find("power-mismatch", f"{what}: {mismatch}")
            if course is not None:
                self._units(course, value, what)
                course.reads(station, register, value.get("timestamp"), what)

    def _units(self, course: Course, value: Payload, what: str) -> None:
        for part in value.get("sampledValue", ()):
            unit = part.get("unit") or (part.get("unitOfMeasure") or {}).get("unit")
            if unit is None:
                continue
            key = (part.get("measurand", _REGISTER), f"{part.get('phase', '')}/{part.get('location', '')}")
            before = course.units.setdefault(key, unit)
            if before != unit:
                course.units[key] = unit
                self.station.find("unit-change", f"{what}: {key[0]} is in {unit} after {before}")

    def _sum(self, powers: list[Sample], what: str) -> None:
        whole = next((sample.value for sample in powers if not sample.phase), None)
        phases = {sample.phase.removesuffix("-N"): sample.value or 0.0 for sample in powers if sample.phase}
        if whole is None or set(phases) != {"L1", "L2", "L3"}:
            return
        total = sum(phases.values())
        if abs(whole - total) > _SUM_W + _SUM_SHARE * abs(whole):
            self.station.find("phase-sum", f"{what}: {whole:g} W in all, {total:g} W on the phases together")


def _elsewhere(value: Payload) -> bool:
    """Return whether the registers are of different places, so that they cannot be compared with one another."""
    places = {
        part.get("location", "Outlet")
        for part in value.get("sampledValue", ())
        if part.get("measurand", _REGISTER) == _REGISTER
    }
    return len(places) > 1
