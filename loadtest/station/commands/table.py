"""Which handler takes which command, one table for each version."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from loadtest.station.commands import (
    battery_swaps,
    bidirectional,
    certificates,
    costs,
    der,
    display,
    local_list,
    monitors,
    operation,
    reports,
    reservations,
    sequences,
    settings,
    smart_charging,
    streams,
    tariffs,
    transactions,
    triggers,
)
from loadtest.station.commands.common import Handler
from ocppj.versions import Version

__all__ = ["HANDLERS", "REFUSED_BY_DEFAULT"]


_HANDLERS_201: dict[str, Handler] = {
    "CancelReservation": reservations.cancel_reservation,
    "CertificateSigned": certificates.certificate_signed,
    "ChangeAvailability": operation.availability_2x,
    "ClearCache": operation.clear_cache,
    "ClearChargingProfile": smart_charging.clear_charging_profile_2x,
    "ClearDisplayMessage": display.clear_display_message,
    "ClearVariableMonitoring": monitors.clear_variable_monitoring,
    "CostUpdated": costs.cost_updated,
    "CustomerInformation": reports.customer_information,
    "DataTransfer": operation.data_transfer,
    "DeleteCertificate": certificates.delete_certificate,
    "GetBaseReport": reports.get_base_report,
    "GetChargingProfiles": smart_charging.get_charging_profiles,
    "GetCompositeSchedule": smart_charging.get_composite_schedule_2x,
    "GetDisplayMessages": display.get_display_messages,
    "GetInstalledCertificateIds": certificates.get_installed_certificate_ids_2x,
    "GetLocalListVersion": local_list.list_version,
    "GetLog": sequences.get_log,
    "GetMonitoringReport": monitors.get_monitoring_report,
    "GetReport": reports.get_report,
    "GetTransactionStatus": transactions.transaction_status,
    "GetVariables": settings.get_variables,
    "InstallCertificate": certificates.install_certificate,
    "PublishFirmware": sequences.publish_firmware,
    "RequestStartTransaction": transactions.request_start,
    "RequestStopTransaction": transactions.remote_stop,
    "ReserveNow": reservations.reserve_now,
    "Reset": operation.reset_2x,
    "SendLocalList": local_list.send_local_list,
    "SetChargingProfile": smart_charging.set_charging_profile_2x,
    "SetDisplayMessage": display.set_display_message,
    "SetMonitoringBase": monitors.set_monitoring_base,
    "SetMonitoringLevel": monitors.set_monitoring_level,
    "SetNetworkProfile": settings.set_network_profile,
    "SetVariableMonitoring": monitors.set_variable_monitoring,
    "SetVariables": settings.set_variables,
    "TriggerMessage": triggers.trigger,
    "UnlockConnector": transactions.unlock_2x,
    "UnpublishFirmware": sequences.unpublish_firmware,
    "UpdateFirmware": sequences.update_firmware_2x,
}

HANDLERS: Mapping[Version, Mapping[str, Handler]] = MappingProxyType(
    {
        Version.V16: MappingProxyType(
            {
                "CancelReservation": reservations.cancel_reservation,
                "CertificateSigned": certificates.certificate_signed,
                "ChangeAvailability": operation.availability_16,
                "ChangeConfiguration": settings.change_configuration,
                "ClearCache": operation.clear_cache,
                "ClearChargingProfile": smart_charging.clear_charging_profile_16,
                "DataTransfer": operation.data_transfer,
                "DeleteCertificate": certificates.delete_certificate,
                "ExtendedTriggerMessage": triggers.extended_trigger,
                "GetCompositeSchedule": smart_charging.get_composite_schedule_16,
                "GetConfiguration": settings.get_configuration,
                "GetDiagnostics": sequences.get_diagnostics,
                "GetInstalledCertificateIds": certificates.get_installed_certificate_ids_16,
                "GetLocalListVersion": local_list.list_version,
                "GetLog": sequences.get_log,
                "InstallCertificate": certificates.install_certificate,
                "RemoteStartTransaction": transactions.remote_start_16,
                "RemoteStopTransaction": transactions.remote_stop,
                "ReserveNow": reservations.reserve_now,
                "Reset": operation.reset_16,
                "SendLocalList": local_list.send_local_list,
                "SetChargingProfile": smart_charging.set_charging_profile_16,
                "SignedUpdateFirmware": sequences.update_firmware_2x,
                "TriggerMessage": triggers.trigger,
                "UnlockConnector": transactions.unlock_16,
                "UpdateFirmware": sequences.update_firmware,
            }
        ),
        Version.V201: MappingProxyType(_HANDLERS_201),
        Version.V21: MappingProxyType(
            {
                **_HANDLERS_201,
                "AFRRSignal": bidirectional.afrr_signal,
                "AdjustPeriodicEventStream": streams.adjust_periodic_event_stream,
                "ChangeTransactionTariff": tariffs.change_transaction_tariff,
                "ClearDERControl": der.clear_der_control,
                "ClearTariffs": tariffs.clear_tariffs,
                "GetDERControl": der.get_der_control,
                "GetPeriodicEventStream": streams.get_periodic_event_stream,
                "GetTariffs": tariffs.get_tariffs,
                "NotifyAllowedEnergyTransfer": bidirectional.allowed_energy_transfer,
                "RequestBatterySwap": battery_swaps.request_battery_swap,
                "SetDERControl": der.set_der_control,
                "SetDefaultTariff": tariffs.set_default_tariff,
                "UpdateDynamicSchedule": smart_charging.update_dynamic_schedule,
                "UsePriorityCharging": smart_charging.use_priority_charging,
            }
        ),
    }
)
"""What is not here is answered, and nothing follows: NotifyWebPaymentStarted."""

REFUSED_BY_DEFAULT = frozenset(
    {
        "GetChargingProfiles",
        "GetDERControl",
        "GetDisplayMessages",
        "GetInstalledCertificateIds",
        "GetMonitoringReport",
        "GetTariffs",
        "UnpublishFirmware",
    }
)
"""Actions refused by default; a station with state may accept them."""
