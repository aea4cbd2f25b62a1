"""Identity and session: a second socket for the same station, and one station acting on another's transaction."""

from __future__ import annotations

from evidence.verdicts import Verdict
from interop_suite.claims.checks import refused_upgrade, still_serves
from interop_suite.claims.claim import Check, Finding, Level
from interop_suite.claims.exchange import AnswerKind
from interop_suite.claims.history import PRIMARY, History
from interop_suite.drive.probe import Probe
from interop_suite.steps.connections import AUTHENTICATION, heartbeat, requirement
from interop_suite.steps.pending_commands import (
    COMMAND,
    asked_first,
    first_action,
    first_command,
    first_of,
    reply_first,
)
from interop_suite.steps.shared_case import shared, wire_clause

BLOCK = "Session"
STRANGER = "stranger"
SECOND = "second"
NOTICE = 0.2
"""Seconds in which a CSMS that wants only one connection of a station would have closed the other."""
_UNDISTURBED = "The station's own connection stays open"


def _judge_undisturbed(history: History) -> list[Finding]:
    identity = history.station(PRIMARY)
    findings = []
    for connection in history.connections:
        if connection.station == identity:
            ended = (connection.closed or {}).get("by") in ("csms", "network")
            actual = f"closed with {(connection.closed or {}).get('code')}" if ended else "it stayed open"
            verdict = Verdict.FAILED if ended else Verdict.OK
            findings.append(Finding(verdict=verdict, claim=_UNDISTURBED, actual=actual, frame=connection.closed_line))
    return findings[-1:]


@shared(
    id="ID_01",
    title="Who cannot prove to be the station does not disturb it",
    block=AUTHENTICATION,
    initiator="csms",
    needs=("password", *COMMAND),
    password=True,
    sends="Upgrades with the identity of a connected station, without and with wrong credentials; then its Heartbeat.",
    expects="The CSMS SHALL refuse them before the upgrade, and go on serving and commanding the station.",
    clause=requirement("A00.FR.203"),
    defect="stranger-evicts-station",
    also=("missing-credentials-accepted", "wrong-password-accepted"),
    checks=(
        refused_upgrade("A second connection without credentials is refused", nth=0, role=STRANGER),
        refused_upgrade("A second connection with a wrong password is refused", nth=1, role=STRANGER),
        Check(claim=_UNDISTURBED, judge=_judge_undisturbed),
        asked_first(claim="The CSMS still sends commands to the station"),
        still_serves(),
    ),
)
def stranger(probe: Probe) -> None:
    station, other = probe.station, probe.double(probe.station, STRANGER)
    probe.gets_in(other, password=None)
    probe.gets_in(other, password=b"wrong-" + b"0" * 14)
    heartbeat(station)
    reply_first(probe, "Accepted", station=station)
    if station.connected:
        first_command(probe)
    heartbeat(station)


_SERVED = "The station is served after it has connected twice"


def _judge_second(history: History) -> list[Finding]:
    calls = history.calls("Heartbeat", role=SECOND)
    if not calls:
        return []
    answers = [call.kind is AnswerKind.RESULT for call in calls]
    verdict = Verdict.OK if answers[0] else Verdict.NON_STRICT if answers[-1] else Verdict.FAILED
    how = "at once" if answers[0] else "after one more connection" if answers[-1] else "not any more"
    return [Finding(verdict=verdict, claim=_SERVED, actual=f"it is served {how}", frame=calls[-1].call.line)]


@shared(
    id="ID_02",
    title="Two connections of one station: whichever loses, the station is served afterwards",
    block=BLOCK,
    sends="A second connection of a connected station; the first ends; Heartbeats on what is left, or on a third one.",
    expects="The CSMS may refuse the second, close the first or keep both; it SHALL serve the one that is left.",
    clause=wire_clause("4.2.2", "4.2.2", "4.2.2"),
    level=Level.BEHAVIOUR,
    defect="second-connection-starved",
    checks=(Check(claim=_SERVED, judge=_judge_second),),
)
def second_connection(probe: Probe) -> None:
    station, second = probe.station, probe.double(probe.station, SECOND)
    handshake = second.connect()
    station.pump(lambda: not station.connected, NOTICE)
    policy = (
        f"refused with {handshake.status}"
        if not handshake.opened
        else "the first is closed"
        if not station.connected
        else "both stay open"
    )
    station.note(observed={"second_connection": policy})
    station.disconnect()
    if not second.connected:
        second.connect()
    if not second.call("Heartbeat", {}).ok:
        second.connect()
        heartbeat(second)


_LEFT = "A command arrives on the connection that is left"
TRIES = 2
"""Commands that are tried: a CSMS may need a moment to notice that the first connection is gone."""
SECOND_TRY_AFTER = 1.0


def _judge_left(history: History) -> list[Finding]:
    before = history.commands(first_action(history))
    alive = history.calls("Heartbeat", role=SECOND)
    # Only where a command has reached the station before, and the station has come back, does it say anything.
    if not before or not alive:
        return []
    if all(call.kind is not AnswerKind.RESULT for call in alive):
        actual = f"not even its Heartbeat is answered there: {alive[-1].describe_answer()}"
        return [Finding(verdict=Verdict.FAILED, claim=_LEFT, actual=actual, frame=alive[-1].call.line)]
    if alive[-1].kind is not AnswerKind.RESULT:
        return []
    calls = history.commands(first_action(history), role=SECOND)
    if calls:
        return [Finding(verdict=Verdict.OK, claim=_LEFT, actual="it arrived there", frame=calls[0].call.line)]
    outcomes = [c for c in history.driver_calls if c.operation == "outcome"]
    said = outcomes[-1].error or outcomes[-1].info.get("result", {}) if outcomes else "nothing"
    return [Finding(verdict=Verdict.FAILED, claim=_LEFT, actual=f"it did not; the API of the CSMS says {said}")]


@shared(
    id="ID_13",
    title="Two connections of one station: the operator still reaches it when the first is gone",
    block=BLOCK,
    initiator="csms",
    needs=COMMAND,
    sends="A second connection of a connected station, with a boot; the end of the first; the answer to a command.",
    expects="The CSMS may refuse the second, close the first or keep both; it SHALL send commands on the one left.",
    clause=wire_clause("3.1.1", "3.1.1", "3.1.1"),
    level=Level.BEHAVIOUR,
    defect="reconnected-station-forgotten",
    checks=(
        asked_first(claim="A command arrives before"),
        Check(claim=_LEFT, judge=_judge_left),
    ),
)
def reached_after_second_connection(probe: Probe) -> None:
    station, second = probe.station, probe.double(probe.station, SECOND)
    for each in (station, second):
        reply_first(probe, "Accepted", station=each)
    first_command(probe)
    if station.expect(first_of(probe)) is None:
        return
    if second.connect().opened:
        probe.send_boot(second)
        station.pump(lambda: not station.connected, NOTICE)
    station.disconnect()
    second.listen(NOTICE)
    if not second.connected:
        # A CSMS that refuses the second while the first is there takes it now.
        probe.reconnect(second)
        probe.boot(second)
    for number in range(TRIES):
        second.listen(number * SECOND_TRY_AFTER)
        if not second.connected:
            probe.reconnect(second, judged=True)
            probe.send_boot(second)
        heartbeat(second)
        first_command(probe, station=second)
        if second.expect(first_of(probe)) is not None:
            break
