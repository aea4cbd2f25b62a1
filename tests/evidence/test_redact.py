from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.redact import REDACTED, redact, redact_frame, redact_text, redact_url
from ocppj.identity import basic_authorization
from ocppj.messages import Call, encode
from tests.ocppj.json_values import OBJECTS, VALUES

SECRET = "hunter2-Zq9!"  # one that no other test text holds by accident
BASIC = basic_authorization("CP-1", SECRET)
PEM = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIHsecretbytes\n-----END EC PRIVATE KEY-----\n"


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


SECRET_FRAMES = {
    "ChangeConfiguration of 1.6": [2, "1", "ChangeConfiguration", {"key": "AuthorizationKey", "value": SECRET}],
    "GetConfiguration of 1.6": [
        3,
        "1",
        {"configurationKey": [{"key": "authorizationkey", "readonly": False, "value": SECRET}]},
    ],
    "SetVariables of 2.x": [
        2,
        "1",
        "SetVariables",
        {
            "setVariableData": [
                {
                    "attributeValue": SECRET,
                    "component": {"name": "SecurityCtrlr"},
                    "variable": {"name": "BasicAuthPassword"},
                }
            ]
        },
    ],
    "NotifyReport of 2.x": [
        2,
        "1",
        "NotifyReport",
        {"reportData": [{"variable": {"name": "BasicAuthPassword"}, "variableAttribute": [{"value": SECRET}]}]},
    ],
    "SetNetworkProfile with an APN": [
        2,
        "1",
        "SetNetworkProfile",
        {"connectionData": {"apn": {"apnPassword": SECRET}}},
    ],
    "SetNetworkProfile with a VPN": [
        2,
        "1",
        "SetNetworkProfile",
        {"vpn": {"server": "s", "user": "u", "password": "p", "key": SECRET, "type": "IPSec"}},
    ],
    "SetNetworkProfile with a SIM": [2, "1", "SetNetworkProfile", {"apn": {"simPin": 48151623}}],
    "upload location with a user": [2, "1", "GetDiagnostics", {"location": f"ftp://up:{SECRET}@files.example/in"}],
    "private key": [2, "1", "DataTransfer", {"vendorId": "V", "data": PEM + SECRET[:0]}],
    "object as text": [2, "1", "DataTransfer", {"vendorId": "V", "data": compact({"a": [{"password": SECRET}]})}],
    "pair as text": [2, "1", "DataTransfer", {"data": compact({"key": "AuthorizationKey", "value": SECRET})}],
    "Basic header as text": [2, "1", "DataTransfer", {"vendorId": "V", "data": f"Authorization: {BASIC}"}],
    "capital letters": [2, "1", "DataTransfer", {"PASSWORD": SECRET}],
    "list of secrets": [2, "1", "DataTransfer", {"passphrase": [SECRET, {"x": SECRET}, 481516]}],
}
TRACES_OF_SECRETS = (SECRET, BASIC.removeprefix("Basic "), "secretbytes", "4815162")


def assert_holds_no_secret(text: str) -> None:
    assert REDACTED in text
    assert [secret for secret in TRACES_OF_SECRETS if secret in text] == []


@pytest.mark.parametrize("frame", SECRET_FRAMES.values(), ids=SECRET_FRAMES)
def test_secret_of_a_frame_does_not_survive(frame: list[Any]) -> None:
    clean = redact_frame(compact(frame))
    assert_holds_no_secret(clean)
    assert json.loads(clean)[:2] == frame[:2]


# In these two the name is not beside the value, and nothing but whole JSON shows that they belong together.
@pytest.mark.parametrize("name", sorted(SECRET_FRAMES.keys() - {"SetNetworkProfile with a SIM", "list of secrets"}))
def test_secret_does_not_survive_in_a_frame_that_is_cut_off(name: str) -> None:
    whole = compact(SECRET_FRAMES[name])
    for end in range(len(whole.rstrip(']}"')), len(whole)):
        assert_holds_no_secret(redact_frame(whole[:end]))


@pytest.mark.parametrize(
    "text",
    [
        '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"hunter2-Zq9!","value":""}]',
        '[2,"1","X",{"password":"hunter2-Zq9!","password":""}]',
        '[2,"1","X",{"\\u0070assword":"hunter2-Zq9!"}]',
        '[2,"1","X",{"pass\\u0077ord" : "hunter2-Zq9!"}]',
        '[2,"1","X",{"password":"hunter2-Zq9!"}]\ud800',
        '[2,"1","X",{"password":"hunter2-Zq9!","deep":' + "[" * 3_000 + "]" * 3_000 + "}]",
        '[2,"1","X",{"password":"hunter2-Zq9!","deep":' + "[" * 700 + "]" * 700 + "}]",
        '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"hunter2-Zq9!","n":1e999}]',
    ],
)
def test_odd_frame_hides_no_secret(text: str) -> None:
    assert_holds_no_secret(redact_frame(text))


@pytest.mark.parametrize("secret", ['pä$$ "quoted"', "back\\slash", "süß", "<&>", "plain", "x" * 40])
def test_configured_secret_is_blanked_wherever_it_stands(secret: str) -> None:
    for written in (compact([2, "1", "X", {"note": f"it is {secret}."}]), json.dumps([secret], ensure_ascii=False)):
        for text in (written, written[:-2]):
            clean = redact_frame(text, frozenset({secret, ""}))
            assert REDACTED in clean
            assert secret not in clean
            assert json.dumps(secret)[1:-1] not in clean


def test_secret_that_is_a_word_is_blanked_as_a_value_and_not_inside_of_other_words() -> None:
    again = "plugstorm interop --driver citrineos --driver-option dsn=postgresql://citrine:citrine@127.0.0.1/citrineos"
    clean = redact({"again": again, "password": "x", "note": "the citrine, or (citrine)"}, frozenset({"citrine"}))
    assert clean["again"].startswith("plugstorm interop --driver citrineos ")
    assert "citrine@" not in clean["again"]
    assert clean["note"] == f"the {REDACTED}, or ({REDACTED})"
    assert redact("key=ab12xyz", frozenset({"ab12"})) == f"key={REDACTED}xyz"


ORDINARY_FRAMES = [
    '[2,"1","Heartbeat",{}]',
    '[2, "1",\t"BootNotification" , {"chargePointVendor":"V","chargePointModel":"M\\u00fc"}]',
    '[3,"1",{"configurationKey":[{"key":"HeartbeatInterval","readonly":false,"value":"300"}]}]',
    '[2,"1","GetConfiguration",{"key":["AuthorizationKey","HeartbeatInterval"]}]',
    '[2,"1","GetVariables",{"getVariableData":[{"variable":{"name":"BasicAuthPassword"}}]}]',
    '[3,"1",{"setVariableResult":[{"attributeStatus":"Accepted","variable":{"name":"BasicAuthPassword"}}]}]',
    '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":""}]',
    '[2,"1","DataTransfer",{"data":"Basic authentication is off, pass on","mail":"a@b.example"}]',
    '[2,"1","DataTransfer",{"data":"{\\"a\\":1}","n":1.50,"e":1E2,"slash":"\\/"}]',
    '[2,"1","CertificateSigned",{"certificateChain":"-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----"}]',
    '[2,"1","X",{"has_password":true,"password":null}]',
    '[2,"1","NotifyCustomerInformation",{"url":"https://example.org/a@b?x=1"}]',
    "not JSON at all: \\ @ \ud800",
    '[2,"1","X",{"a":1,"a":2,"path":"C:\\\\x"}]',
    "[" * 3_000 + "\\",
    "",
]


@pytest.mark.parametrize("text", ORDINARY_FRAMES)
def test_ordinary_frame_stays_as_it_is_to_the_byte(text: str) -> None:
    assert redact_frame(text, frozenset({SECRET, ""})) == text


@given(OBJECTS)
def test_any_frame_passes_and_redaction_is_stable(payload: dict[str, Any]) -> None:
    text = encode(Call("1", "DataTransfer", payload | {"password": SECRET}))
    clean = redact_frame(text)
    assert SECRET not in clean
    assert redact_frame(clean) == clean


@given(st.text() | st.binary().map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_any_text_passes(text: str) -> None:
    assert isinstance(redact_frame(text + '\\"password\\":', frozenset({SECRET})), str)


@pytest.mark.parametrize(
    "unit", ["-----BEGIN PRIVATE KEY-----", '\\"', '"', "://", "Basic ", "Basic\t\t", '"a":"', '\\"a\\":\\"', "?token="]
)
def test_hostile_text_takes_time_in_proportion_to_its_length(unit: str) -> None:
    def seconds(size: int) -> float:
        text = "@" + unit * (size // len(unit))
        began = time.process_time()
        redact_frame(text)
        return time.process_time() - began

    seconds(10_000)
    # Eight times the text: 8 where the work is linear, 64 where it is quadratic; short runs are all noise.
    assert seconds(800_000) <= 30 * max(seconds(100_000), 0.005)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"Authorization: {BASIC}", f"Authorization: Basic {REDACTED}"),
        (f"Authorization: {BASIC[:-5]} cut", f"Authorization: Basic {REDACTED} cut"),
        ("bearer eyJhbGciOi.J9-_x", f"bearer {REDACTED}"),
        ("Basic authentication and Basic profile", "Basic authentication and Basic profile"),
        (f"a {PEM}b", f"a -----{REDACTED} PRIVATE KEY-----\nb"),
        (f"a {PEM[:60]}", f"a -----{REDACTED} PRIVATE KEY-----"),
        ("see wss://u:p@ss@h/x and ws://h/y", f"see wss://{REDACTED}@h/x and ws://h/y"),
        ("GET http://h/a?user=1&token=abc&x=2", f"GET http://h/a?user=1&token={REDACTED}&x=2"),
        ('log: {"password": "a\\"b", "x": 1}', f'log: {{"password": "{REDACTED}", "x": 1}}'),
        ('log: {\\"password\\": \\"ab\\"}', f'log: {{\\"password\\": \\"{REDACTED}\\"}}'),
        ("mail me@example.org", "mail me@example.org"),
    ],
)
def test_free_text_loses_its_credentials(text: str, clean: str) -> None:
    assert redact_text(text) == clean
    assert redact_text(clean) == clean


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("ws://h:9000/ocpp", "ws://h:9000/ocpp"),
        ("ws://user:pw@h:9000/ocpp?a=1", f"ws://{REDACTED}@h:9000/ocpp?a=1"),
        ("ws://user@h/{id}", f"ws://{REDACTED}@h/{{id}}"),
        ("ws://u:p@w@h/", f"ws://{REDACTED}@h/"),
        ("wss://h/x?password=pw&a=1", f"wss://h/x?password={REDACTED}&a=1"),
        ("ws://u:p@[::1", f"ws://{REDACTED}@[::1"),
    ],
)
def test_url_loses_its_credentials(url: str, clean: str) -> None:
    assert redact_url(url) == clean


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        (
            {"password": "x", "has_password": True, "user": "u"},
            {"password": REDACTED, "has_password": True, "user": "u"},
        ),
        (
            {"headers": [["Authorization", "x"], ["Host", "h"]]},
            {"headers": [["Authorization", REDACTED], ["Host", "h"]]},
        ),
        (
            {"headers": {"X-Api-Key": "x", "Set-Cookie": "y"}},
            {"headers": {"X-Api-Key": REDACTED, "Set-Cookie": REDACTED}},
        ),
        ({"argv": ("--password", 1)}, {"argv": ["--password", 1]}),
        ({1: "a"}, {"1": "a"}),
        ("Basic Q1A6cHc=", f"Basic {REDACTED}"),
        (7, 7),
        (None, None),
    ],
)
def test_value_is_copied_without_its_secrets(value: Any, clean: Any) -> None:
    before = compact(value)
    assert redact(value) == clean
    assert compact(value) == before


@given(VALUES)
def test_redaction_keeps_the_shape_of_any_value(value: Any) -> None:
    assert type(redact(value)) is type(value)


def test_depth_does_not_matter() -> None:
    deep: Any = {"password": SECRET}
    for _ in range(100_000):
        deep = [deep]
    clean = redact(deep)
    for _ in range(100_000):
        [clean] = clean
    assert clean == {"password": REDACTED}


def test_raw_key_of_16_is_blanked_in_its_header() -> None:
    header = basic_authorization("CP-1", bytes(range(0xE0, 0xF4)))
    assert base64.b64encode(bytes(range(0xE0, 0xF0))).decode()[8:16] not in redact_text(header)
