"""The same WebSocket inside TLS, through OpenSSL's memory buffers, so that one file descriptor and one watcher do."""

from __future__ import annotations

import errno
import ssl
from time import monotonic

from loadtest.transport.contract import READ, READ_SIZE, Attempt, Engine, Listener
from loadtest.transport.socket import ConnectionPhase, StationSocket
from loadtest.transport.target import Target

__all__ = ["TlsStationSocket", "open_socket"]

_FILE_ENDS = "the TLS stream ended"


class TlsStationSocket(StationSocket):
    """A `wss` connection."""

    __slots__ = ("_cipher_in", "_cipher_out", "_tls")

    def __init__(self, engine: Engine, target: Target, listener: Listener, source: str | None = None) -> None:
        """Prepare; the target's TLS settings are shared by all stations."""
        super().__init__(engine, target, listener, source)
        assert target.tls is not None
        self._cipher_in = ssl.MemoryBIO()
        self._cipher_out = ssl.MemoryBIO()
        self._tls = target.tls.wrap_bio(self._cipher_in, self._cipher_out, server_hostname=target.host)

    def _connected(self) -> None:
        self._phase = ConnectionPhase.SECURING
        self._watch(READ)
        self._secure()

    def _secure(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._send_cipher()
            return
        except (ssl.SSLError, ssl.CertificateError) as error:
            self._send_cipher()
            self._fail(Attempt.TLS_FAILED, " ".join(str(error).split())[:200])
            return
        self._send_cipher()
        self._upgrade()

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
            self._cipher_in.write(data)
            if self._phase is ConnectionPhase.SECURING:
                self._secure()
            if self._phase not in (ConnectionPhase.SECURING, ConnectionPhase.CLOSED):
                self._read_plain()
        except Exception as error:  # noqa: BLE001 - nothing may reach the hub; the listener decides
            self._crash(error)

    def _read_plain(self) -> None:
        now = monotonic()
        while self._phase is not ConnectionPhase.CLOSED:
            try:
                data = self._tls.read(READ_SIZE)
            except ssl.SSLWantReadError:
                # A key update or a renegotiation may want an answer.
                self._send_cipher()
                return
            except ssl.SSLError as error:
                self._ended(" ".join(str(error).split())[:200])
                return
            if not data:
                self._ended(_FILE_ENDS)
                return
            self._received(data, now)

    def _write(self, data: bytes) -> None:
        try:
            self._tls.write(data)
        except ssl.SSLError:
            # The reading side meets the same error, and reports it in its turn.
            return
        self._send_cipher()

    def _send_cipher(self) -> None:
        data = self._cipher_out.read()
        if data and self._sock is not None:
            super()._write(data)


def open_socket(engine: Engine, target: Target, listener: Listener, source: str | None = None) -> StationSocket:
    """Make the socket that the target needs: with TLS or without."""
    kind = StationSocket if target.tls is None else TlsStationSocket
    return kind(engine, target, listener, source)
