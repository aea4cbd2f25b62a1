"""The status of certificates that a station cannot ask for itself: by responders of this machine, which tell it."""

from __future__ import annotations

from typing import Any

from evidence.verdicts import Verdict
from fixtures.certificates import Authority, hash_data
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, still_serves
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind, Exchange
from interop_suite.claims.expected import field
from interop_suite.claims.history import History
from interop_suite.claims.moments import moment, wall_at
from interop_suite.drive.ocsp_responder import responding
from interop_suite.drive.probe import Probe
from interop_suite.steps.connections import heartbeat

BLOCK = "Certificate Management"
PROFILE = "ISO 15118"
CHAIN = "GetCertificateChainStatus"
CLOCKS = 86_400.0
"""Seconds by which the clocks of a CSMS and of ours may differ."""


def _hashes(authority: Authority, name: str) -> dict[str, str]:
    certificate = authority.station(name, "Plugstorm Mobility").certificate_pem
    return hash_data(certificate, authority.certificate_pem)


_EACH = "There is a status for each certificate that was asked for"
_SAID = "The status of a certificate is what its responder says"
_WHEN = "The station learns when to ask again"


def _told(call: Exchange) -> list[Any]:
    told = call.result.get("certificateStatus")
    return told if isinstance(told, list) else []


def _finding(claim: str, call: Exchange, actual: str, verdict: Verdict) -> Finding:
    return Finding(verdict=verdict, claim=claim, actual=actual, frame=call.answer.line if call.answer else None)


def _answers(history: History) -> list[Exchange]:
    return [call for call in history.calls(CHAIN) if call.kind is AnswerKind.RESULT]


def _judge_each(history: History) -> list[Finding]:
    findings = []
    for call in _answers(history):
        asked = field(call.payload, "certificateStatusRequests") or []
        wanted = [(field(each, "certificateHashData"), field(each, "source")) for each in asked]
        told = [(field(entry, "certificateHashData"), field(entry, "source")) for entry in _told(call)]
        right = len(told) == len(wanted) and all(entry in told for entry in wanted)
        actual = f"{len(told)} came for {len(wanted)}, about {[field(hashes, 'serialNumber') for hashes, _ in told]}"
        findings.append(_finding(_EACH, call, actual, Verdict.OK if right else Verdict.FAILED))
    return findings


def _judge_said(history: History) -> list[Finding]:
    """Hold each status against its responder; a CSMS that did not ask, or trusts no one here, does not know.

    Who takes the word of one of them, takes that of the other.
    """
    findings = []
    for call, says in zip(_answers(history), history.notes("responders"), strict=False):
        told = [(says.get(str(field(e, "certificateHashData.serialNumber")), (None, 0)), e) for e in _told(call)]
        believes = any(said == field(entry, "status") == "Good" and asked for (said, asked), entry in told)
        for entry in _told(call):
            number, status = str(field(entry, "certificateHashData.serialNumber")), field(entry, "status")
            said, asked = says.get(number, (None, 0))
            actual = f"{status!r} of a certificate that is {said}, whose responder was asked {asked} times"
            wrong = {status, said} == {"Good", "Revoked"} or (believes and asked and said not in (status, None))
            findings.append(_finding(_SAID, call, actual, Verdict.FAILED if wrong else Verdict.OK))
    return findings


def _judge_when(history: History) -> list[Finding]:
    findings = []
    for call in _answers(history):
        for entry in _told(call):
            told = field(entry, "nextUpdate")
            until, today = moment(told), wall_at(history, call.call.t)
            over = until is not None and today is not None and until.timestamp() < today - CLOCKS
            actual = f"nextUpdate is {told!r}"
            findings.append(_finding(_WHEN, call, actual, Verdict.FAILED if over else Verdict.OK))
    return findings


@case(
    id="OPT_16",
    ocpp="2.1",
    title="The certificates of a chain have a status each",
    block=BLOCK,
    profile=PROFILE,
    sends="GetCertificateChainStatus for a good certificate, a revoked one, and one of a list, then a Heartbeat.",
    expects="The CSMS SHALL tell for each certificate what its responder says, and when to ask again.",
    clause=Clause("21-4", "4.1.7"),
    defect="chain-status-of-first-certificate",
    also=(
        "chain-status-always-good",
        "chain-status-out-of-date",
        "chain-status-of-one",
        "chain-status-by-responder",
        "chain-status-revoked-as-unknown",
    ),
    checks=(
        answered(CHAIN),
        Check(claim=_EACH, judge=_judge_each),
        Check(claim=_SAID, judge=_judge_said),
        Check(claim=_WHEN, judge=_judge_when),
        still_serves(),
    ),
)
def chain_status(probe: Probe) -> None:
    good, revoked = Authority("Plugstorm Sub-CA 1"), Authority("Plugstorm Sub-CA 2")
    with responding(good) as first, responding(revoked, revoked=True) as second:
        data = [_hashes(good, "leaf"), _hashes(revoked, "sub")]
        requests = [
            {"certificateHashData": hashes, "source": "OCSP", "urls": [responder.url]}
            for hashes, responder in zip(data, (first, second), strict=True)
        ]
        listed = {"certificateHashData": _hashes(good, "listed"), "source": "CRL", "urls": [f"{first.url}.crl"]}
        probe.station.call(CHAIN, {"certificateStatusRequests": [*requests, listed]})
        says = {
            hashes["serialNumber"]: [word, responder.asked]
            for hashes, word, responder in zip(data, ("Good", "Revoked"), (first, second), strict=True)
        }
        probe.station.note(responders=says)
    heartbeat(probe.station)
