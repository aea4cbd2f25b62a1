"""Charging profiles beyond setting them: one for a session that is started from afar, and the sum of all (K05, K08)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from drivers.base import token_need, trigger_need
from fixtures.csms.defects.v2x_events import event_defect_id
from interop_suite.catalogue import case
from interop_suite.claims.charging_profiles import sound_profiles
from interop_suite.claims.checks import asked, still_serves
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import one_of, present
from interop_suite.claims.fulfilment import fulfilled
from interop_suite.drive.probe import Probe, now
from interop_suite.steps.charging import Charging
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.smart_charging import EVSE_2, K_BLOCK, profile, schedule, use_case
from interop_suite.steps.transaction_events import answers_all
from interop_suite.steps.v2x import VERSIONS

Payload = dict[str, Any]
SMART_CHARGING = "Smart Charging"
ACCEPTED: Payload = {"status": "Accepted"}

# -- a session that is started with a profile ------------------------------------------------------------------------

WITH_START = profile(41, "TxProfile", "Relative", 3, schedule(141, (0, 13.9), (1200, 8.8), duration=5400))


@case(
    id="TC_K_37_CSMS",
    ocpp=VERSIONS,
    title="Remote start with a charging profile for the transaction",
    block=K_BLOCK,
    profile=SMART_CHARGING,
    initiator="csms",
    needs=(token_need("Accepted"), trigger_need("RequestStartTransaction")),
    sends="Accepted to RequestStartTransaction, then the start of the session with the remoteStartId.",
    expects="The CSMS SHALL send RequestStartTransaction with a TxProfile that names no transaction yet.",
    clause=use_case("K05"),
    defect="remote-start-without-profile",
    also=(event_defect_id("Started", "RemoteStart"),),
    checks=(
        fulfilled("RequestStartTransaction"),
        asked(
            "RequestStartTransaction",
            {"chargingProfile.chargingProfilePurpose": one_of("TxProfile"), "remoteStartId": present()},
        ),
        sound_profiles(),
        answers_all,
    ),
)
def remote_start(probe: Probe) -> None:
    station, token = probe.station, probe.token()
    station.reply("RequestStartTransaction", ACCEPTED)
    order = {
        "evseId": EVSE_2,
        "remoteStartId": 4711,
        "idToken": {"idToken": token, "type": "ISO14443"},
        "chargingProfile": WITH_START,
    }
    probe.command("RequestStartTransaction", order)
    request = station.expect("RequestStartTransaction")
    if request is None:
        return
    charging = Charging(station, token, connector=EVSE_2)
    charging.event(
        "Started",
        "RemoteStart",
        token=charging.identified(),
        charging_state="EVConnected",
        remote_start_id=int(request.get("remoteStartId", 0)),
    )


# -- the sum of all profiles -----------------------------------------------------------------------------------------


class Composite(msgspec.Struct, frozen=True, kw_only=True):
    """A composite schedule that the operator asks for."""

    id: str
    title: str
    order: Payload
    clause: Clause
    defect: str


COMPOSITES = (
    Composite(
        id="TC_K_43_CSMS",
        title="Read the composite schedule of one EVSE",
        order={"evseId": EVSE_2, "duration": 5460, "chargingRateUnit": "A"},
        clause=use_case("K08"),
        defect="composite-schedule-of-evse-1",
    ),
    Composite(
        id="TC_K_44_CSMS",
        title="Read the composite schedule of the whole station",
        order={"evseId": 0, "duration": 9120, "chargingRateUnit": "W"},
        clause=use_case("K08"),
        defect="composite-schedule-in-minutes",
    ),
)


def _composite(order: Mapping[str, Any]) -> Payload:
    return {
        "status": "Accepted",
        "schedule": {
            "evseId": order["evseId"],
            "duration": order["duration"],
            "scheduleStart": now(),
            "chargingRateUnit": order["chargingRateUnit"],
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 15.3}, {"startPeriod": 1800, "limit": 9.5}],
        },
    }


def _add_composite(entry: Composite) -> None:
    @case(
        id=entry.id,
        ocpp=VERSIONS,
        title=entry.title,
        block=K_BLOCK,
        profile=SMART_CHARGING,
        initiator="csms",
        needs=(trigger_need("GetCompositeSchedule"),),
        sends="Accepted to GetCompositeSchedule with a schedule of two periods, then a Heartbeat.",
        expects="The CSMS SHALL send GetCompositeSchedule for what its operator named, and take the schedule.",
        clause=entry.clause,
        defect=entry.defect,
        checks=(fulfilled("GetCompositeSchedule"), still_serves()),
    )
    def script(probe: Probe) -> None:
        probe.station.reply("GetCompositeSchedule", _composite(entry.order))
        probe.command("GetCompositeSchedule", entry.order)
        heartbeat(probe.station)


for _composite_entry in COMPOSITES:
    _add_composite(_composite_entry)
