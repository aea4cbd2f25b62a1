"""What a CSMS says of tokens: in every spelling the same, and not Accepted when they are over.

Cases know what the operator registered, and hold answers against that (`interop_suite.claims.token_answers`); a log
knows only what was said before. Both share `message_values.is_over`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from analysis.message_values import is_over
from analysis.rulebook.contract import AnswerCheck, Exchange, Payload, StationView, Watcher
from ocppj.versions import Version

__all__ = ["Tokens"]

_REMEMBERED: Final = 64
_SOON: Final = 120.0
"""Seconds within which a token is not expected to change."""
_NOT_LISTED: Final = frozenset({"NoAuthorization", "DirectPayment"})
"""Types of tokens that stand in no list."""
_NO_STARTS: Final = {Version.V16: frozenset({"Authorize", "StopTransaction"})}
"""CALLs that ask about a token, and begin nothing; 2.x has one that may be either."""
_REFUSALS: Final = frozenset({"Invalid", "Unknown"})


class _Names(NamedTuple):
    """What 1.6 and 2.x call the parts."""

    info: str
    expiry: str
    group: str


_V16: Final = _Names("idTagInfo", "expiryDate", "parentIdTag")
_V2X: Final = _Names("idTokenInfo", "cacheExpiryDateTime", "groupIdToken")
_NAMES: Final[Mapping[Version, _Names]] = {Version.V16: _V16, Version.V201: _V2X, Version.V21: _V2X}


class _Said(NamedTuple):
    """What was said of a token, as it was spelled then."""

    spelling: str
    accepted: bool
    at: float


class Tokens(Watcher):
    """Compares what is said of a token with what was said of it before."""

    def __init__(self, station: StationView) -> None:
        """Start without tokens."""
        super().__init__(station)
        self._said: OrderedDict[str, _Said] = OrderedDict()
        self._groups: OrderedDict[str, tuple[str, float]] = OrderedDict()
        """By token: its group, and when that was said."""

    @property
    def answers(self) -> Mapping[str, AnswerCheck]:
        """Return what to do with CALLRESULTs."""
        return dict.fromkeys(("Authorize", "StartTransaction", "StopTransaction", "TransactionEvent"), self._answered)

    def _answered(self, exchange: Exchange, answer: Payload) -> None:
        names = _NAMES[self.station.version]
        info, payload = answer.get(names.info), exchange.payload or {}
        if not isinstance(info, dict):
            return
        status = info.get("status")
        if status == "Accepted" and is_over(info.get(names.expiry), self.station.csms_time()):
            self.station.find(
                "accepted-though-over", f"{exchange.action} is Accepted, and its {names.expiry} has passed"
            )
        token = payload.get("idToken")
        kind = token.get("type") if isinstance(token, dict) else None
        if kind in _NOT_LISTED and status in _REFUSALS:
            self.station.find(
                "no-authorization-refused", f"{exchange.action} with a token of type {kind} is answered {status}"
            )
        spelling: Any = token.get("idToken") if isinstance(token, dict) else payload.get("idTag")
        if isinstance(spelling, str) and spelling and self.station.at is not None:
            self._compare(spelling, str(status), self.station.at)
            self._hold_group(spelling.casefold(), info.get(names.group), self.station.at)
        if status == "ConcurrentTx" and exchange.action in _NO_STARTS.get(self.station.version, ()):
            self.station.find("concurrent-without-start", f"{exchange.action} is answered ConcurrentTx")

    def _hold_group(self, name: str, told: Any, at: float) -> None:
        group = told.get("idToken") if isinstance(told, dict) else told
        if not isinstance(group, str):
            return
        before = self._groups.get(name)
        if before is not None and before[0] != group.casefold() and 0 <= at - before[1] <= _SOON:
            self.station.find("group-changes", f"a token is in another group than {at - before[1]:.0f} s before")
        self._groups[name] = (group.casefold(), at)
        self._groups.move_to_end(name)
        if len(self._groups) > _REMEMBERED:
            self._groups.popitem(last=False)

    def _compare(self, spelling: str, status: str, at: float) -> None:
        if status != "Accepted" and status not in _REFUSALS:
            return
        name, accepted = spelling.casefold(), status == "Accepted"
        before = self._said.get(name)
        if before is not None and before.spelling != spelling and before.accepted != accepted:
            if 0 <= at - before.at <= _SOON:
                self.station.find(
                    "token-case", f"a token is {status}, and was not when it was spelled in other letters just before"
                )
            return
        self._said[name] = _Said(spelling, accepted, at)
        self._said.move_to_end(name)
        if len(self._said) > _REMEMBERED:
            self._said.popitem(last=False)
