"""What a CSMS has never answered need not be waited for a hundred times: the rest of its kind follows by inference."""

from __future__ import annotations

import re
from collections.abc import Iterator

from interop_suite.catalogue import Case
from interop_suite.claims.exchange import AnswerKind
from interop_suite.claims.history import History
from interop_suite.drive.setup import Start
from ocppj.actions import ACTIONS
from ocppj.schemas import validator
from ocppj.versions import Version

__all__ = ["ENOUGH", "Silences"]

ENOUGH = 3
"""Cases in which one kind of request timed out, until the others of the kind are not run."""
_ANY_COMMAND = "any command"
_PREPARED = ("BootNotification", "Heartbeat")
"""What every booted station sends before its script begins."""

_NEEDED_BY_ALL = frozenset({*_PREPARED, _ANY_COMMAND})

Kind = tuple[Version, bool, str]
"""Version, whether the station asks, and action."""


class Silences:
    """The kinds of request that one process saw time out, and in which cases.

    What every case needs is counted in a row. Any other action that was answered once is always waited for.
    """

    def __init__(self, patience: float) -> None:
        """`patience` is what each answer had, in seconds."""
        self._patience = patience
        self._cases: dict[Kind, list[str]] = {}
        self._answered: set[Kind] = set()

    def learn(self, case: Case, history: History) -> None:
        """Count what timed out in a case, and forget the time-outs of what was answered."""
        seen: dict[Kind, bool] = {}
        for kind, answered in (*_calls(case, history), *_orders(case, history, self._patience)):
            seen[kind] = seen.get(kind, False) or answered
        for kind, answered in seen.items():
            if answered:
                self._cases.pop(kind, None)
                self._answered.add(kind)
            elif kind[2] in _NEEDED_BY_ALL or kind not in self._answered:
                self._cases.setdefault(kind, []).append(case.id)

    def inferred(self, case: Case) -> str | None:
        """Say why a case need not be run; None when it must."""
        for kind in _kinds_of(case):
            before = self._cases.get(kind, [])
            if len(before) >= ENOUGH:
                return self._describe(kind, before)
        return None

    def _describe(self, kind: Kind, before: list[str]) -> str:
        version, by_station, action = kind
        cases = ", ".join(before[-ENOUGH:])
        if by_station:
            what = f"expected an answer to {action} within {self._patience:g} s, but none came"
        elif action == _ANY_COMMAND:
            what = f"expected commands within {self._patience:g} s of the operator's order, but not one came"
        else:
            what = f"expected {action} within {self._patience:g} s of the operator's order, but it was not sent"
        return f"not run, by inference: {what} in {len(before)} cases of OCPP {version} in a row ({cases})"


def _calls(case: Case, history: History) -> Iterator[tuple[Kind, bool]]:
    for exchange in history.exchanges:
        if not exchange.by_station or exchange.cut_off or exchange.action not in ACTIONS[case.ocpp]:
            continue
        answered = exchange.kind is not AnswerKind.NONE
        # To what is no request of this version, silence may be the CSMS's way of saying so.
        if answered or validator(case.ocpp, exchange.action, "request").is_valid(exchange.payload):
            yield (case.ocpp, True, exchange.action), answered


def _orders(case: Case, history: History, patience: float) -> Iterator[tuple[Kind, bool]]:
    """List the orders of the operator and whether anything came of them; a refusal is an answer."""
    ends = {str(call.info.get("action")): call for call in history.driver_calls if call.operation == "outcome"}
    for order in history.driver_calls:
        if order.operation != "trigger":
            continue
        action = str(order.info.get("action"))
        end = ends.get(action)
        result = {} if end is None else end.info.get("result") or {}
        answered = bool(history.commands_to_any(action)) or result.get("status") in ("error", "answered")
        # An order that could not even be given has cost no time, and says nothing about those that can.
        if not answered and end is not None and end.error is not None and end.t - order.t < patience:
            continue
        yield (case.ocpp, False, action), answered
        yield (case.ocpp, False, _ANY_COMMAND), answered


def _kinds_of(case: Case) -> Iterator[Kind]:
    """List the kinds of request that a case cannot do without."""
    if case.start is Start.BOOTED:
        yield from ((case.ocpp, True, action) for action in _PREPARED)
    for need in case.needs:
        kind, _, action = need.partition(":")
        if kind == "trigger":
            yield case.ocpp, False, action
            yield case.ocpp, False, _ANY_COMMAND
    if case.initiator == "station":
        yield from ((case.ocpp, True, word) for word in re.findall(r"\w+", case.sends) if word in ACTIONS[case.ocpp])
