"""TCP to the first address of a target that answers, on the gevent hub."""

from __future__ import annotations

import _socket
import errno
import logging
import socket
from collections.abc import Callable
from typing import Final

from loadtest.transport.contract import Attempt, Engine
from loadtest.transport.failures import connect_failure
from loadtest.transport.poller import WRITE
from loadtest.transport.target import Target

__all__ = ["TcpConnect"]

_logger = logging.getLogger(__name__)

_BIND_NO_PORT: Final = 24
"""Linux' IP_BIND_ADDRESS_NO_PORT: a source address must not cost a port that others could share."""


class TcpConnect:
    """One attempt; exactly one of `connected` and `failed` is called, never from within `start`, unless cancelled."""

    __slots__ = ("_address", "_connected", "_engine", "_failed", "_sock", "_source", "_target")

    def __init__(
        self,
        engine: Engine,
        target: Target,
        source: str | None,
        *,
        connected: Callable[[_socket.socket], object],
        failed: Callable[[Attempt, str], object],
    ) -> None:
        """Prepare; `source` is the local address to connect from.

        `connected` takes the socket in the hub and owns it from then on.
        """
        self._engine = engine
        self._target = target
        self._source = source
        self._connected = connected
        self._failed = failed
        self._address = 0
        self._sock: _socket.socket | None = None

    def start(self) -> None:
        """Try the first address."""
        self._try_address()

    def cancel(self) -> None:
        """Stop trying; no callback follows."""
        self._address = len(self._target.addresses)
        self._drop()

    def _try_address(self) -> None:
        family, address = self._target.addresses[self._address]
        try:
            sock = self._sock = _socket.socket(family, socket.SOCK_STREAM)
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._source is not None:
                try:
                    sock.setsockopt(socket.IPPROTO_IP, _BIND_NO_PORT, 1)
                except OSError:  # another system than Linux: binding takes a port, and still works
                    _logger.debug("IP_BIND_ADDRESS_NO_PORT is not available.")
                sock.bind((self._source, 0))
            code = sock.connect_ex(address)
        except OSError as error:
            self._engine.loop.run_callback(self._next_address, error.errno or 0)
            return
        if code not in (0, errno.EINPROGRESS):
            self._engine.loop.run_callback(self._next_address, code)
            return
        self._engine.poller.watch(sock.fileno(), WRITE, self._on_writable)

    def _next_address(self, code: int) -> None:
        """Go on after a failure; does nothing once it was cancelled, because a callback of the hub cannot be."""
        self._drop()
        self._address += 1
        if self._address < len(self._target.addresses):
            self._try_address()
        elif self._address == len(self._target.addresses):
            self._failed(connect_failure(code), errno.errorcode.get(code, "unknown error"))

    def _on_writable(self) -> None:
        assert self._sock is not None
        code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._next_address(code)
            return
        sock, self._sock = self._sock, None
        self._connected(sock)

    def _drop(self) -> None:
        if self._sock is not None:
            self._engine.poller.drop(self._sock.fileno())
            self._sock.close()
            self._sock = None
