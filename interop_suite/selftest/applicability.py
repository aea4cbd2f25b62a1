"""Which cases a defect can reach, read from what each case shows while the CSMS is right."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from evidence.verdicts import Verdict
from fixtures.csms.defects.model import ANY, Defect
from interop_suite.catalogue import Case
from interop_suite.claims.exchange import AnswerKind, Exchange
from interop_suite.claims.history import History
from interop_suite.selftest.charging_defects import CHARGING_DEFECTS
from interop_suite.selftest.filled_in_defects import FILLED_IN_DEFECTS
from interop_suite.selftest.general_defects import GENERAL_DEFECTS

__all__ = ["Seen", "declared_cases", "tried_behind", "tried_cases"]

LONG_IDENTITY = 30
_GENERAL = {**GENERAL_DEFECTS, **CHARGING_DEFECTS, **FILLED_IN_DEFECTS}
OTHERS_BEHIND = 6
"""The same behind a broker, in each dialect."""
OTHERS = 16
"""Cases besides the declared ones that a defect is tried on, unless every case is asked for."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What crosses the wire in a case while the CSMS is right; a defect that acts on none of it changes nothing."""

    calls: set[str] = set()
    commands: set[str] = set()
    general: set[str] = set()
    """General defects that must show in the case."""
    moments: set[str] = set()
    """Moments of `fixtures.csms.defects.model` at which its connections give a defect a chance, and `tls`."""
    parts: set[str] = set()
    """What a mutant could change: `answer/ACTION`, `answer/ACTION/FIELD`, `refusal/ACTION`, `command/…`."""
    company: bool = False
    """Whether there is another station, which could be harmed."""

    @classmethod
    def of(cls, history: History) -> Seen:
        """Read it from the history of one attempt."""
        # What happens before the script begins is not judged: a defect there leaves a case INCONCLUSIVE at worst.
        judged = [exchange for exchange in history.exchanges if exchange.call.scripted]
        return cls(
            calls={exchange.action for exchange in judged if exchange.by_station},
            commands={exchange.action for exchange in judged if not exchange.by_station},
            general={name for name, shows in _GENERAL.items() if shows(history)},
            moments=set(_moments(history)),
            parts=set(_parts(history, judged)),
            company=len({connection.station for connection in history.connections}) > 1,
        )


def declared_cases(cases: Sequence[Case], defect: Defect, seen: Mapping[str, Seen]) -> list[Case]:
    """List the cases that must find a defect, of those in which something was `seen`."""
    return [
        case
        for case in cases
        if case.key in seen
        and case.ocpp in defect.versions
        and (defect.id in case.defects or (defect.id in seen[case.key].general and not _is_withdrawn(case)))
        and (seen[case.key].company or not defect.alone)
    ]


def _is_withdrawn(case: Case) -> bool:
    """Return whether the list has withdrawn a case: what it claims itself then holds against nobody."""
    return case.listed is not None and bool(case.listed.withdrawn)


def tried_cases(cases: Sequence[Case], defect: Defect, seen: Mapping[str, Seen], *, full: bool) -> list[Case]:
    """List the cases that a defect is tried on: those that must find it, and others that must not.

    Unless it is `full`, these are a few that it could act in, spread evenly and the same in every run; and of a general
    defect that no case declares, only some of the many cases that must find it.
    """
    declared = declared_cases(cases, defect, seen)
    chosen = {case.key for case in declared}
    others = [
        case
        for case in cases
        if case.key in seen
        and case.key not in chosen
        and not _is_withdrawn(case)
        and case.ocpp in defect.versions
        and (seen[case.key].company or not defect.alone)
        and (full or _touches(defect, seen[case.key]))
    ]
    if full:
        return declared + others
    if len(declared) > OTHERS * 2 and all(defect.id not in case.defects for case in declared):
        declared = _spread(declared, OTHERS * 2, defect.id)
    return declared + _spread(others, OTHERS, defect.id)


def tried_behind(
    cases: Sequence[Case], defect: Defect, verdicts: Mapping[str, Verdict], *, full: bool
) -> tuple[list[Case], list[Case]]:
    """List the cases of a dialect that must find a defect, and others that must not; none of both where no case must.

    `verdicts` are those without the defect: what does not apply in the dialect finds nothing there.
    """
    there = [c for c in cases if verdicts.get(c.key, Verdict.NOT_APPLICABLE) is not Verdict.NOT_APPLICABLE]
    there = [case for case in there if case.ocpp in defect.versions]
    declared = [case for case in there if defect.id in case.defects]
    others = [case for case in there if defect.id not in case.defects] if declared else []
    return declared, others if full else _spread(others, OTHERS_BEHIND, defect.id)


def _spread(cases: Sequence[Case], number: int, salt: str) -> list[Case]:
    return sorted(cases, key=lambda case: zlib.crc32(f"{salt} {case.key}".encode()))[:number]


def _parts(history: History, judged: Sequence[Exchange]) -> Iterator[str]:
    for exchange in judged:
        yield from _parts_of(exchange)
    yield from (f"order/{call.info['action']}" for call in history.driver_calls if "action" in call.info)
    if len(history.connections) > len({connection.station for connection in history.connections}):
        yield "return"


def _parts_of(exchange: Exchange) -> Iterator[str]:
    family, payload = ("answer", exchange.result) if exchange.by_station else ("command", exchange.payload)
    if exchange.kind is AnswerKind.ERROR and exchange.by_station:
        yield f"refusal/{exchange.action}"
    else:
        yield f"{family}/{exchange.action}"
        yield from (f"{family}/{exchange.action}/{name}" for name in _field_names(payload))


def _field_names(value: Any, path: str = "") -> Iterator[str]:
    """Name every field of a payload as the mutants do."""
    if isinstance(value, dict):
        for name, inner in value.items():
            here = f"{path}.{name}" if path else name
            yield here
            yield from _field_names(inner, here)
    elif isinstance(value, list):
        for inner in value:
            yield f"{path}[]"
            yield from _field_names(inner, f"{path}[]")


_STATION_MOMENTS = frozenset({"call", "answer", "frames"})
_CSMS_MOMENTS = frozenset({"command", "overtake", "reply"})
_CONNECTION_MOMENTS = frozenset(
    {"unreadable", "credentials", "subprotocol", "replace", "record", "handshake", "identity", "receive", "violated"}
)


def _moments(history: History) -> Iterator[str]:
    if any(frame.sent and frame.error is not None for frame in history.frames):
        yield "unreadable"
    if any(call.operation == "recorded" for call in history.driver_calls):
        yield "record"
    if any("raw" in record.info for record in history.records):
        yield from ("receive", "violated")
    if any(not e.by_station and e.kind is AnswerKind.NONE for e in history.exchanges):
        yield "receive"
    attempts = history.connections
    if any(attempt.info.get("credentials") or attempt.info.get("tls") or not attempt.opened for attempt in attempts):
        yield from ("credentials", "handshake")
    if any(attempt.info.get("tls") for attempt in attempts):
        yield "tls"
    if any(attempt.info.get("offered") != [history.rules.subprotocol] for attempt in attempts):
        yield from ("subprotocol", "handshake")
    if len(attempts) > len({attempt.station for attempt in attempts}):
        yield from ("replace", "handshake", "receive")
    if any("%" in attempt.info.get("url", "") or len(attempt.station) > LONG_IDENTITY for attempt in attempts):
        yield from ("identity", "handshake")


def _touches(defect: Defect, seen: Seen) -> bool:
    if (defect.server_flaw is not None or defect.tls_rules is not None) and "tls" in seen.moments:
        return True
    for moment, actions, _ in defect.hooks:
        if moment in _STATION_MOMENTS:
            touched = ANY in actions or bool(seen.calls.intersection(actions))
        elif moment in _CSMS_MOMENTS:
            touched = bool(seen.commands) if ANY in actions else bool(seen.commands.intersection(actions))
        else:
            # What acts on every connection or frame can touch any case.
            touched = moment not in _CONNECTION_MOMENTS or moment in seen.moments
        if touched:
            return True
    return False
