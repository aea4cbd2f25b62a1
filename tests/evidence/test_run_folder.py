from __future__ import annotations

import base64
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from evidence.plugin_results import ChargingResult, CommandResult, KpiResult, StormResult
from evidence.redact import REDACTED
from evidence.run_folder import (
    RunFolder,
    TraceWriter,
    describe_environment,
    describe_tool,
    read_run,
    read_trace,
    utc_now,
)
from evidence.run_model import (
    CallStats,
    CaseResult,
    Generator,
    InteropRun,
    Latency,
    LoadRun,
    Percentiles,
    RunTarget,
    SloResult,
    Stations,
    WindowResult,
)
from evidence.verdicts import RunVerdict, Verdict
from ocppj.errors import UsageError
from ocppj.trace import Kind, TraceRecord

LATENCY = Latency(count=2, p50=1.0, p95=2.0, p99=2.0, max=2.5)
PERCENTILES = Percentiles(p50=1.0, p90=2.0, p99=3.0, p999=4.0, max=5.0, mean=1.5)
CALLS = CallStats(
    ocpp="1.6",
    action="Heartbeat",
    direction="station-to-csms",
    outcome="accepted",
    count=7,
    service_ms=PERCENTILES,
    response_ms=PERCENTILES,
)


def interop_run(reason: str = "as expected") -> InteropRun:
    case = CaseResult(
        id="TC_001_CSMS",
        ocpp="1.6",
        title="Cold boot",
        verdict=Verdict.OK,
        reason=reason,
        clause="OCPP 1.6 §4.2",
        level="required",
        profile="Core",
        duration_ms=12.5,
        latency_ms={"BootNotification": LATENCY},
    )
    return InteropRun(
        tool={"name": "plugstorm"},
        target=RunTarget(url="ws://h", ocpp=["1.6"]),
        started=utc_now(),
        finished=utc_now(),
        seed=1,
        environment={},
        verdict=RunVerdict.PASSED,
        counts={Verdict.OK: 1},
        cases=[case],
    )


def load_run() -> LoadRun:
    return LoadRun(
        tool={"name": "plugstorm"},
        target=RunTarget(url="ws://h", ocpp=["1.6", "2.0.1"]),
        started=utc_now(),
        finished=utc_now(),
        seed=None,
        environment={},
        verdict=RunVerdict.FAILED,
        settings={"password": "hunter2", "stations": 10},
        stations=Stations(requested=10, connected_peak=10, booted=9, lost=1),
        calls=[CALLS],
        windows=[WindowResult(name="measure", start=1.0, seconds=2.0, calls=[CALLS])],
        throughput={"calls_per_s": 3.5},
        generator=Generator(verdict="VALID", reasons=[]),
        slo=[SloResult(expr="p99 < 1s", value=None, passed=False)],
        timeline=[{"t": 1.0, "connected": 10.0}],
    )


def test_default_folder_is_named_by_utc_time_and_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = RunFolder.create(None, "interop")
    assert re.fullmatch(r"runs/\d{8}T\d{6}Z-interop", folder.path.as_posix())
    assert sorted(path.name for path in folder.path.iterdir()) == ["histograms", "traces"]


def test_runs_of_one_second_never_share_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "gmtime", lambda: time.struct_time((2024, 1, 2, 3, 4, 5, 1, 2, 0)))
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: RunFolder.create(None, "load"), range(24)))
    names = {folder.path.name for folder in folders}
    assert len(names) == 24
    assert {"20240102T030405Z-load", "20240102T030405Z-load-2", "20240102T030405Z-load-24"} <= names


def test_named_folder_may_exist_but_not_hold_a_run(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "load")
    folder.write_run(load_run())
    before = folder.run_json.read_bytes()
    with pytest.raises(UsageError, match="already holds a run"):
        RunFolder.create(tmp_path, "load")
    assert folder.run_json.read_bytes() == before


@pytest.mark.parametrize("out", ["file", "file/below", "nul\0byte", "x" * 300])
def test_folder_that_cannot_be_written_is_a_usage_error(tmp_path: Path, out: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError, match=r"--out .* cannot be written: .*; name a folder that can"):
        RunFolder.create(tmp_path / out, "load")


def test_files_have_their_places(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    paths = (folder.run_json, folder.traces, folder.histograms, folder.junit, folder.report, folder.allure)
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        "run.json",
        "traces",
        "histograms",
        "junit.xml",
        "report.html",
        "allure-results",
    ]


def test_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", "load")
    folder.write_text("notes/a.txt", "old")
    reader = (folder.path / "notes/a.txt").open()
    folder.write_text("notes/a.txt", "new \ud800")
    with reader:
        assert reader.read() == "old"
    assert (folder.path / "notes/a.txt").read_bytes() == b"new \xed\xa0\x80"
    assert [path.name for path in (folder.path / "notes").iterdir()] == ["a.txt"]


def test_refused_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_text("a", "old")
    with pytest.raises(UsageError, match=r"a/b cannot be written: "):
        folder.write_text("a/b", "new")
    (tmp_path / "c").mkdir()
    with pytest.raises(UsageError, match=r"c cannot be written: "):
        folder.write_text("c", "new")
    assert (tmp_path / "a").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c"]


@pytest.mark.parametrize("run", [interop_run(), load_run()], ids=["interop", "load"])
def test_run_reads_back_as_it_was_written(tmp_path: Path, run: InteropRun | LoadRun) -> None:
    folder = RunFolder.create(tmp_path / "run", "x")
    folder.write_run(run)
    expected = run
    if isinstance(expected, LoadRun):
        expected.settings["password"] = REDACTED
    assert read_run(folder.path) == expected
    assert read_run(folder.run_json) == expected
    document = json.loads(folder.run_json.read_text())
    assert (document["format"], document["kind"]) == (1, "interop" if isinstance(run, InteropRun) else "load")


def test_count_under_a_name_like_that_of_a_secret_stays_a_number(tmp_path: Path) -> None:
    run, figures = load_run(), {"PASSWORD": 3, "SIMPIN": 0}
    run.connections = run.faults = dict(figures)
    run.timeline = [{"secret": 1.5}]
    run.kpis = KpiResult(sessions=figures, charging=ChargingResult(failed=figures))
    run.commands = [CommandResult(command="reset", action="Reset", ocpp="1.6", outcomes=figures)]
    run.storms = [StormResult(storm="reboot", failed_upgrades=figures, parameters={"password": 4711})]
    run.settings = {"password": 4711}
    folder = RunFolder.create(tmp_path / "run", "x")
    folder.write_run(run)
    run.settings = {"password": REDACTED}
    run.storms = [StormResult(storm="reboot", failed_upgrades=figures, parameters={"password": REDACTED})]
    assert read_run(folder.path) == run


def test_run_holds_no_secret_and_no_unwritable_text(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", "x")
    folder.write_run(interop_run("hunter2 sent caf\udce9"), frozenset({"hunter2"}))
    run = read_run(folder.path)
    assert isinstance(run, InteropRun)
    assert run.cases[0].reason == f"{REDACTED} sent caf\\udce9"


def test_run_that_is_saved_as_it_goes_holds_the_newest_of_each_case_and_no_secret(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", "x")
    first, second = interop_run("hunter2 sent caf\udce9"), interop_run("opensesame sent")
    folder.save_run(first, frozenset({"hunter2"}))
    assert _reason(folder) == f"{REDACTED} sent caf\\udce9"
    folder.save_run(second, frozenset({"hunter2"}))
    assert _reason(folder) == "opensesame sent"
    folder.save_run(second, frozenset({"hunter2", "opensesame"}))
    assert _reason(folder) == f"{REDACTED} sent"


def test_a_run_that_goes_on_holds_the_cases_that_came_after_it_was_written(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", "x")
    run = msgspec.structs.replace(interop_run("first"), complete=False)
    folder.save_run(run)
    (case,) = run.cases
    changed = msgspec.structs.replace(case, verdict=Verdict.FAILED, reason="hunter2 sent")
    another = msgspec.structs.replace(case, id="another", verdict=Verdict.OK)
    folder.keep_case(changed, frozenset({"hunter2"}))
    folder.keep_case(another, frozenset({"hunter2"}))
    with (folder.path / "run.newer.jsonl").open("ab") as file:
        file.write(b'{"id":"cut o')
    for place in (folder.path, folder.run_json):
        told = read_run(place)
        assert isinstance(told, InteropRun)
        assert [(one.id, one.reason) for one in told.cases] == [(case.id, f"{REDACTED} sent"), ("another", "first")]
        assert told.counts == run.counts | {Verdict.FAILED: 1, Verdict.OK: 1}
    folder.write_run(msgspec.structs.replace(run, complete=True))
    assert read_run(folder.path) == msgspec.structs.replace(run, complete=True)
    assert not (folder.path / "run.newer.jsonl").exists()


def _reason(folder: RunFolder) -> str:
    run = read_run(folder.path)
    assert isinstance(run, InteropRun)
    return run.cases[0].reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read"),
        (b"", "is not a run.json"),
        (b"\xff", "is not a run.json"),
        (b'{"kind":"load","settings":' + b'{"a":' * 100_000, "is not a run.json"),
        (b'{"kind":"dance"}', "is not a run.json"),
        (b'{"kind":"load","format":1}', "missing required field"),
    ],
)
def test_other_file_is_no_run(tmp_path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(UsageError, match=reason):
        read_run(tmp_path)


def test_run_of_a_later_format_is_refused(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "x")
    run = load_run()
    run.format = 2
    folder.write_run(run)
    with pytest.raises(UsageError, match="has format 2"):
        read_run(tmp_path)


def write_trace(path: Path, *records: TraceRecord, secrets: frozenset[str] = frozenset()) -> list[TraceRecord]:
    writer = TraceWriter(path, secrets=secrets, keep=2)
    written = [writer.write(record) for record in records]
    writer.close()
    assert list(writer.tail) == written[-2:]
    return written


def test_trace_reads_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "traces" / "a.jsonl"
    records = [TraceRecord(t=float(n), station="A", kind=Kind.SENT, text=f"[2,{n}]") for n in range(3)]
    written = write_trace(path, *records)
    assert list(read_trace(path)) == written
    assert [record.text for record in written] == [record.text for record in records]
    write_trace(path, records[0])
    assert len(list(read_trace(path))) == 4


def test_wall_time_follows_from_the_monotonic_time(tmp_path: Path) -> None:
    first, second, given = write_trace(
        tmp_path / "a.jsonl",
        TraceRecord(t=1.0, station="A", kind=Kind.NOTE),
        TraceRecord(t=61.0, station="A", kind=Kind.NOTE),
        TraceRecord(t=61.0, wall="2024-01-01T00:00:00.000Z", station="A", kind=Kind.NOTE),
    )
    assert first.wall < second.wall
    assert first.wall[-8:] == second.wall[-8:]
    assert given.wall == "2024-01-01T00:00:00.000Z"


def test_trace_keeps_no_records_unless_asked(tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path / "a.jsonl")
    writer.write(TraceRecord(t=1.0, station="A", kind=Kind.NOTE))
    writer.close()
    assert list(writer.tail) == []


def test_secrets_never_reach_a_trace(tmp_path: Path) -> None:
    frame = '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"hunter2"}]'
    writer = TraceWriter(tmp_path / "a.jsonl", secrets=frozenset({"swordfish"}))
    for data_base64 in (_base64(frame.encode()), _base64(b"\xff" + frame.encode()), _base64(b"\xff swordfish")):
        record = writer.write(TraceRecord(t=1.0, station="A", kind=Kind.RECEIVED, data_base64=data_base64))
        assert isinstance(record.data, bytes)
        assert REDACTED.encode() in record.data
        assert record.data.startswith(b"\xff") == (data_base64[0] == "/")
    writer.write(TraceRecord(t=1.0, station="A", kind=Kind.SENT, text=frame))
    writer.write(TraceRecord(t=1.0, station="A", kind=Kind.HANDSHAKE, info={"url": "ws://u:hunter2@h"}))
    writer.close()
    text = (tmp_path / "a.jsonl").read_text()
    assert "hunter2" not in text
    assert text.count(REDACTED) == 2


def test_bytes_without_a_secret_stay_as_they_were(tmp_path: Path) -> None:
    data = _base64(bytes(range(256)))
    [record] = write_trace(tmp_path / "a.jsonl", TraceRecord(t=1.0, station="A", kind=Kind.SENT, data_base64=data))
    assert record.data == bytes(range(256))


def test_last_line_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    written = write_trace(path, *[TraceRecord(t=1.0, station="A", kind=Kind.NOTE)] * 2)
    path.write_bytes(path.read_bytes()[:-3])
    assert list(read_trace(path)) == written[:1]


@pytest.mark.parametrize("line", [b"nonsense\n", b"\xff\n", b"\n", b'{"t":1}\n', b'{"info":' * 100_000 + b"\n"])
def test_other_line_is_named_by_its_number(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "a.jsonl"
    write_trace(path, TraceRecord(t=1.0, station="A", kind=Kind.NOTE))
    path.write_bytes(path.read_bytes() + line)
    with pytest.raises(UsageError, match=r"a\.jsonl line 2 is not a trace record"):
        list(read_trace(path))


def test_missing_trace_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        list(read_trace(tmp_path / "none.jsonl"))


def test_tool_is_named_with_what_results_depend_on() -> None:
    tool = describe_tool()
    assert tool["name"] == "plugstorm"
    assert {"locust", "gevent", "websockets", "ocpp"} <= tool.keys()
    assert all(tool.values())


def test_environment_names_neither_machine_nor_owner() -> None:
    assert set(describe_environment()) == {"python", "implementation", "system", "release", "machine", "cpus"}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
