"""A listener for sockets under test."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import gevent
import gevent.event
from websockets.protocol import Protocol

from evidence.vocabulary import SLOW_READER
from loadtest.transport.contract import Handshake, How
from loadtest.transport.socket import StationSocket

__all__ = ["TIMEOUT", "Listener", "kept_by"]

TIMEOUT = 10.0


def kept_by(sock: StationSocket) -> list[object]:
    """List the buffers and protocols that a socket keeps: between messages none, so that it costs little memory."""
    return [one for one in gc.get_referents(sock) if isinstance(one, bytearray | Protocol)]


class Listener:
    """A listener that keeps everything, and lets a test wait for it."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self._news = gevent.event.Event()
        self.on_message: Callable[[str | bytes], object] = lambda _: None

    def on_open(self, handshake: Handshake) -> None:
        self._hear(("open", handshake))

    def on_failed(self, outcome: str, reason: str) -> None:
        self._hear(("failed", outcome, reason))

    def on_text(self, data: str | bytes, _: float) -> None:
        self._hear(data)
        self.on_message(data)

    def on_closed(self, code: int, reason: str, how: How) -> None:
        self._hear(("closed", code, reason, how))

    def on_trouble(self, kind: str, detail: str = "") -> None:
        self._hear("backlog" if kind == SLOW_READER else ("trouble", kind, detail))

    def on_crash(self, error: Exception) -> None:
        self._hear(("crash", error))

    def _hear(self, what: Any) -> None:
        self.heard.append(what)
        self._news.set()

    def wait(self, count: int = 1) -> list[Any]:
        """Wait until so many things were heard."""
        with gevent.Timeout(TIMEOUT):
            while len(self.heard) < count:
                self._news.clear()
                self._news.wait()
        return self.heard

    @property
    def messages(self) -> list[Any]:
        return [what for what in self.heard if isinstance(what, str | bytes)]
