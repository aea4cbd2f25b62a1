"""Each preset against an API that answers as the CSMS does, and client programs that write down what they read."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from drivers.base import CommandResult, DriverCannotError, DriverError, StationSettings, TokenSettings
from drivers.factory import make_declarative_driver
from ocppj.actions import ACTIONS
from ocppj.schemas import validator
from ocppj.versions import Version
from tests.drivers.stub_api import Asked, Said, StubApi
from tests.drivers.test_http_requests import post

PAST, FUTURE = "2020-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z"
PROFILE = {
    "chargingProfileId": 21,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Relative",
    "transactionId": 4,
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 8.1}]},
}
# A payload of every command of 1.6.
PAYLOADS: dict[str, dict[str, Any]] = {
    "CancelReservation": {"reservationId": 9},
    "CertificateSigned": {"certificateChain": "PEM"},
    "ChangeAvailability": {"connectorId": 1, "type": "Inoperative"},
    "ChangeConfiguration": {"key": "HeartbeatInterval", "value": "60"},
    "ClearCache": {},
    "ClearChargingProfile": {"id": 21},
    "DataTransfer": {"vendorId": "org.example", "data": "x"},
    "DeleteCertificate": {
        "certificateHashData": {
            "hashAlgorithm": "SHA256", "issuerNameHash": "a", "issuerKeyHash": "b", "serialNumber": "c0ffee",
        }
    },
    "ExtendedTriggerMessage": {"requestedMessage": "SignChargePointCertificate"},
    "GetCompositeSchedule": {"connectorId": 1, "duration": 300},
    "GetConfiguration": {"key": ["HeartbeatInterval", "ResetRetries"]},
    "GetDiagnostics": {"location": "https://upload.example.org/d"},
    "GetInstalledCertificateIds": {"certificateType": "CentralSystemRootCertificate"},
    "GetLocalListVersion": {},
    "GetLog": {"logType": "SecurityLog", "requestId": 5, "log": {"remoteLocation": "https://upload.example.org/l"}},
    "InstallCertificate": {"certificateType": "CentralSystemRootCertificate", "certificate": "PEM"},
    "RemoteStartTransaction": {"idTag": "A1", "connectorId": 1},
    "RemoteStopTransaction": {"transactionId": 4},
    "ReserveNow": {"connectorId": 1, "expiryDate": FUTURE, "idTag": "A1", "reservationId": 9},
    "Reset": {"type": "Soft"},
    "SendLocalList": {
        "listVersion": 7,
        "updateType": "Full",
        "localAuthorizationList": [{"idTag": "A1", "idTagInfo": {"status": "Accepted"}}, {"idTag": "B2"}],
    },
    "SetChargingProfile": {"connectorId": 1, "csChargingProfiles": PROFILE},
    "SignedUpdateFirmware": {
        "requestId": 9,
        "firmware": {
            "location": "https://fw.example.org/f", "retrieveDateTime": FUTURE, "signingCertificate": "PEM",
            "signature": "00",
        },
    },
    "TriggerMessage": {"requestedMessage": "MeterValues", "connectorId": 1},
    "UnlockConnector": {"connectorId": 1},
    "UpdateFirmware": {"location": "https://fw.example.org/f", "retrieveDate": FUTURE},
}  # fmt: skip


def test_there_is_a_valid_payload_for_every_command() -> None:
    assert PAYLOADS.keys() == {action for action, entry in ACTIONS[Version.V16].items() if entry.by_csms}
    for action, payload in PAYLOADS.items():
        assert list(validator(Version.V16, action, "request").errors(payload)) == []


class Programs:
    """Stand-ins for client programs: each appends what it reads to its own file and prints what it is told to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def install(self, name: str, prints: str = "") -> None:
        program = self._folder / name
        (self._folder / f"{name}.says").write_text(prints)
        program.write_text('#!/bin/sh\ncat >> "$0.read"\nprintenv > "$0.env"\ncat "$0.says"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def read(self, name: str) -> str:
        file = self._folder / f"{name}.read"
        text = file.read_text() if file.exists() else ""
        file.unlink(missing_ok=True)
        return " ".join(text.split())

    def environment(self, name: str) -> dict[str, str]:
        lines = (self._folder / f"{name}.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return Programs(tmp_path)


@contextmanager
def preset(name: str, say: Callable[[Asked], Said], **options: str) -> Iterator[tuple[Any, StubApi]]:
    with StubApi(say) as api:
        driver = make_declarative_driver(name, {"url": api.url, **options})
        try:
            yield driver, api
        finally:
            driver.close()


def trigger(driver: Any, action: str, version: Version = Version.V16, payload: Any = None) -> CommandResult:
    result: CommandResult = driver.command("CP1", action, PAYLOADS[action] if payload is None else payload, version)
    return result


# -- SteVe -----------------------------------------------------------------------------------------------------------

BOX = {"chargeBoxIdList": ["CP1"]}
STEVE: dict[str, dict[str, Any] | None] = {
    "CancelReservation": {"reservationId": 9},
    "ChangeAvailability": {"connectorId": 1, "availType": "Inoperative"},
    "ChangeConfiguration": {"keyType": "CUSTOM", "customConfKey": "HeartbeatInterval", "value": "60"},
    "ClearCache": {},
    "ClearChargingProfile": {"filterType": "ChargingProfileId", "chargingProfilePk": 21},
    "DataTransfer": {"vendorId": "org.example", "data": "x"},
    "DeleteCertificate": {"installedCertificateId": 12},
    "ExtendedTriggerMessage": {"triggerMessage": "SignChargePointCertificate"},
    "GetCompositeSchedule": {"connectorId": 1, "durationInSeconds": 300},
    "GetConfiguration": {"commaSeparatedCustomConfKeys": "HeartbeatInterval,ResetRetries"},
    "GetDiagnostics": {"location": "https://upload.example.org/d"},
    "GetInstalledCertificateIds": {"certificateType": "CentralSystemRootCertificate"},
    "GetLocalListVersion": {},
    "GetLog": {"logType": "SecurityLog", "location": "https://upload.example.org/l"},
    "InstallCertificate": {"certificateType": "CentralSystemRootCertificate", "certificate": "PEM"},
    "RemoteStartTransaction": {"idTag": "A1", "connectorId": 1},
    "RemoteStopTransaction": {"transactionId": 4},
    "ReserveNow": {"connectorId": 1, "expiry": FUTURE, "idTag": "A1"},
    "Reset": {"resetType": "Soft"},
    "SendLocalList": {
        "listVersion": 7, "updateType": "Full", "sendEmptyListWhenFull": False, "addUpdateList": ["A1"],
        "deleteList": ["B2"],
    },
    "SetChargingProfile": {"connectorId": 1, "chargingProfilePk": 21, "transactionId": 4},
    "SignedUpdateFirmware": {
        "location": "https://fw.example.org/f", "retrieveDateTime": FUTURE, "signingCertificate": "PEM",
        "signature": "00",
    },
    "TriggerMessage": {"triggerMessage": "MeterValues", "connectorId": 1},
    "UnlockConnector": {"connectorId": 1},
    "UpdateFirmware": {"location": "https://fw.example.org/f", "retrieveDateTime": FUTURE},
}  # fmt: skip


def steve_says(**parts: Any) -> Said:
    return Said(200, {"taskId": 1, "successResponses": [], "errorResponses": [], "exceptions": [], **parts})


@pytest.fixture
def steve(monkeypatch: pytest.MonkeyPatch, programs: Programs) -> Programs:
    monkeypatch.setenv("STEVE_API_PASSWORD", "api-s3cret")
    monkeypatch.setenv("STEVE_DB_PASSWORD", "db-s3cret")
    programs.install("mysql", "12\n")
    return programs


def test_steve_gets_its_own_words_for_every_command(steve: Programs) -> None:
    said = steve_says(successResponses=[{"chargeBoxId": "CP1", "response": "Accepted"}])
    with preset("steve", lambda _: said) as (driver, api):
        for action, body in STEVE.items():
            assert driver.missing(f"trigger:{action}", Version.V16) is None
            assert trigger(driver, action).status == "answered"
            last = api.asked[-1]
            assert (action, last.route) == (action, f"POST /api/v1/operations/{action}")
            assert (action, last.json) == (action, {**BOX, **(body or {})})
            assert last.headers["authorization"] == "Basic YWRtaW46YXBpLXMzY3JldA=="
        assert set(PAYLOADS) - set(STEVE) == {"CertificateSigned"}
        assert "by itself" in str(driver.missing("trigger:CertificateSigned", Version.V16))
    statements = steve.read("mysql")
    assert "INSERT INTO charging_profile (" in statements
    assert "VALUES (21, 0, 'TxProfile', 'Relative', NULL, NULL, NULL, NULL, NULL, 'A', NULL);" in statements
    assert "VALUES (21, 0, 8.1, NULL);" in statements
    assert "WHERE charge_box_id = 'CP1' AND serial_number = 'c0ffee';" in statements
    assert steve.environment("mysql")["MYSQL_PWD"] == "db-s3cret"


@pytest.mark.parametrize(
    ("said", "result"),
    [
        (steve_says(successResponses=[{"response": {"a": 1}}]),
         CommandResult(status="answered", payload={"a": 1})),
        (steve_says(successResponses=[{"response": "Accepted"}]),
         CommandResult(status="answered", payload={"status": "Accepted"})),
        (steve_says(errorResponses=[{"errorCode": "NotSupported", "errorDescription": "no"}]),
         CommandResult(status="error", origin="station", code="NotSupported", description="no")),
        (steve_says(exceptions=[{"exceptionMessage": "offline"}]),
         CommandResult(status="error", origin="csms", description="offline")),
        (steve_says(taskFinished=False), CommandResult(status="timeout", origin="csms")),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("steve")
def test_steve_says_how_a_command_ended(said: Said, result: CommandResult) -> None:
    with preset("steve", lambda _: said) as (driver, _):
        assert trigger(driver, "Reset") == result


def test_steve_gets_an_update_in_the_future_and_a_remote_start_with_its_profile(steve: Programs) -> None:
    said = steve_says(successResponses=[{"response": "Accepted"}])
    with preset("steve", lambda _: said) as (driver, api):
        trigger(driver, "UpdateFirmware", payload={"location": "https://x", "retrieveDate": PAST})
        assert api.asked[-1].json["retrieveDateTime"] > PAST
        trigger(driver, "RemoteStartTransaction", payload={"idTag": "A1", "chargingProfile": PROFILE})
        assert api.asked[-1].json == {**BOX, "idTag": "A1", "chargingProfilePk": 21}
    assert "INSERT INTO charging_profile (" in steve.read("mysql")


def test_steve_without_its_database_does_what_its_api_can(steve: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STEVE_DB_PASSWORD")
    said = steve_says(successResponses=[{"response": "Accepted"}])
    with preset("steve", lambda _: said) as (driver, _):
        driver.register("CP1", StationSettings(), Version.V16)
        assert trigger(driver, "RemoteStartTransaction").status == "answered"
        with pytest.raises(DriverError, match="STEVE_DB_PASSWORD"):
            trigger(driver, "RemoteStartTransaction", payload={"idTag": "A1", "chargingProfile": PROFILE})
        for need in ("trigger:SetChargingProfile", "trigger:DeleteCertificate", "password"):
            assert "STEVE_DB_PASSWORD" in str(driver.missing(need, Version.V16))
    assert steve.read("mysql") == ""


def test_steve_stations_and_tags(steve: Programs) -> None:
    steve.install("htpasswd", "station:$2y$10$hash\n")
    with preset("steve", lambda asked: Said(201 if asked.method == "POST" else 200, {"ocppTagPk": 5})) as (driver, api):
        driver.register("CP1", StationSettings(password="stati0n-pass", security_profile=2), Version.V16)
        driver.set_token("A", TokenSettings(status="Accepted", parent="P"), Version.V16)
        driver.set_token("B", TokenSettings(status="Blocked"), Version.V16)
        driver.set_token("E", TokenSettings(status="Expired", expiry=PAST), Version.V16)
    statements = steve.read("mysql")
    assert "VALUES ('CP1', 'Accepted', 0, NULL) ON DUPLICATE KEY UPDATE" in statements
    assert "SET auth_password = '$2y$10$hash', security_profile = 2 WHERE charge_box_id = 'CP1';" in statements
    assert steve.read("htpasswd") == "stati0n-pass"
    assert [(asked.route, asked.json if asked.text else None) for asked in api.asked] == [
        ("POST /api/v1/ocppTags", {"idTag": "P"}),
        ("POST /api/v1/ocppTags", {"idTag": "A", "parentIdTag": "P", "maxActiveTransactionCount": -1}),
        ("POST /api/v1/ocppTags", {"idTag": "B", "maxActiveTransactionCount": 0}),
        ("POST /api/v1/ocppTags", {"idTag": "E", "maxActiveTransactionCount": -1}),
        ("PATCH /api/v1/ocppTags/5/expire", None),
    ]


@pytest.mark.usefixtures("steve")
def test_steve_changes_a_tag_that_it_has_already_no_false_alarm() -> None:
    def say(asked: Asked) -> Said:
        return Said(422, {}) if asked.method == "POST" else Said(200, [{"ocppTagPk": 7}])

    with preset("steve", say) as (driver, api):
        driver.set_token("A", TokenSettings(status="Blocked"), Version.V16)
        driver.set_token("E", TokenSettings(status="Accepted", expiry=FUTURE), Version.V16)
        driver.set_token("Z", TokenSettings(status="Accepted", expiry="2099-01-01T00:00:00-10:00"), Version.V16)
        driver.set_token("P", TokenSettings(status="Accepted", expiry=PAST), Version.V16)
    assert api.asked[-1].route == "PATCH /api/v1/ocppTags/7/expire"
    known = [(asked.route, asked.json) for asked in api.asked if asked.method == "PUT"]
    assert known == [
        ("PUT /api/v1/ocppTags/7", {"idTag": "A", "maxActiveTransactionCount": 0}),
        ("PUT /api/v1/ocppTags/7", {"idTag": "E", "expiryDate": FUTURE, "maxActiveTransactionCount": -1}),
        (
            "PUT /api/v1/ocppTags/7",
            {"idTag": "Z", "expiryDate": "2099-01-01T00:00:00-10:00", "maxActiveTransactionCount": -1},
        ),
        ("PUT /api/v1/ocppTags/7", {"idTag": "P", "maxActiveTransactionCount": -1}),
    ]
    assert api.asked[1].query == {"idTag": "A"}


@pytest.mark.usefixtures("steve")
def test_steve_transactions() -> None:
    row = {"id": 4, "chargeBoxId": "CP1", "connectorId": 1, "ocppIdTag": "A", "startValue": "1000",
           "startTimestamp": PAST, "stopValue": None, "stopTimestamp": None, "stopReason": None}  # fmt: skip
    ended = row | {"id": 5, "stopValue": "2500", "stopTimestamp": FUTURE, "stopReason": "Local"}
    with preset("steve", lambda _: Said(200, [row, ended])) as (driver, api):
        rows = driver.transactions("CP1", Version.V16)
    assert api.asked[0].query == {"chargeBoxId": "CP1", "type": "ALL", "periodType": "ALL"}
    start = {"station": "CP1", "connectorId": 1, "idTag": "A", "meterStart": 1000, "startTime": PAST}
    assert rows == [
        {"transactionId": 4, "state": "open", **start},
        {"transactionId": 5, "state": "closed", **start, "meterStop": 2500, "stopTime": FUTURE, "reason": "Local"},
    ]


# -- CitrineOS -------------------------------------------------------------------------------------------------------

CITRINEOS_16 = {
    "configuration": ["ChangeAvailability", "ChangeConfiguration", "GetConfiguration", "Reset", "TriggerMessage",
                      "UpdateFirmware"],
    "evdriver": ["RemoteStartTransaction", "RemoteStopTransaction", "UnlockConnector", "ClearCache"],
    "reporting": ["GetDiagnostics"],
    "smartcharging": ["SetChargingProfile", "ClearChargingProfile", "GetCompositeSchedule"],
}  # fmt: skip


def citrineos_answers(answer: bytes) -> Callable[[Asked], Said]:
    def say(asked: Asked) -> Said:
        if "callbackUrl" in asked.query:
            post(asked.query["callbackUrl"], answer)
        return Said(200, [{"success": True}])

    return say


def test_citrineos_takes_payloads_as_they_are_and_calls_back() -> None:
    with preset("citrineos", citrineos_answers(b'{"status": "Accepted"}')) as (driver, api):
        for module, actions in CITRINEOS_16.items():
            for action in actions:
                assert trigger(driver, action) == CommandResult(status="answered", payload={"status": "Accepted"})
                last = api.asked[-1]
                assert last.route == f"POST /ocpp/1.6/{module}/{action[:1].lower()}{action[1:]}"
                assert last.json == PAYLOADS[action]
                assert (last.query["identifier"], last.query["tenantId"]) == ("CP1", "1")
        assert trigger(driver, "DataTransfer") == CommandResult(status="sent")
        assert "callbackUrl" not in api.asked[-1].query
        missing = {action for action in PAYLOADS if driver.missing(f"trigger:{action}", Version.V16)}
    offered = {action for actions in CITRINEOS_16.values() for action in actions} | {"DataTransfer"}
    assert missing == PAYLOADS.keys() - offered


@pytest.mark.parametrize(
    ("action", "module"),
    [
        ("GetVariables", "monitoring"), ("GetBaseReport", "reporting"), ("RequestStartTransaction", "evdriver"),
        ("GetChargingProfiles", "smartcharging"), ("CostUpdated", "transactions"), ("Reset", "configuration"),
        ("CertificateSigned", "certificates"),
    ],
)  # fmt: skip
def test_citrineos_has_other_modules_in_201(action: str, module: str) -> None:
    with preset("citrineos", citrineos_answers(b"{}")) as (driver, api):
        trigger(driver, action, Version.V201, payload={})
        assert api.asked[0].path.startswith(f"/ocpp/2.0.1/{module}/")


def test_citrineos_says_what_the_station_or_it_refused() -> None:
    error = b'{"_messageId": "x", "_errorCode": "NotSupported", "name": "OcppError"}'
    with preset("citrineos", citrineos_answers(error)) as (driver, _):
        assert trigger(driver, "Reset") == CommandResult(status="error", origin="station", code="NotSupported")
    refusals = iter(["No connection found for identifier: 1:CP1", "Requested protocol: ocpp1.6"])

    def say(_: Asked) -> Said:
        return Said(200, [{"success": False, "payload": next(refusals)}])

    with preset("citrineos", say) as (driver, api):
        result = CommandResult(status="error", origin="csms", description="Requested protocol: ocpp1.6")
        assert trigger(driver, "Reset") == result
        assert len(api.asked) == 2


def test_citrineos_stations_tokens_and_boots(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITRINEOS_DB_PASSWORD", "db-s3cret")
    programs.install("psql", '[{"id": "4", "active": false, "meterStart": 1000, "startTime": null, "meterStop": 2500,'
                             ' "stopTime": null, "reason": null}]')  # fmt: skip
    with preset("citrineos", lambda _: Said(), port_profile="1") as (driver, api):
        driver.register("CP1", StationSettings(password="stati0n-pass-16ch", boot_status="Pending"), Version.V16)
        assert "VALUES ('CP1', 1, now(), now()) ON CONFLICT DO NOTHING;" in programs.read("psql")
        driver.set_token("A'", TokenSettings(status="Expired", expiry=PAST, parent="P", type="Central"), Version.V201)
        statements = programs.read("psql")
        assert "VALUES ('P', 'Central', 'Accepted', 1, now(), now())" in statements
        assert f"VALUES ('A''', 'Central', 'Expired', '{PAST}'," in statements
        rows = driver.transactions("CP1", Version.V16)
        assert programs.environment("psql")["PGPASSWORD"] == "db-s3cret"
    station = {"stationId": "CP1", "password": "stati0n-pass-16ch", "setOnCharger": True}
    assert [(asked.route, asked.json) for asked in api.asked] == [
        ("POST /data/configuration/password", station),
        ("PUT /data/configuration/boot", {"status": "Pending"}),
    ]
    assert rows == [{"transactionId": 4, "station": "CP1", "state": "closed", "meterStart": 1000, "meterStop": 2500}]


def test_citrineos_knows_the_evses_of_a_201_station(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITRINEOS_DB_PASSWORD", "db-s3cret")
    programs.install("psql", "")
    with preset("citrineos", lambda _: Said()) as (driver, _):
        driver.register("CP1", StationSettings(), Version.V16)
        assert "EvseTypes" not in programs.read("psql")
        driver.register("CP2", StationSettings(), Version.V201)
    statements = programs.read("psql")
    assert "VALUES ('CP2', 1, now(), now()) ON CONFLICT DO NOTHING;" in statements
    assert statements.index("BEGIN") < statements.index('LOCK TABLE "EvseTypes"') < statements.index("(2, NULL)")
    assert statements.rstrip().endswith("COMMIT;")


@pytest.mark.parametrize("online", [True, False])
def test_citrineos_says_who_is_online(
    online: bool,  # noqa: FBT001  # a parameter
    programs: Programs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CITRINEOS_DB_PASSWORD", "db-s3cret")
    programs.install("psql", f'{{"online": {str(online).lower()}}}')
    with preset("citrineos", lambda _: Said()) as (driver, _):
        assert driver.online("CP1", Version.V201) is online
    assert "WHERE id = 'CP1' AND \"tenantId\" = 1;" in programs.read("psql")


# -- OCPP.Core -------------------------------------------------------------------------------------------------------


def test_ocpp_core_has_five_commands_in_its_paths(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCPP_CORE_API_KEY", "api-s3cret")
    programs.install("sqlite3", "2\n")

    def say(asked: Asked) -> Said:
        return Said(200, [{"Id": "CP1"}] if asked.path == "/API/Status" else {"status": "Accepted"})

    with preset("ocpp-core", say, database="x.sqlite") as (driver, api):
        accepted = CommandResult(status="answered", payload={"status": "Accepted"})
        for action, path in {
            "Reset": "Reset/CP1",
            "UnlockConnector": "UnlockConnector/CP1/1",
            "RemoteStartTransaction": "StartTransaction/CP1/1/A1",
            "RemoteStopTransaction": "StopTransaction/CP1/2",
        }.items():
            assert trigger(driver, action) == accepted
            assert api.asked[-1].route == f"GET /API/{path}"
            assert api.asked[-1].headers["x-api-key"] == "api-s3cret"
        assert "\"TransactionId\" AS TEXT) = '4'" in programs.read("sqlite3")
        with pytest.raises(DriverError, match="resets softly only"):
            trigger(driver, "Reset", payload={"type": "Hard"})
        start = {"remoteStartId": 1, "evseId": 1, "idToken": {"idToken": "A1", "type": "Central"}}
        assert trigger(driver, "RequestStartTransaction", Version.V201, start) == accepted
        assert "no charging profile" in str(driver.missing("trigger:SetChargingProfile", Version.V16))
        assert "has no command" in str(driver.missing("trigger:GetConfiguration", Version.V16))


@pytest.mark.parametrize(
    ("said", "status"),
    [(Said(404, b""), "error"), (Said(424, b""), "error"), (Said(200, {"status": "Timeout"}), "timeout")],
)
def test_ocpp_core_says_how_a_command_ended(said: Said, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCPP_CORE_API_KEY", "k")
    with preset("ocpp-core", lambda asked: Said(200, ["CP1"]) if asked.path.endswith("Status") else said) as (
        driver,
        _,
    ):
        assert trigger(driver, "Reset").status == status


def test_ocpp_core_keeps_stations_tags_and_transactions_in_its_database(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCPP_CORE_API_KEY", "k")
    programs.install("sqlite3", '[{"id": 4, "connector": 1, "tag": "A", "meterStart": 1.0, "start": "s",'
                                ' "meterStop": 2.5, "stop": "e", "reason": ""}]')  # fmt: skip
    with preset("ocpp-core", lambda _: Said(), database="x.sqlite") as (driver, _):
        driver.register("CP1", StationSettings(password="stati0n-pass"), Version.V16)
        assert "VALUES ('CP1', 'CP1', 'CP1', 'stati0n-pass')" in programs.read("sqlite3")
        driver.register("CP1", StationSettings(), Version.V16)
        assert "VALUES ('CP1', 'CP1', NULL, NULL)" in programs.read("sqlite3")
        driver.set_token("A", TokenSettings(status="Expired", expiry=PAST), Version.V16)
        assert "VALUES ('A', 'Plugstorm', NULL, '2020-01-01 00:00:00', 0)" in programs.read("sqlite3")
        rows = driver.transactions("CP1", Version.V16)
        assert programs.environment("sqlite3")["DATABASE"] == "x.sqlite"
    assert [(row["meterStart"], row["meterStop"], row["state"]) for row in rows] == [(1000, 2500, "closed")]


# -- EVtivity --------------------------------------------------------------------------------------------------------


@pytest.fixture
def evtivity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVTIVITY_API_KEY", "api-s3cret")


@pytest.mark.usefixtures("evtivity")
def test_evtivity_takes_the_payload_with_the_station_beside_it() -> None:
    said = Said(200, {"status": "accepted", "response": {"status": "Accepted"}})
    with preset("evtivity", lambda _: said) as (driver, api):
        for action, payload in PAYLOADS.items():
            assert trigger(driver, action) == CommandResult(status="answered", payload={"status": "Accepted"})
            assert api.asked[-1].route == f"POST /v1/ocpp/commands/v16/{action}"
            assert api.asked[-1].json == {"stationId": "CP1", **payload}
            assert api.asked[-1].headers["authorization"] == "Bearer api-s3cret"
        trigger(driver, "Reset", Version.V21)
        assert api.asked[-1].path == "/v1/ocpp/commands/v21/Reset"


@pytest.mark.usefixtures("evtivity")
@pytest.mark.parametrize(
    ("said", "result"),
    [
        (Said(504, {"error": "No response within 35s"}),
         CommandResult(status="timeout", origin="csms", description="No response within 35s")),
        (Said(202, {"code": "COMMAND_QUEUED", "message": "offline"}),
         CommandResult(status="error", origin="csms", code="COMMAND_QUEUED", description="offline")),
        (Said(404, {"error": "Not Found", "message": "Route POST:/x not found"}),
         CommandResult(status="error", origin="csms", code="NotSupported")),
        (Said(404, {"code": "STATION_NOT_FOUND", "error": "who"}),
         CommandResult(status="error", origin="csms", code="STATION_NOT_FOUND", description="who")),
        (Said(400, {"code": "INVALID_PAYLOAD", "error": "bad"}),
         CommandResult(status="error", origin="csms", code="INVALID_PAYLOAD", description="bad")),
    ],
)  # fmt: skip
def test_evtivity_says_how_a_command_ended(said: Said, result: CommandResult) -> None:
    with preset("evtivity", lambda _: said) as (driver, _):
        assert trigger(driver, "Reset") == result


@pytest.mark.usefixtures("evtivity")
def test_evtivity_approves_a_new_station_and_changes_a_known_one() -> None:
    def say(asked: Asked) -> Said:
        if asked.route == "POST /v1/stations":
            return Said(409, {}) if asked.json["stationId"] == "OLD" else Said(201, {"id": "sta_1"})
        return Said(200, {"data": [{"id": "sta_0", "stationId": "OLDER"}, {"id": "sta_2", "stationId": "OLD"}]})

    with preset("evtivity", say) as (driver, api):
        driver.register("NEW", StationSettings(password="stati0n-pass", security_profile=1), Version.V21)
        driver.register("OLD", StationSettings(), Version.V16)
    new = {"stationId": "NEW", "ocppProtocol": "ocpp2.1", "securityProfile": 1, "password": "stati0n-pass"}
    old = {"stationId": "OLD", "ocppProtocol": "ocpp1.6", "securityProfile": 0}
    assert [(asked.route, asked.json if asked.text else None) for asked in api.asked] == [
        ("POST /v1/stations", new),
        ("POST /v1/stations/sta_1/approve", None),
        ("POST /v1/stations", old),
        ("GET /v1/stations", None),
        ("PATCH /v1/stations/sta_2", {"securityProfile": 0}),
    ]


@pytest.mark.usefixtures("evtivity")
def test_evtivity_has_no_tokens_of_direct_payments_no_false_alarm() -> None:
    with preset("evtivity", lambda _: Said(400, {})) as (driver, api):
        with pytest.raises(DriverCannotError, match="direct payments"):
            driver.set_token("P", TokenSettings(status="Accepted", type="DirectPayment"), Version.V21)
        assert api.asked == []


@pytest.mark.usefixtures("evtivity")
def test_evtivity_tokens_and_transactions() -> None:
    session = {"transactionId": "4", "status": "completed", "startedAt": PAST, "endedAt": FUTURE}

    def say(asked: Asked) -> Said:
        if asked.path.endswith("/sessions"):
            return Said(200, {"data": [session]})
        return Said(200, {"id": "dtk_1", "data": [{"id": "sta_1", "stationId": "CP1"}]})

    with preset("evtivity", say) as (driver, api):
        driver.set_token("B", TokenSettings(status="Blocked"), Version.V16)
        driver.set_token("E", TokenSettings(status="Expired", expiry=PAST, type="Central"), Version.V21)
        rows = driver.transactions("CP1", Version.V16)
    # Its API keeps an answer for some seconds, for one URL; the time of each look makes it another one.
    assert datetime.fromisoformat(api.asked[-1].query["fresh"]).microsecond % 1000 == 0
    assert [(asked.route, asked.json if asked.text else None) for asked in api.asked] == [
        ("POST /v1/tokens", {"idToken": "B", "tokenType": "ISO14443"}),
        ("PATCH /v1/tokens/dtk_1", {"isActive": False}),
        ("POST /v1/tokens", {"idToken": "E", "tokenType": "Central", "expiresAt": PAST}),
        ("GET /v1/stations", None),
        ("GET /v1/stations/sta_1/sessions", None),
    ]
    expected = {"transactionId": 4, "station": "CP1", "state": "closed", "startTime": PAST, "stopTime": FUTURE}
    assert rows == [expected]


# -- the tzi contract ------------------------------------------------------------------------------------------------


def test_tzi_contract_has_a_route_in_kebab_case_for_every_command() -> None:
    with preset("tzi-contract", lambda _: Said()) as (driver, api):
        for action, payload in PAYLOADS.items():
            assert trigger(driver, action) == CommandResult(status="sent")
            assert api.asked[-1].json == payload
        routes = {asked.path for asked in api.asked}
    assert {"/api/octt/1.6/CP1/remote-start-transaction", "/api/octt/1.6/CP1/get-installed-certificate-ids"} <= routes
    with preset("tzi-contract", lambda _: Said(), generic_calls="false") as (driver, api):
        trigger(driver, "GetBaseReport", Version.V201, {"requestId": 1})
        assert api.asked[0].path == "/api/octt/2.0.1/CP1/get-base-report"


def test_tzi_contract_sets_passwords_tokens_and_boots() -> None:
    with preset("tzi-contract", lambda _: Said()) as (driver, api):
        settings = StationSettings(password="stati0n-pass", security_profile=1, boot_status="Pending")
        driver.register("CP1", settings, Version.V201)
        driver.set_token("B", TokenSettings(status="Blocked"), Version.V16)
        trigger(driver, "Reset", Version.V201)
        assert "--token" in str(driver.missing("token:Accepted", Version.V16))
    assert [(asked.path, asked.json) for asked in api.asked] == [
        ("/api/octt/set-basic-auth-password", {"station_id": "CP1", "password": "stati0n-pass"}),
        ("/api/octt/2.0.1/CP1/set-security-profile", {"security_profile": 1}),
        ("/api/octt/2.0.1/CP1/set-pending-boot", {"pending": True}),
        ("/api/octt/create-token", {"token_id": "B", "status": "Blocked"}),
        ("/api/octt/2.0.1/CP1/call/Reset", {"type": "Soft"}),
    ]
