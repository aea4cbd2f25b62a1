"""A harness that writes down what its station says and hears, so that the trace check can judge it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis import TraceReport, check_traces
from loadtest.transport.contract import How
from ocppj.trace import Kind, TraceRecord, encode_record
from tests.loadtest.fleet_harness import FleetHarness, HarnessSocket

__all__ = ["TracedFleet"]


class TracedFleet(FleetHarness):
    """One station, its CSMS, and everything between the two."""

    records: list[TraceRecord]

    def check(self, folder: Path) -> TraceReport:
        """Judge what was said until now."""
        path = folder / "load-1.jsonl"
        path.write_bytes(b"".join(encode_record(record) + b"\n" for record in self.records))
        return check_traces([path], call_timeout=self.context.call_timeout)

    def note(self, kind: Kind, connection: int, text: str | None = None, **info: Any) -> None:
        record = TraceRecord(t=self.now, station="PS1", connection=connection, kind=kind, text=text, info=info)
        self.__dict__.setdefault("records", []).append(record)

    def take(self, socket: HarnessSocket, text: str) -> None:
        self.note(Kind.SENT, socket.number, text)
        super().take(socket, text)

    def hear(self, data: str | bytes) -> None:
        assert isinstance(data, str)
        self.note(Kind.RECEIVED, self.sockets[-1].number, data)
        super().hear(data)

    def lose(self, how: How = How.LOST, *, refuse_with: str | None = None) -> None:
        self.note(Kind.CLOSED, self.sockets[-1].number, by="csms")
        super().lose(how, refuse_with=refuse_with)

    def _say(self, socket: HarnessSocket, text: str) -> None:
        if socket.open:
            self.note(Kind.RECEIVED, socket.number, text)
        super()._say(socket, text)

    def _make_socket(self, _engine: Any, _target: Any, station: Any, _source: str | None) -> Any:
        self.sockets.append(_TracedSocket(self, station))
        return self.sockets[-1]


class _TracedSocket(HarnessSocket):
    harness: TracedFleet

    def _answer_upgrade(self) -> None:
        if self.closed_with is None and self.harness.refuse_with is None:
            assert self.request is not None
            self.harness.note(Kind.HANDSHAKE, self.number, status=101, subprotocol=self.request[1])
        super()._answer_upgrade()

    def close(self, code: int = 1000, reason: str = "") -> None:
        if self.open:
            self.harness.note(Kind.CLOSED, self.number, code=code, by="station")
        super().close(code, reason)

    def abort(self) -> None:
        if self.open:
            self.harness.note(Kind.CLOSED, self.number, code=1006, by="station")
        super().abort()
