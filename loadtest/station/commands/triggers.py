"""TriggerMessage: the station says what it would say anyway, with the current state (OCPP 1.6 §5.17, 2.x F06)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from loadtest.station.commands.certificates import sign_certificate
from loadtest.station.commands.common import Reaction, Request
from loadtest.station.commands.jobs import DIAGNOSTICS, FIRMWARE, LOG, PUBLICATION, SIGNED_FIRMWARE
from loadtest.station.commands.sequences import present_status
from loadtest.station.contract import Controls
from loadtest.station.dialect.contract import Trigger
from loadtest.station.state.connectors import charging
from loadtest.station.state.store import need
from loadtest.station.state.trigger_loop import TriggerLoop
from loadtest.station.views import ConnectorView
from ocppj.versions import Version

__all__ = ["extended_trigger", "trigger"]


def trigger(station: Controls, request: Request, _: Request) -> Reaction:
    """Send what is asked for, after the answer."""
    return _trigger(station, request, _TRIGGERS[station.version])


def extended_trigger(station: Controls, request: Request, _: Request) -> Reaction:
    """Send what is asked for; in the whitepaper's message, firmware means signed firmware (§5.4)."""
    return _trigger(station, request, _EXTENDED_16)


def _trigger(
    station: Controls, request: Request, table: Mapping[str, Callable[[Controls, list[ConnectorView]], Reaction]]
) -> Reaction:
    if request["requestedMessage"] in station.context.vendor.quirks.reconnects_on_trigger:
        return Reaction(then=partial(_come_back, station))
    handler = table.get(request["requestedMessage"])
    return Reaction("NotImplemented") if handler is None else handler(station, _connectors(station, request))


def _come_back(station: Controls) -> None:
    """Reconnect and boot instead of sending what was asked for, as some firmware does."""
    need(station, TriggerLoop).turn()
    station.reconnect(boot=True)


def _connectors(station: Controls, request: Request) -> list[ConnectorView]:
    evse = request.get("evse", {})
    number, evse_id, connector_id = request.get("connectorId"), evse.get("id"), evse.get("connectorId")
    return [
        connector
        for connector in station.connectors
        if number in (None, 0, connector.model.number)
        and evse_id in (None, 0, connector.model.evse_id)
        and connector_id in (None, connector.model.connector_id)
    ]


def _boot(station: Controls, _: list[ConnectorView]) -> Reaction:
    return Reaction(then=station.boot_now)


def _beat(station: Controls, _: list[ConnectorView]) -> Reaction:
    return Reaction(then=station.beat_now)


def _statuses(station: Controls, connectors: list[ConnectorView]) -> Reaction:
    return Reaction(then=partial(_tell, station, connectors))


def _tell(station: Controls, connectors: list[ConnectorView]) -> None:
    for connector in connectors:
        connector.tell(station.context.clock(), triggered=True)


def _meters(station: Controls, connectors: list[ConnectorView]) -> Reaction:
    return Reaction(then=partial(_read_meters, station, connectors))


def _read_meters(station: Controls, connectors: list[ConnectorView]) -> None:
    for connector in connectors:
        now = station.context.clock()
        if station.dialect.meter_values_in_transaction and connector.charging_session in charging(station):
            _report(station, [connector])
        else:
            if connector.charging_session is not None and connector.charging_session in charging(station):
                connector.charging_session.read_meter(now)
            payload = station.dialect.meter_values(connector.model, connector.reading, station.context.timestamp(now))
            station.call("MeterValues", payload, now, triggered=True)


def _transactions(station: Controls, connectors: list[ConnectorView]) -> Reaction:
    if not any(charging_session.connector in connectors for charging_session in charging(station)):
        return Reaction("Rejected")
    return Reaction(then=partial(_report, station, connectors))


def _report(station: Controls, connectors: list[ConnectorView]) -> None:
    for connector in connectors:
        if connector.charging_session is not None and connector.charging_session in charging(station):
            connector.charging_session.report(station.context.clock(), Trigger.ASKED)


def _status_of(name: str) -> Callable[[Controls, list[ConnectorView]], Reaction]:
    def handler(station: Controls, _: list[ConnectorView]) -> Reaction:
        return Reaction(then=partial(_tell_progress, station, name))

    return handler


def _tell_progress(station: Controls, name: str) -> None:
    found = present_status(station, name)
    assert found is not None
    station.call(*found, station.context.clock(), triggered=True)


def _certificate(kind: str | None) -> Callable[[Controls, list[ConnectorView]], Reaction]:
    def handler(station: Controls, _: list[ConnectorView]) -> Reaction:
        return Reaction(then=partial(sign_certificate, station, kind))

    return handler


_EVERYWHERE: Mapping[str, Callable[[Controls, list[ConnectorView]], Reaction]] = MappingProxyType(
    {
        "BootNotification": _boot,
        "FirmwareStatusNotification": _status_of(FIRMWARE),
        "Heartbeat": _beat,
        "MeterValues": _meters,
        "StatusNotification": _statuses,
    }
)
_EXTENDED_16: Mapping[str, Callable[[Controls, list[ConnectorView]], Reaction]] = MappingProxyType(
    {
        **_EVERYWHERE,
        "FirmwareStatusNotification": _status_of(SIGNED_FIRMWARE),
        "LogStatusNotification": _status_of(LOG),
        "SignChargePointCertificate": _certificate(None),
    }
)
_TRIGGERS_201: Mapping[str, Callable[[Controls, list[ConnectorView]], Reaction]] = MappingProxyType(
    {
        **_EVERYWHERE,
        "LogStatusNotification": _status_of(LOG),
        "PublishFirmwareStatusNotification": _status_of(PUBLICATION),
        "SignChargingStationCertificate": _certificate("ChargingStationCertificate"),
        # One certificate for both purposes goes without a type (OCPP 2.x A02).
        "SignCombinedCertificate": _certificate(None),
        "SignV2GCertificate": _certificate("V2GCertificate"),
        "TransactionEvent": _transactions,
    }
)
_TRIGGERS: Mapping[Version, Mapping[str, Callable[[Controls, list[ConnectorView]], Reaction]]] = MappingProxyType(
    {
        Version.V16: MappingProxyType({**_EVERYWHERE, "DiagnosticsStatusNotification": _status_of(DIAGNOSTICS)}),
        Version.V201: _TRIGGERS_201,
        Version.V21: MappingProxyType({**_TRIGGERS_201, "SignV2G20Certificate": _certificate("V2G20Certificate")}),
    }
)
