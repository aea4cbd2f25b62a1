"""Cars that tell what they need (ISO 15118): the CSMS makes schedules for them, and negotiates them again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from drivers.base import token_need, trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.charging_needs import (
    needs_taken,
    no_schedule_given,
    renegotiated,
    schedule_given,
    transfer_refused,
)
from interop_suite.claims.charging_profiles import sound_profiles
from interop_suite.claims.checks import answered
from interop_suite.claims.claim import Check
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import one_of
from interop_suite.claims.fulfilment import fulfilled
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging, authorize
from interop_suite.steps.charging_needs import ac_needs, ask, bpt_needs, choose, dc_needs, dynamic_needs
from interop_suite.steps.smart_charging import (
    EVSE_2,
    K_BLOCK,
    profile,
    schedule,
    set_profile,
    two_sessions,
    use_case,
)
from interop_suite.steps.transaction_events import CHARGING, answers_all, event
from interop_suite.steps.v2x import ACCEPTED, VERSIONS

Payload = dict[str, Any]
V21 = ("2.1",)
ISO_15118, V2X_PROFILE, K_21 = "ISO 15118", "V2X", "Smart Charging (2.1)"
Q_BLOCK = "Bidirectional Power Transfer"

schedule_accepted = answered(
    "NotifyEVChargingSchedule", {"status": one_of("Accepted")}, claim="The schedule of the car is accepted"
)
schedule_answered = answered("NotifyEVChargingSchedule", claim="The schedule of the car is answered")
# The description of the status says that Accepted approves of nothing; the requirements want Rejected (K15.FR.12).
over_rejected = answered(
    "NotifyEVChargingSchedule",
    {"status": one_of("Rejected")},
    claim="A schedule of the car that goes over the limits is rejected",
    nth=0,
    tolerate={"status": ("Accepted",)},
)
second_accepted = answered(
    "NotifyEVChargingSchedule",
    {"status": one_of("Accepted")},
    claim="The schedule that keeps within the new limits is accepted",
    nth=1,
)
ordered = fulfilled("SetChargingProfile")
ORDERED = profile(51, "TxProfile", "Relative", 2, schedule(501, (0, 17.6), (1500, 9.4), duration=5400))
ORDERED_TOO = profile(52, "TxProfile", "Relative", 2, schedule(502, (0, 19.8), (600, 11.3), duration=6300))

RATE_CHANGED = event("Updated", "ChargingRateChanged", charging_state="Charging")
PAST = "needs-answered-with-past-schedule"
OWN_PROFILE = ("charging-needs-without-profile", "needs-answered-with-default-profile", PAST)
"""What breaks a profile that the CSMS makes by itself."""
AGAIN = "second-charging-needs-without-profile"
EQUAL = "ev-schedule-must-equal"


class Negotiation(msgspec.Struct, frozen=True, kw_only=True):
    """What a car at EVSE 2 and its operator do while another one charges at EVSE 1."""

    id: str
    title: str
    versions: tuple[str, ...] = VERSIONS
    block: str = K_BLOCK
    profile: str = ISO_15118
    sends: str
    expects: str = "The CSMS SHALL send a TxProfile for this car's transaction and EVSE, and answer what comes."
    run: Callable[[Probe, Charging], None]
    orders: tuple[str, ...] = ()
    """Actions that the operator must have the CSMS send."""
    clause: Clause
    defect: str
    also: tuple[str, ...] = ()
    checks: tuple[Check, ...]


def _levelled(probe: Probe, charging: Charging) -> None:
    choose(probe, ask(probe, ac_needs(21_500, 28)))
    CHARGING.send(charging)


def _at_dc(probe: Probe, charging: Charging) -> None:
    choose(probe, ask(probe, dc_needs(31_700, 48_500)))
    CHARGING.send(charging)


def _over_the_limits(probe: Probe, charging: Charging) -> None:
    station = probe.station
    given = ask(probe, ac_needs(18_200, 26))
    before = len(station.received("SetChargingProfile"))
    choose(probe, given, over=True)
    CHARGING.send(charging)
    if given is not None:
        choose(probe, station.expect("SetChargingProfile", after=before, timeout=probe.command_patience))
        RATE_CHANGED.send(charging)


def _asked_again(probe: Probe, _charging: Charging) -> None:
    choose(probe, ask(probe, ac_needs(16_400, 25)))
    choose(probe, ask(probe, ac_needs(9_300, 17)))


def _order(probe: Probe, charging: Charging, wanted: Payload) -> Payload | None:
    probe.command("SetChargingProfile", set_profile(EVSE_2, wanted, str(charging.id)))
    return probe.station.expect("SetChargingProfile")


def _by_csms(probe: Probe, charging: Charging) -> None:
    ask(probe, ac_needs(14_100, 24))
    choose(probe, _order(probe, charging, ORDERED))


def _by_csms_then_needs(probe: Probe, charging: Charging) -> None:
    if _order(probe, charging, ORDERED_TOO) is not None:
        choose(probe, ask(probe, ac_needs(12_700, 21)))


def _by_csms_20(probe: Probe, charging: Charging) -> None:
    ask(probe, ac_needs(15_900, 23, controlMode="ScheduledControl"))
    choose(probe, _order(probe, charging, ORDERED), selects=True)
    CHARGING.send(charging)


def _by_car_20(probe: Probe, charging: Charging) -> None:
    ask(probe, bpt_needs(18_800, 11_000, 7_400, controlMode="ScheduledControl"))
    ask(probe, bpt_needs(10_600, 11_000, 3_700, controlMode="ScheduledControl"))
    CHARGING.send(charging)


def _dynamic(probe: Probe, _charging: Charging) -> None:
    choose(probe, ask(probe, dynamic_needs(17_300)))


def _dynamic_adjusted(probe: Probe, _charging: Charging) -> None:
    choose(probe, ask(probe, dynamic_needs(19_100)))
    choose(probe, ask(probe, dynamic_needs(8_700)))


def _left_to_the_station(probe: Probe, _charging: Charging) -> None:
    needs = {"requestedEnergyTransfer": "AC_three_phase", "controlMode": "DynamicControl"}
    ask(probe, needs)


def _allowed_later(probe: Probe, charging: Charging) -> None:
    ask(probe, ac_needs(13_600, 22))
    allowed = {"transactionId": str(charging.id), "allowedEnergyTransfer": ["AC_three_phase", "AC_BPT"]}
    probe.command("NotifyAllowedEnergyTransfer", allowed)
    ask(probe, bpt_needs(11_900, 10_400, 6_900))


OWN_CHECKS = (needs_taken(), schedule_given(), sound_profiles())
NEGOTIATIONS = (
    Negotiation(
        id="TC_K_53_CSMS",
        title="The CSMS makes a schedule for what a car needs, and the car keeps within it",
        sends="NotifyEVChargingNeeds, Accepted to SetChargingProfile, NotifyEVChargingSchedule, and Charging.",
        run=_levelled,
        clause=use_case("K15"),
        defect="charging-needs-without-profile",
        also=("needs-answered-with-default-profile", PAST, EQUAL, "tx-profile-of-no-session"),
        checks=(*OWN_CHECKS, schedule_accepted),
    ),
    Negotiation(
        id="OPT_13",
        title="A car at DC that does not say when it leaves gets a schedule",
        sends="NotifyEVChargingNeeds of a car at DC, Accepted to SetChargingProfile, NotifyEVChargingSchedule.",
        run=_at_dc,
        clause=use_case("K15"),
        defect="dc-needs-refused",
        also=(*OWN_PROFILE, EQUAL, "tx-profile-of-no-session"),
        checks=(*OWN_CHECKS, schedule_accepted),
    ),
    Negotiation(
        id="TC_K_55_CSMS",
        title="A schedule of a car that goes over the limits is negotiated again",
        sends=(
            "NotifyEVChargingNeeds, Accepted to SetChargingProfile, NotifyEVChargingSchedule over its limits, and "
            "another one within those that follow."
        ),
        run=_over_the_limits,
        clause=use_case("K15"),
        defect="ev-schedule-never-checked",
        also=(*OWN_PROFILE, EQUAL, "tx-profile-of-no-session", "ev-schedule-never-accepted-again"),
        checks=(*OWN_CHECKS, schedule_answered, over_rejected, renegotiated(), second_accepted),
    ),
    Negotiation(
        id="TC_K_57_CSMS",
        title="A car whose needs change gets a new schedule",
        sends="NotifyEVChargingNeeds twice with other needs, each with the schedule that the car then chooses.",
        run=_asked_again,
        clause=use_case("K17"),
        defect=AGAIN,
        also=(*OWN_PROFILE, EQUAL, "tx-profile-of-no-session"),
        checks=(*OWN_CHECKS, schedule_accepted),
    ),
    Negotiation(
        id="TC_K_58_CSMS",
        title="The operator sets a new schedule for a car that charges by one",
        sends="NotifyEVChargingNeeds, Accepted to the SetChargingProfile of the operator, NotifyEVChargingSchedule.",
        run=_by_csms,
        orders=("SetChargingProfile",),
        clause=use_case("K16"),
        defect=EQUAL,
        checks=(needs_taken(), ordered, sound_profiles(), schedule_accepted),
    ),
    Negotiation(
        id="TC_K_59_CSMS",
        title="A car answers a new schedule of the operator with new needs",
        sends="Accepted to the SetChargingProfile of the operator, NotifyEVChargingNeeds, NotifyEVChargingSchedule.",
        run=_by_csms_then_needs,
        orders=("SetChargingProfile",),
        clause=use_case("K16"),
        defect="charging-needs-after-order-without-profile",
        also=(*OWN_PROFILE, EQUAL),
        checks=(ordered, *OWN_CHECKS, schedule_accepted),
    ),
    Negotiation(
        id="TC_K_113_CSMS",
        title="The operator sets a new schedule for a car of ISO 15118-20, which says what it has chosen",
        versions=V21,
        profile=K_21,
        sends="NotifyEVChargingNeeds, Accepted to SetChargingProfile, the schedule chosen, and Charging.",
        run=_by_csms_20,
        orders=("SetChargingProfile",),
        clause=use_case("K18"),
        defect="selected-schedule-refused",
        also=(EQUAL,),
        checks=(needs_taken(), ordered, sound_profiles(), schedule_accepted),
    ),
    Negotiation(
        id="TC_K_114_CSMS",
        title="A car of ISO 15118-20 that can discharge gets a new schedule when its needs change",
        versions=V21,
        profile=K_21,
        sends="NotifyEVChargingNeeds twice with other needs for both directions, and Charging.",
        run=_by_car_20,
        clause=use_case("K18"),
        defect="v2x-needs-refused",
        also=(*OWN_PROFILE, AGAIN, "tx-profile-of-no-session"),
        checks=OWN_CHECKS,
    ),
    Negotiation(
        id="TC_K_115_CSMS",
        title="A car in dynamic control gets a schedule",
        versions=V21,
        profile=K_21,
        sends="NotifyEVChargingNeeds of a car in dynamic control, and NotifyEVChargingSchedule.",
        run=_dynamic,
        clause=use_case("K19"),
        defect="dynamic-needs-without-profile",
        also=(*OWN_PROFILE, EQUAL, "v2x-needs-refused", "tx-profile-of-no-session"),
        checks=(*OWN_CHECKS, schedule_accepted),
    ),
    Negotiation(
        id="TC_K_117_CSMS",
        title="The schedule of a car in dynamic control is adjusted when its needs change",
        versions=V21,
        profile=K_21,
        sends="NotifyEVChargingNeeds twice of a car in dynamic control, and the schedules that it chooses.",
        run=_dynamic_adjusted,
        clause=use_case("K20"),
        defect=AGAIN,
        also=(*OWN_PROFILE, EQUAL, "v2x-needs-refused", "dynamic-needs-without-profile", "tx-profile-of-no-session"),
        checks=(*OWN_CHECKS, schedule_accepted),
    ),
    Negotiation(
        id="TC_K_126_CSMS",
        title="A CSMS that leaves the schedule to the station sends none",
        versions=V21,
        profile=K_21,
        sends="NotifyEVChargingNeeds of a car in dynamic control that names no energy.",
        expects="The CSMS SHALL send no TxProfile for this car where it answers NoChargingProfile.",
        run=_left_to_the_station,
        clause=use_case("K19"),
        defect="profile-after-none-announced",
        checks=(answered("NotifyEVChargingNeeds"), no_schedule_given()),
    ),
    Negotiation(
        id="TC_Q_107_CSMS",
        title="A car charges first; then the operator allows it to discharge",
        versions=V21,
        block=Q_BLOCK,
        profile=V2X_PROFILE,
        sends="NotifyEVChargingNeeds for charging, Accepted to NotifyAllowedEnergyTransfer, needs for both directions.",
        run=_allowed_later,
        orders=("NotifyAllowedEnergyTransfer",),
        clause=use_case("Q02"),
        defect="transfer-allowed-for-first-transaction",
        also=(*OWN_PROFILE, AGAIN, "v2x-needs-refused", "tx-profile-of-no-session"),
        checks=(*OWN_CHECKS, fulfilled("NotifyAllowedEnergyTransfer")),
    ),
)


def _add(entry: Negotiation) -> None:
    @case(
        id=entry.id,
        ocpp=entry.versions,
        title=entry.title,
        block=entry.block,
        profile=entry.profile,
        initiator="csms",
        needs=(token_need("Accepted"), *map(trigger_need, entry.orders)),
        sends=entry.sends,
        expects=entry.expects,
        clause=entry.clause,
        defect=entry.defect,
        also=entry.also,
        checks=(*entry.checks, answers_all),
    )
    def script(probe: Probe) -> None:
        entry.run(probe, two_sessions(probe)[1])


for _entry in NEGOTIATIONS:
    _add(_entry)


_TRANSFERS = ("DC_ACDP_BPT", "AC_BPT_DER", "DC_BPT", "AC_BPT", "WPT")


@case(
    id="TC_Q_103_CSMS",
    ocpp=V21,
    title="A car may not use an energy transfer that its token was not allowed",
    block=Q_BLOCK,
    profile=V2X_PROFILE,
    needs=(token_need("Accepted"),),
    sends="Authorize, the start of a session, and NotifyEVChargingNeeds for a transfer that was not allowed.",
    expects="The CSMS SHALL decline the needs.",
    clause=use_case("Q01"),
    defect="disallowed-transfer-accepted",
    checks=(answered("Authorize", ACCEPTED), transfer_refused(), answers_all),
)
def not_allowed(probe: Probe) -> None:
    station, token = probe.station, probe.token()
    allowed = authorize(station, token).get("allowedEnergyTransfer")
    others = [mode for mode in _TRANSFERS if mode not in (allowed or _TRANSFERS)]
    if not others:
        return
    Charging(station, token, connector=EVSE_2).begin(meter=2700)
    ask(probe, bpt_needs(14_800, 9_900, 5_500, mode=others[0]))
