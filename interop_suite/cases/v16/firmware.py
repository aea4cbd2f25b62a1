"""Firmware management: updates and diagnostics uploads that succeed and fail."""

from __future__ import annotations

from drivers.base import trigger_need
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import one_of, present
from interop_suite.drive.probe import Probe
from interop_suite.steps import v16 as steps
from interop_suite.steps.v16 import every_status_is_answered

BLOCK = "Firmware Management"
UPDATE = (trigger_need("UpdateFirmware"),)
DIAGNOSTICS = (trigger_need("GetDiagnostics"),)
FIRMWARE_URL = "https://firmware.example.org/station-2.0.bin"
UPLOAD_URL = "https://upload.example.org/diagnostics"
FIRMWARE_FIELDS = {"location": one_of(FIRMWARE_URL), "retrieveDate": present()}

firmware_status_is_answered = answered("FirmwareStatusNotification", claim="The CSMS answers every firmware status")
diagnostics_status_is_answered = answered(
    "DiagnosticsStatusNotification", claim="The CSMS answers every diagnostics status"
)
boot_is_accepted = answered("BootNotification", {"status": one_of("Accepted")}, nth=-1, claim="The boot is accepted")


def _update(probe: Probe, *statuses: str) -> None:
    station = probe.station
    station.reply("UpdateFirmware", {})
    probe.command("UpdateFirmware", {"location": FIRMWARE_URL, "retrieveDate": steps.ago(minutes=-2)})
    if station.expect("UpdateFirmware") is None:
        return
    for status in statuses:
        station.call("FirmwareStatusNotification", {"status": status})


def _reboot(probe: Probe) -> None:
    probe.station.disconnect()
    probe.reconnect(probe.station)
    probe.boot(probe.station)


@case(
    id="TC_044_1_CSMS",
    ocpp="1.6",
    title="A firmware update that downloads, installs and reboots",
    block=BLOCK,
    initiator="csms",
    needs=UPDATE,
    sends="The answer to UpdateFirmware, the firmware statuses of a good update, and a reboot in between.",
    expects="The CSMS SHALL send UpdateFirmware with location and retrieveDate, and answer every status and the boot.",
    clause=Clause("1.6", "5.19"),
    defect="update-firmware-without-retrieve-date",
    also=("firmware-installed-refused", "refuses-words-in-FirmwareStatusNotification", "unknown-connector-refused"),
    checks=(
        asked("UpdateFirmware", FIRMWARE_FIELDS),
        firmware_status_is_answered,
        every_status_is_answered,
        boot_is_accepted,
    ),
)
def firmware_update(probe: Probe) -> None:
    _update(probe, "Downloading", "Downloaded")
    steps.status(probe.station, "Unavailable")
    probe.station.call("FirmwareStatusNotification", {"status": "Installing"})
    _reboot(probe)
    probe.station.call("FirmwareStatusNotification", {"status": "Installed"})
    probe.report_available(probe.station)


@case(
    id="TC_044_2_CSMS",
    ocpp="1.6",
    title="A firmware update whose download fails",
    block=BLOCK,
    initiator="csms",
    needs=UPDATE,
    sends="The answer to UpdateFirmware, then FirmwareStatusNotification Downloading and DownloadFailed.",
    expects="The CSMS SHALL send UpdateFirmware with location and retrieveDate, and answer both statuses.",
    clause=Clause("1.6", "4.5"),
    defect="firmware-download-failed-refused",
    also=("refuses-words-in-FirmwareStatusNotification",),
    checks=(asked("UpdateFirmware", FIRMWARE_FIELDS), firmware_status_is_answered),
)
def firmware_download_fails(probe: Probe) -> None:
    _update(probe, "Downloading", "DownloadFailed")


@case(
    id="TC_044_3_CSMS",
    ocpp="1.6",
    title="A firmware update whose installation fails",
    block=BLOCK,
    initiator="csms",
    needs=UPDATE,
    sends="The answer to UpdateFirmware, the firmware statuses up to Installing, then InstallationFailed.",
    expects="The CSMS SHALL send UpdateFirmware with location and retrieveDate, and answer every status.",
    clause=Clause("1.6", "4.5"),
    defect="firmware-installation-failed-refused",
    also=("refuses-words-in-FirmwareStatusNotification",),
    checks=(asked("UpdateFirmware", FIRMWARE_FIELDS), firmware_status_is_answered, every_status_is_answered),
)
def firmware_installation_fails(probe: Probe) -> None:
    _update(probe, "Downloading", "Downloaded", "Installing", "InstallationFailed")
    steps.status(probe.station, "Available")


def _diagnostics(probe: Probe, *statuses: str) -> None:
    station = probe.station
    station.reply("GetDiagnostics", {"fileName": "diagnostics.zip"})
    probe.command("GetDiagnostics", {"location": UPLOAD_URL})
    if station.expect("GetDiagnostics") is None:
        return
    for status in statuses:
        station.call("DiagnosticsStatusNotification", {"status": status})


@case(
    id="TC_045_1_CSMS",
    ocpp="1.6",
    title="A diagnostics upload that succeeds",
    block="Diagnostics",
    profile=BLOCK,
    initiator="csms",
    needs=DIAGNOSTICS,
    sends="A file name as the answer to GetDiagnostics, then DiagnosticsStatusNotification Uploading and Uploaded.",
    expects="The CSMS SHALL send GetDiagnostics with a location, and answer both statuses.",
    clause=Clause("1.6", "5.9"),
    defect="get-diagnostics-without-location",
    also=("refuses-words-in-DiagnosticsStatusNotification",),
    checks=(asked("GetDiagnostics", {"location": one_of(UPLOAD_URL)}), diagnostics_status_is_answered),
)
def diagnostics_upload(probe: Probe) -> None:
    _diagnostics(probe, "Uploading", "Uploaded")


@case(
    id="TC_045_2_CSMS",
    ocpp="1.6",
    title="A diagnostics upload that fails",
    block="Diagnostics",
    profile=BLOCK,
    initiator="csms",
    needs=DIAGNOSTICS,
    sends="A file name as the answer to GetDiagnostics, then DiagnosticsStatusNotification Uploading and UploadFailed.",
    expects="The CSMS SHALL send GetDiagnostics with a location, and answer both statuses.",
    clause=Clause("1.6", "4.4"),
    defect="diagnostics-upload-failed-refused",
    also=("refuses-words-in-DiagnosticsStatusNotification",),
    checks=(asked("GetDiagnostics", {"location": one_of(UPLOAD_URL)}), diagnostics_status_is_answered),
)
def diagnostics_upload_fails(probe: Probe) -> None:
    _diagnostics(probe, "Uploading", "UploadFailed")
