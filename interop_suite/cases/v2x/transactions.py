"""Transactions: every way in which one starts, goes on and ends is answered, and tokens are checked in it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from drivers.base import token_need, trigger_need
from fixtures.csms.defects.v2x_events import EVENTS, event_defect_id
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked, noted, unknown_token_refused
from interop_suite.claims.claim import Check
from interop_suite.claims.clauses import Clause
from interop_suite.claims.expected import present
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging, authorize, meter_value
from interop_suite.steps.transaction_events import (
    AUTHORIZED,
    CHARGING,
    ENDED_DEAUTHORIZED,
    ENDED_DEPARTED,
    ENDED_REMOTE,
    ENDED_TIMEOUT,
    ENDED_UNPLUGGED,
    PLUGGED_IN,
    STARTED_BY_BAY,
    STARTED_BY_CABLE,
    STARTED_BY_ENERGY,
    STARTED_BY_TOKEN,
    STOP_SHOWN,
    UNPLUGGED,
    SessionEvent,
    answers_all,
)
from interop_suite.steps.v2x import ACCEPTED, VERSIONS, part6, starts_with_token, status

BLOCK = "Transactions"
PROFILE = "Core"
accepts_token = answered("Authorize", ACCEPTED)


def _defects_of(events: Iterable[SessionEvent]) -> tuple[str, ...]:
    """List the defects that a sequence of events meets."""
    named = [event_defect_id(s.kind, s.trigger) for s in events if (s.kind, s.trigger) in EVENTS]
    tokens = ["event-without-token-info"] if any(s.token for s in events) else []
    return (*named, *tokens)


def _checks_of(events: Iterable[SessionEvent]) -> tuple[Check, ...]:
    return (answers_all, starts_with_token("Accepted")) if any(s.token for s in events) else (answers_all,)


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """One session from its first event to the last that the case is about."""

    id: str
    title: str
    clause: Clause
    events: tuple[SessionEvent, ...]
    about: SessionEvent
    """The event that the case is about."""
    authorizes: bool = False
    """Whether the token is authorized before the session."""


COURSES = (
    Course(
        id="TC_E_03_CSMS",
        title="Local start, cable first",
        clause=part6("E02.FR.02"),
        events=(STARTED_BY_CABLE, AUTHORIZED, CHARGING),
        about=STARTED_BY_CABLE,
    ),
    Course(
        id="TC_E_04_CSMS",
        title="Local start, token first",
        clause=part6("E03.FR.02"),
        events=(STARTED_BY_TOKEN, PLUGGED_IN, CHARGING),
        about=PLUGGED_IN,
        authorizes=True,
    ),
    Course(
        id="TC_E_02_CSMS",
        title="The transaction starts when energy flows",
        clause=part6("E01.FR.06"),
        events=(STARTED_BY_ENERGY,),
        about=STARTED_BY_ENERGY,
        authorizes=True,
    ),
    Course(
        id="TC_E_12_CSMS",
        title="The transaction starts when the bay is occupied",
        clause=part6("E01.FR.01"),
        events=(STARTED_BY_BAY, AUTHORIZED, CHARGING),
        about=STARTED_BY_BAY,
    ),
    Course(
        id="TC_E_15_CSMS",
        title="The driver stops with the token",
        clause=part6("E06.FR.03"),
        events=(STARTED_BY_TOKEN, CHARGING, STOP_SHOWN),
        about=STOP_SHOWN,
    ),
    Course(
        id="TC_E_20_CSMS",
        title="The driver unplugs at the car, and the session ends",
        clause=part6("E06.FR.02"),
        events=(STARTED_BY_TOKEN, CHARGING, ENDED_UNPLUGGED),
        about=ENDED_UNPLUGGED,
    ),
    Course(
        id="TC_E_19_CSMS",
        title="The session ends when the bay is free again",
        clause=part6("E06.FR.01"),
        events=(STARTED_BY_TOKEN, CHARGING, ENDED_DEPARTED),
        about=ENDED_DEPARTED,
    ),
    Course(
        id="TC_E_26_CSMS",
        title="The driver unplugs at the car, and the session only pauses",
        clause=part6("E10.FR.01"),
        events=(STARTED_BY_TOKEN, CHARGING, UNPLUGGED),
        about=UNPLUGGED,
    ),
    Course(
        id="TC_E_39_CSMS",
        title="Token shown, no cable in time: the session ends",
        clause=part6("E03.FR.05"),
        events=(STARTED_BY_TOKEN, ENDED_TIMEOUT),
        about=ENDED_TIMEOUT,
        authorizes=True,
    ),
)


def _add(course: Course) -> None:
    defect, *_ = _defects_of([course.about])
    also = tuple(name for name in _defects_of(course.events) if name != defect)

    @case(
        id=course.id,
        ocpp=VERSIONS,
        title=course.title,
        block=BLOCK,
        profile=PROFILE,
        needs=(token_need("Accepted"),),
        sends=f"TransactionEvents: {', '.join(f'{s.kind} by {s.trigger}' for s in course.events)}.",
        expects="The CSMS SHALL answer every TransactionEvent, and say what the token in it is worth.",
        clause=course.clause,
        defect=defect,
        also=also,
        checks=(*_checks_of(course.events), *((accepts_token,) if course.authorizes else ())),
    )
    def script(probe: Probe) -> None:
        station, token = probe.station, probe.token()
        if course.authorizes:
            authorize(station, token)
        charging = Charging(station, token)
        for each in course.events:
            each.send(charging)


for _course in COURSES:
    _add(_course)


@case(
    id="TC_E_16_CSMS",
    ocpp=VERSIONS,
    title="A session with an unknown token is told so, and ends deauthorized",
    block=BLOCK,
    profile=PROFILE,
    sends="TransactionEvents: Started by Authorized with a token that the CSMS cannot know, Ended by Deauthorized.",
    expects="The CSMS SHALL answer with a status of Invalid or Unknown, and answer the end.",
    clause=part6("E01.FR.11"),
    defect="invalid-tag-started",
    also=("event-without-token-info", event_defect_id("Ended", "Deauthorized")),
    checks=(
        answers_all,
        unknown_token_refused(
            "TransactionEvent",
            "idTokenInfo.status",
            ("Invalid", "Unknown"),
            ("Blocked", "Expired", "NotAtThisLocation", "NotAtThisTime"),
            nth=0,
            claim="A token that the CSMS does not know is not accepted",
        ),
    ),
)
def deauthorized(probe: Probe) -> None:
    charging = Charging(probe.station, probe.unknown_token())
    STARTED_BY_TOKEN.send(charging)
    ENDED_DEAUTHORIZED.send(charging)


@case(
    id="TC_E_21_CSMS",
    ocpp=VERSIONS,
    title="The operator stops a session from afar",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(token_need("Accepted"), trigger_need("RequestStopTransaction")),
    sends="A session, Accepted to RequestStopTransaction, and its end by RemoteStop.",
    expects="The CSMS SHALL send RequestStopTransaction with the id of the session, and answer every event.",
    clause=part6("F03.FR.01"),
    defect="request-stop-wrong-transaction",
    also=("event-without-token-info", event_defect_id("Ended", "RemoteStop")),
    checks=(
        asked("RequestStopTransaction", {"transactionId": present()}),
        noted("transaction_as_told", "RequestStopTransaction carries the transactionId of the session"),
        answers_all,
        starts_with_token("Accepted"),
    ),
)
def remote_stop(probe: Probe) -> None:
    station = probe.station
    charging = Charging(station, probe.token())
    STARTED_BY_TOKEN.send(charging)
    CHARGING.send(charging)
    station.reply("RequestStopTransaction", {"status": "Accepted"})
    probe.command("RequestStopTransaction", {"transactionId": str(charging.id)})
    request = station.expect("RequestStopTransaction")
    if request is not None:
        given = request.get("transactionId")
        station.note(transaction_as_told=[given == charging.id, given])
    ENDED_REMOTE.send(charging)


@case(
    id="TC_E_53_CSMS",
    ocpp=VERSIONS,
    title="seqNo begins at 0 again with a new transaction",
    block=BLOCK,
    profile=PROFILE,
    sends="Two sessions one after the other, the seqNo of each beginning at 0.",
    expects="The CSMS SHALL answer every event of both.",
    clause=part6("E01.FR.07"),
    defect="sequence-restart-refused",
    checks=(answers_all,),
)
def sequence_restarts(probe: Probe) -> None:
    token = probe.any_token()
    for _ in range(2):
        charging = Charging(probe.station, token)
        charging.begin()
        charging.end()


@case(
    id="TC_J_02_CSMS",
    ocpp=VERSIONS,
    title="Clock-aligned readings in a session are answered",
    block="Meter Values",
    profile=PROFILE,
    sends="A session with a TransactionEvent Updated by MeterValueClock, and its end.",
    expects="The CSMS SHALL answer every TransactionEvent.",
    clause=part6("J01.FR.18"),
    defect=event_defect_id("Updated", "MeterValueClock"),
    checks=(answers_all,),
)
def clock_aligned(probe: Probe) -> None:
    charging = Charging(probe.station, probe.any_token())
    charging.begin()
    charging.event("Updated", "MeterValueClock", meter_value=[meter_value(1500, "Sample.Clock")])
    charging.end()


@case(
    id="TC_J_09_CSMS",
    ocpp=VERSIONS,
    title="Sampled readings in a session are answered",
    block="Meter Values",
    profile=PROFILE,
    sends="A session with two TransactionEvents Updated by MeterValuePeriodic, and its end.",
    expects="The CSMS SHALL answer every TransactionEvent.",
    clause=part6("J02.FR.19"),
    defect="event-update-unanswered",
    checks=(answers_all,),
)
def sampled(probe: Probe) -> None:
    station = probe.station
    status(station, "Occupied")
    charging = Charging(station, probe.any_token())
    charging.begin()
    charging.sample(1500)
    charging.sample(2000)
    charging.end()
