"""Transactions: every way in which one starts, goes on and ends is answered, and tokens are checked in it."""

from __future__ import annotations

from drivers.base import token_need, trigger_need
from fixtures.csms.defects.v2x_events import event_defect_id
from interop_suite.catalogue import case
from interop_suite.claims.checks import asked, noted, unknown_token_refused
from interop_suite.claims.expected import present
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging
from interop_suite.steps.courses import Course, add_course
from interop_suite.steps.transaction_events import (
    AUTHORIZED,
    AVAILABLE,
    CHARGING,
    ENDED_BY_CAR,
    ENDED_BY_POWER,
    ENDED_DEAUTHORIZED,
    ENDED_DEPARTED,
    ENDED_LOCALLY,
    ENDED_REMOTE,
    ENDED_TIMEOUT,
    ENDED_UNPLUGGED,
    OCCUPIED,
    PLUGGED_IN,
    POWER_OFF,
    STARTED_BY_BAY,
    STARTED_BY_CABLE,
    STARTED_BY_ENERGY,
    STARTED_BY_POWER_PATH,
    STARTED_BY_SIGNATURE,
    STARTED_BY_TOKEN,
    STARTED_ELSEWHERE,
    STOP_SHOWN,
    SUSPENDED,
    UNPLUGGED,
    answers_all,
)
from interop_suite.steps.v2x import VERSIONS, part6, starts_with_token

BLOCK = "Transactions"
PROFILE = "Core"
CABLE_FIRST = (OCCUPIED, STARTED_BY_CABLE, AUTHORIZED, CHARGING)
TOKEN_FIRST = (STARTED_ELSEWHERE, OCCUPIED, PLUGGED_IN, CHARGING)

COURSES = (
    Course(
        id="TC_E_01_CSMS",
        title="The transaction starts when the power path is closed",
        clause=part6("E01.FR.05"),
        events=(OCCUPIED, STARTED_BY_POWER_PATH, CHARGING),
        defect="token-info-only-when-authorized",
        authorizes=True,
    ),
    Course(
        id="TC_E_02_CSMS",
        title="The transaction starts when energy flows",
        clause=part6("E01.FR.06"),
        events=(OCCUPIED, STARTED_BY_ENERGY),
        defect=event_defect_id("Started", "ChargingStateChanged"),
        authorizes=True,
    ),
    Course(
        id="TC_E_03_CSMS",
        title="Local start, cable first",
        clause=part6("E02.FR.02"),
        events=CABLE_FIRST,
        defect=event_defect_id("Started", "CablePluggedIn"),
        authorizes=True,
    ),
    Course(
        id="TC_E_04_CSMS",
        title="Local start, token first",
        clause=part6("E03.FR.02"),
        events=TOKEN_FIRST,
        defect=event_defect_id("Updated", "CablePluggedIn"),
        authorizes=True,
    ),
    Course(
        id="TC_E_07_CSMS",
        title="The transaction ends when the power path is opened after a local stop",
        clause=part6("E06.FR.06"),
        events=(*CABLE_FIRST, ENDED_LOCALLY),
        defect="end-without-token-refused",
        authorizes=True,
    ),
    Course(
        id="TC_E_08_CSMS",
        title="The token is shown to stop, and the transaction ends when no energy flows any more",
        clause=part6("E06.FR.07"),
        events=(*CABLE_FIRST, STOP_SHOWN, ENDED_BY_POWER),
        defect="event-after-stop-authorized-refused",
        authorizes=True,
    ),
    Course(
        id="TC_E_09_CSMS",
        title="The transaction starts when the cable is plugged in, before any token",
        clause=part6("E01.FR.02"),
        events=(OCCUPIED, STARTED_BY_CABLE),
        defect="start-without-token-refused",
    ),
    Course(
        id="TC_E_10_CSMS",
        title="The transaction starts with the token, before the driver has chosen an EVSE",
        clause=part6("E01.FR.03"),
        events=(STARTED_ELSEWHERE,),
        defect="start-without-evse-refused",
        authorizes=True,
    ),
    Course(
        id="TC_E_11_CSMS",
        title="The transaction starts when the meter has signed its first reading",
        clause=part6("E01.FR.04"),
        events=(OCCUPIED, STARTED_BY_SIGNATURE, CHARGING),
        defect="signed-reading-refused",
        authorizes=True,
    ),
    Course(
        id="TC_E_12_CSMS",
        title="The transaction starts when the bay is occupied",
        clause=part6("E01.FR.01"),
        events=(STARTED_BY_BAY, AUTHORIZED, CHARGING),
        defect=event_defect_id("Started", "EVDetected"),
    ),
    Course(
        id="TC_E_14_CSMS",
        title="The session was stopped, and ends when the driver unplugs at the station",
        clause=part6("E06.FR.02"),
        events=(*CABLE_FIRST, STOP_SHOWN, POWER_OFF, AVAILABLE, ENDED_UNPLUGGED),
        defect="event-after-stop-authorized-refused",
        authorizes=True,
    ),
    Course(
        id="TC_E_15_CSMS",
        title="The driver stops at the station, and the session ends at once",
        clause=part6("E06.FR.03"),
        events=(*TOKEN_FIRST, ENDED_LOCALLY),
        defect="end-without-token-refused",
        authorizes=True,
    ),
    Course(
        id="TC_E_17_CSMS",
        title="The car paused, and the session ends when the driver unplugs at the car",
        clause=part6("E06.FR.04"),
        events=(*TOKEN_FIRST, SUSPENDED, ENDED_UNPLUGGED),
        defect="event-after-suspension-refused",
        authorizes=True,
    ),
    Course(
        id="TC_E_19_CSMS",
        title="The session ends when the bay is free again",
        clause=part6("E06.FR.01"),
        events=(*CABLE_FIRST, STOP_SHOWN, POWER_OFF, AVAILABLE, UNPLUGGED, ENDED_DEPARTED),
        defect=event_defect_id("Ended", "EVDeparted"),
        authorizes=True,
    ),
    Course(
        id="TC_E_20_CSMS",
        title="The car paused, the driver unplugs at the car, and the session ends",
        clause=part6("E06.FR.02"),
        events=(*CABLE_FIRST, SUSPENDED, AVAILABLE, ENDED_UNPLUGGED),
        defect=event_defect_id("Ended", "EVCommunicationLost"),
        authorizes=True,
    ),
    Course(
        id="TC_E_22_CSMS",
        title="The car takes no more energy, and the session ends",
        clause=part6("E06.FR.07"),
        events=(*CABLE_FIRST, ENDED_BY_CAR),
        defect="newer-stop-reason-refused",
        authorizes=True,
    ),
    Course(
        id="TC_E_26_CSMS",
        title="The driver unplugs at the car, the session pauses, and goes on when the cable is back",
        clause=part6("E10.FR.01"),
        events=(*CABLE_FIRST, SUSPENDED, UNPLUGGED, AVAILABLE, PLUGGED_IN, CHARGING),
        defect=event_defect_id("Updated", "EVCommunicationLost"),
        authorizes=True,
    ),
    Course(
        id="TC_E_38_CSMS",
        title="Local start; the car is not ready, and charges later",
        clause=part6("TC_E_38_CSMS"),
        events=(STARTED_ELSEWHERE, OCCUPIED, PLUGGED_IN, SUSPENDED, CHARGING),
        defect="event-after-suspension-refused",
        authorizes=True,
    ),
    Course(
        id="TC_E_39_CSMS",
        title="Token shown, no cable in time: the session ends",
        clause=part6("E03.FR.05"),
        events=(STARTED_ELSEWHERE, ENDED_TIMEOUT),
        defect=event_defect_id("Ended", "EVConnectTimeout"),
        authorizes=True,
    ),
)

for _course in COURSES:
    add_course(_course)


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
    title="The operator stops one of two sessions from afar, the older one first and then the newer one",
    block=BLOCK,
    profile=PROFILE,
    initiator="csms",
    needs=(token_need("Accepted"), trigger_need("RequestStopTransaction")),
    sends="Sessions at two EVSEs, Accepted to two RequestStopTransaction, and the ends by RemoteStop.",
    expects="The CSMS SHALL send RequestStopTransaction with the id of the session named, and answer every event.",
    clause=part6("F03.FR.01"),
    defect="request-stop-wrong-transaction",
    also=(
        "event-without-token-info",
        event_defect_id("Ended", "RemoteStop"),
        "stop-names-latest-session",
        "stop-names-first-session",
        "order-before-once-more",
        "sequence-restart-refused",
    ),
    checks=(
        asked("RequestStopTransaction", {"transactionId": present()}),
        noted("transaction_as_told", "RequestStopTransaction carries the transactionId of the session"),
        answers_all,
        starts_with_token("Accepted"),
    ),
)
def remote_stop(probe: Probe) -> None:
    tokens = (probe.token(), probe.another_token())
    older, newer = (Charging(probe.station, token, connector=evse) for token, evse in zip(tokens, (2, 1), strict=True))
    for charging in (older, newer):
        STARTED_BY_TOKEN.send(charging)
        CHARGING.send(charging)
    _stop_from_afar(probe, older)
    newest = Charging(probe.station, tokens[0], connector=2)
    STARTED_BY_TOKEN.send(newest)
    CHARGING.send(newest)
    _stop_from_afar(probe, newest)


def _stop_from_afar(probe: Probe, charging: Charging) -> None:
    station = probe.station
    station.reply("RequestStopTransaction", {"status": "Accepted"})
    earlier = len(station.received("RequestStopTransaction"))
    probe.command("RequestStopTransaction", {"transactionId": str(charging.id)})
    request = station.expect("RequestStopTransaction", after=earlier)
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
    also=("event-without-token-info",),
    checks=(answers_all, starts_with_token()),
)
def sequence_restarts(probe: Probe) -> None:
    token = probe.any_token()
    for _ in range(2):
        charging = Charging(probe.station, token)
        charging.begin()
        charging.end()
