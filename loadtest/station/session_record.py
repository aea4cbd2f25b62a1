"""What a station keeps of a charging session for the ledger: filled as its transaction goes, told once at the end.

The numbers are taken from the frames themselves, so that whatever a model or a profile changes in them counts as said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from loadtest.measuring.session_row import NOTE, Row
from loadtest.station.contract import Host
from ocppj.outcomes import Outcome, as_seen, is_accepted

__all__ = ["SessionRecord"]

_REGISTER: Final = "Energy.Active.Import.Register"


class SessionRecord:
    """The row of one charging session as far as it is known, and what is still to come."""

    __slots__ = ("_gone", "_pending", "_started_at", "_station", "row")

    def __init__(self, station: Host, token: str) -> None:
        """Begin; nothing is told unless the charging session begins."""
        self._station = station
        self._pending = 0
        self._gone = False
        self._started_at = 0.0
        self.row = Row(station.lease.identity, station.dialect.ocpp, token)

    def begin(self, at: float, *, remote: bool) -> None:
        """Note that the driver plugs in, or that the CSMS orders a start, at `at`."""
        context, row = self._station.context, self.row
        # Counted like an intended CALL: by the window in which it fell due.
        row.window = context.recorder.current_window
        row.plugged = round(at - context.epoch, 3)
        row.remote = remote
        self._started_at = at
        self._look_out()

    def authorized(self, outcome: str) -> None:
        """Note how Authorize ended."""
        self.row.authorize = str(outcome)
        self._look_out()

    def queued(self, *, is_start: bool) -> None:
        """Note that the start or the stop of the transaction is to be told."""
        self._pending += 1
        row = self.row
        if is_start:
            row.start = Outcome.NEVER_SENT.value
            row.offline = not self._station.online
        else:
            row.stop = Outcome.NEVER_SENT.value
            row.cut = row.cut or self._station.leaving

    def building(
        self, action: str, payload: Mapping[str, Any], transaction_id: int | str | None, *, is_start: bool
    ) -> None:
        """Note what a start or stop says; called for each time that it is sent."""
        row = self.row
        time, meter = payload.get("timestamp"), _METERS[action](payload)
        if is_start:
            row.start_time, row.meter_start = time, meter
            row.evse, row.connector = _CONNECTORS[action](payload)
        else:
            row.stop_time, row.meter_stop = time, meter
            row.stop_id = payload.get("transactionId")
        row.id = transaction_id

    def ended(self, payload: Mapping[str, Any] | None, outcome: str, *, is_start: bool) -> None:
        """Note how one sending of the start or stop ended."""
        row = self.row
        self._look_out()
        sent = as_seen(outcome) != Outcome.NEVER_SENT
        if payload is not None:
            self.cost(payload.get("totalCost"))
            outcome = Outcome.ACCEPTED if is_accepted(payload) else Outcome.REJECTED
        if is_start:
            row.start_sends += sent
            if sent or not row.start_sends:
                row.start = str(outcome)
            if payload is not None and outcome == Outcome.ACCEPTED:
                row.to_start = round(self._station.context.clock() - self._started_at, 6)
        else:
            row.stop_sends += sent
            if sent or not row.stop_sends:
                row.stop = str(outcome)

    def cost(self, total: object) -> None:
        """Note what the driver is shown as the total cost."""
        if isinstance(total, int | float):
            self.row.cost = total

    def copied(self, *, is_start: bool) -> None:
        """Note that the start or stop goes to the CSMS once more than the station sends it."""
        if is_start:
            self.row.start_sends += 1
        else:
            self.row.stop_sends += 1

    def settled(self, transaction_id: int | str | None) -> None:
        """Note that the start or stop will not be sent again, and how the transaction is called by now."""
        self._pending -= 1
        self.row.id = transaction_id
        self._tell()

    def left(self, *, cut: bool) -> None:
        """Note that the car is gone; `cut` where something else than the driver ended the charging session."""
        self._gone = True
        self.row.cut = self.row.cut or cut
        self._look_out()
        self._tell()

    def _look_out(self) -> None:
        storm = self._station.storm
        if storm is not None and storm.comes_between:
            self.row.storm = True

    def _tell(self) -> None:
        if self._gone and not self._pending and self.row.plugged:
            self._station.context.recorder.note(NOTE, *msgspec.structs.astuple(self.row))
            self.row.plugged = 0.0  # told


# -- the frames --------------------------------------------------------------------------------------------------------


def _event_meter(payload: Mapping[str, Any]) -> float | None:
    # The newest reading is that of the event; an end may carry those of the whole transaction before it.
    for meter_value in reversed(payload.get("meterValue", ())):
        for sample in meter_value["sampledValue"]:
            if sample.get("measurand", _REGISTER) == _REGISTER and "phase" not in sample:
                unit = sample.get("unitOfMeasure") or {}
                factor = 1000.0 if unit.get("unit") == "kWh" else 1.0
                multiplier: float = 10.0 ** unit.get("multiplier", 0)
                return float(sample["value"]) * factor * multiplier
    return None


def _event_connector(payload: Mapping[str, Any]) -> tuple[int | None, int | None]:
    evse = payload.get("evse") or {}
    return evse.get("id"), evse.get("connectorId")


_METERS: Final[Mapping[str, Callable[[Mapping[str, Any]], float | None]]] = MappingProxyType(
    {
        "StartTransaction": lambda payload: payload.get("meterStart"),
        "StopTransaction": lambda payload: payload.get("meterStop"),
        "TransactionEvent": _event_meter,
    }
)
_CONNECTORS: Final[Mapping[str, Callable[[Mapping[str, Any]], tuple[int | None, int | None]]]] = MappingProxyType(
    {
        "StartTransaction": lambda payload: (None, payload.get("connectorId")),
        "TransactionEvent": _event_connector,
    }
)
