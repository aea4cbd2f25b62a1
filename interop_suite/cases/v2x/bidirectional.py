"""Charging and discharging that the operator leads (2.1 Q): schedules, setpoints, signals, and priority (K21, K28)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from drivers.base import token_need, trigger_need
from evidence.verdicts import Verdict
from fixtures.payloads import v21
from interop_suite.catalogue import case
from interop_suite.claims.charging_profiles import sound_profiles
from interop_suite.claims.checks import answered, still_serves
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import one_of, present
from interop_suite.claims.fulfilment import fulfilled
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe, now
from interop_suite.steps.charging import Charging
from interop_suite.steps.charging_needs import ask, bpt_needs
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.smart_charging import (
    EVSE_2,
    K_BLOCK,
    profile,
    schedule,
    set_profile,
    two_sessions,
    use_case,
)
from interop_suite.steps.transaction_events import answers_all

Payload = dict[str, Any]
V21 = ("2.1",)
Q_BLOCK, V2X_PROFILE, K_21 = "Bidirectional Power Transfer", "V2X", "Smart Charging (2.1)"
PULL = "PullDynamicScheduleUpdate"
ordered = fulfilled("SetChargingProfile")
updated = fulfilled("UpdateDynamicSchedule")


def _periods(number: int, *periods: Payload) -> Payload:
    """Write a schedule in W of periods that hold more than limits."""
    return {**schedule(number, unit="W"), "chargingSchedulePeriod": list(periods)}


def _gives_update() -> Check:
    """Claim that an accepted pull is answered with values; a CSMS without any may reject it."""
    claim = "A station that asks for an update of its dynamic profile gets one"
    given = answered(PULL, {"status": one_of("Accepted"), "scheduleUpdate": present()}, claim=claim)

    def judge(history: History) -> list[Finding]:
        rejected = [call for call in history.calls(PULL) if call.result.get("status") == "Rejected"]
        if not rejected:
            return given.judge(history)
        actual = "this CSMS has no values for dynamic profiles: it answered Rejected"
        return [Finding(verdict=Verdict.NOT_APPLICABLE, claim=claim, actual=actual, frame=rejected[0].call.line)]

    return Check(claim=claim, judge=judge)


Then = Callable[[Probe, int, Charging], None]
"""Goes on with the profile that has this id at the station, and with its session."""


class Led(msgspec.Struct, frozen=True, kw_only=True):
    """A profile that leads the session at EVSE 2, and what the operator and the station do with it."""

    id: str
    title: str
    block: str = Q_BLOCK
    profile: str = V2X_PROFILE
    sends: str
    wanted: Payload
    needs: Payload | None = None
    """What the car tells first."""
    before: Callable[[Probe], None] = lambda _probe: None
    then: Then = lambda _probe, _number, _charging: None
    orders: tuple[str, ...] = ()
    clause: Clause
    defect: str
    also: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()


def _pushes(*updates: Payload, clears: bool = False) -> Then:
    def push(probe: Probe, number: int, _charging: Charging) -> None:
        for update in updates:
            probe.command("UpdateDynamicSchedule", {"chargingProfileId": number, "scheduleUpdate": update})
        if clears:
            probe.command("ClearChargingProfile", {"chargingProfileId": number})

    return push


def _pulls(probe: Probe, number: int, _charging: Charging) -> None:
    probe.station.call(PULL, v21.pull_dynamic_schedule_update(number))


def _signals(probe: Probe, _number: int, _charging: Charging) -> None:
    for signal in (-72, 41):
        probe.command("AFRRSignal", {"timestamp": now(), "signal": signal})


def _accept_all(request: Mapping[str, Any]) -> Payload:
    results = [
        {"component": part["component"], "variable": part["variable"], "attributeStatus": "Accepted"}
        for part in request["setVariableData"]
    ]
    return {"setVariableResult": results}


def _set_thresholds(probe: Probe) -> None:
    probe.station.reply("SetVariables", _accept_all)
    component = {"name": "V2XChargingCtrlr", "evse": {"id": EVSE_2}}
    data = [
        {
            "component": component,
            "variable": {"name": "LocalLoadBalancing", "instance": instance},
            "attributeValue": value,
        }
        for instance, value in (("UpperThreshold", "7300"), ("LowerThreshold", "-2600"))
    ]
    probe.command("SetVariables", {"setVariableData": data})


LED = (
    Led(
        id="TC_Q_108_CSMS",
        title="The operator sets a schedule of setpoints for both directions",
        sends="Accepted to SetChargingProfile, then a Heartbeat.",
        wanted=profile(
            61,
            "TxProfile",
            "Absolute",
            3,
            _periods(
                601,
                {"startPeriod": 0, "setpoint": 6210.5, "operationMode": "CentralSetpoint"},
                {"startPeriod": 1500, "setpoint": -4830.3, "operationMode": "CentralSetpoint"},
                {"startPeriod": 2700, "limit": 3450.8, "operationMode": "ChargingOnly"},
            ),
        ),
        clause=use_case("Q03"),
        defect="profile-without-setpoint",
    ),
    Led(
        id="TC_Q_109_CSMS",
        title="The operator pushes new setpoints into a dynamic profile, and clears it",
        sends="Accepted to SetChargingProfile, two UpdateDynamicSchedule and ClearChargingProfile.",
        wanted=profile(
            62,
            "TxProfile",
            "Dynamic",
            4,
            _periods(602, {"startPeriod": 0, "setpoint": 5290.3, "operationMode": "CentralSetpoint"}),
        ),
        then=_pushes({"setpoint": -3680.4}, {"setpoint": 2530.5}, clears=True),
        orders=("UpdateDynamicSchedule", "ClearChargingProfile"),
        clause=use_case("Q04"),
        defect="dynamic-update-as-limit",
        also=("dynamic-update-above-zero", "dynamic-update-repeats-first"),
        checks=(updated, fulfilled("ClearChargingProfile")),
    ),
    Led(
        id="TC_Q_110_CSMS",
        title="A station asks for the setpoint of its dynamic profile",
        sends="Accepted to SetChargingProfile, and PullDynamicScheduleUpdate with the id of its profile.",
        wanted=profile(
            63,
            "TxProfile",
            "Dynamic",
            2,
            _periods(603, {"startPeriod": 0, "setpoint": -2990.8, "operationMode": "CentralSetpoint"}),
            dynUpdateInterval=45,
        ),
        then=_pulls,
        clause=use_case("Q04"),
        defect="pull-without-update",
        checks=(_gives_update(),),
    ),
    Led(
        id="TC_Q_117_CSMS",
        title="The operator supports the frequency with setpoints that it pushes",
        sends="Accepted to SetChargingProfile and two UpdateDynamicSchedule.",
        wanted=profile(
            64,
            "TxProfile",
            "Dynamic",
            5,
            _periods(604, {"startPeriod": 0, "setpoint": 1840.9, "operationMode": "CentralFrequency"}),
        ),
        then=_pushes({"setpoint": 4140.1}, {"setpoint": -5750.6}),
        orders=("UpdateDynamicSchedule",),
        clause=use_case("Q07"),
        defect="dynamic-update-repeats-first",
        also=("dynamic-update-as-limit", "dynamic-update-above-zero"),
        checks=(updated,),
    ),
    Led(
        id="TC_Q_120_CSMS",
        title="The operator supports the frequency with signals",
        sends="Accepted to SetChargingProfile with a curve of signal and power, and to two AFRRSignal.",
        wanted=profile(
            65,
            "TxProfile",
            "Relative",
            3,
            _periods(
                605,
                {
                    "startPeriod": 0,
                    "operationMode": "CentralFrequency",
                    "v2xBaseline": 900.4,
                    "v2xSignalWattCurve": [
                        {"signal": -100, "power": -7360.2},
                        {"signal": 0, "power": 310.5},
                        {"signal": 100, "power": 6900.8},
                    ],
                },
            ),
        ),
        then=_signals,
        orders=("AFRRSignal",),
        clause=use_case("Q07"),
        defect="afrr-signal-without-sign",
        also=("profile-without-signal-curve", "profile-curve-backwards"),
        checks=(fulfilled("AFRRSignal"),),
    ),
    Led(
        id="TC_Q_121_CSMS",
        title="The operator has the station support the frequency by itself",
        sends="NotifyEVChargingNeeds, and Accepted to SetChargingProfile with a curve of frequency and power.",
        needs=bpt_needs(12_300, 9_100, 7_800),
        wanted=profile(
            66,
            "TxProfile",
            "Relative",
            4,
            _periods(
                606,
                {
                    "startPeriod": 0,
                    "operationMode": "LocalFrequency",
                    "v2xBaseline": -450.3,
                    "v2xFreqWattCurve": [
                        {"frequency": 49.8, "power": -8050.1},
                        {"frequency": 50.0, "power": 0},
                        {"frequency": 50.3, "power": 7130.7},
                    ],
                },
            ),
        ),
        clause=use_case("Q08"),
        defect="profile-without-frequency-curve",
        also=("v2x-needs-refused",),
        checks=(answered("NotifyEVChargingNeeds"),),
    ),
    Led(
        id="TC_Q_124_CSMS",
        title="The operator has the station balance the load of its place",
        sends="Accepted to SetVariables with two thresholds, and to SetChargingProfile.",
        before=_set_thresholds,
        wanted=profile(
            67,
            "TxProfile",
            "Absolute",
            2,
            _periods(
                607,
                {"startPeriod": 0, "limit": 8970.2, "dischargeLimit": -6440.5, "operationMode": "LocalLoadBalancing"},
                {"startPeriod": 1800, "limit": 4600.6, "operationMode": "ChargingOnly"},
            ),
        ),
        orders=("SetVariables",),
        clause=use_case("Q09"),
        defect="discharge-above-zero",
        also=("set-variables-one-by-one", "set-variables-of-the-station"),
        checks=(fulfilled("SetVariables"),),
    ),
    Led(
        id="TC_K_121_CSMS",
        title="A station asks for the limit of its dynamic profile",
        block=K_BLOCK,
        profile=K_21,
        sends="Accepted to SetChargingProfile, and PullDynamicScheduleUpdate with the id of its profile.",
        wanted=profile(68, "TxProfile", "Dynamic", 3, schedule(608, (0, 14.4)), dynUpdateInterval=75),
        then=_pulls,
        clause=use_case("K28"),
        defect="profile-without-update-interval",
        also=("pull-without-update",),
        checks=(_gives_update(),),
    ),
)


def _add(entry: Led) -> None:
    @case(
        id=entry.id,
        ocpp=V21,
        title=entry.title,
        block=entry.block,
        profile=entry.profile,
        initiator="csms",
        needs=(token_need("Accepted"), trigger_need("SetChargingProfile"), *map(trigger_need, entry.orders)),
        sends=entry.sends,
        expects="The CSMS SHALL send what its operator named, and answer what the station tells.",
        clause=entry.clause,
        defect=entry.defect,
        also=entry.also,
        checks=(ordered, sound_profiles(), *entry.checks, answers_all, still_serves()),
    )
    def script(probe: Probe) -> None:
        station = probe.station
        newer = two_sessions(probe)[1]
        if entry.needs is not None:
            ask(probe, entry.needs)
        entry.before(probe)
        probe.command("SetChargingProfile", set_profile(EVSE_2, entry.wanted, str(newer.id)))
        request = station.expect("SetChargingProfile")
        if request is not None:
            entry.then(probe, int(request["chargingProfile"]["id"]), newer)
        heartbeat(station)


for _entry in LED:
    _add(_entry)


# -- priority --------------------------------------------------------------------------------------------------------


@case(
    id="TC_K_118_CSMS",
    ocpp=V21,
    title="The operator asks for priority charging of one of two sessions, and ends it",
    block=K_BLOCK,
    profile=K_21,
    initiator="csms",
    needs=(token_need("Accepted"), trigger_need("UsePriorityCharging")),
    sends="Accepted to two UsePriorityCharging, each followed by NotifyPriorityCharging.",
    expects="The CSMS SHALL send UsePriorityCharging as its operator named it, and answer what the station tells.",
    clause=use_case("K21"),
    defect="priority-charging-for-first-transaction",
    also=("priority-charging-always-on", "own-feature-not-supported", "order-before-once-more"),
    checks=(fulfilled("UsePriorityCharging"), answered("NotifyPriorityCharging"), answers_all, still_serves()),
)
def priority(probe: Probe) -> None:
    station = probe.station
    newer = two_sessions(probe)[1]
    for activate in (True, False):
        probe.command("UsePriorityCharging", {"transactionId": str(newer.id), "activate": activate})
        told = v21.notify_priority_charging(str(newer.id), activated=activate)
        station.call("NotifyPriorityCharging", told)
    heartbeat(station)
