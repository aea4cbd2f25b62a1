"""Commands: they reach the right station, once, and the operator learns what it said."""

from __future__ import annotations

from drivers.base import trigger_need
from evidence.verdicts import Verdict
from interop_suite.claims.checks import asked, still_serves
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe
from interop_suite.steps.connections import heartbeat
from interop_suite.steps.pending_commands import (
    COMMAND,
    asked_first,
    first_command,
    is_answered,
    reply_first,
    reported_first,
)
from interop_suite.steps.remote_start import REMOTE_START, remote_start_request
from interop_suite.steps.shared_case import ALL, V2X, bystander_serves, shared, wire_clause
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
    checks=(asked_first(), still_serves(), bystander_serves()),
)
def right_station(probe: Probe) -> None:
    station = probe.station
    reply_first(probe, "Accepted", station=station)
    first_command(probe)
    heartbeat(station)
    heartbeat(probe.bystander)


def _once(version: Version) -> Check:
    action, claim = REMOTE_START[version], "One request of the operator is one command"

    def judge(history: History) -> list[Finding]:
        count = len(history.commands(action))
        verdict = Verdict.OK if count == 1 else Verdict.FAILED
        return [Finding(verdict=verdict, claim=claim, actual=f"{count} × {action}")] if count else []

    return Check(claim=claim, judge=judge)


@shared(
    id="CMD_02",
    title="A remote start is sent once",
    block=BLOCK,
    initiator="csms",
    needs={v: (trigger_need(REMOTE_START[v]), "token:Accepted") for v in ALL},
    sends="The answer Accepted to a remote start, then a Heartbeat.",
    expects="The CSMS SHALL send one request for one order of its operator; a second one starts a second session.",
    clause={Version.V16: Clause("1.6", "5.11"), **dict.fromkeys(V2X, Clause("201-6", "F01.FR.01"))},
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
        asked_first(),
        reported_first(is_answered("Rejected"), claim="The API says what the station said"),
    ),
)
def refusal(probe: Probe) -> None:
    reply_first(probe, "Rejected")
    first_command(probe)
