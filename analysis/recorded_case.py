"""A conversation of a log as a script that can be played again: what stays, what is new each time, what is expected.

Times, tokens and the ids of transactions are new in every play, so that `$now`, `$token1` and `$transaction1` stand
for them. What is expected of the CSMS is what the log shows, except where a rule was broken: there it shall be right.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec

from analysis.findings_model import Judged
from analysis.model import Direction, Event, Record, Side
from analysis.readers.frames import decode
from analysis.readers.times import read_time
from analysis.safe_frames import safe_frame
from ocppj.actions import ACTIONS
from ocppj.schemas import validator
from ocppj.versions import Version

__all__ = ["NOW", "TOKEN", "TRANSACTION", "Conversations", "RecordedCase", "Step", "placeholders"]

NOW, TOKEN, TRANSACTION = "$now", "$token", "$transaction"
_STATUSES: Final = ("status", "idTagInfo.status", "idTokenInfo.status")
_TOKEN_FIELDS: Final = frozenset({"idTag", "idToken"})
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*")
_SAME_TIME: Final = 60.0
"""Seconds by which a time may differ from the present and still mean it."""
_MOST_FRAMES: Final = 400
_MOST_STATIONS: Final = 500
_AFTER: Final = 40
"""Frames that are still taken after the first finding."""
_REGISTERS: Final = "BootNotification"
"""The station of a case has registered before its script begins."""
_VERSIONS: Final = {str(version): version for version in Version}


class Step(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One CALL of either side."""

    by: Literal["station", "csms"]
    action: str
    payload: dict[str, Any] = {}
    answer: dict[str, Any] = {}
    """Of the CSMS: the fields that are expected, by their paths. Of the station: what it answers."""
    refuse: list[str] = []
    """Code and description of a CALLERROR of the station, instead of an answer."""
    line: int = 0
    """Where the log has it."""

    def __post_init__(self) -> None:
        """Refuse what cannot be played."""
        if self.refuse and (self.by == "station" or len(self.refuse) != 2):  # noqa: PLR2004 - code, description
            raise ValueError("`refuse` holds code and description of a CALLERROR of the station to a CALL of the CSMS")


class RecordedCase(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A script; the file that `--to-case` writes and `plugstorm interop --recorded` plays."""

    id: str
    title: str
    ocpp: str
    tokens: dict[str, str] = {}
    """What the CSMS shall say of each token, by the names without `$`."""
    steps: list[Step]
    left_out: list[str] = []
    """What of the conversation cannot be played, and why."""

    def __post_init__(self) -> None:
        """Refuse what no version has."""
        if self.ocpp not in _VERSIONS:
            raise ValueError(f"`ocpp` is one of {', '.join(_VERSIONS)}")
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{2,59}", self.id):
            raise ValueError("`id` is 3 to 60 letters, digits and underscores, and begins with a letter")
        for step in self.steps:
            known = ACTIONS[self.version].get(step.action)
            if known is None or not (known.by_station if step.by == "station" else known.by_csms):
                raise ValueError(f"`steps`: the {step.by} sends no {step.action} in OCPP {self.ocpp}")

    @property
    def version(self) -> Version:
        """Return the version as the tables name it."""
        return _VERSIONS[self.ocpp]


class _Frame(NamedTuple):
    line: int
    at: float | None
    direction: Direction
    text: str


class Conversations:
    """Keeps the last frames of each station until one breaks a rule; then that conversation is taken."""

    def __init__(self, wanted: str | None) -> None:
        """Take the conversation of a station, or of the first with a finding about the CSMS."""
        self._recent: OrderedDict[str, deque[_Frame]] = OrderedDict()
        self._left: int | None = None
        """How many more frames of the station are taken; None while nothing was found."""
        self._broken: set[int] = set()
        self.station: str | None = wanted

    def found(self, finding: Judged) -> None:
        """Take a finding; the first one of the CSMS chooses the station where nobody named one."""
        if finding.side is not Side.CSMS or (self.station is not None and finding.station != self.station):
            return
        self._broken.add(finding.line)
        if self._left is None:
            self.station, self._left = finding.station, _AFTER

    def take(self, record: Record) -> None:
        """Take a record that was judged."""
        if record.event is not Event.FRAME or record.direction is None or record.value is None:
            return
        if self.station is not None and record.station != self.station:
            return
        if self._left is not None:
            if self._left <= 0:
                return
            self._left -= 1
        recent = self._recent.get(record.station)
        if recent is None:
            recent = self._recent[record.station] = deque(maxlen=_MOST_FRAMES + _AFTER)
            if len(self._recent) > _MOST_STATIONS:
                self._recent.popitem(last=False)
        recent.append(_Frame(record.line, record.at, record.direction, record.text))

    def case(self, log: str, spoken: Mapping[str, Sequence[Version]]) -> RecordedCase | None:
        """Write the conversation that was taken, from its last registration on; None where there is none.

        `spoken` names the versions of each station.
        """
        if self.station is None and self._recent:
            self.station = next(iter(self._recent))
        frames = self._recent.get(self.station or "")
        if not frames:
            return None
        versions = spoken.get(self.station or "")
        return _Writer(list(frames), versions[-1] if versions else Version.V16, self._broken).case(log)


class _Open(NamedTuple):
    step: Step
    line: int


class _Writer:
    """Turns frames into steps."""

    def __init__(self, frames: list[_Frame], version: Version, broken: Collection[int]) -> None:
        self._frames = frames
        self._version = version
        self._broken = broken
        self._tokens: dict[str, str] = {}
        self._statuses: dict[str, str] = {}
        self._transactions: dict[Any, str] = {}
        self._clock: float | None = None
        """What the clocks of the conversation show more than the log."""
        self._at: float | None = None
        self._left_out: list[str] = []

    def case(self, log: str) -> RecordedCase:
        begin = max((n for n, frame in enumerate(self._frames) if _action(frame) == _REGISTERS), default=0)
        steps: list[Step] = []
        waiting: dict[tuple[Direction, str], _Open] = {}
        for frame in self._frames[begin:]:
            value = decode(safe_frame(frame.text))
            self._at = frame.at
            self._learn_clock(value)
            if not isinstance(value, list) or len(value) < 3 or not isinstance(value[1], str):  # noqa: PLR2004 - a frame
                self._left_out.append(f"line {frame.line}: it is no frame that can be read")
            elif value[0] == 2 and len(value) == 4:  # noqa: PLR2004 - a CALL
                step = self._call(frame, value[2], value[3])
                if step is not None:
                    steps.append(step)
                    waiting[frame.direction, value[1]] = _Open(step, frame.line)
            else:
                known = waiting.pop((frame.direction.back, value[1]), None)
                if known is not None:
                    self._answer(known, frame, value)
        return RecordedCase(
            id="RECORDED_" + (re.sub(r"[^A-Za-z0-9]+", "_", log.partition(".")[0]).strip("_").upper()[:40] or "LOG"),
            title=f"The conversation of {log}, lines {self._frames[begin].line} to {self._frames[-1].line}",
            ocpp=str(self._version),
            tokens={name: self._statuses.get(name, "Accepted") for name in self._tokens.values()},
            steps=steps,
            left_out=self._left_out,
        )

    def _learn_clock(self, value: Any) -> None:
        """Learn what both sides call now: from `currentTime` of the CSMS, and from the station until that is known."""
        body = value[-1] if isinstance(value, list) and value else None
        if self._at is None or not isinstance(body, dict):
            return
        told = body.get("currentTime") or (body.get("timestamp") if self._clock is None else None)
        if isinstance(told, str):
            try:
                self._clock = read_time(told)[0] - self._at
            except (ValueError, OverflowError):
                return

    def _call(self, frame: _Frame, action: object, payload: object) -> Step | None:
        by_station = frame.direction is Direction.TO_CSMS
        known = ACTIONS[self._version].get(action) if isinstance(action, str) else None
        if action == _REGISTERS and by_station:
            return None
        if not isinstance(action, str) or known is None or not (known.by_station if by_station else known.by_csms):
            self._left_out.append(f"line {frame.line}: the action is not one of its side in OCPP {self._version}")
            return None
        if not isinstance(payload, dict) or not validator(self._version, action, "request").is_valid(payload):
            self._left_out.append(f"line {frame.line}: {action} does not fit its schema")
            return None
        if by_station and self._names_unknown_transaction(action, payload):
            self._left_out.append(f"line {frame.line}: {action} is about a transaction that began before")
            return None
        return Step(
            by="station" if by_station else "csms",
            action=action,
            payload=self._value(payload, ""),
            line=frame.line,
        )

    def _names_unknown_transaction(self, action: str, payload: dict[str, Any]) -> bool:
        info = payload.get("transactionInfo")
        if isinstance(info, dict):
            begins = action == "TransactionEvent" and payload.get("eventType") == "Started"
            return not begins and info.get("transactionId") not in self._transactions
        number = payload.get("transactionId")
        return number is not None and number not in self._transactions

    def _answer(self, known: _Open, frame: _Frame, value: list[Any]) -> None:
        step = known.step
        if step.by == "csms":
            if value[0] == 3 and isinstance(value[2], dict):  # noqa: PLR2004 - a CALLRESULT
                step.answer = self._value(value[2], "")
            elif value[0] == 4:  # noqa: PLR2004 - a CALLERROR
                step.refuse = [str(value[2]), str(value[3]) if len(value) > 3 else ""]  # noqa: PLR2004 - its description
            return
        if value[0] != 3 or not isinstance(value[2], dict):  # noqa: PLR2004 - a CALLRESULT
            return
        answer = value[2]
        number = answer.get("transactionId")
        if step.action == "StartTransaction" and type(number) is int:
            self._transactions[number] = f"{TRANSACTION}{len(self._transactions) + 1}"
            # Not expected, but kept: the next steps name it.
            step.answer = {"transactionId": self._transactions[number]}
        if {known.line, frame.line} & set(self._broken):
            return
        found = {path: _at(answer, path) for path in _STATUSES}
        step.answer |= {path: status for path, status in found.items() if isinstance(status, str)}
        self._note_token(step, found)

    def _note_token(self, step: Step, found: Mapping[str, Any]) -> None:
        status = found["idTagInfo.status"] or found["idTokenInfo.status"]
        token = step.payload.get("idTag") or _at(step.payload, "idToken.idToken")
        if isinstance(status, str) and isinstance(token, str) and token.startswith(TOKEN):
            # A token that is busy elsewhere is a good one.
            self._statuses.setdefault(token[1:], "Accepted" if status == "ConcurrentTx" else status)

    def _value(self, value: Any, name: str) -> Any:
        """Copy a value with names for what is new in every play."""
        if isinstance(value, dict):
            return {key: self._value(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [self._value(item, name) for item in value]
        if name == "transactionId" and isinstance(value, int | str):
            return self._transaction(value)
        if not isinstance(value, str):
            return value
        if name in _TOKEN_FIELDS:
            return "$" + self._tokens.setdefault(value, f"{TOKEN[1:]}{len(self._tokens) + 1}")
        if _TIME.fullmatch(value):
            return self._time(value)
        return f"${value}" if value.startswith("$") else value

    def _transaction(self, value: int | str) -> int | str:
        if isinstance(value, str):
            return self._transactions.setdefault(value, f"{TRANSACTION}{len(self._transactions) + 1}")
        return self._transactions.get(value, value)

    def _time(self, text: str) -> str:
        try:
            told = read_time(text)[0]
        except (ValueError, OverflowError):
            return text
        if self._at is None:
            return NOW
        shift = told - self._at - (self._clock or 0.0)
        return NOW if abs(shift) < _SAME_TIME else f"{NOW}{shift:+.0f}"


def _action(frame: _Frame) -> object:
    value = decode(frame.text)
    is_call = isinstance(value, list) and len(value) == 4 and value[0] == 2  # noqa: PLR2004 - a CALL
    return value[2] if is_call else None


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def placeholders(value: Any) -> Iterator[str]:
    """List the names in a payload that stand for something new."""
    if isinstance(value, dict):
        for item in value.values():
            yield from placeholders(item)
    elif isinstance(value, list):
        for item in value:
            yield from placeholders(item)
    elif isinstance(value, str) and value.startswith("$") and not value.startswith("$$"):
        yield value
