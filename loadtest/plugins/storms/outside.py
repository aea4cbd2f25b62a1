"""What a storm does to the CSMS itself, from where the test is led: make it mute, and knock at its port."""

from __future__ import annotations

import contextlib
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from loadtest.workload.storms import PortScan

__all__ = ["knock", "mute_practice_csms"]

_TIMEOUT: Final = 5.0
_AT_ONCE: Final = 50
_FAILED: Final = 1
_HALF: Final = b"GET /ocpp/PLUGSTORM-SCAN HTTP/1.1\r\nHost: csms\r\nUpg"
_FOREIGN: Final = b"EHLO scanner.example\r\n"
_LEFT_OPEN: Final = "left open"


def mute_practice_csms(url: str, seconds: float, delay: float, ended: Callable[[int, str], object]) -> None:
    """Let the practice CSMS with this control port answer nothing for some seconds, after `delay` seconds.

    `ended` gets 0, or 1 and what was wrong.
    """
    import gevent  # noqa: PLC0415 - `plugstorm` reads storms too, and has no event loop
    import requests  # noqa: PLC0415 - only for this

    def ask() -> None:
        try:
            with requests.Session() as http:
                # A proxy between the harness and its target would be asked instead of the target.
                http.trust_env = False
                answer = http.post(f"{url.rstrip('/')}/mute", json={"seconds": seconds}, timeout=_TIMEOUT)
        except requests.RequestException as error:
            ended(_FAILED, f"The control port cannot be asked: {type(error).__name__}")
            return
        ended(0 if answer.ok else _FAILED, "" if answer.ok else f"POST /mute was answered with {answer.status_code}")

    gevent.spawn_later(delay, ask)


def knock(url: str, storm: PortScan, delay: float, ended: Callable[[dict[str, dict[str, int]]], object]) -> None:
    """Knock at the port of a CSMS as `storm` says, after `delay` seconds; `ended` gets what came of it, by kind.

    For each kind: `refused`, `reset`, `closed` (by the CSMS), `answered`, or `left open` until the scanner closed it.
    """
    import gevent  # noqa: PLC0415 - `plugstorm` reads storms too, and has no event loop
    from gevent import pool, socket  # noqa: PLC0415

    parts = urlsplit(url)
    secure = parts.scheme == "wss"
    address = (parts.hostname or "", parts.port or (443 if secure else 80))
    first = _FOREIGN if secure else _client_hello()
    found: dict[str, Counter[str]] = {"empty": Counter(), "foreign": Counter(), "half": Counter()}

    def one(kind: str, data: bytes, hold: float) -> None:
        found[kind][_outcome(socket, address, data, hold)] += 1

    def scan() -> None:
        halves = [gevent.spawn(one, "half", _HALF, storm.hold) for _ in range(storm.half)]
        workers = pool.Pool(_AT_ONCE)
        for _ in range(storm.empty):
            workers.spawn(one, "empty", b"", 0.0)
        for _ in range(storm.foreign):
            workers.spawn(one, "foreign", first, _TIMEOUT)
        workers.join()
        gevent.joinall(halves)
        ended({kind: dict(counter) for kind, counter in found.items()})

    gevent.spawn_later(delay, scan)


def _outcome(socket: Any, address: tuple[str, int], data: bytes, hold: float) -> str:
    """Open a connection, say `data`, and look for up to `hold` seconds what the CSMS does with it."""
    try:
        sock = socket.create_connection(address, timeout=_TIMEOUT)
    except ConnectionRefusedError:
        return "refused"
    except OSError:
        return "no connection"
    with sock:
        try:
            sock.sendall(data)
            if not hold:
                return "closed by the scanner"
            sock.settimeout(hold)
            return "answered" if sock.recv(1024) else "closed"
        except TimeoutError:
            return _LEFT_OPEN
        except OSError:
            return "reset"


def _client_hello() -> bytes:
    """Return the first bytes of a TLS handshake."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing).do_handshake()
    return outgoing.read()
