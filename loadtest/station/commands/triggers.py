"""TriggerMessage: the station says what it would say anyway, with what is so now (OCPP 1.6 §5.17, 2.x F06)."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from loadtest.station.commands.certificates import sign_certificate
from loadtest.station.commands.common import Deed, Request, charging
from loadtest.station.commands.jobs import DIAGNOSTICS, FIRMWARE, LOG, PUBLICATION, SIGNED_FIRMWARE
from loadtest.station.commands.sequences import present_status
from loadtest.station.dialect.contract import Trigger
from ocppj.versions import Version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loadtest.station.charging_session import Outlet
    from loadtest.station.station import Station

__all__ = ["extended_trigger", "trigger"]


def trigger(station: Station, request: Request, _: Request) -> Deed:
    """Send what is asked for, after the answer."""
    return _trigger(station, request, _TRIGGERS[station.version])


def extended_trigger(station: Station, request: Request, _: Request) -> Deed:
    """Send what is asked for; in the whitepaper's message, firmware means signed firmware (§5.4)."""
    return _trigger(station, request, _EXTENDED_16)


def _trigger(station: Station, request: Request, table: Mapping[str, Callable[[Station, list[Outlet]], Deed]]) -> Deed:
    maker = table.get(request["requestedMessage"])
    return Deed("NotImplemented") if maker is None else maker(station, _outlets(station, request))


def _outlets(station: Station, request: Request) -> list[Outlet]:
    evse = request.get("evse", {})
    number, evse_id, connector_id = request.get("connectorId"), evse.get("id"), evse.get("connectorId")
    return [
        outlet
        for outlet in station.outlets
        if number in (None, 0, outlet.place.number)
        and evse_id in (None, 0, outlet.place.evse_id)
        and connector_id in (None, outlet.place.connector_id)
    ]


def _boot(station: Station, _: list[Outlet]) -> Deed:
    return Deed(then=station.boot_now)


def _beat(station: Station, _: list[Outlet]) -> Deed:
    return Deed(then=station.beat_now)


def _statuses(_: Station, outlets: list[Outlet]) -> Deed:
    return Deed(then=partial(_tell, outlets))


def _tell(outlets: list[Outlet]) -> None:
    for outlet in outlets:
        outlet.tell(outlet.station.fleet.clock(), triggered=True)


def _meters(_: Station, outlets: list[Outlet]) -> Deed:
    return Deed(then=partial(_read_meters, outlets))


def _read_meters(outlets: list[Outlet]) -> None:
    for outlet in outlets:
        station, now = outlet.station, outlet.station.fleet.clock()
        if station.dialect.meter_values_in_transaction and outlet.visit in charging(station):
            _report([outlet])
        else:
            if outlet.visit is not None and outlet.visit in charging(station):
                outlet.visit.read_meter(now)
            payload = station.dialect.meter_values(outlet.place, outlet.reading, station.fleet.timestamp(now))
            station.call("MeterValues", payload, now, triggered=True)


def _transactions(station: Station, outlets: list[Outlet]) -> Deed:
    if not any(visit.outlet in outlets for visit in charging(station)):
        return Deed("Rejected")
    return Deed(then=partial(_report, outlets))


def _report(outlets: list[Outlet]) -> None:
    for outlet in outlets:
        if outlet.visit is not None and outlet.visit in charging(outlet.station):
            outlet.visit.report(outlet.station.fleet.clock(), Trigger.ASKED)


def _status_of(name: str) -> Callable[[Station, list[Outlet]], Deed]:
    def maker(station: Station, _: list[Outlet]) -> Deed:
        return Deed(then=partial(_tell_progress, station, name))

    return maker


def _tell_progress(station: Station, name: str) -> None:
    found = present_status(station, name)
    assert found is not None
    station.call(*found, station.fleet.clock(), triggered=True)


def _certificate(kind: str | None) -> Callable[[Station, list[Outlet]], Deed]:
    def maker(station: Station, _: list[Outlet]) -> Deed:
        return Deed(then=partial(sign_certificate, station, kind))

    return maker


_EVERYWHERE: Mapping[str, Callable[[Station, list[Outlet]], Deed]] = MappingProxyType(
    {
        "BootNotification": _boot,
        "FirmwareStatusNotification": _status_of(FIRMWARE),
        "Heartbeat": _beat,
        "MeterValues": _meters,
        "StatusNotification": _statuses,
    }
)
_EXTENDED_16: Mapping[str, Callable[[Station, list[Outlet]], Deed]] = MappingProxyType(
    {
        **_EVERYWHERE,
        "FirmwareStatusNotification": _status_of(SIGNED_FIRMWARE),
        "LogStatusNotification": _status_of(LOG),
        "SignChargePointCertificate": _certificate(None),
    }
)
_TRIGGERS_201: Mapping[str, Callable[[Station, list[Outlet]], Deed]] = MappingProxyType(
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
_TRIGGERS: Mapping[Version, Mapping[str, Callable[[Station, list[Outlet]], Deed]]] = MappingProxyType(
    {
        Version.V16: MappingProxyType({**_EVERYWHERE, "DiagnosticsStatusNotification": _status_of(DIAGNOSTICS)}),
        Version.V201: _TRIGGERS_201,
        Version.V21: MappingProxyType({**_TRIGGERS_201, "SignV2G20Certificate": _certificate("V2G20Certificate")}),
    }
)
