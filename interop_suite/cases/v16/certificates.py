"""Security whitepaper: keys, certificates, logs, signed firmware, and a higher profile, from the CSMS' side."""

from __future__ import annotations

import secrets
from typing import Any

from cryptography import x509

from drivers.base import trigger_need
from fixtures.certificates import Authority, SigningRequest, hash_data, make_csr
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked, connection, noted, refused_upgrade, takes_csr
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import one_of, present
from interop_suite.drive.probe import OPERATOR, Probe, now
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps import v16 as steps
from interop_suite.steps.connections import boot_is_accepted, opens
from interop_suite.steps.v16 import every_status_is_answered

BLOCK = "Security"
PROFILE = "Advanced Security"
CSR_ACCEPTED = takes_csr()
EVENT_ANSWERED = answered("SecurityEventNotification", claim="The CSMS answers the security event")
SIGN_NEEDS = (trigger_need("ExtendedTriggerMessage"), "certificate-signing")


@case(
    id="TC_073_CSMS",
    ocpp="1.6",
    title="The CSMS rolls the Basic-auth key and accepts only the new one",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=("password", trigger_need("ChangeConfiguration")),
    password=True,
    sends="Accepted to ChangeConfiguration of AuthorizationKey, an upgrade with the old key, one with the new key.",
    expects="The CSMS SHALL send the key that its operator named, then refuse the old one and accept the new one.",
    clause=Clause("SWP", "A01.FR.03"),
    defect="old-password-kept",
    also=("wrong-password-accepted",),
    checks=(
        asked("ChangeConfiguration", {"key": one_of("AuthorizationKey"), "value": present()}),
        noted("key_as_asked", "ChangeConfiguration carries the key that the operator named"),
        refused_upgrade("The old key is refused", nth=0),
        connection("The new key is accepted", opens, nth=1),
        boot_is_accepted,
    ),
)
def roll_key(probe: Probe) -> None:
    station, key = probe.station, secrets.token_hex(20)
    station.reply("ChangeConfiguration", {"status": "Accepted"})
    probe.command("ChangeConfiguration", {"key": "AuthorizationKey", "value": key})
    request = station.expect("ChangeConfiguration")
    if request is None:
        return
    station.note(key_as_asked=[str(request.get("value")).lower() == key, "the key is not written down"])
    station.disconnect()
    probe.try_to_boot(station)
    probe.use_password(station, key)
    probe.reconnect(station, judged=True)
    probe.boot(station)


def _request_certificate(probe: Probe, answer: str) -> tuple[ScriptedStation, SigningRequest, dict[str, Any] | None]:
    station = probe.station
    station.reply("ExtendedTriggerMessage", {"status": "Accepted"})
    station.reply("CertificateSigned", {"status": answer})
    probe.command("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"})
    request = make_csr(station.identity, OPERATOR)
    if station.call("SignCertificate", {"csr": request.csr_pem.decode()}).get("status") != "Accepted":
        return station, request, None
    return station, request, station.expect("CertificateSigned")


def _fits(chain: object, request: SigningRequest) -> tuple[bool, str]:
    """Tell whether the first certificate of a chain is for the key of the request."""
    try:
        certificates = x509.load_pem_x509_certificates(str(chain).encode())
        key = x509.load_pem_x509_csr(request.csr_pem).public_key()
    except ValueError:
        return False, "the chain is no PEM"
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
    checks=(
        asked("ExtendedTriggerMessage", {"requestedMessage": one_of("SignChargePointCertificate")}),
        CSR_ACCEPTED,
        asked("CertificateSigned", {"certificateChain": present()}),
        noted("certificate_fits", "The signed certificate is for the key of the request"),
    ),
)
def renew_certificate(probe: Probe) -> None:
    station, request, signed = _request_certificate(probe, "Accepted")
    if signed is not None:
        station.note(certificate_fits=list(_fits(signed.get("certificateChain"), request)))


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


def _security_event(station: ScriptedStation, kind: str) -> None:
    station.call("SecurityEventNotification", {"type": kind, "timestamp": now()})


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
        EVENT_ANSWERED,
    ),
)
def refuse_certificate(probe: Probe) -> None:
    station, _, _ = _request_certificate(probe, "Rejected")
    _security_event(station, "InvalidChargePointCertificate")


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
        EVENT_ANSWERED,
    ),
)
def refuse_central_system_root(probe: Probe) -> None:
    _install(probe, "CentralSystemRootCertificate", "Rejected")
    _security_event(probe.station, "InvalidCentralSystemCertificate")


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


FIRMWARE_NEEDS = (trigger_need("SignedUpdateFirmware"),)
FIRMWARE_FIELDS = {
    "requestId": present(),
    "firmware.location": present(),
    "firmware.retrieveDateTime": present(),
    "firmware.signingCertificate": present(),
    "firmware.signature": present(),
}
FIRMWARE_STATUS_ANSWERED = answered("SignedFirmwareStatusNotification", claim="The CSMS answers every firmware status")


def _signed_update(probe: Probe, *statuses: str) -> int:
    station, authority = probe.station, Authority("Plugstorm Firmware Signing")
    firmware = {
        "location": "https://firmware.example.org/station-3.0.bin",
        "retrieveDateTime": steps.ago(minutes=1),
        "signingCertificate": authority.certificate_pem.decode(),
        "signature": secrets.token_hex(64),
    }
    station.reply("SignedUpdateFirmware", {"status": "Accepted"})
    probe.command("SignedUpdateFirmware", {"requestId": 9, "firmware": firmware})
    sent = station.expect("SignedUpdateFirmware") or {}
    number = sent.get("requestId")
    number = number if isinstance(number, int) else 9
    for status in statuses:
        _firmware_status(station, status, number)
    return number


def _firmware_status(station: ScriptedStation, status: str, number: int) -> None:
    station.call("SignedFirmwareStatusNotification", {"status": status, "requestId": number})


@case(
    id="TC_080_CSMS",
    ocpp="1.6",
    title="A signed firmware update with a good signature",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=FIRMWARE_NEEDS,
    sends="Accepted to SignedUpdateFirmware, the statuses of a good update with a reboot, and FirmwareUpdated.",
    expects="The CSMS SHALL send location, certificate and signature, and answer every status, boot and event.",
    clause=Clause("SWP", "L01.FR.11"),
    defect="signed-firmware-without-signature",
    checks=(
        asked("SignedUpdateFirmware", FIRMWARE_FIELDS),
        FIRMWARE_STATUS_ANSWERED,
        every_status_is_answered,
        boot_is_accepted,
        EVENT_ANSWERED,
    ),
)
def signed_firmware(probe: Probe) -> None:
    station = probe.station
    number = _signed_update(probe, "Downloading", "Downloaded", "SignatureVerified", "Installing")
    steps.status(station, "Unavailable")
    _firmware_status(station, "InstallRebooting", number)
    station.disconnect()
    probe.reconnect(station)
    probe.boot(station)
    _firmware_status(station, "Installed", number)
    _security_event(station, "FirmwareUpdated")
    probe.report_available(station)


@case(
    id="TC_081_CSMS",
    ocpp="1.6",
    title="A signed firmware update with a bad signature",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=FIRMWARE_NEEDS,
    sends="Accepted to SignedUpdateFirmware, the statuses up to InvalidSignature, then SecurityEventNotification.",
    expects="The CSMS SHALL send SignedUpdateFirmware, and answer every status and the event.",
    clause=Clause("SWP", "5.19"),
    defect="invalid-signature-status-refused",
    checks=(asked("SignedUpdateFirmware", FIRMWARE_FIELDS), FIRMWARE_STATUS_ANSWERED, EVENT_ANSWERED),
)
def signed_firmware_invalid(probe: Probe) -> None:
    _signed_update(probe, "Downloading", "Downloaded", "InvalidSignature")
    _security_event(probe.station, "InvalidFirmwareSignature")


@case(
    id="TC_083_CSMS",
    ocpp="1.6",
    title="The CSMS raises the security profile: TLS from then on, and the lower one no more",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=("tls", "password", trigger_need("ChangeConfiguration"), trigger_need("Reset")),
    password=True,
    sends="Accepted to ChangeConfiguration of SecurityProfile and to Reset, a plain connection, then TLS and a boot.",
    expects="The CSMS SHALL send SecurityProfile 2 and Reset, refuse the lower profile and accept the higher one.",
    clause=Clause("SWP", "A00.FR.002"),
    defect="security-profile-not-raised",
    also=("tls-profile-on-plain-port", "server-certificate-of-another-host"),
    checks=(
        asked("ChangeConfiguration", {"key": one_of("SecurityProfile"), "value": one_of("2")}),
        asked("Reset", {"type": one_of("Hard", "Soft")}),
        refused_upgrade("The station is refused on its old security profile", nth=0),
        connection("The station is accepted over TLS", opens, nth=1),
        boot_is_accepted,
        every_status_is_answered,
    ),
)
def raise_profile(probe: Probe) -> None:
    station = probe.station
    station.reply("ChangeConfiguration", {"status": "Accepted"})
    station.reply("Reset", {"status": "Accepted"})
    probe.command("ChangeConfiguration", {"key": "SecurityProfile", "value": "2"})
    probe.command("Reset", {"type": "Hard"})
    station.expect("Reset")
    station.disconnect()
    plain = station.offer
    probe.secure(station, profile=2)
    probe.try_to_boot(station, url=plain.url, tls=None)
    probe.reconnect(station, judged=True)
    probe.boot(station)
    probe.report_available(station)
