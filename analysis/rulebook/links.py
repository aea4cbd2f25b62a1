"""The connections of a station: which die at once, which are cut for being quiet, and who is the cause."""

from __future__ import annotations

import re
from collections import Counter, OrderedDict, deque
from math import inf
from typing import Final

from analysis.connection_rules import INTERNAL_ERROR, collapsed
from analysis.model import Record, Side
from analysis.rulebook.contract import Exchange, StationView
from ocppj.registration import Registration

__all__ = ["Link", "LinkWatcher", "Way"]

_LOOP: Final = 5
"""Connections that die young, one after the other, make a loop."""
_YOUNG: Final = 60.0
_LOOP_SPAN: Final = 600.0
_CUTS: Final = 3
"""Connections that end in the same way make a rule of somebody."""
_LEAST_IDLE: Final = 20.0
_AT_ONCE: Final = 2.0
_LEAST_AGE: Final = 120.0
_SAME_SECONDS: Final = 1.5
_SAME_SHARE: Final = 0.02
_BLAMED_SHARE: Final = 0.8
_MOST_SPANS: Final = 200
_ORDERLY: Final = frozenset({1000, 1001})
_COMPLAINTS: Final = frozenset({1002, 1003, 1007, 1009, 1010})
"""Close codes that complain of the other side's frames (RFC 6455 §7.4.1)."""
_SERVER_ERROR: Final = 500
_FORBIDDEN: Final = 403
_RETURN: Final = 120.0
"""Seconds within which an operator does not expel a station that was lost just before."""
_NAMES_OCPP: Final = re.compile(r"ocpp\d")
_SUBPROTOCOLS: Final = frozenset({"ocpp1.2", "ocpp1.5", "ocpp1.6", "ocpp2.0", "ocpp2.0.1", "ocpp2.1"})
"""Those that are registered for versions of OCPP (IANA, WebSocket Subprotocol Names)."""
_REFUSALS: Final = frozenset({1008, INTERNAL_ERROR})


class Way:
    """What one side sent on a connection, and what came back."""

    __slots__ = ("answered", "calls_seen", "open", "received_until", "said", "sender", "spoke_at")

    def __init__(self, sender: Side) -> None:
        """Begin before the first frame."""
        self.sender = sender
        self.open: dict[str, Exchange] = {}
        """Its CALLs that wait for their answers, the oldest first."""
        self.answered: deque[str] = deque(maxlen=16)
        """Ids of its last CALLs that were answered."""
        self.calls_seen = False
        self.said = 0
        """How many frames it sent."""
        self.spoke_at: float | None = None
        self.received_until: float | None = None
        """When its last CALL was sent that was answered."""


class Link:
    """One connection: who waits for what on it."""

    __slots__ = (
        "blamed", "csms", "excused", "expired", "findings", "key", "last_at", "look_at", "number", "opened_at", "over",
        "refusal", "station", "suspects", "told",
    )  # fmt: skip

    def __init__(self, key: str, number: int, opened_at: float | None, *, told: bool = False) -> None:
        """Begin a connection; `told` where the log says so. Number 0 is that of none."""
        self.key = key
        self.number = number
        self.opened_at = opened_at
        self.told = told
        self.over = number == 0
        self.station = Way(Side.STATION)
        self.csms = Way(Side.CSMS)
        self.expired: OrderedDict[str, Exchange] = OrderedDict()
        """CALLs that waited longer than the time-out."""
        self.blamed: deque[Exchange] = deque(maxlen=64)
        """Those of them for which somebody was blamed."""
        self.suspects: dict[str, Exchange] = {}
        """By the id of an open CALL: the first that its sender sent while it was open."""
        self.excused: deque[str] = deque(maxlen=16)
        """Ids of broken frames, to which an answer may come."""
        self.last_at = opened_at
        self.findings: Counter[Side] = Counter()
        """How many rules each side broke on it."""
        self.refusal = ""
        """What the last frame said no to, where it was a station's answer."""
        self.look_at = inf
        """When the oldest open CALL has waited too long."""


class _Past:
    """A connection that is over."""

    __slots__ = ("age", "by", "closed_at", "code", "findings", "idle", "opened_at", "said", "told")

    def __init__(self, link: Link, closed_at: float, record: Record) -> None:
        self.opened_at = link.opened_at if link.opened_at is not None else closed_at
        self.closed_at = closed_at
        self.age = closed_at - self.opened_at
        self.idle = closed_at - (link.last_at if link.last_at is not None else self.opened_at)
        self.by = record.by
        self.code = record.code
        self.findings = dict(link.findings)
        self.said = link.station.said + link.csms.said
        self.told = link.told


class LinkWatcher:
    """Follows the connections of a station, one after the other."""

    def __init__(self, station: StationView) -> None:
        """Start before the first."""
        self._station = station
        self._past: deque[_Past] = deque(maxlen=_LOOP)
        self._said: set[str] = set()
        self.count = 0
        self.spans: list[tuple[float, float]] = []

    def opened(self, record: Record, *, told: bool = True) -> Link:
        """Begin a connection."""
        self.count += 1
        if record.unoffered:
            self._station.find("subprotocol-not-offered", f"the CSMS chose {record.unoffered[:40]!r}")
        elif _NAMES_OCPP.match(record.subprotocol) and record.subprotocol not in _SUBPROTOCOLS:
            self._station.find("subprotocol-made-up", f"the CSMS agreed on {record.subprotocol[:40]!r}")
        return Link(record.connection, self.count, record.at, told=told)

    def refused(self, record: Record) -> None:
        """Take an attempt that failed; otherwise the next one is what matters."""
        if record.code == _SERVER_ERROR:
            self._station.find("handshake-crashed", f"the CSMS answers the handshake with HTTP {record.code}")
        last = self._past[-1] if self._past else None
        if record.code != _FORBIDDEN or last is None or last.by is Side.STATION or record.at is None:
            return
        passed = record.at - last.closed_at
        accepted = self._station.registration is Registration.ACCEPTED
        if accepted and last.said and last.code not in _ORDERLY and passed <= _RETURN and "shut-out" not in self._said:
            self._said.add("shut-out")
            self._station.find(
                "shut-out", f"HTTP {record.code} {passed:.0f} s after the end of a connection on which it was served"
            )

    def ended(self, link: Link, record: Record, *, replaced: bool = False) -> None:
        """End a connection, where it has not ended yet; `replaced` where the log tells only of the next one."""
        if link.over:
            return
        link.over = True
        self._dead(link, record)
        if link.refusal and record.by is Side.CSMS and link.last_at is not None and record.at is not None:
            waited = record.at - link.last_at
            if waited < _AT_ONCE:
                self._station.find(
                    "closed-after-refusal", f"the CSMS closes {waited:.1f} s after the answer: {link.refusal}"
                )
                link.findings[Side.CSMS] += 1
        by_csms = record.by in (None, Side.CSMS)
        if collapsed(record.code, may_be_csms=by_csms, station_was_right=not link.findings):
            self._station.find("closed-with-error", "the CSMS closes with code 1011, and nothing was wrong before")
        closed_at = link.last_at if replaced or record.at is None else record.at
        if closed_at is None:
            return
        if link.opened_at is not None and len(self.spans) < _MOST_SPANS:
            self.spans.append((link.opened_at, closed_at))
        self._past.append(_Past(link, closed_at, record))
        if link.told:
            self._look_for_loop()
            if not replaced:
                self._look_for_cuts()

    def finish(self, link: Link) -> None:
        """Take the end of the log, at which a connection may be open."""
        if not link.over and link.opened_at is not None and link.last_at is not None:
            self.spans.append((link.opened_at, link.last_at))

    def _dead(self, link: Link, record: Record) -> None:
        """Look for CALLs that nobody heard."""
        silent = [exchange for exchange in link.expired.values() if exchange not in link.blamed]
        if not silent or record.at is None:
            return
        first = silent[0]
        other, way = (Side.CSMS, link.csms) if first.sender is Side.STATION else (Side.STATION, link.station)
        heard_at = way.spoke_at
        if other not in self._station.heard and not self._station.traits.from_the_start:
            # The log may be of one direction.
            return
        if first.at is None or (heard_at is not None and heard_at > first.at):
            return
        if record.by is other:
            self._station.find(
                "unanswered-call",
                f"{first.action} {first.message_id!r} of line {first.line} has no answer after "
                f"{record.at - first.at:.0f} s, when the {other.words} closes the connection",
                side=other,
                about=first,
            )
            return
        self._station.find(
            "dead-connection",
            f"{_calls(len(silent))} of the {first.sender.words} from line {first.line} on had no answer, and "
            f"nothing else came from the {other.words} until the connection ended {record.at - first.at:.0f} s later",
            about=first,
        )

    def _look_for_loop(self) -> None:
        past = self._past
        young = [one for one in past if one.age < _YOUNG]
        if len(past) < _LOOP or len(young) < _LOOP:
            if past[-1].age >= _YOUNG:
                self._said.discard("reconnect-loop")
            return
        span = past[-1].closed_at - past[0].opened_at
        if span > _LOOP_SPAN or "reconnect-loop" in self._said:
            return
        self._said.add("reconnect-loop")
        side, cause = _cause(list(past))
        self._station.find(
            "reconnect-loop", f"{_LOOP} connections in {span:.0f} s, each shorter than a minute; {cause}", side=side
        )

    def _look_for_cuts(self) -> None:
        cut = [one for one in self._past if one.code not in _ORDERLY and one.by is not Side.STATION][-_CUTS:]
        if len(cut) < _CUTS or cut[-1] is not self._past[-1]:
            return
        if min(one.idle for one in cut) >= _LEAST_IDLE and _same([one.idle for one in cut]):
            self._say_once("idle-cut", cut, f"{_mean([one.idle for one in cut]):.0f} s after the last frame")
        elif min(one.age for one in cut) >= _LEAST_AGE and _same([one.age for one in cut]):
            self._say_once("age-cut", cut, f"at the age of {_mean([one.age for one in cut]):.0f} s")

    def _say_once(self, rule: str, cut: list[_Past], when: str) -> None:
        if rule not in self._said:
            self._said.add(rule)
            self._station.find(
                rule,
                f"the last {len(cut)} connections ended {when}: the time-out of a proxy, a load balancer or a server",
            )


def _calls(number: int) -> str:
    return "1 CALL" if number == 1 else f"{number} CALLs"


def _same(values: list[float]) -> bool:
    return max(values) - min(values) <= max(_SAME_SECONDS, _SAME_SHARE * max(values))


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _cause(past: list[_Past]) -> tuple[Side, str]:
    """Say who causes a loop, from what precedes the end of most of its connections."""
    enough = _BLAMED_SHARE * len(past)
    for side, other in ((Side.CSMS, "charge point"), (Side.STATION, "CSMS")):
        if sum(1 for one in past if one.findings.get(side)) >= enough:
            return side, f"on each of them the {side.words} breaks a rule, and the {other} may end it for that"
    if any(one.code in _COMPLAINTS for one in past):
        code = next(one.code for one in past if one.code in _COMPLAINTS)
        return Side.STATION, f"they are closed with code {code}, which complains of its WebSocket frames"
    if sum(1 for one in past if one.by is Side.CSMS or one.code in _REFUSALS) >= enough:
        codes = sorted({one.code for one in past if one.code is not None})
        return Side.CSMS, f"the CSMS closes them (Close {', '.join(map(str, codes)) or 'without a code'})"
    if sum(1 for one in past if one.by is Side.STATION) >= enough:
        return Side.STATION, "the charge point closes them"
    if not any(one.said for one in past):
        return Side.STATION, "the charge point says nothing on them"
    return Side.NETWORK, "neither side breaks a rule before the end"
