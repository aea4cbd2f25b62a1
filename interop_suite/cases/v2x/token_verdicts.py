"""What a token is worth, in whichever message it comes, and whatever was said of another one before."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from drivers.base import token_need
from evidence.verdicts import Verdict
from fixtures.csms.defects.v2x_events import event_defect_id
from fixtures.payloads import v2x
from fixtures.tokens import Token, TokenKind
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.exchange import AnswerKind
from interop_suite.claims.expected import field, one_of, shown
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging, authorize
from interop_suite.steps.transaction_events import answers_all
from interop_suite.steps.transaction_records import sessions_began
from interop_suite.steps.v2x import VERSIONS, part6

BLOCK = "Authorization"
PROFILE = "Core"
STATUS = "idTokenInfo.status"
REFUSED = ("Blocked", "Invalid")
FIRST, SECOND = 1, 2
"""EVSEs."""


def _not_accepted(value: Any) -> str | None:
    return None if isinstance(value, str) and value != "Accepted" else f"is {shown(value)} of a token that is refused"


@case(
    id="AU_24",
    ocpp=VERSIONS,
    title="A token is refused, whatever its operator refuses it for, and wherever it is shown",
    block=BLOCK,
    profile=PROFILE,
    needs=tuple(map(token_need, REFUSED)),
    sends="Authorize with a blocked and an invalid token, and sessions that begin with them and end at once.",
    expects="The CSMS SHALL NOT answer Accepted for either, and SHALL answer each event.",
    clause=part6("C01.FR.07"),
    defect="invalid-tag-started",
    also=(
        "unknown-tag-authorized",
        "blocked-tag-authorized",
        "event-without-token-info",
        "sequence-restart-refused",
        event_defect_id("Ended", "Deauthorized"),
    ),
    checks=(
        answered("Authorize", {STATUS: _not_accepted}, claim="A token that is refused is not accepted when asked for"),
        answers_all,
        answered(
            "TransactionEvent",
            {STATUS: _not_accepted},
            when=lambda call: field(call.payload, "eventType") == "Started",
            claim="A token that is refused is not accepted when a session begins with it",
        ),
    ),
)
def refused_tokens(probe: Probe) -> None:
    for evse, status in enumerate(REFUSED, start=FIRST):
        token = probe.token(status)
        authorize(probe.station, token)
        charging = Charging(probe.station, token, connector=evse)
        charging.begin(1_400 * evse)
        charging.event("Ended", "Deauthorized", stopped_reason="DeAuthorized", charging_state="EVConnected")


_OWN = "A token is judged by itself, whoever began the session"


def _judge_own(history: History) -> list[Finding]:
    blocked = {str(token).casefold() for token in history.notes("blocked_token")}
    findings = []
    for call in history.calls("TransactionEvent"):
        token, status = field(call.payload, "idToken.idToken"), field(call.result, STATUS)
        # What an answer says nothing of is another case's matter.
        if call.kind is not AnswerKind.RESULT or status is None or str(token).casefold() not in blocked:
            continue
        verdict = Verdict.FAILED if status == "Accepted" else Verdict.OK
        actual = f"{STATUS} is {status!r} of a blocked token in a session that an accepted one began"
        findings.append(Finding(verdict=verdict, claim=_OWN, actual=actual, frame=call.call.line))
    return findings


_BILLED = "The session stays with the token that began it, and not with one that was refused"


def _judge_billed(history: History) -> list[Finding]:
    """Look at the records where there are any; who ended a session is written down elsewhere in them."""
    blocked = {str(token).casefold() for token in history.notes("blocked_token")}
    reads = [call for call in history.driver_calls if call.operation == "kept" and call.error is None]
    rows = reads[-1].info.get("transactions") or [] if reads else []
    wrong = [row for row in rows if str(row.get("idTag")).casefold() in blocked]
    verdict = Verdict.FAILED if wrong else Verdict.OK
    actual = f"idTag is {wrong[0]['idTag']!r}, which is blocked" if wrong else f"{len(rows)} records"
    return [Finding(verdict=verdict, claim=_BILLED, actual=actual)]


@case(
    id="AU_25",
    ocpp=VERSIONS,
    title="A blocked token that is shown in the session of another one is still blocked",
    block=BLOCK,
    profile=PROFILE,
    needs=(token_need("Accepted"), token_need("Blocked")),
    sends="A session of an accepted token, an Updated in it with a blocked one, and its end with that one.",
    expects="The CSMS SHALL answer each event, SHALL NOT say Accepted of the blocked token, nor charge it.",
    clause=part6("C01.FR.07"),
    defect="token-verdict-of-first-event",
    also=(
        "invalid-tag-started",
        "last-token-written-down",
    ),
    checks=(
        sessions_began(),
        answers_all,
        Check(claim=_OWN, judge=_judge_own),
        Check(claim=_BILLED, judge=_judge_billed),
    ),
)
def shown_in_the_session_of_another(probe: Probe) -> None:
    charging = Charging(probe.station, probe.token(), connector=SECOND)
    charging.begin(1_600)
    charging.token = probe.token("Blocked")
    probe.station.note(blocked_token=charging.token)
    charging.event("Updated", "Authorized", token=charging.identified(), charging_state="Charging")
    charging.end(2_900)


KINDS: Mapping[TokenKind, Callable[[], str]] = {
    TokenKind.ISO14443: lambda: f"04{secrets.token_hex(6).upper()}",
    TokenKind.KEY_CODE: lambda: str(10**7 + secrets.randbelow(9 * 10**7)),
    TokenKind.MAC_ADDRESS: lambda: f"02{secrets.token_hex(5).upper()}",
    TokenKind.CENTRAL: lambda: str(uuid.uuid4()).upper(),
}
"""Tokens as each type writes them (2.x Part 2 appendices, IdTokenEnumType)."""
_EACH_KIND = "A token that its operator accepts is accepted, whatever type it has"


@case(
    id="AU_26",
    ocpp=VERSIONS,
    title="Tokens are accepted whatever they are read from",
    block=BLOCK,
    profile=PROFILE,
    needs=(token_need("Accepted"), token_need("token_type")),
    sends="Authorize with a card, a code, the address of a car and a token of the CSMS, all accepted.",
    expects="The CSMS SHALL answer Accepted to each.",
    clause=part6("C01.FR.02"),
    defect="cards-accepted-only",
    also=("valid-tag-refused", "tokens-of-cards-only"),
    checks=(answered("Authorize", {STATUS: one_of("Accepted")}, claim=_EACH_KIND),),
)
def every_kind(probe: Probe) -> None:
    for kind, make in KINDS.items():
        token = Token(value=make(), kind=kind)
        probe.give_token(token.value, "Accepted", type=kind)
        probe.station.call("Authorize", v2x.authorize(token))
