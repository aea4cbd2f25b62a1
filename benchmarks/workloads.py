"""The messages that every engine sends in a closed loop: OCPP 2.0.1, as a station would write them."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ocppj.versions import Version

__all__ = ["HEADLINE", "SUBPROTOCOL", "VERSION", "WORKLOADS", "Workload"]

VERSION: Final = Version.V201
SUBPROTOCOL: Final = "ocpp2.0.1"


class Workload(msgspec.Struct, frozen=True):
    """One CALL, sent again and again."""

    action: str
    payload: dict[str, Any]

    @property
    def size(self) -> int:
        """Bytes of the payload as JSON."""
        return len(msgspec.json.encode(self.payload))


def _sample(value: float, measurand: str, unit: str, phase: str | None = None) -> dict[str, Any]:
    sample: dict[str, Any] = {
        "value": value,
        "measurand": measurand,
        "context": "Sample.Periodic",
        "location": "Outlet",
    }
    if phase is not None:
        sample["phase"] = phase
    return sample | {"unitOfMeasure": {"unit": unit}}


_STAMP: Final = "2026-01-01T12:00:00Z"
_ENERGY: Final = _sample(123_456.0, "Energy.Active.Import.Register", "Wh")
_METER_VALUES: Final = {
    "evseId": 1,
    "meterValue": [
        {
            "timestamp": _STAMP,
            "sampledValue": [
                _ENERGY,
                _sample(11_040.5, "Power.Active.Import", "W"),
                _sample(16.1, "Current.Import", "A", "L1"),
                _sample(15.9, "Current.Import", "A", "L2"),
                _sample(16.0, "Current.Import", "A", "L3"),
                _sample(230.2, "Voltage", "V", "L1-N"),
                _sample(229.8, "Voltage", "V", "L2-N"),
                _sample(231.0, "Voltage", "V", "L3-N"),
            ],
        }
    ],
}
_TRANSACTION_EVENT: Final = {
    "eventType": "Updated",
    "timestamp": _STAMP,
    "triggerReason": "MeterValuePeriodic",
    "seqNo": 7,
    "offline": False,
    "transactionInfo": {"transactionId": "0b1c6ad8-9c3e-4f6c-8a1d-5b0f3a9e7c21", "chargingState": "Charging"},
    "evse": {"id": 1, "connectorId": 1},
    "meterValue": [{"timestamp": _STAMP, "sampledValue": [_ENERGY, _sample(11_040.5, "Power.Active.Import", "W")]}],
}

WORKLOADS: Final = (
    Workload("Heartbeat", {}),
    Workload("MeterValues", _METER_VALUES),
    Workload("TransactionEvent", _TRANSACTION_EVENT),
)
HEADLINE: Final = "Heartbeat"
"""The workload whose figures stand for an engine where there is room for one only."""
