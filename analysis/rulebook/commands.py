"""What a CSMS asks for: charging profiles that keep their own rules, reservations, local lists."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from analysis.message_values import (
    ECHOES,
    foreign_echo,
    integers,
    is_base64,
    is_over,
    is_wide,
    left_out,
    odd_time_of_day,
    reversed_window,
)
from analysis.meter_readings import instant
from analysis.model import Side
from analysis.profile_rules import Fault, is_over_by, lacking_for_mode, profile_faults
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


_SLACK: Final = 60.0
"""Seconds by which what a CSMS sends may be late."""


class Profiles(Watcher):
    """Checks the profiles that a CSMS sends."""

    @property
    def calls(self) -> Mapping[str, CallCheck]:
        """Return what to do with CALLs."""
        return dict.fromkeys(("SetChargingProfile", "RemoteStartTransaction", "RequestStartTransaction"), self._sent)

    def _sent(self, exchange: Exchange) -> None:
        for fault, words in profile_faults(self.station.version, exchange.action, exchange.payload):
            self.station.find(_PROFILE_RULES[fault], f"{exchange.action}: {words}")
        lacking = lacking_for_mode(self.station.version, exchange.payload)
        if lacking:
            self.station.find("profile-mode", f"{exchange.action}: {lacking}")
        end, now = is_over_by(self.station.version, exchange.action, exchange.payload), self.station.csms_time()
        if end is not None and now is not None and end < now - _SLACK:
            self.station.find("profile-over", f"{exchange.action} brings a profile that ended {now - end:.0f} s before")


_CONTENTS: Final = {
    "GetCertificateStatus": "ocspResult",
    "Get15118EVCertificate": "exiResponse",
    "PullDynamicScheduleUpdate": "scheduleUpdate",
}
"""What an answer holds besides Accepted."""
_TARIFF_ACTIONS: Final = frozenset({"SetDefaultTariff", "ChangeTransactionTariff"})


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
            if exchange.action in _TARIFF_ACTIONS:
                wrong = odd_time_of_day(exchange.payload)
                if wrong:
                    self.station.find("time-of-day", f"{exchange.action}: {wrong} is not written as HH:MM")

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
        if answer.get("status") != "Accepted":
            return
        told = answer.get(content)
        if not told:
            self.station.find("accepted-without-content", f"{exchange.action} is Accepted without {content}")
        elif isinstance(told, str) and not is_base64(told):
            self.station.find("not-base64", f"{content} of {exchange.action} is not base64")

    def _echoed(self, exchange: Exchange, answer: Payload) -> None:
        if foreign_echo(exchange.action, exchange.payload, answer):
            self.station.find(
                "foreign-answer", f"the answer to {exchange.action} names another thing than it was asked about"
            )
        if exchange.action == "GetCertificateChainStatus":
            self._chain(exchange.payload or {}, answer)

    def _chain(self, asked: Payload, answer: Payload) -> None:
        statuses: list[Payload] = answer.get("certificateStatus", [])
        missing = left_out(asked.get("certificateStatusRequests"), statuses)
        if missing:
            self.station.find("chain-status-missing", f"{missing} of the certificates have no status in the answer")
        now = self.station.csms_time()
        if any(is_over(status.get("nextUpdate"), now) for status in statuses):
            self.station.find("chain-status-over", "the nextUpdate of a status has passed when it is told")


_PAST_RESERVATIONS: Final = 64


class Reservations(Watcher):
    """Checks that reservations end in the future, and are told from one another."""

    def __init__(self, station: StationView) -> None:
        """Start without reservations."""
        super().__init__(station)
        self._held: dict[int, tuple[object, object, float | None]] = {}
        """By id: the place, the token and the end of a reservation that the station accepted."""
        self._over: deque[int] = deque(maxlen=_PAST_RESERVATIONS)

    @property
    def calls(self) -> Mapping[str, CallCheck]:
        """Return what to do with CALLs."""
        return {
            "ReserveNow": self._reserved,
            "CancelReservation": self._cancels,
            "StartTransaction": self._used,
            "TransactionEvent": self._used,
        }

    @property
    def answers(self) -> Mapping[str, AnswerCheck]:
        """Return what to do with CALLRESULTs."""
        return {"ReserveNow": self._held_now, "CancelReservation": self._cancelled}

    def _held_now(self, exchange: Exchange, answer: Payload) -> None:
        payload = exchange.payload
        if payload is None or not exchange.valid:
            return
        number, place, token, end = _reservation(payload)
        if answer.get("status") == "Accepted":
            self._held[number] = (place, token, end)
        if len(self._held) > _PAST_RESERVATIONS:
            self._end(next(iter(self._held)))

    def _end(self, number: int) -> None:
        if self._held.pop(number, None) is not None:
            self._over.append(number)

    def _used(self, exchange: Exchange) -> None:
        number = (exchange.payload or {}).get("reservationId")
        if isinstance(number, int):
            self._end(number)

    def _cancels(self, exchange: Exchange) -> None:
        number = (exchange.payload or {})["reservationId"]
        known = number in self._held or number in self._over
        if not known and self._held and self.station.traits.from_the_start:
            self.station.find("cancel-unknown-reservation", f"CancelReservation names {number}, which was never made")

    def _cancelled(self, exchange: Exchange, answer: Payload) -> None:
        number = (exchange.payload or {}).get("reservationId")
        if answer.get("status") == "Accepted" and isinstance(number, int):
            self._end(number)

    def _reserved(self, exchange: Exchange) -> None:
        payload = exchange.payload or {}
        number, place, token, expiry = _reservation(payload)
        now = self.station.csms_time()
        held = self._held.get(number)
        if held is not None and held[:2] != (place, token) and place != held[0] and token != held[1]:
            end = held[2]
            if end is None or now is None or end > now:
                self.station.find(
                    "reservation-id-reused",
                    f"ReserveNow for {place} bears the id {number}, which another token has for {held[0]}",
                )
        if expiry is not None and now is not None and expiry < now - 1:
            self.station.find("reservation-expired", f"ReserveNow ends {now - expiry:.0f} s before it is sent")


def _reservation(payload: Payload) -> tuple[int, object, object, float | None]:
    """Return id, place, token and end of a reservation."""
    token = payload.get("idToken")
    name = token.get("idToken") if isinstance(token, dict) else payload.get("idTag")
    end = instant(payload.get("expiryDate") or payload.get("expiryDateTime"))
    number: int = payload["reservationId"] if "reservationId" in payload else payload["id"]
    return number, payload.get("connectorId", payload.get("evseId")), name, end


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
