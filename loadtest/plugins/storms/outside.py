"""What a storm does to the CSMS itself, from where the test is led: make it mute, and knock at its port."""

from __future__ import annotations

import contextlib
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from loadtest.workload.storms import PortScan
from ocppj.errors import UsageError
from ocppj.identity import PORTS, is_secure

__all__ = ["ChangeRoot", "knock", "mute_practice_csms"]

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

    gevent.spawn_later(delay, lambda: _tell(f"{url.rstrip('/')}/mute", {"seconds": seconds}, ended))


class ChangeRoot:
    """The next root of the practice CSMS with this control port."""

    def __init__(self, url: str) -> None:
        """Ask for it; raises `UsageError` where the control port has none."""
        self._url = url.rstrip("/")
        code, body = _ask("GET", f"{self._url}/certificates/next-root", None)
        if code:
            raise UsageError(f"The storm root-change cannot be prepared: {body}")
        self.next_root: bytes = msgspec.json.decode(body)["certificate"].encode()
        """In PEM."""

    def change(self, delay: float, ended: Callable[[int, str], object]) -> None:
        """Make the CSMS use it after `delay` seconds; `ended` gets 0, or 1 and what was wrong."""
        import gevent  # noqa: PLC0415 - `plugstorm` reads storms too, and has no event loop

        gevent.spawn_later(delay, lambda: _tell(f"{self._url}/certificates/root", {}, ended))


def _ask(method: str, url: str, body: Any) -> tuple[int, str]:
    """Ask a control port; return 0 and its answer, or 1 and what was wrong."""
    import requests  # noqa: PLC0415 - only for this

    try:
        with requests.Session() as http:
            # A proxy between the harness and its target would be asked instead of the target.
            http.trust_env = False
            answer = http.request(method, url, json=body, timeout=_TIMEOUT)
    except requests.RequestException as error:
        return _FAILED, f"the control port cannot be asked: {type(error).__name__}"
    path = urlsplit(url).path
    return (0, answer.text) if answer.ok else (_FAILED, f"{method} {path} was answered with {answer.status_code}")


def _tell(url: str, body: Any, ended: Callable[[int, str], object]) -> None:
    """Make a control port do something; `ended` gets 0, or 1 and what was wrong."""
    code, said = _ask("POST", url, body)
    ended(code, said if code else "")


def knock(url: str, storm: PortScan, delay: float, ended: Callable[[dict[str, dict[str, int]]], object]) -> None:
    """Knock at the port of a CSMS as `storm` says, after `delay` seconds; `ended` gets what came of it, by kind.

    For each kind: `refused`, `reset`, `closed` (by the CSMS), `answered`, or `left open` until the scanner closed it.
    """
    import gevent  # noqa: PLC0415 - `plugstorm` reads storms too, and has no event loop
    from gevent import pool, socket  # noqa: PLC0415

    parts = urlsplit(url)
    secure = is_secure(url)
    address = (parts.hostname or "", parts.port or PORTS[parts.scheme])
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
