"""What 2.1 adds to sessions: limits of either side, costs of the station, and sessions that survive a power cut."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose
from typing import Any

from drivers.base import token_need, trigger_need
from evidence.verdicts import Verdict
from fixtures.payloads import v2x
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked, noted
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind
from interop_suite.claims.expected import field, one_of, present
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe, now
from interop_suite.steps.charging import Charging, authorize
from interop_suite.steps.courses import EVSE_OF_TWO
from interop_suite.steps.transaction_events import CHARGING, answers_all
from interop_suite.steps.v2x import ACCEPTED, notify_event, starts_with_token
from ocppj.versions import Version

BLOCK = "Transactions"
PROFILE = "Core"
VALIDITY = Clause("21-4", "4.1.7")
TOKEN_DEFECTS = ("event-without-token-info", "token-info-only-when-authorized")
session = (answers_all, starts_with_token("Accepted"))
LIMIT = (token_need("limit"),)
TARIFF = "plugstorm-night"
STATION_LIMIT_WH = 21_000
TOKEN_LIMIT_WH = 14_500
TOKEN_LIMIT_S = 5_400
TOKEN_LIMIT_COST = 12.5


def _begin(probe: Probe, token: str, **more: Any) -> Charging:
    charging = Charging(probe.station, token, connector=EVSE_OF_TWO)
    charging.begin(1000, **more)
    return charging


def _set_at_station(charging: Charging, limit: Mapping[str, float]) -> None:
    charging.event(
        "Updated",
        "LimitSet",
        token=charging.identified(),
        charging_state="Charging",
        transaction_limit=dict(limit),
    )


def _stop_at_limit(charging: Charging, trigger: str, reason: str, **more: Any) -> None:
    """Pause when a limit is reached, and end."""
    charging.event("Updated", trigger, charging_state="SuspendedEVSE")
    charging.end(stopped_reason=reason, **more)


def _limit_is(name: str, wanted: float) -> Check:
    """Claim that an answer of the session tells the limit that the operator gave its token, and none another one."""
    claim = f"The CSMS tells the station the {name} that its operator set"

    def judge(history: History) -> list[Finding]:
        answers = [e for e in history.calls("TransactionEvent") if e.kind is AnswerKind.RESULT]
        told = [(e, field(e.result, f"transactionLimit.{name}")) for e in answers]
        values = [value for _, value in told if value is not None]
        right = bool(values) and all(isinstance(v, int | float) and isclose(v, wanted, rel_tol=1e-6) for v in values)
        if not answers:
            return []
        line = next((e.answer.line for e, value in told if value is not None and e.answer), None)
        actual = f"{name} is {', '.join(map(str, values)) or 'never told'}, set to {wanted}"
        return [Finding(verdict=Verdict.OK if right else Verdict.FAILED, claim=claim, actual=actual, frame=line)]

    return Check(claim=claim, judge=judge)


def cost_details(total: float, energy: float) -> dict[str, Any]:
    """Write what a session has cost so far, without and with tax, for some Wh."""
    cost = {
        "currency": "EUR",
        "typeOfCost": "NormalCost",
        "energy": {"exclTax": total, "inclTax": round(total * 1.2, 4)},
        "total": {"exclTax": total, "inclTax": round(total * 1.2, 4)},
    }
    return {"totalCost": cost, "totalUsage": {"energy": energy, "chargingTime": 1200, "idleTime": 60}}


# -- limits of the station -------------------------------------------------------------------------------------------


@case(
    id="TC_E_106_CSMS",
    ocpp=Version.V21,
    title="The driver sets a limit of energy at the station",
    block=BLOCK,
    profile=PROFILE,
    needs=(token_need("Accepted"),),
    sends="A session with LimitSet and maxEnergy, EnergyLimitReached, and its end for that reason.",
    expects="The CSMS SHALL answer every TransactionEvent, and say what the token in it is worth.",
    clause=VALIDITY,
    defect="limit-of-station-refused",
    also=TOKEN_DEFECTS,
    checks=session,
)
def energy_limit(probe: Probe) -> None:
    charging = _begin(probe, probe.token())
    _set_at_station(charging, {"maxEnergy": STATION_LIMIT_WH})
    _stop_at_limit(charging, "EnergyLimitReached", "EnergyLimitReached")


@case(
    id="TC_E_107_CSMS",
    ocpp=Version.V21,
    title="The driver sets a limit of time at the station",
    block=BLOCK,
    profile=PROFILE,
    needs=(token_need("Accepted"),),
    sends="A session with LimitSet and maxTime, TimeLimitReached, and its end for that reason.",
    expects="The CSMS SHALL answer every TransactionEvent, and say what the token in it is worth.",
    clause=VALIDITY,
    defect="newer-trigger-refused",
    also=TOKEN_DEFECTS,
    checks=session,
)
def time_limit(probe: Probe) -> None:
    charging = _begin(probe, probe.token())
    _set_at_station(charging, {"maxTime": 2_700})
    _stop_at_limit(charging, "TimeLimitReached", "TimeLimitReached")


@case(
    id="TC_E_108_CSMS",
    ocpp=Version.V21,
    title="The station computes the cost of a session, and sets a limit",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(token_need("Accepted"), trigger_need("SetDefaultTariff")),
    sends="Accepted to SetDefaultTariff, and a session with its tariff, LimitSet, RunningCost and CostLimitReached.",
    expects="The CSMS SHALL send SetDefaultTariff as its operator named it, and answer every TransactionEvent.",
    clause=VALIDITY,
    defect="cost-of-station-refused",
    also=TOKEN_DEFECTS,
    checks=(
        asked("SetDefaultTariff", {"tariff.tariffId": one_of(TARIFF), "tariff.currency": one_of("EUR")}),
        *session,
    ),
)
def cost_of_station(probe: Probe) -> None:
    tariff = {"tariffId": TARIFF, "currency": "EUR", "energy": {"prices": [{"priceKwh": 0.29}]}}
    probe.station.reply("SetDefaultTariff", {"status": "Accepted"})
    probe.command("SetDefaultTariff", {"evseId": EVSE_OF_TWO, "tariff": tariff})
    charging = _begin(probe, probe.token(), tariff_id=TARIFF)
    _set_at_station(charging, {"maxCost": 6.5})
    charging.event("Updated", "RunningCost", charging_state="Charging", cost_details=cost_details(3.25, 11_200.0))
    charging.event("Updated", "CostLimitReached", charging_state="SuspendedEVSE")
    charging.end(cost_details=cost_details(6.5, 22_400.0))


# -- limits of the CSMS ----------------------------------------------------------------------------------------------


@case(
    id="TC_E_110_CSMS",
    ocpp=Version.V21,
    title="The CSMS sets a limit of energy in its answer",
    block=BLOCK,
    profile=PROFILE,
    needs=LIMIT,
    sends="A session of a token with a limit of energy, EnergyLimitReached, and its end for that reason.",
    expects="The CSMS SHALL tell the limit, in Wh, in an answer, and answer every TransactionEvent.",
    clause=VALIDITY,
    defect="energy-limit-in-kwh",
    also=("limit-of-token-forgotten", *TOKEN_DEFECTS),
    checks=(_limit_is("maxEnergy", TOKEN_LIMIT_WH), *session),
)
def energy_limit_of_csms(probe: Probe) -> None:
    charging = _begin(probe, probe.limited_token(maxEnergy=TOKEN_LIMIT_WH))
    CHARGING.send(charging)
    _stop_at_limit(charging, "EnergyLimitReached", "EnergyLimitReached")


@case(
    id="TC_E_111_CSMS",
    ocpp=Version.V21,
    title="The CSMS sets a limit of time in its answer",
    block=BLOCK,
    profile=PROFILE,
    needs=LIMIT,
    sends="A session of a token with a limit of time, TimeLimitReached, and its end for that reason.",
    expects="The CSMS SHALL tell the limit, in s, in an answer, and answer every TransactionEvent.",
    clause=VALIDITY,
    defect="time-limit-in-minutes",
    also=("limit-of-token-forgotten", *TOKEN_DEFECTS),
    checks=(_limit_is("maxTime", TOKEN_LIMIT_S), *session),
)
def time_limit_of_csms(probe: Probe) -> None:
    charging = _begin(probe, probe.limited_token(maxTime=TOKEN_LIMIT_S))
    CHARGING.send(charging)
    _stop_at_limit(charging, "TimeLimitReached", "TimeLimitReached")


@case(
    id="OPT_76",
    ocpp=Version.V21,
    title="The CSMS sets a limit for a token that comes after the start",
    block=BLOCK,
    profile=PROFILE,
    needs=LIMIT,
    sends="A session that starts when a cable is plugged in; the token, which has a limit of energy, comes later.",
    expects="The CSMS SHALL tell the limit, in Wh, in an answer, and answer every TransactionEvent.",
    clause=VALIDITY,
    defect="limit-at-start-alone",
    also=("limit-of-token-forgotten", "energy-limit-in-kwh"),
    checks=(_limit_is("maxEnergy", TOKEN_LIMIT_WH), answers_all),
)
def limit_of_late_token(probe: Probe) -> None:
    charging = Charging(probe.station, probe.limited_token(maxEnergy=TOKEN_LIMIT_WH), connector=EVSE_OF_TWO)
    charging.event("Started", "CablePluggedIn", charging_state="EVConnected")
    charging.event("Updated", "Authorized", token=charging.identified(), charging_state="EVConnected")
    CHARGING.send(charging)
    charging.end()


@case(
    id="TC_E_109_CSMS",
    ocpp=Version.V21,
    title="The CSMS computes the cost of a session, and sets a limit",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(*LIMIT, trigger_need("CostUpdated")),
    sends="A session of a token with a limit of cost, the answer to CostUpdated, CostLimitReached, and its end.",
    expects="The CSMS SHALL tell the limit in an answer, and send CostUpdated with the id of the session.",
    clause=VALIDITY,
    defect="cost-limit-in-cents",
    also=("limit-of-token-forgotten", *TOKEN_DEFECTS, "cost-in-whole-units"),
    checks=(
        answered("Authorize", ACCEPTED),
        _limit_is("maxCost", TOKEN_LIMIT_COST),
        asked("CostUpdated", {"totalCost": present(), "transactionId": present()}),
        noted("cost_of", "CostUpdated names the session that the operator named"),
        *session,
    ),
)
def cost_limit_of_csms(probe: Probe) -> None:
    station, token = probe.station, probe.limited_token(maxCost=TOKEN_LIMIT_COST)
    authorize(station, token)
    charging = _begin(probe, token)
    probe.command("CostUpdated", {"totalCost": 9.75, "transactionId": str(charging.id)})
    request = station.expect("CostUpdated")
    if request is not None:
        station.note(cost_of=[request.get("transactionId") == charging.id, request.get("transactionId")])
    charging.event("Updated", "CostLimitReached", charging_state="SuspendedEVSE")
    charging.end()


@case(
    id="TC_E_102_CSMS",
    ocpp=Version.V21,
    title="Both sides set a limit",
    block=BLOCK,
    profile=PROFILE,
    needs=LIMIT,
    sends="A session of a token with limits of energy and time, LimitSet, EnergyLimitReached, and its end.",
    expects="The CSMS SHALL tell both of its own, lower limits in an answer, and answer every TransactionEvent.",
    clause=VALIDITY,
    defect="limit-of-token-forgotten",
    also=("energy-limit-in-kwh", "time-limit-in-minutes", "limit-of-energy-alone", *TOKEN_DEFECTS),
    checks=(_limit_is("maxEnergy", TOKEN_LIMIT_WH), _limit_is("maxTime", TOKEN_LIMIT_S), *session),
)
def limits_of_both(probe: Probe) -> None:
    charging = _begin(probe, probe.limited_token(maxEnergy=TOKEN_LIMIT_WH, maxTime=TOKEN_LIMIT_S))
    _set_at_station(charging, {"maxEnergy": STATION_LIMIT_WH})
    _stop_at_limit(charging, "EnergyLimitReached", "EnergyLimitReached")


# -- power cuts ------------------------------------------------------------------------------------------------------


def _power_cut(probe: Probe) -> None:
    """Lose power, and boot again."""
    station = probe.station
    station.drop()
    probe.reconnect(station)
    probe.boot(station)


def _resume(charging: Charging) -> None:
    charging.event("Updated", "TxResumed", charging_state="Charging")
    charging.end()


@case(
    id="TC_E_113_CSMS",
    ocpp=Version.V21,
    title="A session goes on after a power cut",
    block=BLOCK,
    profile=PROFILE,
    needs=(token_need("Accepted"),),
    sends="A session, a lost connection, BootNotification, what happened meanwhile, TxResumed, and the end.",
    expects="The CSMS SHALL answer every event of the session, those before the boot and those after it.",
    clause=VALIDITY,
    defect="events-refused-after-boot",
    also=(*TOKEN_DEFECTS, "security-event-needs-tech-info"),
    checks=(answered("NotifyEvent"), answered("SecurityEventNotification"), *session),
)
def resumed(probe: Probe) -> None:
    charging = _begin(probe, probe.token())
    _power_cut(probe)
    notify_event(probe.station, "Connector", "AvailabilityState", "Occupied", trigger="Delta")
    event = v2x.security_event_notification("StartupOfTheDevice", now())
    probe.station.call("SecurityEventNotification", event)
    _resume(charging)


@case(
    id="TC_E_117_CSMS",
    ocpp=Version.V21,
    title="A charging profile of a session holds after a power cut",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(token_need("Accepted"), trigger_need("SetChargingProfile")),
    sends="A session, Accepted to SetChargingProfile, a lost connection, BootNotification, TxResumed, and the end.",
    expects="The CSMS SHALL send the profile for the session, and answer every event before and after the boot.",
    clause=VALIDITY,
    defect="tx-profile-of-no-session",
    also=("events-refused-after-boot", *TOKEN_DEFECTS),
    checks=(
        asked("SetChargingProfile", {"evseId": one_of(EVSE_OF_TWO), "chargingProfile.transactionId": present()}),
        *session,
    ),
)
def profile_holds(probe: Probe) -> None:
    charging = _begin(probe, probe.token())
    schedule = {"id": 3, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 9.5}]}
    profile = {
        "id": 17,
        "stackLevel": 1,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Relative",
        "transactionId": str(charging.id),
        "chargingSchedule": [schedule],
    }
    probe.station.reply("SetChargingProfile", {"status": "Accepted"})
    probe.command("SetChargingProfile", {"evseId": EVSE_OF_TWO, "chargingProfile": profile})
    _power_cut(probe)
    _resume(charging)
