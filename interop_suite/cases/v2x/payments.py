"""Payments of 2.1: prepaid tokens, terminals in and beside the station, web payments, settlements and tax numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from drivers.base import token_need, trigger_need
from evidence.verdicts import Verdict
from fixtures.csms.defects.v2x_events import event_defect_id
from fixtures.payloads import v2x, v21
from fixtures.tokens import Token, TokenKind
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind, Exchange
from interop_suite.claims.expected import field, one_of
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe, now
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps.charging import Charging, authorize, meter_value
from interop_suite.steps.payment import DirectPayment, new_payment
from interop_suite.steps.transaction_events import CHARGING, answers_all
from interop_suite.steps.v2x import ACCEPTED, starts_with_token

BLOCK = "Authorization"
PROFILE = "Payment"
V21 = "2.1"
CLAUSE = Clause("21-4", "4.1.7")
FIRST, SECOND = 1, 2
"""EVSEs."""
TOKEN_INFO = "event-without-token-info"  # noqa: S105  # the name of a defect
STATUS = "idTokenInfo.status"
REMOTE = event_defect_id("Started", "RemoteStart")
accepted_in_events = starts_with_token("Accepted")


@case(
    id="TC_C_103_CSMS",
    ocpp=V21,
    title="A prepaid token with credit is accepted, and charges within the limit that the CSMS may set",
    block=BLOCK,
    profile=PROFILE,
    needs=(token_need("Accepted"),),
    sends="Authorize with a token that has credit, and a session that keeps to any limit of the answers.",
    expects="The CSMS SHALL accept the token in both answers, and answer every event.",
    clause=CLAUSE,
    defect="valid-tag-refused",
    also=(TOKEN_INFO,),
    checks=(answered("Authorize", ACCEPTED), answers_all, accepted_in_events),
)
def prepaid(probe: Probe) -> None:
    station, token = probe.station, probe.token()
    authorize(station, token)
    charging = Charging(station, token, connector=SECOND)
    limit = charging.begin(1000).get("transactionLimit")
    if isinstance(limit, dict):
        charging.event("Updated", "LimitSet", charging_state="Charging")
    charging.sample(1700)
    charging.end(2300)


@case(
    id="TC_C_104_CSMS",
    ocpp=V21,
    title="A prepaid token without credit is refused",
    block=BLOCK,
    profile=PROFILE,
    needs=(token_need("NoCredit"),),
    sends="Authorize with a token that has no credit left.",
    expects="The CSMS SHALL answer with a status of NoCredit.",
    clause=CLAUSE,
    defect="no-credit-authorized",
    checks=(
        answered(
            "Authorize",
            {STATUS: one_of("NoCredit")},
            tolerate={STATUS: ("Blocked", "Invalid", "Expired", "Unknown")},
            claim="A token without credit is not accepted",
        ),
    ),
)
def no_credit(probe: Probe) -> None:
    authorize(probe.station, probe.token("NoCredit"))


_SAME_NUMBER = "The answer names the VAT number and the EVSE of its request"


def _judge_vat_numbers(history: History) -> list[Finding]:
    return [
        Finding(
            verdict=Verdict.OK if _is_about_request(call) else Verdict.FAILED,
            claim=_SAME_NUMBER,
            actual=f"{call.describe_answer()} to {call.payload}",
            frame=call.answer.line if call.answer else None,
        )
        for call in history.calls("VatNumberValidation")
        if call.kind is AnswerKind.RESULT
    ]


def _is_about_request(call: Exchange) -> bool:
    """Compare the number as people write it, with or without spaces, and the EVSE where the answer has one."""
    told, wanted = (str(each.get("vatNumber")).replace(" ", "").casefold() for each in (call.result, call.payload))
    return told == wanted and call.result.get("evseId") in (None, field(call.payload, "evseId"))


@case(
    id="TC_C_108_CSMS",
    ocpp=V21,
    title="VAT numbers of two customers are validated",
    block=BLOCK,
    profile=PROFILE,
    sends="VatNumberValidation with two numbers, for two EVSEs.",
    expects="The CSMS SHALL answer each with its number, and say whether it is valid.",
    clause=CLAUSE,
    defect="vat-number-of-first-request",
    checks=(
        answered("VatNumberValidation", {"status": one_of("Accepted", "Rejected")}),
        Check(claim=_SAME_NUMBER, judge=_judge_vat_numbers),
    ),
)
def vat_numbers(probe: Probe) -> None:
    for number, evse in (("NL004495445B01", SECOND), ("DE129273398", FIRST)):
        probe.station.call("VatNumberValidation", v21.vat_number_validation(number, evse_id=evse))


def _takes_payments(history: History) -> list[Finding]:
    """Expect the payment of a terminal to be accepted; a CSMS that has no such payments refuses every one.

    Certification runs these cases only for a CSMS that claims payments, and nothing but its answers says that it has
    them: to others the reference of a payment is a token that they do not know. Whoever claims them in a features file
    gets INCONCLUSIVE for a refusal.
    """
    paid = [
        call
        for call in history.calls("TransactionEvent")
        if field(call.payload, "idToken.type") == TokenKind.DIRECT_PAYMENT.value and call.kind is AnswerKind.RESULT
    ]
    statuses = [field(call.result, STATUS) for call in paid]
    if statuses and all(status in _REFUSED for status in statuses):
        actual = f"this CSMS takes no payments of terminals: it answers {', '.join(sorted(set(statuses)))}"
        return [Finding(verdict=Verdict.NOT_APPLICABLE, claim=accepted_in_events.claim, actual=actual)]
    return accepted_in_events.judge(history)


_REFUSED = frozenset({"Blocked", "Invalid", "NotAllowedTypeEVSE", "NotAtThisLocation", "NotAtThisTime", "Unknown"})
takes_payments = Check(claim=accepted_in_events.claim, judge=_takes_payments)


def _takes_orders(history: History) -> list[Finding]:
    """Expect a payment of which the CSMS was told to be accepted; a bare command tells its list of tokens nothing."""
    told = any(call.operation == "set_token" for call in history.driver_calls)
    return accepted_in_events.judge(history) if told else _takes_payments(history)


takes_orders = Check(claim=accepted_in_events.claim, judge=_takes_orders)


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """How the payments of two sessions at a terminal of the station end."""

    id: str
    title: str
    status: str | None
    """`status` of NotifySettlement; None where the CSMS settles by itself and is told nothing."""
    amounts: tuple[float, float] = (7.35, 12.4)
    stopped: str = "Local"
    receipt: bool = False
    """Whether the CSMS makes the receipt."""
    defect: str
    also: tuple[str, ...] = ()


SETTLEMENTS = (
    Settlement(
        id="TC_C_113_CSMS",
        title="Payments are cancelled after the session began",
        status="Canceled",
        amounts=(0.0, 0.0),
        stopped="StoppedByEV",
        defect="settlement-of-nothing-refused",
    ),
    Settlement(
        id="TC_C_117_CSMS",
        title="The CSMS settles payments of a terminal, and makes the receipts",
        status=None,
        defect=TOKEN_INFO,
    ),
    Settlement(
        id="TC_C_118_CSMS",
        title="The station settles payments, and the CSMS makes the receipts",
        status="Settled",
        receipt=True,
        defect="receipt-of-first-settlement",
        also=("token-info-only-when-authorized",),
    ),
    Settlement(
        id="TC_C_119_CSMS",
        title="Settlements that failed are taken note of",
        status="Failed",
        defect="unsettled-payment-refused",
    ),
    Settlement(
        id="TC_C_120_CSMS",
        title="Settlements that were rejected are taken note of",
        status="Rejected",
        defect="unsettled-payment-refused",
    ),
)
_OWN_RECEIPT = "Each settled payment has a receipt of its own"
settlement_answered = answered("NotifySettlement", claim="Every settlement is answered")


def _judge_receipts(history: History) -> list[Finding]:
    """Find receipts that stand for two payments; a CSMS need not make one (then the station has none to show).

    One address for all receipts is a page that asks for their numbers, where they have numbers of their own.
    """
    findings = []
    seen: set[str] = set()
    for call in history.calls("NotifySettlement"):
        if call.kind is not AnswerKind.RESULT:
            continue
        number, address = (str(call.result.get(name) or "") for name in ("receiptId", "receiptUrl"))
        verdict = Verdict.OK if number or address else Verdict.NON_STRICT
        if address in seen:
            verdict = Verdict.NON_STRICT if number and number not in seen else Verdict.FAILED
        findings.append(
            Finding(
                verdict=Verdict.FAILED if number in seen else verdict,
                claim=_OWN_RECEIPT,
                actual=f"{f'{number} {address}'.strip() or 'no receipt'} for {field(call.payload, 'pspRef')}",
                frame=call.answer.line if call.answer else None,
            )
        )
        seen |= {number, address} - {""}
    return findings


def _settle(station: ScriptedStation, status: str, amount: float, paid: DirectPayment, session: Charging) -> None:
    payload = v21.notify_settlement(paid.reference, status, amount, now(), transaction_id=str(session.id))
    station.call("NotifySettlement", payload)


def _add_settlement(settlement: Settlement) -> None:
    told = settlement.status is not None
    receipts = (Check(claim=_OWN_RECEIPT, judge=_judge_receipts),) if settlement.receipt else ()
    others = {TOKEN_INFO} - {settlement.defect}

    @case(
        id=settlement.id,
        ocpp=V21,
        title=settlement.title,
        block=BLOCK,
        profile=PROFILE,
        sends="Two sessions that were paid at a terminal, and what became of the payments.",
        expects="The CSMS SHALL accept the payments, answer every event and every settlement.",
        clause=CLAUSE,
        defect=settlement.defect,
        also=(*settlement.also, *sorted(others)),
        checks=(answers_all, takes_payments, *((settlement_answered,) if told else ()), *receipts),
    )
    def script(probe: Probe) -> None:
        station = probe.station
        paid = [new_payment() for _ in (FIRST, SECOND)]
        sessions = [Charging(station, paid[evse - 1].reference, connector=evse) for evse in (FIRST, SECOND)]
        for number, session in enumerate(sessions):
            session.begin(1000 + 300 * number, token=paid[number].token)
        for number, session in enumerate(sessions):
            more = {"stopped_reason": settlement.stopped, "token": paid[number].token}
            session.end(1000 + 800 * number, **more)
            if settlement.status is not None:
                _settle(station, settlement.status, settlement.amounts[number], paid[number], session)


for _settlement in SETTLEMENTS:
    _add_settlement(_settlement)


class RemotePayment(msgspec.Struct, frozen=True, kw_only=True):
    """A session that somebody has paid elsewhere, and that the CSMS starts."""

    id: str
    title: str
    web: bool = False
    """Whether the payment was made on the web, so that the station is told of its beginning."""
    local_cost: bool = False
    """Whether the station computes what the session costs."""
    defect: str
    also: tuple[str, ...] = ()


AS_CENTRAL = "direct-payment-as-central-token"
REMOTE_PAYMENTS = (
    RemotePayment(
        id="TC_C_125_CSMS",
        title="A terminal beside the station, and the CSMS computes the cost",
        defect=AS_CENTRAL,
    ),
    RemotePayment(
        id="TC_C_126_CSMS",
        title="A terminal beside the station, and the station computes the cost",
        local_cost=True,
        defect="cost-details-refused",
        also=(AS_CENTRAL, "cost-details-need-periods", "token-info-only-when-authorized"),
    ),
    RemotePayment(
        id="TC_C_131_CSMS",
        title="A customer scans the code of the station, and pays on the web",
        web=True,
        defect="web-payment-of-first-evse",
        also=(AS_CENTRAL,),
    ),
)
WEB_TIMEOUT = 240
COST: Mapping[str, Any] = {
    "totalCost": {"currency": "EUR", "typeOfCost": "NormalCost", "total": {"exclTax": 3.1, "inclTax": 3.69}},
    "totalUsage": {"energy": 1500.0, "chargingTime": 600, "idleTime": 0},
}


def _make_known(probe: Probe, paid: DirectPayment) -> None:
    """Register the reference of a payment where the driver can, as whoever took the payment does."""
    if probe.driver.missing(token_need("Accepted"), probe.version) is None:
        probe.give_token(paid.reference, "Accepted", type=TokenKind.DIRECT_PAYMENT)


def _order_start(probe: Probe, paid: DirectPayment) -> dict[str, Any] | None:
    """Have the CSMS start the session of a payment; gives the CALL, None where none came."""
    probe.station.reply("RequestStartTransaction", {"status": "Accepted"})
    token = {"idToken": paid.reference, "type": TokenKind.DIRECT_PAYMENT.value}
    probe.command("RequestStartTransaction", {"evseId": SECOND, "remoteStartId": 6271, "idToken": token})
    return probe.station.expect("RequestStartTransaction")


def _add_remote(payment: RemotePayment) -> None:
    orders = ("NotifyWebPaymentStarted", "RequestStartTransaction") if payment.web else ("RequestStartTransaction",)
    told = (asked("NotifyWebPaymentStarted", {"evseId": one_of(SECOND)}),) if payment.web else ()

    @case(
        id=payment.id,
        ocpp=V21,
        title=payment.title,
        block=BLOCK,
        profile=PROFILE,
        initiator="csms",
        needs=tuple(map(trigger_need, orders)),
        sends="Accepted to RequestStartTransaction, then the session with its remoteStartId and token.",
        expects="The CSMS SHALL start the session with the payment that was named, and answer every event.",
        clause=CLAUSE,
        defect=payment.defect,
        also=(*payment.also, TOKEN_INFO, REMOTE, "direct-payment-not-known"),
        checks=(
            *told,
            asked("RequestStartTransaction", {"idToken.type": one_of(TokenKind.DIRECT_PAYMENT.value)}),
            answers_all,
            takes_orders,
        ),
    )
    def script(probe: Probe) -> None:
        station, paid = probe.station, new_payment()
        _make_known(probe, paid)
        if payment.web:
            station.reply("NotifyWebPaymentStarted", {})
            probe.command("NotifyWebPaymentStarted", {"evseId": SECOND, "timeout": WEB_TIMEOUT})
        request = _order_start(probe, paid)
        if request is None:
            return
        # The session carries what the CSMS has sent, which may differ in case.
        reference = str(field(request, "idToken.idToken") or paid.reference)
        session = Charging(station, reference, connector=SECOND)
        token = Token(value=reference, kind=TokenKind.DIRECT_PAYMENT)
        number = int(request.get("remoteStartId", 0))
        session.event("Started", "RemoteStart", token=token, charging_state="EVConnected", remote_start_id=number)
        CHARGING.send(session)
        session.sample(1800)
        _end(session, token, COST if payment.local_cost else None)


def _end(session: Charging, token: Token, cost: Mapping[str, Any] | None) -> None:
    payload = v2x.transaction_event(
        "Ended",
        "StopAuthorized",
        session.events,
        str(session.id),
        now(),
        charging_state="EVConnected",
        stopped_reason="Local",
        evse_id=session.connector,
        connector_id=1,
        token=token,
        meter_value=[meter_value(2500, "Transaction.End")],
    )
    session.station.call("TransactionEvent", payload if cost is None else {**payload, "costDetails": cost})


for _payment in REMOTE_PAYMENTS:
    _add_remote(_payment)
