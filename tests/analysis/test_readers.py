"""Every kind of log: found by its first lines, read to the same conversation, with the same findings."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.model import Direction, Event, Record, Unread
from analysis.readers.columns import ColumnReader
from analysis.readers.custom import explain, read_format_file
from analysis.readers.frames import is_open, shortened
from analysis.readers.records import write_trace_record
from analysis.readers.source import READERS, Source, open_sources, reader_called, sniff
from analysis.readers.times import Clock, read_time
from ocppj.errors import UsageError
from ocppj.versions import Version
from tests.analysis.judging import broken, judge_text, numbered
from tests.analysis.log_scenes import FORMATS, STATION, Scene, render, scenes

SCENES = scenes()
# The dump folder of OCPP.Core names the version, which is 1.6 there.
SAMPLES = [
    pytest.param(name, scene, id=f"{name}: {scene.name}")
    for name in FORMATS
    for scene in SCENES
    if not (name == "ocpp.core-dump" and "2.0.1" in scene.name)
]


def frames_of(text: str, name: str) -> list[Record]:
    return [record for record in reader_called(name).read(numbered(text), "X") if isinstance(record, Record)]


@pytest.mark.parametrize(("name", "scene"), SAMPLES)
def test_a_log_is_recognised_and_judged_as_written_down_beforehand(name: str, scene: Scene) -> None:
    text = render(scene, name)
    source = Source("a.log", numbered(text), station=STATION)
    assert sniff(source).name == name
    analysis = judge_text(text)
    assert broken(analysis) == scene.expected
    assert analysis.frames == len(scene.lines)
    assert [one.station for one in analysis.stations] == [STATION]
    assert sum(source.unread for source in analysis.sources) == 0


def test_there_are_sixty_samples_and_four_of_each_format() -> None:
    per_format = Counter(str(sample.values[0]) for sample in SAMPLES)
    assert len(SAMPLES) >= 60
    # The kinds that are read by other tests: captures, and what a person describes.
    assert per_format.keys() == {reader.name for reader in READERS} - {"capture"}
    assert min(per_format.values()) >= 4


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("plain", "ocpp-trace", "plugstorm", "csv")])
def test_colours_tabs_and_the_prefix_of_a_container_change_nothing(name: str) -> None:
    text = render(SCENES[0], name)
    plain = [(record.direction, record.value) for record in frames_of(text, name)]
    coloured = "\n".join(f"\x1b[32m{line}\x1b[0m" for line in text.split("\n"))
    assert [(record.direction, record.value) for record in frames_of(coloured, name)] == plain
    if name == "steve":
        tabbed = text.replace(" ", "\t")
        assert [(record.direction, record.value) for record in frames_of(tabbed, name)] == plain


@pytest.mark.parametrize("name", ["mobilityhouse", "home-assistant", "steve", "evcc"])
def test_a_frame_over_several_lines_is_one_frame(name: str) -> None:
    scene = SCENES[0]
    lines = [line._replace(frame=json.dumps(json.loads(line.frame), indent=1)) for line in scene.lines]
    records = frames_of(render(scene._replace(lines=lines), name), name)
    assert [record.value for record in records] == [json.loads(line.frame) for line in scene.lines]


@pytest.mark.parametrize("name", ["mobilityhouse", "steve", "evcc", "sap-simulator", "ocpp.core"])
def test_a_frame_that_the_log_cut_off_is_counted_and_accuses_nobody(name: str) -> None:
    scene = SCENES[0]
    lines = [line._replace(frame=line.frame[:60]) if "configurationKey" in line.frame else line for line in scene.lines]
    lines = [line._replace(frame=line.frame[:40]) if "MeterValues" in line.frame else line for line in lines]
    analysis = judge_text(render(scene._replace(lines=lines), name))
    assert broken(analysis) == set()
    assert sum(source.cut for source in analysis.sources) >= 2


def test_a_version_that_a_person_names_is_the_one_that_is_judged_by() -> None:
    lines = [line for line in SCENES[0].lines if "StatusNotification" in line.frame or line.way == "down"][2:4]
    text = render(Scene("x", lines, set()), "steve")
    assert broken(judge_text(text, version=Version.V16)) == set()
    assert ("charge-point", "schema") in broken(judge_text(text, version=Version.V201))


def test_a_frame_inside_of_a_string_is_read() -> None:
    text = render(SCENES[0], "plain")
    escaped = "\n".join(f'"OCPP1.6" TX: {json.dumps(line.frame)}' for line in SCENES[0].lines)
    wanted = [record.value for record in frames_of(text, "plain")]
    assert [record.value for record in frames_of(escaped, "plain")] == wanted


@pytest.mark.parametrize("indent", [2, 4])
def test_frames_that_somebody_laid_out_are_read_where_they_begin(indent: int) -> None:
    parts = [f"sent:\n```\n{json.dumps(json.loads(line.frame), indent=indent)}\n```" for line in SCENES[0].lines]
    text = "\n".join(parts)
    records = frames_of(text, "plain")
    assert [record.value for record in records] == [json.loads(line.frame) for line in SCENES[0].lines]
    assert all(text.split("\n")[record.line - 1] == "[" for record in records)
    assert sniff(Source("a.log", numbered(text), station="X")).name == "plain"


def test_brackets_that_stand_alone_hold_no_frame() -> None:
    text = '[\n 1,\n 2\n]\n[\n[\n2,\n"a"'
    assert [record.value for record in frames_of(text, "plain")] == []


def test_two_records_on_one_line_are_two() -> None:
    text = '[MO] Send: [2,"1","Heartbeat",{}]11:52:55.587 > [MO] Recv: [3,"1",{"currentTime":"2026-01-01T00:00:00Z"}]'
    assert [record.direction for record in frames_of(text, "microocpp")] == [Direction.TO_CSMS, Direction.TO_STATION]


def test_the_connections_of_steve_are_told_apart() -> None:
    head = "[INFO ] 2026-01-01 10:00:00,000 x.WebSocketLogger (q) - [chargeBoxId=A, sessionId=1] "
    text = (
        f'{head}Connection is established\n{head}Received: [2,"1","Heartbeat",{{}}]\n'
        f"{head}Connection is closed, status: CloseStatus[code=1006, reason=Gone]"
    )
    opened, frame, closed = frames_of(text, "steve")
    assert (opened.event, frame.connection, closed.event, closed.code, closed.reason) == (
        Event.OPENED, "1", Event.CLOSED, 1006, "Gone",
    )  # fmt: skip


def test_the_station_side_of_ocpp_go_sends_to_the_server() -> None:
    text = 'time="2026-01-01T00:00:00Z" level=debug msg="sent JSON message to server: [2,\\"1\\",\\"Heartbeat\\",{}]"'
    (record,) = frames_of(text, "ocpp-go")
    assert (record.direction, record.station) == (Direction.TO_CSMS, "X")


def test_what_ocpp_core_tells_of_a_received_message_is_a_frame_that_is_cut_short() -> None:
    text = "2026-01-01 10:00:00.000 [INF] OCPPMiddleware.Receive16 => OCPP-Message: Type=2 / ID=12 / Action=Heartbeat)"
    (record,) = frames_of(text, "ocpp.core")
    assert (record.cut, record.text[:20]) == (True, '[2,"12","Heartbeat",')


def test_what_node_left_out_of_an_object_is_a_frame_that_is_cut_short() -> None:
    text = """2026-07-25 11:50:40.803\tDEBUG\t/s.ts:1\tCitrineOS Logger:RabbitMqSender\tPublishing to citrineos: {
  origin: 'cs',
  action: 'MeterValues',
  context: { stationId: '1:INV', correlationId: 'c1' },
  state: 1,
  payload: { evseId: 1, meterValue: [ [Object] ] }
}"""
    (record,) = frames_of(text, "citrineos")
    assert (record.cut, record.station, record.text.startswith('[2,"c1","MeterValues"')) == (True, "INV", True)


def test_a_line_that_seems_to_hold_a_frame_is_counted_with_its_number() -> None:
    text = render(SCENES[0], "evcc") + 'somebody else wrote [2,"1","Heartbeat",{}] here\n'
    analysis = judge_text(text)
    assert [(line.line, line.text[:8]) for line in analysis.unread] == [(len(SCENES[0].lines) + 1, "somebody")]


def test_logs_of_several_stations_are_judged_apart() -> None:
    texts = [render(SCENES[index], "evcc").replace(STATION, f"INV-{index}").splitlines() for index in (0, 2)]
    mixed = [line for pair in zip(*(text[:14] for text in texts), strict=False) for line in pair]
    analysis = judge_text("\n".join(mixed))
    assert {(finding.station, finding.rule) for finding in analysis.findings} == {("INV-2", "other-transaction-id")}


@pytest.mark.parametrize("kept", [Direction.TO_CSMS, Direction.TO_STATION])
def test_a_log_of_one_direction_accuses_nobody_of_silence(kept: Direction) -> None:
    way = "up" if kept is Direction.TO_CSMS else "down"
    scene = SCENES[0]
    analysis = judge_text(render(scene._replace(lines=[line for line in scene.lines if line.way == way]), "steve"))
    assert broken(analysis) == set()
    assert len(analysis.notes) == 1


def test_a_clock_that_steps_back_is_counted_and_accuses_nobody() -> None:
    scene = SCENES[0]
    half = len(scene.lines) // 2
    lines = [line._replace(after=line.after - (3600 if place >= half else 0)) for place, line in enumerate(scene.lines)]
    analysis = judge_text(render(scene._replace(lines=lines), "mobilityhouse"))
    assert analysis.sources[0].steps_back == 1
    assert {rule for _, rule in broken(analysis)} <= {"csms-clock"}


@pytest.mark.parametrize(("pack", "ending"), [(gzip.compress, "gz"), (bz2.compress, "bz2"), (lzma.compress, "xz")])
def test_packed_logs_are_read(tmp_path: Path, pack: object, ending: str) -> None:
    path = tmp_path / f"a.log.{ending}"
    path.write_bytes(pack(render(SCENES[0], "steve").encode()))  # type: ignore[operator] # three functions
    (source,) = open_sources([str(path)])
    assert sniff(source).name == "steve"


def test_the_end_of_a_packed_log_may_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.log.gz"
    path.write_bytes(gzip.compress(render(SCENES[0], "steve").encode())[:-20])
    (source,) = open_sources([str(path)])
    assert list(source.lines)


def test_rotated_logs_are_read_from_the_oldest(tmp_path: Path) -> None:
    names = ["b.log", "a.log", "a.log.1", "a.log.10.gz", "a.log.2"]
    for name in names:
        (tmp_path / name).write_text("x")
    order = [Path(source.name).name for source in open_sources([str(tmp_path / name) for name in names])]
    assert order == ["b.log", "a.log.10.gz", "a.log.2", "a.log.1", "a.log"]


def test_a_log_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(render(SCENES[0], "steve"))
    assert len(list(open_sources([str(path), f"{tmp_path}/a.log"]))) == 1


def test_a_folder_of_dumped_messages_is_one_log(tmp_path: Path) -> None:
    for place, line in enumerate(render(SCENES[0], "ocpp.core-dump").splitlines()):
        name, _, frame = line.partition(": ")
        (tmp_path / name).write_text(frame)
        assert place < 100
    (source,) = open_sources([str(tmp_path)], station=STATION)
    reader = sniff(source)
    assert reader.name == "ocpp.core-dump"
    assert len([*reader.read(source.lines, STATION)]) == len(SCENES[0].lines)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-01T00:00:00Z", 1767225600.0),
        ("2026-01-01 00:00:00,250", 1767225600.25),
        ("2026/01/01 01:00:00 +0100", 1767225600.0),
        ("2026-01-01T00:00:00.1234567Z", 1767225600.123456),
        ("2026-01-01t00:00:00.123456789z", 1767225600.123456),
        ("1767225600", 1767225600.0),
        ("1767225600123", 1767225600.123),
        ("1.1.2026, 00:00:00", 1767225600.0),
        ("1/1/2026, 12:00:00 AM", 1767225600.0),
        ("1/1/2026, 1:00:00 PM", 1767272400.0),
        ("01:00:00.5", 3600.5),
        ("Jan  1 00:00:01", 946684801.0),
        ("2026-01-01_00-00-00-2500", 1767225600.25),
    ],
)
def test_times_are_read_as_logs_write_them(text: str, seconds: float) -> None:
    assert read_time(text)[0] == pytest.approx(seconds)


@given(st.datetimes(), st.sampled_from([" ", "T"]), st.sampled_from(["", "Z", "+02:00", "-0530"]), st.integers(0, 6))
def test_the_quick_clock_reads_what_the_slow_one_reads(moment: object, mark: str, zone: str, digits: int) -> None:
    text = f"{moment:%Y}".zfill(4) + f"-{moment:%m-%d}{mark}{moment:%H:%M:%S}"
    fraction = f".{moment:%f}"[: digits + 1] if digits else ""
    clock = Clock()
    for end in (zone, fraction + zone, fraction + "Z", zone):
        try:
            slow = read_time(text + end)[0]
        except (ValueError, OverflowError):
            return
        assert clock.read(text + end) == pytest.approx(slow)


def test_frames_that_are_open_or_shortened_are_told_from_broken_ones() -> None:
    assert is_open('[2,"a","B",{"c":"d')
    assert not is_open('[3,"a",{"configurationKey":],"unknownKey":["x"]}]')
    assert shortened('[2,"a","MeterValues",{"meterValue":[...]}]')
    assert not shortened('[3,"a",{"configurationKey":],"unknownKey":["..."]}]')


def test_csv_columns_may_have_any_name() -> None:
    text = 'when;who;what\n2026-01-01 00:00:00;A;"[2,""1"",""Heartbeat"",{}]"\n'
    reader = ColumnReader({"time": "when", "station": "who", "frame": "what"})
    (record,) = reader.read(numbered(text.strip()), "X")
    assert isinstance(record, Record)
    assert (record.station, record.line, record.value[2]) == ("A", 2, "Heartbeat")


def test_a_csv_without_frames_says_which_column_it_needs() -> None:
    (unread,) = ColumnReader().read(numbered("a,b\n1,2"), "X")
    assert isinstance(unread, Unread)
    assert "--columns frame=" in unread.why


def test_a_format_of_ones_own_is_described_in_yaml(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "frame: '(?P<time>\\S+) (?P<station>\\w+) (?P<direction>IN|OUT) (?P<frame>\\[.*)'\n"
        "to_csms: IN\nto_station: [OUT]\ntime_format: '%d.%m.%Y-%H:%M:%S'\nclosed: 'bye (?P<station>\\w+)'\n"
    )
    reader = read_format_file(path)
    text = '02.03.2026-08:00:00 A IN [2,"1","Heartbeat",{}]\nbye A\nnoise'
    frame, closed = reader.read(numbered(text), "X")
    assert isinstance(frame, Record)
    assert (frame.at, frame.direction, frame.station) == (1772438400.0, Direction.TO_CSMS, "A")
    assert isinstance(closed, Record)
    assert closed.event is Event.CLOSED
    told = list(explain(reader, numbered(text), most=9))
    assert "direction='IN'" in told[0]
    assert told[1:] == ["2: matches `closed`", "3: no pattern matches"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("frame: '['", "not a regular expression"),
        ("frame: 'x'", r"group \(\?P<frame>"),
        ("fram: 'x'", "did you mean 'frame'"),
        ("- 1", "holds no settings"),
        ("frame: '(?P<frame>x)'\ntaken_at: moon", "csms or charge-point"),
        ("a: [", "expected YAML"),
    ],
)
def test_a_description_that_cannot_work_says_why(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(UsageError, match=words):
        read_format_file(path)


@pytest.mark.parametrize(
    ("lines", "words"),
    [([], "is empty"), (["", "  "], "is empty"), (["\ufffd\0\ufffdx\ufffd", "\0"], "captures")],
)
def test_what_is_no_log_at_all_is_named(lines: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        sniff(Source("a.log", list(enumerate(lines, 1)), station="X"))


def test_a_line_without_an_end_after_a_frame_without_one_is_read_once() -> None:
    """Were it looked through from each of its characters, this would take hours."""
    head = "[INFO ] 2026-01-01 10:00:00,000 x.WebSocketLogger (q) - [chargeBoxId=A, sessionId=1] Received: "
    (record,) = frames_of(f'{head}[2,"a","DataTransfer",{{"data":"\n{"y" * 400_000}', "steve")
    assert record.cut


def test_a_log_of_no_known_kind_is_refused_with_a_way_out() -> None:
    with pytest.raises(UsageError, match="--format"):
        sniff(Source("a.log", numbered("hello\nworld"), station="X"))
    with pytest.raises(UsageError, match="known are"):
        reader_called("stev")


def test_a_trace_that_is_written_is_read_again() -> None:
    records = frames_of(render(SCENES[0], "steve"), "steve")
    lines = [write_trace_record(record, None, Version.V16) for record in records]
    text = b"".join(line for line in lines if line is not None).decode()
    again = frames_of(text, "ocpp-trace")
    assert [(r.direction, r.text, r.station) for r in again] == [(r.direction, r.text, r.station) for r in records]
    assert [r.at for r in again] == pytest.approx([r.at for r in records], abs=0.001)


@pytest.mark.parametrize("layout", [None, 2])
def test_a_trace_may_be_one_array(layout: int | None) -> None:
    told = [json.loads(line) for line in render(SCENES[0], "ocpp-trace").splitlines()]
    text = json.dumps(told, indent=layout)
    assert len(frames_of(text, "ocpp-trace")) == len(told)


@pytest.mark.parametrize("reader", READERS, ids=[reader.name for reader in READERS])
@given(st.lists(st.text(max_size=60) | st.sampled_from(
    [line for name in FORMATS for line in render(SCENES[0], name).splitlines()[:6]]
).flatmap(lambda line: st.integers(0, len(line)).map(lambda end: line[:end])), max_size=12))  # fmt: skip
def test_no_input_ends_in_a_traceback(reader: object, lines: list[str]) -> None:
    text = "\n".join(lines)
    judge_text(text, reader)  # type: ignore[arg-type] # a reader


def test_a_message_that_the_run_let_out_twice_is_read_once_and_so_is_its_second_answer() -> None:
    call = {"kind": "sent", "text": '[2,"m-1","Heartbeat",{}]'}
    answer = {"kind": "received", "text": '[3,"m-1",{"currentTime":"2026-01-01T00:00:00Z"}]'}
    note = {"kind": "note", "info": {"injected": "duplicate", "message_id": "m-1", "direction": "to-csms"}}

    def read(*records: dict[str, Any]) -> list[str | None]:
        lines = [{"t": number, "station": "PS1", "connection": 1} | one for number, one in enumerate(records)]
        text = "\n".join(json.dumps(line) for line in lines)
        return [record.text for record in frames_of(text, "plugstorm")]

    assert read(note, call, call, answer, answer) == [call["text"], answer["text"]]
    assert len(read(call, call, answer, answer)) == 4, "without the note both count"
    loss = {"kind": "note", "info": {"injected": "loss", "message_id": "m-1"}}
    assert len(read(loss, call, call)) == 2
