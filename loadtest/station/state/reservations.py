"""Reservations of connectors: who is let in, and how they end (OCPP 1.6 §5.13, 2.x H01-H04)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from fixtures.payloads.v2x import reservation_status_update
from loadtest.station.contract import Host, State
from loadtest.station.dialect.contract import Payload
from loadtest.station.state.connectors import Token, evse_busy, free_connectors, token_2x
from loadtest.station.state.local_list import known_parent
from loadtest.station.state.store import peek
from loadtest.station.views import ChargingSessionView, ConnectorView
from loadtest.timing.timers import Timer
from ocppj.versions import Version

__all__ = [
    "RULES",
    "Claim",
    "ReservationRequest",
    "Reservations",
    "_Reservation",
    "_Rules",
    "admits",
    "claim_of",
    "take",
]


class Claim(StrEnum):
    """What reservations say about a token at a connector."""

    FREE = "free"
    OURS = "ours"
    ASK = "ask"
    """Only the CSMS knows whether the token belongs to the group that has reserved."""
    TAKEN = "taken"


class ReservationRequest(NamedTuple):
    """A ReserveNow in the words of no version."""

    reservation_id: int
    address: int | None
    connector_type: str | None
    expiry: str
    token: Token
    parent: str


def _read_16(request: Payload) -> ReservationRequest:
    token = request["idTag"].upper(), "ISO14443"
    address, parent = request["connectorId"] or None, request.get("parentIdTag", "").upper()
    return ReservationRequest(request["reservationId"], address, None, request["expiryDate"], token, parent)


def _read_2x(request: Payload) -> ReservationRequest:
    return ReservationRequest(
        request["id"],
        request.get("evseId") or None,
        request.get("connectorType"),
        request["expiryDateTime"],
        token_2x(request["idToken"]),
        request.get("groupIdToken", {}).get("idToken", "").upper(),
    )


class _Rules(NamedTuple):
    read: Callable[[Payload], ReservationRequest]
    shows_all_taken: bool
    """Whether free connectors show Reserved once there are as many reservations that name no EVSE (H01.FR.20, .24)."""
    tells_end: bool
    """Whether ReservationStatusUpdate exists."""


RULES: Mapping[Version, _Rules] = MappingProxyType(
    {
        Version.V16: _Rules(_read_16, shows_all_taken=False, tells_end=False),
        Version.V201: _Rules(_read_2x, shows_all_taken=True, tells_end=True),
        Version.V21: _Rules(_read_2x, shows_all_taken=True, tells_end=True),
    }
)


class _Reservation:
    __slots__ = ("numbers", "parent", "reservation_id", "specific", "timer", "token")

    def __init__(self, wanted: ReservationRequest, numbers: frozenset[int]) -> None:
        self.reservation_id = wanted.reservation_id
        self.numbers = numbers
        self.specific = wanted.address is not None
        self.token = wanted.token
        self.parent = wanted.parent
        self.timer: Timer | None = None

    def fits(self, token: Token, parent: str | None) -> bool:
        return token == self.token or bool(parent and parent.upper() == self.parent)


class Reservations(State):
    """The reservations of one station."""

    __slots__ = ("_kept",)

    def __init__(self, station: Host) -> None:
        """Start with none."""
        super().__init__(station)
        self._kept: list[_Reservation] = []

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, reservation_id: int) -> _Reservation | None:
        """Find one by its id."""
        return next((kept for kept in self._kept if kept.reservation_id == reservation_id), None)

    def refusal(self, wanted: ReservationRequest, numbers: frozenset[int]) -> str | None:
        """Say why a reservation cannot be made, as a ReservationStatus; None when it can."""
        others = [kept for kept in self._kept if kept.reservation_id != wanted.reservation_id]
        connectors = [connector for connector in self.station.connectors if connector.model.number in numbers]
        if not any(connector.operative for connector in connectors):
            return "Unavailable"
        loose = sum(1 for other in others if not other.specific)
        if wanted.address is not None:
            taken = any(other.specific and other.numbers & numbers for other in others)
            if taken or any(evse_busy(self.station, connector) for connector in connectors):
                return "Occupied"
        everywhere = frozenset(connector.model.number for connector in self.station.connectors)
        suitable = everywhere if wanted.address is not None else numbers
        return None if self._free(suitable, others) > loose else "Occupied"

    def add(self, wanted: ReservationRequest, numbers: frozenset[int], expires: float) -> None:
        """Make a reservation, which replaces one with the same id."""
        before = self.find(wanted.reservation_id)
        if before is not None:
            self._forget(before)
        reservation = _Reservation(wanted, numbers)
        reservation.timer = self.station.context.timers.at(expires, partial(self._expires, reservation), self.station)
        self._kept.append(reservation)
        self.refresh(self.station.context.clock())

    def end(self, reservation: _Reservation, at: float, word: str | None = None) -> None:
        """End a reservation; `word` says why where the station decided it (Expired, Removed)."""
        if reservation not in self._kept:
            return
        self._forget(reservation)
        if word is not None and RULES[self.station.version].tells_end:
            update = reservation_status_update(reservation.reservation_id, word)
            self.station.call("ReservationStatusUpdate", update, at)
        self.refresh(at)

    def withdraw(self, connectors: Sequence[ConnectorView], at: float) -> None:
        """End what was reserved at connectors that go out of service."""
        numbers = {connector.model.number for connector in connectors}
        for reservation in [kept for kept in self._kept if kept.specific and kept.numbers & numbers]:
            self.end(reservation, at, "Removed")

    def refresh(self, at: float) -> None:
        """Show at every free connector what it is now."""
        for connector in self.station.connectors:
            if connector.charging_session is None:
                connector.rest(at)

    def covers(self, connector: ConnectorView) -> bool:
        """Return whether a connector without a car shows Reserved."""
        if self._at(connector) is not None:
            return True
        loose = self._loose(connector)
        return bool(loose) and RULES[self.station.version].shows_all_taken and self._scarce(loose)

    def claim(self, connector: ConnectorView, token: Token, parent: str | None) -> tuple[Claim, _Reservation | None]:
        """Judge a token at a connector; `parent` None means that nobody was asked about its group."""
        reservation = self._at(connector)
        if reservation is not None:
            if reservation.fits(token, parent):
                return Claim.OURS, reservation
            return (Claim.ASK if reservation.parent and parent is None else Claim.TAKEN), None
        loose = self._loose(connector)
        for reservation in loose:
            if reservation.fits(token, parent):
                return Claim.OURS, reservation
        if not loose or not self._scarce(loose, connector):
            return Claim.FREE, None
        ask = parent is None and any(reservation.parent for reservation in loose)
        return (Claim.ASK if ask else Claim.TAKEN), None

    def _expires(self, reservation: _Reservation, when: float) -> None:
        self.end(reservation, when, "Expired")

    def charging_session_over(self, now: float) -> None:
        """Show what the connector without a car is now."""
        self.refresh(now)

    def close(self) -> None:
        """Forget everything."""
        for reservation in self._kept[:]:
            self._forget(reservation)

    def _forget(self, reservation: _Reservation) -> None:
        self.station.context.timers.cancel(reservation.timer)
        self._kept.remove(reservation)

    def _at(self, connector: ConnectorView) -> _Reservation | None:
        number = connector.model.number
        return next((kept for kept in self._kept if kept.specific and number in kept.numbers), None)

    def _loose(self, connector: ConnectorView) -> list[_Reservation]:
        return [kept for kept in self._kept if not kept.specific and connector.model.number in kept.numbers]

    def _scarce(self, loose: list[_Reservation], asked: ConnectorView | None = None) -> bool:
        """Return whether every free EVSE is needed for those who reserved without naming an EVSE.

        `asked` is where a car stands already that wants to know, so that it counts as free.
        """
        return any(self._free(reservation.numbers, self._kept, asked) <= len(loose) for reservation in loose)

    def _free(
        self, numbers: frozenset[int], reservations: list[_Reservation], asked: ConnectorView | None = None
    ) -> int:
        held = {number for kept in reservations if kept.specific for number in kept.numbers}
        free = free_connectors(
            self.station, (one for one in self.station.connectors if one.model.number in numbers - held)
        )
        return len({connector.model.evse_id for connector in (*free, *([] if asked is None else [asked]))})


# -- what charging sessions ask --------------------------------------------------------------------------------------


def claim_of(station: Host, connector: ConnectorView, token: Token, parent: str | None = None) -> Claim:
    """Judge a token at a connector."""
    kept = peek(station, Reservations)
    if not kept:
        return Claim.FREE
    return kept.claim(connector, token, known_parent(station, token) if parent is None else parent)[0]


def admits(station: Host, connector: ConnectorView, token: str) -> bool:
    """Return whether a driver may try this token here: one that is reserved for others turns everybody else away."""
    return claim_of(station, connector, (token.upper(), "ISO14443")) is not Claim.TAKEN


def take(station: Host, charging_session: ChargingSessionView, parent: str | None) -> bool:
    """Use up the reservation of a charging session, if it has one; return False where the connector is reserved."""
    reservations = peek(station, Reservations)
    if not reservations:
        return True
    token = charging_session.token.upper(), charging_session.token_type
    # A CSMS that was asked and named no group has not denied what the list says.
    known = parent or known_parent(station, token)
    claim, reservation = reservations.claim(charging_session.connector, token, parent if known is None else known)
    if reservation is not None:
        charging_session.reservation_id = reservation.reservation_id
        reservations.end(reservation, station.context.clock())
    return claim in (Claim.FREE, Claim.OURS)
