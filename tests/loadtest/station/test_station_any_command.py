"""Whatever a CSMS may send, in whatever state: a valid answer, valid messages, and no crash."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from fixtures.corpus import full, minimal, mutations
from loadtest.workload.answers import Files
from loadtest.workload.profile import Profile
from ocppj.actions import csms_actions
from ocppj.schemas import schema, validator
from ocppj.versions import Version
from tests.loadtest.fleet_harness import SILENT, FleetHarness

every_version = pytest.mark.parametrize("version", list(Version))
TOKEN = "04AABBCCDDEE80"
PROFILE = Profile(
    title="dual",
    models={"ac-dual": 1.0},
    meter=10.0,
    reboot=5.0,
    files=Files(download=3.0, install=3.0, upload=2.0, fail=0.2),
)


@pytest.fixture(autouse=True)
def _nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []


class Sampler:
    """Draws requests that fit their schema, with the ids and places of a real station wherever a field takes them."""

    def __init__(self, harness: FleetHarness, seed: int) -> None:
        self.random = Random(seed)
        self.version = harness.version
        timestamp, now = harness.context.timestamp, harness.now
        self.times = [timestamp(now + offset) for offset in (-86_400.0, -5.0, 3.0, 60.0, 90_000.0)]
        self.transactions = [
            charging_session.transaction_id
            for charging_session in (connector.charging_session for connector in harness.station.connectors)
            if charging_session
        ]
        self.pools: dict[str, list[Any]] = {
            "id": [0, 1, 2],
            "evseId": [0, 1, 2, 3],
            "connectorId": [0, 1, 2, 3],
            "reservationId": [1, 2],
            "stackLevel": [0, 1, 9],
            "startPeriod": [0],
            "transactionId": [*self.transactions, "nobody", 1],
            "idTag": [TOKEN, "OTHER"],
            "idToken": [TOKEN, "OTHER"],
            "name": ["OCPPCommCtrlr", "HeartbeatInterval", "EVSE", "Power"],
            "key": ["HeartbeatInterval", "MeterValuesSampledData", "CpoName", "SecurityProfile", "Nope"],
            "value": ["7", "true", "", "SoC"],
            "attributeValue": ["7", "true", "", "SoC"],
            "limit": [0.0, 6.5, 4000.0],
            "duration": [0, 30, 86_400],
            "vendorId": ["Voltaro", "who"],
            "messageId": ["echo", "call-back", "what"],
            "tariffId": ["t1", "t2"],
            "controlId": ["c1", "c2"],
        }

    def request(self, action: str) -> dict[str, Any]:
        self.document = schema(self.version, action, "request")
        drawn: dict[str, Any] = self._value(self.document, "")
        return drawn

    def _value(self, node: dict[str, Any], name: str) -> Any:
        random = self.random
        if "$ref" in node:
            node = self.document["definitions"][node["$ref"].rsplit("/", 1)[-1]]
        kind = node.get("type")
        if kind == "object":
            required = node.get("required", ())
            return {
                key: self._value(child, key)
                for key, child in node.get("properties", {}).items()
                if key != "customData" and (key in required or random.random() < 0.5)
            }
        if kind == "array":
            return [self._value(node["items"], name) for _ in range(random.choice((1, 1, 2)))]
        if "enum" in node:
            return random.choice(node["enum"])
        if node.get("format") == "date-time":
            return random.choice(self.times)
        if node.get("format") == "uri":
            return "ftp://127.0.0.1/file"
        types: tuple[type, ...] = {"string": (str,), "integer": (int,), "number": (int, float)}.get(str(kind), ())
        fitting = [value for value in self.pools.get(name, ()) if type(value) in types]
        if fitting:
            return random.choice(fitting)
        if kind == "boolean":
            return random.random() < 0.5
        if kind == "string":
            return name[: node.get("maxLength", 20)]
        low, high = node.get("minimum", -1), node.get("maximum", 9)
        return int(random.choice((max(low, 0), max(low, min(1, high)), high)))


def start(harness: FleetHarness) -> None:
    if harness.version is Version.V16:
        harness.command("RemoteStartTransaction", {"connectorId": 1, "idTag": TOKEN})
    else:
        token = {"idToken": TOKEN, "type": "Central"}
        harness.command("RequestStartTransaction", {"evseId": 1, "remoteStartId": 1, "idToken": token})
    harness.run(11.0)


def reserve(harness: FleetHarness) -> None:
    expiry = harness.context.timestamp(harness.now + 10_000.0)
    if harness.version is Version.V16:
        request: dict[str, Any] = {"connectorId": 1, "expiryDate": expiry, "idTag": TOKEN, "reservationId": 1}
    else:
        token = {"idToken": TOKEN, "type": "Central"}
        request = {"id": 1, "evseId": 1, "expiryDateTime": expiry, "idToken": token}
    assert harness.command("ReserveNow", request)[2]["status"] == "Accepted"


def reboot(harness: FleetHarness) -> None:
    # The last message of a transaction is not answered, so the station waits with the restart, and still listens.
    start(harness)
    harness.answers["StopTransaction" if harness.version is Version.V16 else "TransactionEvent"] = SILENT
    harness.command("Reset", {"type": "Soft" if harness.version is Version.V16 else "Immediate"})


def install(harness: FleetHarness) -> None:
    when = harness.context.timestamp(harness.now)
    if harness.version is Version.V16:
        harness.command("UpdateFirmware", {"location": "ftp://127.0.0.1/f", "retrieveDate": when})
    else:
        firmware = {"location": "ftp://127.0.0.1/f", "retrieveDateTime": when}
        harness.command("UpdateFirmware", {"requestId": 1, "firmware": firmware})
    harness.run(4.0)


STATES: dict[str, Callable[[FleetHarness], None]] = {
    "idle": lambda _: None,
    "charging": start,
    "reserved": reserve,
    "rebooting": reboot,
    "installing": install,
}


def in_state(version: Version, state: str) -> FleetHarness:
    harness = FleetHarness(version, PROFILE, seed=5).start()
    STATES[state](harness)
    assert harness.station.messaging.speaking
    return harness


def requests(harness: FleetHarness, action: str) -> Iterator[dict[str, Any]]:
    yield minimal(harness.version, action, "request")
    yield full(harness.version, action, "request")
    sampler = Sampler(harness, seed=len(action))
    for _ in range(4):
        yield sampler.request(action)


def unharmed(harness: FleetHarness) -> None:
    harness.outcomes()
    assert "station-crash" not in harness.faults


@every_version
@pytest.mark.parametrize("state", STATES)
def test_every_command_is_answered_validly_in_every_state(version: Version, state: str) -> None:
    harness = in_state(version, state)
    answered = 0
    for action in csms_actions(version):
        for request in requests(harness, action):
            assert validator(version, action, "request").is_valid(request), (action, request)
            if not harness.station.messaging.speaking:
                unharmed(harness)
                harness = in_state(version, state)
            # The harness judges the answer and each message that follows, by the schemas.
            harness.command(action, request)
            harness.run(0.5)
            answered += 1
    harness.run(300.0)
    unharmed(harness)
    assert answered == 6 * len(csms_actions(version))


@every_version
def test_commands_in_any_order_leave_a_station_that_works(version: Version) -> None:
    harness = FleetHarness(version, PROFILE, seed=6).start()
    random = Random(str(version))
    actions = csms_actions(version)
    for number in range(400):
        if not harness.station.messaging.speaking:
            harness.run(40.0)
            continue
        action = random.choice(actions)
        harness.command(action, Sampler(harness, number).request(action))
        harness.run(random.choice((0.0, 1.0, 15.0)))
    harness.run(600.0)
    assert harness.station.online
    harness.command("ClearCache", {})
    unharmed(harness)


@every_version
def test_requests_at_the_limits_are_answered_validly(version: Version) -> None:
    harness = in_state(version, "charging")
    for action in csms_actions(version):
        # Of the tariffs of 2.1 alone there are thousands.
        for mutation in mutations(version, action)[::3]:
            if mutation.valid and action != "Reset":
                harness.command(action, mutation.payload)
                if not harness.station.messaging.speaking:
                    harness.run(60.0)
    unharmed(harness)
