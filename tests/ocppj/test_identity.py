from __future__ import annotations

import base64
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocppj.errors import UsageError
from ocppj.identity import (
    basic_authorization,
    check_identity,
    check_owned,
    check_target_url,
    decode_authorization_key,
    is_mqtt,
    is_secure,
    station_url,
)
from ocppj.versions import RULES, Version

ENCODED = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize(
    ("identity", "encoded"),
    [
        ("RDAM 123", "RDAM%20123"),
        ("RDAM|123", "RDAM%7C123"),
        ("CP/1", "CP%2F1"),
        ("Säule", "S%C3%A4ule"),
        ("充电", "%E5%85%85%E7%94%B5"),
        ("a?b#c%d+e", "a%3Fb%23c%25d%2Be"),
        ("CP-1_2.3~4", "CP-1_2.3~4"),
    ],
)
def test_identity_is_percent_encoded(identity: str, encoded: str) -> None:
    assert station_url("ws://h:1/ocpp", identity) == f"ws://h:1/ocpp/{encoded}"


@given(ENCODED)
def test_identity_is_the_last_path_segment_whatever_it_holds(identity: str) -> None:
    parts = urlsplit(station_url("ws://h:1/ocpp/", identity))
    assert (parts.query, parts.fragment) == ("", "")
    assert unquote(parts.path.rpartition("/")[2]) == identity


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ws://h", "ws://h/A%20B"),
        ("ws://h/", "ws://h/A%20B"),
        ("ws://h/ocpp?tenant=1", "ws://h/ocpp/A%20B?tenant=1"),
        ("ws://h/{id}/ocpp", "ws://h/A%20B/ocpp"),
        ("ws://h/ocpp?station={id}", "ws://h/ocpp?station=A%20B"),
    ],
)
def test_identity_stands_where_the_url_wants_it(url: str, expected: str) -> None:
    assert station_url(url, "A B") == expected


@pytest.mark.parametrize("url", ["ws://h", "wss://h:8443/a/b", "ws://[::1]:9000/", "ws://127.0.0.1:1/{id}", "WS://h"])
def test_usable_url_is_taken_as_it_is(url: str) -> None:
    assert check_target_url(url) == url


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("http://h:9000/ocpp", "Try ws://h:9000/ocpp"),
        ("https://h/ocpp", "Try wss://h/ocpp"),
        ("HTTPS://h/ocpp", "Try wss://h/ocpp"),
        ("ftp://h", "must begin with ws:// or wss://"),
        ("localhost:9000", "must begin with ws:// or wss://"),
        ("", "must begin with ws:// or wss://"),
        ("ws://", "names no host"),
        ("ws:///path", "names no host"),
        ("ws://h:0", "names no host and port"),
        ("ws://h:65536", "port that is not a number"),
        ("ws://h:abc", "port that is not a number"),
        ("ws://h/#top", "fragment"),
        ("ws://[::1", "no URL: Invalid IPv6"),
        ("ws://\u2100.example", "no URL"),
        ("ws://h/a b", "space or control character"),
        ("ws://h/a\n", "space or control character"),
    ],
)
def test_unusable_url_is_refused_with_the_mend(url: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint) as caught:
        check_target_url(url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://u:hunter2@h/", "ws://u:hunter2@h:0", "ws://u:hunter2@h/a b", "ws://u:hunter2@[h"]
)
def test_refusal_of_a_url_does_not_repeat_its_password(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_target_url(url)
    assert "hunter2" not in str(caught.value)


@given(st.text())
def test_any_url_is_usable_or_a_usage_error(url: str) -> None:
    try:
        check_target_url(f"ws://{url}")
    except UsageError:
        return
    assert urlsplit(f"ws://{url}").hostname


@pytest.mark.parametrize(
    "url", ["mqtt://127.0.0.1", "mqtts://broker:8883/fleet/a", "mqtt://user:secret@localhost:1883"]
)
def test_a_broker_is_a_target_where_mqtt_is_spoken(url: str) -> None:
    assert check_target_url(url, mqtt=True) == url
    assert is_mqtt(url)
    assert is_secure(url) is url.startswith("mqtts")
    with pytest.raises(UsageError, match=r"is a broker; this needs a CSMS that takes WebSocket") as refused:
        check_target_url(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["mqtt://localhost/{id}", "mqtt://localhost/ocpp?qos=1"])
def test_a_broker_takes_a_prefix_of_topics_only(url: str) -> None:
    with pytest.raises(UsageError, match=r"what else is in a topic says --dialect"):
        check_target_url(url, mqtt=True)


@pytest.mark.parametrize(("url", "secure"), [("ws://localhost", False), ("wss://localhost", True)])
def test_a_websocket_is_no_broker(url: str, *, secure: bool) -> None:
    assert (is_mqtt(url), is_secure(url)) == (False, secure)
    with pytest.raises(UsageError, match=r"or with mqtt:// or mqtts:// for a broker"):
        check_target_url("ftp://localhost", mqtt=True)


def test_identity_limits_follow_the_version() -> None:
    assert check_identity("C" * 48, RULES[Version.V201]) == "C" * 48
    assert check_identity("urn:a:" + "C" * 100, RULES[Version.V16])
    with pytest.raises(UsageError, match=r"longer than the 48 characters of 2\.0\.1"):
        check_identity("C" * 49, RULES[Version.V201])
    with pytest.raises(UsageError, match=r"holds ':', which 2\.1 forbids"):
        check_identity("a:b", RULES[Version.V21])
    with pytest.raises(UsageError, match="must not be empty"):
        check_identity("", RULES[Version.V16])


def test_basic_credentials_of_16_carry_any_raw_byte() -> None:
    key = bytes(range(256))
    scheme, _, encoded = basic_authorization("CP|1", key).partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(encoded) == b"CP|1:" + key


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_basic_credentials_of_2x_are_utf8(identity: str, password: str) -> None:
    encoded = basic_authorization(identity, password).removeprefix("Basic ")
    assert base64.b64decode(encoded) == f"{identity}:{password}".encode()


@pytest.mark.parametrize("size", [16, 20])
def test_hexadecimal_key_of_16_becomes_raw_bytes(size: int) -> None:
    key = bytes(range(0xFF, 0xFF - size, -1))
    assert decode_authorization_key(key.hex(), Version.V16) == key
    assert decode_authorization_key(key.hex().upper(), Version.V16) == key


@pytest.mark.parametrize("key", ["0" * 30, "0" * 31, "0" * 33, "0" * 42, "g" * 32, "0" * 32 + "\n", "pässword"])
def test_other_key_of_16_is_text(key: str) -> None:
    assert decode_authorization_key(key, Version.V16) == key.encode()


@pytest.mark.parametrize("version", [Version.V201, Version.V21])
def test_password_of_2x_is_never_read_as_hexadecimal(version: Version) -> None:
    assert decode_authorization_key("00" * 16, version) == b"00" * 16


@pytest.mark.parametrize(
    "url", ["ws://127.0.0.1:9000/ocpp", "wss://127.9.8.7/{id}", "ws://[::1]:1/", "ws://LOCALHOST/x", "ws://a.localhost"]
)
def test_a_target_on_this_machine_needs_no_consent(url: str) -> None:
    assert check_owned(url, ()) == url


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("wss://csms.example:444/ocpp", "csms.example"),
        ("ws://CSMS.example/ocpp", "csms.example"),
        ("ws://192.0.2.7/ocpp", "192.0.2.7"),
        ("ws://[2001:db8::1]:9/ocpp", "2001:db8::1"),
        ("ws://localhost.example/", "localhost.example"),
        ("ws://127.0.0.1@csms.example/", "csms.example"),
    ],
)
def test_another_machine_is_a_target_only_by_its_own_name(url: str, host: str) -> None:
    for owned in ((), ("other.example",), ("example",)):
        with pytest.raises(UsageError, match=f"--i-own-this-target {host}"):
            check_owned(url, owned)
    assert check_owned(url, ("other.example", host)) == url
