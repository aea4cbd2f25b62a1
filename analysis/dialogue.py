"""What one station and its CSMS said to each other: who waits for what, on which connection, in which version.

`take` is called for each record in the order of the log and keeps nothing that grows with its length.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from math import inf
from typing import Final

import msgspec

from analysis.checks import Checks
from analysis.guess import ANY_ACTION, direction_of_action, guess_version, head_of
from analysis.listener import Listener, SeenFrame
from analysis.model import Direction, Event, Record, Side, Traits
from analysis.rulebook.contract import Exchange, Payload, Watcher
from analysis.rulebook.envelope import check_keys, look_closely, say_id
from analysis.rulebook.links import Link, LinkWatcher
from analysis.rulebook.payloads import explain_payload
from analysis.rulebook.registration import RegistrationWatcher
from analysis.rulebook.table import RULES as TABLE
from ocppj.actions import ACTIONS
from ocppj.registration import Registration
from ocppj.versions import RULES, Rules, Version

__all__ = ["Dialogue"]

_MOST_WAITING: Final = 200
"""Records that wait until one of them shows the version."""
_RECENT: Final = 5
_SHOWN_TEXT: Final = 4_000
_FEWEST_IDS: Final = 16
_ALL_IDS: Final = 200_000
"""Message ids that are remembered for all stations together."""
_MOST_OPEN: Final = 64
_ORDERLY_REFUSALS: Final = frozenset(
    {"Rejected", "NotSupported", "NotImplemented", "UnlockFailed", "Failed", "Faulted", "Occupied", "Unavailable"}
)
_encode = msgspec.json.encode
_UNREADABLE: Final = "-1"
"""The id of an answer to a frame without a readable one (2.x Part 4 §4.2.3); a kind answer in 1.6 as well."""
_IDS_START_ANEW: Final[Mapping[Version, bool]] = {Version.V16: True, Version.V201: False, Version.V21: False}
"""Whether a message id may be used again on the next connection (J16 §4.1.4; 2.0.1 errata 2024-09 §4.6 forbids it)."""
_GUESSED_FIRST: Final[Mapping[Version, Version]] = {Version.V201: Version.V21}
"""A version that is guessed from messages that a newer one has as well, and that newer one."""
_LATE_LOG: Final = 1.0
"""Seconds by which threads may write their lines in another order than they worked."""
_LEAST_SILENCE: Final = 30.0
_LEAST_PATIENCE: Final = 2.0
"""Seconds that everybody waits for an answer."""


class Dialogue:
    """One station. What the checks see of it is `rulebook.contract.StationView`."""

    __slots__ = (
        "_checks", "_clock_offset", "_following", "_forced", "_ids", "_link", "_listener", "_make_watchers",
        "_registering", "_sets", "_timeout", "_told", "_version", "_waiting", "at", "boots", "first", "frames", "heard",
        "last", "line", "links", "name", "recent", "registration", "rules", "traits", "versions",
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
        self._timeout = timeout
        self._forced = version
        self._version: Version | None = version
        self._told = version is not None
        """The log or a person named the version; it is not a guess."""
        self._waiting: list[Record] = []
        self._sets: dict[Version, Checks] = {}
        self._checks: Checks | None = None
        self._ids: dict[Side, OrderedDict[str, int]] = {Side.STATION: OrderedDict(), Side.CSMS: OrderedDict()}
        self._link = Link("", 0, None)
        self._following: list[tuple[list[SeenFrame], int]] = []
        self._clock_offset: float | None = None
        self._registering = RegistrationWatcher(self)
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

    def find(self, rule: str, detail: str, *, side: Side | None = None, line: int | None = None) -> None:
        """Say that a rule is broken."""
        frames = self._listener.found(self, rule, side or _sole_side(rule), detail, line or self.line)
        if frames is not None:
            self._following.append((frames, 3))

    def lose(self, connector: int, side: Side, reason: str) -> None:
        """Say that a charging session was lost."""
        self._listener.lost(self, connector, side, reason)

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

    def take(self, record: Record) -> bool:
        """Take a record; returns False for a frame of which nobody can tell which way it went."""
        if record.event is not Event.FRAME:
            if record.version is not None and self._forced is None:
                self._settle(record.version, told=True)
            if self._version is None:
                self._wait_for_version(record)
            else:
                self._moved(record)
            return True
        if record.direction is None:
            record.direction = self._way_of(record)
            if record.direction is None:
                return False
        if self._version is None or (record.version is not None and record.version is not self._version):
            return self._learn_version(record)
        self._frame(record)
        return True

    def finish(self) -> None:
        """Take the end of the log."""
        if self._waiting:
            self._settle(Version.V16, told=False)
        self.links.finish(self._link)

    def _learn_version(self, record: Record) -> bool:
        version = self._forced or record.version or guess_version(record.value)
        if version is not None:
            self._settle(version, told=self._forced is not None or record.version is not None)
            self._frame(record)
            return True
        self._wait_for_version(record)
        return True

    def _wait_for_version(self, record: Record) -> None:
        self._waiting.append(record)
        if len(self._waiting) >= _MOST_WAITING:
            self._settle(Version.V16, told=False)

    def _settle(self, version: Version, *, told: bool) -> None:
        if version not in self._sets:
            self._sets[version] = Checks(version, self._make_watchers[version](self))
            self.versions.append(version)
        self._version, self._told, self._checks = version, told, self._sets[version]
        self.rules = RULES[version]
        waiting, self._waiting = self._waiting, []
        for record in waiting:
            if record.event is Event.FRAME:
                self._frame(record)
            else:
                self._moved(record)

    def _way_of(self, record: Record) -> Direction | None:
        value = record.value
        if type(value) is not list or len(value) < 3:  # noqa: PLR2004 - number, id and a content
            return None
        if value[0] == 2:  # noqa: PLR2004 - a CALL
            return direction_of_action(value[2])
        for side, direction in ((Side.STATION, Direction.TO_STATION), (Side.CSMS, Direction.TO_CSMS)):
            if value[1] in self._link.open[side] if isinstance(value[1], str) else False:
                return direction
        return None

    def _moved(self, record: Record) -> None:
        """Take an opening, an end or a refusal of a connection."""
        self.at, self.line = record.at, record.line
        if record.at is not None and self._link.number and not self._link.over:
            self._expire(self._link, None, record.at)
        if record.event is Event.OPENED:
            self.links.ended(self._link, record, replaced=True)
            self._link = self.links.opened(record)
            self._registering.opened()
            if _IDS_START_ANEW[self.version]:
                self._ids[Side.STATION].clear()
                self._ids[Side.CSMS].clear()
        elif record.event is Event.CLOSED:
            if not record.connection or record.connection == self._link.key:
                self.links.ended(self._link, record)
        else:
            self.links.refused(record)

    def _enter_link(self, record: Record) -> Link:
        if not self._link.over and self._link.number:
            self.links.ended(self._link, record, replaced=True)
        self._link = self.links.opened(record, told=False)
        return self._link

    def _frame(self, record: Record) -> None:  # noqa: C901, PLR0912 - every frame of a log passes here
        at = record.at
        self.at, self.line = at, record.line
        self.frames += 1
        direction = record.direction
        assert direction is not None
        if at is not None:
            if self.first is None:
                self.first = at
            elif self.last is not None and at < self.last - _LATE_LOG:
                # The clock of the log stepped back, or another day began: what it was compared with is worth nothing.
                self._clock_offset = None
            self.last = at
        link = self._link
        if record.connection != link.key or link.over or link.number == 0:
            link = self._enter_link(record)
        sender = Side.STATION if direction is Direction.TO_CSMS else Side.CSMS
        text = record.text
        seen = (record.line, at, direction, text if len(text) <= _SHOWN_TEXT else text[:_SHOWN_TEXT] + "…")
        self.recent.append(seen)
        if self._following:
            self._follow(seen)
        if sender not in self.heard:
            self.heard.add(sender)
        if at is not None:
            if at > link.look_at or link.expired:
                self._expire(link, sender, at)
            spoke_at = link.spoke_at
            if sender is Side.STATION:
                before = spoke_at[sender]
                if before is not None and at - before >= _LEAST_SILENCE:
                    self._measure_silence(link, at - before)
            spoke_at[sender] = link.last_at = at
        if sender is Side.CSMS:
            link.refusal = ""
        link.said += 1
        value = record.value
        if type(value) is list:
            length = len(value)
            if (
                length == 3  # noqa: PLR2004 - the elements of a CALLRESULT
                and value[0] == 3  # noqa: PLR2004 - the number of a CALLRESULT
                and type(value[0]) is int
                and type(value[1]) is str
                and type(value[2]) is dict
            ):
                if len(_encode(value)) != len(text):
                    check_keys(self, sender, value, text)
                self._result(link, sender, value[1], value[2])
                return
            if (
                length == 4  # noqa: PLR2004 - the elements of a CALL
                and value[0] == 2  # noqa: PLR2004 - the number of a CALL
                and type(value[0]) is int
                and type(value[1]) is str
                and type(value[2]) is str
                and type(value[3]) is dict
            ):
                if len(_encode(value)) != len(text):
                    check_keys(self, sender, value, text)
                if not 0 < len(value[1]) <= self.rules.message_id_max:
                    say_id(self, sender, value[1])
                self._call(link, sender, value[1], value[2], value[3], text=text)
                return
        self._odd(link, sender, record)

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

    def _call(
        self, link: Link, sender: Side, message_id: str, action: str, payload: Payload | None, *, text: str
    ) -> None:
        checks = self._checks
        assert checks is not None
        exchange = Exchange(message_id, action, payload, self.at, self.line, sender)
        self._listener.called(sender, action if action in ANY_ACTION else "(unknown)")
        if payload is not None:
            self._check_id(sender, message_id, action, text)
        self._wait(link, sender, exchange)
        known = checks.actions.get(action)
        if known is None:
            self._check_unknown(action, sender)
            return
        if not (known.by_station if sender is Side.STATION else known.by_csms):
            self.find("wrong-direction", f"the {sender.words} sends {action}", side=sender)
            return
        if self.registration is not Registration.ACCEPTED or sender is Side.CSMS or action == "BootNotification":
            self._registering.called(exchange)
        if payload is None:
            return
        if (not payload and action in checks.empty_calls) or (
            checks.valid_call.get(action) or checks.test(action, "request")
        )(payload):
            exchange.valid = True
            exchange.clean = 0 < len(message_id) <= self.rules.message_id_max
        elif not explain_payload(self, sender, action, "request", payload):
            exchange.valid = True
        if exchange.valid:
            for check in checks.calls.get(action, ()):
                check(exchange)

    def _check_unknown(self, action: str, sender: Side) -> None:
        newer = _GUESSED_FIRST.get(self.version)
        if not self._told and newer is not None and action in ACTIONS[newer]:
            self._settle(newer, told=False)
            return
        others = [str(version) for version in Version if action in ACTIONS[version]]
        hint = f"; it is an action of {' and '.join(others)}" if others else ""
        self.find("unknown-action", f"OCPP {self.version} has no {action[:60]!r}{hint}", side=sender)

    def _check_id(self, sender: Side, message_id: str, action: str, text: str) -> None:
        """Compare with the CALLs before; the same CALL with the same id is a retry (2.0.1 errata 2024-09 §4.6)."""
        ids = self._ids[sender]
        if action == "BootNotification" and _IDS_START_ANEW[self.version]:
            # Not every log tells of connections.
            ids.clear()
        mark = hash(text)
        known = ids.setdefault(message_id, mark)
        if known != mark:
            ids[message_id] = mark
            self.find("reused-id", f"{action} has the id {message_id!r} of an earlier CALL", side=sender)
        elif len(ids) > _FEWEST_IDS and len(ids) > _ALL_IDS // self._listener.station_count:
            ids.popitem(last=False)

    def _wait(self, link: Link, sender: Side, exchange: Exchange) -> None:
        waiting = link.open[sender]
        if waiting:
            older = next(iter(waiting.values()))
            if sender not in self.traits.queued:
                link.suspects.setdefault(older.message_id, exchange)
            if len(waiting) >= _MOST_OPEN:
                waiting.pop(older.message_id)
        waiting[exchange.message_id] = exchange
        link.calls_seen[sender] += 1
        at = exchange.at
        if at is not None and at + self._timeout < link.look_at:
            link.look_at = at + self._timeout

    def _expire(self, link: Link, sender: Side | None, at: float) -> None:
        """Give up on CALLs that have waited too long; what follows from it depends on who is heard of afterwards."""
        link.look_at = inf
        for side in (Side.STATION, Side.CSMS):
            waiting = link.open[side]
            while waiting:
                oldest = next(iter(waiting.values()))
                if oldest.at is None:
                    break
                if at - oldest.at <= self._timeout:
                    link.look_at = min(link.look_at, oldest.at + self._timeout)
                    break
                del waiting[oldest.message_id]
                link.expired[oldest.message_id] = oldest
                received = link.received_until[side]
                if received is not None and received > oldest.at:
                    # A later CALL on the same connection was answered, so that this one arrived before it.
                    link.blamed.append(oldest)
                    self._never_answered(oldest)
                suspect = link.suspects.pop(oldest.message_id, None)
                if suspect is not None:
                    self._overlap(oldest, suspect)
                if len(link.expired) > _MOST_OPEN:
                    link.expired.popitem(last=False)
        if link.expired and sender is not None:
            self._blame(link, sender)

    def _blame(self, link: Link, sender: Side) -> None:
        """Blame the side that should have answered and speaks again: it was there."""
        for exchange in [known for known in link.expired.values() if known.sender is not sender]:
            if exchange in link.blamed:
                continue
            link.blamed.append(exchange)
            self._never_answered(exchange)

    def _never_answered(self, exchange: Exchange) -> None:
        checks = self._checks
        assert checks is not None
        self._listener.unanswered(exchange.sender, exchange.action)
        if self.in_gap() or exchange.action not in checks.actions:
            return
        other = Side.CSMS if exchange.sender is Side.STATION else Side.STATION
        assert self.at is not None
        assert exchange.at is not None
        self.find(
            "unanswered-call",
            f"{exchange.action} {exchange.message_id!r} of line {exchange.line} has no answer after "
            f"{self.at - exchange.at:.0f} s, and the connection lives: the {other.words} was heard of since",
            side=other,
            line=exchange.line,
        )
        for check in checks.losses.get(exchange.action, ()):
            check(exchange)

    def _overlap(self, older: Exchange, newer: Exchange) -> None:
        if newer.message_id == older.message_id or self.in_gap():
            return
        if newer.at is not None and older.at is not None and newer.at - older.at >= _LEAST_PATIENCE:
            # The sender may have given the older one up: nobody knows its time-out.
            return
        if self.traits.logged_late and (
            self.at is None or newer.at is None or (older.at is not None and self.at - newer.at < _LATE_LOG)
        ):
            # The answer may have come before, and been logged after.
            return
        self.find(
            "second-open-call",
            f"{newer.action} {newer.message_id!r} is sent while {older.action} {older.message_id!r} of line "
            f"{older.line} waits for its answer",
            side=newer.sender,
            line=newer.line,
        )

    # -- answers ---------------------------------------------------------------------------------------------------

    def _result(self, link: Link, sender: Side, message_id: str, payload: Payload | None) -> None:
        exchange = self._close(link, sender, message_id, error=False)
        checks = self._checks
        if exchange is None or checks is None:
            return
        action = exchange.action
        if action not in checks.actions:
            self.find("invalid-call-answered", f"{action[:60]!r} is not an action, and is answered", side=sender)
            return
        if self.registration is not Registration.ACCEPTED or sender is Side.STATION or action == "BootNotification":
            self._registering.answered(exchange, payload)
        if payload is None:
            return
        if exchange.payload is not None and not exchange.valid:
            detail = f"{action} {message_id!r} of line {exchange.line} does not fit its schema, and is answered"
            self.find("invalid-call-answered", detail, side=sender)
        if sender is Side.STATION:
            link.refusal = f"{action} {payload['status']}" if payload.get("status") in _ORDERLY_REFUSALS else ""
        if (
            (not payload and action in checks.empty_answers)
            or (checks.valid_answer.get(action) or checks.test(action, "response"))(payload)
            or not explain_payload(self, sender, action, "response", payload)
        ):
            for check in checks.answers.get(action, ()):
                check(exchange, payload)

    def _error(self, link: Link, sender: Side, message_id: str, code: str) -> None:
        exchange = self._close(link, sender, message_id, error=True)
        checks = self._checks
        if exchange is None or checks is None:
            return
        self._registering.refused(exchange, code)
        for check in checks.errors.get(exchange.action, ()):
            check(exchange, code)

    def _close(self, link: Link, sender: Side, message_id: str, *, error: bool) -> Exchange | None:
        caller = Side.CSMS if sender is Side.STATION else Side.STATION
        waiting = link.open[caller]
        exchange = waiting.pop(message_id, None)
        if exchange is None:
            return self._unexpected(link, sender, caller, message_id)
        if link.suspects:
            suspect = link.suspects.pop(message_id, None)
            if suspect is not None:
                self._overlap(exchange, suspect)
        link.answered[caller].append(message_id)
        seconds = None if self.at is None or exchange.at is None else self.at - exchange.at
        link.received_until[caller] = exchange.at
        action = exchange.action if exchange.action in ANY_ACTION else "(unknown)"
        self._listener.answered(caller, action, seconds, error=error)
        return exchange

    def _unexpected(self, link: Link, sender: Side, caller: Side, message_id: str) -> Exchange | None:
        late = link.expired.pop(message_id, None)
        if late is not None and late.sender is caller:
            if late in link.blamed:
                link.blamed.remove(late)
            took = (self.at or 0.0) - (late.at or 0.0)
            self.find("late-answer", f"{late.action} {message_id!r} is answered after {took:.1f} s", side=sender)
            link.answered[caller].append(message_id)
            return late
        if message_id in link.excused:
            return None
        if message_id in link.answered[caller]:
            if not self.in_gap():
                self.find("answered-twice", f"a second answer to {message_id!r}", side=sender)
        elif link.calls_seen[caller] and not self.in_gap() and message_id != _UNREADABLE:
            self.find("answer-to-nothing", f"no CALL of the {caller.words} has the id {message_id!r}", side=sender)
        return None

    # -- everything else -------------------------------------------------------------------------------------------

    def _odd(self, link: Link, sender: Side, record: Record) -> None:
        """Take a frame that is not a usual CALL or CALLRESULT: an error, a SEND, or something broken."""
        if record.cut:
            self._cut(link, sender, record.text)
            return
        found = look_closely(self, sender, record.text)
        match found:
            case ("error", str(message_id), str(code)):
                self._error(link, sender, message_id, code)
            case ("call", str(message_id), str(action)):
                self._call(link, sender, message_id, action, {}, text=record.text)
            case ("result", str(message_id), _):
                self._result(link, sender, message_id, {})
            case ("send", _, str(action)):
                self._sent(sender, action, record.value[3] or {})
            case ("broken", message_id, _):
                self._broken(link, sender, message_id)
            case _:
                pass

    def _cut(self, link: Link, sender: Side, text: str) -> None:
        """Take a frame of which the log shows the beginning only: that it was sent is known, and no more."""
        kind, message_id, action = head_of(text)
        if kind == 2 and action:  # noqa: PLR2004 - a CALL
            self._call(link, sender, message_id, action, None, text=text)
        elif kind == 3:  # noqa: PLR2004 - a CALLRESULT
            self._result(link, sender, message_id, None)
        elif kind == 4:  # noqa: PLR2004 - a CALLERROR
            self._close(link, sender, message_id, error=True)

    def _sent(self, sender: Side, action: str, payload: Payload) -> None:
        checks = self._checks
        assert checks is not None
        known = checks.actions.get(action)
        if known is None or not known.unconfirmed:
            self._check_unknown(action, sender)
        elif not (checks.valid_call.get(action) or checks.test(action, "request"))(payload):
            explain_payload(self, sender, action, "request", payload)

    def _broken(self, link: Link, sender: Side, message_id: object) -> None:
        other = Side.CSMS if sender is Side.STATION else Side.STATION
        if isinstance(message_id, str) and message_id in link.open[other]:
            self._close(link, sender, message_id, error=True)
        elif isinstance(message_id, str):
            # The other side may answer it, and need not.
            link.excused.append(message_id)


_GAP_LINES: Final = 200


def _sole_side(rule: str) -> Side:
    side = TABLE[rule].side
    assert side is not None, f"the finding of {rule} names its side"
    return side
