"""A whole load run, frame by frame: nothing that a station sent may be wrong, whoever judges it."""

from __future__ import annotations

import json
from collections import Counter
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests

from evidence import exit_codes
from evidence.run_folder import read_run, read_trace
from evidence.run_model import LoadRun
from fixtures.csms import Mode, practice_csms
from ocppj.trace import Kind, TraceRecord, encode_record
from tests.plugstorm.conftest import Plugstorm
from tests.until_enough import UNTIL_ENOUGH, enough_is

pytestmark = pytest.mark.waits

VERSIONS = ("1.6", "2.0.1", "2.1")
FOLDERS = {"ocpp1.6": "v16", "ocpp2.0.1": "v201", "ocpp2.1": "v21"}


def shape(value: Any) -> Any:
    """Reduce a JSON value to its members and their types; payloads of one shape nearly always pass or fail together."""
    if isinstance(value, dict):
        return tuple((key, shape(item)) for key, item in sorted(value.items()))
    if isinstance(value, list):
        return tuple(sorted({shape(item) for item in value}, key=repr))
    return type(value).__name__


def second_opinion(records: list[TraceRecord], *, least: int) -> list[str]:
    """Judge one payload of each shape with the pure-Python validator, straight from the files of the OCA."""
    spoken: dict[tuple[str, int], str] = {}
    asked: dict[tuple[str, int, str], str] = {}
    samples: dict[tuple[str, str, Any], Any] = {}
    for record in records:
        place = record.station, record.connection
        if record.kind is Kind.HANDSHAKE:
            spoken[place] = FOLDERS[record.info["subprotocol"]]
        elif record.text is not None:
            message = json.loads(record.text)
            folder = spoken[place]
            if record.kind is Kind.RECEIVED:
                asked[(*place, message[1])] = message[2] if message[0] == 2 else ""
            elif message[0] == 2:
                name = message[2] if folder == "v16" else f"{message[2]}Request"
                samples[folder, name, shape(message[3])] = message[3]
            elif message[0] == 3:
                samples[folder, f"{asked[(*place, message[1])]}Response", shape(message[2])] = message[2]
    assert len(samples) >= least
    complaints = []
    for (folder, name, _), payload in samples.items():
        schema = json.loads(resources.files("ocpp").joinpath(folder, "schemas", f"{name}.json").read_text("utf-8-sig"))
        kind = jsonschema.validators.validator_for(schema)
        judge = kind(schema, format_checker=kind.FORMAT_CHECKER)
        complaints += [f"{folder} {name}: {error.message}" for error in judge.iter_errors(payload)]
    return complaints


@pytest.mark.sampled(1)
@pytest.mark.parametrize("mode", [Mode.STRICT, Mode.LENIENT])
def test_every_frame_of_a_run_keeps_to_ocpp(plugstorm: Plugstorm, tmp_path: Path, mode: Mode) -> None:
    run = tmp_path / "run"
    words = [word for version in VERSIONS for word in ("--ocpp", version)]
    with practice_csms(mode=mode) as csms:
        done = plugstorm(
            *("load", "--url", csms.url, "--stations", "120", "--spawn-rate", "120", "--duration", "10s"),
            *("--profile", "quick", "--seed", "7", "--trace-share", "1", "--out", str(run), *words),
        )
        faults = requests.get(f"{csms.control_url}/faults", timeout=10).json()
    assert faults["total"] == 0, faults["examples"]
    result = read_run(run)
    assert isinstance(result, LoadRun)
    assert result.faults == {}
    # On a busy machine the generator may call its own figures invalid; its frames are none the worse for it.
    assert done.code in (exit_codes.PASSED, exit_codes.INVALID), done.errors

    checked = plugstorm("check-trace", str(run), "--json")
    report = json.loads(checked.out)
    assert report["findings"] == []
    assert checked.code == exit_codes.PASSED
    assert (report["stations"], report["connections"]) == (120, 120)
    assert report["transactions"] > 30
    counted: Counter[tuple[str, str]] = Counter()
    for window in result.windows:
        for call in window.calls:
            if call.direction == "station-to-csms":
                counted[call.ocpp, call.action] += call.count
    assert {(ocpp, action): n for ocpp, actions in report["calls"].items() for action, n in actions.items()} == counted

    (trace,) = (run / "traces").glob("*.jsonl")
    both_sides = plugstorm("analyze", str(trace), "--json")
    analysis = json.loads(both_sides.out)
    # How often a station beats is chosen by its profile.
    assert analysis["counts"].get("charge-point", {}).keys() <= {"heartbeat-too-often"}
    assert analysis["counts"].keys() <= {"charge-point"}
    assert (both_sides.code, analysis["unread"]) == (exit_codes.PASSED, [])
    assert {version for one in analysis["stations"] for version in one["versions"]} == set(VERSIONS)
    records = list(read_trace(trace))
    assert second_opinion(records, least=20) == []

    forged = tmp_path / "forged.jsonl"
    forged.write_bytes(b"".join(encode_record(record) + b"\n" for record in [*records, records[1]]))
    again = plugstorm("check-trace", str(forged))
    assert again.code == exit_codes.FAILED
    assert "no-handshake" in again.out


V2X = """
title: Cars that charge for a moment and feed back for a moment
models: {home-wallbox: 3, dc-150: 1}
meter: 1
sessions: {duration: [5, 7], gap: [0.2, 1], v2x: {charge: 1, discharge: 1, power: 10000, reserve: 20}}
"""
SWAPS = """
title: Drivers who come every second
models: {battery-swap: 1}
swaps: {gap: [0.5, 1], takes: 0.5}
"""


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        (V2X, ('"operationMode":"', '"v2xChargingParameters":', "Energy.Active.Export.Register")),
        (SWAPS, ('"BatterySwap"', '"BatteryIn"', '"BatteryOut"')),
    ],
    ids=["v2x", "battery swap"],
)
def test_what_only_ocpp_2_1_knows_keeps_to_it(
    plugstorm: Plugstorm, tmp_path: Path, profile: str, words: tuple[str, ...]
) -> None:
    run, file = tmp_path / "run", tmp_path / "profile.yaml"
    file.write_text(profile)
    with practice_csms() as csms:
        done = plugstorm(
            *("load", "--url", csms.url, "--stations", "10", "--spawn-rate", "10", "--duration", "8s"),
            *("--ocpp", "2.1", "--profile", str(file), "--seed", "7", "--trace-share", "1", "--out", str(run)),
        )
        faults = requests.get(f"{csms.control_url}/faults", timeout=10).json()
    assert (faults["total"], faults["examples"]) == (0, [])
    assert done.code in (exit_codes.PASSED, exit_codes.INVALID), done.errors
    assert json.loads(plugstorm("check-trace", str(run), "--json").out)["findings"] == []
    (trace,) = (run / "traces").glob("*.jsonl")
    sent = [record.text or "" for record in read_trace(trace) if record.kind is Kind.SENT]
    assert {word: any(word in text for text in sent) for word in words} == dict.fromkeys(words, True)
    assert second_opinion(list(read_trace(trace)), least=4) == []


def test_a_full_disk_degrades_the_run_and_its_traces_prove_nothing(
    plugstorm: Plugstorm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in enough_is({"BootNotification accepted": 5, "StatusNotification accepted": 5}).items():
        monkeypatch.setenv(name, value)
    run = tmp_path / "run"
    (run / "traces").mkdir(parents=True)
    (run / "traces" / "load-1.jsonl").symlink_to("/dev/full")
    with practice_csms() as csms:
        words = ("--stations", "5", "--spawn-rate", "5", "--trace-share", "1", "--out", str(run))
        plugstorm("load", "--url", csms.url, *words, *UNTIL_ENOUGH)
    result = read_run(run)
    assert isinstance(result, LoadRun)
    missing = [reason for reason in result.generator.reasons if "frames are missing in the traces" in reason]
    assert len(missing) == 1
    assert int(missing[0].split()[0]) > 10
    assert (run / "locust.log").read_text().count("Frames are missing in the trace") == 1
    (run / "traces" / "load-1.jsonl").unlink()
    (run / "traces" / "load-1.jsonl").write_bytes(b"".join(encode_record(record) + b"\n" for record in _one_boot()))
    plugstorm("check-trace", str(run)).assert_one_line(exit_codes.INVALID, "frames are missing from these traces")


def _one_boot() -> list[TraceRecord]:
    info = {"status": 101, "subprotocol": "ocpp1.6"}
    boot = '[2,"1","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]'
    return [
        TraceRecord(t=1.0, station="PS1", connection=1, kind=Kind.HANDSHAKE, info=info),
        TraceRecord(t=1.1, station="PS1", connection=1, kind=Kind.SENT, text=boot),
    ]


def test_a_run_without_traces_is_told(plugstorm: Plugstorm, tmp_path: Path) -> None:
    (tmp_path / "run" / "traces").mkdir(parents=True)
    plugstorm("check-trace", "run").assert_one_line(exit_codes.USAGE, "holds no traces of a load run", "--trace-share")
    plugstorm("check-trace", "none.jsonl").assert_one_line(exit_codes.USAGE, "No such file")


def test_a_trace_without_calls_proves_nothing(plugstorm: Plugstorm, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    result = plugstorm("check-trace", "empty.jsonl")
    result.assert_one_line(exit_codes.INVALID, "contains no CALL of a station")
