"""Orders of the operator whose content a case chooses, as claims that know what the driver could hand over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from drivers.base import token_need
from evidence.verdicts import Verdict
from interop_suite.claims.checks import asked
from interop_suite.claims.claim import Check, Finding
from interop_suite.claims.clauses import Clause
from interop_suite.claims.exchange import Exchange
from interop_suite.claims.expected import Expected, field, other_than, present
from interop_suite.claims.history import History
from interop_suite.claims.moments import moment, wall_at
from interop_suite.drive.probe import Probe

__all__ = ["lies_ahead", "new_tokens", "ordered", "same_text"]


def ordered(
    action: str,
    fields: Mapping[str, Expected],
    *,
    claim: str | None = None,
    clause: Clause | None = None,
) -> Check:
    """Claim that the CSMS sends an order with these fields; it does not apply where no driver can name one of them."""
    strict = asked(action, fields, claim=claim, clause=clause)

    def judge(history: History) -> list[Finding]:
        return _unless_untold(history, action, fields, strict.judge(history))

    return Check(claim=strict.claim, judge=judge)


def _unless_untold(
    history: History, action: str, fields: Mapping[str, Expected], found: list[Finding]
) -> list[Finding]:
    """Do not hold against a CSMS what its operator could not tell it, where all that it was told is right."""
    untold = _untold(history, action, fields)
    broken = [finding for finding in found if finding.verdict is Verdict.FAILED]
    if not untold or not broken:
        return found
    told = {path: expected for path, expected in fields.items() if path not in untold}
    if any(finding.verdict is Verdict.FAILED for finding in asked(action, told).judge(history)):
        return found
    actual = f"the driver cannot tell the CSMS {', '.join(untold)} of {action}"
    return [Finding(verdict=Verdict.NOT_APPLICABLE, claim=broken[0].claim, actual=actual)]


def _untold(history: History, action: str, paths: Iterable[str]) -> list[str]:
    told: list[list[str] | None] = [order.info.get("handed_over") for order in history.triggers(action)]
    lists = [handed_over for handed_over in told if handed_over is not None]
    if not lists or len(lists) < len(told):
        return []
    return [path for path in paths if not any(_touch(each, path) for handed_over in lists for each in handed_over)]


def _touch(handed_over: str, path: str) -> bool:
    """Return whether a field was handed over, a part of it, or what it is a part of; entries have no number there."""
    named = ".".join(part for part in path.split(".") if not part.isdigit())
    return f"{named}.".startswith(f"{handed_over}.") or handed_over.startswith(f"{named}.")


def same_text(wanted: str) -> Expected:
    """Expect a text whose letters may be of the other case, such as hexadecimal digits."""

    def look(value: Any) -> str | None:
        same = isinstance(value, str) and value.casefold() == wanted.casefold()
        return None if same else other_than(value, wanted)

    return look


AHEAD_MIN = 1.0
"""Seconds by which a date must lie ahead: one that is the moment of the order is not in the future."""


def lies_ahead(action: str, path: str) -> Check:
    """Claim that a date of an order is in the future when the order arrives."""
    claim = f"{path} is in the future"
    named = asked(action, {path: present()}, claim=claim)

    def judge(history: History) -> list[Finding]:
        calls = [call for call in history.commands(action) if field(call.payload, path) is not None]
        found = [_weigh_date(history, call, path, claim) for call in calls] or named.judge(history)
        return _unless_untold(history, action, {path: present()}, found)

    return Check(claim=claim, judge=judge)


def _weigh_date(history: History, call: Exchange, path: str, claim: str) -> Finding:
    text = field(call.payload, path)
    date, arrived = moment(text), wall_at(history, call.call.t)
    if date is None or arrived is None:
        # A text that is no date is a matter of the schema.
        verdict, actual = Verdict.INCONCLUSIVE, f"{text!r} cannot be compared"
    else:
        ahead = date.timestamp() - arrived
        verdict = Verdict.OK if ahead > AHEAD_MIN else Verdict.FAILED
        actual = f"{text}, {ahead:+.0f} s from its arrival"
    return Finding(verdict=verdict, claim=claim, actual=actual, frame=call.call.line)


def new_tokens(probe: Probe, number: int) -> list[str]:
    """Get different tokens: such as the CSMS accepts where the driver can make it know them, else made up."""
    known = probe.driver.missing(token_need("Accepted"), probe.version) is None
    return [probe.another_token() if known else probe.made_up_token() for _ in range(number)]
