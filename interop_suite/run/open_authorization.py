"""Whether a CSMS accepts tokens that nobody gave it: then every case that needs an accepted token has one."""

from __future__ import annotations

from interop_suite.cases.wire.payloads import INFO, authorize
from interop_suite.catalogue import Case, Level, Start
from interop_suite.claims.checks import field
from interop_suite.claims.clauses import Clause
from interop_suite.claims.history import AnswerKind, History
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import Charging
from ocppj.versions import Version

__all__ = ["is_accepted", "stranger_case"]


def _authorize(probe: Probe) -> None:
    """Show two tokens, and charge with one: an open CSMS accepts them wherever it is asked."""
    station = probe.station
    for _ in range(2):
        charging = Charging(station, probe.made_up_token())
        if authorize(station, charging.token).get(*INFO[station.version].split(".")) != "Accepted":
            return
    charging.begin()
    charging.end()


def stranger_case(version: Version) -> Case:
    """Write the case that finds out; it is not one of the suite, and nobody judges it."""
    return Case(
        id="strangers",
        ocpp=version,
        title="Are strangers accepted?",
        block="",
        profile="",
        initiator="station",
        sends="Authorize with tokens that nobody gave the CSMS.",
        expects="The CSMS may accept them.",
        clause=Clause("1.6J", "4.2"),
        level=Level.BEHAVIOUR,
        needs=(),
        defect="",
        also=(),
        checks=(),
        script=_authorize,
        start=Start.BOOTED,
        password=False,
        bystander=False,
        options={},
    )


def is_accepted(history: History) -> bool:
    """Tell from what was answered whether made-up tokens are accepted, all of them and in every message."""
    shown = [e for e in history.calls("TransactionEvent") if e.payload["eventType"] == "Started"]
    asked = [*history.calls("Authorize"), *history.calls("StartTransaction"), *shown]
    return bool(asked) and all(
        call.kind is AnswerKind.RESULT and field(call.result, INFO[history.rules.version]) == "Accepted"
        for call in asked
    )
