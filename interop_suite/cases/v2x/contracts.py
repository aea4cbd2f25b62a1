"""Plug and charge: what the CSMS says of the contract certificate of a car."""

from __future__ import annotations

from typing import Any

from drivers.base import token_need
from evidence.verdicts import Verdict
from fixtures.certificates import Authority, hash_data, make_csr
from fixtures.payloads import v2x
from fixtures.tokens import Token, TokenKind
from interop_suite.catalogue import case
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind, Exchange
from interop_suite.claims.expected import field
from interop_suite.claims.history import History
from interop_suite.drive.answers import Answer
from interop_suite.drive.ocsp_responder import responding
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging
from interop_suite.steps.transaction_events import answers_all
from interop_suite.steps.v2x import VERSIONS, starts_with_token

BLOCK = "Authorization"
PROFILE = "ISO 15118"
NEEDS = (token_need("Accepted"),)
SECOND = 2
"""The EVSE."""
ACCEPTED = "Accepted"
EVENTS = "event-without-token-info"
_NOT_HAD = "this CSMS says nothing of contract certificates: its answer has no certificateStatus"


def _authorize(probe: Probe, token: Token, **shown: Any) -> Answer:
    return probe.station.call("Authorize", {**v2x.authorize(token), **shown})


def _contract(probe: Probe) -> Token:
    return Token(value=probe.contract_id(), kind=TokenKind.EMAID)


def _hashes(probe: Probe, token: Token, *, revoked: bool) -> Answer:
    """Show the hashes of a contract certificate whose responder is this machine; note whether it was asked."""
    authority = Authority("Plugstorm Mobility Operator")
    certificate = authority.station(token.value, "Plugstorm Mobility").certificate_pem
    with responding(authority, revoked=revoked) as responder:
        data = {**hash_data(certificate, authority.certificate_pem), "responderURL": responder.url}
        answer = _authorize(probe, token, iso15118CertificateHashData=[data])
        probe.station.note(responder_asked=responder.asked)
    return answer


def _told(call: Exchange) -> tuple[Any, Any]:
    """Read what an answer says of the certificate, and of its token."""
    return call.result.get("certificateStatus"), field(call.result, "idTokenInfo.status")


def _in_words(call: Exchange, asked: int) -> str:
    status, token = _told(call)
    how = f"its responder was asked {asked} times" if asked else "its responder was not asked"
    return f"certificateStatus is {status!r}, the token {token!r}; {how}"


def _answers(history: History) -> list[tuple[Exchange, int]]:
    """Pair each answered Authorize with how often the responder was asked for it."""
    calls = [call for call in history.calls("Authorize") if call.kind is AnswerKind.RESULT]
    return [(call, int(asked)) for call, asked in zip(calls, history.notes("responder_asked"), strict=False)]


def _finding(verdict: Verdict, claim: str, call: Exchange, actual: str) -> Finding:
    return Finding(verdict=verdict, claim=claim, actual=actual, frame=call.answer.line if call.answer else None)


_GOOD = "A contract certificate that its responder calls good is accepted"
_REVOKED = "A contract certificate that its responder calls revoked is not accepted"


_UNASKED = "this CSMS asks no responder: it refuses the contract certificate for want of a status of its own"


def _asks_nobody(call: Exchange, asked: int) -> bool:
    """Return whether a CSMS refuses for want of a status, which is what is left to one that reaches no responder."""
    status, token = _told(call)
    return not asked and status == "NoCertificateAvailable" and token != ACCEPTED


def _judge_good(history: History) -> list[Finding]:
    """Expect Accepted of who asked; a CSMS that cannot reach the responder may not believe the certificate."""
    findings = []
    for call, asked in _answers(history):
        status, token = _told(call)
        if status is None or _asks_nobody(call, asked):
            findings.append(_finding(Verdict.NOT_APPLICABLE, _GOOD, call, _NOT_HAD if status is None else _UNASKED))
            continue
        broken = Verdict.FAILED if asked else Verdict.INCONCLUSIVE
        verdict = Verdict.OK if status == token == ACCEPTED else broken
        findings.append(_finding(verdict, _GOOD, call, _in_words(call, asked)))
    return findings


def _judge_revoked(history: History) -> list[Finding]:
    """Expect CertificateRevoked and Invalid; another refusal is only less exact.

    Who does not reach the responder, which is on our machine, cannot know; to accept the certificate then is a habit.
    """
    findings = []
    for call, asked in _answers(history):
        status, token = _told(call)
        actual = _in_words(call, asked)
        if status is None or _asks_nobody(call, asked):
            verdict, actual = Verdict.NOT_APPLICABLE, _NOT_HAD if status is None else _UNASKED
        elif ACCEPTED in (status, token):
            verdict = Verdict.FAILED if asked else Verdict.NON_STRICT
        else:
            exact = (status, token) == ("CertificateRevoked", "Invalid")
            verdict = Verdict.OK if exact else Verdict.NON_STRICT
        findings.append(_finding(verdict, _REVOKED, call, actual))
    return findings


def _charge(probe: Probe, token: Token) -> None:
    charging = Charging(probe.station, token.value, connector=SECOND)
    charging.begin(1000, token=token)
    charging.end(2100, token=token)


@case(
    id="TC_C_50_CSMS",
    ocpp=VERSIONS,
    title="Plug and charge: the hashes of a contract certificate that is good",
    block=BLOCK,
    profile=PROFILE,
    needs=NEEDS,
    sends="Authorize with an eMAID and the hashes of its certificate, whose OCSP responder says good, and a session.",
    expects="The CSMS SHALL answer that certificate and token are Accepted, and accept the token in the session.",
    clause=Clause("201-E", "C07.FR.14"),
    defect="contract-hashes-unread",
    also=(EVENTS, "valid-tag-refused"),
    checks=(Check(claim=_GOOD, judge=_judge_good), answers_all, starts_with_token(ACCEPTED)),
)
def good_contract(probe: Probe) -> None:
    token = _contract(probe)
    _hashes(probe, token, revoked=False)
    _charge(probe, token)


@case(
    id="TC_C_51_CSMS",
    ocpp=VERSIONS,
    title="Plug and charge: the hashes of a contract certificate that was revoked",
    block=BLOCK,
    profile=PROFILE,
    needs=NEEDS,
    sends="Authorize with an eMAID and the hashes of its certificate, whose OCSP responder says revoked.",
    expects="The CSMS SHALL answer that the certificate is CertificateRevoked, and the token Invalid.",
    clause=Clause("201-E", "C07.FR.16"),
    defect="revoked-contract-accepted",
    also=("unknown-tag-authorized",),
    checks=(Check(claim=_REVOKED, judge=_judge_revoked),),
)
def revoked_contract(probe: Probe) -> None:
    _hashes(probe, _contract(probe), revoked=True)


_OWN = "A chain of an authority that the CSMS knows is accepted"
_FOREIGN = "A chain of an authority that the CSMS cannot know is not accepted"


def _chains(history: History, name: str) -> list[Exchange]:
    """List the answered CALLs that showed a chain of this kind."""
    kinds = list(history.notes("chain"))
    calls = history.calls("Authorize")
    shown = [call for kind, call in zip(kinds, calls, strict=False) if kind == name]
    return [call for call in shown if call.kind is AnswerKind.RESULT]


def _judge_own(history: History) -> list[Finding]:
    """Show that a chain can be accepted at all; a CSMS may trust other authorities for contracts than for stations."""
    findings = []
    for call in _chains(history, "own"):
        status, token = _told(call)
        if status is None:
            verdict, actual = Verdict.NOT_APPLICABLE, _NOT_HAD
        elif status != ACCEPTED:
            verdict, actual = (
                Verdict.NOT_APPLICABLE,
                f"it takes no contract of its authority for stations: {status}",
            )
        else:
            verdict = Verdict.OK if token == ACCEPTED else Verdict.FAILED
            actual = f"certificateStatus is {status!r}, the token {token!r}"
        findings.append(_finding(verdict, _OWN, call, actual))
    return findings


def _judge_foreign(history: History) -> list[Finding]:
    findings = []
    for call in _chains(history, "foreign"):
        status, token = _told(call)
        if status is None:
            verdict, actual = Verdict.NOT_APPLICABLE, _NOT_HAD
        else:
            verdict = Verdict.FAILED if ACCEPTED in (status, token) else Verdict.OK
            exact = verdict is Verdict.FAILED or (status, token) == ("CertChainError", "Invalid")
            verdict = verdict if exact else Verdict.NON_STRICT
            actual = f"certificateStatus is {status!r}, the token {token!r}"
        findings.append(_finding(verdict, _FOREIGN, call, actual))
    return findings


@case(
    id="TC_C_52_CSMS",
    ocpp=VERSIONS,
    title="Plug and charge: the CSMS validates the chain of a contract certificate",
    block=BLOCK,
    profile=PROFILE,
    needs=(*NEEDS, "client-certificate"),
    sends="Authorize with an eMAID and a chain of an unknown authority, then one of a known authority, and a session.",
    expects="The CSMS SHALL refuse the first as CertChainError, and accept the second.",
    clause=Clause("201-E", "C07.FR.17"),
    defect="foreign-contract-accepted",
    also=(EVENTS, "valid-tag-refused", "unknown-tag-authorized"),
    checks=(
        Check(claim=_FOREIGN, judge=_judge_foreign),
        Check(claim=_OWN, judge=_judge_own),
        answers_all,
        starts_with_token(ACCEPTED),
    ),
)
def chain_of_contract(probe: Probe) -> None:
    station, token = probe.station, _contract(probe)
    foreign = Authority("Plugstorm Unknown Operator").station(token.value, "Plugstorm Mobility").chain_pem.decode()
    request = make_csr(token.value, probe.operator)
    known = probe.signed_chain(station, request)
    for kind, chain in (("foreign", foreign), ("own", known)):
        station.note(chain=kind)
        answer = _authorize(probe, token, certificate=chain)
    if answer.get("idTokenInfo", "status") == ACCEPTED:
        _charge(probe, token)
