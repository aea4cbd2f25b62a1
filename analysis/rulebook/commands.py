"""What a CSMS asks for: charging profiles that keep their own rules, reservations, local lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from analysis.message_values import (
    ECHOES,
    foreign_echo,
    integers,
    is_wide,
    reversed_window,
)
from analysis.meter_readings import instant
from analysis.model import Side
from analysis.profile_rules import Fault, profile_faults
from analysis.rulebook.contract import AnswerCheck, CallCheck, Exchange, Payload, StationView, Watcher
from ocppj.actions import ACTIONS

__all__ = ["Lists", "Profiles", "Reservations", "Values"]


_PROFILE_RULES: Final = {
    Fault.WHOLE_PLACE: "profile-connector",
    Fault.SESSION_PLACE: "profile-connector",
    Fault.TRANSACTION: "profile-transaction",
    Fault.PURPOSE: "profile-transaction",
    Fault.START: "profile-start",
    Fault.RELATIVE_START: "profile-relative-start",
    Fault.RECURRENCY: "profile-recurrency",
    Fault.RECURRENCY_UNUSED: "profile-recurrency",
    Fault.RELATIVE_MAXIMUM: "profile-kind",
    Fault.FIRST_PERIOD: "profile-first-period",
    Fault.PERIOD_ORDER: "profile-first-period",
    Fault.PHASE: "profile-phase",
}


class Profiles(Watcher):
    """Checks the profiles that a CSMS sends."""

    @property
    def calls(self) -> Mapping[str, CallCheck]:
        """Return what to do with CALLs."""
        return dict.fromkeys(("SetChargingProfile", "RemoteStartTransaction", "RequestStartTransaction"), self._sent)

    def _sent(self, exchange: Exchange) -> None:
        for fault, words in profile_faults(self.station.version, exchange.action, exchange.payload):
            self.station.find(_PROFILE_RULES[fault], f"{exchange.action}: {words}")


_CONTENTS: Final = {"GetCertificateStatus": "ocspResult", "Get15118EVCertificate": "exiResponse"}
"""What an answer holds besides Accepted."""


class Values(Watcher):
    """Checks single values of what a CSMS sends."""

    @property
    def calls(self) -> Mapping[str, CallCheck]:
        """Return what to do with CALLs."""
        return {name: self._sent for name, about in ACTIONS[self.station.version].items() if about.by_csms}

    @property
    def answers(self) -> Mapping[str, AnswerCheck]:
        """Return what to do with CALLRESULTs."""
        return {
            "StartTransaction": self._numbered,
            "TransactionEvent": self._judged_token,
            **dict.fromkeys(ECHOES, self._echoed),
            **dict.fromkeys(_CONTENTS, self._accepted),
        }

    def _sent(self, exchange: Exchange) -> None:
        if exchange.sender is Side.CSMS:
            self._look(exchange, exchange.payload)
            begin = reversed_window(exchange.payload)
            if begin:
                self.station.find("window-reversed", f"{exchange.action}: {begin} is later than its end")

    def _numbered(self, exchange: Exchange, answer: Payload) -> None:
        self._look(exchange, answer.get("transactionId"))

    def _look(self, exchange: Exchange, value: Any) -> None:
        wide = next(filter(is_wide, integers(value)), None)
        if wide is not None:
            self.station.find("wide-integer", f"{exchange.action}: {wide} has more than 32 bits")

    def _judged_token(self, exchange: Exchange, answer: Payload) -> None:
        if "idToken" in (exchange.payload or {}) and "idTokenInfo" not in answer:
            self.station.find(
                "token-without-word", "a TransactionEvent with an idToken is answered without idTokenInfo"
            )

    def _accepted(self, exchange: Exchange, answer: Payload) -> None:
        content = _CONTENTS[exchange.action]
        if answer.get("status") == "Accepted" and not answer.get(content):
            self.station.find("accepted-without-content", f"{exchange.action} is Accepted without {content}")

    def _echoed(self, exchange: Exchange, answer: Payload) -> None:
        if foreign_echo(exchange.action, exchange.payload, answer):
            self.station.find(
                "foreign-answer", f"the answer to {exchange.action} names another thing than it was asked about"
            )


class Reservations(Watcher):
    """Checks that reservations end in the future."""

    @property
    def calls(self) -> Mapping[str, CallCheck]:
        """Return what to do with CALLs."""
        return {"ReserveNow": self._reserved}

    def _reserved(self, exchange: Exchange) -> None:
        payload = exchange.payload or {}
        expiry = instant(payload.get("expiryDate") or payload.get("expiryDateTime"))
        now = self.station.csms_time()
        if expiry is not None and now is not None and expiry < now - 1:
            self.station.find("reservation-expired", f"ReserveNow ends {now - expiry:.0f} s before it is sent")


class Lists(Watcher):
    """Follows the version of the local list."""

    def __init__(self, station: StationView) -> None:
        """Start without knowing the version."""
        super().__init__(station)
        self._version: int | None = None

    @property
    def calls(self) -> Mapping[str, CallCheck]:
        """Return what to do with CALLs."""
        return {"SendLocalList": self._sent}

    @property
    def answers(self) -> Mapping[str, AnswerCheck]:
        """Return what to do with CALLRESULTs."""
        return {"SendLocalList": self._taken, "GetLocalListVersion": self._told}

    def _sent(self, exchange: Exchange) -> None:
        payload = exchange.payload or {}
        version = _version_of(payload)
        if payload["updateType"] == "Full":
            entries: list[Payload] = payload.get("localAuthorizationList", [])
            bare = sum(1 for entry in entries if "idTagInfo" not in entry and "idTokenInfo" not in entry)
            if bare:
                self.station.find(
                    "list-entry-without-info", f"{bare} entries of a full list say nothing of their token"
                )
        if payload["updateType"] == "Differential" and self._version is not None and version <= self._version:
            self.station.find(
                "list-not-newer", f"a differential update to version {version}; the station has {self._version}"
            )

    def _taken(self, exchange: Exchange, answer: Payload) -> None:
        if answer["status"] == "Accepted" and exchange.payload is not None and exchange.valid:
            self._version = _version_of(exchange.payload)

    def _told(self, exchange: Exchange, answer: Payload) -> None:
        del exchange
        version = answer.get("listVersion", answer.get("versionNumber"))
        # -1 and 0 are also said by a station that has no list, as after a restart.
        if isinstance(version, int) and self._version is not None and 0 < version != self._version:
            self.station.find("list-version", f"the station has version {version}, and accepted {self._version}")
        if isinstance(version, int):
            self._version = version if version > 0 else None


def _version_of(payload: Payload) -> int:
    version = payload.get("listVersion", payload.get("versionNumber"))
    return version if isinstance(version, int) else 0
