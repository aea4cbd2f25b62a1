from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ocppj.errors import Fault, RemoteProtocolError
from ocppj.messages import (
    Call,
    CallError,
    CallResult,
    CallResultError,
    Message,
    Send,
    duplicate_keys,
    encode,
    encode_call,
    encode_json,
    parse,
    review,
)
from ocppj.versions import RULES, Rules, Version
from tests.ocppj.json_values import MESSAGE_IDS, OBJECTS, TEXTS, VALUES

RULES_16, RULES_201, RULES_21 = RULES[Version.V16], RULES[Version.V201], RULES[Version.V21]
ANY_RULES = st.sampled_from(list(RULES.values()))
PAYLOADS = OBJECTS | st.none()
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(Call, MESSAGE_IDS, TEXTS, PAYLOADS),
    st.builds(CallResult, MESSAGE_IDS, PAYLOADS),
    st.builds(CallError, MESSAGE_IDS, TEXTS, TEXTS, OBJECTS),
    st.builds(CallResultError, MESSAGE_IDS, TEXTS, TEXTS, OBJECTS),
    st.builds(Send, MESSAGE_IDS, TEXTS, PAYLOADS),
)
# Frames that are nearly right find more than noise does.
NEAR_FRAMES = st.lists(st.sampled_from([2, 3, 4, 5, 6, 7, -1, 2.0, True, "2", None]) | VALUES, max_size=6).map(
    encode_json
)


def fault_of(data: str | bytes, rules: Rules = RULES_21) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        parse(data, rules)
    return caught.value


@given(MESSAGES)
def test_parse_gives_back_what_encode_wrote(message: Message) -> None:
    assert parse(encode(message), RULES_21) == message
    assert parse(encode(message).encode(), RULES_21) == message


@given(st.binary() | st.text() | NEAR_FRAMES | MESSAGES.map(encode), ANY_RULES)
@example(b"\xff\xfe", RULES_16)
@example("[2,\ud800]", RULES_16)
@example("[" * 100_000, RULES_21)
@example('{"a":' * 100_000, RULES_21)
@example(f'[2,"1","A",{{"n":{"9" * 5_000}}}]', RULES_201)
@example(f"[{'9' * 5_000}]", RULES_201)
@example('[2,"1","A",{"n":1e999}]', RULES_201)
@example('[2,"1","A",{"n":NaN}]', RULES_16)
def test_any_frame_is_a_message_or_a_typed_error(data: str | bytes, rules: Rules) -> None:
    try:
        message = parse(data, rules)
    except RemoteProtocolError:
        return
    assert parse(encode(message), rules) == message
    assert set(review(message, rules)) <= set(Fault)


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")) | NEAR_FRAMES)
@example("[" * 100_000)
@example("9" * 5_000)
def test_duplicate_keys_never_raises(text: str) -> None:
    assert isinstance(duplicate_keys(text), list)


def test_frame_cut_at_any_byte_is_a_typed_error() -> None:
    frame = encode(Call("42", "BootNotification", {"chargePointModel": "ö" * 4, "chargePointVendor": "€"})).encode()
    for length in range(len(frame)):
        assert fault_of(frame[:length]).fault in (Fault.NOT_JSON, Fault.NOT_UTF8)


@pytest.mark.parametrize(
    ("frame", "fault"),
    [
        (b"\xff", Fault.NOT_UTF8),
        (b'[2,"1","A",{"a\xff":1}]', Fault.NOT_UTF8),
        (b'[2,"1","A",{}]\xff', Fault.NOT_UTF8),
        ('[3,"\ud800",{}]', Fault.NOT_UTF8),
        ("", Fault.NOT_JSON),
        ("hello", Fault.NOT_JSON),
        ('[3,"1",{}', Fault.NOT_JSON),
        ('[3,"1",{}] ]', Fault.NOT_JSON),
        ('[3,"\\ud800",{}]', Fault.NOT_JSON),
        ('\ufeff[3,"1",{}]', Fault.NOT_JSON),
        ('[3,"1",{"a":NaN}]', Fault.NOT_JSON),
        ("[" * 5_000 + "]" * 5_000, Fault.TOO_DEEP),
        (f'[3,"1",{{"a":{"7" * 5_000}}}]', Fault.NUMBER_RANGE),
        ('[3,"1",{"a":-1e999}]', Fault.NUMBER_RANGE),
        ("{}", Fault.NOT_ARRAY),
        ("null", Fault.NOT_ARRAY),
        ("2", Fault.NOT_ARRAY),
        ('"2"', Fault.NOT_ARRAY),
        ("true", Fault.NOT_ARRAY),
        ("[]", Fault.WRONG_LENGTH),
        ('["2","1","A",{}]', Fault.BAD_TYPE),
        ('[2.0,"1","A",{}]', Fault.BAD_TYPE),
        ('[true,"1","A",{}]', Fault.BAD_TYPE),
        ("[null]", Fault.BAD_TYPE),
        ('[1,"1"]', Fault.UNKNOWN_TYPE),
        ("[7]", Fault.UNKNOWN_TYPE),
        (f"[{'7' * 300}]", Fault.UNKNOWN_TYPE),
        ("[2]", Fault.WRONG_LENGTH),
        ('[2,"1","A"]', Fault.WRONG_LENGTH),
        ('[2,"1","A",{},{}]', Fault.WRONG_LENGTH),
        ('[3,"1"]', Fault.WRONG_LENGTH),
        ('[3,"1",{},{}]', Fault.WRONG_LENGTH),
        ('[4,"1","GenericError",""]', Fault.WRONG_LENGTH),
        ('[5,"1","GenericError"]', Fault.WRONG_LENGTH),
        ('[6,"1","A"]', Fault.WRONG_LENGTH),
        ('[2,1,"A",{}]', Fault.BAD_ID),
        ("[3,null,{}]", Fault.BAD_ID),
        ('[4,[],"GenericError","",{}]', Fault.BAD_ID),
        ('[2,"1",7,{}]', Fault.BAD_ACTION),
        ('[6,"1",null,{}]', Fault.BAD_ACTION),
        ('[2,"1","A",[]]', Fault.BAD_PAYLOAD),
        ('[3,"1","{}"]', Fault.BAD_PAYLOAD),
        ('[6,"1","A",1]', Fault.BAD_PAYLOAD),
        ('[4,"1",404,"",{}]', Fault.BAD_ERROR_CODE),
        ('[4,"1","GenericError",null,{}]', Fault.BAD_ERROR_DESCRIPTION),
        ('[5,"1","GenericError","",null]', Fault.BAD_ERROR_DETAILS),
        ('[4,"1","GenericError","",[]]', Fault.BAD_ERROR_DETAILS),
    ],
)
def test_unreadable_frame_is_named_by_its_fault(frame: str | bytes, fault: Fault) -> None:
    assert fault_of(frame).fault is fault


@pytest.mark.parametrize(
    ("rules", "number"), [(RULES_16, 5), (RULES_16, 6), (RULES_201, 5), (RULES_201, 6), (RULES_21, 7)]
)
def test_message_type_of_another_version_is_unknown(rules: Rules, number: int) -> None:
    error = fault_of(f'[{number},"1","NotifyPeriodicEventStream",{{}}]', rules)
    assert (error.fault, error.message_type, error.message_id) == (Fault.UNKNOWN_TYPE, number, "1")


@pytest.mark.parametrize(
    "frame",
    [
        '[3,"call-7",{"status":',
        '[3,"call-7",{"n":1e999}]',
        '[3,"call-7",' + "[" * 5_000,
        '[3,"call-7"]',
        '[3,"call-7",[]]',
        b'  [ 3 , "call-7" , nonsense',
    ],
)
def test_broken_answer_still_tells_whose_answer_it_is(frame: str | bytes) -> None:
    error = fault_of(frame)
    assert (error.message_type, error.message_id) == (3, "call-7")


@pytest.mark.parametrize("frame", ['[3,"call\\u0037",{', "nonsense", '[3,"' + "x" * 300 + '",{', "[9,"])
def test_unreadable_head_tells_nothing(frame: str) -> None:
    error = fault_of(frame)
    assert (error.message_type, error.message_id) == (None, None)


def test_null_payload_is_read_as_no_payload() -> None:
    assert parse('[3,"1",null]', RULES_16) == CallResult("1", None)


@pytest.mark.parametrize(
    ("message", "rules", "faults"),
    [
        (Call("1", "Heartbeat", {}), RULES_16, []),
        (Call("x" * 36, "Heartbeat", {}), RULES_16, []),
        (Call("x" * 37, "Heartbeat", {}), RULES_16, [Fault.ID_TOO_LONG]),
        (Call("", "Heartbeat", {}), RULES_201, [Fault.EMPTY_ID]),
        (CallResult("1", None), RULES_201, [Fault.NULL_PAYLOAD]),
        (Send("1", "NotifyPeriodicEventStream", None), RULES_21, [Fault.NULL_PAYLOAD]),
        (CallError("1", "FormationViolation"), RULES_16, []),
        (CallError("1", "FormatViolation"), RULES_16, [Fault.FOREIGN_ERROR_CODE]),
        (CallError("1", "FormationViolation"), RULES_201, [Fault.FOREIGN_ERROR_CODE]),
        (CallError("1", "OccurrenceConstraintViolation"), RULES_16, [Fault.FOREIGN_ERROR_CODE]),
        (CallError("1", "RpcFrameworkError"), RULES_16, [Fault.FOREIGN_ERROR_CODE]),
        (CallError("1", "Oops"), RULES_16, [Fault.UNKNOWN_ERROR_CODE]),
        (CallError("1", "GenericError", "d" * 256), RULES_16, []),
        (CallError("1", "GenericError", "d" * 255), RULES_201, []),
        (CallResultError("1", "GenericError", "d" * 256), RULES_21, [Fault.DESCRIPTION_TOO_LONG]),
    ],
)
def test_review_names_the_smaller_rules(message: Message, rules: Rules, faults: list[Fault]) -> None:
    assert review(message, rules) == faults


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ('[2,"1","A",{"idTag":"x","idTag":"y"}]', ["/3/idTag"]),
        ('[3,"1",{"a":{"x":1,"x":2},"a":[{"y":1,"y":1,"y":1}]}]', ["/2/a", "/2/a/0/y", "/2/a/x"]),
        ('[3,"1",{"a":1,"\\u0061":2}]', ["/2/a"]),
        ('[3,"1",{"a":{"b":1},"c":{"b":1}}]', []),
        ('[3,"1",{"a":1,"a"', []),
    ],
)
def test_duplicate_keys_are_named_by_their_paths(text: str, paths: list[str]) -> None:
    assert duplicate_keys(text) == paths


def test_parse_keeps_the_last_of_duplicate_keys() -> None:
    assert parse('[3,"1",{"a":1,"a":2}]', RULES_16) == CallResult("1", {"a": 2})


@given(VALUES)
def test_json_text_reads_back_as_the_same_value(value: Any) -> None:
    assert json.loads(encode_json(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": math.inf}, '{"a":Infinity}'),
        ([-math.inf], "[-Infinity]"),
        (["\ud800"], '["\\ud800"]'),
        ({"\udfff": math.nan}, '{"\\udfff":NaN}'),
        ("null", '"null"'),
        (10**30, "1" + "0" * 30),
        ({"when": b"x", "what": None}, '{"when":"eA==","what":null}'),
    ],
)
def test_a_tester_can_write_what_libraries_refuse(value: object, text: str) -> None:
    assert encode_json(value) == text


def test_nan_is_written_as_nan() -> None:
    assert math.isnan(json.loads(encode_json({"a": math.nan}))["a"])


def test_what_no_json_text_can_carry_is_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    unwritable: list[Any] = [circle, deep, 10**5_000]
    for value in unwritable:
        with pytest.raises(ValueError, match=r"\w"):
            encode_json(value)
    no_json: list[Any] = [object(), {"a": None, "b": object()}, {(1, 2): 3}]
    for value in no_json:
        with pytest.raises(TypeError):
            encode_json(value)


@pytest.mark.parametrize("value", [1, "word", None, math.inf, 2**70, "\ud800", "null"])
def test_call_that_is_written_without_a_value_in_between_has_the_same_text(value: Any) -> None:
    payload = {"data": value}
    assert encode_call("1", "DataTransfer", payload) == encode(Call("1", "DataTransfer", payload))
