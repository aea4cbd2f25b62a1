from __future__ import annotations

from typing import Any

import pytest

from fixtures.certificates import Authority
from loadtest.workload.answers import Files
from loadtest.workload.profile import Profile
from ocppj.versions import Version
from tests.loadtest.fleet_harness import Yard

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


def words(yard: Yard, action: str) -> list[str]:
    return [call.payload["status"] for call in yard.sent(action)]


def update_16(yard: Yard, after: float = 0.0, **more: Any) -> list[Any]:
    when = yard.fleet.timestamp(yard.now + after)
    return yard.command("UpdateFirmware", {"location": "ftp://127.0.0.1/f", "retrieveDate": when} | more)


def firmware(yard: Yard, number: int = 7, after: float = 0.0, **more: Any) -> dict[str, Any]:
    when = yard.fleet.timestamp(yard.now + after)
    parts = {"location": "ftp://127.0.0.1/f", "retrieveDateTime": when, "signingCertificate": CERTIFICATE}
    return {"requestId": number, "firmware": parts | {"signature": "c2ln"} | more}


def trigger(yard: Yard, wanted: str, *, extended: bool = False) -> dict[str, Any]:
    before = len(yard.calls)
    action = "ExtendedTriggerMessage" if extended else "TriggerMessage"
    assert yard.command(action, {"requestedMessage": wanted})[2]["status"] == "Accepted"
    assert len(yard.calls) == before + 1
    return yard.calls[-1].payload


def remote_start(yard: Yard) -> None:
    if yard.version is Version.V16:
        yard.command("RemoteStartTransaction", {"idTag": "TAG", "connectorId": 1})
    else:
        token = {"idToken": "TAG", "type": "Central"}
        yard.command("RequestStartTransaction", {"remoteStartId": 7, "idToken": token, "evseId": 1})


# -- firmware ----------------------------------------------------------------------------------------------------------


def test_firmware_of_16_is_fetched_at_its_time_and_installed_with_a_restart() -> None:
    yard = Yard(Version.V16, profile()).start()
    before = yard.station.individual.firmware_version
    assert update_16(yard, after=100.0)[2] == {}
    yard.run(99.0)
    assert words(yard, "FirmwareStatusNotification") == []
    yard.run(20.0)
    assert words(yard, "FirmwareStatusNotification") == ["Downloading", "Downloaded", "Installing"]
    assert yard.statuses[-1] == "Unavailable"
    yard.run(60.0)
    assert words(yard, "FirmwareStatusNotification") == ["Downloading", "Downloaded", "Installing", "Installed"]
    assert [call.connection for call in yard.sent("FirmwareStatusNotification")] == [1, 1, 1, 2]
    assert yard.statuses[-1] == "Available"
    boots = [call.payload["firmwareVersion"] for call in yard.sent("BootNotification")]
    assert boots[0] == before
    assert boots[1] in yard.station.model.firmware
    assert "SecurityEventNotification" not in yard.actions


@every_signed
def test_signed_firmware_is_verified_and_the_station_says_why_it_restarts(
    version: Version, action: str, message: str
) -> None:
    yard = Yard(version, profile()).start()
    assert yard.command(action, firmware(yard))[2]["status"] == "Accepted"
    yard.run(100.0)
    assert words(yard, message) == [
        "Downloading",
        "Downloaded",
        "SignatureVerified",
        "Installing",
        "InstallRebooting",
        "Installed",
    ]
    assert {call.payload["requestId"] for call in yard.sent(message)} == {7}
    assert [call.payload["type"] for call in yard.sent("SecurityEventNotification")] == ["FirmwareUpdated"]
    if version is not Version.V16:
        assert yard.sent("BootNotification")[-1].payload["reason"] == "FirmwareUpdate"
    assert yard.statuses[-1] == "Available"


@every_2x
def test_firmware_without_a_signature_and_without_a_restart_takes_the_short_way(version: Version) -> None:
    yard = Yard(version, profile(reboot=False)).start()
    request = firmware(yard, after=30.0, installDateTime=yard.fleet.timestamp(yard.now + 100.0))
    del request["firmware"]["signingCertificate"], request["firmware"]["signature"]
    yard.command("UpdateFirmware", request)
    yard.run(200.0)
    told = yard.sent("FirmwareStatusNotification")
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
    assert len(yard.sockets) == 1


@every_2x
def test_an_installation_waits_for_the_driver_and_lets_nobody_else_in(version: Version) -> None:
    yard = Yard(version, profile()).start()
    remote_start(yard)
    yard.command("UpdateFirmware", firmware(yard))
    yard.run(300.0)
    assert words(yard, "FirmwareStatusNotification")[-1] == "InstallScheduled"
    transaction = yard.sent("TransactionEvent")[0].payload["transactionInfo"]["transactionId"]
    yard.command("RequestStopTransaction", {"transactionId": transaction})
    yard.run(10.0)
    assert words(yard, "FirmwareStatusNotification")[-1] == "Installing"
    yard.command("ChangeAvailability", {"operationalStatus": "Inoperative"})
    yard.run(100.0)
    assert words(yard, "FirmwareStatusNotification")[-1] == "Installed"
    # What the CSMS wanted in the meantime counts now.
    assert yard.statuses[-1] == "Unavailable"


@every_signed
def test_a_certificate_that_is_none_stops_signed_firmware(version: Version, action: str, message: str) -> None:
    yard = Yard(version, profile()).start()
    request = firmware(yard, signingCertificate="no certificate")
    assert yard.command(action, request)[2]["status"] == "InvalidCertificate"
    yard.run(100.0)
    assert message not in yard.actions
    events = [call.payload["type"] for call in yard.sent("SecurityEventNotification")]
    assert events == ["InvalidFirmwareSigningCertificate"]


@every_signed
def test_new_firmware_takes_the_place_of_one_on_its_way_until_that_is_being_installed(
    version: Version, action: str, message: str
) -> None:
    yard = Yard(version, profile()).start()
    yard.command(action, firmware(yard, 1))
    yard.run(2.0)
    assert yard.command(action, firmware(yard, 2))[2]["status"] == "AcceptedCanceled"
    yard.run(18.0)
    assert [(c.payload["requestId"], c.payload["status"]) for c in yard.sent(message)][:3] == [
        (1, "Downloading"),
        (2, "Downloading"),
        (2, "Downloaded"),
    ]
    assert words(yard, message)[-1] == "Installing"
    assert yard.command(action, firmware(yard, 3))[2]["status"] == "Rejected"


def test_a_download_that_fails_is_tried_again_as_often_as_asked() -> None:
    yard = Yard(Version.V16, profile(fail=1.0)).start()
    update_16(yard, retries=2, retryInterval=100)
    yard.run(229.0)
    assert words(yard, "FirmwareStatusNotification") == ["Downloading"]
    yard.run(2.0)
    assert words(yard, "FirmwareStatusNotification") == ["Downloading", "DownloadFailed"]


def test_what_could_not_be_said_while_the_line_was_down_is_said_afterwards() -> None:
    yard = Yard(Version.V16, profile(reboot=False)).start()
    update_16(yard)
    yard.run(5.0)
    yard.lose(refuse_with="refused")
    yard.run(100.0)
    yard.refuse_with = None
    yard.run(100.0)
    assert words(yard, "FirmwareStatusNotification") == ["Downloading", "Downloaded", "Installing", "Installed"]


# -- logs --------------------------------------------------------------------------------------------------------------


def log(number: int) -> dict[str, Any]:
    return {"logType": "DiagnosticsLog", "requestId": number, "log": {"remoteLocation": "ftp://127.0.0.1/"}}


@every_version
def test_a_log_is_uploaded_and_a_second_one_takes_its_place(version: Version) -> None:
    yard = Yard(version, profile()).start()
    first = yard.command("GetLog", log(1))[2]
    assert (first["status"], first["filename"].endswith(".zip")) == ("Accepted", True)
    assert yard.command("GetLog", log(2))[2]["status"] == "AcceptedCanceled"
    yard.run(20.0)
    told = [(call.payload["requestId"], call.payload["status"]) for call in yard.sent("LogStatusNotification")]
    canceled = [] if version is Version.V16 else [(1, "AcceptedCanceled")]
    assert told == [(1, "Uploading"), *canceled, (2, "Uploading"), (2, "Uploaded")]


def test_diagnostics_of_16_are_uploaded() -> None:
    yard = Yard(Version.V16, profile()).start()
    yard.command("GetDiagnostics", {"location": "ftp://127.0.0.1/"})
    yard.run(20.0)
    assert words(yard, "DiagnosticsStatusNotification") == ["Uploading", "Uploaded"]
    failing = Yard(Version.V16, profile(fail=1.0)).start()
    failing.command("GetDiagnostics", {"location": "ftp://127.0.0.1/"})
    failing.run(20.0)
    assert words(failing, "DiagnosticsStatusNotification") == ["Uploading", "UploadFailed"]


@every_version
def test_a_trigger_hears_the_present_state(version: Version) -> None:
    yard = Yard(version, profile()).start()
    first = version is Version.V16
    assert trigger(yard, "LogStatusNotification", extended=first) == {"status": "Idle"}
    yard.command("GetLog", log(4))
    assert trigger(yard, "LogStatusNotification", extended=first) == {"status": "Uploading", "requestId": 4}
    yard.run(20.0)
    assert trigger(yard, "LogStatusNotification", extended=first) == {"status": "Idle"}
    yard.command("SignedUpdateFirmware" if first else "UpdateFirmware", firmware(yard, 5))
    expected = {"status": "Downloading", "requestId": 5}
    assert trigger(yard, "FirmwareStatusNotification", extended=first) == expected
    if first:
        # The message of plain 1.6 speaks of plain firmware, and of that there is none.
        assert trigger(yard, "FirmwareStatusNotification") == {"status": "Idle"}
    yard.run(100.0)
    assert trigger(yard, "FirmwareStatusNotification", extended=first) == {"status": "Idle"}


@every_2x
def test_firmware_for_others_is_published_and_withdrawn(version: Version) -> None:
    yard = Yard(version, profile()).start()
    request = {"location": "https://127.0.0.1/f", "checksum": "abc", "requestId": 3}
    assert yard.command("UnpublishFirmware", {"checksum": "abc"})[2]["status"] == "NoFirmware"
    assert yard.command("PublishFirmware", request)[2]["status"] == "Accepted"
    assert yard.command("PublishFirmware", request)[2]["status"] == "Rejected"
    assert yard.command("UnpublishFirmware", {"checksum": "abc"})[2]["status"] == "DownloadOngoing"
    yard.run(30.0)
    told = yard.sent("PublishFirmwareStatusNotification")
    assert [call.payload["status"] for call in told] == ["Downloading", "Downloaded", "ChecksumVerified", "Published"]
    assert told[-1].payload["location"] == ["https://127.0.0.1/f"]
    answers = [yard.command("UnpublishFirmware", {"checksum": "abc"})[2]["status"] for _ in range(2)]
    assert answers == ["Unpublished", "NoFirmware"]
