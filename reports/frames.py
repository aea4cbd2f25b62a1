"""A trace file as a reader gets to see it: its diagram, and its frames laid out, each bounded in size."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

from evidence.sequence import Diagram, Shape, read_diagram
from evidence.visible import visible
from ocppj.trace import TraceRecord, decode_record
from reports.json_layout import lay_out

__all__ = [
    "COMPACT",
    "FULL",
    "Budget",
    "Detail",
    "FrameView",
    "TraceView",
    "gaps",
    "kept_lines",
    "view_trace",
]


class Detail(msgspec.Struct, frozen=True):
    """How much of a trace is shown: frames at the head, at the tail and around a marked one, characters of a frame."""

    ends: int
    around: int
    frame: int
    marked_frame: int
    laid_out: bool


FULL: Final = Detail(ends=60, around=15, frame=3_000, marked_frame=12_000, laid_out=True)
COMPACT: Final = Detail(ends=12, around=2, frame=240, marked_frame=240, laid_out=False)


class Budget:
    """Characters that traces may still take in a report, so that a browser can open the page."""

    def __init__(self, characters: int) -> None:
        """Start with so many characters."""
        self.left = characters

    def detail(self, wanted: Detail) -> Detail | None:
        """Give what is wanted, or less as the budget runs out, or None."""
        if self.left <= 0:
            return None
        return wanted if self.left > _RESERVE else COMPACT

    def spend(self, view: TraceView) -> None:
        """Take off what a trace needs on the page."""
        steps = len(view.diagram.steps)
        self.left -= steps * _STEP_COST + sum(len(frame.text) + _FRAME_COST for frame in view.frames)


_LARGEST_FILE = 64_000_000
_RESERVE = 400_000
_STEP_COST = 420
_FRAME_COST = 260


class FrameView(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a trace file, ready to be shown."""

    line: int
    at: float
    shape: Shape
    route: str
    label: str
    text: str
    """The frame, laid out where it is JSON; empty where the line holds no frame."""
    size: int
    """Characters (bytes where it was binary) of the whole frame."""
    cut: bool
    marked: bool
    prepared: bool
    latency_ms: float | None


class TraceView(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of one trace file."""

    path: str
    """As in `run.json`, relative to the run folder."""
    diagram: Diagram
    frames: tuple[FrameView, ...]
    total: int
    """Lines of the file."""
    unreadable: int = 0
    """Lines that are no trace record."""
    problem: str = ""
    """Why there is nothing to show."""

    @property
    def left_out(self) -> int:
        """How many records are not shown."""
        return self.total - self.unreadable - len(self.frames)


def view_trace(folder: Path, name: str, *, marked: Collection[int], detail: Detail) -> TraceView:
    """Read a trace of a run folder as far as it is shown; a file that is missing or elsewhere becomes a `problem`."""
    nothing = TraceView(path=name, diagram=Diagram((), ()), frames=(), total=0)
    if not name:
        return msgspec.structs.replace(nothing, problem="This case left no trace.")
    root = folder.resolve()
    try:
        file = (root / name).resolve()
        if not file.is_relative_to(root):
            return msgspec.structs.replace(nothing, problem=f"The trace {name} lies outside of the run folder.")
        if file.stat().st_size > _LARGEST_FILE:
            problem = f"The trace {name} is too large for this page: {file.stat().st_size // 1_000_000} MB."
            return msgspec.structs.replace(nothing, problem=problem)
        records = list(_read(file))
    except (OSError, ValueError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a usable file name"
        return msgspec.structs.replace(nothing, problem=f"The trace {name} cannot be read: {reason}.")
    whole = read_diagram(records)
    by_line = {step.line: step for step in whole.steps}
    lines = kept_lines(sorted(by_line), marked, detail)
    diagram = Diagram(whole.lanes, tuple(by_line[line] for line in lines))
    frames = tuple(_frame(diagram, place, records[line], marked, detail) for place, line in enumerate(lines))
    return TraceView(
        path=name,
        diagram=diagram,
        frames=frames,
        total=len(records),
        unreadable=sum(record is None for record in records),
    )


def _read(file: Path) -> Iterator[TraceRecord | None]:
    """Read a trace file; None stands for a line that is not a record, so that the indexes are those of the file."""
    with file.open("rb") as lines:
        for line in lines:
            try:
                yield decode_record(line)
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                yield None


def kept_lines(lines: Sequence[int], marked: Collection[int], detail: Detail) -> list[int]:
    """Choose the lines to show: both ends, and what surrounds each marked one."""
    last = len(lines)
    near = [place for place, line in enumerate(lines) if line in marked]
    return [
        line
        for place, line in enumerate(lines)
        if place < detail.ends or place >= last - detail.ends or any(abs(place - n) <= detail.around for n in near)
    ]


def gaps(lines: Sequence[int]) -> dict[int, int]:
    """Say before which line how many lines are left out."""
    return {after: after - before - 1 for before, after in pairwise(lines) if after - before > 1}


def _frame(
    diagram: Diagram, place: int, record: TraceRecord | None, marked: Collection[int], detail: Detail
) -> FrameView:
    assert record is not None  # only a record becomes a step
    step = diagram.steps[place]
    source, target = diagram.lanes[step.source].name, diagram.lanes[step.target].name
    is_marked = step.line in marked
    limit = detail.marked_frame if is_marked else detail.frame
    text, size = _content(record, limit)
    if text and detail.laid_out and step.shape is not Shape.UNREADABLE:
        text = lay_out(text)
    return FrameView(
        line=step.line,
        at=step.at,
        shape=step.shape,
        route=source if source == target else f"{source} → {target}",
        label=step.label,
        text=visible(text),
        size=size,
        cut=size > limit,
        marked=is_marked,
        prepared=step.prepared,
        latency_ms=step.latency_ms,
    )


def _content(record: TraceRecord, limit: int) -> tuple[str, int]:
    """Give the head of what a record holds, and the size of the whole."""
    if record.text is not None or record.data_base64 is not None:
        try:
            data = record.data
        except ValueError:
            return "(the recorded bytes cannot be decoded)", 0
        head = data[:limit]
        return head if isinstance(head, str) else _decode(head), len(data)
    if not record.info:
        return "", 0
    text = msgspec.json.encode(record.info).decode()
    return text[:limit], len(text)


def _decode(data: bytes) -> str:
    """Read bytes as text; what is not UTF-8 is spelled out, unpaired surrogates by their number."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "backslashreplace")
