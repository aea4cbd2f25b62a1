"""The words between a station and its socket: outcomes, the listener, and what all connections of a process share."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, Protocol

import msgspec

from evidence import vocabulary
from loadtest.timing.timers import HubTimers, TimerQueue
from loadtest.transport.poller import poller_of
from loadtest.transport.turn import Turn

__all__ = ["READ_SIZE", "Attempt", "Engine", "Handshake", "How", "Listener", "Pinged", "Wire"]

READ_SIZE: Final = 16_384
"""Bytes of one `recv`; larger ones make Python allocate more than nearly every frame needs."""


class Attempt(StrEnum):
    """How a connection attempt ended; a refused upgrade is `http-<status>`, a refusing broker `connack-<reason>`."""

    OPENED = vocabulary.OPENED
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    CONNECT_TIMEOUT = "connect-timeout"
    TLS_FAILED = "tls-failed"
    UPGRADE_TIMEOUT = "upgrade-timeout"
    RESET = "reset"
    BAD_UPGRADE = "bad-upgrade"
    NO_SUBPROTOCOL = "no-subprotocol"
    NO_LOCAL_PORT = "no-local-port"
    NO_FILE_DESCRIPTOR = "no-file-descriptor"
    CONNACK_TIMEOUT = "connack-timeout"
    SUBACK_TIMEOUT = "suback-timeout"
    NOT_SUBSCRIBED = "subscription-refused"
    """The broker does not let the station hear the CSMS."""
    NOT_MQTT = "not-mqtt"
    BAD_TOPIC = "bad-topic"
    """The identity of the station cannot be part of a topic."""


class How(StrEnum):
    """How an open connection ended."""

    PEER = "closed-by-csms"
    LOCAL = "closed-by-station"
    LOST = "lost"
    """TCP ended without a Close frame, or without a DISCONNECT."""
    VIOLATION = "websocket-violation"
    TOO_BIG = "message-too-big"
    INJECTED = "injected"
    """The run itself ended it, on purpose."""
    SLOW_CONSUMER = "slow-consumer"
    """The CSMS did not read and our backlog overflowed."""


class Handshake(msgspec.Struct, frozen=True):
    """How a connection came to stand; times in seconds."""

    subprotocol: str
    connect_s: float
    """From the start of the attempt until TCP (and TLS) stood."""
    upgrade_s: float
    """From then until the CSMS's 101, or until the broker has granted the topic of the station."""


class Listener(Protocol):
    """Who gets what a connection hears; exactly one of `on_failed` and `on_open` follows a `connect`."""

    def on_open(self, handshake: Handshake) -> None:
        """Take note that the connection stands."""

    def on_failed(self, outcome: str, reason: str) -> None:
        """Take note that the attempt failed, with an `Attempt`, `http-<status>` or `connack-<reason>`."""

    def on_text(self, data: str | bytes, now: float) -> None:
        """Take a message; bytes where it was binary or no UTF-8."""

    def on_closed(self, code: int, reason: str, how: How) -> None:
        """Take note that an open connection ended."""

    def on_trouble(self, kind: str, detail: str = "") -> None:
        """Take note of something wrong that the connection survives: a word of `evidence.vocabulary`, and its details.

        `SLOW_READER`: frames begin to wait in memory. The other words are about deliveries of a broker.
        """

    def on_crash(self, error: Exception) -> None:
        """Take an exception that one of these methods raised; the connection is gone already."""


class Wire(Protocol):
    """A connection, as a station uses it: a socket, or something around one; what is heard goes to its `Listener`."""

    def connect(self, url: str, subprotocol: str, headers: Mapping[str, str]) -> None:
        """Begin; `on_open` or `on_failed` follows, never from within this call."""

    def send_text(self, text: str) -> bool:
        """Write a message now or as soon as possible; False when the connection is not open."""

    def ping_every(self, seconds: float) -> None:
        """Ping until the connection ends; a pong that is not there by the next ping ends it as lost."""

    def leave_pings(self, on_ping: Callable[[], bool]) -> None:
        """Answer no ping of the CSMS; `on_ping` hears of each, and returns whether the connection ends at it."""

    def note(self, info: Mapping[str, Any]) -> None:
        """Write a note into the trace of the station, if there is one."""

    def pause(self) -> None:
        """Read nothing more, not even the end of the connection, until `resume`."""

    def resume(self) -> None:
        """Read again, first what has come in meanwhile."""

    def hand_over(self, listener: Listener) -> None:
        """Let somebody else hear what is still to come."""

    def catch_up(self) -> None:
        """Hear what lies unread, before a time-out that this process slept through blames the CSMS."""

    def give_up(self, reason: str, how: How) -> None:
        """End an open connection at once; `on_closed` follows."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close politely; `on_closed` follows."""

    def abort(self) -> None:
        """End at once, without a Close frame; no callback follows."""


class Pinged(Protocol):
    """What `Pinger` asks of the connection that it keeps alive."""

    @property
    def timers(self) -> TimerQueue:
        """The timers of the process."""

    def send_ping(self, payload: bytes) -> None:
        """Write a ping of at most 125 bytes."""

    def catch_up(self) -> None:
        """Hear what lies unread, a pong perhaps."""

    def give_up(self, reason: str, how: How) -> None:
        """End the connection at once, because the CSMS does not answer."""


class Engine:
    """What all connections of a process share: the loop, the timers, the limits."""

    __slots__ = (
        "close_timeout",
        "connect_timeout",
        "loop",
        "max_backlog",
        "max_message",
        "open_sockets",
        "poller",
        "timers",
        "tls_sessions",
        "turn",
    )

    def __init__(
        self,
        loop: Any,
        timers: HubTimers,
        *,
        connect_timeout: float = 30.0,
        close_timeout: float = 2.0,
        max_message: int = 1 << 20,
        max_backlog: int = 1 << 20,
        tls_resume: bool = False,
    ) -> None:
        """Use a gevent loop; times in seconds, sizes in bytes. With `tls_resume`, TLS sessions are kept by URL."""
        self.loop = loop
        self.timers = timers
        self.tls_sessions: dict[str, ssl.SSLSession] | None = {} if tls_resume else None
        """The last TLS session of each station, by the URL of its connection."""
        self.turn = Turn(loop)
        self.poller = poller_of(loop, self.turn.end)
        timers.batch = self.turn
        self.connect_timeout = connect_timeout
        self.close_timeout = close_timeout
        self.max_message = max(max_message, READ_SIZE)
        self.max_backlog = max_backlog
        self.open_sockets = 0
