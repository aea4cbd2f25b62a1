"""Whether a CSMS accepts tokens that nobody gave it: then every case that needs an accepted token has one."""

from __future__ import annotations

from drivers.base import token_need
from interop_suite.catalogue import inquiry
from interop_suite.claims.exchange import AnswerKind
from interop_suite.claims.expected import field
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe
from interop_suite.steps.charging import TOKEN_STATUS, Charging, authorize


def accepts_any_token(history: History) -> bool:
    """Return whether made-up tokens were accepted, all of them and in every message."""
    shown = [e for e in history.calls("TransactionEvent") if e.payload["eventType"] == "Started"]
    asked = [*history.calls("Authorize"), *history.calls("StartTransaction"), *shown]
    return bool(asked) and all(
        call.kind is AnswerKind.RESULT and field(call.result, TOKEN_STATUS[history.rules.version]) == "Accepted"
        for call in asked
    )


@inquiry(need=token_need("Accepted"), is_met=accepts_any_token)
def open_authorization(probe: Probe) -> None:
    """Show two tokens, and charge with one: an open CSMS accepts them wherever it is asked."""
    station = probe.station
    for _ in range(2):
        charging = Charging(station, probe.made_up_token())
        if authorize(station, charging.token).get(*TOKEN_STATUS[station.version].split(".")) != "Accepted":
            return
    charging.begin()
    charging.end()
