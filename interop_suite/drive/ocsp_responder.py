"""An OCSP responder on this machine, for the contract certificates that stations of a case show."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from fixtures.certificates import Authority, CertificateError

__all__ = ["OcspResponder", "responding"]

_REQUEST_MAX = 2**16


class OcspResponder:
    """Tells that every certificate of an authority is good, revoked or not known, and counts who asked."""

    def __init__(self, authority: Authority, url: str, *, revoked: bool, known: bool) -> None:
        """Speak for an authority."""
        self.url = url
        self.asked = 0
        self._authority = authority
        self._revoked = revoked
        self._known = known

    def answer(self, request: bytes) -> bytes:
        """Answer one OCSPRequest; raises `CertificateError` for anything else."""
        answer = self._authority.ocsp_response_to(request, time.time(), revoked=self._revoked, known=self._known)
        self.asked += 1
        return answer


@contextmanager
def responding(authority: Authority, *, revoked: bool = False, known: bool = True) -> Iterator[OcspResponder]:
    """Serve as long as the context lasts, on a free port of the loopback address."""
    responders: list[OcspResponder] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name that http.server calls
            request = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), _REQUEST_MAX))
            try:
                answer = responders[0].answer(request)
            except CertificateError:
                self.send_error(400)
                return
            self.send_response(200)
            self.send_header("Content-Type", "application/ocsp-response")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the names of http.server
            """Say nothing: the case notes who asked."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}/ocsp"
        responders.append(OcspResponder(authority, url, revoked=revoked, known=known))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield responders[0]
        finally:
            server.shutdown()
            thread.join()
