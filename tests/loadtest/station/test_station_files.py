from __future__ import annotations

from typing import Any

import pytest

from fixtures.certificates import Authority
from loadtest.workload.answers import Files
from loadtest.workload.profile import Profile
from ocppj.versions import Version
from tests.loadtest.fleet_harness import FleetHarness

every_version = pytest.mark.parametrize("version", list(Version))
every_2x = pytest.mark.parametrize("version", [Version.V201, Version.V21])
every_signed = pytest.mark.parametrize(
    ("version", "action", "message"),
    [
        (Version.V16, "SignedUpdateFirmware", "SignedFirmwareStatusNotification"),
        (Version.V201, "UpdateFirmware", "FirmwareStatusNotification"),
        (Version.V21, "UpdateFirmware", "FirmwareStatusNotification"),
    ],
)
CERTIFICATE = Authority("Maker").certificate_pem.decode()


def profile(*, reboot: bool = True, fail: float = 0.0) -> Profile:
    files = Files(download=10.0, install=20.0, upload=5.0, reboot=reboot, fail=fail)
    return Profile(title="single", models={"ac-single": 1.0}, meter=10.0, reboot=5.0, files=files)


def words(harness: FleetHarness, action: str) -> list[str]:
    return [call.payload["status"] for call in harness.sent(action)]


def update_16(harness: FleetHarness, after: float = 0.0, **more: Any) -> list[Any]:
    when = harness.context.timestamp(harness.now + after)
    return harness.command("UpdateFirmware", {"location": "ftp://127.0.0.1/f", "retrieveDate": when} | more)


def firmware(harness: FleetHarness, number: int = 7, after: float = 0.0, **more: Any) -> dict[str, Any]:
    when = harness.context.timestamp(harness.now + after)
    parts = {"location": "ftp://127.0.0.1/f", "retrieveDateTime": when, "signingCertificate": CERTIFICATE}
    return {"requestId": number, "firmware": parts | {"signature": "c2ln"} | more}


def trigger(harness: FleetHarness, wanted: str, *, extended: bool = False) -> dict[str, Any]:
    before = len(harness.calls)
    action = "ExtendedTriggerMessage" if extended else "TriggerMessage"
    assert harness.command(action, {"requestedMessage": wanted})[2]["status"] == "Accepted"
    assert len(harness.calls) == before + 1
    return harness.calls[-1].payload


def remote_start(harness: FleetHarness) -> None:
    if harness.version is Version.V16:
        harness.command("RemoteStartTransaction", {"idTag": "TAG", "connectorId": 1})
    else:
        token = {"idToken": "TAG", "type": "Central"}
        harness.command("RequestStartTransaction", {"remoteStartId": 7, "idToken": token, "evseId": 1})


# -- firmware ----------------------------------------------------------------------------------------------------------


def test_firmware_of_16_is_fetched_at_its_time_and_installed_with_a_restart() -> None:
    harness = FleetHarness(Version.V16, profile()).start()
    before = harness.station.individual.firmware_version
    assert update_16(harness, after=100.0)[2] == {}
    harness.run(99.0)
    assert words(harness, "FirmwareStatusNotification") == []
    harness.run(20.0)
    assert words(harness, "FirmwareStatusNotification") == ["Downloading", "Downloaded", "Installing"]
    assert harness.statuses[-1] == "Unavailable"
    harness.run(60.0)
    assert words(harness, "FirmwareStatusNotification") == ["Downloading", "Downloaded", "Installing", "Installed"]
    assert [call.connection for call in harness.sent("FirmwareStatusNotification")] == [1, 1, 1, 2]
    assert harness.statuses[-1] == "Available"
    boots = [call.payload["firmwareVersion"] for call in harness.sent("BootNotification")]
    assert boots[0] == before
    assert boots[1] in harness.station.model.firmware
    assert "SecurityEventNotification" not in harness.actions


@every_signed
def test_signed_firmware_is_verified_and_the_station_says_why_it_restarts(
    version: Version, action: str, message: str
) -> None:
    harness = FleetHarness(version, profile()).start()
    assert harness.command(action, firmware(harness))[2]["status"] == "Accepted"
    harness.run(100.0)
    assert words(harness, message) == [
        "Downloading",
        "Downloaded",
        "SignatureVerified",
        "Installing",
        "InstallRebooting",
        "Installed",
    ]
    assert {call.payload["requestId"] for call in harness.sent(message)} == {7}
    assert [call.payload["type"] for call in harness.sent("SecurityEventNotification")] == ["FirmwareUpdated"]
    if version is not Version.V16:
        assert harness.sent("BootNotification")[-1].payload["reason"] == "FirmwareUpdate"
    assert harness.statuses[-1] == "Available"


@every_2x
def test_firmware_without_a_signature_and_without_a_restart_takes_the_short_way(version: Version) -> None:
    harness = FleetHarness(version, profile(reboot=False)).start()
    request = firmware(harness, after=30.0, installDateTime=harness.context.timestamp(harness.now + 100.0))
    del request["firmware"]["signingCertificate"], request["firmware"]["signature"]
    harness.command("UpdateFirmware", request)
    harness.run(200.0)
    told = harness.sent("FirmwareStatusNotification")
    assert [call.payload["status"] for call in told] == [
        "DownloadScheduled",
        "Downloading",
        "Downloaded",
        "InstallScheduled",
        "Installing",
        "Installed",
    ]
    assert told[1].at == pytest.approx(1030.0, abs=0.01)
    assert told[4].at == pytest.approx(1100.0, abs=0.01)
    assert len(harness.sockets) == 1


@every_2x
def test_an_installation_waits_for_the_driver_and_lets_nobody_else_in(version: Version) -> None:
    harness = FleetHarness(version, profile()).start()
    remote_start(harness)
    harness.command("UpdateFirmware", firmware(harness))
    harness.run(300.0)
    assert words(harness, "FirmwareStatusNotification")[-1] == "InstallScheduled"
    transaction = harness.sent("TransactionEvent")[0].payload["transactionInfo"]["transactionId"]
    harness.command("RequestStopTransaction", {"transactionId": transaction})
    harness.run(10.0)
    assert words(harness, "FirmwareStatusNotification")[-1] == "Installing"
    harness.command("ChangeAvailability", {"operationalStatus": "Inoperative"})
    harness.run(100.0)
    assert words(harness, "FirmwareStatusNotification")[-1] == "Installed"
    # What the CSMS wanted in the meantime counts now.
    assert harness.statuses[-1] == "Unavailable"


@every_signed
def test_a_certificate_that_is_none_stops_signed_firmware(version: Version, action: str, message: str) -> None:
    harness = FleetHarness(version, profile()).start()
    request = firmware(harness, signingCertificate="no certificate")
    assert harness.command(action, request)[2]["status"] == "InvalidCertificate"
    harness.run(100.0)
    assert message not in harness.actions
    events = [call.payload["type"] for call in harness.sent("SecurityEventNotification")]
    assert events == ["InvalidFirmwareSigningCertificate"]


@every_signed
def test_new_firmware_takes_the_place_of_one_on_its_way_until_that_is_being_installed(
    version: Version, action: str, message: str
) -> None:
    harness = FleetHarness(version, profile()).start()
    harness.command(action, firmware(harness, 1))
    harness.run(2.0)
    assert harness.command(action, firmware(harness, 2))[2]["status"] == "AcceptedCanceled"
    harness.run(18.0)
    assert [(c.payload["requestId"], c.payload["status"]) for c in harness.sent(message)][:3] == [
        (1, "Downloading"),
        (2, "Downloading"),
        (2, "Downloaded"),
    ]
    assert words(harness, message)[-1] == "Installing"
    assert harness.command(action, firmware(harness, 3))[2]["status"] == "Rejected"


def test_a_download_that_fails_is_tried_again_as_often_as_asked() -> None:
    harness = FleetHarness(Version.V16, profile(fail=1.0)).start()
    update_16(harness, retries=2, retryInterval=100)
    harness.run(229.0)
    assert words(harness, "FirmwareStatusNotification") == ["Downloading"]
    harness.run(2.0)
    assert words(harness, "FirmwareStatusNotification") == ["Downloading", "DownloadFailed"]


def test_what_could_not_be_said_while_the_line_was_down_is_said_afterwards() -> None:
    harness = FleetHarness(Version.V16, profile(reboot=False)).start()
    update_16(harness)
    harness.run(5.0)
    harness.lose(refuse_with="refused")
    harness.run(100.0)
    harness.refuse_with = None
    harness.run(100.0)
    assert words(harness, "FirmwareStatusNotification") == ["Downloading", "Downloaded", "Installing", "Installed"]


# -- logs --------------------------------------------------------------------------------------------------------------


def log(number: int) -> dict[str, Any]:
    return {"logType": "DiagnosticsLog", "requestId": number, "log": {"remoteLocation": "ftp://127.0.0.1/"}}


@every_version
def test_a_log_is_uploaded_and_a_second_one_takes_its_place(version: Version) -> None:
    harness = FleetHarness(version, profile()).start()
    first = harness.command("GetLog", log(1))[2]
    assert (first["status"], first["filename"].endswith(".zip")) == ("Accepted", True)
    assert harness.command("GetLog", log(2))[2]["status"] == "AcceptedCanceled"
    harness.run(20.0)
    told = [(call.payload["requestId"], call.payload["status"]) for call in harness.sent("LogStatusNotification")]
    canceled = [] if version is Version.V16 else [(1, "AcceptedCanceled")]
    assert told == [(1, "Uploading"), *canceled, (2, "Uploading"), (2, "Uploaded")]


def test_diagnostics_of_16_are_uploaded() -> None:
    harness = FleetHarness(Version.V16, profile()).start()
    harness.command("GetDiagnostics", {"location": "ftp://127.0.0.1/"})
    harness.run(20.0)
    assert words(harness, "DiagnosticsStatusNotification") == ["Uploading", "Uploaded"]
    failing = FleetHarness(Version.V16, profile(fail=1.0)).start()
    failing.command("GetDiagnostics", {"location": "ftp://127.0.0.1/"})
    failing.run(20.0)
    assert words(failing, "DiagnosticsStatusNotification") == ["Uploading", "UploadFailed"]


@every_version
def test_a_trigger_hears_the_present_state(version: Version) -> None:
    harness = FleetHarness(version, profile()).start()
    first = version is Version.V16
    assert trigger(harness, "LogStatusNotification", extended=first) == {"status": "Idle"}
    harness.command("GetLog", log(4))
    assert trigger(harness, "LogStatusNotification", extended=first) == {"status": "Uploading", "requestId": 4}
    harness.run(20.0)
    assert trigger(harness, "LogStatusNotification", extended=first) == {"status": "Idle"}
    harness.command("SignedUpdateFirmware" if first else "UpdateFirmware", firmware(harness, 5))
    expected = {"status": "Downloading", "requestId": 5}
    assert trigger(harness, "FirmwareStatusNotification", extended=first) == expected
    if first:
        # The message of plain 1.6 speaks of plain firmware, and of that there is none.
        assert trigger(harness, "FirmwareStatusNotification") == {"status": "Idle"}
    harness.run(100.0)
    assert trigger(harness, "FirmwareStatusNotification", extended=first) == {"status": "Idle"}


@every_2x
def test_firmware_for_others_is_published_and_withdrawn(version: Version) -> None:
    harness = FleetHarness(version, profile()).start()
    request = {"location": "https://127.0.0.1/f", "checksum": "abc", "requestId": 3}
    assert harness.command("UnpublishFirmware", {"checksum": "abc"})[2]["status"] == "NoFirmware"
    assert harness.command("PublishFirmware", request)[2]["status"] == "Accepted"
    assert harness.command("PublishFirmware", request)[2]["status"] == "Rejected"
    assert harness.command("UnpublishFirmware", {"checksum": "abc"})[2]["status"] == "DownloadOngoing"
    harness.run(30.0)
    told = harness.sent("PublishFirmwareStatusNotification")
    assert [call.payload["status"] for call in told] == ["Downloading", "Downloaded", "ChecksumVerified", "Published"]
    assert told[-1].payload["location"] == ["https://127.0.0.1/f"]
    answers = [harness.command("UnpublishFirmware", {"checksum": "abc"})[2]["status"] for _ in range(2)]
    assert answers == ["Unpublished", "NoFirmware"]
