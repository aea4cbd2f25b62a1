"""Every action of each version and who may send it.

Sources: OCPP 1.6 §4 (charge point) and §5 (central system) with the security whitepaper; OCPP 2.0.1 and 2.1 Part 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from ocppj.versions import Version

__all__ = ["ACTIONS", "Action", "csms_actions", "station_actions"]


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One message pair (or one SEND) and its legal senders."""

    name: str
    by_station: bool
    by_csms: bool
    unconfirmed: bool = False
    """True for an action that travels as SEND and is never answered (OCPP 2.1 Part 4 §4.2.4)."""


def _table(station: str, csms: str, *, both: str = "DataTransfer", send: str = "") -> Mapping[str, Action]:
    by_station, by_csms = frozenset((station + " " + both).split()), frozenset((csms + " " + both).split())
    unconfirmed = frozenset(send.split())
    names = sorted(by_station | by_csms | unconfirmed)
    return MappingProxyType(
        {
            name: Action(
                name=name,
                by_station=name in by_station or name in unconfirmed,
                by_csms=name in by_csms,
                unconfirmed=name in unconfirmed,
            )
            for name in names
        }
    )


_STATION_16 = """
    Authorize BootNotification DiagnosticsStatusNotification FirmwareStatusNotification Heartbeat LogStatusNotification
    MeterValues SecurityEventNotification SignCertificate SignedFirmwareStatusNotification StartTransaction
    StatusNotification StopTransaction
"""
_CSMS_16 = """
    CancelReservation CertificateSigned ChangeAvailability ChangeConfiguration ClearCache ClearChargingProfile
    DeleteCertificate ExtendedTriggerMessage GetCompositeSchedule GetConfiguration GetDiagnostics
    GetInstalledCertificateIds GetLocalListVersion GetLog InstallCertificate RemoteStartTransaction
    RemoteStopTransaction ReserveNow Reset SendLocalList SetChargingProfile SignedUpdateFirmware TriggerMessage
    UnlockConnector UpdateFirmware
"""
_STATION_201 = """
    Authorize BootNotification ClearedChargingLimit FirmwareStatusNotification Get15118EVCertificate
    GetCertificateStatus Heartbeat LogStatusNotification MeterValues NotifyChargingLimit NotifyCustomerInformation
    NotifyDisplayMessages NotifyEVChargingNeeds NotifyEVChargingSchedule NotifyEvent NotifyMonitoringReport NotifyReport
    PublishFirmwareStatusNotification ReportChargingProfiles ReservationStatusUpdate SecurityEventNotification
    SignCertificate StatusNotification TransactionEvent
"""
_CSMS_201 = """
    CancelReservation CertificateSigned ChangeAvailability ClearCache ClearChargingProfile ClearDisplayMessage
    ClearVariableMonitoring CostUpdated CustomerInformation DeleteCertificate GetBaseReport GetChargingProfiles
    GetCompositeSchedule GetDisplayMessages GetInstalledCertificateIds GetLocalListVersion GetLog GetMonitoringReport
    GetReport GetTransactionStatus GetVariables InstallCertificate PublishFirmware RequestStartTransaction
    RequestStopTransaction ReserveNow Reset SendLocalList SetChargingProfile SetDisplayMessage SetMonitoringBase
    SetMonitoringLevel SetNetworkProfile SetVariableMonitoring SetVariables TriggerMessage UnlockConnector
    UnpublishFirmware UpdateFirmware
"""
_STATION_21 = (
    _STATION_201
    + """
    BatterySwap GetCertificateChainStatus NotifyDERAlarm NotifyDERStartStop NotifyPriorityCharging NotifySettlement
    OpenPeriodicEventStream ClosePeriodicEventStream PullDynamicScheduleUpdate ReportDERControl
    VatNumberValidation
"""
)
_CSMS_21 = (
    _CSMS_201
    + """
    AFRRSignal AdjustPeriodicEventStream ChangeTransactionTariff ClearDERControl ClearTariffs GetDERControl
    GetPeriodicEventStream GetTariffs NotifyAllowedEnergyTransfer NotifyWebPaymentStarted RequestBatterySwap
    SetDERControl SetDefaultTariff UpdateDynamicSchedule UsePriorityCharging
"""
)

ACTIONS: Mapping[Version, Mapping[str, Action]] = MappingProxyType(
    {
        Version.V16: _table(_STATION_16, _CSMS_16),
        Version.V201: _table(_STATION_201, _CSMS_201),
        Version.V21: _table(_STATION_21, _CSMS_21, send="NotifyPeriodicEventStream"),
    }
)


def station_actions(version: Version) -> list[str]:
    """List the actions that a charging station may send, SEND included, in alphabetical order."""
    return [action.name for action in ACTIONS[version].values() if action.by_station]


def csms_actions(version: Version) -> list[str]:
    """List the actions that a CSMS may send, in alphabetical order."""
    return [action.name for action in ACTIONS[version].values() if action.by_csms]
