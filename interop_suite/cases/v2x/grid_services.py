"""Stations of 2.1 in the grid: DER controls and their alarms (R), and batteries that are swapped (S)."""

from __future__ import annotations

from typing import Any

from drivers.base import token_need, trigger_need
from fixtures.csms.defects.v2x_events import event_defect_id
from fixtures.payloads import v21
from fixtures.tokens import Token, id_token
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, still_serves
from interop_suite.claims.fulfilment import fulfilled
from interop_suite.drive.probe import Probe, now
from interop_suite.steps.charging import Charging
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.smart_charging import EVSE_1, EVSE_2, use_case
from interop_suite.steps.transaction_events import CHARGING, answers_all

Payload = dict[str, Any]
V21 = ("2.1",)
R_BLOCK, DER_PROFILE = "DER Control", "DER Control"
S_BLOCK, SWAP_PROFILE = "Battery Swapping", "Battery Swapping"

# -- DER controls ----------------------------------------------------------------------------------------------------

FIXED_VAR = {
    "priority": 2,
    "setpoint": -34.5,
    "unit": "PctMaxVar",
    "startTime": "2031-03-02T11:00:00Z",
    "duration": 900,
}
MAX_DISCHARGE = {"priority": 5, "pctMaxDischargePower": 62.5}
ABSORB, CAP = "der-absorb-17", "der-cap-29"


@case(
    id="TC_R_107_CSMS",
    ocpp=V21,
    title="The operator sets, reads and clears DER controls",
    block=R_BLOCK,
    profile=DER_PROFILE,
    initiator="csms",
    needs=tuple(map(trigger_need, ("SetDERControl", "GetDERControl", "ClearDERControl"))),
    sends="Accepted to two SetDERControl, NotifyDERStartStop, a report in two parts, and Accepted to ClearDERControl.",
    expects="The CSMS SHALL send the controls as its operator named them, and answer the report and the events.",
    clause=use_case("R04"),
    defect="der-control-always-default",
    also=(
        "own-feature-not-supported",
        "der-controls-cleared-by-kind-alone",
        "der-controls-read-without-default",
        "der-controls-without-duration",
        "der-setpoint-without-sign",
        "get-der-control-without-id",
        "clear-der-control-without-id",
        "der-report-second-part-refused",
        "der-stop-refused",
    ),
    checks=(
        fulfilled("SetDERControl"),
        answered("NotifyDERStartStop", claim="The begin and the end of a control are answered"),
        fulfilled("GetDERControl"),
        answered("ReportDERControl", claim="Every part of the report is answered"),
        fulfilled("ClearDERControl"),
        still_serves(),
    ),
)
def der_controls(probe: Probe) -> None:
    station = probe.station
    absorb = {"isDefault": False, "controlId": ABSORB, "controlType": "FixedVar", "fixedVar": FIXED_VAR}
    cap = {
        "isDefault": True,
        "controlId": CAP,
        "controlType": "LimitMaxDischarge",
        "limitMaxDischarge": MAX_DISCHARGE,
    }
    for control in (absorb, cap):
        probe.command("SetDERControl", control)
    station.call("NotifyDERStartStop", v21.notify_der_start_stop(ABSORB, now(), started=True))
    station.reply("GetDERControl", {"status": "Accepted"})
    for number, wanted in ((8101, {"controlId": ABSORB}), (8102, {"isDefault": True})):
        probe.command("GetDERControl", {"requestId": number, **wanted})
        request = station.expect("GetDERControl")
        if request is not None:
            _report_controls(probe, int(request["requestId"]))
    probe.command("ClearDERControl", {"isDefault": False, "controlId": ABSORB})
    station.call("NotifyDERStartStop", v21.notify_der_start_stop(ABSORB, now(), started=False))
    heartbeat(station)


def _report_controls(probe: Probe, number: int) -> None:
    absorb = {"id": ABSORB, "isDefault": False, "isSuperseded": False, "fixedVar": FIXED_VAR}
    cap = {"id": CAP, "isDefault": True, "isSuperseded": False, "limitMaxDischarge": MAX_DISCHARGE}
    probe.station.call("ReportDERControl", v21.report_der_control(number, tbc=True, fixedVar=[absorb]))
    probe.station.call("ReportDERControl", v21.report_der_control(number, tbc=False, limitMaxDischarge=[cap]))


@case(
    id="TC_R_108_CSMS",
    ocpp=V21,
    title="Alarms of DER controls and their end are acknowledged",
    block=R_BLOCK,
    profile=DER_PROFILE,
    sends="NotifyDERAlarm for two kinds of control, and the end of one alarm.",
    expects="The CSMS SHALL answer every alarm.",
    clause=use_case("R05"),
    defect="der-alarm-end-refused",
    checks=(answered("NotifyDERAlarm", claim="Every alarm is answered"),),
)
def der_alarms(probe: Probe) -> None:
    for kind, fault in (("FreqDroop", "OverFrequency"), ("LVMustTrip", "UnderVoltage")):
        probe.station.call("NotifyDERAlarm", v21.notify_der_alarm(kind, now(), fault=fault))
    probe.station.call("NotifyDERAlarm", v21.notify_der_alarm("FreqDroop", now(), alarm_ended=True))


# -- swapped batteries -----------------------------------------------------------------------------------------------

FEW = {"status": "Rejected", "statusInfo": {"reasonCode": "NotEnoughBatteries"}}
CAME_IN = (("BAT-0417", EVSE_1, 18.5, 96.2), ("BAT-0552", EVSE_2, 23.0, 91.7))
WENT_OUT = (("BAT-0981", EVSE_1, 88.5, 98.1), ("BAT-1206", EVSE_2, 91.0, 94.3))


def _order_swap(probe: Probe, token: str, number: int) -> Payload | None:
    order = {"requestId": number, "idToken": id_token(Token(value=token))}
    probe.command("RequestBatterySwap", order)
    return probe.station.expect("RequestBatterySwap")


@case(
    id="TC_S_102_CSMS",
    ocpp=V21,
    title="A battery swap at a station that has too few batteries",
    block=S_BLOCK,
    profile=SWAP_PROFILE,
    initiator="csms",
    needs=(token_need("Accepted"), trigger_need("RequestBatterySwap")),
    sends="Rejected to RequestBatterySwap, then a Heartbeat.",
    expects="The CSMS SHALL send RequestBatterySwap with the token that its operator named, and go on.",
    clause=use_case("S02"),
    defect="closes-after-swap-rejected",
    also=("battery-swap-token-as-central",),
    checks=(fulfilled("RequestBatterySwap"), still_serves()),
)
def too_few(probe: Probe) -> None:
    probe.station.reply("RequestBatterySwap", FEW)
    _order_swap(probe, probe.token(), 9102)
    heartbeat(probe.station)


@case(
    id="TC_S_103_CSMS",
    ocpp=V21,
    title="A swap of two batteries, which then charge in the station",
    block=S_BLOCK,
    profile=SWAP_PROFILE,
    initiator="csms",
    needs=(token_need("Accepted"), trigger_need("RequestBatterySwap")),
    sends="Accepted to RequestBatterySwap, BatterySwap for two batteries in and two out, and TransactionEvents.",
    expects="The CSMS SHALL send RequestBatterySwap with the token of its operator, and answer what follows.",
    clause=use_case("S03"),
    defect="battery-swap-of-several-refused",
    also=(
        "own-feature-not-supported",
        "battery-swap-token-as-central",
        "battery-out-refused",
        event_defect_id("Started", "CablePluggedIn"),
    ),
    checks=(fulfilled("RequestBatterySwap"), answered("BatterySwap", claim="Every swap is answered"), answers_all),
)
def swapped(probe: Probe) -> None:
    station, token = probe.station, probe.token()
    request = _order_swap(probe, token, 9103)
    if request is None:
        return
    for kind, batteries in (("BatteryIn", CAME_IN), ("BatteryOut", WENT_OUT)):
        station.call("BatterySwap", _swap(kind, int(request["requestId"]), token, batteries))
    for _, evse, _, _ in CAME_IN:
        charging = Charging(station, token, connector=evse)
        charging.event("Started", "CablePluggedIn", charging_state="EVConnected")
        CHARGING.send(charging)


def _swap(kind: str, number: int, token: str, batteries: tuple[tuple[str, int, float, float], ...]) -> Payload:
    data = [
        {"serialNumber": serial, "evseId": evse, "soC": charge, "soH": health}
        for serial, evse, charge, health in batteries
    ]
    return {"eventType": kind, "requestId": number, "idToken": id_token(Token(value=token)), "batteryData": data}
