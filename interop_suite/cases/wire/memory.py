"""What a CSMS must remember from one message to the next: tokens, transactions, passwords, and the time."""

from __future__ import annotations

import uuid

from drivers.base import token_need, trigger_need
from evidence.verdicts import Verdict
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, asked, connection, refused_upgrade
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind
from interop_suite.claims.expected import field, one_of
from interop_suite.claims.history import History
from interop_suite.claims.moments import moment
from interop_suite.drive.probe import Probe
from interop_suite.drive.setup import Start
from interop_suite.steps import v16 as steps
from interop_suite.steps.charging import TOKEN_STATUS, Charging, authorize
from interop_suite.steps.connections import AUTHENTICATION, opens, requirement
from interop_suite.steps.shared_case import ALL, V2X, shared
from interop_suite.steps.transaction_records import read_records, recorded_end
from interop_suite.steps.v16 import ago
from ocppj.versions import Version

BLOCK = "Transactions"
PAUSE = 2.6
"""Seconds: more than a clock of whole seconds and the way there and back can hide."""
CUT = 1.2
"""Seconds by which a CSMS may tell less than passed: it may cut fractions off."""
_GROUPS = {Version.V16: "idTagInfo.parentIdTag", **dict.fromkeys(V2X, "idTokenInfo.groupIdToken.idToken")}
_TOKENS = {Version.V16: "idTag", **dict.fromkeys(V2X, "idToken.idToken")}
_EVENT = {Version.V16: "StopTransaction", **dict.fromkeys(V2X, "TransactionEvent")}


def _cite(v16: Clause, v2x: str) -> dict[Version, Clause]:
    return {Version.V16: v16, **{version: Clause("201-6", v2x) for version in V2X}}


@shared(
    id="ST_07_4",
    title="The end of a transaction that nobody knows leaves the running one alone",
    block=BLOCK,
    needs=(token_need("Accepted"), "transactions"),
    sends="A session, and while it runs the end of one with an id that was never given.",
    expects="The CSMS SHALL answer it, and SHALL NOT end the session that runs.",
    clause=_cite(Clause("1.6", "4.10"), "E06.FR.02"),
    defect="unknown-end-ends-running",
    also={
        Version.V16: ("stop-of-unknown-refused",),
        **dict.fromkeys(V2X, ("event-of-unknown-refused", "start-ends-other-sessions", "stop-lost")),
    },
    checks={v: (answered(_EVENT[v], claim="The end is answered"), recorded_end()) for v in ALL},
)
def unknown_end_beside_a_running_one(probe: Probe) -> None:
    token = probe.token()
    running, unknown = Charging(probe.station, token), Charging(probe.station, token)
    running.begin()
    unknown.id = str(uuid.uuid4()) if isinstance(running.id, str) else (running.id + 1) % 2**31
    # Not the number of an event of the running one, which a CSMS may take for told already.
    unknown.events = 3
    unknown.end()
    read_records(probe, lambda rows: any(str(row.get("transactionId")) == str(running.id) for row in rows))


MORE = 3
"""Heartbeats after the pause: some CSMSs lose one in so many."""
_GOES_ON = "The clock goes on between two Heartbeats"


def _judge_clock(history: History) -> list[Finding]:
    beats = [call for call in history.calls("Heartbeat") if call.kind is AnswerKind.RESULT and call.answer]
    told = [moment(field(beat.result, "currentTime")) for beat in beats]
    if len(beats) < len(("first", "second")) or told[0] is None or told[-1] is None:
        return []
    passed = (told[-1] - told[0]).total_seconds()
    least = beats[-1].call.t - (beats[0].answer or beats[0].call).t
    verdict = Verdict.OK if passed >= least - CUT else Verdict.FAILED
    actual = f"{passed:.1f} s went by for the CSMS, and {least:.1f} s for the station"
    return [Finding(verdict=verdict, claim=_GOES_ON, actual=actual, frame=beats[-1].call.line)]


@shared(
    id="HB_01",
    title="Heartbeats with a pause between them are each answered, and told two times",
    block="Heartbeat",
    sends=f"A Heartbeat, and {PAUSE} seconds later three more.",
    expects="The CSMS SHALL answer each with its current time.",
    clause=_cite(Clause("1.6", "4.6"), "TC_B_01_CSMS"),
    defect="clock-stands-still",
    also=dict.fromkeys(ALL, ("some-heartbeats-unanswered",)),
    checks=(Check(claim=_GOES_ON, judge=_judge_clock), answered("Heartbeat", claim="Each Heartbeat is answered")),
)
def clock_goes_on(probe: Probe) -> None:
    if probe.station.call("Heartbeat", {}).kind == "timeout":
        return
    probe.station.listen(PAUSE)
    for _ in range(MORE):
        if probe.station.call("Heartbeat", {}).kind == "timeout":
            break


@shared(
    id="AU_18",
    title="A station that was there before proves itself again",
    block=AUTHENTICATION,
    needs=("password",),
    start=Start.OFFLINE,
    password=True,
    sends="Two connections with the right credentials, then one with a wrong password, then again the right ones.",
    expects="The CSMS SHALL refuse the wrong password before the upgrade, and accept the right one each time.",
    clause=requirement("A00.FR.204"),
    defect="password-forgotten-on-return",
    also={Version.V16: (), **dict.fromkeys(V2X, ("wrong-password-accepted",))},
    checks=(
        connection("The right credentials are accepted", opens, nth=0),
        connection("The right credentials are accepted again", opens, nth=1),
        refused_upgrade("A wrong password is refused on every connection", nth=2),
        connection("The right credentials are still accepted at the end", opens, nth=3),
    ),
)
def wrong_password_on_return(probe: Probe) -> None:
    station = probe.station
    for _ in range(2):
        probe.reconnect(station, judged=True)
        station.disconnect()
    probe.try_to_boot(station, password=b"W" * 20)
    probe.reconnect(station, judged=True)


_OWN_GROUP = "A token is answered with its own group"


def _judge_groups(history: History) -> list[Finding]:
    version = history.rules.version
    groups = {
        str(call.info.get("token")).casefold(): call.info.get("parent")
        for call in history.driver_calls
        if call.operation == "set_token"
    }
    findings = []
    for call in history.calls("Authorize"):
        if call.kind is not AnswerKind.RESULT or call.answer is None:
            continue
        own = groups.get(str(field(call.payload, _TOKENS[version])).casefold())
        told = field(call.result, _GROUPS[version])
        right = told is None or str(told).casefold() == str(own).casefold()
        findings.append(
            Finding(
                verdict=Verdict.OK if right else Verdict.FAILED,
                claim=_OWN_GROUP,
                actual=f"the group is {told!r}, registered {own!r}",
                frame=call.answer.line,
            )
        )
    return findings


@shared(
    id="AU_19",
    title="Tokens of two groups are each answered with their own",
    block="Authorization",
    needs=(token_need("parent"),),
    sends="Authorize with two tokens of two groups in turn, each twice.",
    expects="The CSMS SHALL name, where it names a group, that of the token.",
    clause=_cite(Clause("1.6", "7.27"), "TC_C_39_CSMS"),
    defect="group-of-the-last-token",
    also=("group-named-after-token", "group-of-first-token"),
    checks={
        v: (answered("Authorize", {TOKEN_STATUS[v]: one_of("Accepted")}), Check(claim=_OWN_GROUP, judge=_judge_groups))
        for v in ALL
    },
)
def two_groups(probe: Probe) -> None:
    tokens = [probe.token(parent=probe.made_up_token()) for _ in range(2)]
    for token in tokens * 2:
        authorize(probe.station, token)


@case(
    id="AU_20",
    ocpp=Version.V16,
    title="A tag whose expiry date has passed is not accepted, and one whose date is to come is",
    block="Authorization",
    needs=(token_need("Accepted"), token_need("expiry")),
    sends="Authorize with a tag whose expiry date was yesterday, and with one whose date is tomorrow.",
    expects="The CSMS SHALL answer Expired for the first, and Accepted for the second.",
    clause=Clause("1.6", "7.2"),
    defect="passed-expiry-ignored",
    also=("expired-tag-authorized",),
    checks=(
        answered(
            "Authorize",
            {"idTagInfo.status": one_of("Expired")},
            tolerate={"idTagInfo.status": ("Invalid", "Blocked")},
            nth=0,
            claim="A tag whose expiry date has passed is Expired",
        ),
        answered(
            "Authorize",
            {"idTagInfo.status": one_of("Accepted")},
            nth=1,
            claim="A tag whose expiry date is to come is Accepted",
        ),
    ),
)
def expiry_dates(probe: Probe) -> None:
    for hours in (24, -24):
        steps.authorize(probe.station, probe.token(expiry=ago(hours=hours)))


@shared(
    id="AU_23",
    title="What is cleared at a station is not cleared at the CSMS",
    block="Authorization",
    profile="Core",
    initiator="csms",
    needs=(token_need("Accepted"), trigger_need("ClearCache")),
    sends="Authorize, Accepted to ClearCache (and to an empty local list, where there are lists), and Authorize again.",
    expects="The CSMS SHALL go on knowing its tokens: the order is about what the station keeps.",
    clause=_cite(Clause("1.6", "5.4"), "TC_C_37_CSMS"),
    defect="tokens-cleared-with-cache",
    also={
        Version.V16: ("valid-tag-refused", "command-withheld"),
        **dict.fromkeys(
            V2X,
            (
                "valid-tag-refused",
                "command-withheld",
                "deletion-sent-as-entry",
                "local-list-cut",
                "empty-list-sent-as-array",
            ),
        ),
    },
    checks={
        v: (
            asked("ClearCache"),
            answered("Authorize", {TOKEN_STATUS[v]: one_of("Accepted")}, claim="The token is Accepted, and stays so"),
        )
        for v in ALL
    },
)
def cleared_at_the_station(probe: Probe) -> None:
    station, token = probe.station, probe.token()
    authorize(station, token)
    for action in ("ClearCache", "SendLocalList"):
        station.reply(action, {"status": "Accepted"})
    probe.command("ClearCache", {})
    if probe.driver.missing(trigger_need("SendLocalList"), probe.version) is None:
        version = {Version.V16: "listVersion", **dict.fromkeys(V2X, "versionNumber")}[probe.version]
        probe.command("SendLocalList", {version: 7, "updateType": "Full"})
    authorize(station, token)


_STOP_INFO = "A tag that is no longer good is not called Accepted in the answer to its StopTransaction"


def _judge_stop(history: History) -> list[Finding]:
    return [
        Finding(
            verdict=Verdict.FAILED if field(call.result, "idTagInfo.status") == "Accepted" else Verdict.OK,
            claim=_STOP_INFO,
            actual=call.describe_answer(),
            frame=call.answer.line if call.answer else None,
        )
        for call in history.calls("StopTransaction")
        if call.kind is AnswerKind.RESULT
    ]


@case(
    id="ST_12_3",
    ocpp=Version.V16,
    title="A session that a blocked tag ends, or one that has expired, is answered, and the tag stays what it was",
    block=BLOCK,
    needs=(token_need("Accepted"), token_need("Blocked")),
    sends="Two sessions of an accepted tag, ended by a blocked one, and by one whose expiry date has passed.",
    expects="The CSMS SHALL answer each end, and SHALL NOT call the tag Accepted.",
    clause=Clause("1.6", "4.10"),
    defect="stop-accepts-every-tag",
    also=("stop-by-another-tag-refused", "stop-by-expired-tag-refused"),
    checks=(answered("StopTransaction"), Check(claim=_STOP_INFO, judge=_judge_stop)),
)
def stop_by_a_blocked_tag(probe: Probe) -> None:
    enders = [probe.token("Blocked")]
    if probe.driver.missing(token_need("expiry"), probe.version) is None:
        enders.append(probe.token(expiry=ago(hours=1)))
    for ender in enders:
        charging = Charging(probe.station, probe.token())
        charging.begin()
        charging.token = ender
        charging.end()
