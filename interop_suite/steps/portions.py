"""Orders whose list is longer than the station takes in one request (2.x ItemsPerMessage): sent in portions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from evidence.verdicts import Verdict
from interop_suite.claims.checks import why_not_sent
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import Exchange
from interop_suite.claims.expected import field
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe
from interop_suite.steps.obeying import obey

__all__ = ["LIMIT", "Portioned", "covers_all", "keeps_limit", "learns_limit"]

LIMIT = 2
"""Entries of one request that the station takes."""
Payload = dict[str, Any]
_LIMITED = "ItemsPerMessage"


class Portioned(NamedTuple):
    """An action whose list a station limits, the component that tells the limit, and the claims about it."""

    action: str
    entries: str
    """The member that holds the list."""
    holder: str = "DeviceDataCtrlr"
    clause: Clause | None = None

    @property
    def limit_variable(self) -> Payload:
        """Name the variable that holds the limit, as GetVariables does."""
        return {"component": {"name": self.holder}, "variable": {"name": _LIMITED, "instance": self.action}}

    def of(self, call: Exchange) -> list[Any]:
        """List what a request is about, besides the limit itself."""
        entries = field(call.payload, self.entries)
        listed = entries if isinstance(entries, list) else []
        return [entry for entry in listed if field(entry, "variable.name") != _LIMITED]


def learns_limit(probe: Probe, portioned: Portioned) -> bool:
    """Have the CSMS read the limit; returns whether it did."""

    def tell(request: Payload) -> Payload:
        told = {"attributeStatus": "Accepted", "attributeValue": str(LIMIT)}
        entries = request.get("getVariableData") or [portioned.limit_variable]
        return {"getVariableResult": [{**told, **_about(entry)} for entry in entries]}

    return obey(probe, "GetVariables", {"getVariableData": [portioned.limit_variable]}, tell) is not None


def _about(entry: Mapping[str, Any]) -> Payload:
    return {name: entry.get(name) for name in ("component", "variable")}


def keeps_limit(portioned: Portioned) -> Check:
    """Claim that no request has more entries than the station takes."""
    claim = f"No {portioned.action} has more than the {LIMIT} entries that the station takes"

    def judge(history: History) -> list[Finding]:
        return [
            Finding(
                verdict=Verdict.OK if len(portioned.of(call)) <= LIMIT else Verdict.FAILED,
                claim=claim,
                actual=f"{len(portioned.of(call))} in one request",
                clause=portioned.clause,
                frame=call.call.line,
            )
            for call in history.commands(portioned.action)
        ]

    return Check(claim=claim, judge=judge)


def covers_all(portioned: Portioned) -> Check:
    """Claim that all that the operator named is sent, unless the CSMS says that it does not take the order."""
    claim = f"Every entry of the operator's {portioned.action} is sent"

    def judge(history: History) -> list[Finding]:
        orders = history.orders(portioned.action)
        if not orders:
            return []
        order, outcome = orders[-1]
        wanted = list((order.info.get("payload") or {}).get(portioned.entries) or ())
        sent = [entry for call in history.commands(portioned.action) for entry in portioned.of(call)]
        missing = [entry for entry in wanted if not any(_matches(entry, other) for other in sent)]
        if not missing:
            return [Finding(verdict=Verdict.OK, claim=claim, actual=f"{len(wanted)} entries came")]
        excuse = None if outcome is None else why_not_sent(outcome, portioned.action)
        verdict, actual = excuse or (Verdict.INCONCLUSIVE, "nothing came of the order")
        result = {} if outcome is None else outcome.info.get("result") or {}
        if excuse is not None and result.get("origin") == "csms":
            # An order that is longer than the station takes may be the operator's to divide.
            verdict = Verdict.NOT_APPLICABLE
        elif excuse is None and sent:
            # Whoever reports the order as carried out has not only run out of time.
            verdict = Verdict.FAILED if result.get("status") == "answered" else Verdict.INCONCLUSIVE
            actual = f"{len(missing)} of {len(wanted)} entries never came"
        return [Finding(verdict=verdict, claim=claim, actual=actual, clause=portioned.clause)]

    return Check(claim=claim, judge=judge)


def _matches(wanted: Any, found: Any) -> bool:
    """Compare the entries by what they are about; how a value is written is a matter of other cases."""
    if not isinstance(wanted, Mapping):
        return bool(wanted == found)
    return all(field(wanted, path) == field(found, path) for path in ("component.name", "variable.name"))
