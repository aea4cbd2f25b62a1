"""Periodic event streams of 2.1: opened for a monitor, sent as SEND, adjusted, listed and closed (N11-N15)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from fixtures.payloads.v21 import close_periodic_event_stream, notify_periodic_event_stream, open_periodic_event_stream
from loadtest.station.commands.common import Reaction, Request
from loadtest.station.contract import Controls, Host, State
from loadtest.station.dialect.contract import OnEnd, Payload
from loadtest.station.state.store import need, peek
from loadtest.timing.timers import Timer

__all__ = ["EventStreams", "adjust_periodic_event_stream", "get_periodic_event_stream"]

_MOST_KEPT: Final = 1_000
"""Values that one stream keeps while nobody hears it; the oldest go first."""


class _Stream:
    """The values of one monitor that were not sent yet."""

    __slots__ = ("is_open", "monitor_id", "ordered", "params", "stream_id", "timer", "values")

    def __init__(self, stream_id: int, monitor_id: int, params: Request) -> None:
        """Begin without a value; `params` as the CSMS gave them."""
        self.stream_id = stream_id
        self.monitor_id = monitor_id
        self.ordered = self.params = params
        self.is_open = False
        self.values: list[tuple[float, str]] = []
        self.timer: Timer | None = None


class EventStreams(State):
    """The streams of one station; ids are never used twice."""

    __slots__ = ("_by_monitor", "_last_id")

    def __init__(self, station: Host) -> None:
        """Start with none."""
        super().__init__(station)
        self._by_monitor: dict[int, _Stream] = {}
        self._last_id = 0

    def follow(self, wanted: Mapping[int, Request]) -> None:
        """Have one stream for each of these monitors, by its parameters, and no other.

        The CSMS is asked to take each; without its yes, the values are told as events.
        """
        for monitor_id, stream in list(self._by_monitor.items()):
            if wanted.get(monitor_id) is not stream.ordered:
                self._end(stream)
        for monitor_id, params in wanted.items():
            if monitor_id not in self._by_monitor:
                self._last_id += 1
                stream = self._by_monitor[monitor_id] = _Stream(self._last_id, monitor_id, params)
                self._open(stream)

    def take(self, monitor_id: int, when: float, value: str) -> bool:
        """Keep a value for the next SEND; return False when no stream is open for the monitor."""
        stream = self._by_monitor.get(monitor_id)
        if stream is None or not stream.is_open:
            return False
        stream.values.append((when, value))
        del stream.values[:-_MOST_KEPT]
        if 0 < stream.params.get("values", 0) <= len(stream.values):
            self._flush(stream)
        return True

    def adjust(self, stream: _Stream, params: Request) -> None:
        """Go by other parameters from now on."""
        stream.params = params
        self._forget(stream)
        self._wait(stream, self.station.context.clock())

    def find(self, stream_id: int) -> _Stream | None:
        """Return the stream with an id."""
        return next((stream for stream in self._by_monitor.values() if stream.stream_id == stream_id), None)

    def shown(self) -> list[Payload]:
        """List the open streams as ConstantStreamDataType."""
        return [
            {"id": stream.stream_id, "variableMonitoringId": stream.monitor_id, "params": stream.params}
            for stream in self._by_monitor.values()
            if stream.is_open
        ]

    def back(self, now: float, *, booted: bool) -> None:  # noqa: ARG002 - opened whenever that is
        """Open the streams anew after a boot: the CSMS may have forgotten them."""
        if booted:
            for stream in self._by_monitor.values():
                stream.is_open = False
                self._forget(stream)
                self._open(stream)

    def close(self) -> None:
        """Send nothing any more."""
        for stream in self._by_monitor.values():
            self._forget(stream)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _end(self, stream: _Stream) -> None:
        self._flush(stream)
        self._forget(stream)
        del self._by_monitor[stream.monitor_id]
        if stream.is_open:
            payload = close_periodic_event_stream(stream.stream_id)
            self.station.call("ClosePeriodicEventStream", payload, self.station.context.clock())

    def _open(self, stream: _Stream) -> None:
        payload = open_periodic_event_stream(stream.stream_id, stream.monitor_id, **stream.params)
        opened: OnEnd = partial(self._opened, stream)
        self.station.call("OpenPeriodicEventStream", payload, self.station.context.clock(), opened)

    def _opened(self, stream: _Stream, payload: Payload | None, _: str) -> None:
        if self._by_monitor.get(stream.monitor_id) is stream and (payload or {}).get("status") == "Accepted":
            stream.is_open = True
            self._wait(stream, self.station.context.clock())

    def _wait(self, stream: _Stream, now: float) -> None:
        interval = stream.params.get("interval", 0)
        if interval > 0:
            stream.timer = self.station.context.timers.at(now + interval, partial(self._due, stream), self.station)

    def _due(self, stream: _Stream, when: float) -> None:
        self._wait(stream, when)
        self._flush(stream)

    def _flush(self, stream: _Stream) -> None:
        """Send what there is; what nobody hears now is kept."""
        if not stream.values:
            return
        began = stream.values[0][0]
        values = [(round(at - began, 3), value) for at, value in stream.values]
        payload = notify_periodic_event_stream(stream.stream_id, self.station.context.timestamp(began), values)
        if self.station.send("NotifyPeriodicEventStream", payload):
            stream.values = []

    def _forget(self, stream: _Stream) -> None:
        self.station.context.timers.cancel(stream.timer)
        stream.timer = None


def adjust_periodic_event_stream(station: Controls, request: Request, _: Request) -> Reaction:
    """Send a stream by other parameters (N12)."""
    kept = peek(station, EventStreams)
    stream = kept.find(request["id"]) if kept is not None else None
    if kept is None or stream is None:
        return Reaction("Rejected")
    return Reaction(then=partial(kept.adjust, stream, request["params"]))


def get_periodic_event_stream(station: Controls, _: Request, answer: Request) -> Reaction:
    """List the open streams (N13)."""
    shown = need(station, EventStreams).shown() if peek(station, EventStreams) is not None else []
    if shown:
        answer["constantStreamData"] = shown
    else:
        answer.pop("constantStreamData", None)
    return Reaction()
