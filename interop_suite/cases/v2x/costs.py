"""What sessions cost: the running cost, the final cost, and the tariff of a driver."""

from __future__ import annotations

from typing import Any

from drivers.base import trigger_need
from evidence.verdicts import Verdict
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, still_serves
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import Exchange
from interop_suite.claims.expected import above, field
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging, authorize
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.operator_orders import new_tokens, ordered
from interop_suite.steps.tariffs import energy_prices, minute_prices, price, tariff
from interop_suite.steps.transaction_events import answers_all
from interop_suite.steps.v2x import (
    ACCEPTED,
    VERSIONS,
    event_answered,
    report_connector,
    starts_with_token,
    status_answered,
)
from interop_suite.steps.v16 import ago
from ocppj.versions import Version

BLOCK = "Tariff and Cost"
PROFILE = "Advanced UI"
BY_SCHEMA = Clause("201-4", "4.1.7")
PRICED = "token:tariff"
CHEAP, DEAR = 0.31, 0.47
"""Prices of a kWh."""
RUNNING = (4.37, 11.85)
"""Costs of two sessions so far."""
SESSIONS = ((1, CHEAP, 1_000, 21_000), (2, DEAR, 300_000, 308_000))
"""EVSE, price, and the register in Wh at the begin and the end of two sessions."""
TOLERANCE = 0.02
"""Part of a cost by which it may differ: currencies are rounded, and so may energy be."""


@case(
    id="TC_I_01_CSMS",
    ocpp=VERSIONS,
    title="The running cost of a session is shown at the station",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need("CostUpdated"),),
    sends="Two sessions at two EVSEs, the answers to CostUpdated for the older one and the newer, then a Heartbeat.",
    expects="The CSMS SHALL send CostUpdated with the cost and the transactionId of the session, and go on.",
    clause=BY_SCHEMA,
    defect="cost-of-newest-transaction",
    also=("cost-in-whole-units", "event-without-token-info"),
    checks=(
        ordered("CostUpdated", {"totalCost": above(0)}, claim="CostUpdated carries the running cost"),
        answers_all,
        starts_with_token(),
        still_serves(),
    ),
)
def running_cost(probe: Probe) -> None:
    station = probe.station
    sessions = [Charging(station, token, connector=evse) for evse, token in enumerate(new_tokens(probe, 2), start=1)]
    for number, session in enumerate(sessions):
        session.begin(1_000 * (number + 1))
        session.sample(15_000 * (number + 1))
    station.reply("CostUpdated", {})
    for session, cost in zip(sessions, RUNNING, strict=True):
        probe.command("CostUpdated", {"totalCost": cost, "transactionId": str(session.id)})
    heartbeat(station)


_COST = "The answer to the end of a session carries what the session cost"


def _judge_cost(history: History) -> list[Finding]:
    wanted = {entry["transaction"]: entry["cost"] for entry in history.notes("priced")}
    return [
        _weigh_cost(call, wanted[number])
        for call in history.calls("TransactionEvent")
        if field(call.payload, "eventType") == "Ended" and call.answer is not None
        if (number := field(call.payload, "transactionInfo.transactionId")) in wanted
    ]


def _weigh_cost(call: Exchange, wanted: float) -> Finding:
    cost = call.result.get("totalCost")
    return Finding(
        verdict=Verdict.OK if _is_about(cost, wanted) else Verdict.FAILED,
        claim=_COST,
        actual=f"totalCost is {cost!r}, {wanted:.2f} is what the tariff of the token makes of its energy",
        frame=call.call.line if call.answer is None else call.answer.line,
    )


def _is_about(cost: Any, wanted: float) -> bool:
    near = max(TOLERANCE * wanted, 0.01)
    return isinstance(cost, int | float) and not isinstance(cost, bool) and wanted - near <= cost <= wanted + near


@case(
    id="TC_I_02_CSMS",
    ocpp=VERSIONS,
    title="The final cost comes with the end of a session",
    block=BLOCK,
    profile=PROFILE,
    needs=(PRICED,),
    sends="Two sessions at two EVSEs with tokens of different tariffs, from their begin to their end.",
    expects="The CSMS SHALL tell in its answer to each Ended event what that session cost.",
    clause=BY_SCHEMA,
    defect="final-cost-missing",
    also=(
        "final-cost-of-whole-register",
        "final-cost-by-first-tariff",
        "event-without-token-info",
        "token-info-only-when-authorized",
    ),
    checks=(
        answers_all,
        starts_with_token("Accepted"),
        Check(claim=_COST, judge=_judge_cost),
        status_answered,
        event_answered,
    ),
)
def final_cost(probe: Probe) -> None:
    station = probe.station
    sessions = []
    for evse, kwh, begin, end in SESSIONS:
        token = probe.priced_token(tariff(f"driver-{evse}", energy=energy_prices(price(kwh))))
        session = Charging(station, token, connector=evse)
        station.note(priced={"transaction": str(session.id), "cost": kwh * (end - begin) / 1_000})
        report_connector(station, "Occupied", evse=evse)
        session.begin(begin)
        sessions.append((session, end))
    for session, end in sessions:
        session.end(end)
        report_connector(station, "Available", evse=session.connector)


VAT, CITY = [{"type": "vat", "tax": 10.0}], [{"type": "city", "tax": 20.0}]
BOUNDED = (
    (
        1,
        {
            "energy": {**energy_prices(price(0.4)), "taxRates": VAT},
            "fixedFee": {"prices": [{"priceFixed": 1.5}], "taxRates": CITY},
        },
        10_000,
        6.2,
    ),
    (2, {"energy": energy_prices(price(0.4)), "maxCost": {"exclTax": 9.0, "inclTax": 9.0}}, 50_000, 9.0),
    (1, {"energy": energy_prices(price(0.4)), "minCost": {"exclTax": 3.0, "inclTax": 3.0}}, 1_000, 3.0),
    (2, {"energy": energy_prices(price(0.2)), "chargingTime": minute_prices(price(0.1))}, 4_000, 6.8),
)
"""EVSE, tariff, energy in Wh and cost of sessions of an hour, whose tariffs have more than a price of energy."""
HOUR = 60
"""Minutes that such a session takes; a car that charges all the time."""


def _judge_bounded(history: History) -> list[Finding]:
    """Allow a CSMS to know prices of energy alone: which parts of a tariff its operator may use is its own matter.

    One that honours any other part of a tariff honours them all.
    """
    found = _judge_cost(history)
    plain = {entry["transaction"]: entry["energy_cost"] for entry in history.notes("priced")}
    costs = [
        (call.result.get("totalCost"), plain[number])
        for call in history.calls("TransactionEvent")
        if field(call.payload, "eventType") == "Ended" and call.answer is not None
        if (number := field(call.payload, "transactionInfo.transactionId")) in plain
    ]
    if not costs or not all(_is_about(cost, energy) for cost, energy in costs):
        return found
    actual = "every session costs what its energy costs: this CSMS knows no other part of a tariff"
    return [Finding(verdict=Verdict.NON_STRICT, claim=_COST, actual=actual, frame=found[0].frame)]


@case(
    id="OPT_17",
    ocpp="2.1",
    title="What a session costs has its taxes, its fee, its time, and stays within the least and the most",
    block=BLOCK,
    profile=PROFILE,
    needs=(PRICED,),
    sends="Sessions of an hour whose tariffs have taxes and a fixed fee, a most, a least, and a price of a minute.",
    expects="The CSMS SHALL tell in its answer to each Ended event what that session cost, all told.",
    clause=Clause("21-4", "4.1.7"),
    defect="final-cost-before-taxes",
    also=(
        "final-cost-without-time",
        "sequence-restart-refused",
        "start-lost",
        "final-cost-without-limits",
        "final-cost-missing",
        "final-cost-by-first-tariff",
        "final-cost-of-whole-register",
    ),
    checks=(answers_all, Check(claim=_COST, judge=_judge_bounded)),
)
def bounded_costs(probe: Probe) -> None:
    for number, (evse, parts, energy, cost) in enumerate(BOUNDED):
        token = probe.priced_token(tariff(f"bounded-{number}", **parts))
        session = Charging(probe.station, token, connector=evse)
        plain = parts["energy"]["prices"][0]["priceKwh"] * energy / 1_000
        probe.station.note(priced={"transaction": str(session.id), "cost": cost, "energy_cost": plain})
        session.begin(3_000 * (number + 1), timestamp=ago(minutes=HOUR))
        session.end(3_000 * (number + 1) + energy, time_spent_charging=HOUR * 60)


RUNS = ((1, CHEAP, 2_000, (7_000, 15_500)), (2, DEAR, 410_000, (416_500, 431_000)))
"""EVSE, price, and the register in Wh at the begin and at two readings of two sessions."""
_RUNNING = "A running cost is that of the energy which its session has told"
_AT_THE_END_ONLY = (Version.V201,)
"""Versions in which the answer to an event tells the cost of a whole session, and no running one."""


def _judge_running(history: History) -> list[Finding]:
    """Hold each running cost against the readings that its session had told by then; no CSMS need tell any."""
    wanted = {entry["transaction"]: entry for entry in history.notes("running")}
    if history.rules.version in _AT_THE_END_ONLY:
        early = [c for c in history.calls("TransactionEvent") if "totalCost" in c.result and _goes_on(c)]
        if early:
            actual = "the answer to an event of a car that charges has a totalCost, which is for the end"
            return [_running_finding(Verdict.FAILED, actual, early[0].call.line)]
    told = [
        (call.call.line, number, call.result["totalCost"])
        for call in history.calls("TransactionEvent")
        if _goes_on(call) and "totalCost" in call.result and call.answer is not None
        if (number := field(call.payload, "transactionInfo.transactionId")) in wanted
    ]
    told += [
        (call.call.line, call.payload.get("transactionId"), call.payload.get("totalCost"))
        for call in history.commands("CostUpdated")
        if isinstance(call.payload, dict)
    ]
    if told:
        return [_weigh_running(history, *each, wanted) for each in sorted(told, key=lambda each: each[0])]
    seen = [call for call in history.calls("TransactionEvent") if _goes_on(call)]
    return [_running_finding(Verdict.OK, "no running cost was told", call.call.line) for call in seen[-1:]]


def _running_finding(verdict: Verdict, actual: str, line: int) -> Finding:
    return Finding(verdict=verdict, claim=_RUNNING, actual=actual, frame=line)


def _goes_on(call: Exchange) -> bool:
    return bool(field(call.payload, "eventType") == "Updated")


def _weigh_running(history: History, line: int, number: Any, cost: Any, wanted: dict[str, Any]) -> Finding:
    entry = wanted.get(str(number))
    registers = [
        reading
        for call in history.calls("TransactionEvent")
        if call.call.line <= line and field(call.payload, "transactionInfo.transactionId") == number
        if (reading := field(call.payload, "meterValue.0.sampledValue.0.value")) is not None
    ]
    costs = [] if entry is None else [entry["price"] * (each - entry["begin"]) / 1_000 for each in registers]
    right = any(_is_about(cost, each) for each in costs)
    what = f"{', '.join(f'{each:.2f}' for each in costs)} are its costs so far" if entry else "of no session here"
    return _running_finding(
        Verdict.OK if right else Verdict.FAILED, f"totalCost is {cost!r} for {number}, {what}", line
    )


@case(
    id="OPT_18",
    ocpp=VERSIONS,
    title="What two sessions have cost so far is told of each",
    block=BLOCK,
    profile=PROFILE,
    needs=(PRICED,),
    sends="Two sessions at two EVSEs with tokens of different tariffs, and two readings of each.",
    expects="The CSMS SHALL tell the cost of the session that is meant, for the energy that it has told.",
    clause=BY_SCHEMA,
    defect="running-cost-of-whole-register",
    also=(
        "running-cost-of-first-transaction",
        "total-cost-before-the-end",
        "cost-in-whole-units",
        "cost-of-newest-transaction",
    ),
    checks=(
        answers_all,
        Check(claim=_RUNNING, judge=_judge_running),
        still_serves(),
    ),
)
def costs_so_far(probe: Probe) -> None:
    station = probe.station
    station.reply("CostUpdated", {})
    sessions = []
    station.note(only_told="CostUpdated")
    for evse, kwh, begin, readings in RUNS:
        token = probe.priced_token(tariff(f"running-{evse}", energy=energy_prices(price(kwh))))
        session = Charging(station, token, connector=evse)
        station.note(running={"transaction": str(session.id), "price": kwh, "begin": begin})
        session.begin(begin)
        sessions.append((session, readings))
    for turn in range(2):
        for session, readings in sessions:
            session.sample(readings[turn])
    heartbeat(station)


_TARIFF = "The answer to Authorize carries the tariff of the token"
_ASKING = ("GetBaseReport", "GetReport", "GetVariables")


def _judge_tariff(history: History) -> list[Finding]:
    wanted = {str(entry["token"]).casefold(): entry["tariff"] for entry in history.notes("driver_tariff")}
    return [
        _weigh_tariff(history, call, wanted[token])
        for call in history.calls("Authorize")
        if call.answer is not None
        if (token := str(field(call.payload, "idToken.idToken")).casefold()) in wanted
    ]


def _weigh_tariff(history: History, call: Exchange, wanted: dict[str, Any]) -> Finding:
    found = call.result.get("tariff")
    actual = f"tariff is {found!r}, {wanted['tariffId']} was set for the token"
    verdict = Verdict.FAILED
    if isinstance(found, dict):
        same = all(found.get(name) == wanted[name] for name in ("tariffId", "currency"))
        verdict = Verdict.OK if same and _energy_price(found) == _energy_price(wanted) else Verdict.FAILED
    elif any(history.commands(action, prepared=True) for action in _ASKING):
        # It may have read that this station does not say of itself that it shows tariffs.
        verdict, actual = Verdict.NOT_APPLICABLE, "the CSMS asked the station what it can, and sends no tariff to it"
    return Finding(verdict=verdict, claim=_TARIFF, actual=actual, frame=call.call.line)


def _energy_price(of: dict[str, Any]) -> Any:
    prices = (of.get("energy") or {}).get("prices") or [{}]
    return prices[0].get("priceKwh")


@case(
    id="TC_I_109_CSMS",
    ocpp="2.1",
    title="The tariff of a driver comes with the authorization",
    block=BLOCK,
    profile=PROFILE,
    needs=(PRICED,),
    sends="Authorize for two tokens with tariffs of their own.",
    expects="The CSMS SHALL answer each with the tariff of that token.",
    clause=Clause("21-4", "4.1.7"),
    defect="authorize-without-tariff",
    also=("authorize-with-first-tariff",),
    checks=(answered("Authorize", ACCEPTED), Check(claim=_TARIFF, judge=_judge_tariff)),
)
def driver_tariff(probe: Probe) -> None:
    for evse, kwh, _, _ in SESSIONS:
        given = tariff(f"driver-{evse}", energy=energy_prices(price(kwh)))
        token = probe.priced_token(given)
        probe.station.note(driver_tariff={"token": token, "tariff": given})
        authorize(probe.station, token)


_WHOLE = "The tariff that comes with the authorization has every price that was set"
_PARTS = ("energy", "chargingTime", "idleTime", "fixedFee")


def _judge_whole_tariff(history: History) -> list[Finding]:
    """Hold the prices of an answer against those that were set; what the CSMS adds to them is its own."""
    wanted = {str(entry["token"]).casefold(): entry["tariff"] for entry in history.notes("driver_tariff")}
    findings = []
    for call in history.calls("Authorize"):
        token = str(field(call.payload, "idToken.idToken")).casefold()
        if call.answer is None or token not in wanted:
            continue
        usual = _weigh_tariff(history, call, wanted[token])
        found = call.result.get("tariff")
        lost = [name for name in _PARTS if _prices_of(found, name) != _prices_of(wanted[token], name)]
        if usual.verdict is not Verdict.OK or not lost:
            findings.append(Finding(verdict=usual.verdict, claim=_WHOLE, actual=usual.actual, frame=usual.frame))
        else:
            actual = "; ".join(f"{name} is {(found or {}).get(name)!r}" for name in lost)
            findings.append(Finding(verdict=Verdict.FAILED, claim=_WHOLE, actual=actual[:300], frame=call.call.line))
    return findings


def _prices_of(of: Any, part: str) -> list[Any]:
    """List the prices of a part of a tariff without what vendors add."""
    prices = field(of, f"{part}.prices") if isinstance(of, dict) else None
    listed = prices if isinstance(prices, list) else []
    return [{name: value for name, value in each.items() if name != "customData"} for each in listed]


@case(
    id="OPT_75",
    ocpp="2.1",
    title="The tariff of a driver comes with its prices of energy, time and start",
    block=BLOCK,
    profile=PROFILE,
    needs=(PRICED,),
    sends="Authorize for a token whose tariff has prices of a kWh, of a minute, of an idle minute, and of a start.",
    expects="The CSMS SHALL answer with all prices of the tariff.",
    clause=Clause("21-4", "4.1.7"),
    defect="authorize-with-energy-prices-alone",
    also=("authorize-without-tariff", "answer-for-token-of-neighbour", "allowed-transfers-as-text"),
    checks=(answered("Authorize", ACCEPTED), Check(claim=_WHOLE, judge=_judge_whole_tariff)),
)
def whole_driver_tariff(probe: Probe) -> None:
    given = tariff(
        "driver-whole",
        energy=energy_prices(price(0.43)),
        chargingTime=minute_prices(price(0.07)),
        idleTime=minute_prices(price(0.19)),
        fixedFee={"prices": [{"priceFixed": 0.95}]},
    )
    token = probe.priced_token(given)
    probe.station.note(driver_tariff={"token": token, "tariff": given})
    authorize(probe.station, token)
