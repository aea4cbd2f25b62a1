from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from rich.console import Console

from drivers.base import Exchange
from evidence import exit_codes
from fixtures.csms import practice_csms
from interop_suite.drive.dialogue import DIALOGUES
from interop_suite.run.driver_check import CheckedOperation, OperationState, check_driver, check_table, exit_code_of
from interop_suite.run.driver_orders import read_wanted
from interop_suite.run.request import InteropRequest
from interop_suite.run.state import csms_request
from ocppj.errors import UsageError
from ocppj.schemas import validator
from ocppj.versions import Version

PRACTICE = (Path(__file__).parents[3] / "drivers" / "presets" / "practice.yaml").read_text()
TRIED = [
    "health", "register", "connect", "token:Accepted", "token:Blocked", "token:Expired", "token:parent",
    "online", "transactions", "boot_status", "password", "sign_client_certificate",
]  # fmt: skip


def checked(driver: str, version: str = "1.6", **more: object) -> dict[str, CheckedOperation]:
    with (
        practice_csms(call_timeout=1) as csms,
        csms_request(csms, InteropRequest(timeout=2, ocpp=(version,))) as request,
    ):
        changed = msgspec.structs.replace(request, driver=driver, **more)
        return {operation.operation: operation for operation in check_driver(changed)}


def mistaken(tmp_path: Path, *changes: tuple[str, str]) -> str:
    text = PRACTICE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "mistaken.yaml").write_text(text)
    return str(tmp_path / "mistaken.yaml")


@pytest.mark.parametrize(("version", "harmless"), [("1.6", "GetConfiguration"), ("2.0.1", "GetVariables")])
@pytest.mark.parametrize("driver", ["practice", "http"])
def test_driver_that_works_is_found_to_work(driver: str, version: str, harmless: str) -> None:
    operations = checked(driver, version)
    for name in (*TRIED, f"trigger:{harmless}"):
        assert (name, operations[name].state) == (name, OperationState.WORKS)
    assert operations["trigger:Reset"].state is OperationState.UNTRIED
    assert exit_code_of(list(operations.values())) == exit_codes.PASSED


def test_every_operation_shows_what_was_sent_and_what_came_back() -> None:
    operations = checked("practice")
    assert all(operations[name].exchanges for name in TRIED)
    token = operations["token:Blocked"]
    assert [(exchange.operation, exchange.over) for exchange in token.exchanges] == [
        ("token", "http"),
        ("station", "ocpp"),
    ]
    assert token.exchanges[0].request["body"] == {"status": "Blocked"}
    assert token.exchanges[1].response is not None
    assert token.exchanges[1].response["payload"]["idTagInfo"]["status"] == "Blocked"
    assert msgspec.json.decode(msgspec.json.encode(list(operations.values())), type=list[CheckedOperation])


STATUS = 'status: "{{ response.json.status }}"'
TRIGGER = PRACTICE[PRACTICE.index("  trigger:") : PRACTICE.index("    answer:")]
TOKEN_STATUS = 'status: "{{ status }}"\n          expiry'
PARENT = 'parentIdTag: "{{ parent | default(omit) }}"'
BOOT = 'boot_status: "{{ boot_status | default(omit) }}"'
CHAIN = 'certificate: "{{ response.json.certificateChain }}"'


@pytest.mark.parametrize(
    ("old", "new", "operation", "reason"),
    [
        ("/health, timeout", "/helth, timeout", "health", "gave HTTP 404"),
        ("url: /stations/{{ identity }}\n", "url: /nowhere\n", "register", "gave HTTP 404"),
        ("/calls/{{ action }}", "/calls/Reset", "trigger:GetConfiguration", "gave HTTP 400"),
        (STATUS, "status: ok", "trigger:GetConfiguration", "says 'ok', which"),
        (STATUS, "status: error", "trigger:GetConfiguration", "reached the station, and the driver says 'error'"),
        (TRIGGER, "  trigger:\n    http: {url: /health}\n", "trigger:GetConfiguration", "'ok', which"),
        (TOKEN_STATUS, "status: Accepted\n          expiry", "token:Blocked", "is answered 'Accepted', not 'Blocked'"),
        (PARENT, 'parentIdTag: "{{ omit if parent is defined else omit }}"', "token:parent", "names no parent"),
        ('rows: "{{ response.json }}"', 'rows: "{{ [] }}"', "transactions", "is not among the 0"),
        (BOOT, 'boot_status: "{{ omit if boot_status is defined else omit }}"', "boot_status", "boots were answered"),
        ('"{{ password |', '"{{ password[:5] |', "password", "with the password that was set is refused"),
        (CHAIN, "certificate: none", "sign_client_certificate", "not a PEM"),
    ],
)
def test_mistake_in_a_driver_is_found_in_the_operation_that_has_it(
    tmp_path: Path, old: str, new: str, operation: str, reason: str
) -> None:
    operations = checked(mistaken(tmp_path, (old, new)))
    assert operations[operation].state is OperationState.BROKEN
    assert reason in operations[operation].reason
    assert exit_code_of(list(operations.values())) == exit_codes.FAILED


def test_what_a_driver_does_not_offer_is_unsupported_with_its_reason(tmp_path: Path) -> None:
    without = PRACTICE[: PRACTICE.index("  transactions:")] + "  transactions: {unsupported: no such page}\n"
    (tmp_path / "less.yaml").write_text(without)
    operations = checked(str(tmp_path / "less.yaml"))
    assert operations["transactions"].state is OperationState.UNSUPPORTED
    assert operations["transactions"].reason == "no such page"
    assert operations["sign_client_certificate"].state is OperationState.UNSUPPORTED


def test_without_a_driver_only_the_connection_is_tried() -> None:
    operations = checked("none", control_url=None)
    assert operations["connect"].state is OperationState.WORKS
    assert operations["register"].state is OperationState.UNSUPPORTED
    assert operations["trigger:Reset"].state is OperationState.UNSUPPORTED


def test_token_that_was_named_is_tried_as_it_is() -> None:
    operations = checked("practice", tokens={"Accepted": "NOBODYS", "Blocked": "NOBODYS"})
    assert operations["token:Accepted"].state is OperationState.BROKEN
    assert operations["token:Accepted"].reason == "Authorize of NOBODYS is answered 'Invalid', not 'Accepted'"
    assert operations["transactions"].state is OperationState.WORKS


def test_certificate_is_asked_for_in_the_name_of_the_organization_that_was_given() -> None:
    (exchange,) = checked("practice", organization="Ladenetz GmbH")["sign_client_certificate"].exchanges
    csr = exchange.request["body"]["csr"]
    (name,) = x509.load_pem_x509_csr(csr.encode()).subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert name.value == "Ladenetz GmbH"


def test_csms_that_is_not_there_is_broken_and_the_rest_is_not_tried() -> None:
    request = InteropRequest(url="ws://127.0.0.1:9", driver="practice", control_url="http://127.0.0.1:9", timeout=1)
    operations = {operation.operation: operation for operation in check_driver(request)}
    for name in ("health", "register", "connect"):
        assert operations[name].state is OperationState.BROKEN
    assert operations["transactions"].state is OperationState.UNTRIED
    assert "not connected" in operations["transactions"].reason


def test_settings_that_cannot_work_are_a_usage_error() -> None:
    with pytest.raises(UsageError, match="No CSMS was named"):
        check_driver(InteropRequest(driver="practice"))


def test_password_is_in_no_report() -> None:
    operations = checked("practice", password="stati0n-passw0rd")
    assert operations["connect"].state is OperationState.WORKS
    assert operations["password"].state is OperationState.UNTRIED
    assert "stati0n-passw0rd" not in msgspec.json.encode(list(operations.values())).decode()


def test_table_shows_requests_of_what_is_broken_and_nothing_that_rich_would_obey(tmp_path: Path) -> None:
    change = ('rows: "{{ response.json }}"', "rows: \"{{ fail('[red]no[/red]') }}\"")
    console = Console(file=io.StringIO(), width=200, color_system=None)
    console.print(check_table(list(checked(mistaken(tmp_path, change)).values())))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "[red]no[/red]" in text
    assert "→ " in text
    assert "/transactions" in text


def test_only_what_is_named_is_tried() -> None:
    words = ["trigger:Reset", 'trigger:UnlockConnector={"connectorId": 2}', "token:Blocked"]
    with (
        practice_csms(call_timeout=1) as csms,
        csms_request(csms, InteropRequest(timeout=2, ocpp=("1.6",))) as request,
    ):
        done = check_driver(request, words)
    assert [operation.operation for operation in done] == [
        "register", "connect", "trigger:Reset", "trigger:UnlockConnector", "token:Blocked",
    ]  # fmt: skip
    assert {operation.state for operation in done} == {OperationState.WORKS}
    sent = {exchange.request["action"]: exchange.request["payload"] for exchange in trigger_exchanges(done)}
    assert sent == {"Reset": {"type": "Soft"}, "UnlockConnector": {"connectorId": 2}}


def trigger_exchanges(done: list[CheckedOperation]) -> list[Exchange]:
    return [
        exchange
        for operation in done
        for exchange in operation.exchanges
        if exchange.operation == "trigger" and exchange.over == "ocpp"
    ]


def test_version_that_the_csms_speaks_is_found() -> None:
    with (
        practice_csms(call_timeout=1) as csms,
        csms_request(csms, InteropRequest(timeout=2)) as request,
    ):
        done = {operation.operation: operation for operation in check_driver(request, ["connect"])}
    assert "connected as ocpp1.6" in done["connect"].reason


@pytest.mark.parametrize(
    ("word", "fault"),
    [
        ("tokn:Blocked", "is no operation; did you mean 'token:Blocked'"),
        ("trigger:Rest", "a CSMS sends no Rest in OCPP 1.6; did you mean 'Reset'"),
        ("trigger:ReserveNow", "needs a payload"),
        ("trigger:Reset={", "its payload is no JSON object"),
        ('trigger:Reset={"type": "Sofa"}', "/type"),
    ],
)
def test_operation_that_cannot_be_tried_is_one_line(word: str, fault: str) -> None:
    with pytest.raises(UsageError, match=fault) as caught:
        read_wanted([word], Version.V16)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("version", Version)
def test_every_payload_that_is_sent_by_default_is_right(version: Version) -> None:
    for action in (*DIALOGUES[version].harmless, "Reset", "ChangeAvailability", "ClearCache"):
        (trigger,) = read_wanted([f"trigger:{action}"], version).triggers
        assert validator(version, action, "request").errors(trigger.payload) == []


@pytest.mark.parametrize(
    ("version", "defect", "operation", "reason"),
    [
        ("1.6", "wrong-password-accepted", "password", "accepts a connection with another one, too"),
        ("1.6", "authorize-without-info", "token:Blocked", "answers Authorize of"),
        ("2.0.1", "group-left-out", "token:parent", "names no parent, although the driver named"),
    ],
)
def test_csms_that_deviates_is_told_from_a_driver_that_is_broken(
    version: str, defect: str, operation: str, reason: str
) -> None:
    with (
        practice_csms(call_timeout=1, defects=(defect,)) as csms,
        csms_request(csms, InteropRequest(timeout=2, ocpp=(version,))) as request,
    ):
        done = check_driver(request, [operation])
    assert (done[-1].operation, done[-1].state) == (operation, OperationState.DEVIATES)
    assert reason in done[-1].reason
    assert exit_code_of(done) == exit_codes.INVALID
