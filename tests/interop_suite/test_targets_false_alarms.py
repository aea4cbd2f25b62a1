"""False alarms that runs against real CSMSs showed: each is a thing that they may do, or that the suite did to them."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from cryptography import x509
from websockets.asyncio.server import ServerConnection

from drivers.base import CommandResult, DriverError, NoDriver, TokenSettings
from evidence.verdicts import Verdict
from fixtures.corpus import mutations
from fixtures.csms.defects.v16_payloads import payload_mutations
from fixtures.device import configuration_keys, device_model
from fixtures.models import station as make_station
from interop_suite.cases.v2x import (
    charging_inventory,
    charging_limits,
    charging_needs,
    charging_profile_reports,
    charging_profiles,
    charging_schedules,
)
from interop_suite.cases.v16 import smart_charging
from interop_suite.cases.wire.framing import UNKNOWN_TYPES
from interop_suite.catalogue import Case, all_cases
from interop_suite.claims.checks import still_serves
from interop_suite.drive.probe import make_password
from interop_suite.drive.setup import CsmsUnderTest
from interop_suite.main import run_interop
from interop_suite.run.judge import judge
from interop_suite.run.request import InteropRequest
from interop_suite.run.runner import Runner
from interop_suite.steps.connections import lets_in
from ocppj.identity import decode_authorization_key
from ocppj.versions import Version
from tests.interop_suite.odd_csms import odd_csms, plain_answer
from tests.interop_suite.recording import Recording, begun

ROOT = Path(__file__).resolve().parents[2]
SECURITY_EVENT = (
    '[2,"{id}","SecurityEventNotification",{{"type":"SettingSystemTime","timestamp":"2026-01-01T00:00:00Z"}}]'
)


def case(name: str, version: Version = Version.V16) -> Case:
    return next(case for case in all_cases() if case.id == name and case.ocpp is version)


def verdicts(name: str, recording: Recording) -> list[Verdict]:
    history = recording.history()
    return [finding.verdict for finding in case(name, history.rules.version).checks[0].judge(history)]


def test_csms_without_an_optional_action_refuses_no_limit_of_its_fields_no_false_alarm() -> None:
    refusal = '[4,"1","NotSupported","",{}]'
    recording = begun().note(plain="SecurityEventNotification").sent(SECURITY_EVENT.format(id="1")).got(refusal)
    assert verdicts("PAY_SecurityEventNotification_limits", recording) == [Verdict.NOT_APPLICABLE]


def test_csms_that_takes_the_plain_action_must_take_its_limits_too() -> None:
    recording = begun().note(plain="SecurityEventNotification").sent(SECURITY_EVENT.format(id="1")).got('[3,"1",{}]')
    recording.note(mutation="m").sent(SECURITY_EVENT.format(id="2")).got('[4,"2","PropertyConstraintViolation","",{}]')
    assert verdicts("PAY_SecurityEventNotification_limits", recording) == [Verdict.FAILED]


@pytest.mark.parametrize("version", Version)
def test_no_required_list_counts_as_legal_when_empty_no_false_alarm(version: Version) -> None:
    action = {Version.V16: "StopTransaction"}.get(version, "MeterValues")
    legal = [mutation for mutation in mutations(version, action) if mutation.valid]
    assert legal
    assert not [mutation.id for mutation in legal if mutation.path.endswith("/sampledValue")]


def test_optional_list_may_be_empty() -> None:
    assert "boundary-ok/transactionData#0" in [m.id for m in mutations(Version.V16, "StopTransaction")]


def test_unit_that_only_a_schema_file_has_need_not_be_taken_no_false_alarm() -> None:
    units = {m.id.rpartition("#")[2] for m in payload_mutations("MeterValues") if m.path.endswith("/unit") and m.valid}
    assert {"kWh", "Celsius", "Celcius"} <= units
    assert "Hertz" not in units


def test_readings_at_their_limits_are_of_no_transaction_that_a_csms_does_not_know_no_false_alarm() -> None:
    legal = [m for m in payload_mutations("MeterValues") if m.valid]
    assert legal
    assert not [m.id for m in legal if "transactionId" in m.payload]


def test_number_2_written_with_a_fraction_is_no_unknown_message_type_no_false_alarm() -> None:
    assert "type-as-float" not in [frame.name for frame in UNKNOWN_TYPES]
    assert "type-as-fraction" in [frame.name for frame in UNKNOWN_TYPES]


def test_limit_of_a_profile_does_not_stumble_over_binary_fractions_no_false_alarm() -> None:
    assert smart_charging.LIMIT % 1 != 0
    assert (smart_charging.LIMIT / 0.1).is_integer()


def decimals(module: ModuleType) -> list[float]:
    nodes = ast.walk(ast.parse(inspect.getsource(module)))
    values = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, float)]
    return [value for value in values if not value.is_integer()]


@pytest.mark.parametrize(
    "module",
    [
        charging_inventory,
        charging_limits,
        charging_needs,
        charging_profile_reports,
        charging_profiles,
        charging_schedules,
    ],
)
def test_no_limit_of_a_2x_case_stumbles_over_binary_fractions_no_false_alarm(module: ModuleType) -> None:
    assert decimals(module)
    assert [value for value in decimals(module) if not (value / 0.1).is_integer()] == []


def test_no_limit_that_a_script_writes_stumbles_over_binary_fractions_no_false_alarm() -> None:
    files = [file for room in ("cases", "steps") for file in (ROOT / "interop_suite" / room).rglob("*.py")]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8")))]
    limits = [
        value.value
        for node in nodes
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant) and key.value in {"limit", "minChargingRate"}
        if isinstance(value, ast.Constant) and isinstance(value.value, float)
    ]
    assert len(limits) > 5
    assert [limit for limit in limits if not (limit / 0.1).is_integer()] == []


ANSWERS = {
    "BootNotification": {"status": "Accepted", "interval": 60, "currentTime": "2026-01-01T00:00:00Z"},
    "Heartbeat": {"currentTime": "2026-01-01T00:00:00Z"},
    "StatusNotification": {},
}


async def deaf_while_busy(socket: ServerConnection) -> None:
    """Serve one CALL at a time and lose what comes meanwhile, as no station should send it (OCPP-J 1.6 §4.1.1)."""
    async for text in socket:
        with suppress(TimeoutError):
            while True:
                await asyncio.wait_for(socket.recv(), 0.02)
        _, message_id, action, _ = json.loads(text)
        await socket.send(json.dumps([3, message_id, ANSWERS[action]]))


@pytest.mark.parametrize("name", ["RPC_07", "RPC_16"])
def test_csms_that_loses_a_second_call_at_once_is_not_sent_one_where_that_is_not_the_point_no_false_alarm(
    name: str,
) -> None:
    with odd_csms(deaf_while_busy) as url:
        result = Runner(CsmsUnderTest(url=url, timeout=2), NoDriver(), None).run(case(name))
    assert result.verdict in (Verdict.OK, Verdict.NON_STRICT), result.actual


def test_made_up_password_is_the_same_bytes_to_a_csms_that_reads_keys_as_text_no_false_alarm() -> None:
    password = make_password()
    assert 16 <= len(password) <= 20
    assert decode_authorization_key(password, Version.V16) == password.encode()


def test_csms_that_dropped_a_station_and_serves_it_again_still_serves_no_false_alarm() -> None:
    dropped = begun().sent('[2,"1","Heartbeat",{}]').closed().note(not_sent="Heartbeat")
    assert [finding.verdict for finding in still_serves().judge(dropped.history())] == [Verdict.FAILED, Verdict.FAILED]
    back = dropped.opened().sent('[2,"2","Heartbeat",{}]').got('[3,"2",{"currentTime":"2026-01-01T00:00:00Z"}]')
    assert [finding.verdict for finding in still_serves().judge(back.history())] == [Verdict.OK]


class UnableDriver(NoDriver):
    """Claims to be able to do everything, and finds out too late that it cannot."""

    def missing(self, need: str, version: Version) -> str | None:
        del need, version
        return None

    def command(self, identity: str, action: str, payload: dict[str, Any], version: Version) -> CommandResult:
        raise DriverError(f"{identity}: no {action} with {payload} in {version}")


def test_key_that_nobody_told_the_csms_to_roll_is_not_missed_no_false_alarm() -> None:
    with odd_csms(deaf_while_busy) as url:
        result = Runner(CsmsUnderTest(url=url, timeout=1), UnableDriver(), None).run(case("TC_073_CSMS"))
    assert result.verdict is Verdict.INCONCLUSIVE, result.actual
    assert "no ChangeConfiguration" in result.reason


def test_no_station_is_called_with_a_slash_that_servers_refuse_no_false_alarm() -> None:
    assert not any("'/'" in check.claim for check in case("HS_06").checks)


@pytest.mark.parametrize("version", [Version.V201, Version.V21])
def test_csms_without_charging_limits_has_nothing_against_their_decimals_no_false_alarm(version: Version) -> None:
    recording = begun(version)
    for number in ("1", "2"):
        recording.sent(f'[2,"{number}","NotifyChargingLimit",{{"chargingLimit":{{"chargingLimitSource":"EMS"}}}}]')
        recording.got(f'[4,"{number}","NotSupported","",{{}}]')
    assert set(verdicts("PAY_07", recording)) == {Verdict.NOT_APPLICABLE}


@pytest.mark.parametrize("version", Version)
def test_station_that_is_sent_away_before_any_answer_is_not_let_in(version: Version) -> None:
    recording = Recording(version).script()
    recording.opened().sent('[2,"1","BootNotification",{}]').closed(code=1008)
    let_in, seen = lets_in(recording.history().attempts()[0], recording.history())
    assert not let_in
    assert "closed before anything was answered" in seen
    served = Recording(version).script().opened().sent('[2,"1","Heartbeat",{}]').got('[3,"1",{}]').closed()
    assert lets_in(served.history().attempts()[0], served.history())[0]


def returns(*served: bool) -> Recording:
    recording = Recording().script()
    for number, is_served in enumerate(served):
        recording.opened() if number == 0 else recording.opened_again()
        recording.sent(f'[2,"{number}","Heartbeat",{{}}]')
        if is_served:
            recording.got(f'[3,"{number}",{{"currentTime":"2026-01-01T00:00:00Z"}}]').closed("station", None)
        else:
            recording.closed("csms", 1008)
    return recording


def test_csms_that_notices_the_end_of_a_connection_late_is_no_failure_no_false_alarm() -> None:
    assert verdicts("FLD_31", returns(True, True, True)) == [Verdict.OK]
    assert verdicts("FLD_31", returns(True, False, True, True)) == [Verdict.NON_STRICT]
    assert verdicts("FLD_31", returns(True, True, False, False, False)) == [Verdict.FAILED]


def test_station_that_is_sent_away_once_tries_again_no_false_alarm() -> None:
    connections: list[ServerConnection] = []

    async def late_to_notice(socket: ServerConnection) -> None:
        """Take each third connection for the second one of a station that is still there, before its FIN is read."""
        connections.append(socket)
        if len(connections) % 3 == 0:
            await socket.close(1008, "a connection with this ID already exists")
            return
        async for text in socket:
            _, message_id, action, _ = json.loads(text)
            await socket.send(json.dumps([3, message_id, ANSWERS[action]]))

    with odd_csms(late_to_notice) as url:
        result = Runner(CsmsUnderTest(url=url, timeout=2), NoDriver(), None).run(case("FLD_31"))
    assert result.verdict is Verdict.NON_STRICT, result.actual
    assert len(connections) > 12


def called(folder: Path, action: str) -> list[tuple[str, dict[str, Any]]]:
    """List the payloads that each station sent, over all traces of a run."""
    records = [json.loads(line) for trace in folder.glob("traces/*.jsonl") for line in trace.read_text().splitlines()]
    frames = [(r["station"], json.loads(r["text"])) for r in records if r["kind"] == "sent" and r["text"][:2] == "[2"]
    return [(station, frame[3]) for station, frame in frames if frame[2] == action]


def test_no_two_events_of_a_station_have_the_same_number_no_false_alarm(tmp_path: Path) -> None:
    request = InteropRequest(ocpp=("2.0.1",), select="TC_B_01,TC_B_02,TC_B_21,TC_G_20", out=str(tmp_path / "run"))
    run_interop(request, jobs=1, write=lambda _: None)
    events: dict[str, list[int]] = {}
    for station, payload in called(tmp_path / "run", "NotifyEvent"):
        events.setdefault(station, []).extend(event["eventId"] for event in payload["eventData"])
    assert max(map(len, events.values())) > 2
    assert all(len(set(numbers)) == len(numbers) for numbers in events.values()), events


@pytest.mark.parametrize("action", ["FirmwareStatusNotification", "LogStatusNotification"])
def test_unasked_status_names_the_request_that_it_is_about_no_false_alarm(action: str, tmp_path: Path) -> None:
    request = InteropRequest(ocpp=("2.0.1",), select=f"MSG_{action}", out=str(tmp_path / "run"))
    run_interop(request, jobs=1, write=lambda _: None)
    told = [payload for _, payload in called(tmp_path / "run", action)]
    assert told
    assert all("requestId" in payload for payload in told)


def test_token_that_is_longer_than_the_number_of_a_card_is_called_none_no_false_alarm(tmp_path: Path) -> None:
    request = InteropRequest(ocpp=("2.0.1",), select="FLD_54", out=str(tmp_path / "run"))
    run_interop(request, jobs=1, write=lambda _: None)
    tokens = [payload["idToken"] for _, payload in called(tmp_path / "run", "Authorize")]
    assert [len(token["idToken"]) for token in tokens] == [36, 36]
    assert {token["type"] for token in tokens} == {"KeyCode"}


def test_token_of_each_kind_has_the_form_of_its_kind_no_false_alarm(tmp_path: Path) -> None:
    request = InteropRequest(ocpp=("2.0.1",), select="OPT_12", out=str(tmp_path / "run"))
    run_interop(request, jobs=1, write=lambda _: None)
    tokens = {
        payload["idToken"]["type"]: payload["idToken"]["idToken"]
        for _, payload in called(tmp_path / "run", "Authorize")
    }
    forms = {"ISO14443": "[0-9A-F]{8}|[0-9A-F]{14}", "ISO15693": "E0[0-9A-F]{14}", "MacAddress": "[0-9A-F]{12}"}
    assert {*forms, "KeyCode", "Local"} == set(tokens)
    assert all(re.fullmatch(form, tokens[kind]) for kind, form in forms.items()), tokens


LISTED = {"04A1": {"status": "Accepted", "parentIdTag": "04F0"}, "04B2": {"status": "Blocked"}}


@pytest.mark.parametrize(
    ("handed", "lost", "verdict"),
    [
        (["listVersion", "localAuthorizationList"], None, Verdict.OK),
        (["listVersion", "localAuthorizationList"], "04A1", Verdict.NON_STRICT),
        (None, "04A1", Verdict.FAILED),
    ],
)
def test_local_list_that_a_csms_fills_with_what_it_knows_is_judged_no_false_alarm(
    handed: list[str] | None, lost: str | None, verdict: Verdict
) -> None:
    def entries(infos: dict[str, dict[str, str]]) -> list[dict[str, object]]:
        return [{"idTag": tag, "idTagInfo": info} for tag, info in infos.items()]

    order = {"listVersion": 51, "updateType": "Full", "localAuthorizationList": entries(LISTED)}
    told = {tag: {"status": "Accepted"} if tag == lost else info for tag, info in LISTED.items()}
    sent = order | {"localAuthorizationList": entries({"04C3": {"status": "Accepted"}, **told})}
    recording = begun().driver(operation="trigger", action="SendLocalList", payload=order, handed_over=handed)
    recording.got(json.dumps([2, "a", "SendLocalList", sent])).sent('[3,"a",{"status":"Accepted"}]')
    findings = [finding for check in case("OPT_25").checks for finding in check.judge(recording.history())]
    assert [finding.verdict for finding in findings if "registered" in finding.claim] == [verdict]


@pytest.mark.parametrize(("version", "name"), [("1.6", "TC_074_CSMS"), ("2.0.1", "TC_A_11_CSMS")])
def test_request_for_a_certificate_names_what_the_station_tells_no_false_alarm(
    version: str, name: str, tmp_path: Path
) -> None:
    request = InteropRequest(ocpp=(version,), select=name, out=str(tmp_path / "run"), organization="Acme Energy")
    run_interop(request, jobs=1, write=lambda _: None)
    station, asked = called(tmp_path / "run", "SignCertificate")[0]
    boot = next(payload for who, payload in called(tmp_path / "run", "BootNotification") if who == station)
    subject = x509.load_pem_x509_csr(asked["csr"].encode()).subject
    named = {attribute.rfc4514_attribute_name: attribute.value for attribute in subject}
    told = msgspec.structs.replace(make_station("ac-trio", station, seed=0), operator="Acme Energy")
    assert named["O"] == configuration_keys(told)["CpoName"].value == told.operator
    assert [v.value for v in device_model(told) if v.name == "OrganizationName"] == [told.operator]
    assert named["CN"] == (boot.get("chargePointSerialNumber") or boot["chargingStation"]["serialNumber"])


@pytest.mark.parametrize(
    ("description", "verdict"),
    [("Rate limit exceeded", Verdict.INCONCLUSIVE), ("what is this?", Verdict.FAILED)],
)
def test_limit_of_messages_in_a_second_is_no_refusal_of_a_message_no_false_alarm(
    description: str, verdict: Verdict
) -> None:
    recording = begun().note(plain="MeterValues", mutation="word-ok/unit#varh")
    recording.sent('[2,"1","Heartbeat",{}]').got(f'[4,"1","GenericError","{description}",{{}}]')
    result = judge(case("TC_001_CSMS"), recording.history())
    assert result.verdict is verdict, result.reason
    assert ("raise its limit" in result.reason) is (verdict is Verdict.INCONCLUSIVE)


def test_csms_that_lists_only_tokens_that_it_knows_is_told_them_before_no_false_alarm() -> None:
    driver = KnowingDriver()
    with odd_csms(deaf_while_busy) as url:
        Runner(CsmsUnderTest(url=url, timeout=1), driver, None).run(case("FLD_58"))
    assert len(driver.listed) == 25
    assert driver.listed <= driver.known


class KnowingDriver(UnableDriver):
    """Takes tokens, and remembers which of them an order lists."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.listed: set[str] = set()

    def set_token(self, token: str, settings: TokenSettings, version: Version) -> None:
        del settings, version
        self.known.add(token)

    def command(self, identity: str, action: str, payload: dict[str, Any], version: Version) -> CommandResult:
        del identity, action, version
        self.listed |= {entry["idTag"] for entry in payload["localAuthorizationList"]}
        return CommandResult(status="error", origin="csms", description="not now")


def test_date_of_a_firmware_update_lies_ahead_as_some_operators_must_name_it_no_false_alarm(tmp_path: Path) -> None:
    request = InteropRequest(ocpp=("1.6",), select="TC_044_1,TC_080", out=str(tmp_path / "run"))
    run_interop(request, jobs=1, write=lambda _: None)
    lines = [line for trace in tmp_path.glob("run/traces/*.jsonl") for line in trace.read_text().splitlines()]
    records = [record for record in map(json.loads, lines) if "UpdateFirmware" in record.get("text", "")]
    named = [(record["wall"], json.loads(record["text"])[3]) for record in records]
    dates = [
        (wall, payload.get("firmware", {}).get("retrieveDateTime") or payload["retrieveDate"])
        for wall, payload in named
    ]
    assert len(dates) == 2
    assert all(date > wall for wall, date in dates)


def test_token_of_our_own_making_that_nobody_can_tell_the_csms_is_no_failed_preparation_no_false_alarm() -> None:
    known = {"Accepted": "04A1B2C3D4E5F6", "Blocked": "04B10C4ED00001"}
    with odd_csms(deaf_while_busy) as url:
        result = Runner(CsmsUnderTest(url=url, timeout=1, tokens=known), NoDriver(), None).run(case("FLD_54"))
    assert result.verdict is Verdict.NOT_APPLICABLE, result.reason


class LateBooks(NoDriver):
    """Shows a session as open until some seconds after the first look, as an API does that keeps its answers."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.first: float | None = None

    def missing(self, need: str, version: Version) -> str | None:
        return None if need == "transactions" else super().missing(need, version)

    def transactions(self, identity: str, version: Version) -> list[dict[str, Any]]:
        del identity, version
        self.first = time.monotonic() if self.first is None else self.first
        late = time.monotonic() - self.first > self.seconds
        return [{"transactionId": 7, "state": "closed" if late else "open"}]


async def keeps_sessions(socket: ServerConnection) -> None:
    async for text in socket:
        _, message_id, action, _ = json.loads(text)
        accepted = {"idTagInfo": {"status": "Accepted"}}
        own = {"StartTransaction": {"transactionId": 7, **accepted}, "Authorize": accepted}
        await socket.send(json.dumps([3, message_id, own.get(action, plain_answer(action) or {})]))


def slow_to_write() -> Callable[[ServerConnection], Awaitable[None]]:
    """Keep a tag in its session for a moment after the end was confirmed."""
    ended: dict[str, float] = {}

    async def serve(socket: ServerConnection) -> None:
        async for text in socket:
            _, message_id, action, payload = json.loads(text)
            answer: dict[str, Any] = plain_answer(action) or {}
            if action == "StartTransaction":
                busy = time.monotonic() - ended.get(payload["idTag"], 0.0) < 0.3  # seconds
                answer = {"transactionId": 7, "idTagInfo": {"status": "ConcurrentTx" if busy else "Accepted"}}
            elif action == "StopTransaction":
                ended[payload["idTag"]] = time.monotonic()
            await socket.send(json.dumps([3, message_id, answer]))

    return serve


def test_csms_that_writes_an_end_down_after_it_confirmed_it_no_false_alarm() -> None:
    with odd_csms(slow_to_write()) as url:
        target = CsmsUnderTest(url=url, timeout=2, tokens={"Accepted": "04A1B2C3D4E5F6"})
        result = Runner(target, NoDriver(), None).run(case("FLD_09"))
    assert result.verdict is Verdict.OK, result.actual


@pytest.mark.parametrize(("late", "kept"), [(2.5, True), (60, False)])
def test_records_that_an_api_shows_some_seconds_late_are_waited_for_no_false_alarm(late: float, *, kept: bool) -> None:
    with odd_csms(keeps_sessions) as url:
        target = CsmsUnderTest(url=url, timeout=4, tokens={"Accepted": "04A1B2C3D4E5F6"})
        result = Runner(target, LateBooks(late), None).run(case("TC_005_1_CSMS"))
    assert any("recorded as open" in actual for actual in result.actual) is not kept, result.actual
