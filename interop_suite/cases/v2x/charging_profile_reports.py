"""Charging profiles that a station holds: read in parts by whatever criteria, and cleared."""

from __future__ import annotations

from typing import Any

import msgspec

from drivers.base import trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.checks import asked, still_serves
from interop_suite.claims.claim import Check
from interop_suite.claims.expected import one_of
from interop_suite.claims.fulfilment import fulfilled
from interop_suite.drive.probe import Probe
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.smart_charging import (
    EVSE_1,
    EVSE_2,
    K_BLOCK,
    profile,
    report_profiles,
    reports_answered,
    schedule,
    use_case,
)
from interop_suite.steps.v2x import VERSIONS

Payload = dict[str, Any]
Parts = tuple[tuple[int, str, tuple[Payload, ...]], ...]
SMART_CHARGING = "Smart Charging"

HELD_BY_STATION = profile(21, "ChargingStationMaxProfile", "Absolute", 1, schedule(201, (0, 48.2), (1800, 36.1)))
HELD_BY_EVSE_1 = profile(22, "TxDefaultProfile", "Relative", 2, schedule(202, (0, 10.4), (900, 14.8)))
HELD_BY_EVSE_2 = profile(23, "TxDefaultProfile", "Relative", 3, schedule(203, (0, 18.5), (1200, 12.3)))
ALSO_BY_EVSE_2 = profile(
    24, "TxDefaultProfile", "Recurring", 5, schedule(204, (0, 7.3), (600, 9.9)), recurrencyKind="Daily"
)
OF_OTHERS = profile(25, "ChargingStationExternalConstraints", "Absolute", 4, schedule(205, (0, 21.6), (2700, 11.8)))
OF_OTHERS_TOO = profile(26, "ChargingStationExternalConstraints", "Absolute", 6, schedule(206, (0, 13.1), (300, 8.4)))


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Criteria that the operator reads profiles by, and what the station reports, part by part."""

    id: str
    title: str
    request_id: int
    evse: int | None = None
    criteria: Payload
    parts: Parts
    defect: str
    also: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()


_EVSE_2: Parts = ((EVSE_2, "CSO", (HELD_BY_EVSE_2,)), (EVSE_2, "CSO", (ALSO_BY_EVSE_2,)))
_EVERY: Parts = (
    (0, "CSO", (HELD_BY_STATION,)),
    (EVSE_1, "CSO", (HELD_BY_EVSE_1,)),
    (EVSE_2, "CSO", (HELD_BY_EVSE_2, ALSO_BY_EVSE_2)),
)
IN_PARTS = ("profile-report-second-part-refused",)

READINGS = (
    Reading(
        id="TC_K_29_CSMS",
        title="Read the charging profiles of the whole station",
        request_id=2029,
        evse=0,
        criteria={"chargingProfilePurpose": "ChargingStationMaxProfile"},
        parts=((0, "CSO", (HELD_BY_STATION,)),),
        defect="get-profiles-evse-zero-left-out",
    ),
    Reading(
        id="TC_K_30_CSMS",
        title="Read the charging profiles of one EVSE",
        request_id=2030,
        evse=EVSE_2,
        criteria={"chargingProfilePurpose": "TxDefaultProfile"},
        parts=_EVSE_2,
        defect="get-profiles-of-evse-1",
        also=IN_PARTS,
    ),
    Reading(
        id="TC_K_31_CSMS",
        title="Read the charging profiles of every EVSE",
        request_id=2031,
        criteria={"chargingProfilePurpose": "TxDefaultProfile"},
        parts=_EVERY,
        defect="get-profiles-of-the-station-only",
        also=IN_PARTS,
        checks=(asked("GetChargingProfiles", {"evseId": one_of(None)}, claim="No EVSE is named where all are meant"),),
    ),
    Reading(
        id="TC_K_32_CSMS",
        title="Read charging profiles by their ids",
        request_id=2032,
        criteria={"chargingProfileId": [22, 24]},
        parts=((EVSE_1, "CSO", (HELD_BY_EVSE_1,)), (EVSE_2, "CSO", (ALSO_BY_EVSE_2,))),
        defect="get-profiles-first-id-only",
        also=IN_PARTS,
    ),
    Reading(
        id="TC_K_33_CSMS",
        title="Read the charging profiles of one EVSE and stack level",
        request_id=2033,
        evse=EVSE_2,
        criteria={"stackLevel": 3},
        parts=((EVSE_2, "CSO", (HELD_BY_EVSE_2,)),),
        defect="get-profiles-without-stack-level",
    ),
    Reading(
        id="TC_K_34_CSMS",
        title="Read the charging profiles of one EVSE from one source of limits",
        request_id=2034,
        evse=EVSE_2,
        criteria={"chargingLimitSource": ["CSO"]},
        parts=_EVSE_2,
        defect="get-profiles-source-as-text",
        also=IN_PARTS,
    ),
    Reading(
        id="TC_K_35_CSMS",
        title="Read the charging profiles of one EVSE and purpose",
        request_id=2035,
        evse=EVSE_2,
        criteria={"chargingProfilePurpose": "TxDefaultProfile"},
        parts=_EVSE_2,
        defect="get-profiles-of-another-purpose",
        also=IN_PARTS,
    ),
    Reading(
        id="TC_K_36_CSMS",
        title="Read the charging profiles of one EVSE, purpose and stack level",
        request_id=2036,
        evse=EVSE_2,
        criteria={"chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 5},
        parts=((EVSE_2, "CSO", (ALSO_BY_EVSE_2,)),),
        defect="get-profiles-by-one-criterion",
    ),
    Reading(
        id="TC_K_52_CSMS",
        title="The limits of others show up in the report of charging profiles",
        request_id=2052,
        evse=EVSE_2,
        criteria={"chargingLimitSource": ["EMS", "SO"]},
        parts=((EVSE_2, "EMS", (OF_OTHERS,)), (EVSE_2, "SO", (OF_OTHERS_TOO,))),
        defect="external-constraints-report-refused",
        also=IN_PARTS,
    ),
)


def _read(probe: Probe, entry: Reading) -> None:
    evse = {} if entry.evse is None else {"evseId": entry.evse}
    order = {"requestId": entry.request_id, **evse, "chargingProfile": entry.criteria}
    probe.station.reply("GetChargingProfiles", {"status": "Accepted"})
    probe.command("GetChargingProfiles", order)
    request = probe.station.expect("GetChargingProfiles")
    if request is not None:
        report_profiles(probe, request, entry.parts)


def _add(entry: Reading) -> None:
    @case(
        id=entry.id,
        ocpp=VERSIONS,
        title=entry.title,
        block=K_BLOCK,
        profile=SMART_CHARGING,
        initiator="csms",
        needs=(trigger_need("GetChargingProfiles"),),
        sends="Accepted to GetChargingProfiles, and ReportChargingProfiles in one or more parts with its requestId.",
        expects="The CSMS SHALL send GetChargingProfiles with the criteria of its operator, and answer every part.",
        clause=use_case("K09"),
        defect=entry.defect,
        also=entry.also,
        checks=(fulfilled("GetChargingProfiles"), *entry.checks, reports_answered, still_serves()),
    )
    def script(probe: Probe) -> None:
        _read(probe, entry)
        heartbeat(probe.station)


for _entry in READINGS:
    _add(_entry)


@case(
    id="TC_K_05_CSMS",
    ocpp=VERSIONS,
    title="Clear one of several charging profiles by the id that the station reported",
    block=K_BLOCK,
    profile=SMART_CHARGING,
    initiator="csms",
    needs=(trigger_need("GetChargingProfiles"), trigger_need("ClearChargingProfile")),
    sends="Accepted to GetChargingProfiles, a report in two parts, and Accepted to ClearChargingProfile.",
    expects="The CSMS SHALL answer the report, and send ClearChargingProfile with the id that its operator named.",
    clause=use_case("K10"),
    defect="clear-profile-without-id",
    also=IN_PARTS,
    checks=(fulfilled("GetChargingProfiles"), reports_answered, fulfilled("ClearChargingProfile"), still_serves()),
)
def clear_by_id(probe: Probe) -> None:
    reading = next(entry for entry in READINGS if entry.id == "TC_K_30_CSMS")
    _read(probe, reading)
    probe.station.reply("ClearChargingProfile", {"status": "Accepted"})
    probe.command("ClearChargingProfile", {"chargingProfileId": ALSO_BY_EVSE_2["id"]})
    heartbeat(probe.station)


@case(
    id="TC_K_06_CSMS",
    ocpp=VERSIONS,
    title="Clear charging profiles by purpose and stack level",
    block=K_BLOCK,
    profile=SMART_CHARGING,
    initiator="csms",
    needs=(trigger_need("ClearChargingProfile"),),
    sends="Accepted to two ClearChargingProfile, the second one for an EVSE, then a Heartbeat.",
    expects="The CSMS SHALL send ClearChargingProfile with all criteria of its operator.",
    clause=use_case("K10"),
    defect="clear-profiles-of-every-level",
    checks=(fulfilled("ClearChargingProfile"), still_serves()),
)
def clear_by_criteria(probe: Probe) -> None:
    probe.station.reply("ClearChargingProfile", {"status": "Accepted"})
    for criteria in (
        {"chargingProfilePurpose": "ChargingStationMaxProfile", "stackLevel": 1},
        {"evseId": EVSE_2, "chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 5},
    ):
        probe.command("ClearChargingProfile", {"chargingProfileCriteria": criteria})
    heartbeat(probe.station)


@case(
    id="TC_K_08_CSMS",
    ocpp=VERSIONS,
    title="Clear charging profiles of a station that holds none",
    block=K_BLOCK,
    profile=SMART_CHARGING,
    initiator="csms",
    needs=(trigger_need("ClearChargingProfile"),),
    sends="Unknown to ClearChargingProfile, then a Heartbeat.",
    expects="The CSMS SHALL send ClearChargingProfile, take Unknown for an answer, and go on.",
    clause=use_case("K10"),
    defect="closes-after-clear-unknown",
    checks=(fulfilled("ClearChargingProfile"), still_serves()),
)
def clear_nothing(probe: Probe) -> None:
    probe.station.reply("ClearChargingProfile", {"status": "Unknown"})
    criteria = {"evseId": EVSE_2, "chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 7}
    probe.command("ClearChargingProfile", {"chargingProfileCriteria": criteria})
    heartbeat(probe.station)
