"""A trace as a message sequence diagram: the model, and its two forms in text.

Nothing in a trace can make this fail: what cannot be read is drawn as unreadable.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Any

import msgspec

from evidence.visible import one_line
from ocppj.errors import RemoteProtocolError
from ocppj.messages import Call, CallError, CallResult, CallResultError, Message, Send, encode_json, parse
from ocppj.trace import Kind, TraceRecord
from ocppj.versions import RULES, Version

__all__ = ["Diagram", "Lane", "Role", "SequenceStep", "Shape", "read_diagram", "sequence_mermaid", "sequence_text"]

LABEL_MAX = 90
"""Characters of a label; what is longer ends in an ellipsis."""

# The widest set of message types, so that a frame is named whatever version the trace is of.
_RULES = RULES[Version.V21]


class Role(StrEnum):
    """Who stands at the head of a lane."""

    STATION = "station"
    CSMS = "csms"
    DRIVER = "driver"
    """The harness at the CSMS's own API."""


class Lane(msgspec.Struct, frozen=True):
    """One vertical line of the diagram."""

    name: str
    role: Role


class Shape(StrEnum):
    """How a step is drawn."""

    CALL = "call"
    RESULT = "result"
    ERROR = "error"
    SEND = "send"
    UNREADABLE = "unreadable"
    HANDSHAKE = "handshake"
    REFUSED = "refused"
    CLOSED = "closed"
    CONTROL = "control"
    DRIVER = "driver"
    NOTE = "note"
    PHASE = "phase"


class SequenceStep(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened; `source` and `target` are indexes of lanes, equal where nothing crosses."""

    line: int
    """Index of the record in the trace file, from 0."""
    at: float
    """Seconds since the first record."""
    shape: Shape
    source: int
    target: int
    label: str
    answers: int | None = None
    """Line of the CALL that this is the answer to."""
    latency_ms: float | None = None
    prepared: bool = False
    """Happened while the station was still being prepared; it is not judged."""


class Diagram(msgspec.Struct, frozen=True):
    """Lanes from left to right, and steps from top to bottom."""

    lanes: tuple[Lane, ...]
    steps: tuple[SequenceStep, ...]


def read_diagram(records: Iterable[TraceRecord | None]) -> Diagram:
    """Draw up the diagram of a trace; None stands for a line of the file that could not be read."""
    return _Reader().read(records)


def sequence_text(records: Iterable[TraceRecord | None], *, marked: Collection[int] = ()) -> str:
    """Write a trace as plain text, a line a step; the lines in `marked` carry a `!`."""
    diagram = read_diagram(records)
    rows = [_text_row(diagram, step) for step in diagram.steps]
    width = max((len(route) for _, route, _ in rows), default=0)
    numbers = len(str(max((step.line for step in diagram.steps), default=0)))
    return "".join(
        f"{'!' if step.line in marked else ' '} {step.line:>{numbers}} {at:>9}  {route:<{width}}  {label}".rstrip()
        + "\n"
        for step, (at, route, label) in zip(diagram.steps, rows, strict=True)
    )


def sequence_mermaid(records: Iterable[TraceRecord | None]) -> str:
    """Write a trace as a Mermaid `sequenceDiagram`."""
    diagram = read_diagram(records)
    lines = ["sequenceDiagram"]
    lines += [f"    participant L{n} as {_mermaid(lane.name)}" for n, lane in enumerate(diagram.lanes)]
    ends = f"L0,L{len(diagram.lanes) - 1}"
    for step in diagram.steps:
        label = _mermaid(_with_latency(step))
        if step.shape is Shape.PHASE:
            lines.append(f"    Note over {ends}: {label}")
        elif step.source == step.target:
            lines.append(f"    Note over L{step.source}: {label}")
        else:
            lines.append(f"    L{step.source}{_MERMAID_ARROWS.get(step.shape, '->>')}L{step.target}: {label}")
    return "\n".join(lines) + "\n"


_MERMAID_ARROWS = {
    Shape.RESULT: "-->>",
    Shape.ERROR: "-->>",
    Shape.UNREADABLE: "--x",
    Shape.REFUSED: "-x",
    Shape.CLOSED: "-x",
    Shape.SEND: "-)",
    Shape.CONTROL: "-->",
}


_MERMAID_MEANS_SOMETHING = re.compile(r'[#;<>"%]')


def _mermaid(text: str) -> str:
    return _MERMAID_MEANS_SOMETHING.sub(lambda match: f"#{ord(match[0])};", text)


_ANSWERS = frozenset({Shape.RESULT, Shape.ERROR})


def _with_latency(step: SequenceStep) -> str:
    return step.label if step.latency_ms is None else f"{step.label} ({step.latency_ms:.1f} ms)"


def _text_row(diagram: Diagram, step: SequenceStep) -> tuple[str, str, str]:
    source, target = diagram.lanes[step.source], diagram.lanes[step.target]
    if step.shape is Shape.PHASE:
        route = "--"
    elif step.source == step.target:
        route = source.name
    elif step.source < step.target:
        route = f"{source.name} {'⇢' if step.shape in _ANSWERS else '→'} {target.name}"
    else:
        route = f"{target.name} {'⇠' if step.shape in _ANSWERS else '←'} {source.name}"
    return f"+{step.at:.3f} s", route, _with_latency(step)


class _Reader:
    """Turns records into steps; it remembers which CALLs are open."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[Role, str], None] = {}
        self._steps: list[tuple[SequenceStep, tuple[Role, str], tuple[Role, str]]] = []
        self._open: dict[tuple[str, bool, str], tuple[int, float, str]] = {}
        self._prepared = False
        self._start: float | None = None

    def read(self, records: Iterable[TraceRecord | None]) -> Diagram:
        for line, record in enumerate(records):
            if record is not None:
                if self._start is None:
                    self._start = record.t
                self._record(line, record)
        lanes = sorted(self._lanes or [_CSMS], key=lambda lane: _LANE_ORDER.index(lane[0]))
        # A note may be signed by somebody who never says a word, and has no lane then.
        place = defaultdict(int, {lane: index for index, lane in enumerate(lanes)})
        return Diagram(
            tuple(Lane(one_line(name, 40), role) for role, name in lanes),
            tuple(
                msgspec.structs.replace(step, source=place[source], target=place[target])
                for step, source, target in self._steps
            ),
        )

    def _record(self, line: int, record: TraceRecord) -> None:
        match record.kind:
            case Kind.SENT | Kind.RECEIVED:
                self._frame(line, record)
            case Kind.HANDSHAKE:
                stands = record.info.get("status") == _SWITCHING_PROTOCOLS or "granted" in record.info
                shape = Shape.HANDSHAKE if stands else Shape.REFUSED
                self._add(line, record, shape, _handshake_label(record.info), outward=True)
            case Kind.CLOSED:
                outward = record.info.get("by") != "csms"
                self._add(line, record, Shape.CLOSED, _closed_label(record.info), outward=outward)
            case Kind.CONTROL:
                outward = record.info.get("direction", "sent") == "sent"
                self._add(line, record, Shape.CONTROL, _control_label(record.info), outward=outward)
            case Kind.DRIVER:
                ends = (_CSMS, _DRIVER) if record.info.get("operation") == _OUTCOME else (_DRIVER, _CSMS)
                self._put(line, record, Shape.DRIVER, _driver_label(record.info), ends)
            case Kind.NOTE:
                self._note(line, record)

    def _note(self, line: int, record: TraceRecord) -> None:
        if "phase" in record.info:
            phase = str(record.info["phase"])
            self._prepared = phase != "script"
            label = _PHASES.get(phase) or one_line(phase, LABEL_MAX)
            self._append(line, record, Shape.PHASE, label, (_station(record),) * 2)
        else:
            self._append(line, record, Shape.NOTE, _note_label(record), (_station(record),) * 2)

    def _frame(self, line: int, record: TraceRecord) -> None:
        sent = record.kind is Kind.SENT
        try:
            message: Message = parse(record.data, _RULES)
        except RemoteProtocolError as problem:
            label = f"unreadable: {one_line(problem.reason, LABEL_MAX)}"
            self._add(line, record, Shape.UNREADABLE, label, outward=sent)
            return
        except ValueError:  # the recorded bytes are no base64
            self._add(line, record, Shape.UNREADABLE, "unreadable: the record holds no frame", outward=sent)
            return
        if isinstance(message, Call):
            action = one_line(message.action, LABEL_MAX)
            self._open[record.station, sent, message.message_id] = (line, record.t, action)
            self._add(line, record, Shape.CALL, action, outward=sent)
        elif isinstance(message, Send):
            self._add(line, record, Shape.SEND, f"SEND {one_line(message.action, LABEL_MAX)}", outward=sent)
        elif isinstance(message, CallResultError):
            label = one_line(f"CALLRESULTERROR {message.code}: {message.description[:200]}", LABEL_MAX)
            self._add(line, record, Shape.ERROR, label, outward=sent)
        else:
            self._answer(line, record, message)

    def _answer(self, line: int, record: TraceRecord, message: CallResult | CallError) -> None:
        sent = record.kind is Kind.SENT
        asked = self._open.pop((record.station, not sent, message.message_id), None)
        action = asked[2] if asked else "no open CALL"
        if isinstance(message, CallResult):
            shape, label = Shape.RESULT, " · ".join(filter(None, (action, _gist(message.payload))))
        else:
            shape = Shape.ERROR
            label = f"{action} · CALLERROR {message.code}: {message.description[:200]}"
        self._add(
            line,
            record,
            shape,
            one_line(label, LABEL_MAX),
            outward=sent,
            answers=asked[0] if asked else None,
            latency_ms=(record.t - asked[1]) * 1000 if asked else None,
        )

    def _add(self, line: int, record: TraceRecord, shape: Shape, label: str, *, outward: bool, **answer: Any) -> None:
        ends = (_station(record), _CSMS)
        self._put(line, record, shape, label, ends if outward else ends[::-1], **answer)

    def _put(
        self,
        line: int,
        record: TraceRecord,
        shape: Shape,
        label: str,
        ends: tuple[tuple[Role, str], tuple[Role, str]],
        **answer: Any,
    ) -> None:
        for end in ends:
            self._lanes.setdefault(end)
        self._append(line, record, shape, label, ends, **answer)

    def _append(
        self,
        line: int,
        record: TraceRecord,
        shape: Shape,
        label: str,
        ends: tuple[tuple[Role, str], tuple[Role, str]],
        **answer: Any,
    ) -> None:
        at = record.t - (self._start or 0.0)
        step = SequenceStep(
            line=line, at=at, shape=shape, source=0, target=0, label=label, prepared=self._prepared, **answer
        )
        self._steps.append((step, *ends))


_SWITCHING_PROTOCOLS = 101
_OUTCOME = "outcome"
"""The driver's operation that reads how a station answered a command; it runs from the CSMS to the driver."""
_LANE_ORDER = (Role.STATION, Role.CSMS, Role.DRIVER)
_PHASES = {"prepare": "preparation, not judged", "script": "the case"}
_CSMS = (Role.CSMS, "CSMS")
_DRIVER = (Role.DRIVER, "driver")


def _station(record: TraceRecord) -> tuple[Role, str]:
    return (Role.STATION, record.station or "station")


def _gist(payload: Any) -> str:
    """Say in a word what an answer says: its status, wherever the version keeps it."""
    if not isinstance(payload, dict):
        return ""
    for holder in (payload, payload.get("idTagInfo"), payload.get("idTokenInfo")):
        if isinstance(holder, dict) and isinstance(holder.get("status"), str):
            return one_line(holder["status"], 40)
    return ""


def _handshake_label(info: dict[str, Any]) -> str:
    status = info.get("status")
    if info.get("over"):
        return _subscription_label(info)
    if status is None:
        return one_line(f"no connection: {info.get('error', 'no HTTP answer')}", LABEL_MAX)
    if status == _SWITCHING_PROTOCOLS:
        return one_line(f"WebSocket open, {info.get('subprotocol') or 'no subprotocol'}", LABEL_MAX)
    return one_line(f"WebSocket refused: HTTP {status}", LABEL_MAX)


def _subscription_label(info: dict[str, Any]) -> str:
    """Say how it went where a broker grants a topic instead of an upgrade."""
    error = info.get("error")
    if error is not None:
        return one_line(f"no connection: {error}", LABEL_MAX)
    granted = info.get("granted")
    topic = "the topic of the station" if granted is None else f"the topic {granted}"
    return one_line(f"the broker grants {topic}, {info.get('subprotocol') or 'no version'}", LABEL_MAX)


def _closed_label(info: dict[str, Any]) -> str:
    parts = ["connection closed", str(info.get("code") or ""), str(info.get("reason") or "")]
    return one_line(" ".join(filter(None, parts)), LABEL_MAX)


def _control_label(info: dict[str, Any]) -> str:
    return one_line(str(info.get("opcode") or info.get("frame") or "ping or pong"), LABEL_MAX)


def _driver_label(info: dict[str, Any]) -> str:
    words = [str(info[key]) for key in ("operation", "action", "token") if info.get(key)]
    if info.get("operation") == _OUTCOME:
        words = words[1:]
    asked = " ".join(words).replace("_", " ") or "operation"
    return one_line(" → ".join(filter(None, (asked, _driver_answer(info)))), LABEL_MAX)


def _driver_answer(info: dict[str, Any]) -> str:
    if info.get("error"):
        return f"error: {info['error']}"
    answer = info.get("result") or info.get("status")
    if isinstance(answer, dict):
        parts = (answer.get("status"), answer.get("code"), _gist(answer.get("payload")))
        return " · ".join(str(part) for part in parts if part)
    return str(answer or "")


def _note_label(record: TraceRecord) -> str:
    if record.text:
        return one_line(record.text, LABEL_MAX)
    return one_line("; ".join(f"{name}: {_brief(value)}" for name, value in record.info.items()) or "note", LABEL_MAX)


def _brief(value: Any) -> str:
    return value if isinstance(value, str) else encode_json(value)[: LABEL_MAX * 2]
