from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given

from ocppj.actions import ACTIONS
from ocppj.schemas import Part, schema, validator
from ocppj.versions import Version
from tests.ocppj.json_values import VALUES

PROFILE_16 = validator(Version.V16, "SetChargingProfile", "request")
BOOT_16 = {"chargePointVendor": "V", "chargePointModel": "M"}
BOOT_201 = {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}}


def set_charging_profile(limit: float) -> dict[str, Any]:
    period = {"startPeriod": 0, "limit": limit}
    return {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [period]},
        },
    }


@pytest.mark.parametrize("version", list(Version))
def test_every_payload_of_a_version_has_a_schema_that_compiles(version: Version) -> None:
    compiled = 0
    for action in ACTIONS[version].values():
        for part in get_args(Part):
            if action.unconfirmed and part == "response":
                continue
            assert not validator(version, action.name, part).is_valid([])
            compiled += 1
    assert compiled == {Version.V16: 78, Version.V201: 128, Version.V21: 181}[version]


def test_schema_is_compiled_once() -> None:
    assert validator(Version.V16, "Heartbeat", "request") is validator(Version.V16, "Heartbeat", "request")


@pytest.mark.parametrize(
    ("version", "action", "part"),
    [
        (Version.V16, "TransactionEvent", "request"),
        (Version.V201, "StartTransaction", "request"),
        (Version.V21, "NotifyPeriodicEventStream", "response"),
        (Version.V16, "../v21/schemas/AFRRSignal", "request"),
    ],
)
def test_unknown_action_has_no_schema(version: Version, action: str, part: Part) -> None:
    with pytest.raises(KeyError):
        schema(version, action, part)


@pytest.mark.parametrize("tenths", range(401))
def test_limit_with_one_decimal_is_valid(tenths: int) -> None:
    # As a literal of JSON text and as Python's own division: both must pass.
    written = msgspec.json.decode(msgspec.json.encode(set_charging_profile(float(f"{tenths // 10}.{tenths % 10}"))))
    for payload in (written, set_charging_profile(tenths / 10)):
        assert PROFILE_16.is_valid(payload)
        assert PROFILE_16.errors(payload) == []


@pytest.mark.parametrize("limit", [8.15, 0.01, 39.99, 8.1000001])
def test_limit_with_more_decimals_is_invalid_with_its_path(limit: float) -> None:
    payload = set_charging_profile(limit)
    assert not PROFILE_16.is_valid(payload)
    [error] = PROFILE_16.errors(payload)
    assert error.keyword == "multipleOf"
    assert error.path == "/csChargingProfiles/chargingSchedule/chargingSchedulePeriod/0/limit"


@pytest.mark.parametrize(
    ("version", "action", "payload", "path", "keyword"),
    [
        (Version.V16, "BootNotification", BOOT_16 | {"colour": "red"}, "", "additionalProperties"),
        (Version.V16, "BootNotification", BOOT_16 | {"chargePointModel": "M" * 21}, "/chargePointModel", "maxLength"),
        (Version.V16, "BootNotification", {"chargePointModel": "M"}, "", "required"),
        (Version.V16, "Reset", {"type": "soft"}, "/type", "enum"),
        (Version.V16, "Heartbeat", None, "", "type"),
        (Version.V16, "RemoteStopTransaction", {"transactionId": "7"}, "/transactionId", "type"),
        (Version.V201, "BootNotification", BOOT_201 | {"reason": "Boredom"}, "/reason", "enum"),
        (
            Version.V201,
            "BootNotification",
            {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V", "x": 1}},
            "/chargingStation",
            "additionalProperties",
        ),
        (Version.V201, "Heartbeat", {"customData": {}}, "/customData", "required"),
        (
            Version.V21,
            "MeterValues",
            {"evseId": 1, "meterValue": [{"timestamp": "2024-01-01T00:00:00Z", "sampledValue": []}]},
            "/meterValue/0/sampledValue",
            "minItems",
        ),
        (
            Version.V16,
            "StatusNotification",
            {"connectorId": 1, "errorCode": "NoError", "status": "Available", "timestamp": "yesterday"},
            "/timestamp",
            "format",
        ),
    ],
)
def test_violation_says_where_and_which_rule(
    version: Version, action: str, payload: object, path: str, keyword: str
) -> None:
    rules = validator(version, action, "request")
    assert not rules.is_valid(payload)
    assert (path, keyword) in [(error.path, error.keyword) for error in rules.errors(payload)]
    assert all(error.message for error in rules.errors(payload))


@pytest.mark.parametrize("time", ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00.123456+02:00", "2024-01-01t00:00:00z"])
def test_every_legal_time_stamp_is_valid(time: str) -> None:
    assert validator(Version.V16, "Heartbeat", "response").is_valid({"currentTime": time})


def test_payload_that_is_no_json_value_is_invalid() -> None:
    rules = validator(Version.V201, "DataTransfer", "request")
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for payload in ({"vendorId": object()}, {"vendorId": deep}, {1: 2}):
        assert not rules.is_valid(payload)
        [error] = rules.errors(payload)
        assert error.message.startswith("No JSON value")


@given(VALUES)
def test_any_value_is_valid_or_has_an_error(value: object) -> None:
    rules = validator(Version.V16, "BootNotification", "request")
    assert rules.is_valid(value) == (rules.errors(value) == [])
