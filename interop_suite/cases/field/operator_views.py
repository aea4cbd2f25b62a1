"""What the CSMS tells its operator, held against what is true on the wire."""

from __future__ import annotations

from evidence.verdicts import Verdict
from interop_suite.claims.checks import still_serves
from interop_suite.claims.claim import Check, Finding, Level
from interop_suite.claims.clauses import Clause
from interop_suite.claims.history import History
from interop_suite.drive.offer import Trait
from interop_suite.drive.probe import Probe
from interop_suite.drive.setup import Start
from interop_suite.steps.connections import boot_is_accepted, heartbeat
from interop_suite.steps.shared_case import V2X, shared
from ocppj.versions import Version

BLOCK = "Field"
_CLAIM = "The operator is told whether the station is connected"
_IN_WORDS = {True: "connected", False: "not connected"}


def _judge_online(history: History) -> list[Finding]:
    found = []
    for call in history.driver_calls:
        if call.operation != "online":
            continue
        says, is_connected = call.info["says"], call.info["is"]
        served = "it is served on its connection" if is_connected else "its connection has ended"
        actual = f"the CSMS says that it is {_IN_WORDS[says]}, and {served}"
        # A CSMS SHOULD take a station that it hears for there (1.6 §4.6, 2.x G02); a loss is seen some time later.
        verdict = Verdict.OK if says is is_connected else Verdict.NON_STRICT
        found.append(Finding(verdict=verdict, claim=_CLAIM, actual=actual, frame=call.line))
    return found


@shared(
    id="FLD_40",
    title="The operator is told which stations are connected",
    block=BLOCK,
    start=Start.CONNECTED,
    needs=(Trait.END, "online"),
    sends="A boot and a Heartbeat; the loss of the connection; a new one with a boot and a Heartbeat.",
    expects="The CSMS should know a station whose Heartbeats it answers as connected, and SHALL let it in again.",
    clause={Version.V16: Clause("1.6", "4.6"), **{version: Clause("201-6", "B01.FR.02") for version in V2X}},
    level=Level.RECOMMENDED,
    defect="answer-with-other-id",
    checks=(Check(claim=_CLAIM, judge=_judge_online), boot_is_accepted, still_serves()),
)
def told_to_the_operator(probe: Probe) -> None:
    station = probe.station
    probe.boot(station)
    heartbeat(station)
    probe.await_online(station, wanted=True)
    station.drop()
    probe.await_online(station, wanted=False)
    probe.reconnect(station, judged=True)
    probe.boot(station)
    heartbeat(station)
    probe.await_online(station, wanted=True)
