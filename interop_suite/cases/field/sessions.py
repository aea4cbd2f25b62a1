"""Sessions as they go in the field: over lost connections and restarts, many in a row, side by side, late, doubled."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from drivers.base import token_need
from evidence.verdicts import Verdict
from fixtures.payloads import v2x, v16
from fixtures.time_style import TimeStyle
from fixtures.tokens import Token, TokenKind
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind
from interop_suite.claims.expected import field, one_of
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe, now
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps.charging import Charging
from interop_suite.steps.kept_sessions import kept_as_told
from interop_suite.steps.shared_case import ALL, V2X, shared
from interop_suite.steps.transaction_records import sessions_began
from ocppj.versions import Version

BLOCK = "Field"
TOKEN = (token_need("Accepted"),)
RECORDS = (*TOKEN, "transactions")
LOST = ("start-lost", "stop-lost")
"""Defects that leave nothing to be kept."""
LOST_16 = (*LOST, "start-without-authorize-refused")
LOST_2X = (*LOST, "meter-stop-lost")
BESIDE = ("status-ends-session", "energy-crossed")
EMPTY = ("empty-session-left-open", "register-of-zero-lost")
_TELLS: Mapping[Version, tuple[str, ...]] = {
    Version.V16: ("StartTransaction", "StopTransaction"),
    **dict.fromkeys(V2X, ("TransactionEvent",)),
}
_TOLD_LATE: Mapping[Version, dict[str, Any]] = {Version.V16: {}, **{key: {"offline": True} for key in V2X}}
"""How a message says that its station was offline; 1.6 has no word for it."""
_READS: Mapping[Version, tuple[str, ...]] = {Version.V16: ("MeterValues",), **dict.fromkeys(V2X, ())}
"""What readings in a session are told with, besides."""


def _cite(v16: Clause, v2x: str) -> dict[Version, Clause]:
    return {Version.V16: v16, **{version: Clause("201-6", v2x) for version in V2X}}


def _also(v16: tuple[str, ...], v2x: tuple[str, ...]) -> dict[Version, tuple[str, ...]]:
    return {Version.V16: v16, **dict.fromkeys(V2X, v2x)}


def _told_and_kept(sessions: int = 1, *, readings: bool = False) -> dict[Version, tuple[Check, ...]]:
    return {
        version: (
            sessions_began(sessions),
            *(
                answered(action, claim=f"Every {action} is answered")
                for action in (*_TELLS[version], *(_READS[version] if readings else ()))
            ),
            kept_as_told(),
        )
        for version in ALL
    }


@shared(
    id="FLD_01",
    title="A session goes on over a connection that was lost, without a boot",
    block=BLOCK,
    needs=RECORDS,
    sends="The start of a session, the loss of the connection, a new one without a boot, a reading, and the end.",
    expects="The CSMS SHALL answer each, and keep one session: what is told on the next connection belongs to it.",
    clause=_cite(Clause("1.6", "3.7"), "E06.FR.02"),
    defect="sessions-end-with-connection",
    also=_also(("meter-stop-lost", *LOST_16), LOST_2X),
    checks=_told_and_kept(readings=True),
)
def over_a_lost_connection(probe: Probe) -> None:
    charging = Charging(probe.station, probe.token())
    charging.begin(1100)
    probe.station.drop()
    probe.reconnect(probe.station, judged=True)
    charging.sample(1900)
    charging.end(2700)


@shared(
    id="FLD_02",
    title="A boot in the middle of a session leaves the session to its station",
    block=BLOCK,
    needs=RECORDS,
    sends="The start of a session, the loss of the connection, a new one with a boot, and then the end.",
    expects="The CSMS SHALL take the end as it comes: a station reports after a restart what it had not yet told.",
    clause=_cite(Clause("1.6", "3.7"), "E06.FR.02"),
    defect="boot-ends-sessions",
    also=_also(("sessions-end-with-connection", *LOST_16), ("sessions-end-with-connection", *LOST_2X)),
    checks=_told_and_kept(),
)
def boot_in_the_middle(probe: Probe) -> None:
    charging = Charging(probe.station, probe.token())
    charging.begin(1300)
    probe.station.drop()
    probe.reconnect(probe.station, judged=True)
    probe.boot(probe.station)
    charging.end(3100)


IN_A_ROW = ((500, 1250), (1250, 1250), (1251, 1980), (2000, 2003), (2003, 4100), (4100, 4101), (0, 0))
"""Registers of sessions that follow one another: two take nothing, and one ends at 0."""


@shared(
    id="FLD_03",
    title="Seven sessions in a row, with nothing taken in two of them, are all kept",
    block=BLOCK,
    needs=RECORDS,
    sends=f"{len(IN_A_ROW)} sessions one after another; two take no energy, and the register of one stays at 0.",
    expects="The CSMS SHALL answer each, and keep each with its own registers.",
    clause=_cite(Clause("1.6", "4.10"), "E06.FR.02"),
    defect="records-capped",
    also=_also((*EMPTY, *LOST_16), (*EMPTY, "sequence-restart-refused", *LOST_2X)),
    checks=_told_and_kept(len(IN_A_ROW)),
)
def in_a_row(probe: Probe) -> None:
    token = probe.token()
    for begin, end in IN_A_ROW:
        charging = Charging(probe.station, token)
        charging.begin(begin)
        charging.end(end)
        probe.let_settle()


_AVAILABLE: Mapping[Version, Callable[[int], dict[str, Any]]] = {
    Version.V16: lambda connector: v16.status_notification(connector, "Available", timestamp=now()),
    **dict.fromkeys(V2X, lambda evse: v2x.status_notification(evse, 1, "Available", now())),
}


def _tell_available(station: ScriptedStation, place: int) -> None:
    station.call("StatusNotification", _AVAILABLE[station.version](place))


def _statuses_16() -> list[dict[str, Any]]:
    told = ((1, "SuspendedEVSE"), (1, "Faulted"), (0, "Unavailable"), (1, "Charging"), (1, "Finishing"))
    errors = {"Faulted": "OtherError"}
    return [
        v16.status_notification(place, status, error_code=errors.get(status, "NoError"), timestamp=now())
        for place, status in told
    ]


_DURING: Mapping[Version, Callable[[], list[dict[str, Any]]]] = {
    Version.V16: _statuses_16,
    **dict.fromkeys(
        V2X,
        lambda: [v2x.status_notification(1, 1, status, now()) for status in ("Faulted", "Unavailable", "Occupied")],
    ),
}
"""What a connector may tell of itself while its session goes on."""


@shared(
    id="FLD_04",
    title="Neither a start next to it nor a status ends a session",
    block=BLOCK,
    needs=RECORDS,
    sends="A session, a status of each place, a session next to it from start to end, every other status, and the end.",
    expects="The CSMS SHALL end a session when its station says so, and not for what happens beside it.",
    clause=_cite(Clause("1.6", "4.9"), "E06.FR.02"),
    defect="start-ends-other-sessions",
    also=_also(
        (
            "status-ends-session",
            "unavailable-station-ends-sessions",
            "connector-fault-refused",
            "energy-crossed",
            "stop-by-another-tag-refused",
            *LOST_16,
        ),
        ("status-ends-session", "energy-crossed", *LOST_2X),
    ),
    checks={
        version: (answered("StatusNotification", claim="Every status is answered"), *checks)
        for version, checks in _told_and_kept(2).items()
    },
)
def side_by_side(probe: Probe) -> None:
    long, short = Charging(probe.station, probe.token()), Charging(probe.station, probe.another_token(), connector=2)
    long.begin(1000)
    for place in (2, 1):
        _tell_available(probe.station, place)
    short.begin(7000)
    short.end(7350)
    _tell_available(probe.station, 2)
    for payload in _DURING[probe.version]():
        probe.station.call("StatusNotification", payload)
    long.end(2600)


def _elsewhere(hours: float, offset: int) -> str:
    """Write a time in the past as the clock of another zone shows it."""
    return TimeStyle(f"{offset:+03d}:00").writer()(time.time() - hours * 3600)


@shared(
    id="FLD_05",
    title="A session from the time offline keeps its own times, whatever zone they are written in",
    block=BLOCK,
    needs=RECORDS,
    sends="After a reconnect: the start of three hours ago and the end of two hours ago, with +02:00 and -05:00.",
    expects="The CSMS SHALL take both as any other message, and keep when it was and not when it was told.",
    clause=_cite(Clause("1.6", "3.15"), "E12.FR.02"),
    defect="times-of-receipt",
    also=_also(
        ("offset-of-times-ignored", "offline-start-refused", "offline-stop-refused", *LOST),
        ("offset-of-times-ignored", "offline-event-refused", *LOST_2X),
    ),
    checks=_told_and_kept(),
)
def own_times(probe: Probe) -> None:
    probe.station.drop()
    probe.reconnect(probe.station, judged=True)
    charging = Charging(probe.station, probe.token())
    more = _TOLD_LATE[probe.version]
    charging.begin(1000, timestamp=_elsewhere(3, 2), **more)
    charging.end(2900, timestamp=_elsewhere(2, -5), **more)


@shared(
    id="FLD_06",
    title="A session that a token ends which nobody knows is over all the same",
    block=BLOCK,
    needs=RECORDS,
    sends="The start of a session with a known token, and its end with one that nobody knows.",
    expects="The CSMS SHALL answer the end and keep it: it cannot keep a session from ending.",
    clause=_cite(Clause("1.6", "4.10"), "E06.FR.02"),
    defect="bad-token-leaves-session-open",
    also=_also(("stop-by-another-tag-refused", *LOST_16), LOST_2X),
    checks=_told_and_kept(),
)
def ended_by_a_stranger(probe: Probe) -> None:
    charging = Charging(probe.station, probe.token())
    charging.begin(1000)
    charging.token = probe.made_up_token()
    charging.end(1444)


def _end_again(charging: Charging) -> None:
    charging.end(9999)


def _late_update(charging: Charging) -> None:
    charging.sample(9999)


_LATE: Mapping[Version, Callable[[Charging], None]] = {
    Version.V16: _end_again,
    **dict.fromkeys(V2X, _late_update),
}


@shared(
    id="FLD_07",
    title="What comes late about a session that is over changes nothing",
    block=BLOCK,
    needs=RECORDS,
    sends="A session that ends at 2,222 Wh, and a reading of 9,999 Wh after that (1.6: another StopTransaction).",
    expects="The CSMS SHALL answer it, and leave what it has confirmed as it is.",
    clause=_cite(Clause("1.6", "4.10"), "E06.FR.02"),
    defect="late-message-changes-record",
    also=_also(("stop-repeated-refused", *LOST_16), (*LOST_2X, "late-event-reopens")),
    checks=_told_and_kept(),
)
def late(probe: Probe) -> None:
    charging = Charging(probe.station, probe.token())
    charging.begin(1000)
    charging.end(2222)
    _LATE[probe.version](charging)


# -- one token twice -------------------------------------------------------------------------------------------------

_NO_RUNNING_ID = "A start that is refused does not get the id of the session that runs"
_FREE_AGAIN = "A token that began a session is accepted again when that is over"
_SAME_START = "A start that comes again is not refused for its own session"


def _starts(history: History) -> list[Any]:
    return [call for call in history.calls("StartTransaction") if call.kind is AnswerKind.RESULT]


def _judge_running_id(history: History) -> list[Finding]:
    starts = _starts(history)
    refused = [call for call in starts[1:] if field(call.result, "idTagInfo.status") != "Accepted"]
    running = starts[0].result.get("transactionId") if starts else None
    return [
        Finding(
            verdict=Verdict.FAILED if call.result.get("transactionId") == running else Verdict.OK,
            claim=_NO_RUNNING_ID,
            actual=call.describe_answer(),
            frame=call.call.line,
        )
        for call in refused
    ]


@case(
    id="FLD_08",
    ocpp=Version.V16,
    title="A start that is refused beside a running session does not name that session",
    block=BLOCK,
    needs=(*RECORDS, token_need("Blocked")),
    sends="A session at one connector, and at the other starts with the same tag and with a blocked one; the ends.",
    expects="The CSMS SHALL give the second start an id of its own: its station ends what it is given at once.",
    clause=Clause("1.6", "4.8"),
    defect="refused-start-names-running",
    also=("transaction-id-reused",),
    checks=(sessions_began(), Check(claim=_NO_RUNNING_ID, judge=_judge_running_id)),
)
def refused_beside_running(probe: Probe) -> None:
    running = Charging(probe.station, probe.token())
    running.begin(1000)
    for token in (running.token, probe.token("Blocked")):
        beside = Charging(probe.station, token, connector=2)
        beside.begin(5000)
        if beside.id != running.id:
            beside.end(5000)
    running.end(1800)


def _is(status: str, claim: str, nth: int) -> Check:
    return answered("StartTransaction", {"idTagInfo.status": one_of(status)}, nth=nth, claim=claim)


@case(
    id="FLD_09",
    ocpp=Version.V16,
    title="A tag is free again after its session",
    block=BLOCK,
    needs=TOKEN,
    sends="Two sessions of one tag after one another, at two connectors.",
    expects="The CSMS SHALL accept the tag again: ConcurrentTx is for a tag that is in a running transaction.",
    clause=Clause("1.6", "7.2"),
    defect="tag-never-free-again",
    also=("start-without-authorize-refused",),
    checks=(_is("Accepted", "The tag is accepted", 0), _is("Accepted", _FREE_AGAIN, 1)),
)
def free_again(probe: Probe) -> None:
    token = probe.token()
    for connector in (1, 2):
        charging = Charging(probe.station, token, connector=connector)
        charging.begin(1000 * connector)
        charging.end(1000 * connector + 77)
        probe.let_settle()


def _judge_same_start(history: History) -> list[Finding]:
    starts = _starts(history)
    if len(starts) < 2 or field(starts[0].result, "idTagInfo.status") != "Accepted":  # noqa: PLR2004  # and its repetition
        return []
    again = starts[1]
    verdict = Verdict.OK if field(again.result, "idTagInfo.status") == "Accepted" else Verdict.FAILED
    return [Finding(verdict=verdict, claim=_SAME_START, actual=again.describe_answer(), frame=again.answer.line)]


@case(
    id="FLD_10",
    ocpp=Version.V16,
    title="A start that is repeated because its answer was lost is not refused for itself",
    block=BLOCK,
    needs=TOKEN,
    sends="A StartTransaction, the loss of the connection, the same StartTransaction again, and both ends.",
    expects="The CSMS SHALL answer the repetition as it did the first: the tag is in no other transaction.",
    clause=Clause("1.6", "3.7.1"),
    defect="repeated-start-refused-for-itself",
    also=("start-without-authorize-refused",),
    checks=(answered("StartTransaction"), Check(claim=_SAME_START, judge=_judge_same_start)),
)
def start_again(probe: Probe) -> None:
    token, timestamp = probe.token(), now()
    first, second = Charging(probe.station, token), Charging(probe.station, token)
    first.begin(1000, timestamp=timestamp)
    probe.station.drop()
    probe.reconnect(probe.station, judged=True)
    second.begin(1000, timestamp=timestamp)
    for charging in (first, second):
        charging.end(1600)


# -- no token at all -------------------------------------------------------------------------------------------------


@shared(
    id="FLD_11",
    title="A session that a button began needs no token",
    block=BLOCK,
    sends="A TransactionEvent that begins a session with an empty idToken of the type NoAuthorization, and its end.",
    expects="The CSMS SHALL answer with Accepted: there is nothing to look up.",
    clause={version: Clause("201-6", "C02.FR.01") for version in V2X},
    defect="no-authorization-refused",
    also=("event-without-token-info",),
    checks=(
        answered(
            "TransactionEvent",
            {"idTokenInfo.status": one_of("Accepted")},
            nth=0,
            claim="A start without authorization is accepted",
        ),
        answered("TransactionEvent", claim="Every event is answered"),
    ),
)
def without_token(probe: Probe) -> None:
    charging = Charging(probe.station, "")
    charging.begin(1000, token=Token(value="", kind=TokenKind.NO_AUTHORIZATION))
    charging.end(1500, token=None)
