"""The clock of the CSMS, wherever it tells the time: it goes on as ours does, and is not far from it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from analysis.clock_readings import UNEVEN, ClockReading, unevenness
from evidence.verdicts import Verdict
from interop_suite.claims.claim import Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind
from interop_suite.claims.expected import field, shown
from interop_suite.claims.history import History
from interop_suite.claims.moments import moment, wall_at
from ocppj.versions import Version

__all__ = ["clock_findings", "interval_findings"]

FAR = 60.0
"""Seconds by which a clock may differ from ours: one of the two is not set, and nobody knows which."""

_TIME: Mapping[Version, Clause] = MappingProxyType(
    {
        Version.V16: Clause("1.6", "4.6"),
        **dict.fromkeys((Version.V201, Version.V21), Clause("201-6", "B01.FR.02")),
    }
)
_INTERVAL: Mapping[Version, Clause] = MappingProxyType(
    {
        Version.V16: Clause("1.6", "4.2"),
        **dict.fromkeys((Version.V201, Version.V21), Clause("201-6", "B01.FR.02")),
    }
)


class _Reading(msgspec.Struct, frozen=True):
    """A time that the CSMS told between two moments of ours."""

    clock: ClockReading
    line: int
    text: str
    scripted: bool


def clock_findings(history: History) -> Iterator[Finding]:
    """Find a clock that is far from ours, and one that jumps or stands still; the first of each."""
    readings = list(_readings(history))
    clause = _TIME[history.rules.version]
    for reading in readings:
        told, own = reading.clock.seconds, wall_at(history, reading.clock.answered)
        if reading.scripted and own is not None and abs(told - own) > FAR:
            yield Finding(
                verdict=Verdict.NON_STRICT,
                claim="The clock of the CSMS is right",
                actual=f"it told {reading.text}, which is {told - own:+.0f} s from our own clock",
                clause=clause,
                frame=reading.line,
            )
            break
    for earlier, later in itertools.pairwise(readings):
        if later.scripted and abs(unevenness(earlier.clock, later.clock)) > UNEVEN:
            least, most = later.clock.asked - earlier.clock.answered, later.clock.answered - earlier.clock.asked
            yield Finding(
                verdict=Verdict.NON_STRICT,
                claim="The clock of the CSMS goes on evenly",
                actual=f"it told {earlier.text} and then {later.text}, {least:.1f} to {most:.1f} s later",
                clause=clause,
                frame=later.line,
            )
            break


def _readings(history: History) -> Iterator[_Reading]:
    for exchange in history.exchanges:
        if not exchange.by_station or exchange.kind is not AnswerKind.RESULT or exchange.answer is None:
            continue
        text: Any = field(exchange.result, "currentTime")
        told = moment(text)
        if exchange.action in ("Heartbeat", "BootNotification") and told is not None:
            answer = exchange.answer
            clock = ClockReading(told.timestamp(), exchange.call.t, answer.t)
            yield _Reading(clock, answer.line, text, answer.scripted)


def interval_findings(history: History) -> Iterator[Finding]:
    """Find boots that were answered as the operator set them, but with another interval."""
    for exchange in history.exchanges:
        if exchange.action != "BootNotification" or exchange.kind is not AnswerKind.RESULT or not exchange.by_station:
            continue
        station = exchange.call.station.partition("#")[0]
        orders = [
            call.info
            for call in history.driver_calls
            if call.operation == "register" and call.station == station and call.line < exchange.call.line
            if call.error is None and "interval" in call.info
        ]
        if not orders:
            continue
        wanted, status = orders[-1]["interval"], orders[-1].get("boot_status", "Accepted")
        told = field(exchange.result, "interval")
        if field(exchange.result, "status") == status and told != wanted:
            yield Finding(
                verdict=Verdict.NON_STRICT,
                claim="A boot is answered with the interval that the operator set",
                actual=f"interval is {shown(told)} instead of {wanted!r}",
                clause=_INTERVAL[history.rules.version],
                frame=exchange.answer.line if exchange.answer else None,
            )
