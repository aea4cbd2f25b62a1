"""Dialects: what they do to an OCPP-J message, and what is said about a file that is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt.dialect import Dialect, dialect_names, load_dialect
from mqtt.form import Form, FormError
from ocppj.errors import UsageError
from ocppj.messages import Call, CallError, CallResult, Message, encode, parse
from ocppj.versions import RULES, Version

V16, V201 = RULES[Version.V16], RULES[Version.V201]
IDS = st.text(min_size=1, max_size=36).filter(str.isprintable)
JSON = st.dictionaries(
    st.text(max_size=8).filter(str.isprintable),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=5,
    ),
    max_size=4,
)
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(Call, IDS, IDS, JSON),
    st.builds(CallResult, IDS, JSON),
    st.builds(CallError, IDS, st.sampled_from(sorted(V16.all_error_codes)), st.text(max_size=9), st.just({})),
)


def test_these_dialects_come_with_plugstorm() -> None:
    assert dialect_names() == ["emqx", "maeve", "raw"]


@pytest.mark.parametrize("name", dialect_names())
@given(message=MESSAGES)
def test_a_message_means_the_same_after_both_ways(name: str, message: Message) -> None:
    dialect = load_dialect(name)
    read = Form(dialect, V16).read(Form(dialect, V16).write(encode(message)).payload)
    assert parse(read, V16) == message


@pytest.mark.parametrize("name", dialect_names())
@given(text=st.text(max_size=60))
def test_what_is_no_message_goes_as_it_is(name: str, text: str) -> None:
    written = Form(load_dialect(name), V16).write(f"no array {text}").payload
    assert written == f"no array {text}".encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("name", dialect_names())
@given(payload=st.binary(max_size=80))
def test_no_payload_raises_anything_but_an_error_of_the_form(name: str, payload: bytes) -> None:
    try:
        Form(load_dialect(name), V16).read(payload)
    except FormError as error:
        assert "expected" in str(error)  # noqa: PT017 - other payloads can be read


def written(name: str, message: Message) -> dict[str, object]:
    found: dict[str, object] = json.loads(Form(load_dialect(name), V16).write(encode(message)).payload)
    return found


def test_emqx_has_an_object_and_another_topic_for_answers() -> None:
    assert written("emqx", Call("1", "Heartbeat", {})) == {
        "MessageTypeId": 2,
        "UniqueId": "1",
        "Action": "Heartbeat",
        "Payload": {},
    }
    assert written("emqx", CallError("1", "GenericError", "no", {"lost": True})) == {
        "MessageTypeId": 4,
        "UniqueId": "1",
        "ErrorCode": "GenericError",
        "ErrorDescription": "no",
    }
    form = Form(load_dialect("emqx"), V16)
    assert not form.write(encode(Call("1", "Heartbeat", {}))).is_answer
    assert form.write(encode(CallResult("1", {}))).is_answer


def test_maeve_repeats_the_question_in_its_answer() -> None:
    form = Form(load_dialect("maeve"), V16)
    question = {"type": 2, "id": "7", "action": "Reset", "request": {"type": "Soft"}}
    assert json.loads(form.read(json.dumps(question).encode())) == [2, "7", "Reset", {"type": "Soft"}]
    answer = json.loads(form.write(encode(CallResult("7", {"status": "Accepted"}))).payload)
    assert answer == {
        "type": 3,
        "id": "7",
        "action": "Reset",
        "request": {"type": "Soft"},
        "response": {"status": "Accepted"},
    }


@pytest.mark.parametrize(("rules", "code"), [(V16, "FormationViolation"), (V201, "FormatViolation")])
def test_maeve_spells_errors_as_ocpp_2_does(rules: object, code: str) -> None:
    form = Form(load_dialect("maeve"), V16 if rules is V16 else V201)
    assert json.loads(form.write(encode(CallError("1", code))).payload)["error_code"] == "FormatViolation"
    assert json.loads(form.read(b'{"type":4,"id":"1","error_code":"FormatViolation"}')) == [4, "1", code, "", {}]


def test_digits_stay_as_they_are() -> None:
    text = '[2,"1","MeterValues",{"value":1.50,"other":1e2}]'
    form = Form(load_dialect("emqx"), V16)
    assert form.read(form.write(text).payload) == text


@pytest.mark.parametrize(
    ("name", "payload", "words"),
    [
        ("raw", b'{"MessageTypeId":3}', "expected an OCPP-J array"),
        ("emqx", b'[3,"1",{}]', "expected an object with MessageTypeId"),
        ("emqx", b'{"type":3,"id":"1"}', "expected an object with MessageTypeId"),
        ("maeve", b'{"type":"3","id":"1"}', "expected a number as type"),
        ("maeve", b'{"type":2,"id":"1"}', "expected an object with action"),
    ],
)
def test_a_payload_of_another_dialect_is_named(name: str, payload: bytes, words: str) -> None:
    with pytest.raises(FormError, match=words):
        Form(load_dialect(name), V16).read(payload)


def topics(name: str, prefix: str | None = None) -> tuple[str, str]:
    dialect = load_dialect(name).at(prefix)
    return dialect.topic(dialect.up.topic, "CP 1", "ocpp1.6"), dialect.topic(dialect.down.topic, "CP 1", "ocpp1.6")


@pytest.mark.parametrize(
    ("name", "prefix", "expected"),
    [
        ("raw", None, ("CP 1/in", "CP 1/out")),
        ("raw", "ocpp", ("ocpp/CP 1/in", "ocpp/CP 1/out")),
        ("emqx", None, ("ocpp/cp/CP 1", "ocpp/cs/CP 1")),
        ("maeve", "site/a", ("site/a/in/ocpp1.6/CP 1", "site/a/out/ocpp1.6/CP 1")),
    ],
)
def test_topics_are_those_of_the_gateways(name: str, prefix: str | None, expected: tuple[str, str]) -> None:
    assert topics(name, prefix) == expected


@pytest.mark.parametrize("name", dialect_names())
def test_who_sent_a_message_is_found_in_its_topic(name: str) -> None:
    dialect = load_dialect(name).at("a.b")
    found = dialect.pattern(dialect.up.topic).fullmatch(dialect.topic(dialect.up.topic, "CP 1", "ocpp1.6"))
    assert found is not None
    assert found["id"] == "CP 1"
    assert dialect.filter(dialect.up.topic).count("+") == len(found.groups())
    assert dialect.pattern(dialect.up.topic).fullmatch("aXb/in/CP 1") is None


@pytest.mark.parametrize("identity", ["A/B", "A+", "#", ""])
def test_an_identity_that_cannot_be_in_a_topic_is_refused(identity: str) -> None:
    dialect = load_dialect("raw")
    with pytest.raises(UsageError, match="cannot be part of an MQTT topic"):
        dialect.topic(dialect.up.topic, identity, "ocpp1.6")


GOOD = """\
title: mine
mqtt: "3.1.1"
up: {topic: "{id}/up"}
down: {topic: "{id}/down", qos: 1}
"""


def load(tmp_path: Path, text: str) -> Dialect:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return load_dialect(str(path))


def test_a_file_of_ones_own_is_a_dialect(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).down.qos == 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("qos: 1", "qoss: 1", "mine.yaml:4: down.qoss: the key 'qoss' is unknown; did you mean 'qos'?"),
        ("qos: 1", "qos: 3", "mine.yaml:4: down.qos: expected one of 0, 1, 2, but it is 3"),
        ("{id}/up", "{idd}/up", "mine.yaml:3: up.topic: {idd} is unknown; did you mean 'id'?"),
        ("{id}/up", "up", "mine.yaml:3: up.topic: expected a topic with {id}, but it is 'up'"),
        ("{id}/up", "{id}/#", "mine.yaml:3: up.topic: expected a topic without wildcards"),
        ("{id}/up", "{id}/down", "mine.yaml:4: down: expected another topic than that of `up`"),
        ("3.1.1", "4", "mine.yaml:2: mqtt: expected one of 3.1.1, 5, but it is '4'"),
        ("qos: 1", "properties: {content_type: a}", 'mine.yaml:4: down: the properties need `mqtt: "5"`'),
    ],
)
def test_a_mistake_has_file_line_and_the_nearest_key(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, GOOD.replace(old, new))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_has_the_nearest_one() -> None:
    with pytest.raises(UsageError, match=r"--dialect maev is not known; did you mean 'maeve'\?"):
        load_dialect("maev")
    with pytest.raises(UsageError, match="the dialect file cannot be read"):
        load_dialect("nowhere/mine.yaml")
