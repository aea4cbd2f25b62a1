"""A server whose every connection runs a script: right, wrong or silent, byte by byte."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

__all__ = ["Peer", "ScriptedServer"]


class Peer:
    """The server's side of one connection; methods block, and raise `EOFError` when the client is gone."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.request: Request | None = None
        self._protocol = ServerProtocol()
        self._frames: list[Frame] = []

    def upgrade(self, *, subprotocol: str | None = "ask") -> None:
        """Answer 101, with the first subprotocol that the client offers unless another one (or None) is named."""
        event = self._next_event()
        assert isinstance(event, Request)
        self.request = event
        response = self._protocol.accept(event)
        if subprotocol == "ask":
            subprotocol = event.headers["Sec-WebSocket-Protocol"].split(",")[0].strip()
        if subprotocol is not None:
            response.headers["Sec-WebSocket-Protocol"] = subprotocol
        self._protocol.send_response(response)
        self.flush()

    def text(self) -> str:
        """Wait for a text message; pings and closing handshakes are answered meanwhile."""
        while True:
            event = self._next_event()
            if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                return bytes(event.data).decode()

    def next_frame(self) -> Frame:
        """Wait for any frame."""
        event = self._next_event()
        assert isinstance(event, Frame)
        return event

    def say(self, text: str) -> None:
        """Send a text frame."""
        self._protocol.send_text(text.encode())
        self.flush()

    def frame(self, opcode: Opcode, data: bytes, *, fin: bool = True) -> None:
        """Send any frame."""
        self.raw(Frame(opcode, data, fin).serialize(mask=False))

    def raw(self, data: bytes) -> None:
        """Send any bytes."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(data)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Send a Close frame."""
        self._protocol.send_close(code, reason)
        self.flush()

    def until_end(self) -> bytes:
        """Read until the client ends the connection; return the raw bytes."""
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while part := self.sock.recv(65536):
                data += part
        return data

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self.raw(data)

    def _next_event(self) -> Request | Frame:
        while not self._frames:
            data = self.sock.recv(65536)
            if not data or self._protocol.state is State.CLOSED:
                raise EOFError
            self._protocol.receive_data(data)
            self.flush()
            self._frames = self._protocol.events_received()  # type: ignore[assignment]  # a server gets no Response
        return self._frames.pop(0)


class ScriptedServer:
    """Listens on a loopback port and runs the script for each connection in a thread; use it as a context manager."""

    def __init__(self, script: Callable[[Peer], object], *, context: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'ws' if context is None else 'wss'}://127.0.0.1:{self.port}/ocpp"
        self.peers: list[Peer] = []
        self.errors: list[BaseException] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        # shutdown wakes the thread that waits in accept, where close alone would not
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self.peers:
            with contextlib.suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for peer in self.peers:
            peer.sock.close()
        if kind is None and self.errors:
            raise self.errors[0]

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
            peer = Peer(sock)
            self.peers.append(peer)
            self._script(peer)
        except (EOFError, OSError):
            pass  # the client left, which is for the test to judge
        except BaseException as error:  # noqa: BLE001 - raised again at the end of the test
            self.errors.append(error)
        finally:
            sock.close()
