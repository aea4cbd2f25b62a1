"""Frames of some of the stations in `traces/load-<worker>.jsonl`, as the interop suite writes its own.

A traced station has another kind of socket, chosen when it connects; all the others have none of this in their way.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any, Final

import gevent
from gevent.threadpool import ThreadPool
from websockets.frames import Frame, Opcode

from evidence.vocabulary import SLOW_READER
from loadtest.timing.pacing import Draws
from loadtest.timing.timers import TimerQueue
from loadtest.transport.bearer import Bearer, ConnectionPhase
from loadtest.transport.contract import Engine, Handshake, How, Listener, Wire
from loadtest.transport.mqtt_socket import MqttSocket, TlsMqttSocket
from loadtest.transport.mqtt_trunk import TrunkEnd
from loadtest.transport.opening import open_socket
from loadtest.transport.socket import StationSocket
from loadtest.transport.stream import Stream
from loadtest.transport.target import Target
from loadtest.transport.tls import TlsStationSocket
from loadtest.transport.trace_file import TraceFile
from mqtt.dialect import Dialect
from mqtt.packets import Ping
from ocppj.trace import Kind, TraceRecord

__all__ = [
    "TracedMqttSocket",
    "TracedSocket",
    "TracedTlsMqttSocket",
    "TracedTlsSocket",
    "TracedTrunkEnd",
    "Tracer",
    "trace_path",
]

_PATIENCE: Final = 5.0
"""Seconds that the end of a run waits for the disk."""
_BY = {How.PEER: "csms", How.LOCAL: "station"}


class Tracer:
    """Chooses the stations of one process that are traced, and writes what they say and hear."""

    def __init__(
        self,
        share: float,
        seed: int,
        path: Callable[[], Path],
        timers: TimerQueue,
        *,
        lost: Callable[[int], object],
        password: str | None = None,
    ) -> None:
        """Trace `share` (0 to 1) of the stations, by a seeded draw; `lost` is told of records that were not written."""
        self._share = share
        self._seed = seed
        self._password = password
        self._connections: dict[str, int] = {}
        self._pool = ThreadPool(1)
        self.file = TraceFile(path, timers, self._submit, lost)

    def chooses(self, identity: str) -> bool:
        """Return whether a station is traced; the same in every process and run with this seed."""
        return Draws(self._seed, identity, "trace").uniform() < self._share

    def open_socket(self, engine: Engine, target: Target, listener: Listener, source: str | None = None) -> Wire:
        """Make the socket of a station: a traced one if it was chosen."""
        lease = getattr(listener, "lease", None)
        if lease is None or not self.chooses(lease.identity):
            return open_socket(engine, target, listener, source)
        number = self._connections[lease.identity] = self._connections.get(lease.identity, 0) + 1
        secrets = frozenset(secret for secret in (self._password, lease.password, target.secret) if secret)
        tap = _TraceTap(listener, self.file, lease.identity, number, secrets, dialect=target.dialect)
        if target.mqtt_connections:
            return TracedTrunkEnd(engine, target, tap, source)
        return _KINDS[target.dialect is not None, target.tls is not None](engine, target, tap, source)

    def close(self) -> None:
        """Bring everything to the disk, and wait for that some seconds at most."""
        deadline = monotonic() + _PATIENCE
        while not self.file.idle and monotonic() < deadline:
            self.file.flush()
            gevent.sleep(0.01)
        if self.file.idle:
            self._pool.kill()
        self.file.close()

    def _submit(self, work: Callable[[], Any], done: Callable[[Any], object]) -> None:
        self._pool.spawn(work).rawlink(lambda result: done(result.value))


def trace_path(folder: str | None, worker: str) -> Path:
    """Name the trace file of a worker within the run folder of the master.

    A worker on a machine that does not have that folder makes one with its name in its own `runs/`.
    """
    path = Path(folder or "runs/load")
    if not path.is_dir():
        path = Path("runs") / path.name
    return path / "traces" / f"load-{worker}.jsonl"


class _TraceTap:
    """Stands between a traced socket and its station, and writes down what passes."""

    __slots__ = ("_connection", "_dialect", "_file", "_identity", "_info", "_listener", "_secrets")

    def __init__(
        self,
        listener: Listener,
        file: TraceFile,
        identity: str,
        connection: int,
        secrets: frozenset[str],
        *,
        dialect: Dialect | None = None,
    ) -> None:
        self._listener = listener
        self._file = file
        self._identity = identity
        self._connection = connection
        self._secrets = secrets
        self._info: dict[str, Any] = {}
        self._dialect = dialect

    def note(self, kind: Kind, t: float, info: dict[str, Any]) -> None:
        """Write a record that is not a frame."""
        record = TraceRecord(t=t, station=self._identity, connection=self._connection, kind=kind, info=info)
        self._file.write(record, self._secrets)

    def frame(self, kind: Kind, t: float, data: str | bytes) -> None:
        """Write a frame."""
        text, data_base64 = (data, None) if isinstance(data, str) else (None, base64.b64encode(data).decode())
        record = TraceRecord(
            t=t,
            station=self._identity,
            connection=self._connection,
            kind=kind,
            text=text,
            data_base64=data_base64,
        )
        self._file.write(record, self._secrets)

    def hand_over(self, listener: Listener) -> None:
        """Let somebody else hear what is still to come."""
        self._listener = listener

    def connecting(self, url: str, subprotocol: str, headers: Mapping[str, str]) -> None:
        """Keep what is offered until the answer is there."""
        self._info = {"url": url, "offered": [subprotocol], "credentials": "Authorization" in headers}
        if self._dialect is not None:
            self._info["over"] = "mqtt"

    def on_open(self, handshake: Handshake) -> None:
        dialect, chosen = self._dialect, handshake.subprotocol
        result: dict[str, Any] = {"status": 101}
        if dialect is not None:
            result = {"granted": dialect.topic(dialect.down.topic, self._identity, chosen)}
        self.note(Kind.HANDSHAKE, monotonic(), self._info | result | {"subprotocol": chosen})
        self._info = {}
        self._listener.on_open(handshake)

    def on_failed(self, outcome: str, reason: str) -> None:
        status = outcome.removeprefix("http-")
        result = {"status": int(status)} if status.isdecimal() else {"error": f"{outcome}: {reason}"}
        self.note(Kind.HANDSHAKE, monotonic(), self._info | result)
        self._listener.on_failed(outcome, reason)

    def on_text(self, data: str | bytes, now: float) -> None:
        self.frame(Kind.RECEIVED, now, data)
        self._listener.on_text(data, now)

    def on_closed(self, code: int, reason: str, how: How) -> None:
        info = {"code": code, "reason": reason, "by": _BY.get(how, str(how))}
        self.note(Kind.CLOSED, monotonic(), info)
        self._listener.on_closed(code, reason, how)

    def on_trouble(self, kind: str, detail: str = "") -> None:
        if kind != SLOW_READER:
            self.note(Kind.NOTE, monotonic(), {"trouble": kind} | ({"detail": detail} if detail else {}))
        self._listener.on_trouble(kind, detail)

    def on_crash(self, error: Exception) -> None:
        self._listener.on_crash(error)


class _Traced(Bearer):
    """Tells its listener, which is an `_TraceTap`, what the station does; goes before a protocol, as `Secured` does."""

    __slots__ = ()

    @property
    def _ear(self) -> _TraceTap:
        assert isinstance(self._listener, _TraceTap)
        return self._listener

    def connect(self, url: str, subprotocol: str, headers: Mapping[str, str]) -> None:
        self._ear.connecting(url, subprotocol, headers)
        super().connect(url, subprotocol, headers)

    def send_text(self, text: str) -> bool:
        now = monotonic()
        sent = super().send_text(text)
        if sent:
            self._ear.frame(Kind.SENT, now, text)
        return sent

    def note(self, info: Mapping[str, Any]) -> None:
        self._ear.note(Kind.NOTE, monotonic(), dict(info))

    def hand_over(self, listener: Listener) -> None:
        self._ear.hand_over(listener)

    def abort(self) -> None:
        if self._phase in (ConnectionPhase.OPEN, ConnectionPhase.CLOSING):
            # No callback follows, so that nobody else would tell.
            self._ear.note(Kind.CLOSED, monotonic(), {"code": 1006, "reason": "", "by": "station"})
        super().abort()


class _TracedStream(_Traced, Stream):
    """Tells of signs of life, too."""

    __slots__ = ()

    def send_ping(self, payload: bytes) -> None:
        self._ear.note(Kind.CONTROL, monotonic(), {"opcode": "ping", "direction": "sent"})
        super().send_ping(payload)


class _TracedWebSocket(_TracedStream, StationSocket):
    """Tells of control frames, too."""

    __slots__ = ()

    def _take_frame(self, frame: Frame, now: float) -> None:
        if frame.opcode in (Opcode.PING, Opcode.PONG):
            opcode = Opcode(frame.opcode).name.lower()
            self._ear.note(Kind.CONTROL, now, {"opcode": opcode, "direction": "received"})
        super()._take_frame(frame, now)


class TracedSocket(_TracedWebSocket):
    """A `ws` connection that is traced."""

    __slots__ = ()


class TracedTlsSocket(_TracedWebSocket, TlsStationSocket):
    """A `wss` connection that is traced."""

    __slots__ = ()


class _TracedMqtt(_TracedStream, MqttSocket):
    """Tells of the broker's signs of life, too."""

    __slots__ = ()

    def _take_pong(self, pong: Ping, now: float) -> None:
        self._ear.note(Kind.CONTROL, now, {"opcode": "pong", "direction": "received"})
        super()._take_pong(pong, now)


class TracedMqttSocket(_TracedMqtt):
    """An `mqtt` connection that is traced: its frames are the OCPP-J texts, in whatever dialect they went."""

    __slots__ = ()


class TracedTlsMqttSocket(_TracedMqtt, TlsMqttSocket):
    """An `mqtts` connection that is traced."""

    __slots__ = ()


class TracedTrunkEnd(_Traced, TrunkEnd):
    """A station on a shared connection that is traced."""

    __slots__ = ()


_KINDS: Final[dict[tuple[bool, bool], type[Stream]]] = {
    (False, False): TracedSocket,
    (False, True): TracedTlsSocket,
    (True, False): TracedMqttSocket,
    (True, True): TracedTlsMqttSocket,
}
"""As in `opening.py`."""
