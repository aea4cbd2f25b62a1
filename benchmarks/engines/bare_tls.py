"""What a TLS connect costs where there is nothing else: TCP and a handshake of Python's `ssl`, one after the other.

It is no engine: it sends no CALL, and ends with its input.
"""

from __future__ import annotations

import gc
import socket
import ssl
import sys
from urllib.parse import urlsplit

from benchmarks.engines.on_asyncio import arguments
from benchmarks.engines.speech import Stopwatch, rss_kb, say

__all__: list[str] = []

_PATIENCE = 30.0


def main() -> None:
    """Connect, tell what it took, and hold the connections; `--option` names the file with the root to trust."""
    given = arguments()
    address = urlsplit(given.url)
    context = ssl.create_default_context(cafile=given.option[0])
    gc.collect()
    before, watch = rss_kb(), Stopwatch()
    held = [_connect(context, str(address.hostname), address.port or 443) for _ in range(given.stations)]
    say(watch.ready(len(held), before))
    sys.stdin.read()


def _connect(context: ssl.SSLContext, host: str, port: int) -> ssl.SSLSocket:
    sock = socket.create_connection((host, port), timeout=_PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(sock, server_hostname=host)


if __name__ == "__main__":
    main()
