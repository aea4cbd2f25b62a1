"""Commands keep every field that the operator named, also those that few CSMSs have a column for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from drivers.base import token_need, trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.charging_profiles import sound_profiles
from interop_suite.claims.checks import still_serves
from interop_suite.claims.clauses import Clause
from interop_suite.claims.fulfilment import fulfilled
from interop_suite.drive.probe import Probe
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.obeying import obey
from interop_suite.steps.rich_orders import (
    MONITORS,
    READ,
    WRITTEN,
    cleared_controls_of_one_kind,
    connector_out_of_service,
    controls_of_one_kind,
    default_tariff,
    der_curve,
    dynamic_profile,
    message_in_three_languages,
    message_with_all,
    monitors_to_replace,
    private_network,
    profile_of_each_phase,
    profile_of_one_phase,
    profile_of_three_schedules,
    reads_of_a_connector,
    session_tariff,
    start_with_all_known,
    two_tariffs,
    unlock_second,
    update_of_every_limit,
    writes_of_a_connector,
)
from interop_suite.steps.smart_charging import K_BLOCK
from interop_suite.steps.v2x import VERSIONS

Payload = dict[str, Any]
V21 = ("2.1",)
CLAUSE = Clause("201-4", "4.1.7")
TOKEN = (token_need("Accepted"),)
SMART_CHARGING, DEVICE = "Smart Charging", "Advanced Device Management"
DISPLAY = "Advanced UI"


class RichOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One order, and what the station answers."""

    id: str
    title: str
    versions: tuple[str, ...] = VERSIONS
    block: str
    profile: str
    action: str
    write: Callable[[Probe], Payload]
    reply: Payload | None = None
    """None is Accepted."""
    needs: tuple[str, ...] = ()
    """What it needs besides the command."""
    defect: str
    also: tuple[str, ...] = ()
    """Defects of other cases that it finds, too."""


ORDERS = (
    RichOrder(
        id="OPT_20",
        title="A remote start has what else is known of its token",
        block="Remote Control",
        profile="Core",
        action="RequestStartTransaction",
        write=start_with_all_known,
        needs=TOKEN,
        defect="remote-start-without-additional-info",
    ),
    RichOrder(
        id="OPT_21",
        title="A charging profile has its validity, its least rate, and the phase of each period",
        block=K_BLOCK,
        profile=SMART_CHARGING,
        action="SetChargingProfile",
        write=profile_of_one_phase,
        defect="profile-without-validity",
        also=("profile-without-phases",),
    ),
    RichOrder(
        id="OPT_22",
        title="A charging profile has the limits of each phase, and what the car may do in each period",
        versions=V21,
        block=K_BLOCK,
        profile=SMART_CHARGING,
        action="SetChargingProfile",
        write=profile_of_each_phase,
        defect="profile-limits-of-first-phase",
    ),
    RichOrder(
        id="OPT_23",
        title="A dynamic profile has every limit, and when it was updated",
        versions=V21,
        block=K_BLOCK,
        profile=SMART_CHARGING,
        action="SetChargingProfile",
        write=dynamic_profile,
        defect="dynamic-profile-without-update-time",
    ),
    RichOrder(
        id="OPT_24",
        title="A charging profile has three schedules, each with its tariff",
        block=K_BLOCK,
        profile="ISO 15118",
        action="SetChargingProfile",
        write=profile_of_three_schedules,
        needs=TOKEN,
        defect="profile-of-first-schedule",
    ),
    RichOrder(
        id="OPT_25",
        title="Targets and bounds of a connector's variables are read",
        block="Provisioning",
        profile="Core",
        action="GetVariables",
        write=reads_of_a_connector,
        reply=READ,
        defect="get-variables-of-actual-values",
        also=("get-variables-of-the-station", "get-variables-one-by-one"),
    ),
    RichOrder(
        id="OPT_26",
        title="Targets and bounds of a connector's variables are written",
        block="Provisioning",
        profile="Core",
        action="SetVariables",
        write=writes_of_a_connector,
        reply=WRITTEN,
        defect="set-variables-of-actual-values",
        also=("set-variables-of-the-station", "set-variables-one-by-one"),
    ),
    RichOrder(
        id="OPT_27",
        title="A network profile says how the station gets into a private network",
        block="Provisioning",
        profile="Core",
        action="SetNetworkProfile",
        write=private_network,
        defect="network-profile-without-apn",
        also=("network-profile-in-first-slot", "network-profile-timeout-in-ms"),
    ),
    RichOrder(
        id="OPT_28",
        title="The second connector of an EVSE is put out of service",
        block="Availability",
        profile="Core",
        action="ChangeAvailability",
        write=connector_out_of_service,
        defect="availability-of-connector-one",
    ),
    RichOrder(
        id="OPT_29",
        title="The second connector of an EVSE is unlocked",
        block="Remote Control",
        profile="Core",
        action="UnlockConnector",
        write=unlock_second,
        reply={"status": "Unlocked"},
        defect="unlock-of-first-connector",
    ),
    RichOrder(
        id="OPT_30",
        title="The default tariff of an EVSE has all of its parts",
        versions=V21,
        block="Tariff and Cost",
        profile=DISPLAY,
        action="SetDefaultTariff",
        write=default_tariff,
        defect="tariff-of-energy-and-time",
        also=(
            "tariff-conditions-dropped",
            "tariff-times-with-seconds",
            "tariff-with-first-price-only",
            "tariff-prices-in-another-order",
            "tariff-without-taxes",
            "tariff-without-valid-from",
        ),
    ),
    RichOrder(
        id="OPT_31",
        title="The new tariff of a session has all of its parts",
        versions=V21,
        block="Tariff and Cost",
        profile=DISPLAY,
        action="ChangeTransactionTariff",
        write=session_tariff,
        needs=TOKEN,
        defect="session-tariff-of-energy-and-time",
        also=(
            "tariff-conditions-dropped",
            "tariff-times-with-seconds",
            "tariff-with-first-price-only",
            "tariff-prices-in-another-order",
        ),
    ),
    RichOrder(
        id="OPT_32",
        title="Two tariffs of an EVSE are cleared",
        versions=V21,
        block="Tariff and Cost",
        profile=DISPLAY,
        action="ClearTariffs",
        write=two_tariffs,
        reply={"clearTariffsResult": [{"tariffId": name, "status": "Accepted"} for name in ("night-2031", "day-2031")]},
        defect="clear-tariffs-first-only",
        also=("clear-tariffs-of-every-evse", "clear-tariffs-without-ids"),
    ),
    RichOrder(
        id="OPT_33",
        title="Monitors that the station has are replaced, each with its instance and its place",
        block="Diagnostics",
        profile=DEVICE,
        action="SetVariableMonitoring",
        write=monitors_to_replace,
        reply=MONITORS,
        defect="monitor-always-new",
        also=("monitor-severity-of-first", "monitor-value-as-integer", "set-monitors-first-only"),
    ),
    RichOrder(
        id="OPT_34",
        title="A message has its begin, its end and its display",
        block="Display Message",
        profile=DISPLAY,
        action="SetDisplayMessage",
        write=message_with_all,
        defect="message-on-first-display",
    ),
    RichOrder(
        id="OPT_35",
        title="A message comes in three languages",
        versions=V21,
        block="Display Message",
        profile=DISPLAY,
        action="SetDisplayMessage",
        write=message_in_three_languages,
        defect="message-in-two-languages",
        also=("message-on-first-display", "display-message-extra-dropped"),
    ),
    RichOrder(
        id="OPT_36",
        title="A DER control has its curve, and how the station follows it",
        versions=V21,
        block="DER Control",
        profile="DER Control",
        action="SetDERControl",
        write=der_curve,
        defect="der-curve-of-two-points",
        also=("der-control-always-default", "der-curve-backwards"),
    ),
    RichOrder(
        id="OPT_37",
        title="The DER controls of one kind are read",
        versions=V21,
        block="DER Control",
        profile="DER Control",
        action="GetDERControl",
        write=controls_of_one_kind,
        defect="der-controls-of-any-kind",
        also=("der-controls-read-without-default",),
    ),
    RichOrder(
        id="OPT_38",
        title="The DER controls of one kind are cleared",
        versions=V21,
        block="DER Control",
        profile="DER Control",
        action="ClearDERControl",
        write=cleared_controls_of_one_kind,
        defect="clears-der-controls-of-any-kind",
    ),
    RichOrder(
        id="OPT_39",
        title="An update of a dynamic profile has every limit",
        versions=V21,
        block=K_BLOCK,
        profile=SMART_CHARGING,
        action="UpdateDynamicSchedule",
        write=update_of_every_limit,
        defect="dynamic-update-of-setpoint",
        also=("dynamic-update-above-zero", "dynamic-update-as-limit"),
    ),
)


def _add(order: RichOrder) -> None:
    @case(
        id=order.id,
        ocpp=order.versions,
        title=order.title,
        block=order.block,
        profile=order.profile,
        initiator="csms",
        needs=(trigger_need(order.action), *order.needs),
        sends=f"What it is well to answer {order.action} with, then a Heartbeat.",
        expects=f"The CSMS SHALL send {order.action} with every field that its operator named.",
        clause=CLAUSE,
        defect=order.defect,
        also=order.also,
        checks=(
            fulfilled(order.action, may_refuse=True),
            *((sound_profiles(),) if order.action == "SetChargingProfile" else ()),
            still_serves(),
        ),
    )
    def script(probe: Probe) -> None:
        obey(probe, order.action, order.write(probe), order.reply or {"status": "Accepted"})
        heartbeat(probe.station)


for _order in ORDERS:
    _add(_order)
