"""Stations around a real practice CSMS, without a network and without waiting: one clock for both sides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from types import SimpleNamespace
from typing import Any

import msgspec

from fixtures.csms.conversation import Conversation
from fixtures.csms.options import Mode, Options
from fixtures.csms.practice_csms import PracticeCsms
from fixtures.csms.world import World
from loadtest.measuring.recorder import Recorder
from loadtest.measuring.session_row import Row, row_of
from loadtest.plugins.ledger.reconcile import Findings, RunPeriod, reconcile
from loadtest.station import Context, Station
from loadtest.timing.backoff import Backoff
from loadtest.timing.timers import TimerQueue
from loadtest.transport.contract import Handshake, How
from loadtest.transport.target import Target
from loadtest.workload.identities import Identities
from loadtest.workload.profile import Profile, Sessions
from ocppj.versions import Version

SHORT = Profile(
    name="short",
    title="short charging sessions",
    models={"ac-dual": 1.0},
    meter=5.0,
    sessions=Sessions(duration=(12.0, 30.0), gap=(2.0, 8.0), unplug=0.5),
)
WALL = 1_700_000_000.0


class _Clock:
    """The clock of the CSMS: the one that the stations have, as well."""

    def __init__(self, simulated: SimulatedCsms) -> None:
        self._simulated = simulated

    def wall(self) -> float:
        return WALL + self._simulated.now - 1000.0

    def monotonic(self) -> float:
        return self._simulated.now

    def call_at(self, when: float, callback: Callable[..., object], *words: Any) -> Any:
        timer = self._simulated.timers.at(when, lambda _: callback(*words))
        return SimpleNamespace(cancel=lambda: self._simulated.timers.cancel(timer))

    def call_later(self, delay: float, callback: Callable[..., object], *words: Any) -> Any:
        return self.call_at(self._simulated.now + delay, callback, *words)

    def call_soon(self, callback: Callable[..., object], *words: Any) -> Any:
        return self.call_at(self._simulated.now, callback, *words)


class Wire:
    """Both ends of one connection: the socket of the station, the link of the CSMS."""

    def __init__(self, simulated: SimulatedCsms, station: Station) -> None:
        self.simulated = simulated
        self.station = station
        self.open = False
        self.dead = False
        self.conversation: Conversation | None = None
        self._last = 0.0

    # -- the station's side ------------------------------------------------------------------------------------------

    def connect(self, _url: str, subprotocol: str, _headers: Mapping[str, str]) -> None:
        self.simulated.soon(lambda: self._upgrade(subprotocol))

    def _upgrade(self, subprotocol: str) -> None:
        if self.dead:
            return
        if self.simulated.closed:
            self.station.on_failed("refused", "the simulated CSMS is closed")
            return
        self.open = True
        link: Any = self
        self.conversation = self.simulated.csms.open(self.station.lease.identity, self.station.dialect.rules, link)
        self.station.on_open(Handshake(subprotocol, 0.0, 0.0))

    def send_text(self, text: str, *, fragmented: bool | None = None) -> bool:
        # Frames keep their order.
        self._last = max(self._last, self.simulated.delivery())
        if fragmented is None:
            self.simulated.timers.at(self._last, lambda _: self._arrives(text))
        else:
            self.simulated.timers.at(self._last, lambda _: self._hears(text))
        return self.open

    def _hears(self, text: str) -> None:
        if self.open:
            self.station.on_text(text, self.simulated.now)

    def _arrives(self, text: str) -> None:
        if self.open and self.conversation is not None and not self.simulated.is_deaf():
            self.conversation.received(text)

    def close(self, code: int = 1000, reason: str = "") -> None:
        was_open, self.open, self.dead = self.open, False, True
        self._end()
        if was_open:
            self.simulated.soon(lambda: self.station.on_closed(code, reason, How.LOCAL))

    def abort(self) -> None:
        self.open, self.dead = False, True
        self._end()

    def cut(self) -> None:
        """Lose what is on its way, in both directions."""
        if self.open:
            self.open = False
            self._end()
            self.station.on_closed(1006, "", How.LOST)

    def _end(self) -> None:
        if self.conversation is not None:
            self.conversation.lost()


class SimulatedCsms:
    """Stations, the CSMS, and whatever happens between them."""

    def __init__(
        self,
        version: Version = Version.V16,
        *,
        mode: Mode = Mode.STRICT,
        defects: tuple[str, ...] = (),
        stations: int = 30,
        profile: Profile = SHORT,
        latency: float = 0.02,
        seed: int = 7,
        start: float = 0.0,
        csms: PracticeCsms | None = None,
    ) -> None:
        self.now = self.began = 1000.0 + start
        self.timers = TimerQueue()
        self.random = Random(seed)
        self.latency = latency
        self.closed = False
        self.deaf_share = 0.0
        """Share of the frames of stations that the CSMS never reads."""
        self.csms = csms or PracticeCsms(World(Options(mode=mode, defects=defects)))
        self.csms.world.clock = _Clock(self)
        self.recorder = Recorder(clock=lambda: self.now, wall=WALL + start)
        self.wires: dict[str, Wire] = {}
        context = Context(
            engine=SimpleNamespace(timers=self.timers),  # type: ignore[arg-type]  # all that stations need of it
            target=Target("ws://csms.example/ocpp"),
            recorder=self.recorder,
            profile=profile,
            clock=lambda: self.now,
            wall=lambda: WALL + start,
            make_socket=self._make_wire,
            backoff=Backoff("fixed", 2.0, 3.0, 0),
            call_timeout=10.0,
            seed=seed,
        )
        self.stations = [Station(context, version, Identities().lease(1 + n)) for n in range(stations)]
        for station in self.stations:
            self.soon(station.start)

    def _make_wire(self, _engine: Any, _target: Any, station: Any, _source: str | None) -> Any:
        wire = self.wires[station.lease.identity] = Wire(self, station)
        return wire

    def is_deaf(self) -> bool:
        return self.deaf_share > 0 and self.random.random() < self.deaf_share

    def delivery(self) -> float:
        """Draw when something arrives that leaves now."""
        return self.now + self.latency * (0.5 + self.random.random())

    def soon(self, action: Callable[[], object]) -> None:
        self.timers.at(self.delivery(), lambda _: action())

    def run(self, seconds: float) -> SimulatedCsms:
        until = self.now + seconds
        while (when := self.timers.next_at) is not None and when <= until:
            self.now = max(self.now, when)
            self.timers.run_due(self.now)
        self.now = until
        return self

    def stop(self, patience: float = 5.0) -> SimulatedCsms:
        """End the run as Locust does: in order, and for the rest at once."""
        for station in self.stations:
            station.stop(lambda: None, patience)
        self.run(patience + 1.0)
        for station in self.stations:
            station.abort()
        return self.run(1.0)

    # -- what the ledger sees ----------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        return [row_of(note) for note in self.recorder.take(final=True)["notes"]]

    def records(self) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = msgspec.json.decode(msgspec.json.encode(self.csms.world.transactions.list()))
        return records

    @property
    def span(self) -> RunPeriod:
        return RunPeriod(WALL + self.began - 1000.0, WALL + self.now - 1000.0)

    def reconcile(self) -> Findings:
        return reconcile(self.rows(), self.records(), self.span, keeps=1000)
