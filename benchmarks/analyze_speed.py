"""Measures how fast `plugstorm analyze` reads and judges: `python -m benchmarks.analyze_speed [FRAMES]`.

Writes a log of many stations in one form after the other, and measures frames a second of CPU time and the memory.
"""

from __future__ import annotations

import gc
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from analysis.judge import Judge
from analysis.readers.source import open_sources, sniff
from ocppj.trace import wall_clock

__all__ = ["main", "write_log"]

_STATIONS = 1_000
_START = 1_772_438_400.0


def _exchanges(number: int) -> Iterator[tuple[str, str]]:
    """Yield the CALL and the answer of a station, round after round, as a charging day has them."""
    station, at = number % _STATIONS, wall_clock(_START + number * 0.01)
    name = f"{station}-{number}"
    if number < _STATIONS:
        boot = {"chargePointVendor": "Invented", "chargePointModel": "Model A"}
        yield _text(2, name, "BootNotification", boot), _text(3, name, {"status": "Accepted", "currentTime": at, "interval": 10})
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
    word = "Received" if up else "Sending"
    return (
        f"[INFO ] {clock.replace('.', ',')} de.rwth.idsg.steve.ocpp.ws.WebSocketLogger (qtp1-2) - "
        f"[chargeBoxId=CP{station}, sessionId=s{station}] {word}: {text}\n"
    )


def main() -> int:
    """Measure and write a line of JSON for each form."""
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 400_000
    for kind in ("plugstorm", "steve", "evcc"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.log"
            write_log(path, frames, kind)
            gc.collect()
            gc.disable()
            begun = time.process_time()
            judge = Judge()
            for source in open_sources([str(path)]):
                reader = sniff(source)
                judge.begin(source.name, reader.name, reader.traits)
                judge.read(reader.read(source.lines, source.station))
            analysis = judge.finish()
            took = time.process_time() - begun
            gc.enable()
            told = {
                "format": kind,
                "frames": analysis.frames,
                "findings": sum(sum(rules.values()) for rules in analysis.counts.values()),
                "frames_per_cpu_s": round(analysis.frames / took),
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            }
            sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
