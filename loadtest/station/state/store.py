"""What only some stations keep: the state behind commands, made when a command first needs it.

A station that nobody asks anything pays one empty slot for all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loadtest.timing.pacing import Draws

if TYPE_CHECKING:
    from loadtest.station.commands.certificates import CertificateStore
    from loadtest.station.commands.der import Controls
    from loadtest.station.commands.display import Messages
    from loadtest.station.commands.jobs import Job
    from loadtest.station.commands.local_list import LocalList
    from loadtest.station.commands.monitors import Monitors
    from loadtest.station.commands.reservations import Reservations
    from loadtest.station.commands.settings import Settings
    from loadtest.station.commands.tariffs import Tariffs
    from loadtest.station.state.charging_limits import Limits
    from loadtest.station.station import Station

__all__ = ["StateStore", "store_of"]


class StateStore:
    """The possessions of one station; each is None until it is used."""

    __slots__ = (
        "_answer_draws",
        "_draws",
        "boot_reason",
        "certificates",
        "closed",
        "controls",
        "firmware_version",
        "jobs",
        "limits",
        "local_list",
        "messages",
        "monitors",
        "network_profiles",
        "password",
        "published",
        "reservations",
        "settings",
        "station",
        "tariffs",
    )

    def __init__(self, station: Station) -> None:
        """Own nothing yet."""
        self.station = station
        self._answer_draws: Draws | None = None
        self._draws: Draws | None = None
        self.boot_reason: str | None = None
        """Why the next boot happens, where it is not the CSMS' reset."""
        self.certificates: CertificateStore | None = None
        self.closed: set[int] | None = None
        """The connectors that come back into service after an installation, while there is one."""
        self.controls: Controls | None = None
        self.firmware_version: str | None = None
        self.jobs: dict[str, Job] | None = None
        self.limits: Limits | None = None
        self.local_list: LocalList | None = None
        self.messages: Messages | None = None
        self.monitors: Monitors | None = None
        self.network_profiles: dict[int, dict[str, Any]] | None = None
        self.password: str | None = None
        """What the CSMS has set as the password of the next connections."""
        self.published: set[str] | None = None
        """Checksums of firmware that the station offers to others."""
        self.reservations: Reservations | None = None
        self.settings: Settings | None = None
        self.tariffs: Tariffs | None = None

    @property
    def draws(self) -> Draws:
        """The draws of what takes its time, apart from those of the drivers."""
        if self._draws is None:
            self._draws = Draws(self.station.context.seed, self.station.lease.identity, "reactions")
        return self._draws

    @property
    def answer_draws(self) -> Draws:
        """The draws of how commands are answered."""
        if self._answer_draws is None:
            self._answer_draws = Draws(self.station.context.seed, self.station.lease.identity, "answers")
        return self._answer_draws

    def back(self, now: float, *, booted: bool) -> None:
        """Take note that the CSMS hears the station again, after a boot or a lost connection."""
        if booted:
            self.boot_reason = None
            if self.settings is not None:
                self.settings.rebooted()
        for job in list(self.jobs.values()) if self.jobs is not None else ():
            job.back(now)

    def charging_session_over(self, now: float) -> None:
        """Take note that a car has left."""
        if self.reservations is not None:
            self.reservations.refresh(now)
        for job in list(self.jobs.values()) if self.jobs is not None else ():
            job.charging_session_over(now)

    def close(self) -> None:
        """Stop everything that is still to come."""
        for job in self.jobs.values() if self.jobs is not None else ():
            job.cancel()
        for owner in (self.limits, self.monitors, self.reservations):
            if owner is not None:
                owner.close()
        self.reopen()

    def reopen(self) -> None:
        """Put the connectors back into service that were closed for an installation."""
        closed, self.closed = self.closed, None
        for connector in self.station.connectors:
            if closed is not None and connector.model.number in closed:
                connector.operative = True


def store_of(station: Station) -> StateStore:
    """Return the possessions of a station, now that it needs some."""
    if station.store is None:
        station.store = StateStore(station)
    return station.store
