"""Plug and charge: what the CSMS says of the contract certificate of a car."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drivers.base import token_need, trigger_need
from evidence.verdicts import Verdict
from fixtures.certificates import Authority, Flaw, hash_data, make_csr
from fixtures.payloads import v2x
from fixtures.tokens import Token, TokenKind
from interop_suite.catalogue import case
from interop_suite.claims.checks import asked
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind, Exchange
from interop_suite.claims.expected import field
from interop_suite.claims.features import says_unsupported
from interop_suite.claims.history import History
from interop_suite.drive.answers import Answer
from interop_suite.drive.ocsp_responder import responding
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging
from interop_suite.steps.obeying import obey
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


def _hashes(probe: Probe, token: Token, *, revoked: bool = False, known: bool = True) -> Answer:
    """Show the hashes of a contract certificate whose responder is this machine; note whether it was asked."""
    authority = Authority("Plugstorm Mobility Operator")
    certificate = authority.station(token.value, "Plugstorm Mobility").certificate_pem
    with responding(authority, revoked=revoked, known=known) as responder:
        data = {**hash_data(certificate, authority.certificate_pem), "responderURL": responder.url}
        answer = _authorize(probe, token, iso15118CertificateHashData=[data])
        probe.station.note(responder_asked=responder.asked)
    return answer


def _told(call: Exchange) -> tuple[Any, Any]:
    """Read what an answer says of the certificate, and of its token."""
    return call.result.get("certificateStatus"), field(call.result, "idTokenInfo.status")


def _in_words(call: Exchange, questions: int) -> str:
    status, token = _told(call)
    how = f"its responder was asked {questions} times" if questions else "its responder was not asked"
    return f"certificateStatus is {status!r}, the token {token!r}; {how}"


def _answers(history: History) -> list[tuple[Exchange, int]]:
    """Pair each answered Authorize with how often the responder was asked for it."""
    calls = [call for call in history.calls("Authorize") if call.kind is AnswerKind.RESULT]
    return [(call, int(questions)) for call, questions in zip(calls, history.notes("responder_asked"), strict=False)]


def _finding(verdict: Verdict, claim: str, call: Exchange, actual: str) -> Finding:
    return Finding(verdict=verdict, claim=claim, actual=actual, frame=call.answer.line if call.answer else None)


_GOOD = "A contract certificate that its responder calls good is accepted"
_REVOKED = "A contract certificate that its responder calls revoked is not accepted"


_UNASKED = "this CSMS asks no responder: it refuses the contract certificate for want of a status of its own"


def _untold(questions: int) -> tuple[Verdict, str]:
    """Weigh an answer without certificateStatus: whoever asked the responder knows it, and the station has to."""
    if questions:
        return Verdict.FAILED, f"it has no certificateStatus, although its responder was asked {questions} times"
    return Verdict.NOT_APPLICABLE, _NOT_HAD


def _asks_nobody(call: Exchange, questions: int) -> bool:
    """Return whether a CSMS refuses for want of a status, which is what is left to one that reaches no responder."""
    status, token = _told(call)
    return not questions and status == "NoCertificateAvailable" and token != ACCEPTED


def _judge_good(history: History) -> list[Finding]:
    """Expect Accepted of who asked; a CSMS that cannot reach the responder may not believe the certificate."""
    findings = []
    for call, questions in _answers(history):
        status, token = _told(call)
        if status is None or _asks_nobody(call, questions):
            verdict, actual = _untold(questions) if status is None else (Verdict.NOT_APPLICABLE, _UNASKED)
            findings.append(_finding(verdict, _GOOD, call, actual))
            continue
        broken = Verdict.FAILED if questions else Verdict.INCONCLUSIVE
        verdict = Verdict.OK if status == token == ACCEPTED else broken
        findings.append(_finding(verdict, _GOOD, call, _in_words(call, questions)))
    return findings


def _judge_revoked(history: History) -> list[Finding]:
    """Expect CertificateRevoked and Invalid; another refusal is only less exact.

    Who does not reach the responder, which is on our machine, cannot know; to accept the certificate then is a habit.
    """
    findings = []
    for call, questions in _answers(history):
        status, token = _told(call)
        actual = _in_words(call, questions)
        if status is None or _asks_nobody(call, questions):
            verdict, actual = _untold(questions) if status is None else (Verdict.NOT_APPLICABLE, _UNASKED)
        elif ACCEPTED in (status, token):
            verdict = Verdict.FAILED if questions else Verdict.NON_STRICT
        else:
            exact = (status, token) == ("CertificateRevoked", "Invalid")
            verdict = Verdict.OK if exact else Verdict.NON_STRICT
        findings.append(_finding(verdict, _REVOKED, call, actual))
    return findings


_REFUSES = "this CSMS has no contract certificates: it refuses them as NotSupported"


def _of_who_has_contracts(claim: str, judge: Callable[[History], list[Finding]]) -> Check:
    """Judge only who takes contract certificates at all, which no profile but ISO 15118 asks for."""

    def weigh(history: History) -> list[Finding]:
        calls = history.calls("Authorize")
        if calls and all(says_unsupported(call) for call in calls):
            return [_finding(Verdict.NOT_APPLICABLE, claim, calls[0], _REFUSES)]
        return judge(history)

    return Check(claim=claim, judge=weigh)


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
    also=(EVENTS, "valid-tag-refused", "contract-status-untold"),
    checks=(_of_who_has_contracts(_GOOD, _judge_good), answers_all, starts_with_token(ACCEPTED)),
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
    also=("unknown-tag-authorized", "contract-status-untold"),
    checks=(_of_who_has_contracts(_REVOKED, _judge_revoked),),
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
        _of_who_has_contracts(_FOREIGN, _judge_foreign),
        _of_who_has_contracts(_OWN, _judge_own),
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


# -- chains below a root that the operator installed -------------------------------------------------------------------

_ROOT = "MORootCertificate"
_FLAWED = "Of the chains of an authority that the operator made known, only the one that holds is accepted"
_EXACT = {
    "expired": ("CertificateExpired", "Expired"),
    "of a namesake": ("CertChainError", "Invalid"),
}
_CHAINS = (("good", None), ("expired", Flaw.EXPIRED), ("of a namesake", Flaw.FOREIGN_CA))


def _judge_flawed(history: History) -> list[Finding]:
    """Hold the flawed chains against a CSMS that takes the good one.

    Another refusal than the one that the texts name is only less exact.
    """
    good = _chains(history, "good")
    if not good or not all(_told(call) == (ACCEPTED, ACCEPTED) for call in good):
        actual = "it takes no contract of an authority whose root the operator installs"
        return [Finding(verdict=Verdict.NOT_APPLICABLE, claim=_FLAWED, actual=actual)]
    findings = [_finding(Verdict.OK, _FLAWED, call, "the good chain is Accepted") for call in good]
    for kind, exact in _EXACT.items():
        for call in _chains(history, kind):
            told = _told(call)
            verdict = Verdict.FAILED if ACCEPTED in told else Verdict.OK if told == exact else Verdict.NON_STRICT
            actual = f"of the chain that is {kind}, certificateStatus is {told[0]!r}, the token {told[1]!r}"
            findings.append(_finding(verdict, _FLAWED, call, actual))
    return findings


@case(
    id="OPT_42",
    ocpp=VERSIONS,
    title="Plug and charge: contracts that are over, or of an authority that only has the same name",
    block=BLOCK,
    profile=PROFILE,
    needs=(*NEEDS, trigger_need("InstallCertificate")),
    sends="Accepted to InstallCertificate, Authorize with a chain below that root, an expired one, and a foreign one.",
    expects="The CSMS SHALL answer CertificateExpired and CertChainError for the last two, and accept neither.",
    clause=Clause("201-E", "C07.FR.15"),
    defect="expired-contract-accepted",
    also=(
        "foreign-contract-accepted",
        "token-status-of-first-sight",
        "install-certificate-newlines-escaped",
        "mo-root-installed-as-v2g-root",
    ),
    checks=(asked("InstallCertificate"), Check(claim=_FLAWED, judge=_judge_flawed)),
)
def flawed_contracts(probe: Probe) -> None:
    token, authority = _contract(probe), Authority("Plugstorm Mobility Operator 2")
    order = {"certificateType": _ROOT, "certificate": authority.root_pem.decode()}
    if obey(probe, "InstallCertificate", order, {"status": ACCEPTED}) is None:
        return
    below = authority.intermediate("Plugstorm Mobility Sub-CA 2")
    for kind, flaw in _CHAINS:
        leaf = below.station(token.value, "Plugstorm Mobility", flaw=flaw).certificate_pem
        probe.station.note(chain=kind)
        _authorize(probe, token, certificate=(leaf + below.certificate_pem).decode())


# -- chains that are told by their hashes ------------------------------------------------------------------------------

_WHOLE = "A chain with a revoked certificate is not accepted, wherever in the chain that is"


def _judge_whole(history: History) -> list[Finding]:
    """Hold the revoked certificate against a CSMS that accepts the good chain after it asked for its status."""
    calls = [call for call in history.calls("Authorize") if call.kind is AnswerKind.RESULT]
    questions = list(history.notes("responders_asked"))
    if len(calls) < len(_SECOND_REVOKED) or len(questions) < len(_SECOND_REVOKED):
        return []
    good, revoked = calls[0], calls[1]
    (first, _), others = questions[0], questions[1]
    if _told(good) != (ACCEPTED, ACCEPTED) or not first:
        actual = f"it does not ask for the status of contracts: {_in_words(good, first)}"
        return [Finding(verdict=Verdict.NOT_APPLICABLE, claim=_WHOLE, actual=actual)]
    told = _told(revoked)
    exact = told == ("CertificateRevoked", "Invalid")
    verdict = Verdict.FAILED if ACCEPTED in told else Verdict.OK if exact else Verdict.NON_STRICT
    actual = f"certificateStatus is {told[0]!r}, the token {told[1]!r}; its responders were asked {others} times"
    return [_finding(verdict, _WHOLE, revoked, actual)]


_SECOND_REVOKED = (False, True)


@case(
    id="OPT_43",
    ocpp=VERSIONS,
    title="Plug and charge: a chain whose upper certificate was revoked",
    block=BLOCK,
    profile=PROFILE,
    needs=NEEDS,
    sends="Authorize with the hashes of a contract certificate and of its sub-authority, first good, then revoked.",
    expects="The CSMS SHALL answer that the second chain is CertificateRevoked, and its token Invalid.",
    clause=Clause("201-E", "C07.FR.16"),
    defect="first-contract-hashes-only",
    also=("revoked-contract-accepted", "unknown-tag-authorized"),
    checks=(_of_who_has_contracts(_WHOLE, _judge_whole),),
)
def revoked_above(probe: Probe) -> None:
    token = _contract(probe)
    for revoked in _SECOND_REVOKED:
        root = Authority("Plugstorm Mobility Root")
        below = root.intermediate("Plugstorm Mobility Sub-CA")
        leaf = below.station(token.value, "Plugstorm Mobility").certificate_pem
        with responding(below) as first, responding(root, revoked=revoked) as second:
            data = [
                {**hash_data(leaf, below.certificate_pem), "responderURL": first.url},
                {**hash_data(below.certificate_pem, root.certificate_pem), "responderURL": second.url},
            ]
            _authorize(probe, token, iso15118CertificateHashData=data)
            probe.station.note(responders_asked=[first.asked, second.asked])


_UNKNOWN = "A contract certificate that its responder does not know is not accepted"


def _judge_unknown(history: History) -> list[Finding]:
    """Hold the unknown certificate against a CSMS that accepts the good one after it asked for its status."""
    answers = _answers(history)
    if len(answers) < len(_SECOND_UNKNOWN):
        return [Finding(verdict=Verdict.NOT_APPLICABLE, claim=_UNKNOWN, actual="it answers no hashes of contracts")]
    (good, first), (unknown, questions) = answers
    if _told(good) != (ACCEPTED, ACCEPTED) or not first or not questions:
        actual = f"it does not ask for the status of contracts: {_in_words(good, first)}"
        return [Finding(verdict=Verdict.NOT_APPLICABLE, claim=_UNKNOWN, actual=actual)]
    told = _told(unknown)
    exact = told == ("CertChainError", "Invalid")
    verdict = Verdict.FAILED if ACCEPTED in told else Verdict.OK if exact else Verdict.NON_STRICT
    return [_finding(verdict, _UNKNOWN, unknown, _in_words(unknown, questions))]


_SECOND_UNKNOWN = (True, False)


@case(
    id="OPT_73",
    ocpp=VERSIONS,
    title="Plug and charge: a contract certificate that its responder does not know",
    block=BLOCK,
    profile=PROFILE,
    needs=NEEDS,
    sends="Authorize with the hashes of a contract certificate that its responder calls good, and of an unknown one.",
    expects="The CSMS SHALL answer that the second one is CertChainError, and its token Invalid.",
    clause=Clause("201-E", "C07.FR.17"),
    defect="unknown-contract-accepted",
    also=("unknown-tag-authorized", "foreign-contract-accepted"),
    checks=(Check(claim=_UNKNOWN, judge=_judge_unknown),),
)
def unknown_contract(probe: Probe) -> None:
    token = _contract(probe)
    for known in _SECOND_UNKNOWN:
        _hashes(probe, token, known=known)


# -- good certificates of contracts that are not ----------------------------------------------------------------------

_CANCELLED = "The good certificate of a contract that is blocked is ContractCancelled"


def _judge_cancelled(history: History) -> list[Finding]:
    """Leave out a CSMS that does not believe the certificate; what it says of the token every case judges."""
    findings = []
    for call, questions in _answers(history):
        status, token = _told(call)
        if status is None or (not questions and status not in (ACCEPTED, "ContractCancelled")):
            verdict, actual = Verdict.NOT_APPLICABLE, _NOT_HAD if status is None else _UNASKED
        else:
            exact = status == "ContractCancelled"
            verdict = Verdict.FAILED if token == ACCEPTED else Verdict.OK if exact else Verdict.NON_STRICT
            actual = _in_words(call, questions)
        findings.append(_finding(verdict, _CANCELLED, call, actual))
    return findings


@case(
    id="OPT_74",
    ocpp=VERSIONS,
    title="Plug and charge: the good certificate of a contract that is blocked",
    block=BLOCK,
    profile=PROFILE,
    needs=(token_need("Blocked"),),
    sends="Authorize with an eMAID that is blocked and the hashes of its certificate, whose OCSP responder says good.",
    expects="The CSMS SHALL answer that the certificate is ContractCancelled, and the token Blocked.",
    clause=Clause("201-E", "C07.FR.13"),
    defect="blocked-contract-accepted",
    also=("blocked-tag-authorized",),
    checks=(Check(claim=_CANCELLED, judge=_judge_cancelled),),
)
def blocked_contract(probe: Probe) -> None:
    _hashes(probe, Token(value=probe.contract_id("Blocked"), kind=TokenKind.EMAID))
