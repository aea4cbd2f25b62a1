"""What the CSMS and the station tell each other before they charge (2.1): energy transfers, and ids that are taken."""

from __future__ import annotations

from drivers.base import token_need, trigger_need
from evidence.verdicts import Verdict
from fixtures.device import Variable
from fixtures.payloads import v2x
from interop_suite.catalogue import case
from interop_suite.claims.charging_profiles import profiles_sent, sound_profiles
from interop_suite.claims.checks import answered
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import Exchange
from interop_suite.claims.fulfilment import fulfilled
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe, now
from interop_suite.steps.charging import authorize
from interop_suite.steps.smart_charging import EVSE_1, EVSE_2, K_BLOCK, profile, schedule, set_profile, use_case
from interop_suite.steps.v2x import ACCEPTED

V21 = ("2.1",)
Q_BLOCK, V2X_PROFILE, K_21 = "Bidirectional Power Transfer", "V2X", "Smart Charging (2.1)"

# -- what a token may do ---------------------------------------------------------------------------------------------


def _weigh_allowed(call: Exchange, claim: str) -> Finding:
    allowed = call.result.get("allowedEnergyTransfer")
    if isinstance(allowed, list) and any("BPT" in str(mode) for mode in allowed):
        verdict, actual = Verdict.OK, f"allowedEnergyTransfer is {allowed}"
    else:
        verdict = Verdict.NOT_APPLICABLE
        actual = f"no token of ours may discharge: allowedEnergyTransfer is {allowed or 'missing'}"
    return Finding(verdict=verdict, claim=claim, actual=actual, clause=Clause("2-2", "Q01"), frame=call.call.line)


def _allows_discharging() -> Check:
    claim = "The answer to Authorize says that the token may be used in both directions"

    def judge(history: History) -> list[Finding]:
        return [_weigh_allowed(call, claim) for call in history.calls("Authorize")]

    return Check(claim=claim, judge=judge)


@case(
    id="TC_Q_102_CSMS",
    ocpp=V21,
    title="The token of a driver may be used in both directions, and the station reports what it can do",
    block=Q_BLOCK,
    profile=V2X_PROFILE,
    initiator="csms",
    needs=(token_need("Accepted"), trigger_need("GetBaseReport")),
    sends="Authorize, Accepted to GetBaseReport, and NotifyReport in two parts with its requestId.",
    expects="The CSMS SHALL list the energy transfers of the token in its answer, and answer every part.",
    clause=use_case("Q01"),
    defect="allowed-transfers-as-text",
    also=(
        "base-report-always-configuration",
        "report-over-after-first-part",
    ),
    checks=(
        answered("Authorize", ACCEPTED),
        _allows_discharging(),
        fulfilled("GetBaseReport"),
        answered("NotifyReport", claim="Every part of the report is answered"),
    ),
)
def may_discharge(probe: Probe) -> None:
    station = probe.station
    authorize(station, probe.token())
    variables = [
        Variable("V2XChargingCtrlr", "Enabled", "true", data_type="boolean", evse_id=EVSE_1),
        Variable("V2XChargingCtrlr", "SupportedOperationModes", "ChargingOnly,CentralSetpoint", evse_id=EVSE_2),
    ]
    _report(probe, variables)


def _report(probe: Probe, variables: list[Variable]) -> None:
    """Have the operator ask for the inventory, and report one variable in each part."""
    station = probe.station
    station.reply("GetBaseReport", {"status": "Accepted"})
    probe.command("GetBaseReport", {"requestId": 6102, "reportBase": "FullInventory"})
    request = station.expect("GetBaseReport")
    if request is None:
        return
    last = len(variables) - 1
    for index, variable in enumerate(variables):
        part = [v2x.report_item(variable, variable.value)]
        payload = v2x.notify_report(int(request["requestId"]), index, now(), part, tbc=index < last)
        station.call("NotifyReport", payload)


# -- ids that belong to others ---------------------------------------------------------------------------------------

MAX_EXTERNAL_ID = 7000
_APART = "The id of a charging profile is above those that the station keeps for external constraints"


def _judge_ids(history: History) -> list[Finding]:
    found = []
    for call in profiles_sent(history):
        number = call.payload["chargingProfile"]["id"]
        verdict = Verdict.OK if number > MAX_EXTERNAL_ID else Verdict.FAILED
        actual = f"the id is {number}, and MaxExternalConstraintsId is {MAX_EXTERNAL_ID}"
        found.append(Finding(verdict=verdict, claim=_APART, actual=actual, frame=call.call.line))
    return found


@case(
    id="TC_K_109_CSMS",
    ocpp=V21,
    title="The ids of charging profiles stay apart from those of external constraints",
    block=K_BLOCK,
    profile=K_21,
    initiator="csms",
    needs=(trigger_need("GetBaseReport"), trigger_need("SetChargingProfile")),
    sends="NotifyReport with MaxExternalConstraintsId, and Accepted to SetChargingProfile.",
    expects="The CSMS SHALL answer the report, and send no id that the station keeps for external constraints.",
    clause=use_case("K01"),
    defect="profile-id-always-one",
    also=(
        "base-report-always-configuration",
        "report-over-after-first-part",
    ),
    checks=(
        fulfilled("GetBaseReport"),
        answered("NotifyReport", claim="Every part of the report is answered"),
        fulfilled("SetChargingProfile"),
        sound_profiles(),
        Check(claim=_APART, judge=_judge_ids),
    ),
)
def ids_apart(probe: Probe) -> None:
    variables = [
        Variable("SmartChargingCtrlr", "MaxExternalConstraintsId", str(MAX_EXTERNAL_ID), data_type="integer"),
        Variable("SmartChargingCtrlr", "Enabled", "true", data_type="boolean"),
    ]
    _report(probe, variables)
    wanted = profile(7109, "TxDefaultProfile", "Relative", 3, schedule(609, (0, 13.8), (900, 7.2)))
    probe.command("SetChargingProfile", set_profile(EVSE_2, wanted))
