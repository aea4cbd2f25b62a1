"""What one station and its CSMS said to each other: who waits for what, on which connection, in which version.

`take_frame` and `take_event` are called in the order of the log and keep nothing that grows with its length.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from analysis.checks import Checks
from analysis.guess import direction_of_action, guess_version, head_of
from analysis.listener import Listener, SeenFrame
from analysis.message_ids import IDS_START_ANEW, UsedIds
from analysis.model import Direction, Event, Record, Side, Traits
from analysis.rulebook.contract import ActionChecks, Exchange, Payload, Watcher
from analysis.rulebook.envelope import check_keys, look_closely, say_id
from analysis.rulebook.links import Link, LinkWatcher, Way
from analysis.rulebook.payloads import explain_payload
from analysis.rulebook.registration import RegistrationWatcher
from analysis.rulebook.table import RULES as TABLE
from analysis.waiting import Waiting
from ocppj.actions import ACTIONS
from ocppj.registration import Registration
from ocppj.versions import RULES, Rules, Version

__all__ = ["Dialogue"]

_MOST_WAITING: Final = 200
"""Records that wait until one of them shows the version."""
_RECENT: Final = 5
_SHOWN_TEXT: Final = 4_000
_ORDERLY_REFUSALS: Final = frozenset(
    {"Rejected", "NotSupported", "NotImplemented", "UnlockFailed", "Failed", "Faulted", "Occupied", "Unavailable"}
)
_encode = msgspec.json.encode
_GUESSED_FIRST: Final[Mapping[Version, Version]] = {Version.V201: Version.V21}
"""A version that is guessed from messages that a newer one has as well, and that newer one."""
_LATE_LOG: Final = 1.0
"""Seconds by which threads may write their lines in another order than they worked."""
_LEAST_SILENCE: Final = 30.0
_CALL, _RESULT, _ERROR = 2, 3, 4
_STATION, _CSMS, _UP = Side.STATION, Side.CSMS, Direction.TO_CSMS
_ACCEPTED: Final = Registration.ACCEPTED


class Dialogue:
    """One station. What the checks see of it is `rulebook.contract.StationView`."""

    __slots__ = (
        "_asked_of_csms", "_asked_of_station", "_checks", "_clock_offset", "_delayed", "_following", "_forced", "_ids",
        "_link", "_listener", "_make_watchers", "_registering", "_sets", "_told", "_version", "_waiting", "at", "boots",
        "first", "frames", "heard", "last", "line", "links", "name", "recent", "registration", "rules", "traits",
        "versions",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        listener: Listener,
        watchers: dict[Version, Callable[[Dialogue], list[Watcher]]],
        *,
        timeout: float,
        version: Version | None,
    ) -> None:
        """Begin before its first record; `timeout` in seconds; `version` where a person names it."""
        self.name = name
        self.at: float | None = None
        self.line = 0
        self.traits = Traits()
        self.rules: Rules = RULES[version or Version.V16]
        self.registration = Registration.UNKNOWN
        self.boots = 0
        self.versions: list[Version] = []
        self.frames = 0
        self.first: float | None = None
        self.last: float | None = None
        self.recent: deque[SeenFrame] = deque(maxlen=_RECENT)
        self.heard: set[Side] = set()
        """The sides of which the log holds anything."""
        self._listener = listener
        self._make_watchers = watchers
        self._forced = version
        self._version: Version | None = version
        self._told = version is not None
        """The log or a person named the version; it is not a guess."""
        self._delayed: list[Record] = []
        """Until one of them shows the version."""
        self._sets: dict[Version, Checks] = {}
        self._checks: Checks | None = None
        self._asked_of_station: Mapping[str, ActionChecks] = {}
        """What is asked of the actions of the station; those that were not seen yet are made when they are."""
        self._asked_of_csms: Mapping[str, ActionChecks] = {}
        self._ids: dict[Side, UsedIds[str, int]] = {_STATION: UsedIds(), _CSMS: UsedIds()}
        """The message ids that a side used last, each with the hash of its CALL."""
        self._link = Link("", 0, None)
        self._following: list[tuple[list[SeenFrame], int]] = []
        self._clock_offset: float | None = None
        self._registering = RegistrationWatcher(self)
        self._waiting = Waiting(self, timeout)
        self.links = LinkWatcher(self)
        if version is not None:
            self._settle(version, told=True)

    # -- what the checks see ---------------------------------------------------------------------------------------

    @property
    def version(self) -> Version:
        """Return the version of the connection."""
        return self._version or Version.V16

    @property
    def known_version(self) -> Version | None:
        """Return the version, where it is known."""
        return self._version

    @property
    def connection(self) -> int:
        """Count the connections up to this one."""
        return self._link.number

    def find(self, rule: str, detail: str, *, side: Side | None = None, about: Exchange | None = None) -> None:
        """Say that a rule is broken."""
        blamed = side or _sole_side(rule)
        self._link.findings[blamed] += 1
        where = (self.line, self.at) if about is None else (about.line, about.at)
        frames = self._listener.found(self, rule, blamed, detail, where)
        if frames is None:
            return
        if about is not None and all(seen[0] != about.line for seen in frames):
            frames.insert(0, _call_again(about))
        self._following.append((frames, 3))

    def lose(self, connector: object, side: Side, reason: str, line: int) -> None:
        """Say that a charging session was lost, and which line shows it."""
        self._listener.lost(self, connector if isinstance(connector, int) else 0, side, reason, line)

    def csms_time(self) -> float | None:
        """Return what the clock of the CSMS shows now, as far as its answers tell."""
        if self.at is None or self._clock_offset is None:
            return None
        return self.at + self._clock_offset

    def set_csms_time(self, seconds: float) -> None:
        """Take what the clock of the CSMS shows."""
        if self.at is not None:
            self._clock_offset = seconds - self.at

    @property
    def transactions(self) -> int:
        """Count the transactions that began."""
        return sum(watcher.transactions for checks in self._sets.values() for watcher in checks.watchers)

    def in_gap(self) -> bool:
        """Return whether lines nearby could not be read, so that nothing follows from what is missing."""
        return self.line - self._listener.last_gap < _GAP_LINES and self._listener.last_gap > 0

    # -- records ---------------------------------------------------------------------------------------------------

    def take_event(self, record: Record) -> None:
        """Take an opening, an end or a refusal of a connection."""
        if record.version is not None and self._forced is None:
            self._settle(record.version, told=True)
        if self._version is None:
            self._wait_for_version(record)
        else:
            self._moved(record)

    def take_frame(self, record: Record) -> bool:
        """Take a frame; returns False where nobody can tell which way it went."""
        if record.direction is None:
            record.direction = self._way_of(record)
            if record.direction is None:
                return False
        if self._version is None or (record.version is not None and record.version is not self._version):
            self._learn_version(record)
        else:
            self._frame(record)
        return True

    def finish(self) -> None:
        """Take the end of the log."""
        if self._delayed:
            self._settle(Version.V16, told=False)
        self.links.finish(self._link)

    def _learn_version(self, record: Record) -> None:
        version = self._forced or record.version or guess_version(record.value)
        if version is None:
            self._wait_for_version(record)
        else:
            self._settle(version, told=self._forced is not None or record.version is not None)
            self._frame(record)

    def _wait_for_version(self, record: Record) -> None:
        self._delayed.append(record)
        if len(self._delayed) >= _MOST_WAITING:
            self._settle(Version.V16, told=False)

    def _settle(self, version: Version, *, told: bool) -> None:
        # Watchers look at the version when they are made.
        self._version, self._told = version, told
        if version not in self._sets:
            self._sets[version] = Checks(version, self._make_watchers[version](self), self._listener.figures)
            self.versions.append(version)
        self._checks = checks = self._sets[version]
        self._asked_of_station, self._asked_of_csms = checks.made_for(_STATION), checks.made_for(_CSMS)
        self.rules = RULES[version]
        delayed, self._delayed = self._delayed, []
        for record in delayed:
            if record.event is Event.FRAME:
                self._frame(record)
            else:
                self._moved(record)

    def _way_of(self, record: Record) -> Direction | None:
        value = record.value
        if type(value) is not list or len(value) < 3:  # noqa: PLR2004 - number, id and a content
            return None
        if value[0] == _CALL:
            return direction_of_action(value[2])
        if isinstance(value[1], str):
            for way, direction in ((self._link.station, Direction.TO_STATION), (self._link.csms, Direction.TO_CSMS)):
                if value[1] in way.open:
                    return direction
        return None

    def _moved(self, record: Record) -> None:
        self.at, self.line = record.at, record.line
        if record.at is not None and not self._link.over:
            self._waiting.expire(self._link, None, record.at)
        if record.event is Event.OPENED:
            self.links.ended(self._link, record, replaced=True)
            self._link = self.links.opened(record)
            self._registering.opened()
            if IDS_START_ANEW[self.version]:
                self._ids[_STATION].clear()
                self._ids[_CSMS].clear()
        elif record.event is Event.CLOSED:
            if not record.connection or record.connection == self._link.key:
                self.links.ended(self._link, record)
        else:
            self.links.refused(record)

    def _enter_link(self, record: Record) -> Link:
        self.links.ended(self._link, record, replaced=True)
        self._link = self.links.opened(record, told=False)
        if self.traits.own_stations and record.direction is _UP:
            self.find("no-handshake", "a frame on a connection that is not open")
        return self._link

    def _frame(self, record: Record) -> None:  # noqa: C901, PLR0912 - every frame of a log passes here
        at = record.at
        self.at, self.line = at, record.line
        self.frames += 1
        link = self._link
        if link.over or record.connection != link.key:
            link = self._enter_link(record)
        direction, text = record.direction, record.text
        assert direction is not None
        seen = (record.line, at, direction, text if len(text) <= _SHOWN_TEXT else text[:_SHOWN_TEXT] + "…")
        self.recent.append(seen)
        if self._following:
            self._follow(seen)
        if direction is _UP:
            way = link.station
        else:
            way = link.csms
            link.refusal = ""
        if at is not None:
            if self.first is None:
                self.first = at
            elif self.last is not None and at < self.last - _LATE_LOG:
                # The clock of the log stepped back, or another day began: what it was compared with is worth nothing.
                self._clock_offset = None
            self.last = link.last_at = at
            if at > link.look_at or link.expired:
                self._waiting.expire(link, way.sender, at)
            before, way.spoke_at = way.spoke_at, at
            if before is not None and at - before >= _LEAST_SILENCE and way is link.station:
                self._measure_silence(link, at - before)
        if not way.said:
            self.heard.add(way.sender)
        way.said += 1
        value = record.value
        if type(value) is list and len(value) > 2 and type(value[0]) is int and type(value[1]) is str:  # noqa: PLR2004
            message_id, content = value[1], value[-1]
            # A dictionary is by far the most frequent payload; whatever else stands there is looked at closely.
            if type(content) is dict:
                if value[0] == _RESULT and len(value) == 3:  # noqa: PLR2004 - the elements of a CALLRESULT
                    if len(_encode(value)) != len(text):
                        check_keys(self, way.sender, value, text)
                    self._result(link, way.sender, message_id, content)
                    return
                if value[0] == _CALL and len(value) == 4 and type(value[2]) is str:  # noqa: PLR2004 - those of a CALL
                    if len(_encode(value)) != len(text):
                        check_keys(self, way.sender, value, text)
                    if not 0 < len(message_id) <= self.rules.message_id_max:
                        say_id(self, way.sender, message_id)
                    self._call(link, way, message_id, value[2], content, text=text)
                    return
        self._odd(link, way, record)

    def _measure_silence(self, link: Link, seconds: float) -> None:
        if self._checks is None or not (link.told or link.key):
            return
        for watcher in self._checks.watchers:
            watcher.silence(seconds)

    def _follow(self, seen: SeenFrame) -> None:
        for frames, _ in self._following:
            frames.append(seen)
        self._following = [(frames, left - 1) for frames, left in self._following if left > 1]

    # -- CALLs -----------------------------------------------------------------------------------------------------

    def _call(self, link: Link, way: Way, message_id: str, action: str, payload: Payload | None, *, text: str) -> None:
        sender = way.sender
        asked = (self._asked_of_station if sender is _STATION else self._asked_of_csms).get(action)
        if asked is None:
            asked = self._first(sender, action)
        exchange = Exchange(message_id, action, payload, self.at, self.line, sender, asked)
        asked.figures.calls += 1
        if payload is not None:
            self._check_id(sender, message_id, action, text)
        self._waiting.begin(link, way, exchange)
        if not asked.allowed:
            if asked.known is None:
                self._say_unknown(action, sender)
            else:
                self.find("wrong-direction", f"the {sender.words} sends {action}", side=sender)
            return
        if self.registration is not _ACCEPTED or sender is _CSMS or action == "BootNotification":
            self._registering.called(exchange)
        if payload is None:
            return
        if asked.empty_call if not payload else asked.fits_call(payload):
            exchange.valid = True
            exchange.clean = 0 < len(message_id) <= self.rules.message_id_max
        elif explain_payload(self, sender, action, "request", payload):
            return
        exchange.valid = True
        for check in asked.calls:
            check(exchange)

    def _first(self, sender: Side, action: str) -> ActionChecks:
        """Return what is asked of an action that a side sends for the first time; a guessed version may be too old."""
        newer = _GUESSED_FIRST.get(self.version)
        if not self._told and newer is not None and action in ACTIONS[newer] and action not in ACTIONS[self.version]:
            self._settle(newer, told=False)
        assert self._checks is not None
        return self._checks.make(sender, action)

    def _say_unknown(self, action: str, sender: Side) -> None:
        others = [str(version) for version in Version if action in ACTIONS[version]]
        hint = f"; it is an action of {' and '.join(others)}" if others else ""
        self.find("unknown-action", f"OCPP {self.version} has no {action[:60]!r}{hint}", side=sender)

    def _check_id(self, sender: Side, message_id: str, action: str, text: str) -> None:
        ids = self._ids[sender]
        if action == "BootNotification" and IDS_START_ANEW[self.version]:
            # Not every log tells of connections.
            ids.clear()
        if ids.other(message_id, hash(text), self._listener.ids_each) is not None:
            self.find("reused-id", f"{action} has the id {message_id!r} of an earlier CALL", side=sender)

    # -- answers ---------------------------------------------------------------------------------------------------

    def _result(self, link: Link, sender: Side, message_id: str, payload: Payload | None) -> None:
        exchange = self._waiting.answered(link, sender, message_id, error=False)
        if exchange is None:
            return
        action, asked = exchange.action, exchange.checks
        if asked.known is None:
            self.find("invalid-call-answered", f"{action[:60]!r} is not an action, and is answered", side=sender)
            return
        if self.registration is not _ACCEPTED or sender is _STATION or action == "BootNotification":
            self._registering.answered(exchange, payload)
        if payload is None:
            return
        if not exchange.valid and exchange.payload is not None:
            detail = f"{action} {message_id!r} of line {exchange.line} does not fit its schema, and is answered"
            self.find("invalid-call-answered", detail, side=sender)
        if sender is _STATION:
            link.refusal = f"{action} {payload['status']}" if payload.get("status") in _ORDERLY_REFUSALS else ""
        if (asked.empty_answer if not payload else asked.fits_answer(payload)) or not explain_payload(
            self, sender, action, "response", payload
        ):
            for check in asked.answers:
                check(exchange, payload)

    def _error(self, link: Link, sender: Side, message_id: str, code: str) -> None:
        exchange = self._waiting.answered(link, sender, message_id, error=True)
        if exchange is None:
            return
        self._registering.refused(exchange, code)
        for check in exchange.checks.errors:
            check(exchange, code)

    # -- everything else -------------------------------------------------------------------------------------------

    def _odd(self, link: Link, way: Way, record: Record) -> None:
        """Take a frame that is not a usual CALL or CALLRESULT: an error, a SEND, or something broken."""
        if record.cut:
            self._cut(link, way, record.text)
            return
        sender = way.sender
        found = look_closely(self, sender, record.text)
        match found:
            case ("error", str(message_id), str(code)):
                self._error(link, sender, message_id, code)
            case ("call", str(message_id), str(action)):
                self._call(link, way, message_id, action, {}, text=record.text)
            case ("result", str(message_id), _):
                self._result(link, sender, message_id, {})
            case ("send", _, str(action)):
                self._sent(sender, action, record.value[3] or {})
            case ("broken", message_id, _):
                self._broken(link, sender, message_id)
            case _:
                pass

    def _cut(self, link: Link, way: Way, text: str) -> None:
        """Take a frame of which the log shows the beginning only: that it was sent is known, and no more."""
        kind, message_id, action = head_of(text)
        if kind == _CALL and action:
            self._call(link, way, message_id, action, None, text=text)
        elif kind == _RESULT:
            self._result(link, way.sender, message_id, None)
        elif kind == _ERROR:
            self._waiting.answered(link, way.sender, message_id, error=True)

    def _sent(self, sender: Side, action: str, payload: Payload) -> None:
        asked = self._first(sender, action)
        if asked.known is None or not asked.known.unconfirmed:
            self._say_unknown(action, sender)
        elif not asked.fits_call(payload):
            explain_payload(self, sender, action, "request", payload)

    def _broken(self, link: Link, sender: Side, message_id: object) -> None:
        other = link.csms if sender is _STATION else link.station
        if isinstance(message_id, str) and message_id in other.open:
            self._waiting.answered(link, sender, message_id, error=True)
        elif isinstance(message_id, str):
            # The other side may answer it, and need not.
            link.excused.append(message_id)


_GAP_LINES: Final = 200


def _call_again(exchange: Exchange) -> SeenFrame:
    """Write a CALL again that is too long ago to be among the last frames."""
    payload = exchange.payload if exchange.payload is not None else {}
    text = _encode([_CALL, exchange.message_id, exchange.action, payload]).decode()
    direction = _UP if exchange.sender is _STATION else _UP.back
    return exchange.line, exchange.at, direction, text if len(text) <= _SHOWN_TEXT else text[:_SHOWN_TEXT] + "…"


def _sole_side(rule: str) -> Side:
    side = TABLE[rule].side
    assert side is not None, f"the finding of {rule} names its side"
    return side
