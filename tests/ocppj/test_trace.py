from __future__ import annotations

import base64
import json
from datetime import datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocppj.trace import Kind, TraceRecord, decode_record, encode_record, wall_clock
from tests.ocppj.json_values import OBJECTS, TEXTS


@given(
    st.builds(
        TraceRecord,
        t=st.floats(0, 1e9),
        wall=TEXTS,
        station=TEXTS,
        connection=st.integers(0, 1_000),
        kind=st.sampled_from(Kind),
        text=st.none() | TEXTS,
        info=OBJECTS,
    )
)
def test_record_reads_back_as_it_was_written(record: TraceRecord) -> None:
    line = encode_record(record)
    assert b"\n" not in line
    assert decode_record(line) == record


@pytest.mark.parametrize("data", [b"\xff\x00\xfe", b"", bytes(range(256))])
def test_frame_that_is_no_text_keeps_its_bytes(data: bytes) -> None:
    raw = base64.b64encode(data).decode()
    record = TraceRecord(t=1.0, station="A", kind=Kind.RECEIVED, data_base64=raw)
    assert decode_record(encode_record(record)).data == data


@given(st.text(st.characters()))
def test_text_of_a_frame_survives_whatever_it_holds(text: str) -> None:
    data = decode_record(encode_record(TraceRecord(t=1.0, station="A", kind=Kind.SENT, text=text))).data
    assert (data if isinstance(data, bytes) else data.encode()) == text.encode("utf-8", "surrogatepass")


def test_text_with_a_lone_surrogate_becomes_bytes() -> None:
    record = TraceRecord(t=1.0, station="A", kind=Kind.SENT, text='[3,"\ud800"]')
    read = decode_record(encode_record(record))
    assert read.text is None
    assert read.data == '[3,"\ud800"]'.encode("utf-8", "surrogatepass")


def test_record_without_a_frame_has_no_data() -> None:
    assert TraceRecord(t=1.0, station="A", kind=Kind.NOTE).data == b""


def test_what_utf8_cannot_carry_is_spelled_out_in_info() -> None:
    info = {"headers": [["Server", "caf\udce9"]], "\udcff": {"deep": ("\ud800", 1, None)}}
    record = TraceRecord(t=1.0, station="CP\udcff", kind=Kind.HANDSHAKE, info=info)
    read = decode_record(encode_record(record))
    assert read.station == "CP\\udcff"
    assert read.info == {"headers": [["Server", "caf\\udce9"]], "\\udcff": {"deep": ["\\ud800", 1, None]}}


def test_readable_text_stays_text_beside_what_must_be_spelled_out() -> None:
    record = TraceRecord(t=1.0, station="CP\udcff", kind=Kind.SENT, text="[2]")
    assert decode_record(encode_record(record)).data == "[2]"


def test_info_that_nests_too_deeply_is_left_out_by_name() -> None:
    info: dict[str, object] = {}
    for _ in range(50_000):
        info = {"a": info}
    read = decode_record(encode_record(TraceRecord(t=1.0, station="A\ud800", kind=Kind.DRIVER, info=info)))
    assert read.info == {"left_out": "nested too deeply to be written"}


def test_line_is_small_and_readable_without_us() -> None:
    record = TraceRecord(t=1.5, wall="w", station="A", kind=Kind.SENT, text="[2]")
    assert json.loads(encode_record(record)) == {"t": 1.5, "wall": "w", "station": "A", "kind": "sent", "text": "[2]"}


@pytest.mark.parametrize("line", [b"", b"{}", b"nonsense", b'{"t":1,"station":"A","kind":"thought"}', b"\xff"])
def test_other_lines_are_refused(line: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        decode_record(line)


@given(st.floats(0, 4e9))
def test_wall_clock_is_rfc3339_in_utc_with_milliseconds(seconds: float) -> None:
    written = wall_clock(seconds)
    assert written.endswith("Z")
    assert len(written) == len("2024-01-01T00:00:00.000Z")
    assert abs(datetime.fromisoformat(written).timestamp() - seconds) <= 0.001


def test_moments_that_no_calendar_has_are_its_ends() -> None:
    assert wall_clock(1e300) == wall_clock(float("inf")) == "9999-12-31T23:59:59.000Z"
    assert wall_clock(-1e300) == "0001-01-01T00:00:00.000Z"
