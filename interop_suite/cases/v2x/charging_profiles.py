"""Charging profiles that the operator sets: for an EVSE, the station or a transaction, and the sum of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from drivers.base import token_need, trigger_need
from evidence.verdicts import Verdict
from interop_suite.catalogue import case
from interop_suite.claims.charging_profiles import sound_profiles
from interop_suite.claims.checks import still_serves
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import field
from interop_suite.claims.fulfilment import fulfilled
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging, meter_value
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.smart_charging import (
    EVSE_1,
    EVSE_2,
    K_BLOCK,
    NO_TRANSACTION,
    profile,
    schedule,
    set_profile,
    two_sessions,
    use_case,
)
from interop_suite.steps.transaction_events import answers_all
from interop_suite.steps.v2x import VERSIONS

Payload = dict[str, Any]
V21 = ("2.1",)
SMART_CHARGING = "Smart Charging"
ACCEPTED: Payload = {"status": "Accepted"}
NO_SUCH_TRANSACTION: Payload = {"status": "Rejected", "statusInfo": {"reasonCode": "TxNotFound"}}

# A CSMS may send no profile whose time has not come yet: it can send that one later.
VALID: Payload = {"validFrom": "2024-03-01T22:15:00Z", "validTo": "2031-09-30T21:45:00Z"}


def _phases(number: int, written: Payload) -> Payload:
    """Say for how many phases each period of a schedule is."""
    periods = [{**period, "numberPhases": number} for period in written["chargingSchedulePeriod"]]
    return {**written, "chargingSchedulePeriod": periods}


OF_EVSE = profile(
    11,
    "TxDefaultProfile",
    "Absolute",
    2,
    _phases(1, schedule(101, (0, 8.3), (900, 12.4), (2700, 6.2), duration=9300)),
    **VALID,
)
OF_EVSE_1 = profile(
    12, "TxDefaultProfile", "Absolute", 4, _phases(2, schedule(102, (0, 9843.5), (1200, 6721.5), unit="W"))
)
OF_STATION = profile(
    13,
    "ChargingStationMaxProfile",
    "Absolute",
    1,
    schedule(103, (0, 40.5), (3600, 25.3), unit="A", duration=12_600),
    **VALID,
)
OF_EVERY_EVSE = profile(
    14, "TxDefaultProfile", "Absolute", 3, schedule(104, (0, 11.5), (1800, 7.9), duration=10_500), **VALID
)
OF_TRANSACTION = profile(
    15, "TxProfile", "Relative", 5, _phases(1, schedule(105, (0, 10.3), (600, 15.8), duration=7200))
)
REPLACING = profile(11, "TxDefaultProfile", "Absolute", 2, schedule(106, (0, 16.5), (300, 13.5)))
DAILY = profile(
    16,
    "TxDefaultProfile",
    "Recurring",
    2,
    schedule(107, (0, 9.3), (21_600, 20.8), (64_800, 6.7), duration=86_400),
    recurrencyKind="Daily",
)
WEEKLY = profile(
    17,
    "TxDefaultProfile",
    "Recurring",
    3,
    schedule(108, (0, 17.3), (432_000, 28.8), duration=604_800),
    recurrencyKind="Weekly",
)


class ProfileOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Charging profiles that the operator sets one after the other, and what the station answers."""

    id: str
    title: str
    versions: tuple[str, ...] = VERSIONS
    profile: str = SMART_CHARGING
    sets: tuple[tuple[int, Payload], ...]
    """EVSE and profile; a TxProfile is for the session at EVSE 2, where there is one."""
    sessions: bool = False
    """Whether a session runs at each EVSE."""
    reply: Payload | None = None
    """None leaves the answer to a good station, which accepts."""
    error: str | None = None
    """The code of a CALLERROR that the station answers instead."""
    then: Callable[[Charging], object] | None = None
    """What the session at EVSE 2 tells afterwards."""
    clause: Clause
    defect: str
    also: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()


_SAME_ID = "Both profiles have the same id, so that the second one replaces the first"


def _judge_same_id(history: History) -> list[Finding]:
    calls = history.commands("SetChargingProfile")
    if len(calls) < 2:  # noqa: PLR2004  # a replaced profile and the one in its place
        return []
    ids = [field(call.payload, "chargingProfile.id") for call in calls]
    verdict = Verdict.OK if all(number == ids[0] for number in ids) else Verdict.FAILED
    return [Finding(verdict=verdict, claim=_SAME_ID, actual=f"the ids are {ids}", frame=calls[-1].call.line)]


_OWN_IDS = "Profiles that do not replace one another have different ids"


_PLACE = ("evseId", "chargingProfile.chargingProfilePurpose", "chargingProfile.stackLevel")


def _judge_own_ids(history: History) -> list[Finding]:
    calls = history.commands("SetChargingProfile")
    if len(calls) < 2:  # noqa: PLR2004  # ids can only be told apart where there are two
        return []
    places: dict[str, set[str]] = {}
    for call in calls:
        place = [field(call.payload, path) for path in _PLACE]
        places.setdefault(repr(field(call.payload, "chargingProfile.id")), set()).add(repr(place))
    shared = {number: sorted(held) for number, held in places.items() if len(held) > 1}
    verdict = Verdict.FAILED if shared else Verdict.OK
    actual = f"one id stands for several profiles: {shared}" if shared else f"the ids are {list(places)}"
    return [Finding(verdict=verdict, claim=_OWN_IDS, actual=actual, frame=calls[-1].call.line)]


OWN_IDS = Check(claim=_OWN_IDS, judge=_judge_own_ids)


def _mode_changed(charging: Charging) -> None:
    for value, mode in ((2250, "Idle"), (2300, "ChargingOnly")):
        charging.event(
            "Updated",
            "OperationModeChanged",
            charging_state="Charging",
            meter_value=[meter_value(value, "Other")],
            operation_mode=mode,
        )


OPERATION_MODES = profile(
    31,
    "TxProfile",
    "Relative",
    4,
    {
        **schedule(131, unit="W"),
        "chargingSchedulePeriod": [
            {"startPeriod": 0, "limit": 7360.5, "operationMode": "ChargingOnly"},
            {"startPeriod": 900, "limit": 0, "operationMode": "Idle"},
            {"startPeriod": 1800, "limit": 5520.3, "operationMode": "ChargingOnly"},
        ],
    },
)

ORDERS = (
    ProfileOrder(
        id="TC_K_01_CSMS",
        title="Set default charging profiles of two EVSEs, each with several periods",
        sets=((EVSE_2, OF_EVSE), (EVSE_1, OF_EVSE_1)),
        clause=use_case("K01"),
        defect="profile-on-first-evse",
    ),
    ProfileOrder(
        id="TC_K_02_CSMS",
        title="Set a TxProfile while no transaction runs; the station rejects it",
        sets=((EVSE_2, {**OF_TRANSACTION, "transactionId": NO_TRANSACTION}),),
        reply=NO_SUCH_TRANSACTION,
        clause=use_case("K01"),
        defect="closes-after-profile-rejected",
    ),
    ProfileOrder(
        id="TC_K_03_CSMS",
        title="Set the maximum of the whole station",
        sets=((0, OF_STATION),),
        clause=use_case("K01"),
        defect="station-profile-on-evse-1",
    ),
    ProfileOrder(
        id="TC_K_04_CSMS",
        title="Replace a charging profile by one with the same id",
        sets=((EVSE_2, OF_EVSE), (EVSE_2, REPLACING)),
        clause=use_case("K01"),
        defect="profile-id-always-new",
        checks=(Check(claim=_SAME_ID, judge=_judge_same_id),),
    ),
    ProfileOrder(
        id="TC_K_10_CSMS",
        title="Set the default charging profile of every EVSE",
        sets=((0, OF_EVERY_EVSE),),
        clause=use_case("K01"),
        defect="profile-evse-zero-left-out",
    ),
    ProfileOrder(
        id="TC_K_15_CSMS",
        title="The station does not have smart charging",
        sets=((EVSE_2, OF_EVSE),),
        error="NotSupported",
        clause=Clause("201-4", "4.3"),
        defect="closes-after-profile-not-supported",
    ),
    ProfileOrder(
        id="TC_K_19_CSMS",
        title="Set charging profiles that recur each day and each week",
        sets=((EVSE_2, DAILY), (EVSE_1, WEEKLY)),
        clause=use_case("K01"),
        defect="profile-without-recurrency-kind",
    ),
    ProfileOrder(
        id="TC_K_60_CSMS",
        title="Set a TxProfile of one of two running transactions",
        sets=((EVSE_2, OF_TRANSACTION),),
        sessions=True,
        clause=use_case("K01"),
        defect="tx-profile-of-first-transaction",
    ),
    ProfileOrder(
        id="TC_K_70_CSMS",
        title="Set several charging profiles of different purposes and stack levels",
        sets=((0, OF_STATION), (EVSE_2, OF_EVSE), (EVSE_2, {**OF_EVSE_1, "id": 18, "stackLevel": 6}), (EVSE_1, DAILY)),
        clause=use_case("K01"),
        defect="profile-stack-level-zero",
    ),
    ProfileOrder(
        id="TC_K_100_CSMS",
        title="Set a charging profile that ends some time after the station went offline",
        versions=V21,
        sets=((EVSE_2, {**OF_EVSE, "id": 32, "maxOfflineDuration": 1260, "invalidAfterOfflineDuration": True}),),
        clause=use_case("K01"),
        defect="profile-without-max-offline-duration",
    ),
    ProfileOrder(
        id="TC_K_101_CSMS",
        title="Set a charging profile in which the operation mode changes",
        versions=V21,
        sets=((EVSE_2, OPERATION_MODES),),
        sessions=True,
        then=_mode_changed,
        clause=use_case("K01"),
        defect="profile-without-operation-mode",
        also=("updated-by-operation-mode-changed-refused", "profile-without-pause"),
    ),
    ProfileOrder(
        id="TC_K_102_CSMS",
        title="Set a charging profile whose limit depends on the state of charge",
        versions=V21,
        sets=(
            (
                EVSE_2,
                profile(
                    33,
                    "TxProfile",
                    "Relative",
                    3,
                    schedule(133, (0, 21.3), (1500, 18.6), limitAtSoC={"soc": 85, "limit": 7.2}),
                ),
            ),
        ),
        sessions=True,
        clause=use_case("K01"),
        defect="profile-without-limit-at-soc",
    ),
    ProfileOrder(
        id="TC_K_104_CSMS",
        title="Set the charging profile for priority charging beside a default one",
        versions=V21,
        sets=(
            (EVSE_2, OF_EVSE),
            (EVSE_2, profile(34, "PriorityCharging", "Relative", 2, schedule(134, (0, 30.6), (2400, 22.8)))),
        ),
        clause=use_case("K21"),
        defect="priority-profile-as-default",
    ),
    ProfileOrder(
        id="TC_K_106_CSMS",
        title="Set a charging profile whose changes are delayed at random",
        versions=V21,
        sets=(
            (
                EVSE_2,
                profile(
                    35, "TxDefaultProfile", "Absolute", 2, schedule(135, (0, 12.8), (600, 6.4), randomizedDelay=240)
                ),
            ),
        ),
        clause=use_case("K01"),
        defect="profile-without-randomized-delay",
    ),
)


def _add(entry: ProfileOrder) -> None:
    tokens = (token_need("Accepted"),) if entry.sessions else ()
    several = len({wanted["id"] for _, wanted in entry.sets}) > 1

    @case(
        id=entry.id,
        ocpp=entry.versions,
        title=entry.title,
        block=K_BLOCK,
        profile=entry.profile,
        initiator="csms",
        needs=(trigger_need("SetChargingProfile"), *tokens),
        sends="The answers of a station to SetChargingProfile, then a Heartbeat.",
        expects="The CSMS SHALL send each profile as its operator named it, take the answer and go on.",
        clause=entry.clause,
        defect=entry.defect,
        also=(*entry.also, "profile-id-always-one") if several else entry.also,
        checks=(
            fulfilled("SetChargingProfile"),
            sound_profiles(),
            *((OWN_IDS,) if several else ()),
            *((answers_all,) if entry.sessions else ()),
            *entry.checks,
            still_serves(),
        ),
    )
    def script(probe: Probe) -> None:
        station = probe.station
        newer = two_sessions(probe)[1] if entry.sessions else None
        error = None if entry.error is None else (entry.error, "no smart charging here")
        station.reply("SetChargingProfile", entry.reply, error=error)
        for evse, wanted in entry.sets:
            of_session = newer is not None and wanted["chargingProfilePurpose"] == "TxProfile"
            transaction = str(newer.id) if newer is not None and of_session else None
            probe.command("SetChargingProfile", set_profile(evse, wanted, transaction))
        if entry.then is not None and newer is not None:
            entry.then(newer)
        heartbeat(station)


for _entry in ORDERS:
    _add(_entry)
