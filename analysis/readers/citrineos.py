"""CitrineOS writes messages as JavaScript shows objects, over several lines, and without the frame that was sent."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from analysis.model import Direction, Event, Record, Side, Traits, Unread
from analysis.readers.contract import Lines
from analysis.readers.lines import TIME
from analysis.readers.times import Clock
from ocppj.versions import rules_for_subprotocol

__all__ = ["CitrineReader", "javascript_to_json"]

_PUBLISHED = re.compile(rf"(?P<time>{TIME}) .*?Publishing to \S+ (?P<rest>\{{.*)", re.DOTALL)
_PROCESSED = re.compile(
    rf"(?P<time>{TIME}) .*?Process (?P<kind>Call|CallResult|CallError) (?P<station>\S+) (?P<rest>\S.*)",
    re.DOTALL,
)
_OPENED = re.compile(
    rf"(?P<time>{TIME}) .*?Client websocket connected (?P<station>\S+)(?: \S+ \d+ (?P<protocol>ocpp\S+))?"
)
_CLOSED = re.compile(rf"(?P<time>{TIME}) .*?Connection closed for (?P<station>\S+)")
_BEGINS = re.compile(rf"(?:[\w.-]+ +\| )?(?:{TIME} )?{TIME} +[A-Z]+ ")
_WRAP = re.compile(r"(?:[\w.-]+ +\| ?|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z? (?= |[\]}\[{'\"]|$))+")
_TENANT = re.compile(r"^\d+:")
_TOKENS = re.compile(
    r"'(?P<single>(?:[^'\\]|\\.)*+)'|\"(?P<double>(?:[^\"\\]|\\.)*+)\"|`(?P<back>(?:[^`\\]|\\.)*+)`"
    r"|(?P<key>[A-Za-z_$][\w$]*)(?=\s*:)|(?P<nothing>undefined|NaN|Infinity)"
    r"|(?P<left_out>\[(?:Object|Array|Circular)[^\]]*\]|\.\.\. \d+ more \w+)"
)
_REMEMBERED: Final = 512
_MOST_LINES: Final = 2_000


def javascript_to_json(text: str) -> tuple[Any, bool]:
    """Read what `util.inspect` wrote; returns the value, or None, and whether Node left a part of it out."""
    left_out = False

    def translate(match: re.Match[str]) -> str:
        nonlocal left_out
        kind = match.lastgroup or ""
        if kind == "key":
            return f'"{match[kind]}"'
        if kind == "nothing":
            return "null"
        if kind == "left_out":
            left_out = True
            return "null"
        inner = match[kind]
        if kind != "double":
            inner = inner.replace("\\'", "'").replace("\\`", "`").replace('"', '\\"')
        return f'"{inner}"'

    try:
        return msgspec.json.decode(_TOKENS.sub(translate, text)), left_out
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None, left_out


class CitrineReader:
    """Reads the console of CitrineOS."""

    name = "citrineos"
    title = "CitrineOS, log level debug"
    traits = Traits(taken_at=Side.CSMS, logged_late=True)

    def likeness(self, head: Sequence[str]) -> int:
        """Count lines of its logger that tell of messages and connections."""
        count = 0
        for line in head:
            plain = line.replace("\t", " ")
            if "CitrineOS Logger:" in plain:
                known = any(pattern.search(plain) for pattern in (_PUBLISHED, _PROCESSED, _OPENED, _CLOSED))
                count += 3 if known else 1
        return count

    def read(self, lines: Lines, station: str) -> Iterator[Record | Unread]:
        """Read a file; every record ends where the next one begins."""
        reading = _Reading(station)
        parts: list[str] = []
        first = 0
        for number, raw in lines:
            line = re.sub(r"\x1b\[[0-9;]*m", "", raw).replace("\t", " ")
            if _BEGINS.match(line):
                if first:
                    yield from reading.take(first, parts)
                first, parts = number, [line]
            elif len(parts) < _MOST_LINES:
                parts.append(_WRAP.sub("", line, count=1))
        if first:
            yield from reading.take(first, parts)


class _Reading:
    """One file that is being read."""

    def __init__(self, station: str) -> None:
        self._station = station
        self._clock = Clock()
        # The router and the queue tell of the same message.
        self._seen: deque[tuple[object, ...]] = deque(maxlen=_REMEMBERED)

    def take(self, line: int, parts: list[str]) -> Iterator[Record | Unread]:
        text = "\n".join(parts)
        head = parts[0]
        if "Publishing to" in head:
            yield from self._published(line, text)
        elif "Process Call" in head:
            yield from self._processed(line, text)
        else:
            for pattern, event in ((_OPENED, Event.OPENED), (_CLOSED, Event.CLOSED)):
                match = pattern.search(head)
                if match is not None:
                    rules = rules_for_subprotocol(match.groupdict().get("protocol"))
                    yield Record(
                        event=event,
                        line=line,
                        at=self._clock.read(match["time"]),
                        station=_TENANT.sub("", match["station"]),
                        version=None if rules is None else rules.version,
                    )

    def _published(self, line: int, text: str) -> Iterator[Record | Unread]:
        match = _PUBLISHED.search(text)
        value, left_out = javascript_to_json(match["rest"]) if match else (None, False)
        match value:
            case {"origin": str(origin), "action": str(action), "context": dict(context), "payload": payload, **rest}:
                pass
            case _:
                yield Unread(line, text, "an object of CitrineOS that cannot be read")
                return
        assert match is not None
        message_id = context.get("correlationId")
        name = context.get("stationId") or context.get("ocppConnectionName") or self._station
        if not isinstance(message_id, str) or not isinstance(name, str):
            yield Unread(line, text, "the message has no correlationId or no station")
            return
        frame: list[Any]
        match rest.get("state"):
            case 1:
                frame = [2, message_id, action, payload]
            case 2:
                frame = [3, message_id, payload]
            case state:
                yield Unread(line, text, f"a message in state {state}, which is neither a request nor a response")
                return
        protocol = rest.get("protocol")
        direction = Direction.TO_CSMS if origin == "cs" else Direction.TO_STATION
        yield from self._frame(line, match["time"], name, frame, direction, left_out=left_out, protocol=protocol)

    def _processed(self, line: int, text: str) -> Iterator[Record | Unread]:
        match = _PROCESSED.search(text)
        if match is None:
            return
        rest = match["rest"].strip()
        if rest.startswith("["):
            frame, left_out = javascript_to_json(rest)
        else:
            message_id, _, payload = rest.partition(" ")
            body, left_out = javascript_to_json(payload.strip() or "null")
            frame = [3, message_id, body] if match["kind"] == "CallResult" and isinstance(body, dict) else None
        if not isinstance(frame, list):
            yield Unread(line, text, "a message of CitrineOS that cannot be read")
            return
        yield from self._frame(line, match["time"], match["station"], frame, Direction.TO_CSMS, left_out=left_out)

    def _frame(
        self,
        line: int,
        time: str,
        name: str,
        frame: list[Any],
        direction: Direction,
        *,
        left_out: bool,
        protocol: object = None,
    ) -> Iterator[Record]:
        key = (name, direction, frame[0], frame[1] if len(frame) > 1 else None)
        if key in self._seen:
            return
        self._seen.append(key)
        rules = rules_for_subprotocol(protocol if isinstance(protocol, str) else None)
        text = msgspec.json.encode(frame).decode()
        yield Record(
            line=line,
            at=self._clock.read(time),
            station=_TENANT.sub("", name),
            direction=direction,
            text=text[:-1] if left_out else text,
            value=None if left_out else frame,
            cut=left_out,
            version=None if rules is None else rules.version,
        )
