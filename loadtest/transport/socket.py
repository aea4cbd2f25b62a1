"""A station's WebSocket over its stream.

The handshake and everything unusual (fragments, control frames, closing) go through the Sans-I/O protocol of
`websockets`. The common frame, a whole unfragmented text, takes a short path of its own; its only work is one `recv`,
one decode and one callback.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Mapping
from random import getrandbits
from time import monotonic

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, PayloadTooBig
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol as WebSocketProtocol
from websockets.protocol import Side, State
from websockets.speedups import apply_mask
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from loadtest.transport.bearer import ConnectionPhase
from loadtest.transport.contract import Attempt, Engine, How, Listener
from loadtest.transport.failures import one_line, upgrade_failure
from loadtest.transport.ping import Pinger
from loadtest.transport.stream import Stream
from loadtest.transport.target import Target
from loadtest.transport.upgrade import Upgrade, granted, prepare

__all__ = ["StationSocket"]

_quiet = logging.getLogger("plugstorm.websockets")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False
_quiet.setLevel(logging.CRITICAL)

_HEADS = [bytes((0x81, 0x80 | length)) for length in range(126)]
_HEAD_16 = struct.Struct("!BBH").pack
_HEAD_64 = struct.Struct("!BBQ").pack
_TEXT, _LEAST, _MOST = 0x81, 2, 128
"""RFC 6455 §5.2: the first byte of a whole text, and between how many bytes a frame has whose second is its length."""


_UPGRADING, _OPEN = ConnectionPhase.UPGRADING, ConnectionPhase.OPEN
_CLOSING, _CLOSED = ConnectionPhase.CLOSING, ConnectionPhase.CLOSED


class StationSocket(Stream):
    """A `ws` connection."""

    __slots__ = ("_inbox", "_on_ping", "_partial", "_pinger", "_protocol", "_upgrade", "_wanted")

    def __init__(self, engine: Engine, target: Target, listener: Listener, source: str | None = None) -> None:
        """Prepare; `source` is the local address to connect from."""
        super().__init__(engine, target, listener, source)
        self._protocol: WebSocketProtocol | None = None
        self._inbox: bytearray | None = None
        self._wanted = 0
        self._partial: bytearray | None = None
        self._pinger: Pinger | None = None
        self._on_ping: Callable[[], bool] | None = None
        self._upgrade: Upgrade | None = None

    # -- opening -----------------------------------------------------------------------------------------------------

    def connect(self, url: str, subprotocol: str, headers: Mapping[str, str]) -> None:
        """Begin; `on_open` or `on_failed` follows, never from within this call."""
        self._upgrade = prepare(url, subprotocol, headers, self._make_client)
        self._connect()

    def _begin(self) -> None:
        """Ask for the upgrade."""
        assert self._upgrade is not None
        self._write(self._upgrade.request)

    def _make_client(self, url: str, subprotocol: str) -> ClientProtocol:
        return ClientProtocol(
            parse_uri(url),
            subprotocols=[Subprotocol(subprotocol)],
            max_size=self._engine.max_message,
            logger=_quiet,
        )

    def _reading_upgrade(self) -> ClientProtocol:
        """Return the protocol that reads an answer which is out of the ordinary."""
        protocol = self._protocol
        if protocol is None:
            assert self._upgrade is not None
            protocol = self._protocol = self._upgrade.as_protocol(self._make_client)
        assert isinstance(protocol, ClientProtocol)
        return protocol

    def _upgraded(self, protocol: ClientProtocol, now: float) -> None:
        error = protocol.handshake_exc
        if error is None and protocol.state is State.CONNECTING:
            return
        if error is not None:
            self._fail(upgrade_failure(error), one_line(error))
        elif protocol.subprotocol is None:
            protocol.send_close(1002, "no subprotocol")
            for data in protocol.data_to_send():
                self._write(data)
            self._fail(Attempt.NO_SUBPROTOCOL, "the CSMS named no subprotocol in its 101 answer")
        else:
            subprotocol: str = protocol.subprotocol
            self._drop_protocol()
            self._upgrade = None
            self._opened(subprotocol, now)

    # -- hearing -----------------------------------------------------------------------------------------------------

    def take(self, data: bytes, now: float) -> None:
        """Act on what was read."""
        try:
            size = len(data)
            # What nearly every read brings: one whole text of at most 125 bytes. `_received` takes the rest.
            if (
                _LEAST < size < _MOST
                and data[0] == _TEXT
                and data[1] == size - _LEAST
                and self._phase is _OPEN
                and self._inbox is None
                and self._protocol is None
            ):
                try:
                    text: str | bytes = data[_LEAST:].decode()
                except UnicodeDecodeError:
                    text = data[_LEAST:]
                on_text = self._listener.on_text
                on_text(text, now)
            elif self._phase is not _CLOSED:
                self._received(data, now)
        except Exception as error:  # noqa: BLE001 - nothing may reach the hub; the listener decides
            self._crash(error)

    def _received(self, data: bytes, now: float) -> None:
        if self._phase is _UPGRADING:
            data = self._read_upgrade(data, now)
        inbox = self._inbox
        if inbox is not None:
            inbox += data
            if len(inbox) < self._wanted:
                return
            data, self._inbox = bytes(inbox), None
        position, size = 0, len(data)
        while position < size and (self._phase is _OPEN or self._phase is _CLOSING):
            start = position + 2
            length = data[position + 1] if size >= start else 0
            if length >= 126:  # noqa: PLR2004 - RFC 6455 §5.2
                start, length = _long_header(data, position)
            end = start + length
            if end > size:
                if length <= self._engine.max_message:
                    self._inbox, self._wanted = bytearray(data[position:]), end - position
                    return
                # `websockets` refuses it by its header.
                self._parse(data[position:], now)
                return
            if data[position] == 0x81 and self._protocol is None and data[position + 1] < 0x80:  # noqa: PLR2004
                payload = data[start:end]
                position = end
                try:
                    text: str | bytes = payload.decode()
                except UnicodeDecodeError:
                    text = payload
                self._listener.on_text(text, now)
            else:
                self._parse(data[position:end], now)
                position = end

    def _read_upgrade(self, data: bytes, now: float) -> bytes:
        """Read the answer to the upgrade, and nothing behind it; return what is left."""
        upgrade = self._upgrade
        assert upgrade is not None
        if self._protocol is None and (end := granted(data, upgrade)) is not None:
            self._upgrade = None
            self._opened(upgrade.subprotocol, now)
            return data[end:]
        protocol = self._reading_upgrade()
        position = 0
        for line in data.splitlines(keepends=True):
            protocol.receive_data(line)
            position += len(line)
            if protocol.state is not State.CONNECTING:
                break
        protocol.events_received()
        self._upgraded(protocol, now)
        return data[position:]

    def _parse(self, frame: bytes, now: float) -> None:
        """Let `websockets` read one whole frame that is not a whole text message."""
        if self._on_ping is not None and frame[0] & 0x0F == Opcode.PING:
            self._take_frame(Frame(Opcode.PING, b""), now)
            if self._on_ping():
                self._finish(1006, "dropped at a ping", How.INJECTED)
            return
        protocol = self._protocol or self._make_protocol()
        protocol.receive_data(frame)
        self._act_on(protocol, now)

    def _make_protocol(self) -> WebSocketProtocol:
        protocol = WebSocketProtocol(Side.CLIENT, state=State.OPEN, max_size=self._engine.max_message, logger=_quiet)
        self._protocol = protocol
        return protocol

    def _act_on(self, protocol: WebSocketProtocol, now: float) -> None:
        self._engine.turn.write()
        for data in protocol.data_to_send():
            if data and self._phase in (_OPEN, _CLOSING):
                self._write(data)
        for event in protocol.events_received():
            if isinstance(event, Frame) and self._phase is not _CLOSED:
                self._take_frame(event, now)
        if self._phase is not _OPEN or self._protocol is not protocol:
            return
        if protocol.parser_exc is not None:
            how = How.TOO_BIG if isinstance(protocol.parser_exc, PayloadTooBig) else How.VIOLATION
            code = protocol.close_sent.code if protocol.close_sent else 1006
            self._await_end(code, one_line(protocol.parser_exc), how)
        elif protocol.state is State.CLOSING and protocol.close_rcvd is not None:
            self._await_end(protocol.close_rcvd.code, protocol.close_rcvd.reason, How.PEER)
        elif protocol.current_size is None:
            self._drop_protocol()

    def _take_frame(self, frame: Frame, now: float) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            if frame.opcode is Opcode.PONG and self._pinger is not None:
                self._pinger.pong(bytes(frame.data))
            return
        if frame.opcode is not Opcode.CONT:
            # The first byte remembers the kind, so that no further field is needed.
            self._partial = bytearray(b"T" if frame.opcode is Opcode.TEXT else b"B")
        assert self._partial is not None
        self._partial += frame.data
        if not frame.fin:
            return
        kind, payload = self._partial[0], bytes(self._partial[1:])
        self._partial = None
        message: str | bytes = payload
        if kind == ord("T"):
            try:
                message = payload.decode()
            except UnicodeDecodeError:
                message = payload
        self._listener.on_text(message, now)

    def _handshake_ended(self, reason: str) -> None:
        protocol = self._reading_upgrade()
        # An answer without a length ends with the stream.
        protocol.receive_eof()
        error = protocol.handshake_exc
        status = isinstance(error, InvalidStatus)
        self._fail(upgrade_failure(error) if status else Attempt.RESET, one_line(error) if status else reason)

    # -- saying ------------------------------------------------------------------------------------------------------

    def send_text(self, text: str) -> bool:
        """Write a text frame now, or keep it until the CSMS reads again; False when the connection is not open."""
        if self._phase is not _OPEN:
            return False
        try:
            data = text.encode()
        except UnicodeEncodeError:
            data = text.encode("utf-8", "surrogatepass")
        length = len(data)
        mask = getrandbits(32).to_bytes(4, "little")
        if length < 126:  # noqa: PLR2004 - RFC 6455 §5.2
            head = _HEADS[length]
        elif length < 65_536:  # noqa: PLR2004
            head = _HEAD_16(0x81, 0xFE, length)
        else:
            head = _HEAD_64(0x81, 0xFF, length)
        turn = self._engine.turn
        if turn.collects:
            turn.say(self._write, head + mask + apply_mask(data, mask))
        else:
            self._write(head + mask + apply_mask(data, mask))
        return True

    def ping_every(self, seconds: float) -> None:
        """Ping until the connection ends; a pong that is not there by the next ping ends it as lost."""
        if self._phase is _OPEN:
            self._pinger = Pinger(self, seconds, monotonic())

    def leave_pings(self, on_ping: Callable[[], bool]) -> None:
        """Answer no ping of the CSMS; `on_ping` hears of each, and returns whether the connection ends at it."""
        self._on_ping = on_ping

    def send_ping(self, payload: bytes) -> None:
        """Write a ping of at most 125 bytes."""
        if self._phase is _OPEN:
            self._engine.turn.write()
            mask = getrandbits(32).to_bytes(4, "little")
            self._write(bytes((0x89, 0x80 | len(payload))) + mask + apply_mask(payload, mask))

    # -- ending ------------------------------------------------------------------------------------------------------

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close politely; `on_closed` follows, at the latest after the close time-out."""
        if self._phase is _OPEN:
            self._engine.turn.write()
            protocol = self._protocol or self._make_protocol()
            if protocol.state is State.OPEN:
                protocol.send_close(code, reason)
                for data in protocol.data_to_send():
                    self._write(data)
            self._await_end(code, reason, How.LOCAL)
        elif self._phase is not _CLOSING:
            self.abort()

    def _release(self) -> None:
        self._engine.turn.write()
        if self._pinger is not None:
            self._pinger.cancel()
            self._pinger = None
        self._drop_protocol()
        self._upgrade = None
        self._inbox = None
        self._partial = None

    def _drop_protocol(self) -> None:
        if self._protocol is not None:
            # Its parser is a generator that holds the protocol itself; closed, both go now and not at a collection.
            self._protocol.parser.close()
            self._protocol = None


def _long_header(data: bytes, position: int) -> tuple[int, int]:
    """Return where the payload of a frame starts and its length, where the second byte does not tell it.

    A header that is not whole yet counts as one that ends behind the data.
    """
    start = position + 2
    length = data[position + 1] & 0x7F
    if length >= 126:  # noqa: PLR2004 - RFC 6455 §5.2
        width = 2 if length == 126 else 8  # noqa: PLR2004
        length = int.from_bytes(data[start : start + width])
        if len(data) < start + width:
            length = 0
        start += width
    # A server must not mask; where one does, the key belongs to the frame that is handed on.
    return start + 4 * (data[position + 1] >> 7), length
