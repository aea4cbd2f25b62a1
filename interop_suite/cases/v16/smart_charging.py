"""Smart Charging: profiles for the default, for a session, with a remote start, and what the station makes of them."""

from __future__ import annotations

from typing import Any

from drivers.base import token_need, trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked, noted
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import one_of, present
from interop_suite.drive.probe import Probe, now
from interop_suite.steps import v16 as steps
from interop_suite.steps.v16 import ACCEPTED, CONNECTOR, STARTED, every_status_is_answered, transaction_id

BLOCK = "Smart Charging"
# One decimal (OCPP 1.6 §7.14), and a multiple of 0.1 also to a checker that reckons in binary, unlike 8.1.
LIMIT = 8.5
DURATION = 300
"""Seconds of the composite schedule."""
PERIOD = "csChargingProfiles.chargingSchedule.chargingSchedulePeriod.0"


def _profile(purpose: str, *, profile_id: int = 1, **fields: Any) -> dict[str, Any]:
    periods = [{"startPeriod": 0, "limit": LIMIT}]
    return {
        "chargingProfileId": profile_id,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute" if purpose == "TxDefaultProfile" else "Relative",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": periods} | fields.pop("schedule", {}),
    } | fields


@case(
    id="TC_056_CSMS",
    ocpp="1.6",
    title="A default transaction profile is pushed",
    block=BLOCK,
    initiator="csms",
    needs=(trigger_need("SetChargingProfile"),),
    sends="The answer Accepted to SetChargingProfile.",
    expects="The CSMS SHALL send a TxDefaultProfile with the schedule as its operator gave it, decimals included.",
    clause=Clause("1.6", "5.16"),
    defect="charging-limit-rounded",
    checks=(
        asked(
            "SetChargingProfile",
            {
                "connectorId": one_of(CONNECTOR),
                "csChargingProfiles.chargingProfilePurpose": one_of("TxDefaultProfile"),
                f"{PERIOD}.limit": one_of(LIMIT),
            },
        ),
    ),
)
def default_profile(probe: Probe) -> None:
    probe.station.reply("SetChargingProfile", {"status": "Accepted"})
    profile = _profile("TxDefaultProfile", schedule={"startSchedule": now()})
    probe.command("SetChargingProfile", {"connectorId": CONNECTOR, "csChargingProfiles": profile})


@case(
    id="TC_057_CSMS",
    ocpp="1.6",
    title="A profile is pushed to the running session",
    block=BLOCK,
    initiator="csms",
    needs=(token_need("Accepted"), trigger_need("SetChargingProfile")),
    sends="A session, then the answer Accepted to SetChargingProfile.",
    expects="The CSMS SHALL send a TxProfile with the transactionId of the session.",
    clause=Clause("1.6", "5.16"),
    defect="tx-profile-without-transaction",
    also=("charging-limit-rounded", "start-without-authorize-refused"),
    checks=(
        answered("StartTransaction", STARTED),
        asked(
            "SetChargingProfile",
            {
                "csChargingProfiles.chargingProfilePurpose": one_of("TxProfile"),
                "csChargingProfiles.transactionId": present(),
                f"{PERIOD}.limit": one_of(LIMIT),
            },
        ),
        noted("transaction_as_given", "The profile carries the transactionId of this session"),
    ),
)
def session_profile(probe: Probe) -> None:
    station, token = probe.station, probe.token()
    station.reply("SetChargingProfile", {"status": "Accepted"})
    transaction = transaction_id(steps.start_transaction(station, token))
    profile = _profile("TxProfile", transactionId=transaction)
    probe.command("SetChargingProfile", {"connectorId": CONNECTOR, "csChargingProfiles": profile})
    request = station.expect("SetChargingProfile")
    if request is not None:
        given = (request.get("csChargingProfiles") or {}).get("transactionId")
        station.note(transaction_as_given=[given == transaction, given])


@case(
    id="TC_059_CSMS",
    ocpp="1.6",
    title="A remote start that carries a charging profile",
    block=BLOCK,
    initiator="csms",
    needs=(token_need("Accepted"), trigger_need("RemoteStartTransaction")),
    sends="Accepted to RemoteStartTransaction, Authorize, StatusNotification Preparing, StartTransaction, Charging.",
    expects="The CSMS SHALL send a TxProfile without a transactionId inside RemoteStartTransaction.",
    clause=Clause("1.6", "5.16.2"),
    defect="remote-start-drops-profile",
    also=("remote-started-session-refused",),
    checks=(
        asked(
            "RemoteStartTransaction",
            {
                "idTag": present(),
                "chargingProfile.chargingProfilePurpose": one_of("TxProfile"),
                "chargingProfile.transactionId": one_of(None),
                "chargingProfile.chargingSchedule.chargingSchedulePeriod.0.limit": one_of(LIMIT),
            },
        ),
        answered("Authorize", ACCEPTED),
        answered("StartTransaction", STARTED),
        every_status_is_answered,
    ),
)
def remote_start_with_profile(probe: Probe) -> None:
    station, token = probe.station, probe.token()
    station.reply("RemoteStartTransaction", {"status": "Accepted"})
    request = {"idTag": token, "connectorId": CONNECTOR, "chargingProfile": _profile("TxProfile")}
    probe.command("RemoteStartTransaction", request)
    station.expect("RemoteStartTransaction")
    steps.authorize(station, token)
    steps.status(station, "Preparing")
    steps.start_transaction(station, token)
    steps.status(station, "Charging")


@case(
    id="TC_066_CSMS",
    ocpp="1.6",
    title="The composite schedule is requested",
    block=BLOCK,
    initiator="csms",
    needs=(trigger_need("GetCompositeSchedule"),),
    sends="A schedule as the answer to GetCompositeSchedule.",
    expects="The CSMS SHALL send GetCompositeSchedule with the connector and the duration.",
    clause=Clause("1.6", "5.7"),
    defect="composite-schedule-without-duration",
    checks=(asked("GetCompositeSchedule", {"connectorId": one_of(CONNECTOR), "duration": one_of(DURATION)}),),
)
def composite_schedule(probe: Probe) -> None:
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": LIMIT}]}
    answer = {"status": "Accepted", "connectorId": CONNECTOR, "scheduleStart": now(), "chargingSchedule": schedule}
    probe.station.reply("GetCompositeSchedule", answer)
    probe.command("GetCompositeSchedule", {"connectorId": CONNECTOR, "duration": DURATION})


@case(
    id="TC_067_CSMS",
    ocpp="1.6",
    title="A charging profile is cleared",
    block=BLOCK,
    initiator="csms",
    needs=(trigger_need("SetChargingProfile"), trigger_need("ClearChargingProfile")),
    sends="Accepted to SetChargingProfile and to ClearChargingProfile.",
    expects="The CSMS SHALL send ClearChargingProfile with the id of the profile that its operator named.",
    clause=Clause("1.6", "5.5"),
    defect="clear-of-another-profile",
    also=("charging-limit-rounded",),
    checks=(asked("SetChargingProfile"), asked("ClearChargingProfile", {"id": one_of(21)})),
)
def clear_profile(probe: Probe) -> None:
    station = probe.station
    station.reply("SetChargingProfile", {"status": "Accepted"})
    station.reply("ClearChargingProfile", {"status": "Accepted"})
    profile = _profile("TxDefaultProfile", profile_id=21, schedule={"startSchedule": now()})
    probe.command("SetChargingProfile", {"connectorId": CONNECTOR, "csChargingProfiles": profile})
    probe.command("ClearChargingProfile", {"id": 21})
