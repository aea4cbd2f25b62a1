"""Certificate requests that a CSMS should not have signed: what a station asks for that is not its own to ask."""

from __future__ import annotations

from cryptography import x509

from fixtures.certificates import common_name, make_csr
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, noted, still_serves, takes_csr
from interop_suite.claims.claim import Level
from interop_suite.claims.clauses import Clause
from interop_suite.drive.probe import Probe
from interop_suite.steps.connections import heartbeat

SIGNING = 1.0
"""Seconds for a CSMS to sign and send what it should not."""


@case(
    id="SGN_02",
    ocpp="1.6",
    title="A certificate request in the name of another station is answered, and is no key to that station",
    block="Security",
    profile="Advanced Security",
    needs=("certificate-signing",),
    bystander=True,
    sends="SignCertificate with a CSR whose CN is the identity of another station, then a Heartbeat.",
    expects="The CSMS SHALL answer; who signs should check the request, and not make one station the other.",
    clause=Clause("SWP", "A02.FR.12"),
    defect="foreign-csr-breaks",
    checks=(
        answered("SignCertificate", claim="The CSMS answers SignCertificate"),
        noted(
            "signed_for_another",
            "No station is given a certificate in the name of another",
            level=Level.RECOMMENDED,
            clause=Clause("SWP", "A00.FR.511"),
        ),
        still_serves(),
    ),
)
def in_the_name_of_another(probe: Probe) -> None:
    station, other = probe.station, probe.bystander.identity
    request = make_csr(other, probe.operator)
    if station.call("SignCertificate", {"csr": request.csr_pem.decode()}).get("status") == "Accepted":
        station.listen(SIGNING)
    chains = [str(call.payload.get("certificateChain")) for call in station.received("CertificateSigned")]
    signed = any(common_name(chain) == other for chain in chains)
    seen = f"a certificate for {other}, sent to {station.identity}" if signed else "no such certificate"
    station.note(signed_for_another=[not signed, seen])
    heartbeat(station)


_OWN_KEY = "Each station is sent the certificate for its own key"


@case(
    id="SGN_03",
    ocpp="1.6",
    title="Two stations that ask for a certificate at the same moment each get their own",
    block="Security",
    profile="Advanced Security",
    needs=("certificate-signing",),
    bystander=True,
    sends="SignCertificate of two stations before either is answered, and Accepted to CertificateSigned.",
    expects="The CSMS SHALL send each station the certificate for the key of its own request.",
    clause=Clause("SWP", "A02.FR.11"),
    defect="certificates-of-two-exchanged",
    also=("certificate-for-another-key", "command-to-other-station"),
    checks=(takes_csr(), noted("own_key", _OWN_KEY)),
)
def two_at_once(probe: Probe) -> None:
    probe.station.note(only_told=True)
    stations = (probe.station, probe.bystander)
    requests = [make_csr(station.identity, probe.operator) for station in stations]
    for station in stations:
        station.reply("CertificateSigned", {"status": "Accepted"})
    calls = [
        station.start_call("SignCertificate", {"csr": request.csr_pem.decode()})
        for station, request in zip(stations, requests, strict=True)
    ]
    answers = [station.finish(call) for station, call in zip(stations, calls, strict=True) if call is not None]
    if [answer.get("status") for answer in answers] != ["Accepted", "Accepted"]:
        return
    for station, request in zip(stations, requests, strict=True):
        signed = station.expect("CertificateSigned")
        if signed is not None:
            probe.station.note(own_key=_is_for(str(signed.get("certificateChain")), request.csr_pem))


def _is_for(chain: str, csr: bytes) -> list[object]:
    try:
        first = x509.load_pem_x509_certificates(chain.encode())[0]
    except (ValueError, IndexError):
        return [False, "no PEM"]
    own = first.public_key() == x509.load_pem_x509_csr(csr).public_key()
    return [own, f"a certificate for {'the key of the request' if own else 'another key'}"]
