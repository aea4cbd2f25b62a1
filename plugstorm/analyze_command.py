"""`plugstorm analyze`: whose fault is it? Reads any OCPP log and judges both sides."""

from __future__ import annotations

import contextlib
import gc
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Self

import msgspec

from analysis.findings_model import Analysis, Judged
from analysis.judge import CALL_TIMEOUT, Judge
from analysis.model import Record, Side, Unread
from analysis.readers.columns import ColumnReader
from analysis.readers.contract import Reader
from analysis.readers.custom import explain, read_format_file
from analysis.readers.source import Source, open_sources, reader_called, sniff
from analysis.redaction import Redactor
from config.assignments import split_assignment
from evidence import exit_codes
from evidence.visible import one_line
from ocppj.errors import InconclusiveError, UsageError
from ocppj.versions import Version
from plugstorm.analyze_copies import CaseCopy, Copy, ReplayCopy, TraceCopy, copied
from reports.analysis_page import write_page
from reports.analysis_text import as_markdown, as_sarif, as_text

__all__ = ["Request", "analyze", "columns_of", "run"]

_PROGRESS_EVERY: Final = 2.0
_EXPLAINED: Final = 60
_PIPE: Final = "-"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks for."""

    logs: list[str]
    format: str | None = None
    columns: dict[str, str] = {}
    station: str | None = None
    ocpp: Version | None = None
    call_timeout: float = CALL_TIMEOUT
    side: str = "any"
    redact: bool = False
    explain: bool = False
    to: str | None = None
    out: Path | None = None
    to_replay: Path | None = None
    to_case: Path | None = None
    case_of: str | None = None
    """Whose conversation becomes a case; None takes that of the first finding."""
    page: Path | None = None
    sarif: Path | None = None
    markdown: Path | None = None
    as_json: bool = False


def run(request: Request) -> int:
    """Analyze logs and write what was found; returns the exit code."""
    if request.explain:
        return _explain(request)
    for path in (request.out, request.to_replay, request.to_case, request.page, request.sarif, request.markdown):
        _can_be_written(path)
    # Payloads are trees without circles: looking for circles among them takes a fifth of the time.
    gc.freeze()
    gc.disable()
    try:
        analysis = analyze(request)
    finally:
        gc.enable()
    if request.as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(analysis), indent=2).decode() + "\n")
    elif request.to is None or request.out is not None:
        sys.stdout.write(as_text(analysis))
    for path, text in ((request.markdown, as_markdown), (request.sarif, as_sarif)):
        if path is not None:
            _write(path, text(analysis))
    if request.page is not None:
        write_page(request.page, analysis)
        sys.stderr.write(f"page    {request.page}\n")
    if not analysis.frames:
        raise InconclusiveError(f"{', '.join(request.logs)}: no OCPP frame could be read")
    return exit_codes.FAILED if _broken(analysis, request.side) else exit_codes.PASSED


def _broken(analysis: Analysis, side: str) -> bool:
    """Return whether a side that matters broke a required rule."""
    return any(rules and other != Side.NETWORK and side in ("any", other) for other, rules in analysis.required.items())


def _can_be_written(path: Path | None) -> None:
    """Look before a long log is read; raises `UsageError`."""
    if path is None:
        return
    if path.is_dir():
        raise UsageError(f"{path} cannot be written: it is a folder")
    if not path.parent.is_dir():
        raise UsageError(f"{path} cannot be written: there is no folder {path.parent}")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def analyze(request: Request) -> Analysis:
    """Read all logs and judge them; copies the frames where the request says so."""
    live = _PIPE in request.logs
    redactor = Redactor() if request.redact else None
    first = "pipe.log" if live else Path(request.logs[0]).name
    copies = _copies_of(request, redactor.path(first) if redactor else first)
    hears: list[Callable[[Judged], object]] = [copy.found for copy in copies]
    hears += [_say] if live else []
    judge = Judge(timeout=request.call_timeout, version=request.ocpp, hears=hears)
    with contextlib.ExitStack() as stack:
        for copy in copies:
            stack.callback(copy.close)
        for source in open_sources(request.logs, station=request.station):
            reader = _reader_for(request, source)
            judge.begin(redactor.path(source.name) if redactor else source.name, reader.name, reader.traits)
            records: Iterable[Record | Unread] = reader.read(source.lines, source.station)
            if redactor is not None:
                records = redactor.records(records)
            if copies:
                records = copied(records, copies)
            records = _with_progress(records)
            if live:
                with _CtrlC() as ctrl_c:
                    judge.read(ctrl_c.ends(records))
            else:
                judge.read(records)
        analysis = judge.finish()
        for copy in copies:
            copy.finish(analysis)
    return analysis


class _CtrlC(contextlib.AbstractContextManager["_CtrlC"]):
    """Ends the reading of a pipe between two records: whoever ends it so wants to know what came of it."""

    def __init__(self) -> None:
        self._waits = self._was_pressed = False

    def __enter__(self) -> Self:
        self._before = signal.getsignal(signal.SIGINT)
        # A shell that starts us in the background wants it to be ignored.
        if self._before is signal.default_int_handler and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._pressed)
        return self

    def __exit__(self, *exc: object) -> None:
        if signal.getsignal(signal.SIGINT) == self._pressed:
            signal.signal(signal.SIGINT, self._before)

    def _pressed(self, _number: int, _frame: object) -> None:
        self._was_pressed = True
        if self._waits:
            raise KeyboardInterrupt

    def ends(self, records: Iterable[Record | Unread]) -> Iterator[Record | Unread]:
        """Hand records on until Ctrl-C."""
        pending = iter(records)
        while not self._was_pressed:
            self._waits = True
            try:
                record = next(pending, None)
            except KeyboardInterrupt:
                return
            finally:
                self._waits = False
            if record is None:
                return
            yield record


def _say(finding: Judged) -> None:
    """Tell of a finding as soon as the pipe shows it."""
    place = f"{finding.line}: {one_line(finding.station, 48)}"
    sys.stderr.write(f"{place}: {finding.side.words}: {finding.rule}: {one_line(finding.detail, 200)}\n")
    sys.stderr.flush()


def _reader_for(request: Request, source: Source) -> Reader:
    if request.format is None:
        return ColumnReader(request.columns) if request.columns else sniff(source)
    if request.format.endswith((".yaml", ".yml")):
        return read_format_file(Path(request.format))
    return ColumnReader(request.columns) if request.format == "csv" else reader_called(request.format)


def _with_progress(records: Iterable[Record | Unread]) -> Iterator[Record | Unread]:
    """Hand records on; a terminal is told how far it is."""
    if not sys.stderr.isatty():
        yield from records
        return
    begun = told = time.monotonic()
    for count, record in enumerate(records, 1):
        yield record
        if count % 10_000 == 0 and (now := time.monotonic()) - told >= _PROGRESS_EVERY:
            told = now
            sys.stderr.write(f"\r{count:,} records, {count / (now - begun):,.0f}/s, line {record.line:,}   ")
    if told > begun:
        sys.stderr.write("\r" + " " * 70 + "\r")


def _copies_of(request: Request, name: str) -> list[Copy]:
    """Open what is written beside the findings, `name` being the log's; raises `UsageError`."""
    if request.to not in (None, "ocpp-trace"):
        raise UsageError(f"there is no format {request.to!r} to write; known is ocpp-trace")
    if request.case_of is not None and request.to_case is None:
        raise UsageError("--case-of names a station for --to-case FILE")
    copies: list[Copy] = [] if request.to is None else [TraceCopy(request.out)]
    if request.to_replay is not None:
        copies.append(ReplayCopy(request.to_replay, request.logs, name))
    if request.to_case is not None:
        copies.append(CaseCopy(request.to_case, request.case_of, name))
    return copies


def _explain(request: Request) -> int:
    if request.format is None or not request.format.endswith((".yaml", ".yml")):
        raise UsageError("--explain needs --format FILE.yaml, the description that it explains")
    reader = read_format_file(Path(request.format))
    for source in open_sources(request.logs, station=request.station):
        for line in explain(reader, source.lines, most=_EXPLAINED):
            sys.stdout.write(line + "\n")
    return exit_codes.PASSED


def columns_of(words: Sequence[str]) -> dict[str, str]:
    """Read `time=TIME,station=ID`; raises `UsageError`."""
    found: dict[str, str] = {}
    for word in ",".join(words).split(","):
        name, column = split_assignment(word)
        if not word:
            continue
        if column is None or name not in ("time", "station", "direction", "frame", "connection"):
            raise UsageError(f"--columns takes time=, station=, direction=, frame= or connection=, not {word!r}")
        found[name] = column
    return found
