"""A byte stream of a station on the gevent hub: no greenlet, one file descriptor, a few hundred bytes.

What is spoken over it is up to the subclass: `socket.py` is WebSocket, `mqtt_socket.py` MQTT. A subclass begins with
`_connect`, is called back by `_begin`, `_received` and `_handshake_ended`, and says with `_opened`, `_fail` and
`_finish` how it went. All callbacks run in the hub: they must neither block nor switch greenlets.
"""

from __future__ import annotations

import _socket
import errno
import ssl
from time import monotonic

from evidence.vocabulary import SLOW_READER
from loadtest.timing.timers import Timer, TimerQueue
from loadtest.transport.bearer import Bearer, ConnectionPhase
from loadtest.transport.connecting import TcpConnect
from loadtest.transport.contract import READ_SIZE, Attempt, Engine, Handshake, How, Listener
from loadtest.transport.poller import READ, WRITE
from loadtest.transport.target import Target

__all__ = ["Stream", "TlsLayer"]


_CONNECTING, _SECURING, _UPGRADING = ConnectionPhase.CONNECTING, ConnectionPhase.SECURING, ConnectionPhase.UPGRADING
_OPEN, _CLOSING, _CLOSED = ConnectionPhase.OPEN, ConnectionPhase.CLOSING, ConnectionPhase.CLOSED


class TlsLayer:
    """What TLS keeps for one connection: OpenSSL's state, and the ciphertext on its way in and out."""

    __slots__ = ("incoming", "outgoing", "state", "url")

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        """Begin as a client of this host."""
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.state = context.wrap_bio(self.incoming, self.outgoing, server_hostname=host)
        self.url = ""
        """Under which the session is kept; empty where it is not."""


class Stream(Bearer):
    """One connection, from its beginning to its end; make a new one for the next."""

    __slots__ = (
        "_backlog",
        "_connecting",
        "_deadline",
        "_deaf",
        "_end",
        "_sock",
        "_times",
        "_tls",
    )

    def __init__(self, engine: Engine, target: Target, listener: Listener, source: str | None = None) -> None:
        """Prepare; `source` is the local address to connect from."""
        super().__init__(engine, listener)
        self._connecting: TcpConnect | None = TcpConnect(
            engine, target, source, connected=self._on_tcp, failed=self._fail
        )
        self._sock: _socket.socket | None = None
        self._backlog: bytearray | None = None
        self._deadline: Timer | None = None
        self._deaf = False
        self._end: tuple[int, str, How] | None = None
        self._times: tuple[float, float] | None = None
        self._tls: TlsLayer | None = None

    # -- what a protocol fills in ------------------------------------------------------------------------------------

    def send_ping(self, payload: bytes) -> None:
        """Ask for a sign of life, in at most 125 bytes."""
        raise NotImplementedError

    def _begin(self) -> None:
        """Say the first words over a stream that stands."""
        raise NotImplementedError

    def _received(self, data: bytes, now: float) -> None:
        """Read what came."""
        raise NotImplementedError

    def _handshake_ended(self, reason: str) -> None:
        """Take note that the stream has ended before the connection was open."""
        raise NotImplementedError

    def _release(self) -> None:
        """Let go of everything that the protocol keeps: the connection is over."""

    # -- opening -----------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        assert self._connecting is not None
        now = monotonic()
        self._times = (now, now)
        self._deadline = self._engine.timers.at(now + self._engine.connect_timeout, self._too_late)
        self._engine.open_sockets += 1
        self._phase = _CONNECTING
        self._connecting.start()

    def _on_tcp(self, sock: _socket.socket) -> None:
        self._connecting = None
        self._sock = sock
        self._connected()

    def _connected(self) -> None:
        """TCP stands; a secured connection does its handshake before the protocol begins."""
        self._stands()

    def _stands(self) -> None:
        assert self._times is not None
        if self._phase is not _SECURING:
            self._watch(READ)
        self._phase = _UPGRADING
        self._times = (self._times[0], monotonic())
        self._begin()

    def _opened(self, subprotocol: str, now: float) -> None:
        """Take note that the protocol has begun."""
        times = self._times
        assert times is not None
        self._phase = _OPEN
        self._times = None
        self._engine.timers.cancel(self._deadline)
        self._deadline = None
        self._listener.on_open(Handshake(subprotocol, times[1] - times[0], now - times[1]))

    def _too_late(self, _: float) -> None:
        self.catch_up()
        if self._phase in (_OPEN, _CLOSING, _CLOSED):
            return
        outcome = self._late_outcome() if self._phase is _UPGRADING else Attempt.CONNECT_TIMEOUT
        self._fail(outcome, f"no answer within {self._engine.connect_timeout:g} s")

    def _late_outcome(self) -> Attempt:
        """Say what did not come in time."""
        return Attempt.UPGRADE_TIMEOUT

    # -- hearing -----------------------------------------------------------------------------------------------------

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
            elif self._phase is _OPEN:
                self._engine.turn.hear(self, data, monotonic())
            else:
                self._received(data, monotonic())
        except Exception as error:  # noqa: BLE001 - nothing may reach the hub; the listener decides
            self._crash(error)

    def take(self, data: bytes, now: float) -> None:
        """Act on what was read in this turn."""
        try:
            if self._phase is not _CLOSED:
                self._received(data, now)
        except Exception as error:  # noqa: BLE001 - nothing may reach the hub; the listener decides
            self._crash(error)

    def catch_up(self) -> None:
        """Hear what lies unread, before a time-out that this process slept through blames the CSMS."""
        if self._sock is not None and not self._deaf:
            self._on_readable()
            self._engine.turn.end_within()

    def _on_ready(self) -> None:
        """Take turns while a backlog exists: write what fits, then read."""
        self._flush()
        if self._phase is not _CLOSED and not self._deaf:
            self._on_readable()

    def _ended(self, reason: str) -> None:
        """TCP is over."""
        phase = self._phase
        if phase is _UPGRADING:
            self._handshake_ended(reason)
        elif phase in (_CONNECTING, _SECURING):
            self._fail(Attempt.RESET, reason)
        elif phase in (_OPEN, _CLOSING):
            self._finish(*(self._end or (1006, reason, How.LOST)))

    # -- saying ------------------------------------------------------------------------------------------------------

    @property
    def timers(self) -> TimerQueue:
        """The timers of the process."""
        return self._engine.timers

    def give_up(self, reason: str, how: How) -> None:
        """End an open connection at once, because the CSMS does not answer; `on_closed` follows."""
        if self._phase is _OPEN:
            self._finish(1006, reason, how)

    def _write(self, data: bytes) -> None:
        """Write it, or keep what does not fit; what a connection that is gone had to say is lost."""
        sock = self._sock
        if sock is None:
            return
        if self._backlog is not None:
            self._keep(data)
            return
        try:
            sent = sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            # The reading side sees the same end, and reports it in its turn.
            return
        if sent < len(data):
            self._backlog = bytearray()
            self._watch(READ | WRITE)
            self._keep(data[sent:])
            self._listener.on_trouble(SLOW_READER)

    def _keep(self, data: bytes) -> None:
        assert self._backlog is not None
        self._backlog += data
        if len(self._backlog) > self._engine.max_backlog and self._end is None:
            self._end = (1006, f"more than {self._engine.max_backlog} bytes wait for the CSMS", How.SLOW_CONSUMER)
            self._engine.loop.run_callback(self._give_up)

    def _flush(self) -> None:
        backlog = self._backlog
        if not backlog:
            return
        assert self._sock is not None
        try:
            sent = self._sock.send(backlog)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            return
        del backlog[:sent]
        if not backlog:
            self._backlog = None
            self._watch(READ)

    # -- storms ------------------------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Read nothing more, not even the end of the connection, until `resume`; what is said is still written."""
        self._listen(deaf=True)

    def resume(self) -> None:
        """Read again, first what has come in meanwhile."""
        self._listen(deaf=False)

    def _listen(self, *, deaf: bool) -> None:
        self._deaf = deaf
        if self._sock is not None:
            self._watch(READ if self._backlog is None else READ | WRITE)

    # -- ending ------------------------------------------------------------------------------------------------------

    def abort(self) -> None:
        """End at once, without a word; no callback follows."""
        if self._phase is not _CLOSED:
            self._tear_down()

    def _await_end(self, code: int, reason: str, how: How) -> None:
        """Wait for the CSMS to end TCP: who ends it first keeps the port busy for a minute."""
        self._phase = _CLOSING
        self._end = (code, reason, how)
        self._deadline = self._engine.timers.at(monotonic() + self._engine.close_timeout, self._closed_too_late)

    def _closed_too_late(self, _: float) -> None:
        self.catch_up()
        self._give_up()

    def _give_up(self) -> None:
        if self._phase is not _CLOSED and self._end is not None:
            self._finish(*self._end)

    def _fail(self, outcome: str, reason: str) -> None:
        self._tear_down()
        try:
            self._listener.on_failed(outcome, reason)
        except Exception as error:  # noqa: BLE001
            self._listener.on_crash(error)

    def _finish(self, code: int, reason: str, how: How) -> None:
        self._tear_down()
        try:
            self._listener.on_closed(code, reason, how)
        except Exception as error:  # noqa: BLE001
            self._listener.on_crash(error)

    def _crash(self, error: Exception) -> None:
        self.abort()
        self._listener.on_crash(error)

    def _tear_down(self) -> None:
        self._phase = _CLOSED
        self._engine.timers.cancel(self._deadline)
        self._deadline = None
        self._release()
        self._backlog = None
        self._drop_socket()
        if self._connecting is not None:
            # It holds methods of this socket: without it, both go now and not at a collection.
            self._connecting.cancel()
            self._connecting = None
        self._engine.open_sockets -= 1

    def _drop_socket(self) -> None:
        if self._sock is not None:
            self._engine.poller.drop(self._sock.fileno())
            self._sock.close()
            self._sock = None

    def _watch(self, events: int) -> None:
        assert self._sock is not None
        if self._deaf:
            events &= ~READ
        self._engine.poller.watch(self._sock.fileno(), events, self._on_readable if events == READ else self._on_ready)
