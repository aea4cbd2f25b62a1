"""Measures how fast `plugstorm analyze` reads and judges: `python -m benchmarks.analyze_speed [FRAMES] [FORMAT...]`.

Writes a log of many stations in one form after the other, of that many frames and of four times as many, and judges
each in a process of its own: frames a second of CPU time, of which the best of three is told, and the most memory of
each size, which must be the same.
"""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from analysis.judge import Judge
from analysis.readers.source import open_sources, sniff
from ocppj.trace import wall_clock

__all__ = ["KINDS", "main", "write_log"]

KINDS = ("plugstorm", "steve", "evcc", "mobilityhouse")

_STATIONS = 1_000
_START = 1_772_438_400.0
_BOOT = {"chargePointVendor": "Invented", "chargePointModel": "Model A"}
_FRAMES = 200_000
_TIMES = 3
_GROWTH = 4
_ONE = "--one"


def _exchanges(number: int) -> Iterator[tuple[str, str]]:
    """Yield the CALL and the answer of a station, round after round, as a charging day has them."""
    station, at = number % _STATIONS, wall_clock(_START + number * 0.01)
    name = f"{station}-{number}"
    if number < _STATIONS:
        answer = {"status": "Accepted", "currentTime": at, "interval": 10}
        yield _text(2, name, "BootNotification", _BOOT), _text(3, name, answer)
        return
    match number // _STATIONS % 4:
        case 0:
            payload = {"connectorId": 1, "errorCode": "NoError", "status": "Available", "timestamp": at}
            yield _text(2, name, "StatusNotification", payload), _text(3, name, {})
        case 1:
            sample = [
                {"value": str(1000 + number // _STATIONS), "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
                {"value": "7360", "measurand": "Power.Active.Import", "unit": "W"},
            ]
            payload = {"connectorId": 1, "meterValue": [{"timestamp": at, "sampledValue": sample}]}
            yield _text(2, name, "MeterValues", payload), _text(3, name, {})
        case _:
            yield _text(2, name, "Heartbeat", {}), _text(3, name, {"currentTime": at})


def _text(*frame: object) -> str:
    return msgspec.json.encode(frame).decode()


def write_log(path: Path, frames: int, kind: str) -> None:
    """Write a log of about so many frames."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(frames // 2):
            at = _START + number * 0.01
            stamp = wall_clock(at)
            for call, answer in _exchanges(number):
                for text, up in ((call, True), (answer, False)):
                    file.write(_line(kind, number % _STATIONS, at, stamp, text, up=up))


def _line(kind: str, station: int, at: float, stamp: str, text: str, *, up: bool) -> str:
    if kind == "plugstorm":
        record = {
            "t": at,
            "station": f"CP{station}",
            "connection": 1,
            "kind": "sent" if up else "received",
            "text": text,
        }
        return msgspec.json.encode(record).decode() + "\n"
    clock = stamp[:-1].replace("T", " ")
    if kind == "evcc":
        return f"[ocpp  ] TRACE {clock[:19].replace('-', '/')} {'recv' if up else 'send'} CP{station}: {text}\n"
    if kind == "mobilityhouse":
        return f"{clock.replace('.', ',')} INFO:ocpp:CP{station}: {'receive message' if up else 'send'} {text}\n"
    word = "Received" if up else "Sending"
    return (
        f"[INFO ] {clock.replace('.', ',')} de.rwth.idsg.steve.ocpp.ws.WebSocketLogger (qtp1-2) - "
        f"[chargeBoxId=CP{station}, sessionId=s{station}] {word}: {text}\n"
    )


def _judge_one(path: str) -> None:
    """Judge a log as the command does, and write a line of JSON about it."""
    gc.freeze()
    gc.disable()
    begun = time.process_time()
    judge = Judge()
    for source in open_sources([path]):
        reader = sniff(source)
        judge.begin(source.name, reader.name, reader.traits)
        judge.read(reader.read(source.lines, source.station))
    analysis = judge.finish()
    told = {
        "frames": analysis.frames,
        "findings": sum(sum(rules.values()) for rules in analysis.counts.values()),
        "cpu_s": time.process_time() - begun,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    sys.stdout.write(msgspec.json.encode(told).decode() + "\n")


def _measured(path: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.analyze_speed", _ONE, str(path)]
    done = subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own interpreter
    told: dict[str, Any] = msgspec.json.decode(done.stdout)
    return told


def main() -> int:
    """Measure and write a line of JSON for each form."""
    words = sys.argv[1:]
    if words[:1] == [_ONE]:
        _judge_one(words[1])
        return 0
    frames = int(words.pop(0)) if words and words[0].isdecimal() else _FRAMES
    for kind in words or KINDS:
        with tempfile.TemporaryDirectory() as folder:
            small, large = Path(folder) / "small.log", Path(folder) / "large.log"
            write_log(small, frames, kind)
            write_log(large, frames * _GROWTH, kind)
            runs = [_measured(small) for _ in range(_TIMES)]
            grown = _measured(large)
        told = {
            "format": kind,
            "frames": runs[0]["frames"],
            "findings": runs[0]["findings"] + grown["findings"],
            "frames_per_cpu_s": round(max(run["frames"] / run["cpu_s"] for run in runs)),
            "peak_mb": max(run["peak_mb"] for run in runs),
            "frames_of_large": grown["frames"],
            "peak_mb_of_large": grown["peak_mb"],
        }
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
