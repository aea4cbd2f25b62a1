"""Certificate requests of two stations at once, each of which gets its own certificate."""

from __future__ import annotations

from collections.abc import Mapping

from cryptography import x509

from fixtures.certificates import make_csr
from interop_suite.claims.checks import noted, takes_csr
from interop_suite.claims.clauses import Clause
from interop_suite.drive.probe import Probe
from interop_suite.steps.shared_case import ALL, V2X, shared
from ocppj.versions import Version

_OWN_KEY = "Each station is sent the certificate for its own key"


_AS: Mapping[Version, dict[str, str]] = {
    Version.V16: {},
    **{version: {"certificateType": "ChargingStationCertificate"} for version in V2X},
}
"""What a request says besides the CSR."""


@shared(
    id="SGN_03",
    title="Two stations that ask for a certificate at the same moment each get their own",
    block="Security",
    profile="Advanced Security",
    needs=("certificate-signing",),
    bystander=True,
    sends="SignCertificate of two stations before either is answered, and Accepted to CertificateSigned.",
    expects="The CSMS SHALL send each station the certificate for the key of its own request.",
    clause={Version.V16: Clause("SWP", "A02.FR.11"), **{v: Clause("201-6", "A02.FR.11") for v in V2X}},
    defect="certificates-of-two-exchanged",
    also={
        Version.V16: ("certificate-for-another-key", "command-to-other-station"),
        **dict.fromkeys(V2X, ("certificate-for-another-key", "command-to-other-station", "certificate-chain-as-list")),
    },
    checks={version: (takes_csr(), noted("own_key", _OWN_KEY)) for version in ALL},
)
def two_at_once(probe: Probe) -> None:
    probe.station.note(only_told=True)
    stations = (probe.station, probe.bystander)
    requests = [make_csr(station.identity, probe.operator) for station in stations]
    for station in stations:
        station.reply("CertificateSigned", {"status": "Accepted"})
    calls = [
        station.start_call("SignCertificate", {"csr": request.csr_pem.decode(), **_AS[probe.version]})
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
