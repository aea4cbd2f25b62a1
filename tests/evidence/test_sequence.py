from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.sequence import Diagram, Role, Shape, read_diagram, sequence_mermaid, sequence_text
from ocppj.trace import Kind, TraceRecord

SENT, RECEIVED = Kind.SENT, Kind.RECEIVED


def record(kind: Kind, t: float = 0.0, *, station: str = "CP-1", connection: int = 1, **fields: Any) -> TraceRecord:
    return TraceRecord(t=t, station=station, connection=connection, kind=kind, **fields)


def note(t: float = 0.0, **info: Any) -> TraceRecord:
    return record(Kind.NOTE, t, station="TC_001", connection=0, info=info)


BOOT = [
    note(9.0, phase="prepare"),
    record(Kind.HANDSHAKE, 10.0, info={"status": 101, "subprotocol": "ocpp1.6"}),
    note(10.01, phase="script"),
    record(SENT, 10.02, text='[2,"1","BootNotification",{"chargePointVendor":"A"}]'),
    record(RECEIVED, 10.0325, text='[3,"1",{"status":"Accepted","interval":300}]'),
]


def shapes(diagram: Diagram) -> list[Shape]:
    return [step.shape for step in diagram.steps]


def test_answer_names_the_action_that_it_answers_with_its_latency() -> None:
    answer = read_diagram(BOOT).steps[-1]
    assert (answer.shape, answer.label, answer.answers) == (Shape.RESULT, "BootNotification · Accepted", 3)
    assert answer.latency_ms == pytest.approx(12.5)


def test_lanes_stand_as_station_csms_driver() -> None:
    bystander = record(SENT, 10.2, station="CP-2", text='[2,"2","Heartbeat",{}]')
    trigger = record(Kind.DRIVER, 10.1, info={"operation": "trigger", "action": "Reset", "status": "answered"})
    diagram = read_diagram([trigger, *BOOT, bystander])
    assert [lane.role for lane in diagram.lanes] == [Role.STATION, Role.STATION, Role.CSMS, Role.DRIVER]
    assert [lane.name for lane in diagram.lanes[:2]] == ["CP-1", "CP-2"]
    asked = diagram.steps[0]
    assert (diagram.lanes[asked.source].role, diagram.lanes[asked.target].role) == (Role.DRIVER, Role.CSMS)
    assert asked.label == "trigger Reset → answered"


def test_signer_of_a_note_gets_no_lane_of_its_own() -> None:
    assert [lane.name for lane in read_diagram(BOOT).lanes] == ["CP-1", "CSMS"]


def test_what_happens_before_the_script_is_marked_as_prepared() -> None:
    assert [step.prepared for step in read_diagram(BOOT).steps] == [True, True, False, False, False]


def test_line_that_could_not_be_read_keeps_the_numbers_of_the_others() -> None:
    assert [step.line for step in read_diagram([BOOT[0], None, *BOOT[1:]]).steps] == [0, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("fields", "shape", "label"),
    [
        ({"text": "no JSON"}, Shape.UNREADABLE, "unreadable: The frame is not JSON"),
        ({"data_base64": "/w=="}, Shape.UNREADABLE, "unreadable: The frame is not valid UTF-8."),
        ({"data_base64": "abcde"}, Shape.UNREADABLE, "unreadable: the record holds no frame"),
        ({"text": '[3,"x",{}]'}, Shape.RESULT, "no open CALL"),
        ({"text": '[4,"x","GenericError","bad",{}]'}, Shape.ERROR, "no open CALL · CALLERROR GenericError: bad"),
        ({"text": '[5,"x","GenericError","",{}]'}, Shape.ERROR, "CALLRESULTERROR GenericError:"),
        ({"text": '[6,"x","NotifyPeriodicEventStream",{}]'}, Shape.SEND, "SEND NotifyPeriodicEventStream"),
    ],
)
def test_frame_is_drawn_as_what_it_is(fields: dict[str, Any], shape: Shape, label: str) -> None:
    step = read_diagram([record(RECEIVED, **fields)]).steps[0]
    assert step.shape is shape
    assert step.label.startswith(label)


OUTCOME = {
    "operation": "outcome",
    "action": "Reset",
    "result": {"status": "answered", "payload": {"status": "Accepted"}},
}


@pytest.mark.parametrize(
    ("kind", "info", "shape", "label"),
    [
        (Kind.HANDSHAKE, {"status": 404}, Shape.REFUSED, "WebSocket refused: HTTP 404"),
        (Kind.HANDSHAKE, {"error": "connection reset"}, Shape.REFUSED, "no connection: connection reset"),
        (Kind.HANDSHAKE, {"status": 101}, Shape.HANDSHAKE, "WebSocket open, no subprotocol"),
        (
            Kind.HANDSHAKE,
            {"over": "mqtt", "granted": "CP-1/out", "subprotocol": "ocpp1.6"},
            Shape.HANDSHAKE,
            "the broker grants the topic CP-1/out, ocpp1.6",
        ),
        (
            Kind.HANDSHAKE,
            {"over": "mqtt", "status": 101, "subprotocol": "ocpp1.6"},
            Shape.HANDSHAKE,
            "the broker grants the topic of the station, ocpp1.6",
        ),
        (
            Kind.HANDSHAKE,
            {"over": "mqtt", "error": "connack-not-authorized: not authorized"},
            Shape.REFUSED,
            "no connection: connack-not-authorized: not authorized",
        ),
        (Kind.CLOSED, {"code": 1008, "reason": "go", "by": "csms"}, Shape.CLOSED, "connection closed 1008 go"),
        (Kind.CONTROL, {"opcode": "ping"}, Shape.CONTROL, "ping"),
        (Kind.DRIVER, {"operation": "token", "error": "HTTP 503"}, Shape.DRIVER, "token → error: HTTP 503"),
        (
            Kind.DRIVER,
            {"operation": "set_token", "token": "04A1", "status": "Accepted"},
            Shape.DRIVER,
            "set token 04A1 → Accepted",
        ),
        (Kind.DRIVER, OUTCOME, Shape.DRIVER, "Reset → answered · Accepted"),
        (Kind.NOTE, {"inconclusive": "no driver"}, Shape.NOTE, "inconclusive: no driver"),
        (Kind.NOTE, {"health": {"alive": True}}, Shape.NOTE, 'health: {"alive":true}'),
    ],
)
def test_event_beside_the_frames_is_named(kind: Kind, info: dict[str, Any], shape: Shape, label: str) -> None:
    step = read_diagram([record(kind, info=info)]).steps[0]
    assert (step.shape, step.label) == (shape, label)


def test_outcome_of_a_command_runs_from_the_csms_to_the_driver() -> None:
    diagram = read_diagram([record(Kind.DRIVER, info=OUTCOME)])
    assert diagram.lanes[diagram.steps[0].target].role is Role.DRIVER


def test_close_by_the_csms_points_to_the_station() -> None:
    diagram = read_diagram([record(Kind.CLOSED, info={"by": "csms"}), record(Kind.CLOSED, info={"by": "station"})])
    assert [diagram.lanes[step.source].role for step in diagram.steps] == [Role.CSMS, Role.STATION]


def test_answer_of_another_station_is_not_matched() -> None:
    other = record(RECEIVED, 11, station="CP-2", text='[3,"1",{}]')
    assert read_diagram([*BOOT[:4], other]).steps[-1].label == "no open CALL"


def test_text_form_has_a_line_a_step_and_a_mark() -> None:
    assert sequence_text(BOOT, marked={4}) == (
        "  0  +0.000 s  --           preparation, not judged\n"
        "  1  +1.000 s  CP-1 → CSMS  WebSocket open, ocpp1.6\n"
        "  2  +1.010 s  --           the case\n"
        "  3  +1.020 s  CP-1 → CSMS  BootNotification\n"
        "! 4  +1.033 s  CP-1 ⇠ CSMS  BootNotification · Accepted (12.5 ms)\n"
    )


def test_mermaid_form_escapes_what_mermaid_reads() -> None:
    hostile = record(RECEIVED, text='[2,"1","A;B#<b>%%\\"",{}]')
    text = sequence_mermaid([hostile])
    assert text.splitlines()[0] == "sequenceDiagram"
    assert "L1->>L0: A#59;B#35;#60;b#62;#37;#37;#34;" in text


def test_empty_trace_is_an_empty_diagram() -> None:
    assert read_diagram([]).steps == ()
    assert sequence_text([]) == ""
    assert sequence_mermaid([]).startswith("sequenceDiagram\n")


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=6,
)
words = st.text(st.characters(), max_size=20)
infos = st.dictionaries(
    st.sampled_from(["status", "error", "phase", "by", "code", "operation", "action", "opcode", "role"]), json_values
)
any_record = st.builds(
    TraceRecord,
    t=st.floats(0, 1e6),
    station=words,
    kind=st.sampled_from(Kind),
    text=st.none() | words | st.just('[2,"1","A",{}]') | st.just('[3,"1",{"status":7,"idTagInfo":[]}]'),
    data_base64=st.none() | words,
    info=infos,
)


@settings(max_examples=40)
@given(st.lists(st.none() | any_record, max_size=8))
def test_no_trace_makes_a_diagram_fail(records: list[TraceRecord | None]) -> None:
    diagram = read_diagram(records)
    assert len(diagram.steps) == sum(item is not None for item in records)
    assert all(max(step.source, step.target) < len(diagram.lanes) for step in diagram.steps)
    text = sequence_text(records) + sequence_mermaid(records)
    assert text.encode().decode() == text
    assert sequence_text(records).count("\n") == len(diagram.steps)
