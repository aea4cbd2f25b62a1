"""What an installation of firmware leaves at a station: its version, and the reason of its next boot."""

from __future__ import annotations

from loadtest.station.contract import Host, State

__all__ = ["Firmware"]


class Firmware(State):
    """The firmware of one station that the CSMS has cared for."""

    __slots__ = ("boot_reason", "closed", "published", "version")

    def __init__(self, station: Host) -> None:
        """Start with what the station came with."""
        super().__init__(station)
        self.version: str | None = None
        """The installed version; None for that of the station's model."""
        self.boot_reason: str | None = None
        """Why the next boot happens, where it is not the CSMS's reset."""
        self.closed: set[int] | None = None
        """The connectors that come back into service after an installation, while there is one."""
        self.published: set[str] = set()
        """Checksums of firmware that the station offers to others."""

    def back(self, now: float, *, booted: bool) -> None:  # noqa: ARG002 - whenever that is
        """Forget why the station has booted."""
        if booted:
            self.boot_reason = None

    def close(self) -> None:
        """Give up the installation, and put the connectors back into service."""
        self.reopen_connectors()

    def close_connectors(self) -> None:
        """Let nobody else begin to charge (AllowNewSessionsPendingFirmwareUpdate is off)."""
        if self.closed is None:
            self.closed = {connector.model.number for connector in self.station.connectors if connector.operative}
            for connector in self.station.connectors:
                connector.operative = False
            self._show()

    def finish_installation(self) -> None:
        """Put the connectors back into service, and show it."""
        if self.closed is not None:
            self.reopen_connectors()
            self._show()

    def switch(self, numbers: set[int], *, operative: bool) -> bool:
        """Take connectors out of service or back once the installation is over; return False if there is none."""
        if self.closed is None:
            return False
        self.closed = self.closed | numbers if operative else self.closed - numbers
        return True

    def reopen_connectors(self) -> None:
        """Put the connectors back into service that were closed for the installation."""
        closed, self.closed = self.closed, None
        for connector in self.station.connectors:
            if closed is not None and connector.model.number in closed:
                connector.operative = True

    def _show(self) -> None:
        now = self.station.context.clock()
        for connector in self.station.connectors:
            if connector.charging_session is None:
                connector.rest(now)
