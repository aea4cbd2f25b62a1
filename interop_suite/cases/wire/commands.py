"""Commands: they reach the right station, once, and the operator learns what it said."""

from __future__ import annotations

from typing import Any

from evidence.verdicts import Verdict
from interop_suite.catalogue import Check, Finding, trigger_need
from interop_suite.claims.checks import asked, reported, still_serves
from interop_suite.claims.clauses import Clause
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe
from interop_suite.steps.pending_commands import (
    COMMAND,
    heartbeat,
    is_answered,
)
from interop_suite.steps.shared_case import ALL, NEUTRAL_COMMAND, bystander_serves, shared, wire_clause
from ocppj.versions import Version

BLOCK = "RPC"


# -- commands go where they belong -----------------------------------------------------------------------------------


@shared(
    id="CMD_01",
    title="A command reaches the station that it is for, and no other",
    block=BLOCK,
    initiator="csms",
    bystander=True,
    needs=COMMAND,
    sends="The answer Accepted to a command, while another station is connected.",
    expects="The CSMS SHALL send the command on the connection of the station whose identity the operator named.",
    clause=wire_clause("3.1.1", "3.1.1", "3.1.1"),
    defect="command-to-other-station",
    checks=(asked(NEUTRAL_COMMAND), still_serves(), bystander_serves()),
)
def right_station(probe: Probe) -> None:
    station = probe.station
    station.reply(NEUTRAL_COMMAND, {"status": "Accepted"})
    probe.command(NEUTRAL_COMMAND, {})
    heartbeat(station)
    heartbeat(probe.bystander)


REMOTE_START = {
    Version.V16: "RemoteStartTransaction",
    Version.V201: "RequestStartTransaction",
    Version.V21: "RequestStartTransaction",
}


def remote_start_request(version: Version, token: str) -> dict[str, Any]:
    """Write what starts a session from afar."""
    if version is Version.V16:
        return {"connectorId": 1, "idTag": token}
    return {"evseId": 1, "remoteStartId": 7, "idToken": {"idToken": token, "type": "ISO14443"}}


def _once(version: Version) -> Check:
    action, claim = REMOTE_START[version], "One request of the operator is one command"

    def judge(history: History) -> list[Finding]:
        count = len(history.commands(action))
        verdict = Verdict.OK if count == 1 else Verdict.FAILED
        return [Finding(verdict=verdict, claim=claim, actual=f"{count} × {action}")] if count else []

    return Check(claim=claim, judge=judge)


REMOTE_START_CLAUSE = {
    Version.V16: Clause("1.6", "5.11"),
    Version.V201: Clause("201-6", "F01.FR.01"),
    Version.V21: Clause("201-6", "F01.FR.01"),
}


@shared(
    id="CMD_02",
    title="A remote start is sent once",
    block=BLOCK,
    initiator="csms",
    needs={v: (trigger_need(REMOTE_START[v]), "token:Accepted") for v in ALL},
    sends="The answer Accepted to a remote start, then a Heartbeat.",
    expects="The CSMS SHALL send one request for one order of its operator; a second one starts a second session.",
    clause=REMOTE_START_CLAUSE,
    defect="remote-start-doubled",
    checks={v: (asked(REMOTE_START[v]), _once(v), still_serves()) for v in ALL},
)
def remote_start_once(probe: Probe) -> None:
    action = REMOTE_START[probe.version]
    probe.station.reply(action, {"status": "Accepted"})
    probe.command(action, remote_start_request(probe.version, probe.token()))
    heartbeat(probe.station)


@shared(
    id="CMD_03",
    title="The operator is told that the station refused",
    block=BLOCK,
    initiator="csms",
    needs=COMMAND,
    sends="The answer Rejected to a command.",
    expects="The CSMS SHALL pass on the station's decision as it is.",
    clause={
        Version.V16: Clause("1.6", "5.4"),
        Version.V201: Clause("201-6", "TC_C_38_CSMS"),
        Version.V21: Clause("201-6", "TC_C_38_CSMS"),
    },
    defect="refusal-reported-as-accepted",
    checks=(
        asked(NEUTRAL_COMMAND),
        reported(NEUTRAL_COMMAND, is_answered("Rejected"), claim="The API says what the station said"),
    ),
)
def refusal(probe: Probe) -> None:
    probe.station.reply(NEUTRAL_COMMAND, {"status": "Rejected"})
    probe.command(NEUTRAL_COMMAND, {})
