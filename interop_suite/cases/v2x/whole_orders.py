"""Commands keep what few operators name: other places and tokens, instances, prices, and limits of each phase."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from drivers.base import token_need, trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.charging_profiles import sound_profiles
from interop_suite.claims.checks import still_serves
from interop_suite.claims.clauses import Clause
from interop_suite.claims.fulfilment import fulfilled
from interop_suite.drive.probe import Probe
from interop_suite.steps import whole_orders as orders
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.obeying import obey
from interop_suite.steps.smart_charging import K_BLOCK
from interop_suite.steps.v2x import VERSIONS

Payload = dict[str, Any]
V21 = ("2.1",)
CLAUSE = Clause("201-4", "4.1.7")
TOKEN = (token_need("Accepted"),)
SMART_CHARGING, DEVICE, DISPLAY = "Smart Charging", "Advanced Device Management", "Advanced UI"
REJECTED = {"status": "Rejected"}


class WholeOrders(msgspec.Struct, frozen=True, kw_only=True):
    """Orders of one action, and what the station answers each with."""

    id: str
    title: str
    versions: tuple[str, ...] = VERSIONS
    block: str
    profile: str
    action: str
    write: Callable[[Probe], Sequence[Payload]]
    reply: Payload | None = None
    """None is Accepted."""
    needs: tuple[str, ...] = ()
    """What they need besides the command."""
    defect: str
    also: tuple[str, ...] = ()
    """Defects of other cases that they find, too."""


ORDERS = (
    WholeOrders(
        id="OPT_44",
        title="Two reservations are for tokens that are no cards, each with what else is known of it",
        block="Reservation",
        profile="Reservation",
        action="ReserveNow",
        write=orders.reservations_of_other_tokens,
        needs=TOKEN,
        defect="reservation-for-cards-only",
    ),
    WholeOrders(
        id="OPT_45",
        title="Two remote starts have whole charging profiles, one of them the group of its token",
        block="Remote Control",
        profile="Core",
        action="RequestStartTransaction",
        write=orders.starts_with_whole_profiles,
        reply=REJECTED,
        needs=TOKEN,
        defect="remote-start-profile-without-validity",
        also=("remote-start-without-additional-info", "remote-start-without-profile"),
    ),
    WholeOrders(
        id="OPT_46",
        title="Charging profiles in W have their sales tariff and their week",
        block=K_BLOCK,
        profile=SMART_CHARGING,
        action="SetChargingProfile",
        write=orders.profiles_of_other_units,
        needs=TOKEN,
        defect="sales-tariff-without-costs",
        also=("profile-without-validity", "profile-without-phases"),
    ),
    WholeOrders(
        id="OPT_47",
        title="Charging profiles have the prices of ISO 15118-20, and every limit of each phase",
        versions=V21,
        block=K_BLOCK,
        profile=SMART_CHARGING,
        action="SetChargingProfile",
        write=orders.priced_profiles,
        needs=TOKEN,
        defect="profile-without-price-schedules",
        also=("profile-limits-of-first-phase",),
    ),
    WholeOrders(
        id="OPT_48",
        title="A report is about instances of variables at two connectors",
        block="Provisioning",
        profile="Core",
        action="GetReport",
        write=orders.components_with_instances,
        defect="report-without-instances",
    ),
    WholeOrders(
        id="OPT_49",
        title="A report of monitors is about instances of variables at two connectors",
        block="Diagnostics",
        profile=DEVICE,
        action="GetMonitoringReport",
        write=orders.monitors_of_instances,
        defect="monitoring-report-without-component-instances",
        also=("monitoring-report-drops-evse", "monitoring-report-drops-instance"),
    ),
    WholeOrders(
        id="OPT_50",
        title="Instances of variables at two connectors are read",
        block="Provisioning",
        profile="Core",
        action="GetVariables",
        write=orders.reads_of_instances,
        reply=orders.NO_SUCH_VARIABLES,
        defect="get-variables-without-instances",
        also=("get-variables-of-the-station", "get-variables-one-by-one"),
    ),
    WholeOrders(
        id="OPT_51",
        title="Instances of variables at two connectors are written",
        block="Provisioning",
        profile="Core",
        action="SetVariables",
        write=orders.writes_of_instances,
        reply=orders.NOT_WRITTEN,
        defect="set-variables-without-instances",
        also=("set-variables-of-the-station", "set-variables-one-by-one"),
    ),
    WholeOrders(
        id="OPT_52",
        title="A network profile has what the card of a mobile network needs",
        block="Provisioning",
        profile="Core",
        action="SetNetworkProfile",
        write=orders.network_behind_an_apn,
        defect="network-profile-without-sim-pin",
        also=("network-profile-without-apn", "network-profile-in-first-slot", "network-profile-timeout-in-ms"),
    ),
    WholeOrders(
        id="OPT_53",
        title="A local list has tokens that are no cards",
        block="Local Authorization List",
        profile="Local Auth List",
        action="SendLocalList",
        write=orders.list_of_other_tokens,
        needs=TOKEN,
        defect="local-list-of-cards-only",
        also=("local-list-cut",),
    ),
    WholeOrders(
        id="OPT_54",
        title="Customers are found by a contract, a certificate, and a code",
        block="Diagnostics",
        profile=DEVICE,
        action="CustomerInformation",
        write=orders.customers_of_all_kinds,
        needs=TOKEN,
        defect="customer-without-additional-info",
    ),
    WholeOrders(
        id="OPT_55",
        title="Batteries are swapped for a contract and for a code",
        versions=V21,
        block="Battery Swapping",
        profile="Battery Swapping",
        action="RequestBatterySwap",
        write=orders.swaps_by_other_tokens,
        needs=TOKEN,
        defect="battery-swap-for-cards-only",
    ),
    WholeOrders(
        id="OPT_56",
        title="DER controls of every kind have all of their parameters",
        versions=V21,
        block="DER Control",
        profile="DER Control",
        action="SetDERControl",
        write=orders.der_controls_of_every_kind,
        defect="der-controls-without-duration",
        also=("der-control-always-default", "der-curve-backwards"),
    ),
    WholeOrders(
        id="OPT_57",
        title="DER controls are read by default kind and by id",
        versions=V21,
        block="DER Control",
        profile="DER Control",
        action="GetDERControl",
        write=orders.default_and_named_controls,
        defect="der-controls-read-without-default",
        also=("der-controls-of-any-kind",),
    ),
    WholeOrders(
        id="OPT_58",
        title="DER controls are cleared by default kind and by id",
        versions=V21,
        block="DER Control",
        profile="DER Control",
        action="ClearDERControl",
        write=orders.default_and_named_controls_cleared,
        defect="der-controls-cleared-by-kind-alone",
        also=("clears-der-controls-of-any-kind",),
    ),
    WholeOrders(
        id="OPT_59",
        title="Updates of two dynamic profiles have every limit of each phase",
        versions=V21,
        block=K_BLOCK,
        profile=SMART_CHARGING,
        action="UpdateDynamicSchedule",
        write=orders.updates_of_each_phase,
        defect="dynamic-update-of-first-phase",
        also=("dynamic-update-of-setpoint", "dynamic-update-above-zero", "dynamic-update-as-limit"),
    ),
    WholeOrders(
        id="OPT_60",
        title="Default tariffs of two EVSEs have prices by every condition",
        versions=V21,
        block="Tariff and Cost",
        profile=DISPLAY,
        action="SetDefaultTariff",
        write=orders.prices_by_every_condition,
        defect="tariff-conditions-of-time-alone",
        also=(
            "tariff-conditions-dropped",
            "tariff-of-energy-and-time",
            "tariff-prices-in-another-order",
            "tariff-times-with-seconds",
            "tariff-with-first-price-only",
            "tariff-without-taxes",
        ),
    ),
    WholeOrders(
        id="OPT_61",
        title="New tariffs of two sessions have prices by every condition",
        versions=V21,
        block="Tariff and Cost",
        profile=DISPLAY,
        action="ChangeTransactionTariff",
        write=orders.session_prices_by_every_condition,
        needs=TOKEN,
        defect="session-tariff-conditions-of-time-alone",
        also=(
            "session-tariff-of-energy-and-time",
            "tariff-conditions-dropped",
            "tariff-of-newest-transaction",
            "tariff-prices-in-another-order",
            "tariff-times-with-seconds",
            "tariff-with-first-price-only",
        ),
    ),
)


def _add(wanted: WholeOrders) -> None:
    @case(
        id=wanted.id,
        ocpp=wanted.versions,
        title=wanted.title,
        block=wanted.block,
        profile=wanted.profile,
        initiator="csms",
        needs=(trigger_need(wanted.action), *wanted.needs),
        sends=f"What a station may answer each {wanted.action} with, then a Heartbeat.",
        expects=f"The CSMS SHALL send each {wanted.action} with every field that its operator named.",
        clause=CLAUSE,
        defect=wanted.defect,
        also=wanted.also,
        checks=(
            fulfilled(wanted.action, may_refuse=True),
            *((sound_profiles(),) if wanted.action == "SetChargingProfile" else ()),
            still_serves(),
        ),
    )
    def script(probe: Probe) -> None:
        for order in wanted.write(probe):
            obey(probe, wanted.action, order, wanted.reply or {"status": "Accepted"})
        heartbeat(probe.station)


for _wanted in ORDERS:
    _add(_wanted)
