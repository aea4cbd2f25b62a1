"""Certificate requests that a CSMS should not have signed: what a station asks for that is not its own to ask."""

from __future__ import annotations

from fixtures.certificates import common_name, make_csr
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, noted, still_serves
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
