"""A small HTTP server on loopback, for a CSMS that reports a command's result to an address of the caller."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from ocppj.errors import UsageError

__all__ = ["CallbackServer", "Expected"]

BODY_MAX = 2**20
READ_TIMEOUT = 10.0


class Expected:
    """One callback that is waited for, known by the correlation in its address."""

    def __init__(self, correlation: str, url: str) -> None:
        """Wait for nothing yet."""
        self.correlation = correlation
        self.url = url
        self._received: SimpleQueue[dict[str, Any]] = SimpleQueue()

    def put(self, request: dict[str, Any]) -> None:
        """Hand over the request of the CSMS."""
        self._received.put(request)

    def wait(self, timeout: float) -> dict[str, Any] | None:
        """Wait for the request: its text, headers, query, and `json` where it is JSON; None when none came."""
        try:
            return self._received.get(timeout=timeout)
        except Empty:
            return None


class CallbackServer:
    """Serves one address for each command that is under way."""

    def __init__(self, bind: str, port: int) -> None:
        """Open the port; raises `UsageError` when it cannot be had."""
        self._open: dict[str, Expected] = {}
        try:
            self._http = _Http((bind, port), self.deliver)
        except (OSError, OverflowError) as error:
            raise UsageError(f"The callback address {bind}:{port} cannot be served: {error}") from None
        self.port: int = self._http.server_address[1]
        self.base = f"http://{bind}:{self.port}"
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.05,), name="driver-callback", daemon=True
        )
        self._thread.start()

    @contextmanager
    def expect(self, base: str | None = None) -> Iterator[Expected]:
        """Serve one address for as long as the context lasts; `base` is how the CSMS sees this server."""
        correlation = secrets.token_urlsafe(12)
        expected = Expected(correlation, f"{(base or self.base).rstrip('/')}/callback/{correlation}")
        self._open[correlation] = expected
        try:
            yield expected
        finally:
            del self._open[correlation]

    def deliver(self, correlation: str, request: dict[str, Any]) -> bool:
        """Hand a request to whoever waits for it; tells whether somebody does."""
        expected = self._open.get(correlation)
        if expected is not None:
            expected.put(request)
        return expected is not None

    def close(self) -> None:
        """End it."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], deliver: Callable[[str, dict[str, Any]], bool]) -> None:
        self.deliver = deliver
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about a CSMS that hangs up."""


class _Handler(BaseHTTPRequestHandler):
    timeout = READ_TIMEOUT
    protocol_version = "HTTP/1.1"
    # Head and body in one packet: else the second waits for the acknowledgement of the first.
    wbufsize = -1
    server: _Http

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > BODY_MAX:
            self._end(413)
            return
        body = self.rfile.read(int(length))
        parts = urlsplit(self.path)
        head, _, correlation = parts.path.rpartition("/")
        request: dict[str, Any] = {
            "text": body.decode("utf-8", "replace"),
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "query": {name: values[-1] for name, values in parse_qs(parts.query).items()},
        }
        with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
            request["json"] = msgspec.json.decode(body)
        known = head.endswith("/callback") and self.server.deliver(correlation, request)
        self._end(200 if known else 404)

    do_PUT = do_POST  # noqa: N815  # the library's own name

    def _end(self, status: int) -> None:
        body = b"{}"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status != 200:  # noqa: PLR2004  # the body was not read, or nobody waits
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's own name
        """Write nothing: the exchanges of the driver are recorded where they are read."""
