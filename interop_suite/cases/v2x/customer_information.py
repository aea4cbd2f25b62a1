"""What a 2.x station keeps of a customer: reported, cleared, or both, by token, identifier or certificate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from drivers.base import trigger_need
from evidence.verdicts import Verdict
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked, still_serves
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import Expected, field, one_of, present
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.local_lists import version_rises
from interop_suite.steps.obeying import obey, send_customer_data
from interop_suite.steps.operator_orders import new_tokens, ordered
from interop_suite.steps.v2x import VERSIONS, part6

BLOCK = "Diagnostics"
ORDER = "CustomerInformation"
CUSTOMER = "OpenChargeAlliance"
"""The customerIdentifier that certification names (TC_N_62_CSMS)."""
CERTIFICATE = {
    "hashAlgorithm": "SHA256",
    "issuerNameHash": "7c4b1de0a9f85562d3017e9c8ab64f20c1d2e3f405162738495a6b7c8d9e0f11",
    "issuerKeyHash": "e09f3b52c6d8174aa5be90c1372f6d48b7a69584736251403f2e1d0c9b8a7f66",
    "serialNumber": "41f27ac90be5",
}
DATA = ("Sessions of the customer: 2031-01-02 at EVSE 1, 7.5 kWh.", "2031-01-03 at EVSE 2, 11.25 kWh.")
NO_DATA = ("",)

TOKEN, IDENTIFIER, BY_CERTIFICATE = "idToken", "customerIdentifier", "customerCertificate"

SECOND_PART = "customer-information-second-part-refused"
EMPTY = "customer-information-empty-refused"
NOT_CLEARED = "customer-information-never-clears"
ALWAYS_REPORTED = "customer-information-always-reports"
TOKEN_TYPE = "customer-information-token-type-lost"  # noqa: S105 - the name of a defect

_CUSTOMERS: Mapping[str, Callable[[Probe], Any]] = {
    TOKEN: lambda probe: {"idToken": probe.any_token(), "type": "ISO14443"},
    IDENTIFIER: lambda _probe: CUSTOMER,
    BY_CERTIFICATE: lambda _probe: CERTIFICATE,
}
"""How an operator names a customer."""

every_part_answered = answered("NotifyCustomerInformation", claim="Every part of the information is answered")


class Inquiry(msgspec.Struct, frozen=True, kw_only=True):
    """One order about a customer, and what the station makes of it."""

    id: str
    title: str
    profile: str = "Core"
    clause: Clause
    report: bool
    clear: bool
    by: str = TOKEN
    reply: str = "Accepted"
    parts: tuple[str, ...] = ()
    defect: str
    also: tuple[str, ...] = ()

    @property
    def fields(self) -> dict[str, Expected]:
        """What the CALL must hold."""
        named: dict[str, dict[str, Expected]] = {
            TOKEN: {"idToken.idToken": present(), "idToken.type": one_of("ISO14443")},
            IDENTIFIER: {IDENTIFIER: one_of(CUSTOMER)},
            BY_CERTIFICATE: {f"{BY_CERTIFICATE}.{name}": present() for name in CERTIFICATE},
        }
        flags = {"report": one_of(self.report), "clear": one_of(self.clear)}
        return {"requestId": present(), **flags, **named[self.by]}

    def order(self, probe: Probe) -> dict[str, Any]:
        """Write what the operator asks for."""
        return {"requestId": 731, "report": self.report, "clear": self.clear, self.by: _CUSTOMERS[self.by](probe)}


INQUIRIES = (
    Inquiry(
        id="TC_N_27_CSMS",
        title="Customer information is reported in two parts",
        clause=part6("N09.FR.01"),
        report=True,
        clear=False,
        parts=DATA,
        defect=SECOND_PART,
        also=(TOKEN_TYPE,),
    ),
    Inquiry(
        id="TC_N_28_CSMS",
        title="Customer information is reported, and there is none",
        clause=part6("N09.FR.04"),
        report=True,
        clear=False,
        parts=NO_DATA,
        defect=EMPTY,
        also=(TOKEN_TYPE,),
    ),
    Inquiry(
        id="TC_N_29_CSMS",
        title="The station refuses to report customer information",
        clause=part6("TC_N_29_CSMS"),
        report=True,
        clear=False,
        reply="Rejected",
        defect="closes-after-customer-information-rejected",
        also=(TOKEN_TYPE,),
    ),
    Inquiry(
        id="TC_N_30_CSMS",
        title="Customer information is cleared and reported in two parts",
        clause=part6("N10.FR.08"),
        report=True,
        clear=True,
        parts=DATA,
        defect=NOT_CLEARED,
        also=(SECOND_PART, TOKEN_TYPE),
    ),
    Inquiry(
        id="TC_N_31_CSMS",
        title="Customer information is cleared and reported, and there is none",
        clause=part6("N10.FR.08"),
        report=True,
        clear=True,
        parts=NO_DATA,
        defect=TOKEN_TYPE,
        also=(EMPTY, NOT_CLEARED),
    ),
    Inquiry(
        id="TC_N_32_CSMS",
        title="Customer information is cleared without a report",
        clause=part6("N10.FR.08"),
        report=False,
        clear=True,
        defect=ALWAYS_REPORTED,
        also=(NOT_CLEARED, TOKEN_TYPE),
    ),
    Inquiry(
        id="TC_N_62_CSMS",
        title="Information on a customer with an identifier is cleared and reported",
        clause=part6("N10.FR.08"),
        report=True,
        clear=True,
        by=IDENTIFIER,
        parts=DATA,
        defect="customer-identifier-sent-as-token",
        also=(SECOND_PART, NOT_CLEARED),
    ),
    Inquiry(
        id="TC_N_63_CSMS",
        title="Information on a customer with a certificate is cleared and reported",
        clause=Clause("201-4", "4.1.7"),
        report=True,
        clear=True,
        by=BY_CERTIFICATE,
        parts=DATA,
        defect="customer-certificate-hashes-swapped",
        also=(SECOND_PART, NOT_CLEARED),
    ),
)


def _add(inquiry: Inquiry) -> None:
    told = f"{len(inquiry.parts)} NotifyCustomerInformation, " if inquiry.parts else ""

    @case(
        id=inquiry.id,
        ocpp=VERSIONS,
        title=inquiry.title,
        block=BLOCK,
        profile=inquiry.profile,
        initiator="csms",
        needs=(trigger_need(ORDER),),
        sends=f"{inquiry.reply} to CustomerInformation, {told}then a Heartbeat.",
        expects="The CSMS SHALL name the customer, say whether to report and to clear, and answer what is reported.",
        clause=inquiry.clause,
        defect=inquiry.defect,
        also=inquiry.also,
        checks=(ordered(ORDER, inquiry.fields), *((every_part_answered,) if inquiry.parts else ()), still_serves()),
    )
    def script(probe: Probe) -> None:
        request = obey(probe, ORDER, inquiry.order(probe), {"status": inquiry.reply})
        if request is None:
            return
        send_customer_data(probe.station, request, inquiry.parts)
        heartbeat(probe.station)


for _inquiry in INQUIRIES:
    _add(_inquiry)


# -- the local list, which must forget the customer as well ------------------------------------------------------------

_LISTED = "The local list no longer holds the customer"


def _judge_removal(history: History) -> list[Finding]:
    """Find the customer in what the last list of the CSMS leaves at the station.

    A list that replaces the old one must lack the token; a difference must name it without its information.
    """
    customers = {field(call.payload, "idToken.idToken") for call in history.commands(ORDER)} - {None}
    calls = history.commands("SendLocalList")
    if not customers or not calls:
        return asked("SendLocalList", claim=_LISTED).judge(history) if not calls else []
    folded = {str(customer).casefold() for customer in customers}
    state: dict[str, bool] = {}
    for call in calls:
        entries = call.payload.get("localAuthorizationList") or []
        if call.payload.get("updateType") == "Full":
            state = {}
        state |= {str(field(e, "idToken.idToken")).casefold(): field(e, "idTokenInfo") is not None for e in entries}
    kept = any(state.get(customer) for customer in folded)
    last = calls[-1]
    return [
        Finding(
            verdict=Verdict.FAILED if kept else Verdict.OK,
            claim=_LISTED,
            actual="it still holds the customer's token" if kept else "the customer's token is gone",
            frame=last.call.line,
        )
    ]


@case(
    id="TC_N_46_CSMS",
    ocpp=VERSIONS,
    title="A customer whose information is cleared leaves the local list too",
    block=BLOCK,
    profile="Local Auth List",
    initiator="csms",
    needs=(trigger_need("SendLocalList"), trigger_need(ORDER)),
    sends="Accepted to two SendLocalList and to CustomerInformation, NotifyCustomerInformation, then a Heartbeat.",
    expects="The CSMS SHALL take the customer out of the local list, and order the station to clear and report.",
    clause=Clause("201-4", "4.1.7"),
    defect=NOT_CLEARED,
    also=(
        TOKEN_TYPE,
        SECOND_PART,
        "list-version-always-one",
        "list-difference-sent-as-full",
        "list-removal-with-info",
        "deletion-sent-as-entry",
    ),
    checks=(
        Check(claim=_LISTED, judge=_judge_removal),
        version_rises,
        ordered(ORDER, {"report": one_of(True), "clear": one_of(True), "idToken.idToken": present()}),
        every_part_answered,
        still_serves(),
    ),
)
def leaves_local_list(probe: Probe) -> None:
    station = probe.station
    gone, stays = ({"idToken": token, "type": "ISO14443"} for token in new_tokens(probe, 2))
    accepted = {"status": "Accepted"}
    entries = [{"idToken": token, "idTokenInfo": accepted} for token in (gone, stays)]
    full = {"versionNumber": 61, "updateType": "Full", "localAuthorizationList": entries}
    removal = {"versionNumber": 62, "updateType": "Differential", "localAuthorizationList": [{"idToken": gone}]}
    if obey(probe, "SendLocalList", full, accepted) is None:
        return
    if obey(probe, "SendLocalList", removal, accepted) is None:
        return
    request = obey(probe, ORDER, {"requestId": 741, "report": True, "clear": True, "idToken": gone}, accepted)
    if request is None:
        return
    send_customer_data(station, request, DATA)
    heartbeat(station)
