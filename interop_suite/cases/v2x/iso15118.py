"""What a station asks for on behalf of a car: contract certificates, and the status of a certificate."""

from __future__ import annotations

import base64
import binascii
import secrets
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from evidence.verdicts import Verdict
from fixtures.certificates import Authority, hash_data, make_csr
from fixtures.payloads import v2x
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, still_serves
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind, Exchange
from interop_suite.claims.expected import Expected, field, one_of
from interop_suite.claims.history import History
from interop_suite.drive.ocsp_responder import responding
from interop_suite.drive.probe import NoWayError, Probe
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.v2x import VERSIONS

BLOCK = "Certificate Management"
PROFILE = "ISO 15118"
CONTRACT = "Get15118EVCertificate"
STATUS = "GetCertificateStatus"
RESPONDER = "http://ocsp.example.invalid/"
EDITION_2 = "urn:iso:15118:2:2013:MsgDef"
EDITION_20 = "urn:iso:std:iso:15118:-20:CommonMessages"
SMALL_EXI = 3_900
"""Bytes of a request that stays, in Base64, below the 5,600 characters of 2.0.1."""
LARGE_EXI = 8_000
"""Bytes of a request that only the 11,000 characters of 2.1 have room for."""
NO_BASE64 = "contract-answer-not-encoded"
EMPTY = "contract-answer-empty"
ECHO = "contract-request-sent-back"


def _unless_declined(action: str, fields: dict[str, Expected], why: str) -> Check:
    """Claim an Accepted with these fields; Failed says that nobody behind the CSMS could do it, which is no fault."""
    claim = f"An Accepted to {action} carries {' and '.join(fields)}"
    strict = answered(action, {"status": one_of("Accepted"), **fields}, claim=claim)

    def judge(history: History) -> list[Finding]:
        declined = [call for call in history.calls(action) if call.result.get("status") == "Failed"]
        found = strict.judge(history)
        if not declined:
            return found
        lines = {call.answer.line for call in declined if call.answer is not None}
        rest = [finding for finding in found if finding.frame not in lines]
        return [*rest, Finding(verdict=Verdict.NOT_APPLICABLE, claim=claim, actual=why, frame=declined[0].call.line)]

    return Check(claim=claim, judge=judge)


def _decoded(value: Any) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else None
    except (binascii.Error, ValueError):
        return None


def _is_base64(value: Any) -> str | None:
    return None if _decoded(value) else f"is {str(value)[:60]!r} instead of Base64 of some bytes"


# -- contract certificates --------------------------------------------------------------------------------------------


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """What two cars ask for, one after the other."""

    id: str
    title: str
    action: str
    schema_version: str = EDITION_2
    size: int = SMALL_EXI
    more: dict[str, Any] = {}
    versions: tuple[str, ...] = VERSIONS
    clause: Clause = Clause("201-4", "4.1.7")
    defect: str
    also: tuple[str, ...]


CONTRACTS = (
    Contract(
        id="TC_M_26_CSMS",
        title="A car has its contract certificate installed",
        action="Install",
        defect=EMPTY,
        also=(NO_BASE64, ECHO),
    ),
    Contract(
        id="TC_M_28_CSMS",
        title="A car has its contract certificate renewed",
        action="Update",
        defect=NO_BASE64,
        also=(EMPTY, ECHO),
    ),
    Contract(
        id="TC_M_100_CSMS",
        title="A car of ISO 15118-20 has its contract certificates installed",
        action="Install",
        schema_version=EDITION_20,
        size=LARGE_EXI,
        more={"maximumContractCertificateChains": 3, "prioritizedEMAIDs": ["DE8AA1B2C3D4E5", "NLSTRC00012345X"]},
        versions=("2.1",),
        clause=Clause("21-4", "4.1.7"),
        defect="exi-request-limited-as-in-201",
        also=(EMPTY, NO_BASE64, ECHO),
    ),
)
_contract_answered = _unless_declined(
    CONTRACT, {"exiResponse": _is_base64}, "no contract certificate is to be had from this CSMS: it answered Failed"
)


_NO_ECHO = "What comes back for a car is not its own request"


def _judge_echo(history: History) -> list[Finding]:
    found = []
    for call in history.calls(CONTRACT):
        told, own = field(call.result, "exiResponse"), field(call.payload, "exiRequest")
        if call.kind is AnswerKind.RESULT:
            verdict = Verdict.FAILED if told is not None and told == own else Verdict.OK
            line = call.answer.line if call.answer else None
            actual = f"exiResponse begins with {str(told)[:40]!r}"
            found.append(Finding(verdict=verdict, claim=_NO_ECHO, actual=actual, frame=line))
    return found


def _ask_for_contract(station: ScriptedStation, contract: Contract) -> None:
    stream = base64.b64encode(b"\x80" + secrets.token_bytes(contract.size - 1)).decode()
    payload = v2x.get15118_ev_certificate(contract.action, stream, schema_version=contract.schema_version)
    station.call(CONTRACT, payload | contract.more)


def _add(contract: Contract) -> None:
    @case(
        id=contract.id,
        ocpp=contract.versions,
        title=contract.title,
        block=BLOCK,
        profile=PROFILE,
        sends=f"Get15118EVCertificate {contract.action} for two cars, then a Heartbeat.",
        expects="The CSMS SHALL pass each on and answer it; an Accepted carries the EXI answer in Base64.",
        clause=contract.clause,
        defect=contract.defect,
        also=contract.also,
        checks=(_contract_answered, Check(claim=_NO_ECHO, judge=_judge_echo), still_serves()),
    )
    def script(probe: Probe) -> None:
        for _ in range(2):
            _ask_for_contract(probe.station, contract)
        heartbeat(probe.station)


for _contract in CONTRACTS:
    _add(_contract)


# -- status of a certificate ------------------------------------------------------------------------------------------


def _ocsp_response(value: Any) -> ocsp.OCSPResponse | None:
    try:
        return ocsp.load_der_ocsp_response(_decoded(value) or b"")
    except ValueError:
        return None


_OWN = "The OCSP answer is about the certificate that was asked for"


def _judge_answers(history: History) -> list[Finding]:
    accepted = [call for call in history.calls(STATUS) if _decoded(call.result.get("ocspResult"))]
    return [_judge_answer(call) for call in accepted]


def _judge_answer(call: Exchange) -> Finding:
    response = _ocsp_response(call.result.get("ocspResult"))
    if response is None:
        # Stations cannot use it; a CSMS with a responder that only pretends is still in working order.
        verdict, actual = Verdict.NON_STRICT, "ocspResult is no OCSPResponse in DER (RFC 6960)"
    elif response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        verdict, actual = Verdict.NOT_APPLICABLE, f"the responder says {response.response_status.name}"
    else:
        wanted = int(call.payload["ocspRequestData"]["serialNumber"], 16)
        numbers = [single.serial_number for single in response.responses]
        verdict = Verdict.OK if wanted in numbers else Verdict.FAILED
        actual = f"serial number {wanted:x} was asked for, {', '.join(f'{number:x}' for number in numbers)} came"
    return Finding(verdict=verdict, claim=_OWN, actual=actual, frame=call.call.line)


def _responder_of(certificate: x509.Certificate) -> str:
    """Find the OCSP responder that a certificate names."""
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return RESPONDER
    places = [
        entry.access_location.value for entry in access if entry.access_method == AuthorityInformationAccessOID.OCSP
    ]
    return next(iter(places), RESPONDER)


def _status_request(probe: Probe, name: str) -> dict[str, Any]:
    """Have the CSMS's own authority issue a certificate; gives the request for its status."""
    chain = x509.load_pem_x509_certificates(probe.signed_chain(probe.station, make_csr(name, probe.operator)).encode())
    leaf, *above = chain
    issuer = above[0] if above else _root(probe)
    return v2x.get_certificate_status(hash_data(_pem(leaf), _pem(issuer)), _responder_of(leaf))


def _root(probe: Probe) -> x509.Certificate:
    if probe.target.ca_file is None:
        raise NoWayError("The CSMS signs without its root, which the hashes of a certificate need; give it with --ca")
    return x509.load_pem_x509_certificate(Path(probe.target.ca_file).read_bytes())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


_passes_on = (
    _unless_declined(STATUS, {"ocspResult": _is_base64}, "this CSMS has no answer of a responder: it answered Failed"),
    Check(claim=_OWN, judge=_judge_answers),
)


@case(
    id="TC_M_24_CSMS",
    ocpp=VERSIONS,
    title="The CSMS gets the status of a certificate for the station",
    block=BLOCK,
    profile=PROFILE,
    needs=("client-certificate",),
    sends="GetCertificateStatus for two certificates of the CSMS's own authority, then a Heartbeat.",
    expects="The CSMS SHALL answer each; an Accepted carries what the responder says of that certificate.",
    clause=Clause("201-4", "4.1.7"),
    defect="ocsp-answer-of-another-certificate",
    also=("ocsp-answer-in-pem", "ocsp-accepted-without-answer"),
    checks=(*_passes_on, still_serves()),
)
def certificate_status(probe: Probe) -> None:
    station = probe.station
    for name in ("one", "two"):
        station.call(STATUS, _status_request(probe, f"{station.identity}-{name}"))
    heartbeat(station)


def _hashes(authority: Authority, name: str) -> dict[str, str]:
    certificate = authority.station(name, "Plugstorm Mobility").certificate_pem
    return hash_data(certificate, authority.certificate_pem)


@case(
    id="OPT_15",
    ocpp=VERSIONS,
    title="The CSMS asks the responder that a certificate names",
    block=BLOCK,
    profile=PROFILE,
    sends="GetCertificateStatus for two certificates of an authority whose responder is on this machine.",
    expects="The CSMS SHALL answer each; an Accepted carries what the responder says of that certificate.",
    clause=Clause("201-4", "4.1.7"),
    defect="ocsp-answer-of-another-certificate",
    also=("ocsp-answer-in-pem", "ocsp-accepted-without-answer"),
    checks=(*_passes_on, still_serves()),
)
def named_responder(probe: Probe) -> None:
    authority = Authority("Plugstorm Sub-CA")
    with responding(authority) as responder:
        for name in ("one", "two"):
            request = v2x.get_certificate_status(_hashes(authority, name), responder.url)
            probe.station.call("GetCertificateStatus", request)
    heartbeat(probe.station)
