"""The folder of one run: where each file goes, and how it is written so that nothing is lost or half there."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections import deque
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from evidence.redact import redact
from evidence.run_model import Run
from ocppj.errors import UsageError
from ocppj.trace import TraceRecord, decode_record, encode_record, wall_clock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

__all__ = [
    "RunFolder",
    "TraceWriter",
    "describe_environment",
    "describe_tool",
    "read_run",
    "read_trace",
    "redact_frame",
    "utc_now",
]


def utc_now() -> str:
    """Write the present time as RFC 3339 in UTC."""
    return wall_clock(time.time())


class RunFolder:
    """One run on disk."""

    def __init__(self, path: Path) -> None:
        """Stand for a run folder that exists."""
        self.path = path

    @classmethod
    def create(cls, out: str | Path | None, kind: str) -> RunFolder:
        """Make the folder, `runs/<UTC time>-<kind>` by default; raises `UsageError` where it cannot be written."""
        if out is None:
            stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
            path = Path("runs") / f"{stamp}-{kind}"
            path = next(p for p in (path, *(Path(f"{path}-{n}") for n in range(2, 10_000))) if not p.exists())
        else:
            path = Path(out)
        try:
            if path.is_dir() and (path / "run.json").exists():
                raise UsageError(f"--out {path} already holds a run; name another folder or remove it first")
            for name in ("traces", "histograms"):
                (path / name).mkdir(parents=True, exist_ok=True)
            probe = path / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise UsageError(f"--out {path} cannot be written: {error.strerror}; name a folder that can") from None
        return cls(path)

    @property
    def run_json(self) -> Path:
        """`run.json`: the result."""
        return self.path / "run.json"

    @property
    def traces(self) -> Path:
        """Folder of the trace files."""
        return self.path / "traces"

    @property
    def histograms(self) -> Path:
        """Folder of the HDR logs."""
        return self.path / "histograms"

    @property
    def junit(self) -> Path:
        """`junit.xml`."""
        return self.path / "junit.xml"

    @property
    def report(self) -> Path:
        """`report.html`."""
        return self.path / "report.html"

    @property
    def allure(self) -> Path:
        """Folder of the Allure results."""
        return self.path / "allure-results"

    def write_run(self, run: Run, secrets: frozenset[str] = frozenset()) -> None:
        """Write `run.json`, redacted, in one step: a reader sees the old file or the new one."""
        document = redact(msgspec.to_builtins(run), secrets)
        self.write_text("run.json", msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Write one file of the folder in one step; raises `UsageError` when the disk refuses."""
        target = self.path / name
        partial = target.with_name(f".{target.name}.partial")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(text, encoding="utf-8", errors="surrogatepass")
            partial.replace(target)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise UsageError(f"{target} cannot be written: {error.strerror}") from None


class TraceWriter:
    """Writes records to one trace file; the wall time of each follows from its monotonic time.

    `tail` keeps the last records in memory for whoever prints a failure.
    """

    def __init__(self, path: Path, *, secrets: frozenset[str] = frozenset(), keep: int = 0) -> None:
        """Open the file for appending; `keep` records stay in memory."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("ab")
        self._secrets = secrets
        self._wall_offset = time.time() - time.monotonic()
        self.path = path
        self.tail: deque[TraceRecord] = deque(maxlen=keep)

    def write(self, record: TraceRecord) -> TraceRecord:
        """Append one record, redacted and with its wall time, and return it as written."""
        record = self._redacted(record)
        self._file.write(encode_record(record) + b"\n")
        if self.tail.maxlen:
            self.tail.append(record)
        return record

    def close(self) -> None:
        """Flush and close."""
        self._file.close()

    def _redacted(self, record: TraceRecord) -> TraceRecord:
        text = record.text
        if text is not None:
            text = redact_frame(text, self._secrets)
        return msgspec.structs.replace(
            record,
            wall=record.wall or wall_clock(record.t + self._wall_offset),
            text=text,
            info=redact(record.info, self._secrets) if record.info else record.info,
        )


_decode = msgspec.json.Decoder().decode
_MAY_HOLD_SECRET = ("uthorizationKey", "assword", "Key-----", "KEY-----")


def redact_frame(text: str, secrets: frozenset[str]) -> str:
    """Blank the secrets of a frame and leave every other frame as it was on the wire, to the byte."""
    if not any(mark in text for mark in _MAY_HOLD_SECRET) and not any(secret in text for secret in secrets):
        return text
    try:
        value = _decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        blank = redact(text, secrets)
        assert isinstance(blank, str)
        return blank
    return msgspec.json.encode(redact(value, secrets)).decode()


def read_trace(path: Path) -> Iterator[TraceRecord]:
    """Read a trace file line by line; a last line cut off by a crash is passed over."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield decode_record(line)


def read_run(path: Path) -> Run:
    """Read the `run.json` of a folder (or the file itself); raises `UsageError` when it is none."""
    file = path / "run.json" if path.is_dir() else path
    try:
        run: Run = msgspec.json.decode(file.read_bytes(), type=Run)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}; name the folder of a finished run") from None
    except msgspec.MsgspecError as error:
        raise UsageError(f"{file} is no run.json of this version: {error}") from None
    return run


def describe_tool() -> dict[str, str]:
    """Name Plugstorm and the libraries that a result may depend on, with their versions."""
    names = ("locust", "gevent", "websockets", "pytest", "ocpp", "msgspec", "jsonschema-rs", "faker")
    return {"name": "plugstorm", "version": metadata.version("plugstorm")} | {n: metadata.version(n) for n in names}


def describe_environment() -> dict[str, Any]:
    """Describe the machine without anything that names it or its owner."""
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
    }
