"""A kind of log that Plugstorm does not know, described by a regular expression of the person who has it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from analysis.model import Direction, Side, Traits
from analysis.readers.contract import Lines
from analysis.readers.lines import LineFormat, LineReader
from config.errors import ConfigError
from config.words import hint
from config.yaml_files import read_yaml
from ocppj.errors import UsageError, as_usage_error

__all__ = ["explain", "read_format_file"]

_KEYS: Final = {
    "name": "a word for the format",
    "frame": "pattern with the groups `frame`, and `time`, `station`, `direction`, `connection`, `version` if any",
    "to_csms": "what the group `direction` holds where the charge point sent the frame",
    "to_station": "what it holds where the CSMS sent it",
    "time_format": "how strptime reads the group `time`, where it is unusual",
    "opened": "pattern of a line that tells of a new connection",
    "closed": "pattern of a line that tells of its end; its group `code` is the Close code",
    "taken_at": "csms or charge-point: who wrote the log",
}
_LISTS: Final = ("to_csms", "to_station")


@as_usage_error(ConfigError)
def read_format_file(path: Path) -> LineReader:
    """Read the description of a format; raises `UsageError` that names file and key."""
    told, location = read_yaml(path, "description of a format")
    if not isinstance(told, dict):
        raise UsageError(f"{path} holds no settings; it needs at least `frame: PATTERN`")
    for key in told:
        if key not in _KEYS:
            raise location.below(str(key)).error(f"{key!r} is not a setting; {hint(str(key), _KEYS)}")
    return LineReader(_line_format(path, told))


def _line_format(path: Path, told: dict[str, Any]) -> LineFormat:
    frame = _pattern(path, told, "frame")
    if frame is None or "frame" not in frame.groupindex:
        raise UsageError(f"{path}: `frame` needs a pattern with the group (?P<frame>…)")
    if "direction" in frame.groupindex:
        frame = re.compile(frame.pattern.replace("(?P<direction>", "(?P<arrow>"))
    arrows = dict.fromkeys(_words(path, told, "to_csms"), Direction.TO_CSMS)
    arrows |= dict.fromkeys(_words(path, told, "to_station"), Direction.TO_STATION)
    taken_at = told.get("taken_at")
    if taken_at not in (None, "csms", "charge-point"):
        raise UsageError(f"{path}: `taken_at` is csms or charge-point, not {taken_at!r}")
    closed = _pattern(path, told, "closed")
    return LineFormat(
        name=str(told.get("name") or path.stem),
        title=f"described by {path.name}",
        traits=Traits(
            taken_at=None if taken_at is None else Side(taken_at), logged_late=True, connections=closed is not None
        ),
        frame=frame,
        arrows=arrows,
        opened=_pattern(path, told, "opened"),
        closed=closed,
        time_format=str(told.get("time_format") or ""),
    )


def _pattern(path: Path, told: dict[str, Any], key: str) -> re.Pattern[str] | None:
    text = told.get(key)
    if text is None:
        return None
    if not isinstance(text, str):
        raise UsageError(f"{path}: `{key}` is a pattern in quotes, not {text!r}")
    try:
        return re.compile(text)
    except re.error as error:
        raise UsageError(f"{path}: `{key}` is not a regular expression: {error}") from None


def _words(path: Path, told: dict[str, Any], key: str) -> list[str]:
    words = told.get(key, [])
    words = [words] if isinstance(words, str) else words
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UsageError(f"{path}: `{key}` is a word or a list of words, not {words!r}")
    return words


def explain(reader: LineReader, lines: Lines, *, most: int) -> Iterator[str]:
    """Say of each of the first lines what the patterns find in it, for a person who writes them."""
    form = reader.form
    for number, line in lines:
        if number > most:
            return
        match = form.frame.search(line)
        if match is None:
            event = next(
                (
                    name
                    for name, pattern in (("opened", form.opened), ("closed", form.closed))
                    if pattern is not None and pattern.search(line)
                ),
                None,
            )
            yield f"{number}: {f'matches `{event}`' if event else 'no pattern matches'}"
            continue
        groups = match.groupdict()
        arrow = groups.pop("arrow", None)
        if arrow is not None:
            way = form.arrows.get(arrow)
            groups["direction"] = arrow if way is not None else f"{arrow} (neither in to_csms nor in to_station)"
        told = ", ".join(f"{name}={value!r:.60}" for name, value in groups.items() if value is not None)
        yield f"{number}: {told}"
