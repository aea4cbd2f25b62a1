"""One charging session, told to the CSMS in the words of each version."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from fixtures.payloads import v2x, v16
from fixtures.tokens import Token
from interop_suite.drive.answers import Answer
from interop_suite.drive.probe import now
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps import v16 as steps_16
from interop_suite.steps.shared_case import V2X
from ocppj.versions import Version

__all__ = ["TOKEN_STATUS", "Charging", "authorize", "meter_value", "signed"]

TOKEN_STATUS: Mapping[Version, str] = {
    Version.V16: "idTagInfo.status",
    **dict.fromkeys(V2X, "idTokenInfo.status"),
}
"""Where an answer says what the token is worth."""


def authorize(station: ScriptedStation, token: str) -> Answer:
    """Send Authorize."""
    return _AUTHORIZE[station.version](station, token)


def meter_value(watt_hours: int, context: str, timestamp: str | None = None) -> dict[str, Any]:
    """Write one reading of the energy register as 2.x does; the same with a text for a value is 1.6's."""
    sample = {"value": watt_hours, "context": context, "measurand": "Energy.Active.Import.Register"}
    return {"timestamp": timestamp or now(), "sampledValue": [{**sample, "unitOfMeasure": {"unit": "Wh"}}]}


def signed(reading: dict[str, Any], watt_hours: int) -> dict[str, Any]:
    """Add what a calibrated meter signs to each sample of a 2.x reading (OCMF)."""
    data = base64.b64encode(f'OCMF|{{"RD":[{{"RV":{watt_hours},"RU":"Wh"}}]}}|{{"SA":"ECDSA"}}'.encode()).decode()
    value = {"signedMeterData": data, "signingMethod": "ECDSA-secp256r1-SHA256", "encodingMethod": "OCMF"}
    proof = {**value, "publicKey": base64.b64encode(b"a public key").decode()}
    return {**reading, "sampledValue": [{**sample, "signedMeterValue": proof} for sample in reading["sampledValue"]]}


class Charging:
    """A session at one connector, by one token; the register is in Wh."""

    def __init__(self, station: ScriptedStation, token: str, *, connector: int = 1, plug: int = 1) -> None:
        """Say nothing yet; the connector is that of 1.6, and the EVSE of 2.x, whose own connector is the plug."""
        self.station = station
        self.token = token
        self.connector = connector
        self.plug = plug
        self.id: int | str = _NEW_ID[station.version]()
        self.events = 0

    def begin(self, meter: int = 1000, **more: Any) -> Answer:
        """Tell that it began."""
        return _BEGIN[self.station.version](self, meter, more)

    def sample(self, meter: int) -> Answer:
        """Tell a periodic reading."""
        return _SAMPLE[self.station.version](self, meter)

    def end(self, meter: int = 2500, **more: Any) -> Answer:
        """Tell that it ended."""
        return _END[self.station.version](self, meter, more)

    def event(self, kind: str, trigger: str, **more: Any) -> Answer:
        """Send TransactionEvent of 2.x with the next seqNo, or with the one that is given."""
        number = more.pop("seq_no", self.events)
        self.events = number + 1
        timestamp = more.pop("timestamp", None) or now()
        more.setdefault("evse_id", self.connector)
        more.setdefault("connector_id", self.plug)
        payload = v2x.transaction_event(kind, trigger, number, str(self.id), timestamp, **more)
        return self.station.call("TransactionEvent", payload)

    def identified(self) -> Token:
        """Write the token as 2.x payloads take it."""
        return Token(value=self.token)


def _authorize_2x(station: ScriptedStation, token: str) -> Answer:
    return station.call("Authorize", v2x.authorize(Token(value=token)))


def _begin_16(charging: Charging, meter: int, more: Mapping[str, Any]) -> Answer:
    timestamp = more.get("timestamp") or now()
    payload = v16.start_transaction(charging.connector, charging.token, meter, timestamp)
    answer = charging.station.call("StartTransaction", payload)
    charging.id = steps_16.transaction_id(answer)
    return answer


def _sample_16(charging: Charging, meter: int) -> Answer:
    value = meter_value(meter, "Sample.Periodic")
    for sample in value["sampledValue"]:
        sample["value"], sample["unit"] = str(meter), "Wh"
        del sample["unitOfMeasure"]
    payload = v16.meter_values(charging.connector, [value], transaction_id=int(charging.id))
    return charging.station.call("MeterValues", payload)


def _end_16(charging: Charging, meter: int, more: Mapping[str, Any]) -> Answer:
    timestamp = more.get("timestamp") or now()
    payload = v16.stop_transaction(int(charging.id), meter, timestamp, reason="Local", id_tag=charging.token)
    return charging.station.call("StopTransaction", payload)


def _begin_2x(charging: Charging, meter: int, more: Mapping[str, Any]) -> Answer:
    value = [meter_value(meter, "Transaction.Begin")]
    more = {"token": charging.identified(), "charging_state": "Charging", "meter_value": value, **more}
    return charging.event("Started", "Authorized", **more)


def _sample_2x(charging: Charging, meter: int) -> Answer:
    value = [meter_value(meter, "Sample.Periodic")]
    return charging.event("Updated", "MeterValuePeriodic", charging_state="Charging", meter_value=value)


def _end_2x(charging: Charging, meter: int, more: Mapping[str, Any]) -> Answer:
    value = [meter_value(meter, "Transaction.End")]
    more = {"stopped_reason": "Local", "token": charging.identified(), "meter_value": value, **more}
    return charging.event("Ended", "StopAuthorized", **more)


_AUTHORIZE: Mapping[Version, Callable[[ScriptedStation, str], Answer]] = {
    Version.V16: steps_16.authorize,
    **dict.fromkeys(V2X, _authorize_2x),
}
_NEW_ID: Mapping[Version, Callable[[], int | str]] = {
    Version.V16: lambda: steps_16.NO_TRANSACTION,
    **dict.fromkeys(V2X, lambda: str(uuid.uuid4())),
}
_BEGIN: Mapping[Version, Callable[[Charging, int, Mapping[str, Any]], Answer]] = {
    Version.V16: _begin_16,
    **dict.fromkeys(V2X, _begin_2x),
}
_SAMPLE: Mapping[Version, Callable[[Charging, int], Answer]] = {
    Version.V16: _sample_16,
    **dict.fromkeys(V2X, _sample_2x),
}
_END: Mapping[Version, Callable[[Charging, int, Mapping[str, Any]], Answer]] = {
    Version.V16: _end_16,
    **dict.fromkeys(V2X, _end_2x),
}
