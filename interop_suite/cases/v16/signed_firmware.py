"""Security whitepaper: a firmware update that the station checks before it installs it."""

from __future__ import annotations

import secrets

from drivers.base import trigger_need
from fixtures.certificates import Authority
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import present
from interop_suite.drive.probe import Probe
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps import v16 as steps
from interop_suite.steps.connections import boot_is_accepted
from interop_suite.steps.v16 import every_status_is_answered, security_event_is_answered

BLOCK = "Security"
PROFILE = "Advanced Security"


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
        "retrieveDateTime": steps.ago(minutes=-2),
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
    also=("unknown-connector-refused",),
    checks=(
        asked("SignedUpdateFirmware", FIRMWARE_FIELDS),
        FIRMWARE_STATUS_ANSWERED,
        every_status_is_answered,
        boot_is_accepted,
        security_event_is_answered,
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
    steps.security_event(station, "FirmwareUpdated")
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
    checks=(asked("SignedUpdateFirmware", FIRMWARE_FIELDS), FIRMWARE_STATUS_ANSWERED, security_event_is_answered),
)
def signed_firmware_invalid(probe: Probe) -> None:
    _signed_update(probe, "Downloading", "Downloaded", "InvalidSignature")
    steps.security_event(probe.station, "InvalidFirmwareSignature")
