"""The registration of a station: BootNotification until the CSMS accepts it (OCPP 1.6 §4.2, 2.x B01-B03)."""

from __future__ import annotations

from typing import Any, Final, Protocol

from loadtest.station.context import Context
from loadtest.station.contract import Host
from loadtest.station.dialect.contract import Payload
from loadtest.station.life import Life
from loadtest.station.messaging import Messaging
from loadtest.station.state.firmware import Firmware
from loadtest.station.state.store import peek
from loadtest.timing.timers import Timer
from ocppj.registration import Registration

__all__ = ["BOOT_RETRY", "Registrar", "RegistrarOwner"]

BOOT_RETRY: Final = 30.0
"""Seconds until the next BootNotification where the CSMS leaves it to the station, or gave no answer."""


class RegistrarOwner(Host, Protocol):
    """The station, as its registrar sees it."""

    @property
    def context(self) -> Context:
        """What it shares with others."""

    @property
    def messaging(self) -> Messaging:
        """What keeps the registration, because it decides what may be said."""

    def accepted(self, now: float, interval: float, *, fresh: bool) -> None:
        """Go on as an accepted station; `fresh` where it was not one before. `interval` 0 is the station's choice."""


class Registrar:
    """Registers one station, and keeps to the wait that the CSMS asks for."""

    __slots__ = ("_not_before", "_retry", "_station", "after_reset")

    def __init__(self, station: RegistrarOwner) -> None:
        """Start unregistered."""
        self._station = station
        self.after_reset = False
        """Whether the next boot follows a reset by the CSMS."""
        self._not_before = 0.0
        self._retry: Timer | None = None

    def begin(self, now: float) -> None:
        """Register, now or when the CSMS wants to hear of it again; a lost connection does not shorten that wait."""
        if self._not_before > now:
            self._boot_at(self._not_before)
        else:
            self._boot(now)

    def boot_now(self) -> None:
        """Send a BootNotification because the CSMS triggered it."""
        self.cancel()
        context, boot_id = self._station.context, self._station.context.vendor.quirks.boot_id or None
        self._station.call(
            "BootNotification", self._payload(), context.clock(), self._answered, triggered=True, message_id=boot_id
        )

    def cancel(self) -> None:
        """Wait for no further attempt."""
        self._station.context.timers.cancel(self._retry)
        self._retry = None

    def forget(self) -> None:
        """Be unregistered again, free to boot at once."""
        self.cancel()
        self._station.messaging.registration = Registration.UNKNOWN
        self._not_before = 0.0

    # -- inside ------------------------------------------------------------------------------------------------------

    def _boot(self, when: float) -> None:
        self._retry = None
        boot_id = self._station.context.vendor.quirks.boot_id or None
        self._station.call("BootNotification", self._payload(), when, self._answered, message_id=boot_id)

    def _boot_at(self, when: float) -> None:
        if self._station.life is Life.ON:
            self.cancel()
            self._retry = self._station.context.timers.at(when, self._boot, self._station)

    def _payload(self) -> Payload:
        station = self._station
        payload = station.dialect.boot(station.individual, remote=self.after_reset)
        firmware = peek(station, Firmware)
        if firmware is not None and firmware.boot_reason is not None and "reason" in payload:
            payload["reason"] = firmware.boot_reason
        return payload

    def _answered(self, payload: Payload | None, _: str) -> None:
        messaging = self._station.messaging
        if not messaging.session.connected:
            return
        now = self._station.context.clock()
        answer = payload or {}
        status, interval = answer.get("status"), _seconds(answer.get("interval"))
        if status == Registration.ACCEPTED:
            fresh = messaging.registration is not Registration.ACCEPTED
            messaging.registration = Registration.ACCEPTED
            self.after_reset = False
            if fresh:
                self._station.context.recorder.booted(1)
            self._station.accepted(now, interval, fresh=fresh)
            return
        if status in (Registration.PENDING, Registration.REJECTED):
            if messaging.registration is Registration.ACCEPTED:
                self._station.context.recorder.booted(-1)
            messaging.registration = Registration(status)
        elif messaging.registration is Registration.ACCEPTED:
            return
        self._not_before = now + (interval or BOOT_RETRY)
        self._boot_at(self._not_before)


def _seconds(value: Any) -> float:
    """Read an interval of the CSMS; whatever is not a positive number counts as 0, the station's own choice."""
    return float(value) if type(value) in (int, float) and 0 < value < 10**9 else 0.0
