"""Registration: a station that is not accepted yet, what it is answered, and what it must not be sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from drivers.base import StationSettings, trigger_need
from evidence.verdicts import Verdict
from interop_suite.catalogue import case
from interop_suite.claims.checks import answered, still_serves
from interop_suite.claims.claim import Check, Finding, Level
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import AnswerKind, Exchange
from interop_suite.claims.expected import one_of, present, shown
from interop_suite.claims.history import History
from interop_suite.claims.moments import moment
from interop_suite.drive.probe import Probe, now
from interop_suite.drive.setup import Start
from interop_suite.drive.station import ScriptedStation
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.pending_commands import COMMAND, first_command
from interop_suite.steps.refusals import refused_with
from interop_suite.steps.registration import boot_as, booted_as
from interop_suite.steps.remote_start import REMOTE_START, remote_start_request
from interop_suite.steps.shared_case import ALL, V2X, shared
from interop_suite.steps.v2x import report_connector
from ocppj.versions import Version

BLOCK = "Registration"
INSISTENT = 3
"""Heartbeats of a station that does not wait: each one is refused."""
WAITING_LEVEL = {Version.V16: Level.RECOMMENDED, **dict.fromkeys(V2X, Level.REQUIRED)}
"""How strongly the texts speak about a station that is not accepted."""

STATES = ("StatusNotification", "NotifyEvent")
"""How a 2.x station tells the state of a connector."""
REPORTED: Mapping[Version, tuple[int, ...]] = {Version.V16: (), **dict.fromkeys(V2X, (2,))}
"""EVSEs whose state a station tells although its boot was not accepted."""
_UNSERVED = ("unaccepted-station-served", "boot-status-ignored", "answer-with-other-id", "heartbeat-unanswered")


def _insist(station: ScriptedStation) -> None:
    for _ in range(INSISTENT):
        if heartbeat(station).kind == "timeout":
            break


@shared(
    id={Version.V16: "ST_01", **dict.fromkeys(V2X, "TC_B_30_CSMS")},
    title="A station whose boot is Pending gets a SecurityError for anything else",
    block=BLOCK,
    profile="Core",
    start=Start.CONNECTED,
    needs=("boot-status:Pending",),
    sends="A boot that the operator wants answered Pending, in 2.x the state of a connector, and three Heartbeats.",
    expects="The CSMS SHALL answer Pending, and SHALL (1.6: is recommended to) refuse each of the rest.",
    clause={
        Version.V16: Clause("1.6J-E", "3.8"),
        **{version: Clause("201-6", "B02.FR.09") for version in V2X},
    },
    level=WAITING_LEVEL,
    defect={Version.V16: "boot-status-ignored", **dict.fromkeys(V2X, "unaccepted-station-served")},
    also={
        Version.V16: ("answer-with-other-id",),
        **dict.fromkeys(V2X, (*_UNSERVED[1:], "state-of-unaccepted-taken", "served-after-first-refusal")),
    },
    checks={
        version: (
            answered("BootNotification", {"status": one_of("Pending")}, nth=0, claim="The operator's decision counts"),
            refused_with("Heartbeat", "SecurityError", others=STATES, level=level),
        )
        for version, level in WAITING_LEVEL.items()
    },
)
def before_acceptance(probe: Probe) -> None:
    if boot_as(probe, "Pending") == "Pending":
        _tell_anything(probe)


def _tell_anything(probe: Probe) -> None:
    """Send what a station sends after a boot that was accepted."""
    for evse in REPORTED[probe.version]:
        report_connector(probe.station, "Available", evse=evse, connector=1)
    _insist(probe.station)


@case(
    id="ST_30",
    ocpp=V2X,
    title="A station whose boot is Rejected gets a SecurityError for anything else",
    block=BLOCK,
    profile="Core",
    start=Start.CONNECTED,
    needs=("boot-status:Rejected",),
    sends="A boot that the operator wants answered Rejected, the state of a connector, and three Heartbeats.",
    expects="The CSMS SHALL answer Rejected, and SHALL refuse each of the rest.",
    clause=Clause("201-6", "B03.FR.07"),
    defect="rejected-station-served",
    also=(*_UNSERVED, "state-of-unaccepted-taken", "served-after-first-refusal"),
    checks=(
        answered("BootNotification", {"status": one_of("Rejected")}, nth=0, claim="The operator's decision counts"),
        refused_with("Heartbeat", "SecurityError", others=STATES),
    ),
)
def after_rejection(probe: Probe) -> None:
    if boot_as(probe, "Rejected") == "Rejected":
        _tell_anything(probe)


@case(
    id="ST_31",
    ocpp=V2X,
    title="A station that was rejected is still rejected on its next connection",
    block=BLOCK,
    profile="Core",
    start=Start.CONNECTED,
    needs=("boot-status:Rejected",),
    sends="A boot that is answered Rejected, then a new connection and a Heartbeat on it without a boot.",
    expects="The CSMS SHALL refuse the Heartbeat: only a boot makes a rejected station an accepted one.",
    clause=Clause("201-6", "B03.FR.07"),
    defect="accepted-by-reconnecting",
    also=("rejected-station-served", *_UNSERVED),
    checks=(
        answered("BootNotification", {"status": one_of("Rejected")}, nth=0, claim="The operator's decision counts"),
        refused_with("Heartbeat", "SecurityError", level=Level.REQUIRED),
    ),
)
def rejected_still(probe: Probe) -> None:
    if boot_as(probe, "Rejected") != "Rejected":
        return
    probe.station.drop()
    probe.reconnect(probe.station, judged=True)
    heartbeat(probe.station)


_OWN_DECISION = "What the operator decides about one station is about no other"


def _judge_own_decision(history: History) -> list[Finding]:
    wanted = {"primary": "Rejected", "neighbour": "Accepted"}
    return [
        Finding(
            verdict=Verdict.OK if call.result.get("status") == status else Verdict.FAILED,
            claim=_OWN_DECISION,
            actual=f"{call.call.station} was answered {call.result.get('status')!r}, and is to be {status}",
            frame=call.call.line,
        )
        for role, status in wanted.items()
        for call in history.calls("BootNotification", role=role)
        if call.kind is AnswerKind.RESULT
    ]


@case(
    id="ST_32",
    ocpp=V2X,
    title="The boot of one station is rejected, and that of another one accepted",
    block=BLOCK,
    profile="Core",
    start=Start.CONNECTED,
    needs=("boot-status:Rejected",),
    sends="The boots of two stations, of which the operator wants one Rejected.",
    expects="The CSMS SHALL answer each boot as the operator decided about that station.",
    clause=Clause("201-6", "B01.FR.02"),
    defect="boot-status-of-every-station",
    also=("boot-status-ignored",),
    checks=(Check(claim=_OWN_DECISION, judge=_judge_own_decision),),
)
def own_decision(probe: Probe) -> None:
    other = probe.new_station("neighbour")
    probe.set_up(other, StationSettings(boot_status="Accepted"))
    boot_as(probe, "Rejected")
    probe.reconnect(other, judged=True)
    probe.send_boot(other)


def _never_sent(action: str | None, claim: str, level: Level = Level.REQUIRED) -> Check:
    """Claim that an action, or anything at all, is not sent to a station that was told to wait."""

    def judge(history: History) -> list[Finding]:
        outcomes = [
            c for c in history.driver_calls if c.operation == "outcome" and action in (None, c.info.get("action"))
        ]
        told = [c.answer.line for c in history.calls("BootNotification") if c.answer is not None]
        calls = [call for call in history.commands(action) if told and call.call.line > told[0]]
        if calls:
            actual = f"it sent {', '.join(sorted({call.action for call in calls}))}"
            return [Finding(verdict=level.when_broken, claim=claim, actual=actual, frame=calls[0].call.line)]
        if not outcomes:
            return []
        said = outcomes[-1].error or outcomes[-1].info.get("result", {})
        return [Finding(verdict=Verdict.OK, claim=claim, actual=f"nothing was sent; its API says {said}")]

    return Check(claim=claim, judge=judge)


@shared(
    id="ST_02",
    title="No session is started from afar at a station whose boot is Pending",
    block=BLOCK,
    profile="Core",
    initiator="csms",
    start=Start.CONNECTED,
    needs={v: ("boot-status:Pending", trigger_need(REMOTE_START[v]), "token:Accepted") for v in ALL},
    sends="A boot that is answered Pending, while the operator asks for a remote start.",
    expects="The CSMS SHALL NOT send it before the station is accepted.",
    clause={Version.V16: Clause("1.6", "4.2"), **{v: Clause("201-6", "B02.FR.05") for v in V2X}},
    defect="remote-start-while-pending",
    checks={v: (_never_sent(REMOTE_START[v], "A Pending station is sent no remote start"),) for v in ALL},
)
def remote_start_while_pending(probe: Probe) -> None:
    station = booted_as(probe, "Pending")
    action = REMOTE_START[probe.version]
    station.reply(action, {"status": "Rejected"})
    probe.command(action, remote_start_request(probe.version, probe.token()))


@shared(
    id="ST_41",
    title="A station that was told to wait is not accepted by connecting again",
    block=BLOCK,
    profile="Core",
    start=Start.CONNECTED,
    needs=("boot-status:Pending",),
    sends="A boot that the operator wants answered Pending; on the next connection a Heartbeat without a boot.",
    expects="The CSMS SHALL answer Pending; it should refuse the Heartbeat: nobody has accepted the station since.",
    clause={Version.V16: Clause("1.6J-E", "3.8"), **{v: Clause("201-6", "B02.FR.09") for v in V2X}},
    defect="boot-status-ignored",
    checks=(
        answered("BootNotification", {"status": one_of("Pending")}, nth=0, claim="The operator's decision counts"),
        refused_with("Heartbeat", "SecurityError", level=Level.RECOMMENDED),
    ),
)
def pending_over_connections(probe: Probe) -> None:
    if boot_as(probe, "Pending") == "Pending":
        probe.station.disconnect()
        probe.reconnect(probe.station)
        heartbeat(probe.station)


SOON = 1
"""Seconds that a station is told to wait which is about to be accepted."""


@shared(
    id="ST_42",
    title="A station that was told to wait, and turned away, is served once its operator accepts it",
    block=BLOCK,
    profile="Core",
    start=Start.CONNECTED,
    needs=("boot-status:Pending", "boot-status:Rejected", "boot-status:Accepted"),
    sends="Boots that the operator wants answered Pending, Rejected and at last Accepted, and then a Heartbeat.",
    expects="The CSMS SHALL answer each boot as its operator has decided by then, and serve whom it accepts.",
    clause={Version.V16: Clause("1.6", "4.2"), **{v: Clause("201-6", "B01.FR.02") for v in V2X}},
    defect="once-refused-for-ever",
    also=dict.fromkeys(ALL, ("boot-status-ignored",)),
    checks={
        version: (
            answered("BootNotification", {"status": one_of("Pending")}, nth=0, claim="The first boot is Pending"),
            answered("BootNotification", {"status": one_of("Accepted")}, nth=-1, claim="The last boot is accepted"),
            still_serves(claim="The station that was accepted is served"),
        )
        for version in ALL
    },
)
def accepted_at_last(probe: Probe) -> None:
    station = probe.station
    for status in ("Pending", "Rejected"):
        # A CSMS may end the connection of a station that it rejects; then the station comes back.
        boot_as(probe, status)
    probe.set_up(station, StationSettings(boot_status="Accepted", interval=SOON))
    if probe.send_boot(station).get("status") == "Pending":
        # Before it accepts a station, a CSMS may want to set it up.
        station.listen(SOON)
        probe.send_boot(station)
    heartbeat(station)


_STAYS = "The connection of a Pending station stays open"
STAYS_FOR = 1.0
"""Seconds for a CSMS to close what it should leave open."""


def _stays_open(level: Level) -> Check:
    def judge(history: History) -> list[Finding]:
        findings = []
        for boot in history.calls("BootNotification"):
            if boot.result.get("status") != "Pending":
                continue
            ends = [
                c
                for c in history.attempts(prepared=True)
                if c.number == boot.call.connection and c.ended_by_csms and c.closed is not None
            ]
            code = (ends[0].closed or {}).get("code") if ends else None
            actual = f"the CSMS closed it ({code or 'without a close frame'})" if ends else "it stayed open"
            verdict = level.when_broken if ends else Verdict.OK
            findings.append(Finding(verdict=verdict, claim=_STAYS, actual=actual, frame=boot.call.line))
        return findings

    return Check(claim=_STAYS, judge=judge)


@shared(
    id="ST_40",
    title="A station whose boot is Pending is not cut off",
    block=BLOCK,
    profile="Core",
    start=Start.CONNECTED,
    needs=("boot-status:Pending",),
    sends="A boot that the operator wants answered Pending; then the station waits.",
    expects="The CSMS SHALL answer Pending, and SHALL NOT (1.6: SHOULD NOT) close the connection.",
    clause={Version.V16: Clause("1.6", "4.2"), **{v: Clause("201-6", "B02.FR.06") for v in V2X}},
    level=WAITING_LEVEL,
    defect={Version.V16: "boot-status-ignored", **dict.fromkeys(V2X, "pending-connection-closed")},
    also={Version.V16: (), **dict.fromkeys(V2X, ("boot-status-ignored",))},
    checks={
        version: (
            answered("BootNotification", {"status": one_of("Pending")}, nth=0, claim="The operator's decision counts"),
            _stays_open(level),
        )
        for version, level in WAITING_LEVEL.items()
    },
)
def pending_stays_connected(probe: Probe) -> None:
    if boot_as(probe, "Pending") == "Pending":
        probe.station.listen(STAYS_FOR)


_NOTHING_SENT = "A rejected station is sent nothing until it boots again"


def _nothing_while_rejected(level: Level) -> Check:
    def judge(history: History) -> list[Finding]:
        boots = history.calls("BootNotification")
        findings = []
        for number, boot in enumerate(boots):
            if boot.answer is None or boot.result.get("status") != "Rejected":
                continue
            # A CALL that the CSMS sent before its answer has come before it: frames do not overtake each other.
            until = boots[number + 1].call.line if number + 1 < len(boots) else len(history.records)
            calls = [c for c in history.commands() if boot.answer.line < c.call.line < until]
            actual = f"it sent {', '.join(sorted({c.action for c in calls}))}" if calls else _said(history)
            findings.append(
                Finding(
                    verdict=level.when_broken if calls else Verdict.OK,
                    claim=_NOTHING_SENT,
                    actual=actual,
                    frame=calls[0].call.line if calls else boot.answer.line,
                )
            )
        return findings

    return Check(claim=_NOTHING_SENT, judge=judge)


def _said(history: History) -> str:
    outcomes = [c for c in history.driver_calls if c.operation == "outcome"]
    if not outcomes:
        return "nothing was sent"
    return f"nothing was sent; its API says {outcomes[-1].error or outcomes[-1].info.get('result', {})}"


_REJECTED = answered("BootNotification", {"status": one_of("Rejected")}, nth=0, claim="The operator's decision counts")


@shared(
    id="ST_03",
    title="A rejected station is sent nothing",
    block=BLOCK,
    profile="Core",
    initiator="csms",
    start=Start.CONNECTED,
    needs=("boot-status:Rejected", *COMMAND),
    sends="A boot that is answered Rejected, while the operator asks for a command.",
    expects="The CSMS SHALL NOT (1.6: SHOULD NOT) send anything to a station that it has rejected.",
    clause={Version.V16: Clause("1.6", "4.2"), **{v: Clause("201-6", "B03.FR.08") for v in V2X}},
    level=WAITING_LEVEL,
    defect={Version.V16: "boot-status-ignored", **dict.fromkeys(V2X, "calls-while-rejected")},
    also={Version.V16: (), **dict.fromkeys(V2X, ("rejected-station-asked", "boot-status-ignored"))},
    checks={v: (_REJECTED, _nothing_while_rejected(level)) for v, level in WAITING_LEVEL.items()},
)
def command_while_rejected(probe: Probe) -> None:
    station = booted_as(probe, "Rejected")
    first_command(probe)
    # What the CSMS sends of its own accord to every station that has booted, it sends now.
    station.listen(UNASKED)


UNASKED = 0.3
"""Seconds for what comes without an order."""


def not_negative(value: Any) -> str | None:
    """Expect a number from 0 on."""
    return None if isinstance(value, int | float) and value >= 0 else f"is {shown(value)} instead of 0 or more"


@shared(
    id="ST_04",
    title="The answer to a boot has a status, a time, and an interval of 0 or more seconds",
    block=BLOCK,
    profile="Core",
    start=Start.CONNECTED,
    sends="A BootNotification.",
    expects="The CSMS SHALL answer with a status, its time, and an interval that is not negative.",
    clause={Version.V16: Clause("1.6", "6.4"), **{v: Clause("201-6", "B01.FR.02") for v in V2X}},
    defect="boot-interval-negative",
    checks=(
        answered(
            "BootNotification",
            {
                "status": one_of("Accepted", "Pending", "Rejected"),
                "currentTime": present(),
                "interval": not_negative,
            },
        ),
    ),
)
def boot_answer(probe: Probe) -> None:
    probe.send_boot(probe.station)


# -- one clock -------------------------------------------------------------------------------------------------------

_CLOCK = "Boot and Heartbeat tell the same time"
_OURS = "Its time is that of the world"
TOLERANCE = 60.0
"""Seconds by which two answers of one CSMS may disagree: several servers, each with its own clock."""
ZONE_STEP = 900
"""Seconds: the offset of every time zone from UTC is a multiple of a quarter of an hour."""
ZONE_MOST = 14 * 3600
ZONE_NEAR = 30.0
"""Seconds by which the clock of the CSMS or ours may be wrong besides."""
FAR_OFF = 3600.0
"""Seconds by which a CSMS may be off before it is worth a word; ours may be the clock that is wrong."""


def _time(text: object) -> float | None:
    told = moment(text)
    return None if told is None else told.timestamp()


_GOES_ON = "Its time goes on"
TICK = 1.2
"""Seconds between two Heartbeats: a clock that tells whole seconds must have gone on."""


def _judge_ticking(history: History) -> list[Finding]:
    told = [pair for call in history.calls("Heartbeat") if (pair := _told(call)) is not None]
    if len(told) < 2 or told[-1][1] - told[0][1] < 1:  # noqa: PLR2004  # two Heartbeats
        return []
    gone = told[-1][0] - told[0][0]
    actual = f"{gone:.3f} s between two Heartbeats that are {told[-1][1] - told[0][1]:.1f} s apart"
    return [Finding(verdict=Verdict.OK if gone else Verdict.FAILED, claim=_GOES_ON, actual=actual)]


def _told(call: Exchange) -> tuple[float, float] | None:
    told = _time(call.result.get("currentTime"))
    return None if call.kind is not AnswerKind.RESULT or call.answer is None or told is None else (told, call.answer.t)


def _has_zone(text: object) -> bool:
    try:
        return datetime.fromisoformat(str(text).upper()).tzinfo is not None
    except ValueError:
        return False


def _weigh_skew(skew: float, *, zoned: bool) -> tuple[Verdict, str]:
    """Weigh by how many seconds a CSMS is ahead of us; the offset of a time zone is not an error of a clock."""
    offset = round(skew / ZONE_STEP) * ZONE_STEP
    if zoned and 0 < abs(offset) <= ZONE_MOST and abs(skew - offset) <= ZONE_NEAR:
        return Verdict.FAILED, f"it is {skew:+.0f} s off ours: this looks like local time that is marked as UTC"
    return Verdict.OK if abs(skew) <= FAR_OFF else Verdict.NON_STRICT, f"it is {abs(skew):.0f} s off ours"


def _judge_clock(history: History) -> list[Finding]:
    told = [
        pair
        for action in ("BootNotification", "Heartbeat")
        for call in history.calls(action)[-1:]
        if (pair := _told(call)) is not None
    ]
    if len(told) < 2:  # noqa: PLR2004  # a boot and a Heartbeat
        return []
    (first, at_first), (second, at_second) = told
    off = abs((second - first) - (at_second - at_first))
    verdict = Verdict.OK if off <= TOLERANCE else Verdict.FAILED
    findings = [Finding(verdict=verdict, claim=_CLOCK, actual=f"they differ by {off:.0f} s")]
    zoned = _has_zone(history.calls("Heartbeat")[-1].result.get("currentTime"))
    for ours in list(history.notes("wall"))[-1:]:
        skew = second - (_time(ours) or second)
        verdict, actual = _weigh_skew(skew, zoned=zoned)
        findings.append(Finding(verdict=verdict, claim=_OURS, actual=actual))
    return findings


@shared(
    id="ST_05",
    title="Boot and Heartbeat tell one and the same time, and it goes on",
    block=BLOCK,
    profile="Core",
    start=Start.CONNECTED,
    sends="A BootNotification, two Heartbeats, and the boot once more.",
    expects="The CSMS SHALL tell its current time in each: stations set their clocks by it.",
    clause={Version.V16: Clause("1.6", "4.6"), **{v: Clause("201-6", "TC_B_01_CSMS") for v in V2X}},
    defect="heartbeat-time-wrong",
    also=("answer-with-other-id", "clock-stopped", "local-time-marked-as-utc"),
    checks=(Check(claim=_CLOCK, judge=_judge_clock), Check(claim=_GOES_ON, judge=_judge_ticking)),
)
def one_clock(probe: Probe) -> None:
    station = probe.station
    probe.boot(station)
    station.call("Heartbeat", {})
    station.listen(TICK)
    station.call("Heartbeat", {})
    station.note(wall=now())
    # A time that was kept from the first boot is behind by now.
    station.listen(TICK)
    probe.send_boot(station)
