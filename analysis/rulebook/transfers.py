"""Ways to transfer energy: which a token is allowed, and which a car is granted (2.1)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from analysis.rulebook.contract import AnswerCheck, CallCheck, Exchange, Payload, StationView, Watcher

__all__ = ["Transfers"]

_REMEMBERED: Final = 64


class Transfers(Watcher):
    """Holds what cars are granted against what the CSMS said of their tokens."""

    def __init__(self, station: StationView) -> None:
        """Start without tokens."""
        super().__init__(station)
        self._allowed: OrderedDict[str, list[str]] = OrderedDict()
        """By token: the ways that the CSMS allows it."""
        self._tokens: dict[object, str] = {}
        """By EVSE: the token of its transaction."""

    @property
    def calls(self) -> Mapping[str, CallCheck]:
        """Return what to do with CALLs."""
        return {"TransactionEvent": self._followed, "NotifyAllowedEnergyTransfer": self._changed}

    @property
    def answers(self) -> Mapping[str, AnswerCheck]:
        """Return what to do with CALLRESULTs."""
        return {"Authorize": self._authorized, "NotifyEVChargingNeeds": self._granted}

    def _authorized(self, exchange: Exchange, answer: Payload) -> None:
        token, allowed = _token(exchange.payload or {}), answer.get("allowedEnergyTransfer")
        self._allowed.pop(token, None)
        if token and isinstance(allowed, list):
            self._allowed[token] = allowed
            if len(self._allowed) > _REMEMBERED:
                self._allowed.popitem(last=False)

    def _followed(self, exchange: Exchange) -> None:
        payload = exchange.payload or {}
        place, token = (payload.get("evse") or {}).get("id"), _token(payload)
        if payload.get("eventType") == "Ended":
            self._tokens.pop(place, None)
        elif place is not None and token:
            self._tokens[place] = token

    def _changed(self, exchange: Exchange) -> None:
        """Forget what was allowed: the CSMS allows a transaction something else."""
        del exchange
        self._allowed.clear()

    def _granted(self, exchange: Exchange, answer: Payload) -> None:
        payload = exchange.payload or {}
        allowed = self._allowed.get(self._tokens.get(payload.get("evseId"), ""))
        wanted = (payload.get("chargingNeeds") or {}).get("requestedEnergyTransfer")
        if answer.get("status") == "Accepted" and allowed is not None and wanted not in allowed:
            told = f"the needs of {wanted} are Accepted; allowed is {', '.join(allowed)}"
            self.station.find("transfer-not-allowed", told)


def _token(payload: Payload) -> str:
    token: Any = payload.get("idToken")
    return str(token.get("idToken")).casefold() if isinstance(token, dict) else ""
