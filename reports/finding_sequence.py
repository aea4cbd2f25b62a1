"""The frames around a finding as a sequence diagram: charge point, network where it is to blame, and CSMS.

It is as wide as a telephone, and grows with nothing; colours come from the style sheet of the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
from markupsafe import Markup

from analysis.findings_model import FrameSeen, Judged
from analysis.guess import head_of
from analysis.model import Direction, Side
from analysis.safe_frames import safe_frame
from evidence.visible import one_line
from ocppj.trace import wall_clock
from reports.svg import el
from reports.words import plural

__all__ = ["finding_svg", "frame_time"]

_WIDTH: Final = 440.0
_STATION_X, _CSMS_X = 112.0, 408.0
_NETWORK_X: Final = (_STATION_X + _CSMS_X) / 2
_CLOCK_X: Final = 84.0
_HEAD: Final = 24.0
_STEP: Final = 34.0
_BREAK: Final = 26.0
_CHARACTER: Final = 6.6
"""Width of an average character of a label."""
_ID: Final = 10
"""Characters of a message id that are shown."""
_LONG_GAP: Final = 10.0
"""Seconds between two frames above which the lines of life are broken."""
_LEAST_DATE: Final = 86_400.0 * 366
_CALL, _RESULT, _ERROR, _SEND = 2, 3, 4, 6
_EVENTS: Final = {
    "reconnect-loop": "the connection ends again",
    "closed-after-refusal": "the CSMS closes the connection",
    "closed-with-error": "the CSMS closes with code 1011",
    "handshake-crashed": "the handshake ends in an error",
    "subprotocol-not-offered": "another subprotocol is chosen",
    "idle-cut": "the connection is cut",
    "age-cut": "the connection is cut",
}
"""Rules that show in what happened to a connection, and not in a frame."""
_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, 86_400.0


class _Step(NamedTuple):
    """A frame as it is drawn."""

    shape: str
    label: str
    message_id: str
    lost: bool
    """Nobody on the other side is known to have got it."""


def frame_time(at: float) -> str:
    """Write a time of the day, or seconds where a log knows no date."""
    return wall_clock(at)[11:-1] if at > _LEAST_DATE else f"{at:.3f}"


def finding_svg(finding: Judged) -> Markup:
    """Draw the frames around a finding; the one that shows the fault stands out."""
    drawn: list[Markup] = []
    y = _HEAD
    before: float | None = None
    for frame, step in zip(finding.frames, _steps(finding), strict=True):
        gap = None if before is None or frame.at is None else frame.at - before
        if gap is not None and abs(gap) >= _LONG_GAP:
            drawn.append(_break(gap, y))
            y += _BREAK
        drawn.append(_arrow(finding, frame, step, y))
        y += _STEP
        before = frame.at if frame.at is not None else before
    if finding.rule in _EVENTS:
        if before is not None and finding.at is not None and abs(finding.at - before) >= _LONG_GAP:
            drawn.append(_break(finding.at - before, y))
            y += _BREAK
        drawn.append(_event(finding, _EVENTS[finding.rule], y))
        y += _STEP
    height = y + 8
    frame_around = [*_lanes(finding, height), *drawn]
    spoken = f"{plural(len(finding.frames), 'frame')} around line {finding.line}, listed as text beside it"
    return el(
        "svg", *frame_around, viewBox=f"0 0 {_WIDTH:g} {height:g}", role="img", aria_label=spoken, class_="sequence"
    )


def _lanes(finding: Judged, height: float) -> Iterator[Markup]:
    lanes = [(_STATION_X, "charge point", Side.STATION), (_CSMS_X, "CSMS", Side.CSMS)]
    if finding.side is Side.NETWORK:
        lanes.insert(1, (_NETWORK_X, "network", Side.NETWORK))
    for x, name, side in lanes:
        blamed = " blamed" if side is finding.side else ""
        yield el("line", x1=x, x2=x, y1=_HEAD - 4, y2=height, class_="lane")
        yield el("text", name, x=x, y=14, class_=f"lane-head{blamed}", text_anchor="middle")


def _steps(finding: Judged) -> Iterator[_Step]:
    """Name the frames; an answer bears the action of its CALL."""
    values = [_value(frame.text) for frame in finding.frames]
    actions: dict[tuple[Direction, str], str] = {}
    answered = {
        (frame.direction.back, value[1])
        for frame, value in zip(finding.frames, values, strict=True)
        if value[0] in (_RESULT, _ERROR)
    }
    for frame, (number, message_id, content, payload) in zip(finding.frames, values, strict=True):
        lost = False
        if number in (_CALL, _SEND):
            shape, label = "call", content or "CALL without an action"
            actions[frame.direction, message_id] = label
            lost = (
                finding.rule == "dead-connection"
                and number == _CALL
                and frame.line >= finding.line
                and (frame.direction, message_id) not in answered
            )
        elif number == _RESULT:
            shape, label = "result", _answer(actions.get((frame.direction.back, message_id)), payload)
        elif number == _ERROR:
            shape, label = "error", f"error: {content}" if content else "CALLERROR"
        else:
            shape, label = "unreadable", "not a frame of OCPP"
        yield _Step(shape, one_line(label, 60), one_line(message_id, 255), lost)


def _value(text: str) -> tuple[int, str, str, Any]:
    """Take a frame apart: its number, id, action or error code, and payload; a cut frame has its head alone."""
    try:
        value = msgspec.json.decode(safe_frame(text))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        value = None
    if isinstance(value, list) and len(value) > 2 and isinstance(value[1], str):  # noqa: PLR2004 - number, id, content
        number = value[0] if type(value[0]) is int else 0
        return number, value[1], value[2] if isinstance(value[2], str) else "", value[-1]
    number, message_id, content = head_of(text)
    return number, message_id, content or "", None


def _answer(action: str | None, payload: Any) -> str:
    status = _status(payload)
    return f"{action}: {status}" if action and status else action or status or "answer"


def _status(payload: Any) -> str:
    """Find the status that an answer is about; most have one at the most."""
    if not isinstance(payload, dict):
        return ""
    for place in (payload, payload.get("idTagInfo"), payload.get("idTokenInfo")):
        if isinstance(place, dict) and isinstance(place.get("status"), str):
            return one_line(place["status"], 30)
    return ""


def _arrow(finding: Judged, frame: FrameSeen, step: _Step, y: float) -> Markup:
    up = frame.direction is Direction.TO_CSMS
    start, end = (_STATION_X, _CSMS_X) if up else (_CSMS_X, _STATION_X)
    forward = 1.0 if up else -1.0
    if step.lost:
        end = _NETWORK_X
    tip, line = end - 2 * forward, y + 24
    parts = [el("title", f"line {frame.line}: {one_line(safe_frame(frame.text), 300)}")]
    if frame.marked:
        parts.append(el("rect", x=0, y=y, width=_WIDTH, height=_STEP, rx=4, class_="band"))
    if frame.at is not None:
        parts.append(el("text", frame_time(frame.at), x=_CLOCK_X, y=line - 3, class_="clock", text_anchor="end"))
    parts.append(el("text", f"line {frame.line}", x=_CLOCK_X, y=line + 8, class_="place", text_anchor="end"))
    parts.append(el("line", x1=start, x2=tip, y1=line, y2=line, class_="arrow"))
    if step.lost:
        parts.append(el("path", d=f"M{tip - 5} {line - 5}l10 10m0 -10l-10 10", class_="cross"))
    else:
        parts.append(el("path", d=f"M{tip} {line}l{-8 * forward} -4.5v9z", class_="tip"))
    parts.append(_label(step, line))
    marked = f" marked {finding.side}" if frame.marked else ""
    return el("g", *parts, class_=f"step {step.shape}{marked}")


def _label(step: _Step, line: float) -> Markup:
    message_id = step.message_id if len(step.message_id) <= _ID else step.message_id[: _ID - 1] + "…"
    room = int((_CSMS_X - _STATION_X - 20) / _CHARACTER) - len(message_id) - 1
    words = step.label if len(step.label) <= room else step.label[: room - 1] + "…"
    return el(
        "text",
        words,
        el("tspan", f" {message_id}", class_="id") if message_id else "",
        x=_NETWORK_X,
        y=line - 6,
        class_="label",
        text_anchor="middle",
    )


def _break(seconds: float, y: float) -> Markup:
    """Draw a break of the lines of life, and say how long it is."""
    words = f"{_span(abs(seconds))} {'pass' if seconds > 0 else 'back: the clock of the log steps'}"
    waves = [el("path", d=f"M{x - 7} {y + 16}l5 -6l4 6l5 -6", class_="wave") for x in (_STATION_X, _CSMS_X)]
    gaps = [el("rect", x=x - 3, y=y + 8, width=6, height=10, class_="gap") for x in (_STATION_X, _CSMS_X)]
    text = el("text", words, x=_NETWORK_X, y=y + 17, class_="pause", text_anchor="middle")
    return el("g", *gaps, *waves, text)


def _span(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h" if seconds < _DAY else f"{seconds / _DAY:.1f} days"


def _event(finding: Judged, words: str, y: float) -> Markup:
    """Draw what happened to the connection itself."""
    line = y + 20
    parts = [el("rect", x=0, y=y, width=_WIDTH, height=_STEP - 2, rx=4, class_="band")]
    if finding.at is not None:
        parts.append(el("text", frame_time(finding.at), x=_CLOCK_X, y=line - 2, class_="clock", text_anchor="end"))
    parts.append(el("text", f"line {finding.line}", x=_CLOCK_X, y=line + 9, class_="place", text_anchor="end"))
    parts.append(el("line", x1=_STATION_X, x2=_CSMS_X, y1=line, y2=line, class_="cut"))
    parts.append(el("text", words, x=_NETWORK_X, y=line - 5, class_="label", text_anchor="middle"))
    return el("g", *parts, class_=f"step marked {finding.side}")
