"""Who waits for what: open CALLs, their answers, and whose fault it is that one does not come."""

from __future__ import annotations

from math import inf
from typing import Final

from analysis.model import Side
from analysis.rulebook.contract import Exchange, StationView
from analysis.rulebook.links import Link, Way

__all__ = ["Waiting"]

_MOST_OPEN: Final = 64
_LATE_LOG: Final = 1.0
"""Seconds by which threads may write their lines in another order than they worked."""
_LEAST_PATIENCE: Final = 2.0
"""Seconds that everybody waits for an answer."""
_SLACK: Final = 0.1
_UNREADABLE: Final = "-1"
"""The id of an answer to a frame without a readable one (2.x Part 4 §4.2.3); a kind answer in 1.6 as well."""


class Waiting:
    """Holds answers against the CALLs of a station's connections."""

    __slots__ = ("_station", "_timeout")

    def __init__(self, station: StationView, timeout: float) -> None:
        """Take when a CALL counts as unanswered, in seconds."""
        self._station = station
        self._timeout = timeout

    def begin(self, link: Link, way: Way, exchange: Exchange) -> None:
        """Take a CALL."""
        waiting = way.open
        if waiting:
            older = next(iter(waiting.values()))
            traits = self._station.traits
            if traits.own_stations and way.sender is Side.STATION:
                self._overlap(older, exchange)
            elif way.sender not in traits.queued:
                link.suspects.setdefault(older.message_id, exchange)
            if len(waiting) >= _MOST_OPEN:
                waiting.pop(older.message_id)
        waiting[exchange.message_id] = exchange
        way.calls_seen = True
        at = exchange.at
        if at is not None and at + self._timeout < link.look_at:
            link.look_at = at + self._timeout

    def answered(self, link: Link, sender: Side, message_id: str, *, error: bool) -> Exchange | None:
        """Take an answer; returns the CALL that it belongs to, if any."""
        way = link.csms if sender is Side.STATION else link.station
        exchange = way.open.pop(message_id, None)
        if exchange is None:
            return self._unexpected(link, sender, way, message_id, error=error)
        if link.suspects:
            suspect = link.suspects.pop(message_id, None)
            if suspect is not None:
                self._overlap(exchange, suspect)
        way.answered.append(message_id)
        way.received_until = exchange.at
        figures = exchange.checks.figures
        if error:
            figures.errors += 1
        else:
            figures.results += 1
        at = self._station.at
        if at is not None and exchange.at is not None:
            figures.add(at - exchange.at)
        return exchange

    def expire(self, link: Link, sender: Side | None, at: float) -> None:
        """Give up on CALLs that have waited too long; what follows from it depends on who is heard of afterwards."""
        link.look_at = inf
        for way in (link.station, link.csms):
            waiting = way.open
            while waiting:
                oldest = next(iter(waiting.values()))
                if oldest.at is None:
                    break
                if at - oldest.at <= self._timeout:
                    link.look_at = min(link.look_at, oldest.at + self._timeout)
                    break
                del waiting[oldest.message_id]
                link.expired[oldest.message_id] = oldest
                received = way.received_until
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
        station = self._station
        exchange.checks.figures.unanswered += 1
        if station.in_gap():
            return
        other = Side.CSMS if exchange.sender is Side.STATION else Side.STATION
        assert station.at is not None
        assert exchange.at is not None
        station.find(
            "unanswered-call",
            f"{exchange.action} {exchange.message_id!r} of line {exchange.line} has no answer after "
            f"{station.at - exchange.at:.0f} s, and the connection lives: the {other.words} was heard of since",
            side=other,
            about=exchange,
        )
        for check in exchange.checks.losses:
            check(exchange)

    def _overlap(self, older: Exchange, newer: Exchange) -> None:
        station = self._station
        if newer.message_id == older.message_id or station.in_gap():
            return
        if newer.at is not None and older.at is not None and newer.at - older.at >= self._patience(newer.sender):
            # The sender may have given the older one up.
            return
        if station.traits.logged_late and (
            station.at is None or newer.at is None or (older.at is not None and station.at - newer.at < _LATE_LOG)
        ):
            # The answer may have come before, and been logged after.
            return
        station.find(
            "second-open-call",
            f"{newer.action} {newer.message_id!r} is sent while {older.action} {older.message_id!r} of line "
            f"{older.line} waits for its answer",
            side=newer.sender,
            about=newer,
        )

    def _patience(self, sender: Side) -> float:
        """Return how many seconds a side waits for an answer at the least; nobody knows the time-outs of others."""
        if sender is Side.STATION and self._station.traits.own_stations:
            return self._timeout - _SLACK
        return _LEAST_PATIENCE

    def _unexpected(self, link: Link, sender: Side, way: Way, message_id: str, *, error: bool) -> Exchange | None:
        station = self._station
        late = link.expired.pop(message_id, None)
        if late is not None and late.sender is way.sender:
            if late in link.blamed:
                link.blamed.remove(late)
            took = (station.at or 0.0) - (late.at or 0.0)
            station.find("late-answer", f"{late.action} {message_id!r} is answered after {took:.1f} s", side=sender)
            way.answered.append(message_id)
            return late
        if message_id in link.excused:
            if not error:
                station.find("invalid-call-answered", f"{message_id!r} is no CALL, and gets a CALLRESULT", side=sender)
            return None
        if message_id in way.answered:
            if not station.in_gap():
                station.find("answered-twice", f"a second answer to {message_id!r}", side=sender)
        elif (way.calls_seen or station.traits.from_the_start) and not station.in_gap() and message_id != _UNREADABLE:
            detail = f"no CALL of the {way.sender.words} has the id {message_id!r}"
            station.find("answer-to-nothing", detail, side=sender)
        return None
