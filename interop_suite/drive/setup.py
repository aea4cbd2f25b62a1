"""What is given before a script begins: the CSMS under test, and how the station of a case stands towards it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from interop_suite.drive.transport import Transport
from interop_suite.drive.wire import WebSocketTransport
from ocppj.versions import Version

__all__ = ["CsmsUnderTest", "Setup", "Start"]


QUEUE_TIMES = 7
"""How many times longer than an answer a command may take to come."""


class CsmsUnderTest(msgspec.Struct, kw_only=True):
    """The CSMS under test."""

    url: str
    transport: Transport = WebSocketTransport()
    tls_url: str | None = None
    ca_file: str | None = None
    identities: tuple[str, ...] = ()
    """Stations that the CSMS knows beforehand; empty where any identity will do."""
    tokens: dict[str, str] = {}
    """Identity tokens by the status that the CSMS answers for them."""
    password: str | None = None
    """Basic-auth password of every station; its username is its identity."""
    organization: str = "Plugstorm"
    """The operator in the client certificates of stations (A00.FR.404)."""
    model: str = "ac-trio"
    """Two EVSEs, one of them with two connectors, so that no number stands for all."""
    timeout: float = 10.0
    """Seconds of patience with every answer."""
    command_timeout: float | None = None
    """Seconds of patience with a command that was ordered; None makes it some times that with an answer."""

    @property
    def patience_with_commands(self) -> float:
        """Seconds for a command that was ordered to come: a CSMS may have a queue that is emptied once a minute."""
        return QUEUE_TIMES * self.timeout if self.command_timeout is None else self.command_timeout


class Start(StrEnum):
    """What has happened before the script of a case begins; it is prepared and not judged."""

    BOOTED = "booted"
    """The station is connected, its boot was accepted, and its connectors are Available."""
    CONNECTED = "connected"
    """The station is connected and has sent nothing."""
    OFFLINE = "offline"
    """The CSMS knows the station; it is not connected."""


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """How a script finds its stations."""

    name: str
    """The id of the case, for the trace."""
    version: Version
    start: Start = Start.BOOTED
    password: bool = False
    """Whether the station proves itself with Basic credentials."""
    bystander: bool = False
    """Whether another station is connected and booted beforehand, to see whether it is harmed."""
