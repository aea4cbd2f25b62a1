"""Commands keep a 0 and an empty text: to pause, to try once, the lowest level, and what costs nothing."""

from __future__ import annotations

from drivers.base import token_need
from interop_suite.steps import zero_orders as orders
from interop_suite.steps.order_cases import WholeOrders, add_orders
from interop_suite.steps.smart_charging import K_BLOCK

V21 = ("2.1",)
LEFT_OUT = "zeros-left-out"
SMART_CHARGING, DEVICE = "Smart Charging", "Advanced Device Management"

ORDERS = (
    WholeOrders(
        id="OPT_62",
        title="A log is uploaded without a second try",
        block="Diagnostics",
        profile="Core",
        action="GetLog",
        write=orders.logs_without_retries,
        reply={"status": "Rejected"},
        defect=LEFT_OUT,
        also=(
            "get-log-always-diagnostics",
            "log-window-lost",
            "closes-after-log-rejected",
        ),
    ),
    WholeOrders(
        id="OPT_63",
        title="Firmware is published without a second try",
        block="Firmware Management",
        profile="Core",
        action="PublishFirmware",
        write=orders.publications_without_retries,
        reply={"status": "Rejected"},
        defect=LEFT_OUT,
        also=("publish-firmware-without-retries",),
    ),
    WholeOrders(
        id="OPT_64",
        title="Charging profiles pause",
        block=K_BLOCK,
        profile=SMART_CHARGING,
        action="SetChargingProfile",
        write=orders.paused_profiles,
        defect="profile-without-pause",
    ),
    WholeOrders(
        id="OPT_65",
        title="A remote start begins with a pause",
        block="Remote Control",
        profile="Core",
        action="RequestStartTransaction",
        write=orders.starts_that_wait,
        reply={"status": "Rejected"},
        needs=(token_need("Accepted"),),
        defect="remote-start-without-pause",
    ),
    WholeOrders(
        id="OPT_66",
        title="The charging profiles of the lowest level are listed",
        block=K_BLOCK,
        profile=SMART_CHARGING,
        action="GetChargingProfiles",
        write=orders.levels_read,
        reply={"status": "NoProfiles"},
        defect=LEFT_OUT,
    ),
    WholeOrders(
        id="OPT_67",
        title="The charging profiles of the lowest level are cleared",
        block=K_BLOCK,
        profile=SMART_CHARGING,
        action="ClearChargingProfile",
        write=orders.levels_cleared,
        reply={"status": "Unknown"},
        defect=LEFT_OUT,
        also=("closes-after-clear-unknown",),
    ),
    WholeOrders(
        id="OPT_68",
        title="Dynamic profiles are updated to a pause",
        versions=V21,
        block=K_BLOCK,
        profile=SMART_CHARGING,
        action="UpdateDynamicSchedule",
        write=orders.updates_to_zero,
        defect=LEFT_OUT,
        also=(
            "dynamic-update-above-zero",
            "dynamic-update-as-limit",
            "dynamic-update-of-setpoint",
            "dynamic-update-repeats-first",
        ),
    ),
    WholeOrders(
        id="OPT_69",
        title="An empty text and a 0 are written",
        block="Provisioning",
        profile="Core",
        action="SetVariables",
        write=orders.values_of_nothing,
        reply=orders.BLANK_WRITTEN,
        defect="blank-values-as-null-text",
        also=("set-variables-one-by-one",),
    ),
    WholeOrders(
        id="OPT_70",
        title="A monitor at 0 is set, of the highest severity",
        block="Diagnostics",
        profile=DEVICE,
        action="SetVariableMonitoring",
        write=orders.monitors_at_zero,
        reply=orders.MONITORED,
        defect="monitor-at-zero-raised",
    ),
    WholeOrders(
        id="OPT_71",
        title="A tariff asks nothing by night",
        versions=V21,
        block="Tariff and Cost",
        profile="Advanced UI",
        action="SetDefaultTariff",
        write=orders.free_prices,
        defect="tariff-without-free-prices",
        also=(
            "tariff-prices-in-another-order",
            "tariff-conditions-dropped",
            "tariff-of-energy-and-time",
            "tariff-times-with-seconds",
            "tariff-with-first-price-only",
        ),
    ),
)

for _order in ORDERS:
    add_orders(_order)
