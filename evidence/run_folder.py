"""The folder of one run: where each file goes, and how it is written so that nothing is lost or half there."""

from __future__ import annotations

import base64
import contextlib
import os
import platform
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from types import NoneType
from typing import Any, BinaryIO, Final, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UnsetType

from evidence.redact import redact, redact_frame
from evidence.run_model import FORMAT, CaseResult, InteropRun, LoadRun, Run
from ocppj.errors import UsageError
from ocppj.trace import TraceRecord, decode_record, encode_record, spell_out, wall_clock

__all__ = [
    "RunFolder",
    "TraceWriter",
    "complete_record",
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


RunT = TypeVar("RunT", bound=InteropRun | LoadRun)
_NEWER: Final = "run.newer.jsonl"
"""The cases that came after `run.json` of a run that goes on, one a line."""


class RunFolder:
    """One run on disk."""

    def __init__(self, path: Path) -> None:
        """Stand for a run folder that exists."""
        self.path = path
        self._secrets: frozenset[str] = frozenset()
        self._saved: dict[tuple[str, str], tuple[CaseResult, msgspec.Raw]] = {}

    @classmethod
    def create(cls, out: str | Path | None, kind: str) -> RunFolder:
        """Make the folder, `runs/<UTC time>-<kind>` by default; raises `UsageError` where it cannot be written."""
        if out is None:
            stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
            path = Path("runs") / f"{stamp}-{kind}"
        else:
            path = Path(out)
        try:
            if out is None:
                path = _make_new(path)
            elif path.is_dir() and (path / "run.json").exists():
                raise UsageError(f"--out {path} already holds a run; name another folder or remove it first")
            for name in ("traces", "histograms"):
                (path / name).mkdir(parents=True, exist_ok=True)
            probe = path / ".writable"
            probe.touch()
            probe.unlink()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise UsageError(f"--out {path} cannot be written: {reason}; name a folder that can") from None
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

    def discard_if_empty(self) -> None:
        """Take the folder away again when nothing was written into it, as after a run that could not begin."""
        for path in (*(p for p in self.path.iterdir() if p.is_dir()), self.path):
            with contextlib.suppress(OSError):
                path.rmdir()

    def write_run(self, run: RunT, secrets: frozenset[str] = frozenset()) -> RunT:
        """Write `run.json` in one step, so that a reader sees the old file or the new one; return it as redacted."""
        cases = [_clean_case(case, secrets) for case in run.cases] if isinstance(run, InteropRun) else []
        text = _encode(_document(run, secrets, cases))
        self.write_text("run.json", msgspec.json.format(text, indent=2).decode() + "\n")
        self._drop_newer()
        return msgspec.json.decode(text, type=type(run))

    def save_run(self, run: InteropRun, secrets: frozenset[str] = frozenset()) -> None:
        """Write `run.json` of a run that goes on, on one line; cases that it held before are not redacted again."""
        cases = [self._saved_case(case, secrets) for case in run.cases]
        self.write_text("run.json", _encode(_document(run, secrets, cases)).decode() + "\n")
        self._drop_newer()

    def keep_case(self, case: CaseResult, secrets: frozenset[str] = frozenset()) -> None:
        """Keep a case that `run.json` of a run that goes on does not hold yet: `read_run` finds it.

        That costs the same however many cases there are. Raises `UsageError` when the disk refuses.
        """
        newer = self.path / _NEWER
        try:
            with newer.open("ab") as file:
                file.write(bytes(self._saved_case(case, secrets)) + b"\n")
        except OSError as error:
            raise UsageError(f"{newer} cannot be written: {error.strerror}") from None

    def _saved_case(self, case: CaseResult, secrets: frozenset[str]) -> msgspec.Raw:
        if secrets != self._secrets:
            self._secrets, self._saved = secrets, {}
        if self._saved.get((case.ocpp, case.id), (None,))[0] is not case:
            self._saved[(case.ocpp, case.id)] = case, msgspec.Raw(_encode(_clean_case(case, secrets)))
        return self._saved[(case.ocpp, case.id)][1]

    def _drop_newer(self) -> None:
        # Where this is not reached, or not possible, the cases are found twice, and are the same.
        with suppress(OSError):
            (self.path / _NEWER).unlink(missing_ok=True)

    def write_text(self, name: str, text: str) -> None:
        """Write one file of the folder in one step; raises `UsageError` when the disk refuses."""
        target = self.path / name
        partial = target.with_name(f".{target.name}.partial")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(text, encoding="utf-8", errors="surrogatepass")
            partial.replace(target)
        except OSError as error:
            with suppress(OSError):
                partial.unlink()
            raise UsageError(f"{target} cannot be written: {error.strerror}") from None


def _document(run: InteropRun | LoadRun, secrets: frozenset[str], cases: Sequence[Any]) -> dict[str, Any]:
    """Build `run.json` without its secrets, around cases that are clean already."""
    bare = msgspec.structs.replace(run, cases=[]) if isinstance(run, InteropRun) else run
    document: dict[str, Any] = redact(msgspec.to_builtins(bare), secrets)
    _keep_figures(document, bare)
    if isinstance(run, InteropRun):
        document["cases"] = cases
    return document


def _clean_case(case: CaseResult, secrets: frozenset[str]) -> dict[str, Any]:
    clean: dict[str, Any] = redact(msgspec.to_builtins(case), secrets)
    _keep_figures(clean, case)
    return clean


def _keep_figures(clean: dict[str, Any], struct: msgspec.Struct) -> None:
    """Put back what stands under names that somebody else has invented, where it can only be a figure.

    Such a name may look like that of a secret, such as an outcome that a CSMS calls `SIMPIN`.
    """
    figures = _fields_of_figures(type(struct))
    for name in clean.keys() & set(struct.__struct_fields__):
        match getattr(struct, name):
            case value if name in figures:
                clean[name] = value
            case msgspec.Struct() as below:
                _keep_figures(clean[name], below)
            case [msgspec.Struct(), *_] as members:
                for place, member in enumerate(members):
                    _keep_figures(clean[name][place], member)


@cache
def _fields_of_figures(struct: type[msgspec.Struct]) -> frozenset[str]:
    """Return the fields of a struct whose values hold numbers by name and nothing else."""
    return frozenset(name for name, hint in get_type_hints(struct).items() if _has_names(hint) and _is_figures(hint))


def _has_names(hint: Any) -> bool:
    return get_origin(hint) is dict or any(map(_has_names, get_args(hint)))


def _is_figures(hint: Any) -> bool:
    if get_origin(hint) is dict:
        return _is_figures(get_args(hint)[1])
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return all(map(_is_figures, get_type_hints(hint).values()))
    inner = get_args(hint)
    return all(map(_is_figures, inner)) if inner else hint in (int, float, NoneType, UnsetType)


def _encode(document: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(document)
    except UnicodeEncodeError:
        return msgspec.json.encode(spell_out(document))


def _make_new(path: Path) -> Path:
    """Make a folder that nobody else has; runs that start within one second get a number."""
    candidate, number = path, 1
    while True:
        try:
            candidate.mkdir(parents=True)
        except FileExistsError:
            number += 1
            candidate = path.with_name(f"{path.name}-{number}")
        else:
            return candidate


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
        record = complete_record(record, self._secrets, self._wall_offset)
        self._file.write(encode_record(record) + b"\n")
        if self.tail.maxlen:
            self.tail.append(record)
        return record

    def close(self) -> None:
        """Flush and close."""
        self._file.close()


def complete_record(record: TraceRecord, secrets: frozenset[str], wall_offset: float) -> TraceRecord:
    """Copy a record as it goes into a file: without secrets, and with its wall time.

    `wall_offset` is what its monotonic seconds are behind those since 1970.
    """
    return msgspec.structs.replace(
        record,
        wall=record.wall or wall_clock(record.t + wall_offset),
        text=None if record.text is None else redact_frame(record.text, secrets),
        data_base64=record.data_base64 and _redacted_bytes(record.data_base64, secrets),
        info=redact(record.info, secrets) if record.info else record.info,
    )


def _redacted_bytes(data_base64: str, secrets: frozenset[str]) -> str:
    text = base64.b64decode(data_base64).decode("utf-8", "surrogateescape")
    clean = redact_frame(text, secrets)
    if clean == text:
        return data_base64
    return base64.b64encode(clean.encode("utf-8", "surrogateescape")).decode()


def read_trace(path: Path) -> Iterator[TraceRecord]:
    """Read a trace file line by line; a last line cut off by a crash is passed over.

    Raises `UsageError` when the file cannot be read or holds another line that is not a record.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    yield _read_record(path, number, line)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}; name the folder of a finished run") from None


def _read_record(path: Path, number: int, line: bytes) -> TraceRecord:
    try:
        return decode_record(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise UsageError(f"{path} line {number} is not a trace record: {error}") from None


def read_run(path: Path) -> Run:
    """Read the `run.json` of a folder (or the file itself); raises `UsageError` when it is none."""
    file = path / "run.json" if path.is_dir() else path
    try:
        run: Run = msgspec.json.decode(file.read_bytes(), type=Run)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}; name the folder of a finished run") from None
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise UsageError(f"{file} is not a run.json of this version: {error}") from None
    if run.format != FORMAT:
        raise UsageError(f"{file} has format {run.format}; this Plugstorm reads format {FORMAT}, use the newer one")
    return _with_newer(run, file.with_name(_NEWER)) if isinstance(run, InteropRun) and not run.complete else run


def _with_newer(run: InteropRun, newer: Path) -> InteropRun:
    """Add to a run that goes on, or was cut, the cases that `run.json` does not hold yet."""
    try:
        lines = newer.read_bytes().splitlines(keepends=True)
    except OSError:
        return run
    cases = {(case.ocpp, case.id): case for case in run.cases}
    for line in lines:
        # A last line that was cut off with the run is passed over.
        with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
            case = msgspec.json.decode(line, type=CaseResult)
            cases[case.ocpp, case.id] = case
    counts = dict.fromkeys(run.counts, 0) | Counter(case.verdict for case in cases.values())
    return msgspec.structs.replace(run, cases=list(cases.values()), counts=counts)


def describe_tool() -> dict[str, str]:
    """Name Plugstorm and the libraries that a result may depend on, with their versions."""
    return dict(_versions())


@cache
def _versions() -> Mapping[str, str]:
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
