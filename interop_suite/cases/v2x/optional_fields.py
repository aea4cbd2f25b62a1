"""Fields that few send: orders of the operator that name them, and messages of stations that carry them."""

from __future__ import annotations

from typing import Any

from drivers.base import token_need, trigger_need
from fixtures.device import Variable
from fixtures.payloads import v2x
from fixtures.tokens import Token, TokenKind
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered
from interop_suite.claims.clauses import Clause
from interop_suite.claims.fulfilment import fulfilled
from interop_suite.drive.probe import Probe, now
from interop_suite.steps.charging import Charging, meter_value
from interop_suite.steps.obeying import obey
from interop_suite.steps.order_cases import CLAUSE, WholeOrders, add_orders, one
from interop_suite.steps.tariffs import energy_prices, price, tariff
from interop_suite.steps.transaction_events import answers_all
from interop_suite.steps.v2x import VERSIONS

Payload = dict[str, Any]
V21 = ("2.1",)


def _group(probe: Probe) -> Payload:
    group = probe.made_up_token()
    token = {"idToken": probe.token(parent=group), "type": "ISO14443"}
    return {
        "evseId": 2,
        "remoteStartId": 8153,
        "idToken": token,
        "groupIdToken": {"idToken": group, "type": "Central"},
    }


def _mobile(_probe: Probe) -> Payload:
    apn = {"apn": "internet.example", "apnUserName": "plugstorm", "apnPassword": "Kx4-apn", "apnAuthentication": "CHAP"}
    connection = {
        "ocppVersion": "OCPP20",
        "ocppTransport": "JSON",
        "ocppCsmsUrl": "wss://third.csms.example.invalid/ocpp",
        "messageTimeout": 38,
        "securityProfile": 2,
        "ocppInterface": "Wireless0",
        "apn": apn,
    }
    return {"configurationSlot": 4, "connectionData": connection}


def _transfer(_probe: Probe) -> Payload:
    return {"vendorId": "org.example.plugstorm", "messageId": "SetLamp", "data": {"colour": "blue", "seconds": 45}}


def _taxed(_probe: Probe) -> Payload:
    taxes = [{"type": "vat", "tax": 21.0}, {"type": "city", "tax": 1.5}]
    return {"evseId": 2, "tariff": tariff("with-taxes", energy={**energy_prices(price(0.37)), "taxRates": taxes})}


ORDERS = (
    WholeOrders(
        id="OPT_01",
        title="A remote start names the group of its token",
        block="Remote Control",
        profile="Core",
        action="RequestStartTransaction",
        write=one(_group),
        may_refuse=False,
        needs=(token_need("Accepted"),),
        clause=Clause("201-6", "F01.FR.01"),
        defect="remote-start-without-group",
    ),
    WholeOrders(
        id="OPT_02",
        title="A network profile says how the modem gets into its network",
        block="Provisioning",
        profile="Core",
        action="SetNetworkProfile",
        write=one(_mobile),
        may_refuse=False,
        clause=Clause("201-6", "B09.FR.01"),
        defect="network-profile-without-apn",
        also=(
            "network-profile-in-first-slot",
            "network-profile-timeout-in-ms",
        ),
    ),
    WholeOrders(
        id="OPT_03",
        title="Data for a station keep their messageId and their structure",
        block="Data Transfer",
        profile="Core",
        action="DataTransfer",
        write=one(_transfer),
        may_refuse=False,
        reply={"status": "UnknownVendorId"},
        defect="transferred-data-as-text",
    ),
    WholeOrders(
        id="OPT_04",
        title="The default tariff of an EVSE has its tax rates",
        versions=V21,
        block="Tariff and Cost",
        profile="Advanced UI",
        action="SetDefaultTariff",
        write=one(_taxed),
        may_refuse=False,
        defect="tariff-without-taxes",
    ),
)


for _order in ORDERS:
    add_orders(_order)


# -- what a station tells --------------------------------------------------------------------------------------------


@case(
    id="OPT_10",
    ocpp=VERSIONS,
    title="A report has targets and bounds beside actual values, and may have nothing in its last part",
    block="Provisioning",
    profile="Core",
    needs=(trigger_need("GetBaseReport"),),
    sends="Accepted to GetBaseReport; NotifyReport with Actual, Target, MinSet and MaxSet, and one without reportData.",
    expects="The CSMS SHALL answer each part with a CALLRESULT.",
    clause=CLAUSE,
    defect="report-of-targets-refused",
    also=(
        "base-report-always-configuration",
        "report-over-after-first-part",
    ),
    checks=(fulfilled("GetBaseReport"), answered("NotifyReport", claim="Every part of the report is answered")),
)
def other_attributes(probe: Probe) -> None:
    order = {"requestId": 6407, "reportBase": "FullInventory"}
    request = obey(probe, "GetBaseReport", order, {"status": "Accepted"})
    if request is None:
        return
    number = int(request.get("requestId", 0))
    variable = Variable("Connector", "SupplyPhases", "3", data_type="integer", evse_id=2)
    values = {"Actual": "3", "Target": "1", "MinSet": "1", "MaxSet": "3"}
    item = v2x.report_item(variable, variable.value)
    item["variableAttribute"] = [
        {"type": kind, "value": value, "mutability": "ReadWrite", "persistent": True, "constant": False}
        for kind, value in values.items()
    ]
    probe.station.call("NotifyReport", v2x.notify_report(number, 0, now(), [item], tbc=True))
    probe.station.call("NotifyReport", {"requestId": number, "seqNo": 1, "generatedAt": now()})


@case(
    id="OPT_11",
    ocpp=VERSIONS,
    title="A session tells for how long it has charged",
    block="Transactions",
    profile="Core",
    needs=(token_need("Accepted"),),
    sends="The start of a session at EVSE 2, two events with timeSpentCharging, and its end with it.",
    expects="The CSMS SHALL answer every event.",
    clause=CLAUSE,
    defect="time-spent-charging-refused",
    checks=(answers_all,),
)
def time_spent(probe: Probe) -> None:
    charging = Charging(probe.station, probe.token(), connector=2)
    charging.begin(1400)
    charging.event("Updated", "ChargingStateChanged", charging_state="SuspendedEV", time_spent_charging=612)
    charging.event("Updated", "ChargingStateChanged", charging_state="Charging", time_spent_charging=612)
    reading = [meter_value(2900, "Transaction.End")]
    charging.event(
        "Ended",
        "StopAuthorized",
        token=charging.identified(),
        stopped_reason="Local",
        time_spent_charging=1375,
        meter_value=reading,
    )


KINDS = (TokenKind.KEY_CODE, TokenKind.MAC_ADDRESS, TokenKind.LOCAL, TokenKind.ISO15693)


@case(
    id="OPT_12",
    ocpp=VERSIONS,
    title="Tokens that are no cards are answered, with what else was read",
    block="Authorization",
    profile="Core",
    sends=f"Authorize with unknown tokens of {', '.join(KINDS)}, and of a card with additionalInfo.",
    expects="The CSMS SHALL answer each with a CALLRESULT, whatever it thinks of the token.",
    clause=CLAUSE,
    defect="tokens-of-cards-only",
    checks=(answered("Authorize", claim="Every token is answered, whatever it is"),),
)
def other_kinds(probe: Probe) -> None:
    for kind in KINDS:
        probe.station.call("Authorize", v2x.authorize(Token(value=probe.made_up_token(kind), kind=kind)))
    card = v2x.authorize(Token(value=probe.made_up_token(), kind=TokenKind.ISO14443))
    card["idToken"]["additionalInfo"] = [{"additionalIdToken": "DE-PLG-C00417-8", "type": "contract"}]
    probe.station.call("Authorize", card)
