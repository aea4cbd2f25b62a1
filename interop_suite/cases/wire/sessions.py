"""Identity and session: a second socket for the same station, and one station acting on another's transaction."""

from __future__ import annotations

from evidence.verdicts import Verdict
from interop_suite.cases.wire.common import NEUTRAL_COMMAND, shared, wire_clause
from interop_suite.cases.wire.credentials import BLOCK as _AUTHENTICATION
from interop_suite.cases.wire.credentials import requirement
from interop_suite.cases.wire.handshake import boots
from interop_suite.cases.wire.holding import COMMAND, COMMANDS, SECOND_COMMAND, heartbeat, is_answered, second_command
from interop_suite.checks import asked, refused_upgrade, reported, still_serves
from interop_suite.clauses import Clause
from interop_suite.history import PRIMARY, AnswerKind, History
from interop_suite.model import Check, Finding, Level
from interop_suite.probe import Probe
from ocppj.versions import Version

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
    block=_AUTHENTICATION,
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
        asked(NEUTRAL_COMMAND, claim="The CSMS still sends commands to the station"),
        still_serves(),
    ),
)
def stranger(probe: Probe) -> None:
    station, other = probe.station, probe.double(probe.station, STRANGER)
    probe.gets_in(other, password=None)
    probe.gets_in(other, password=b"wrong-" + b"0" * 14)
    heartbeat(station)
    station.reply(NEUTRAL_COMMAND, {"status": "Accepted"})
    if station.connected:
        probe.command(NEUTRAL_COMMAND, {})
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


@shared(
    id="ID_13",
    title="Commands reach a station on the connection that is left after it has connected twice",
    block=BLOCK,
    initiator="csms",
    needs=COMMAND,
    sends="A second connection of a connected station; the end of the first; the answer Accepted to a command.",
    expects="The CSMS may refuse the second or close the first; it SHALL reach the station on the one that is left.",
    clause=wire_clause("3.1.1", "3.1.1", "3.1.1"),
    defect="reconnected-station-forgotten",
    checks=(
        reported(
            NEUTRAL_COMMAND,
            is_answered("Accepted"),
            even_unsent=True,
            claim="The CSMS reaches the station on the connection that is left",
        ),
    ),
)
def command_after_second_connection(probe: Probe) -> None:
    station, second = probe.station, probe.double(probe.station, SECOND)
    second.connect()
    station.pump(lambda: not station.connected, NOTICE)
    station.disconnect()
    if not second.connected:
        probe.reconnect(second)
    # The CSMS hears of the first connection's end before it is asked for the command.
    second.listen(NOTICE)
    probe.boot(second)
    second.reply(NEUTRAL_COMMAND, {"status": "Accepted"})
    probe.command(NEUTRAL_COMMAND, {}, station=second)


def _asked_if_possible(action: str) -> Check:
    """Claim that an order is carried out, where there is a driver to give it with."""
    check = asked(action)

    def judge(history: History) -> list[Finding]:
        if history.triggers(action):
            return check.judge(history)
        return [Finding(verdict=Verdict.OK, claim=check.claim, actual="nobody could ask for it")]

    return Check(claim=check.claim, judge=judge)


@shared(
    id="ID_14",
    title="Message ids of the CSMS do not begin anew with a connection",
    block=BLOCK,
    sends="The answer to a command, if there is one; a new connection and a boot; the answer to another command.",
    expects="The CSMS SHALL give each CALL an id that it has not used for this station, on whatever connection.",
    clause={Version.V201: Clause("201-E", "4.2"), Version.V21: Clause("21-4", "4.1.4")},
    defect="message-ids-restart",
    checks=(_asked_if_possible(NEUTRAL_COMMAND), boots, _asked_if_possible(SECOND_COMMAND), still_serves()),
)
def ids_across_connections(probe: Probe) -> None:
    station = probe.station
    # Without a driver there is only what the CSMS sends of its own accord, as some do after each boot.
    can_command = all(probe.driver.missing(need, probe.version) is None for need in COMMANDS)
    station.reply(NEUTRAL_COMMAND, {"status": "Accepted"})
    if can_command:
        probe.command(NEUTRAL_COMMAND, {})
    station.disconnect()
    probe.reconnect(station)
    probe.boot(station)
    station.listen(NOTICE)
    if can_command:
        second_command(probe)
    heartbeat(station)
