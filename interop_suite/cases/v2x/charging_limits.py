"""Limits and setpoints of others: a station tells that they came, what changed, and that they are gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from drivers.base import token_need
from fixtures.payloads import v2x
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered
from interop_suite.claims.claim import Check
from interop_suite.claims.clauses import Clause
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import meter_value
from interop_suite.steps.smart_charging import EVSE_1, EVSE_2, K_BLOCK, schedule, two_sessions, use_case
from interop_suite.steps.transaction_events import answers_all
from interop_suite.steps.v2x import VERSIONS

Payload = dict[str, Any]
SMART_CHARGING = "Smart Charging"
Q_BLOCK, V2X_PROFILE = "Bidirectional Power Transfer", "V2X"
V21 = ("2.1",)

limits_answered = answered("NotifyChargingLimit", claim="Every NotifyChargingLimit is answered")
cleared_answered = answered("ClearedChargingLimit", claim="Every ClearedChargingLimit is answered")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a station tells about limits of others."""

    id: str
    title: str
    versions: tuple[str, ...] = VERSIONS
    block: str = K_BLOCK
    profile: str = SMART_CHARGING
    sends: str
    tell: Callable[[Probe], None]
    sessions: bool = False
    clause: Clause
    defect: str
    also: tuple[str, ...] = ()
    checks: tuple[Check, ...]


def _limit(probe: Probe, source: str, evse: int | None, *schedules: Payload, critical: bool | None = None) -> None:
    payload = v2x.notify_charging_limit(source=source, evse_id=evse, is_grid_critical=critical, schedules=schedules)
    probe.station.call("NotifyChargingLimit", payload)


def _cleared(probe: Probe, source: str, evse: int | None) -> None:
    probe.station.call("ClearedChargingLimit", v2x.cleared_charging_limit(source=source, evse_id=evse))


def _set_without_session(probe: Probe) -> None:
    _limit(probe, "EMS", EVSE_2, schedule(301, (0, 20.5), (900, 10.3)), schedule(302, (0, 16.1)))
    _limit(probe, "SO", EVSE_1, critical=True)
    # A limit of the whole station names no EVSE.
    _limit(probe, "Other", None, schedule(305, (0, 32.7), (1800, 24.3)), critical=False)


def _released_without_session(probe: Probe) -> None:
    _limit(probe, "EMS", EVSE_2)
    _cleared(probe, "EMS", EVSE_2)
    # The limit may have come while the station was offline.
    _cleared(probe, "SO", EVSE_1)
    _cleared(probe, "Other", None)


def _released_in_session(probe: Probe) -> None:
    newer = two_sessions(probe)[1]
    _limit(probe, "EMS", EVSE_2)
    _cleared(probe, "EMS", EVSE_2)
    for watt_hours in (2350, 2410):
        newer.event(
            "Updated", "ChargingRateChanged", charging_state="Charging", meter_value=[meter_value(watt_hours, "Other")]
        )


def _external_setpoint(probe: Probe) -> None:
    newer = two_sessions(probe)[1]
    period = {"startPeriod": 0, "setpoint": -4140.5, "operationMode": "ExternalSetpoint"}
    _limit(probe, "EMS", EVSE_2, {**schedule(303, unit="W"), "chargingSchedulePeriod": [period]})
    newer.event("Updated", "OperationModeChanged", charging_state="Charging", operation_mode="ExternalSetpoint")


def _external_limits(probe: Probe) -> None:
    newer = two_sessions(probe)[1]
    periods = [
        {"startPeriod": 0, "limit": 6210.5, "dischargeLimit": -3105.3, "operationMode": "ExternalLimits"},
        {"startPeriod": 1200, "limit": 5175.3, "dischargeLimit": -2070.3, "operationMode": "ExternalLimits"},
    ]
    # Sources are texts in 2.1: the appendices list some, and an installation may have one of its own.
    _limit(probe, "neighbourhood-ems", EVSE_2, {**schedule(304, unit="W"), "chargingSchedulePeriod": periods})
    newer.event("Updated", "ChargingRateChanged", charging_state="Charging", operation_mode="ExternalLimits")


TOLD = (
    Told(
        id="TC_K_48_CSMS",
        title="Limits of others, one with schedules, are acknowledged while nobody charges",
        sends="NotifyChargingLimit for two EVSEs and the whole station from three sources, two with schedules.",
        tell=_set_without_session,
        clause=use_case("K12"),
        defect="charging-limit-with-schedule-refused",
        also=("charging-limit-without-evse-refused",),
        checks=(limits_answered,),
    ),
    Told(
        id="TC_K_50_CSMS",
        title="The end of such limits is acknowledged while nobody charges",
        sends="NotifyChargingLimit, ClearedChargingLimit, and ClearedChargingLimit of a limit that was not told.",
        tell=_released_without_session,
        clause=use_case("K13"),
        defect="cleared-limit-never-heard-of-refused",
        checks=(limits_answered, cleared_answered),
    ),
    Told(
        id="TC_K_51_CSMS",
        title="The end of a limit during a transaction, and the change of the charging rate",
        sends="ClearedChargingLimit while two sessions run, and TransactionEvents for the new charging rate.",
        tell=_released_in_session,
        sessions=True,
        clause=use_case("K13"),
        defect="updated-by-charging-rate-changed-refused",
        checks=(limits_answered, cleared_answered),
    ),
    Told(
        id="TC_Q_111_CSMS",
        title="An external setpoint for discharging is acknowledged",
        versions=V21,
        block=Q_BLOCK,
        profile=V2X_PROFILE,
        sends="NotifyChargingLimit with a setpoint below zero, and the TransactionEvent for the new operation mode.",
        tell=_external_setpoint,
        sessions=True,
        clause=use_case("Q05"),
        defect="updated-by-operation-mode-changed-refused",
        also=("charging-limit-with-schedule-refused",),
        checks=(limits_answered,),
    ),
    Told(
        id="TC_Q_112_CSMS",
        title="External limits for charging and discharging are acknowledged",
        versions=V21,
        block=Q_BLOCK,
        profile=V2X_PROFILE,
        sends="NotifyChargingLimit with limits both ways, and the TransactionEvent for the new charging rate.",
        tell=_external_limits,
        sessions=True,
        clause=use_case("Q06"),
        defect="charging-limit-of-a-new-source-refused",
        also=(
            "charging-limit-with-schedule-refused",
            "updated-by-charging-rate-changed-refused",
        ),
        checks=(limits_answered,),
    ),
)


def _add(entry: Told) -> None:
    @case(
        id=entry.id,
        ocpp=entry.versions,
        title=entry.title,
        block=entry.block,
        profile=entry.profile,
        needs=(token_need("Accepted"),) if entry.sessions else (),
        sends=entry.sends,
        expects="The CSMS SHALL answer everything that the station tells.",
        clause=entry.clause,
        defect=entry.defect,
        also=entry.also,
        checks=(*entry.checks, answers_all) if entry.sessions else entry.checks,
    )
    def script(probe: Probe) -> None:
        entry.tell(probe)


for _entry in TOLD:
    _add(_entry)
