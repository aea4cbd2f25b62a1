"""Sessions of 2.x stations as data: each a row of events, and the case that comes of it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from drivers.base import token_need
from fixtures.csms.defects.v2x_events import EVENTS, event_defect_id
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered
from interop_suite.claims.claim import Check
from interop_suite.claims.clauses import Clause
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging, authorize
from interop_suite.steps.transaction_events import ConnectorStatus, SessionEvent, answers_all
from interop_suite.steps.v2x import ACCEPTED, VERSIONS, starts_with_token, status_answered

__all__ = ["EVSE_OF_TWO", "Course", "add_course", "defects_of"]

EVSE_OF_TWO = 2
"""The EVSE with two connectors; its number is not that of its connector."""
accepts_token = answered("Authorize", ACCEPTED)


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """One session from its first event to the last that the case is about."""

    id: str
    title: str
    clause: Clause
    events: tuple[SessionEvent | ConnectorStatus, ...]
    defect: str
    block: str = "Transactions"
    authorizes: bool = False
    """Whether the token is authorized before the session."""


def _told(course: Course) -> list[SessionEvent]:
    return [each for each in course.events if isinstance(each, SessionEvent)]


def defects_of(events: Iterable[SessionEvent]) -> tuple[str, ...]:
    """List the defects that a row of events meets, besides those that show in every case."""
    events = tuple(events)
    kinds = [(each.kind, each.trigger) for each in events]
    named = [event_defect_id(*pair) for pair in dict.fromkeys(kinds) if pair in EVENTS]
    tokens = ["event-without-token-info"] if any(each.token for each in events) else []
    late = any(each.token and each.trigger != "Authorized" for each in events)
    return (*named, *tokens, *(["token-info-only-when-authorized"] if late else []))


def _checks(course: Course) -> Iterable[Check]:
    yield answers_all
    if any(each.token for each in _told(course)):
        yield starts_with_token("Accepted")
    if course.authorizes:
        yield accepts_token
    if len(_told(course)) < len(course.events):
        yield status_answered


def _needs(course: Course) -> tuple[str, ...]:
    judged = course.authorizes or any(each.token for each in _told(course))
    return (token_need("Accepted"),) if judged else ()


def add_course(course: Course) -> None:
    """Register the case of a session; its place is an EVSE whose number is not that of its connector."""
    words = (f"{each.kind} by {each.trigger}" for each in _told(course))

    @case(
        id=course.id,
        ocpp=VERSIONS,
        title=course.title,
        block=course.block,
        profile="Core",
        needs=_needs(course),
        sends=f"TransactionEvents: {', '.join(words)}.",
        expects="The CSMS SHALL answer every TransactionEvent, and say what the token in it is worth.",
        clause=course.clause,
        defect=course.defect,
        also=tuple(name for name in defects_of(_told(course)) if name != course.defect),
        checks=tuple(_checks(course)),
    )
    def script(probe: Probe) -> None:
        station, token = probe.station, probe.token() if _needs(course) else probe.any_token()
        if course.authorizes:
            authorize(station, token)
        charging = Charging(station, token, connector=EVSE_OF_TWO)
        for each in course.events:
            each.send(charging)
