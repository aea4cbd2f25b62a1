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
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from analysis.judge import Judge
from analysis.readers.source import open_sources, sniff
from ocppj.trace import wall_clock

__all__ = ["KINDS", "main", "write_log"]

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
    writer = _WRITERS[kind]
    with path.open("w", encoding="utf-8") as file:
        if kind == "plugstorm":
            file.writelines(map(_handshake, range(_STATIONS)))
        for number in range(frames // 2):
            at = _START + number * 0.01
            stamp = wall_clock(at)
            for call, answer in _exchanges(number):
                for text, up in ((call, True), (answer, False)):
                    file.write(writer(_Written(f"CP{number % _STATIONS}", at, stamp, up, text)) + "\n")


class _Written(NamedTuple):
    """A frame that is to become a line of a log."""

    station: str
    at: float
    stamp: str
    """The time as in RFC 3339, with milliseconds."""
    up: bool
    text: str

    @property
    def local(self) -> str:
        """Return the time as Python and Java log it."""
        return self.stamp[:-1].replace("T", " ").replace(".", ",")


def _plugstorm(frame: _Written) -> str:
    kind = "sent" if frame.up else "received"
    record = {"t": frame.at, "station": frame.station, "connection": 1, "kind": kind, "text": frame.text}
    return msgspec.json.encode(record).decode()


def _handshake(station: int) -> str:
    info = {"status": 101, "subprotocol": "ocpp1.6"}
    record = {"t": _START, "station": f"CP{station}", "connection": 1, "kind": "handshake", "info": info}
    return msgspec.json.encode(record).decode() + "\n"


def _steve(frame: _Written) -> str:
    word = "Received" if frame.up else "Sending"
    return (
        f"[INFO ] {frame.local} de.rwth.idsg.steve.ocpp.ws.WebSocketLogger (qtp1-2) - "
        f"[chargeBoxId={frame.station}, sessionId=s{frame.station}] {word}: {frame.text}"
    )


def _evcc(frame: _Written) -> str:
    clock = frame.stamp[:19].replace("-", "/").replace("T", " ")
    return f"[ocpp  ] TRACE {clock} {'recv' if frame.up else 'send'} {frame.station}: {frame.text}"


def _mobilityhouse(frame: _Written) -> str:
    return f"{frame.local} INFO:ocpp:{frame.station}: {'receive message' if frame.up else 'send'} {frame.text}"


def _home_assistant(frame: _Written) -> str:
    clock, word = frame.local.replace(",", "."), "receive message" if frame.up else "send"
    return f"{clock} INFO (MainThread) [ocpp] {frame.station}: {word} {frame.text}"


def _ocpp_go(frame: _Written) -> str:
    word = "received JSON message from" if frame.up else "sent JSON message to"
    message = msgspec.json.encode(f"{word} {frame.station}: {frame.text}").decode()
    return f'time="{frame.stamp[:19]}Z" level=debug msg={message} logger=ocppj'


def _ocpp_trace(frame: _Written) -> str:
    told = {"schemaVersion": "1.1", "timestamp": frame.stamp, "transport": "json", "chargePointId": frame.station}
    told |= {"direction": "cp-to-csms" if frame.up else "csms-to-cp", "raw": frame.text}
    return msgspec.json.encode(told).decode()


_WRITERS: Final[Mapping[str, Callable[[_Written], str]]] = {
    "plugstorm": _plugstorm,
    "steve": _steve,
    "evcc": _evcc,
    "mobilityhouse": _mobilityhouse,
    "home-assistant": _home_assistant,
    "ocpp-go": _ocpp_go,
    "ocpp-trace": _ocpp_trace,
}
KINDS: Final = tuple(_WRITERS)


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
