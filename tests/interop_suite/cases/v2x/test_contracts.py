"""Contract certificates: what a CSMS may answer, judged from hand-made histories, and the responder of the cases."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from evidence.verdicts import Verdict
from fixtures.certificates import Authority
from interop_suite.catalogue import all_cases
from interop_suite.drive.ocsp_responder import responding
from ocppj.versions import Version
from tests.interop_suite.recording import begun

CASES = {case.key: case for case in all_cases()}
GOOD, REVOKED, CHAIN = "2.0.1-TC_C_50_CSMS", "2.1-TC_C_51_CSMS", "2.0.1-TC_C_52_CSMS"


def judged(key: str, certificate: str | None, token: str, **note: Any) -> list[Verdict]:
    version = Version(key.partition("-")[0])
    told = {} if certificate is None else {"certificateStatus": certificate}
    request = {"idToken": {"idToken": "DEPLGC01", "type": "eMAID"}}
    recording = begun(version).note(**note).sent(json.dumps([2, "m1", "Authorize", request]))
    recording.got(json.dumps([3, "m1", {"idTokenInfo": {"status": token}, **told}]))
    return [finding.verdict for finding in CASES[key].checks[0].judge(recording.history())]


@pytest.mark.parametrize("key", [GOOD, REVOKED, CHAIN, "2.1-OPT_43"])
@pytest.mark.parametrize("code", ["NotSupported", "NotImplemented"])
def test_csms_that_refuses_every_contract_certificate_as_not_supported_no_false_alarm(key: str, code: str) -> None:
    request = {"idToken": {"idToken": "DEPLGC01", "type": "eMAID"}}
    recording = begun(Version(key.partition("-")[0]))
    recording.sent(json.dumps([2, "m1", "Authorize", request])).got(f'[4,"m1","{code}","",{{}}]')
    assert [f.verdict for f in CASES[key].checks[0].judge(recording.history())] == [Verdict.NOT_APPLICABLE]


@pytest.mark.parametrize(
    ("key", "certificate", "token", "asked", "verdict"),
    [
        (GOOD, "Accepted", "Accepted", 1, Verdict.OK),
        (GOOD, "Accepted", "Accepted", 0, Verdict.OK),
        (GOOD, None, "Accepted", 0, Verdict.NOT_APPLICABLE),
        (GOOD, "CertChainError", "Invalid", 0, Verdict.INCONCLUSIVE),
        (GOOD, "CertChainError", "Invalid", 1, Verdict.FAILED),
        (REVOKED, "CertificateRevoked", "Invalid", 1, Verdict.OK),
        (REVOKED, "CertChainError", "Invalid", 0, Verdict.NON_STRICT),
        (REVOKED, None, "Accepted", 0, Verdict.NOT_APPLICABLE),
        (REVOKED, "Accepted", "Accepted", 0, Verdict.NON_STRICT),
        (REVOKED, "Accepted", "Accepted", 1, Verdict.FAILED),
        (REVOKED, "CertificateRevoked", "Accepted", 1, Verdict.FAILED),
    ],
)
def test_who_did_not_ask_the_responder_is_not_failed_no_false_alarm(
    key: str, certificate: str | None, token: str, asked: int, verdict: Verdict
) -> None:
    assert judged(key, certificate, token, responder_asked=asked) == [verdict]


@pytest.mark.parametrize(
    ("certificate", "token", "verdict"),
    [
        ("CertChainError", "Invalid", Verdict.OK),
        ("SignatureError", "Unknown", Verdict.NON_STRICT),
        (None, "Accepted", Verdict.NOT_APPLICABLE),
        ("Accepted", "Accepted", Verdict.FAILED),
    ],
)
def test_a_foreign_chain_is_refused_in_any_words_no_false_alarm(
    certificate: str | None, token: str, verdict: Verdict
) -> None:
    assert judged(CHAIN, certificate, token, chain="foreign") == [verdict]


@pytest.mark.parametrize("revoked", [False, True])
def test_the_responder_speaks_of_the_certificate_that_it_is_asked_about(revoked: bool) -> None:  # noqa: FBT001  # a column
    authority = Authority("Plugstorm Mobility Operator")
    certificate = x509.load_pem_x509_certificate(authority.station("DEPLGC02", "Plugstorm").certificate_pem)
    issuer = x509.load_pem_x509_certificate(authority.certificate_pem)
    request = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA384()).build()
    with responding(authority, revoked=revoked) as responder:
        body = request.public_bytes(serialization.Encoding.DER)
        with urllib.request.urlopen(urllib.request.Request(responder.url, body), timeout=5) as answer:
            told = ocsp.load_der_ocsp_response(answer.read())
        assert responder.asked == 1
    status = ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD
    assert (told.serial_number, told.certificate_status) == (certificate.serial_number, status)
    assert told.next_update_utc is not None
    assert told.next_update_utc.timestamp() > time.time()
