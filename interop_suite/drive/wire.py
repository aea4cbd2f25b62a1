"""A blocking WebSocket client that shows every HTTP answer and every frame, and sends bytes that no library would."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import msgspec
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, ProtocolError
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from interop_suite.drive.offer import HTTP_SWITCHING, Handshake, Offer, prepare_request
from interop_suite.drive.transport import Closed, Incoming, Pinged, Trait, WireEvent
from ocppj.versions import Version

__all__ = [
    "RECEIVE_SIZE",
    "SEND_PATIENCE",
    "TLS_PATIENCE",
    "WebSocketTransport",
    "Wire",
    "readable",
    "reason_of",
    "writable",
]

MAX_MESSAGE = 16 * 2**20
"""Bytes; a CSMS that sends more than this is closed with 1009."""
RECEIVE_SIZE = 65536
TLS_PATIENCE = 5.0
"""Seconds at least for each step of TLS, which costs a busy machine more than anything else."""
LATE_ANSWER = 0.1
"""Seconds to read an answer that is known to have been written."""
SEND_PATIENCE = 10.0
"""Seconds for a CSMS to take what is written to it; one that never reads is dropped."""


class WebSocketTransport:
    """OCPP-J as its texts know it."""

    lacks: Mapping[Trait, str] = MappingProxyType(
        {Trait.BROKER: "it is about OCPP over MQTT, and this CSMS takes WebSocket"}
    )
    tells_version = True
    noted: dict[str, Any] = {}  # noqa: RUF012  # nobody writes into it

    def link(self, version: Version) -> Wire:
        """Make a connection for a station, not open yet."""
        del version
        return Wire()


class Wire:
    """One WebSocket of one scripted station."""

    def __init__(self) -> None:
        """Start disconnected."""
        self._socket: socket.socket | None = None
        self._protocol: ClientProtocol | None = None
        self._parts: list[bytes] = []
        self._parts_are_text = False
        self._closed_by_us = False

    @property
    def connected(self) -> bool:
        """Whether the WebSocket is open."""
        return self._socket is not None

    def fileno(self) -> int:
        """Return the descriptor to wait on; -1 when disconnected."""
        return -1 if self._socket is None else self._socket.fileno()

    @property
    def has_buffered_bytes(self) -> bool:
        """Whether TLS holds bytes that a select on the socket would not show."""
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    # -- opening -----------------------------------------------------------------------------------------------------

    def open(self, offer: Offer, timeout: float, settle: Callable[[], None] | None = None) -> Handshake:
        """Connect and upgrade within `timeout` seconds; a refusal is a result, not an exception.

        Before a silence counts, `settle` waits until the CSMS has done what it was asked; only one of our own can tell.
        """
        self._closed_by_us = False
        parts = urlsplit(offer.url)
        secure = parts.scheme == "wss"
        address = (parts.hostname or "", parts.port or (443 if secure else 80))
        deadline = time.monotonic() + timeout
        source = (offer.source, 0) if offer.source else None
        try:
            raw = socket.create_connection(address, timeout, source)
        except OSError as error:
            return Handshake(error=f"TCP: {reason_of(error)}", unreachable=True)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock: socket.socket = raw
        tls = None
        if secure:
            try:
                raw.settimeout(max(timeout, TLS_PATIENCE))
                context = offer.tls or ssl.create_default_context()
                sock = context.wrap_socket(raw, server_hostname=parts.hostname)
            except (OSError, ssl.SSLError) as error:
                raw.close()
                return Handshake(error=f"TLS: {reason_of(error)}")
            assert isinstance(sock, ssl.SSLSocket)
            tls = {"version": sock.version(), "cipher": (sock.cipher() or ("",))[0]}
        try:
            handshake = self._upgrade(sock, offer, deadline, settle)
        except OSError as error:
            handshake = Handshake(error=f"{'TLS' if secure else 'TCP'}: {reason_of(error)}")
        if not handshake.opened or handshake.error:
            sock.close()
            self._protocol = None
        else:
            self._socket = sock
            sock.setblocking(False)  # the socket module's own signature
        return msgspec.structs.replace(handshake, tls=tls)

    def _upgrade(
        self, sock: socket.socket, offer: Offer, deadline: float, settle: Callable[[], None] | None
    ) -> Handshake:
        protocol = ClientProtocol(
            parse_uri(offer.url),
            subprotocols=[Subprotocol(name) for name in offer.subprotocols] or None,
            extensions=[ClientPerMessageDeflateFactory()] if offer.compression else None,
            max_size=MAX_MESSAGE,
        )
        protocol.send_request(prepare_request(protocol.connect(), offer))
        for data in protocol.data_to_send():
            sock.sendall(data)
        self._protocol = protocol
        response: Response | None = None
        while response is None and protocol.handshake_exc is None:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                if settle is None:
                    return Handshake(error="no HTTP answer within the time-out")
                settle()
                settle, remaining = None, LATE_ANSWER
            sock.settimeout(remaining)
            try:
                data = sock.recv(RECEIVE_SIZE)
            except TimeoutError:
                continue
            if data:
                protocol.receive_data(data)
            else:
                protocol.receive_eof()
            response = next((event for event in self._events_of(protocol) if isinstance(event, Response)), None)
            if not data and response is None:
                return Handshake(error="the connection was closed without an HTTP answer")
        return self._read_response(protocol, response)

    def _events_of(self, protocol: ClientProtocol) -> list[Any]:
        events = protocol.events_received()
        # Frames may follow the 101 in the same segment; they wait for the first receive.
        self._early = [event for event in events if isinstance(event, Frame)]
        return list(events)

    def _read_response(self, protocol: ClientProtocol, response: Response | None) -> Handshake:
        error = protocol.handshake_exc
        if response is None:
            return Handshake(error=f"no valid HTTP answer: {reason_of(error)}")
        headers = tuple((name, value) for name, value in response.headers.raw_items())
        chosen = response.headers.get("Sec-WebSocket-Protocol")
        invalid = response.status_code == HTTP_SWITCHING and isinstance(error, InvalidHandshake)
        return Handshake(
            status=response.status_code,
            subprotocol=chosen,
            headers=headers,
            error=f"the upgrade is invalid: {error}" if invalid else None,
        )

    # -- talking -----------------------------------------------------------------------------------------------------

    @staticmethod
    def carries(text: str | bytes) -> bool:
        """Carry anything."""
        del text
        return True

    @staticmethod
    def arrive() -> None:
        """Do nothing: what is written is with the CSMS, and nobody stands between."""

    def send_text(self, *texts: str | bytes, fragments: int = 1, pings: bool = False) -> None:
        """Send text messages in one write, each in several frames where asked; the bytes need not be UTF-8.

        With `pings` a ping goes between any two frames of a message (RFC 6455 §5.4).
        """
        protocol = self._protocol
        assert protocol is not None
        for text in texts:
            data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
            size = max(1, -(-len(data) // fragments))
            chunks = [data[i : i + size] for i in range(0, len(data), size)] or [b""]
            for index, chunk in enumerate(chunks):
                if index and pings:
                    protocol.send_frame(Frame(Opcode.PING, b"between"))
                final = index == len(chunks) - 1
                protocol.send_frame(Frame(Opcode.CONT if index else Opcode.TEXT, chunk, fin=final))
        self._flush()

    def send_bytes(self, data: bytes) -> None:
        """Put bytes on the connection that need not be WebSocket frames at all."""
        assert self._protocol is not None
        self._protocol.writes.append(data)
        self._flush()

    def send_binary(self, data: bytes) -> None:
        """Send a binary message."""
        assert self._protocol is not None
        self._protocol.send_binary(data)
        self._flush()

    def ping(self, data: bytes = b"") -> None:
        """Send a ping."""
        assert self._protocol is not None
        self._protocol.send_ping(data)
        self._flush()

    def receive(self) -> list[WireEvent]:
        """Read what is there, without waiting."""
        sock, protocol = self._socket, self._protocol
        if sock is None or protocol is None:
            return []
        events = [event for frame in self._take_early() for event in self._on_frame(frame)]
        # A close frame may have come with the 101; its answer is still to be written.
        self._flush()
        while True:
            try:
                data = sock.recv(RECEIVE_SIZE)
            except (BlockingIOError, ssl.SSLWantReadError):
                break
            except OSError as error:
                return [*events, self._drop(None, reason_of(error), "network")]
            if data:
                protocol.receive_data(data)
            else:
                protocol.receive_eof()
            for frame in protocol.events_received():
                if isinstance(frame, Frame):
                    events.extend(self._on_frame(frame))
            self._flush()
            if not data or protocol.state is State.CLOSED:
                return [*events, self._ended()]
            if not self.has_buffered_bytes and len(data) < RECEIVE_SIZE:
                break
        return events

    def wait(self, timeout: float, *others: int) -> bool:
        """Wait until the socket or one of the other descriptors is readable; True when the socket is."""
        if self.has_buffered_bytes or self._take_early(peek=True):
            return True
        if self._socket is None:
            readable(timeout, *others)
            return False
        own = self._socket.fileno()
        return own in readable(timeout, own, *others)

    def close(self, code: int = 1000, reason: str = "", timeout: float = 2.0) -> list[WireEvent]:
        """Close with a close frame within `timeout` seconds and return what still came in."""
        protocol = self._protocol
        if self._socket is None or protocol is None:
            return []
        self._closed_by_us = True
        if protocol.state is State.OPEN:
            protocol.send_close(code, reason)
            self._flush()
        events: list[WireEvent] = []
        deadline = time.monotonic() + timeout
        while self.connected and time.monotonic() < deadline:
            if self.wait(deadline - time.monotonic()):
                events += self.receive()
        if self.connected:
            events.append(self._drop(code, reason, "station"))
        return events

    def abort(self) -> Closed | None:
        """Drop the TCP connection without a close frame."""
        if self._socket is None:
            return None
        return self._drop(None, "aborted", "station")

    # -- inside ------------------------------------------------------------------------------------------------------

    _early: list[Frame]

    def _take_early(self, *, peek: bool = False) -> list[Frame]:
        early = getattr(self, "_early", [])
        if not peek:
            self._early = []
        return early

    def _on_frame(self, frame: Frame) -> list[WireEvent]:
        now = time.monotonic()
        match frame.opcode:
            case Opcode.TEXT | Opcode.BINARY | Opcode.CONT:
                if frame.opcode is not Opcode.CONT:
                    self._parts_are_text = frame.opcode is Opcode.TEXT
                self._parts.append(bytes(frame.data))
                if not frame.fin:
                    return []
                data = b"".join(self._parts)
                self._parts = []
                if self._parts_are_text:
                    try:
                        return [Incoming(data.decode(), now)]
                    except UnicodeDecodeError:
                        pass
                return [Incoming(data, now)]
            case Opcode.PING | Opcode.PONG:
                return [Pinged(frame.opcode.name.lower(), now)]
            case _:
                return []

    def _flush(self) -> None:
        if self._socket is None or self._protocol is None:
            return
        view = memoryview(b"".join(self._protocol.data_to_send()))
        deadline = time.monotonic() + SEND_PATIENCE
        while view:
            try:
                view = view[self._socket.send(view) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                if not writable(self._socket, deadline - time.monotonic()):
                    # The next read finds the connection ended, and says so.
                    with contextlib.suppress(OSError):
                        self._socket.shutdown(socket.SHUT_RDWR)
                    return
            except OSError:
                return

    def _ended(self) -> Closed:
        protocol = self._protocol
        assert protocol is not None
        try:
            received, code, reason = protocol.close_rcvd, protocol.close_code, protocol.close_reason
        except (AssertionError, ProtocolError):  # pragma: no cover  # only while the TCP end is not in yet
            received, code, reason = None, None, ""
        by = "station" if self._closed_by_us else "csms"
        if received is None and not self._closed_by_us:
            reason = reason or "the TCP connection ended without a close frame"
        return self._drop(code, reason or "", by)

    def _drop(self, code: int | None, reason: str, by: str) -> Closed:
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._protocol = None
        self._parts = []
        return Closed(code, reason, by, time.monotonic())


def readable(timeout: float, *descriptors: int) -> set[int]:
    """Wait at most `timeout` seconds for descriptors to become readable, and return those that are; ended ones are."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(max(0.0, timeout) * 1000)}


def writable(sock: socket.socket, timeout: float) -> bool:
    """Wait at most `timeout` seconds for a socket to take more, and return whether it does."""
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    return timeout > 0 and bool(poll.poll(timeout * 1000))


def reason_of(error: BaseException | None) -> str:
    """Say why something failed, in the words of the system."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{error.reason}: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return str(error.reason or error.args[-1])
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error)
