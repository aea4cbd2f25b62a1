"""Security whitepaper: certificates and the security log, from the CSMS's side."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from drivers.base import trigger_need
from fixtures.certificates import Authority, SigningRequest, chain_flaw, common_name, hash_data, make_csr, same_name
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked, noted, takes_csr
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import one_of, present
from interop_suite.drive.probe import Probe
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps import v16 as steps
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.v16 import security_event_is_answered

BLOCK = "Security"
PROFILE = "Advanced Security"
CSR_ACCEPTED = takes_csr()
SIGN_NEEDS = (trigger_need("ExtendedTriggerMessage"), "certificate-signing")


def _request_certificate(probe: Probe, answer: str) -> tuple[ScriptedStation, SigningRequest, dict[str, Any] | None]:
    station = probe.station
    station.reply("ExtendedTriggerMessage", {"status": "Accepted"})
    station.reply("CertificateSigned", {"status": answer})
    probe.command("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"})
    request = make_csr(station.identity, probe.operator)
    if station.call("SignCertificate", {"csr": request.csr_pem.decode()}).get("status") != "Accepted":
        return station, request, None
    return station, request, station.expect("CertificateSigned")


def names(chain: str, request: SigningRequest, station: ScriptedStation) -> bool:
    """Return whether a certificate is that of a station: by the name of its request, or by its serial number."""
    return same_name(chain, request) or common_name(chain) in (station.identity, station.model.serial_number)


def _fits(chain: object, request: SigningRequest) -> tuple[bool, str]:
    """Return whether the first certificate of a chain is for the key of the request."""
    try:
        certificates = x509.load_pem_x509_certificates(str(chain).encode())
        key = x509.load_pem_x509_csr(request.csr_pem).public_key()
    except ValueError:
        return False, "the chain is not PEM"
    fits = bool(certificates) and certificates[0].public_key() == key
    return fits, f"{len(certificates)} certificates, the first {'fits' if fits else 'does not fit'} the request"


@case(
    id="TC_074_CSMS",
    ocpp="1.6",
    title="The CSMS has the station renew its certificate",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=SIGN_NEEDS,
    sends="Accepted to ExtendedTriggerMessage, SignCertificate with a CSR, and Accepted to CertificateSigned.",
    expects="The CSMS SHALL accept the CSR and send a certificate for its key.",
    clause=Clause("SWP", "A02.FR.11"),
    defect="certificate-for-another-key",
    also=(
        "signed-certificate-expired",
        "signed-certificate-of-another-issuer",
        "signed-certificate-of-another-name",
    ),
    checks=(
        asked("ExtendedTriggerMessage", {"requestedMessage": one_of("SignChargePointCertificate")}),
        CSR_ACCEPTED,
        asked("CertificateSigned", {"certificateChain": present()}),
        noted("certificate_fits", "The signed certificate is for the key of the request"),
        noted("certificate_holds", "The certificate is valid now, and what follows it issued it"),
        noted("certificate_names", "The certificate names whom the request names", clause=Clause("SWP", "A00.FR.511")),
    ),
)
def renew_certificate(probe: Probe) -> None:
    station, request, signed = _request_certificate(probe, "Accepted")
    if signed is not None:
        chain = signed.get("certificateChain")
        flaw = chain_flaw(str(chain), datetime.now(UTC))
        station.note(certificate_fits=list(_fits(chain, request)))
        station.note(certificate_holds=[not flaw, flaw or "a chain that holds"])
        station.note(certificate_names=[names(str(chain), request, station), f"the request names {station.identity}"])
        # Whoever sends it twice does so at once.
        heartbeat(station)


def _install(probe: Probe, use: str, answer: str = "Accepted") -> Authority:
    station, authority = probe.station, Authority(f"Plugstorm {use}"[:60])
    station.reply("InstallCertificate", {"status": answer})
    request = {"certificateType": use, "certificate": authority.certificate_pem.decode()}
    probe.command("InstallCertificate", request)
    sent = station.expect("InstallCertificate")
    if sent is not None:
        same = str(sent.get("certificate")).split() == request["certificate"].split()
        station.note(certificate_as_asked=[same, "as named" if same else "another certificate"])
    return authority


def _read_back(probe: Probe, use: str, authority: Authority) -> dict[str, str]:
    hashes = hash_data(authority.certificate_pem, authority.certificate_pem)
    probe.station.reply("GetInstalledCertificateIds", {"status": "Accepted", "certificateHashData": [hashes]})
    probe.command("GetInstalledCertificateIds", {"certificateType": use})
    return hashes


CERTIFICATE_AS_ASKED = noted("certificate_as_asked", "InstallCertificate carries the certificate that was named")


def _installed(use: str) -> tuple[Any, ...]:
    return (
        asked("InstallCertificate", {"certificateType": one_of(use), "certificate": present()}),
        CERTIFICATE_AS_ASKED,
        asked("GetInstalledCertificateIds", {"certificateType": one_of(use)}),
    )


INSTALL_NEEDS = (trigger_need("InstallCertificate"), trigger_need("GetInstalledCertificateIds"))


@case(
    id="TC_075_1_CSMS",
    ocpp="1.6",
    title="Install a manufacturer root and read back its hashes",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=INSTALL_NEEDS,
    sends="Accepted to InstallCertificate, and the hashes as the answer to GetInstalledCertificateIds.",
    expects="The CSMS SHALL send the certificate as a ManufacturerRootCertificate and ask for that kind.",
    clause=Clause("SWP", "5.11"),
    defect="manufacturer-root-sent-as-central-system-root",
    checks=_installed("ManufacturerRootCertificate"),
)
def install_manufacturer_root(probe: Probe) -> None:
    _read_back(probe, "ManufacturerRootCertificate", _install(probe, "ManufacturerRootCertificate"))


@case(
    id="TC_075_2_CSMS",
    ocpp="1.6",
    title="Install a central-system root and read back its hashes",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=INSTALL_NEEDS,
    sends="Accepted to InstallCertificate, and the hashes as the answer to GetInstalledCertificateIds.",
    expects="The CSMS SHALL send the certificate as a CentralSystemRootCertificate and ask for that kind.",
    clause=Clause("SWP", "5.11"),
    defect="installed-ids-without-type",
    also=("installed-certificate-truncated",),
    checks=_installed("CentralSystemRootCertificate"),
)
def install_central_system_root(probe: Probe) -> None:
    _read_back(probe, "CentralSystemRootCertificate", _install(probe, "CentralSystemRootCertificate"))


@case(
    id="TC_076_CSMS",
    ocpp="1.6",
    title="Delete one installed certificate, named by its hashes",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(*INSTALL_NEEDS, trigger_need("DeleteCertificate")),
    sends="Accepted to InstallCertificate, the hashes of the certificate, and Accepted to DeleteCertificate.",
    expects="The CSMS SHALL send DeleteCertificate with just the hashes that the station reported.",
    clause=Clause("SWP", "5.3"),
    defect="delete-of-another-certificate",
    also=("installed-ids-without-type", "installed-certificate-truncated"),
    checks=(
        *_installed("CentralSystemRootCertificate"),
        asked("DeleteCertificate", {"certificateHashData.serialNumber": present()}),
        noted("hashes_as_reported", "DeleteCertificate carries the hashes that the station reported"),
    ),
)
def delete_certificate(probe: Probe) -> None:
    use = "CentralSystemRootCertificate"
    hashes = _read_back(probe, use, _install(probe, use))
    station = probe.station
    station.reply("DeleteCertificate", {"status": "Accepted"})
    probe.command("DeleteCertificate", {"certificateHashData": hashes})
    request = station.expect("DeleteCertificate")
    if request is not None:
        station.note(
            hashes_as_reported=[request.get("certificateHashData") == hashes, request.get("certificateHashData")]
        )


@case(
    id="TC_077_CSMS",
    ocpp="1.6",
    title="The station refuses its new certificate and reports it",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=SIGN_NEEDS,
    sends="SignCertificate with a CSR, Rejected to CertificateSigned, then SecurityEventNotification.",
    expects="The CSMS SHALL send CertificateSigned, take the answer and answer the security event.",
    clause=Clause("SWP", "5.15"),
    defect="invalid-certificate-event-refused",
    checks=(
        asked("ExtendedTriggerMessage", {"requestedMessage": one_of("SignChargePointCertificate")}),
        CSR_ACCEPTED,
        asked("CertificateSigned", {"certificateChain": present()}),
        security_event_is_answered,
    ),
)
def refuse_certificate(probe: Probe) -> None:
    station, _, _ = _request_certificate(probe, "Rejected")
    steps.security_event(station, "InvalidChargePointCertificate")


@case(
    id="TC_078_CSMS",
    ocpp="1.6",
    title="The station refuses a central-system certificate and reports it",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need("InstallCertificate"),),
    sends="Rejected to InstallCertificate, then SecurityEventNotification InvalidCentralSystemCertificate.",
    expects="The CSMS SHALL send InstallCertificate, take the answer and answer the security event.",
    clause=Clause("SWP", "5.15"),
    defect="invalid-central-system-certificate-event-refused",
    also=("installed-certificate-truncated",),
    checks=(
        asked("InstallCertificate", {"certificateType": one_of("CentralSystemRootCertificate")}),
        CERTIFICATE_AS_ASKED,
        security_event_is_answered,
    ),
)
def refuse_central_system_root(probe: Probe) -> None:
    _install(probe, "CentralSystemRootCertificate", "Rejected")
    steps.security_event(probe.station, "InvalidCentralSystemCertificate")


@case(
    id="TC_079_CSMS",
    ocpp="1.6",
    title="A security log is uploaded",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(trigger_need("GetLog"),),
    sends="Accepted to GetLog, then LogStatusNotification Uploading and Uploaded.",
    expects="The CSMS SHALL send GetLog for the SecurityLog with a location, and answer both statuses.",
    clause=Clause("SWP", "5.9"),
    defect="get-log-without-location",
    also=("log-uploaded-refused",),
    checks=(
        asked("GetLog", {"logType": one_of("SecurityLog"), "requestId": present(), "log.remoteLocation": present()}),
        answered("LogStatusNotification", claim="The CSMS answers every log status"),
    ),
)
def security_log(probe: Probe) -> None:
    station = probe.station
    station.reply("GetLog", {"status": "Accepted", "filename": "security.log"})
    request = {"logType": "SecurityLog", "requestId": 5, "log": {"remoteLocation": "https://upload.example.org/log"}}
    probe.command("GetLog", request)
    number = (station.expect("GetLog") or request).get("requestId", 5)
    for status in ("Uploading", "Uploaded"):
        station.call("LogStatusNotification", {"status": status, "requestId": number})
