"""One connection after thousands: whether the CSMS still serves a station once the last one has left.

A fresh connection, a BootNotification and, where the CSMS accepts it, a Heartbeat. What matters is that each is
answered, not how. The caller's greenlet waits; everything else goes on.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import gevent
from gevent.queue import Empty, SimpleQueue

from loadtest.timing.timers import HubTimers
from loadtest.transport.contract import Attempt, Engine, Handshake, How, Wire
from loadtest.transport.opening import open_socket
from loadtest.transport.target import Target
from loadtest.workload.identities import Lease
from ocppj.errors import InconclusiveError
from ocppj.identity import basic_authorization, decode_authorization_key, station_url
from ocppj.messages import Call, encode
from ocppj.registration import Registration
from ocppj.versions import RULES, MessageType, Version

__all__ = ["check_end", "describe_closed", "end_as_any"]

_MOST_PATIENCE: Final = 30.0
"""Seconds for an answer."""
_COMES_BACK: Final = 3.0
"""Seconds in which a CSMS that refuses connections may be restarting."""
_BETWEEN: Final = 0.5
_GOODBYE: Final = 0.5
_SERVER_ERROR: Final = 500
_NO_STATUS: Final = 1005
_NO_CLOSE: Final = 1006

_IDENTITY: Final = {"vendorName": "Plugstorm", "model": "End check"}
_BOOT: Final[Mapping[Version, dict[str, Any]]] = MappingProxyType(
    {
        Version.V16: {"chargePointVendor": "Plugstorm", "chargePointModel": "End check"},
        Version.V201: {"reason": "PowerUp", "chargingStation": _IDENTITY},
        Version.V21: {"reason": "PowerUp", "chargingStation": _IDENTITY},
    }
)
_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        Attempt.REFUSED: "it refused the connection",
        Attempt.UNREACHABLE: "there is no route to it any more",
        Attempt.CONNECT_TIMEOUT: "nothing took the connection",
        Attempt.UPGRADE_TIMEOUT: "it took the connection, but did not answer the upgrade",
        Attempt.RESET: "it ended the connection without an answer",
        Attempt.TLS_FAILED: "TLS failed",
        Attempt.CONNACK_TIMEOUT: "the broker took the connection, but did not answer CONNECT",
        Attempt.SUBACK_TIMEOUT: "the broker did not answer SUBSCRIBE",
    }
)


def describe_closed(code: int, reason: str, how: How) -> str:
    """Say how a connection ended, with the code and the words of the CSMS."""
    if how is How.LOST or code == _NO_CLOSE:
        return "it ended TCP without a Close frame"
    said = f' "{reason}"' if reason else ""
    return f"it closed the connection{said}" if code == _NO_STATUS else f"it closed the connection with {code}{said}"


class _Closed(NamedTuple):
    why: str


class _Failed(NamedTuple):
    outcome: str
    reason: str


class _Ear:
    """The listener of one connection: what it hears goes into a queue."""

    def __init__(self) -> None:
        self.heard: SimpleQueue[Any] = SimpleQueue()

    def on_open(self, handshake: Handshake) -> None:
        self.heard.put(handshake)

    def on_failed(self, outcome: str, reason: str) -> None:
        self.heard.put(_Failed(str(outcome), reason))

    def on_text(self, data: str | bytes, now: float) -> None:
        del now
        self.heard.put(data)

    def on_closed(self, code: int, reason: str, how: How) -> None:
        self.heard.put(_Closed(describe_closed(code, reason, how)))

    def on_trouble(self, kind: str, detail: str = "") -> None:
        """Have too little to say for that."""

    def on_crash(self, error: Exception) -> None:
        raise error


class _GoneError(Exception):
    """What the CSMS does not do any more, in words."""


def end_as_any(
    target: Target, leases: Sequence[Lease], version: Version, password: str | None, *, timeout: float
) -> str | None:
    """Check as the first of these stations that the CSMS lets in; raises as `check_end` for the last."""
    for lease in leases[:-1]:
        with contextlib.suppress(InconclusiveError):
            return check_end(target, lease, version, password, timeout=timeout)
    return check_end(target, leases[-1], version, password, timeout=timeout)


def check_end(target: Target, lease: Lease, version: Version, password: str | None, *, timeout: float) -> str | None:
    """Be this station once more; return what the CSMS did not do, None where it served.

    Raises `InconclusiveError` where it cannot be told, because the CSMS is there and lets this station in no more.
    """
    loop = gevent.get_hub().loop
    patience = min(timeout, _MOST_PATIENCE)
    engine = Engine(loop, HubTimers(loop), connect_timeout=patience, close_timeout=_GOODBYE)
    secret = lease.password if lease.password is not None else password
    headers = {}
    if secret is not None:
        headers["Authorization"] = basic_authorization(lease.identity, decode_authorization_key(secret, version))

    def connect() -> tuple[Wire, _Ear]:
        ear = _Ear()
        sock = open_socket(engine, target, ear, target.source(lease.number))
        sock.connect(station_url(target.url, lease.identity), RULES[version].subprotocol, headers)
        return sock, ear

    try:
        sock, ear = _connected(connect, patience)
        try:
            _converse(sock, ear, version, patience)
        finally:
            sock.close()
            gevent.sleep(0)
    except _GoneError as gone:
        return str(gone)
    finally:
        engine.timers.close()
    return None


def _connected(connect: Callable[[], tuple[Wire, _Ear]], patience: float) -> tuple[Wire, _Ear]:
    """Connect, and again while the CSMS refuses: it may be restarting."""
    deadline = time.monotonic() + _COMES_BACK
    while True:
        sock, ear = connect()
        news = _next(ear, patience * 2)
        if isinstance(news, Handshake):
            return sock, ear
        sock.abort()
        if not isinstance(news, _Failed):
            raise _GoneError("it took the connection, and nothing followed")
        status = int(news.outcome.removeprefix("http-")) if news.outcome.startswith("http-") else None
        if status is not None and status < _SERVER_ERROR:
            raise InconclusiveError(f"the CSMS answered HTTP {status} to a fresh connection")
        if time.monotonic() >= deadline:
            raise _GoneError(
                f"it answered HTTP {status}"
                if status is not None
                else _WORDS.get(news.outcome, f"{news.outcome}: {news.reason}")
            )
        gevent.sleep(_BETWEEN)


def _converse(sock: Wire, ear: _Ear, version: Version, patience: float) -> None:
    boot = _ask(sock, ear, Call("end-check-boot", "BootNotification", _BOOT[version]), patience)
    if isinstance(boot, dict) and boot.get("status") == Registration.ACCEPTED:
        _ask(sock, ear, Call("end-check-call", "Heartbeat", {}), patience)


def _ask(sock: Wire, ear: _Ear, call: Call, patience: float) -> Any:
    """Send a CALL and wait for its answer, whatever the CSMS sends before it; return the payload of a CALLRESULT."""
    sock.send_text(encode(call))
    deadline = time.monotonic() + patience
    while True:
        news = _next(ear, deadline - time.monotonic())
        if news is None:
            raise _GoneError(f"it took a fresh connection, but did not answer {call.action} within {patience:g} s")
        if isinstance(news, _Closed):
            raise _GoneError(f"it took a fresh connection and got {call.action}, then {news.why}")
        frame = _frame(news)
        if len(frame) > 2 and frame[1] == call.message_id:  # noqa: PLR2004 - the type, the id and an answer
            return frame[2] if frame[0] == MessageType.CALLRESULT else None


def _frame(data: str | bytes) -> list[Any]:
    try:
        frame = json.loads(data)
    except (ValueError, RecursionError):
        return []
    return frame if isinstance(frame, list) else []


def _next(ear: _Ear, timeout: float) -> Any:
    try:
        return ear.heard.get(timeout=max(timeout, 0.001))
    except Empty:
        return None
