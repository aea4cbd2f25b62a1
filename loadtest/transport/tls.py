"""TLS under a protocol, through OpenSSL's memory buffers, so that one file descriptor and one watcher do."""

from __future__ import annotations

import contextlib
import errno
import ssl
from collections.abc import Mapping
from time import monotonic

from loadtest.transport.bearer import ConnectionPhase
from loadtest.transport.contract import READ_SIZE, Attempt, Engine, Listener
from loadtest.transport.poller import READ
from loadtest.transport.socket import StationSocket
from loadtest.transport.stream import Stream, TlsLayer
from loadtest.transport.target import Target

__all__ = ["Secured", "TlsStationSocket"]

_FILE_ENDS = "the TLS stream ended"


class Secured(Stream):
    """A stream within TLS; without slots of its own, so that it can stand before any protocol among the bases."""

    __slots__ = ()

    def __init__(self, engine: Engine, target: Target, listener: Listener, source: str | None = None) -> None:
        """Prepare; the target's TLS settings are shared by all stations."""
        super().__init__(engine, target, listener, source)
        self._begin_tls(target)

    def _begin_tls(self, target: Target) -> None:
        assert target.tls is not None
        self._tls = TlsLayer(target.tls, target.host)

    def connect(self, url: str, subprotocol: str, headers: Mapping[str, str]) -> None:
        """Begin; `on_open` or `on_failed` follows, never from within this call."""
        sessions, tls = self._engine.tls_sessions, self._tls
        if sessions is not None:
            assert tls is not None
            tls.url = url
            session = sessions.pop(url, None)
            if session is not None:
                # A session of other settings, such as another certificate of the station, cannot be resumed.
                with contextlib.suppress(ValueError):
                    tls.state.session = session
        super().connect(url, subprotocol, headers)

    def _tear_down(self) -> None:
        sessions, tls = self._engine.tls_sessions, self._tls
        if sessions is not None and tls is not None and tls.url:
            session = tls.state.session
            if session is not None and session.has_ticket:
                sessions[tls.url] = session
        super()._tear_down()

    def _connected(self) -> None:
        self._phase = ConnectionPhase.SECURING
        self._watch(READ)
        self._secure()

    def _secure(self) -> None:
        assert self._tls is not None
        try:
            self._tls.state.do_handshake()
        except ssl.SSLWantReadError:
            self._send_cipher()
            return
        except (ssl.SSLError, ssl.CertificateError) as error:
            self._send_cipher()
            self._fail(Attempt.TLS_FAILED, " ".join(str(error).split())[:200])
            return
        # The first words of the protocol take the last ones of the handshake along.
        self._stands()
        self._send_cipher()

    def _on_readable(self) -> None:
        try:
            assert self._sock is not None
            try:
                data = self._sock.recv(READ_SIZE)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._ended(errno.errorcode.get(error.errno or 0, "unknown error"))
                return
            if not data:
                self._ended("end of stream")
                return
            assert self._tls is not None
            self._tls.incoming.write(data)
            if self._phase is ConnectionPhase.SECURING:
                self._secure()
            if self._phase not in (ConnectionPhase.SECURING, ConnectionPhase.CLOSED):
                self._read_plain()
        except Exception as error:  # noqa: BLE001 - nothing may reach the hub; the listener decides
            self._crash(error)

    def _read_plain(self) -> None:
        now, tls = monotonic(), self._tls
        assert tls is not None
        # Where nothing is left to read, asking nevertheless makes an exception, which costs as much as a message.
        while self._phase is not ConnectionPhase.CLOSED and (tls.incoming.pending or tls.state.pending()):
            try:
                data = tls.state.read(READ_SIZE)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLError as error:
                self._plain_ended(" ".join(str(error).split())[:200])
                return
            if not data:
                self._plain_ended(_FILE_ENDS)
                return
            if self._phase is ConnectionPhase.OPEN:
                self._engine.turn.hear(self, data, now)
            else:
                self._received(data, now)
        # A key update or a renegotiation may want an answer.
        self._send_cipher()

    def _plain_ended(self, reason: str) -> None:
        """TLS is over; what came before its end may wait for the other reads of the turn still."""
        self._engine.turn.end()
        self._ended(reason)

    def _write(self, data: bytes) -> None:
        assert self._tls is not None
        try:
            self._tls.state.write(data)
        except ssl.SSLError:
            # The reading side meets the same error, and reports it in its turn.
            return
        self._send_cipher()

    def _send_cipher(self) -> None:
        assert self._tls is not None
        data = self._tls.outgoing.read()
        if data:
            super()._write(data)


class TlsStationSocket(Secured, StationSocket):
    """A `wss` connection."""

    __slots__ = ()
