"""What `plugstorm analyze` makes of a log beside its findings: an open-ocpp-trace, a load replay, a recorded case."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final, Protocol

import msgspec
import yaml

from analysis.findings_model import Analysis, Judged
from analysis.model import Direction, Event, Record, Unread
from analysis.readers.frames import decode
from analysis.readers.records import write_trace_record
from analysis.readers.times import read_time
from analysis.recorded_case import Conversations, RecordedCase
from analysis.safe_frames import safe_frame
from ocppj.errors import InconclusiveError, UsageError
from ocppj.trace import Kind, TraceRecord, encode_record, wall_clock

__all__ = ["CaseCopy", "Copy", "ReplayCopy", "TraceCopy", "copied"]

_MOST_ACTIONS: Final = 100_000
_WIDTH: Final = 110


class Copy(Protocol):
    """Something that is written out of the records of a log."""

    def take(self, record: Record) -> None:
        """Take a record that was judged."""

    def found(self, finding: Judged) -> None:
        """Take a finding, as soon as it is made."""

    def finish(self, analysis: Analysis) -> None:
        """Write what can be written at the end only."""

    def close(self) -> None:
        """Close what is open, also where the log could not be read to its end."""


def copied(records: Iterable[Record | Unread], copies: Sequence[Copy]) -> Iterator[Record | Unread]:
    """Hand records on, and each to the copies once it was judged: by then it is known which way it went."""
    for record in records:
        yield record
        if isinstance(record, Record):
            for copy in copies:
                copy.take(record)


def _created(path: Path) -> IO[bytes]:
    try:
        return path.open("wb")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def _yaml_path(path: Path, option: str) -> Path:
    if path.suffix not in (".yaml", ".yml"):
        raise UsageError(f"{option} writes YAML; name a file that ends in .yaml, not {path.name}")
    return path


class TraceCopy:
    """Writes the frames as open-ocpp-trace 1.1."""

    def __init__(self, path: Path | None) -> None:
        """Open the file; None is the standard output."""
        self._path = path
        self._file = sys.stdout.buffer if path is None else _created(path)
        self._actions: dict[tuple[str, str], str] = {}

    def take(self, record: Record) -> None:
        """Write a frame."""
        if record.event is not Event.FRAME:
            return
        text = safe_frame(record.text)
        if text != record.text:
            record = msgspec.structs.replace(record, text=text, value=decode(text))
        line = write_trace_record(record, self._action_of(record), record.version)
        if line is not None:
            self._file.write(line)

    def found(self, finding: Judged) -> None:
        """Take a finding, which changes nothing here."""

    def finish(self, analysis: Analysis) -> None:
        """Every frame is written already."""

    def close(self) -> None:
        """Close the file."""
        if self._path is None:
            self._file.flush()
        else:
            self._file.close()

    def _action_of(self, record: Record) -> str | None:
        value = record.value
        if not isinstance(value, list) or len(value) < 3 or not isinstance(value[1], str):  # noqa: PLR2004 - id, content
            return None
        key = (record.station, value[1])
        if value[0] == 2 and isinstance(value[2], str):  # noqa: PLR2004 - a CALL
            if len(self._actions) > _MOST_ACTIONS:
                # CALLs without an answer must not fill the memory.
                self._actions.clear()
            self._actions[key] = value[2]
            return value[2]
        return self._actions.pop(key, None)


class ReplayCopy:
    """Writes a load profile that replays the log, and beside it the trace that it names."""

    def __init__(self, path: Path, logs: Sequence[str], name: str) -> None:
        """Open both files, which must be none of the logs; `name` is that of the first; raises `UsageError`."""
        self._path = _yaml_path(path, "--to-replay")
        self._trace = path.with_suffix(".jsonl")
        if str(self._trace) in logs:
            raise UsageError(f"--to-replay {path} would write over {self._trace}, which is read")
        self._file = _created(self._trace)
        self._name = name
        self._last = 0.0
        self._clock: dict[str, float] = {}
        """By station: what the clock of its CSMS shows more than the log, which may write local times."""
        self._frames = 0

    def take(self, record: Record) -> None:
        """Write a frame; raises `UsageError` where the log has no times."""
        if record.event is not Event.FRAME or record.value is None:
            return
        if record.at is None:
            raise UsageError(f"--to-replay needs times, and line {record.line} of the log has none")
        up = record.direction is Direction.TO_CSMS
        if not up:
            self._learn_clock(record, record.at)
        # A clock that was set back begins no new recording.
        self._last = max(self._last, record.at)
        self._frames += 1
        told = TraceRecord(
            t=self._last,
            wall=wall_clock(record.at + self._clock.get(record.station, 0.0)),
            station=record.station,
            connection=1,
            kind=Kind.SENT if up else Kind.RECEIVED,
            text=safe_frame(record.text),
        )
        self._file.write(encode_record(told) + b"\n")

    def _learn_clock(self, record: Record, at: float) -> None:
        value = record.value
        body = value[2] if isinstance(value, list) and len(value) == 3 else None  # noqa: PLR2004 - a CALLRESULT
        told = body.get("currentTime") if isinstance(body, dict) else None
        if isinstance(told, str):
            try:
                self._clock[record.station] = read_time(told)[0] - at
            except (ValueError, OverflowError):
                return

    def found(self, finding: Judged) -> None:
        """Take a finding, which changes nothing here."""

    def finish(self, analysis: Analysis) -> None:
        """Write the profile."""
        stations = len({one.station for one in analysis.stations})
        versions = " ".join(f"--ocpp {one}" for one in sorted({v for one in analysis.stations for v in one.versions}))
        text = (
            f"# {self._frames} frames of {stations} stations; run it with\n"
            f"#   plugstorm load --profile {self._path.name} {versions} --stations {stations}\n"
            f"{_yaml({'title': f'What {self._name} holds', 'replay': {'file': self._trace.name}})}"
        )
        _write(self._path, text)

    def close(self) -> None:
        """Close the trace."""
        self._file.close()


class CaseCopy:
    """Writes one conversation as a case that `plugstorm interop --recorded` plays."""

    def __init__(self, path: Path, station: str | None, name: str) -> None:
        """Take the conversation of a station, or of the first one with a finding about the CSMS."""
        self._path = _yaml_path(path, "--to-case")
        self._name = name
        self._conversations = Conversations(station)

    def take(self, record: Record) -> None:
        """Take a record."""
        self._conversations.take(record)

    def found(self, finding: Judged) -> None:
        """Take a finding."""
        self._conversations.found(finding)

    def finish(self, analysis: Analysis) -> None:
        """Write the case; raises `InconclusiveError` where there is nothing to play."""
        case = self._conversations.case(self._name, {one.station: one.versions for one in analysis.stations})
        if case is None or not case.steps:
            whose = f"of {self._conversations.station} " if self._conversations.station else ""
            raise InconclusiveError(f"{self._name} holds no CALL {whose}that a case could play")
        _write(self._path, _HEAD.format(path=self._path.name) + _yaml(_told(case)))

    def close(self) -> None:
        """Nothing is open."""


_HEAD: Final = """\
# A conversation of a log. Play it against the next release with
#   plugstorm interop --recorded {path} --url ws://…
# $now, $token1 and $transaction1 are new in every play. `answer` is what the CSMS shall answer to a CALL of the
# station, as far as the log shows no fault of it: correct here what was wrong.
"""


def _told(case: RecordedCase) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(case)
    return told


def _yaml(value: dict[str, Any]) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return text


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
