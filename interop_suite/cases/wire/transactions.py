"""State and money: what is recorded of transactions, and stops that no CSMS may refuse."""

from __future__ import annotations

from drivers.base import token_need
from evidence.verdicts import Verdict
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.history import BYSTANDER, History
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging
from interop_suite.steps.shared_case import ALL, V2X, bystander_serves, shared
from interop_suite.steps.transaction_records import (
    accepted_starts,
    is_closed,
    keeps_own_energy,
    read_records,
    recorded_end,
    recorded_once,
    sessions_began,
)
from interop_suite.steps.v16 import ago
from ocppj.versions import Version

BLOCK = "Transactions"
TOKEN = (token_need("Accepted"),)
RECORDS = (*TOKEN, "transactions")
TELLS = {Version.V16: "StopTransaction", **dict.fromkeys(V2X, "TransactionEvent")}
STARTS = {Version.V16: "StartTransaction", **dict.fromkeys(V2X, "TransactionEvent")}


def cite(v16: str, v2x: str, document: str = "1.6") -> dict[Version, Clause]:
    """Cite 1.6 and the test cases of 2.x."""
    return {Version.V16: Clause(document, v16), **{version: Clause("201-6", v2x) for version in V2X}}


@shared(
    id="ST_20",
    title="A confirmed start is recorded, and once",
    block=BLOCK,
    needs=RECORDS,
    sends="The start of a session with a known token; then its end.",
    expects="The CSMS SHALL have taken over what it confirmed: one transaction, with the id that both sides use.",
    clause=cite("4.8", "E01.FR.05"),
    defect="start-lost",
    also=("transaction-duplicated",),
    checks=(recorded_once(),),
)
def start_is_recorded(probe: Probe) -> None:
    charging = Charging(probe.station, probe.token())
    charging.begin()
    read_records(probe, lambda rows: any(str(row.get("transactionId")) == str(charging.id) for row in rows))
    charging.end()


@shared(
    id="ST_21",
    title="A confirmed end is recorded with its own meter value",
    block=BLOCK,
    needs=RECORDS,
    sends="A session with a reading of 1,700 Wh on the way and 2,500 Wh at its end.",
    expects="The CSMS SHALL have taken over what it confirmed: the session ended, at 2,500 Wh.",
    clause=cite("4.10", "E06.FR.02"),
    defect="stop-lost",
    also=("meter-stop-lost",),
    checks={
        Version.V16: (answered("MeterValues"), recorded_end()),
        **dict.fromkeys(V2X, (answered("TransactionEvent"), recorded_end())),
    },
)
def end_is_recorded(probe: Probe) -> None:
    charging = Charging(probe.station, probe.token())
    charging.begin(1000)
    charging.sample(1700)
    charging.end(2500)
    read_records(probe, is_closed(charging.id))


@shared(
    id="ST_22",
    title="Two sessions at one station keep their own energy",
    block=BLOCK,
    needs=RECORDS,
    sends="A session from 1,000 to 2,500 Wh, while another one at the same station goes from 5,000 to 5,600 Wh.",
    expects="The CSMS SHALL have taken over what it confirmed: 1,500 Wh for the one, and 600 Wh for the other.",
    clause=cite("4.10", "E06.FR.02"),
    defect="energy-crossed",
    also={
        Version.V16: ("transaction-id-reused",),
        **dict.fromkeys(V2X, ("meter-stop-lost", "start-ends-other-sessions")),
    },
    checks=(sessions_began(2), keeps_own_energy()),
)
def own_energy(probe: Probe) -> None:
    # One token for two sessions at once is a thing that a CSMS may refuse (ConcurrentTx).
    one, two = Charging(probe.station, probe.token()), Charging(probe.station, probe.another_token(), connector=2)
    one.begin(1000)
    two.begin(5000)
    one.end(2500)
    two.end(5600)
    read_records(probe, is_closed(one.id, two.id))


@shared(
    id="ST_06",
    title="An end is answered even when the meter has run backwards",
    block=BLOCK,
    sends="A session from 1,000 Wh whose end says 900 Wh.",
    expects="The CSMS SHALL answer the end: it cannot keep a session from ending, and a refusal is repeated for ever.",
    clause=cite("4.10", "J02.FR.19"),
    defect="backwards-meter-refused",
    checks={v: (sessions_began(), answered(TELLS[v], nth=-1, claim="The end is answered")) for v in ALL},
)
def backwards_meter(probe: Probe) -> None:
    charging = Charging(probe.station, probe.any_token())
    charging.begin(1000)
    charging.end(900)


@case(
    id="ST_07_1",
    ocpp=Version.V16,
    title="The end of a transaction that the CSMS does not know is answered",
    block=BLOCK,
    sends="A session, and then StopTransaction with an id that was never given, and with 0.",
    expects="The CSMS SHALL answer each: a refusal is repeated for ever.",
    clause=Clause("1.6", "4.10"),
    defect="stop-of-unknown-refused",
    also=("stop-of-zero-refused",),
    checks=(
        answered("StopTransaction", nth=1, claim="The end of an unknown transaction is answered"),
        answered("StopTransaction", nth=2, claim="The end of a transaction 0 is answered"),
    ),
)
def unknown_stop(probe: Probe) -> None:
    charging = Charging(probe.station, probe.any_token())
    charging.begin()
    charging.end()
    for number in ((int(charging.id) + 1) % 2**31, 0):
        charging.id = number
        charging.end()


@case(
    id="ST_07_2",
    ocpp=Version.V16,
    title="StopTransaction with transactionId -1 is answered",
    block=BLOCK,
    sends="StopTransaction with the id of a station that never got one.",
    expects="The CSMS SHALL respond as if the id were valid, so that the station is not blocked.",
    clause=Clause("1.6-E", "3.18"),
    defect="stop-of-minus-one-refused",
    checks=(answered("StopTransaction", nth=-1, claim="The end of transaction -1 is answered"),),
)
def stop_without_id(probe: Probe) -> None:
    Charging(probe.station, probe.any_token()).end()


@case(
    id="ST_07_3",
    ocpp=Version.V16,
    title="A StopTransaction that comes again is answered again",
    block=BLOCK,
    sends="A session, and its StopTransaction twice.",
    expects="The CSMS SHALL answer both: a station repeats what it got no answer for.",
    clause=Clause("1.6", "4.10"),
    defect="stop-repeated-refused",
    checks=(sessions_began(), answered("StopTransaction", claim="Each StopTransaction is answered")),
)
def repeated_stop(probe: Probe) -> None:
    charging = Charging(probe.station, probe.any_token())
    charging.begin()
    charging.end()
    charging.end()


@case(
    id="ST_12",
    ocpp=Version.V16,
    title="A session that another tag ends is answered",
    block=BLOCK,
    sends="StartTransaction with one tag, and StopTransaction with another.",
    expects="The CSMS SHALL answer the end: it cannot keep a transaction from stopping.",
    clause=Clause("1.6", "4.10"),
    defect="stop-by-another-tag-refused",
    checks=(sessions_began(), answered("StopTransaction", claim="The end by another tag is answered")),
)
def stop_by_another_tag(probe: Probe) -> None:
    charging = Charging(probe.station, probe.any_token())
    charging.begin()
    charging.token = probe.made_up_token()
    charging.end()


@case(
    id="ST_12_2",
    ocpp=Version.V16,
    title="A session that another tag of the same group ends is answered",
    block=BLOCK,
    needs=(token_need("parent"),),
    sends="StartTransaction with one tag, and StopTransaction with another of the same parent.",
    expects="The CSMS SHALL answer the end: it cannot keep a transaction from stopping.",
    clause=Clause("1.6", "4.10"),
    defect="stop-by-another-tag-refused",
    checks=(sessions_began(), answered("StopTransaction", claim="The end by another tag is answered")),
)
def stop_by_sibling(probe: Probe) -> None:
    parent = probe.made_up_token()
    charging = Charging(probe.station, probe.token(parent=parent))
    charging.begin()
    charging.token = probe.token(parent=parent)
    charging.end()


_DISTINCT = "Transactions of one station have different ids, also when one is over"


def _judge_distinct(history: History) -> list[Finding]:
    numbers = [call.result.get("transactionId") for call in accepted_starts(history)]
    if len(numbers) < 2:  # noqa: PLR2004  # two sessions
        return []
    verdict = Verdict.OK if len(set(numbers)) == len(numbers) else Verdict.FAILED
    return [Finding(verdict=verdict, claim=_DISTINCT, actual=f"transactionId {numbers}")]


@case(
    id="ST_09_1",
    ocpp=Version.V16,
    title="Sessions at one station get different transactionIds, also one after another",
    block=BLOCK,
    needs=TOKEN,
    sends="StartTransaction at connector 1 and at connector 2, both ends, and one more session.",
    expects="The CSMS SHALL give each its transactionId: the ends have nothing else to tell them apart.",
    clause=Clause("1.6", "4.8"),
    defect="transaction-id-reused",
    also=("transaction-id-of-ended-session",),
    checks=(sessions_began(2), Check(claim=_DISTINCT, judge=_judge_distinct)),
)
def distinct_ids(probe: Probe) -> None:
    tokens = (probe.token(), probe.another_token())
    sessions = [Charging(probe.station, token, connector=number) for number, token in enumerate(tokens, 1)]
    for session in sessions:
        session.begin()
    for session in sessions:
        session.end()
        probe.let_settle()
    later = Charging(probe.station, tokens[0])
    later.begin(2500)
    later.end(2600)


@case(
    id="ST_09_2",
    ocpp=Version.V16,
    title="A refused start at a busy connector leaves the running session alone",
    block=BLOCK,
    needs=(*RECORDS, token_need("Blocked")),
    sends="A session at a connector, and there a StartTransaction with a blocked tag; then the end of the first.",
    expects="The CSMS SHALL answer the second start, and not touch the session that runs.",
    clause=Clause("1.6", "4.8"),
    defect="refused-start-closes-running",
    also=("start-without-authorize-refused", "start-ends-other-sessions"),
    checks=(sessions_began(), answered("StartTransaction", claim="Each start is answered"), recorded_end()),
)
def start_at_busy_connector(probe: Probe) -> None:
    running = Charging(probe.station, probe.token())
    running.begin()
    Charging(probe.station, probe.token("Blocked")).begin(5000)
    read_records(probe, lambda rows: any(str(row.get("transactionId")) == str(running.id) for row in rows))


@shared(
    id="ST_10_1",
    title="The end of a transaction that never started is answered",
    block=BLOCK,
    sends="A TransactionEvent of type Ended for a transaction that the CSMS has never heard of.",
    expects="The CSMS SHALL answer it.",
    clause={v: Clause("201-6", "J02.FR.19") for v in V2X},
    defect="event-of-unknown-refused",
    checks=(answered("TransactionEvent", claim="The event is answered"),),
)
def unknown_end(probe: Probe) -> None:
    Charging(probe.station, probe.any_token()).end()


@shared(
    id="ST_10_2",
    title="A whole session from the time offline is answered",
    block=BLOCK,
    sends="After a reconnect: TransactionEvents Started, Updated and Ended of two hours ago, marked as offline.",
    expects="The CSMS SHALL answer each as any other event.",
    clause={v: Clause("201-6", "J02.FR.19") for v in V2X},
    defect="offline-event-refused",
    also=("event-update-unanswered",),
    checks=(answered("TransactionEvent", claim="Each event from the time offline is answered"),),
)
def offline_session(probe: Probe) -> None:
    station = probe.station
    station.drop()
    probe.reconnect(station)
    charging = Charging(station, probe.any_token())
    charging.begin(1000, offline=True, timestamp=ago(hours=3))
    charging.event("Updated", "MeterValuePeriodic", offline=True, timestamp=ago(hours=2.5))
    charging.end(2500, offline=True, timestamp=ago(hours=2))


@shared(
    id="ST_10_3",
    title="Events are answered with a gap, a repetition, a step back and another begin than 0 in their seqNo",
    block=BLOCK,
    sends="TransactionEvents with the seqNo 0, 1, 5, 5, 3 and 6, then those of the next session, with 7 and 8.",
    expects="The CSMS SHALL answer each: events come out of order, are repeated, and need not begin at 0.",
    clause={v: Clause("201-6", "J02.FR.19") for v in V2X},
    defect="event-out-of-order-refused",
    also=("event-update-unanswered", "sequence-away-from-0-refused"),
    checks=(answered("TransactionEvent", claim="Each event is answered"),),
)
def out_of_order(probe: Probe) -> None:
    charging = Charging(probe.station, probe.any_token())
    charging.begin()
    for number in (1, 5, 5, 3):
        if not charging.event("Updated", "MeterValuePeriodic", seq_no=number).ok:
            break
    charging.end(2500, seq_no=6)
    # That each session begins at 0 is recommended only, and not what older stations do.
    following = Charging(probe.station, charging.token)
    following.begin(2500, seq_no=7)
    following.end(2700)


@shared(
    id="ST_11",
    title="One station cannot end the transaction of another",
    block=BLOCK,
    bystander=True,
    needs=RECORDS,
    sends="The ends, at 99,999 Wh, of two transactions of another station, which ends one of them itself later.",
    expects="The CSMS SHALL leave the transactions to the station that started them.",
    clause=cite("4.10", "E06.FR.02"),
    defect={Version.V16: "stop-crosses-stations", **dict.fromkeys(V2X, "event-crosses-stations")},
    also={
        Version.V16: ("stop-lost", "energy-crossed"),
        **dict.fromkeys(V2X, ("stop-lost", "meter-stop-lost", "energy-crossed", "start-ends-other-sessions")),
    },
    checks=(sessions_began(role=BYSTANDER), recorded_end(role=BYSTANDER), bystander_serves()),
)
def foreign_end(probe: Probe) -> None:
    token, second = probe.token(), probe.another_token()
    own, intruder = Charging(probe.bystander, token), Charging(probe.station, token)
    running = [own]
    if second != token:
        # What its own station never ends shows a CSMS that puts an own end right again.
        running.append(Charging(probe.bystander, second, connector=2))
    for number, session in enumerate(running, start=1):
        session.begin(1000 * number)
    for session in running:
        intruder.id = session.id
        # Not the number of an event of the running one, which a CSMS may take for told already.
        intruder.events = 3
        intruder.end(99_999)
    own.end(2500)
    read_records(probe, is_closed(own.id), station=probe.bystander)
    probe.bystander.call("Heartbeat", {})
