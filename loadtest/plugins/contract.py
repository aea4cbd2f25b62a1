"""What takes part in a load run beside the measuring: storms, the ledger, commands through a driver.

A plugin lives where the run is led (`loadtest.cluster.master`). It hears the notes that stations leave in their
recorder, each exactly once, gives orders to the processes with stations, and adds its findings to `run.json` and to the
SLOs.

    recorder.note("kind", value, …)               # in a process with stations; values are types that msgpack knows
    worker.on_order("kind", callback)             # there, too: callback(order) for every `RunAccess.order` of that kind
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Final

import msgspec

from loadtest.judging.moment import Moment
from loadtest.judging.quantities import Values
from loadtest.measuring.recorder import Delta

__all__ = ["REMOTE_START", "Conclusion", "Note", "Plugin", "RunAccess"]

Note = list[Any]
"""A kind and its values."""

REMOTE_START: Final = "remote-start"
"""What is asked of the plugin that commands the CSMS (`RunAccess.ask`): `stations`, pairs of a number and a delay."""


class RunAccess(msgspec.Struct, kw_only=True):
    """What a plugin may use of the run that it takes part in."""

    order: Callable[[dict[str, Any]], None]
    """Give every process with stations an order, a dict with a `kind`; one that joins later hears no old orders."""
    folder: Path
    """The run folder."""
    url: str
    stations: int
    """How many were asked for; 0 when Locust's user count decides."""
    started: float
    """When the run began, in seconds since 1970."""
    clock: Callable[[], float]
    """Seconds since then, which no change of the wall clock moves."""
    identity: Callable[[int], str] = str
    """Name the station of a number."""
    target: Callable[[], int] = lambda: 0
    """How many stations are asked for at the moment."""
    ask: Callable[[str, dict[str, Any]], bool] = lambda _, __: False
    """Ask the other plugins for something of a kind; whether one of them has taken it (`Plugin.asked`)."""
    complete: Callable[[], bool] = lambda: True
    """Whether every note has come in, as far as is known; asked when the run is over."""
    lag_ms: Callable[[], float] = lambda: 0.0
    """How late the load generator itself was in the measurement so far, p99 in ms."""
    moment: Callable[[], Moment] = Moment
    """Return what the run is like now."""
    warn: Callable[[str], None] = lambda _: None
    """Say a sentence that stays: on the terminal, in the log and in `run.json`."""


class Conclusion(msgspec.Struct, kw_only=True):
    """What a plugin has found."""

    fields: dict[str, Any] = {}
    """Fields of `LoadRun` and their content."""
    quantities: Values = {}
    """By the names that it has in `loadtest.plugins.quantities`."""
    invalid: list[str] = []
    """Reasons for which the run cannot be believed."""
    lines: list[str] = []
    """What the display of the run shows."""


class Plugin:
    """Takes part in one run after another; every method returns at once, except `conclude`.

    A plugin defines the methods that it has a use for; the others do nothing.
    """

    name: ClassVar[str]
    """Its word in objectives."""
    kinds: ClassVar[frozenset[str]] = frozenset()
    """The kinds of notes that it wants."""

    def begin(self, access: RunAccess) -> None:
        """Begin a run; forget the one before."""

    def note(self, worker: str, note: Note) -> None:
        """Take a note of a station."""

    def delta(self, delta: Delta) -> None:
        """Take what a process recorded; each once."""

    def beat(self, elapsed: float, window: str) -> None:
        """Do what is due; called about once a second, `elapsed` seconds after the start."""

    def asked(self, kind: str, request: dict[str, Any]) -> bool:
        """Do something for another plugin; return whether it was taken."""
        del kind, request
        return False

    def stopping(self) -> None:
        """Note that the run ends: stations finish what they have begun, and give no new orders."""

    @property
    def keeps_stations_away(self) -> bool:
        """Whether it is its doing that stations are not connected."""
        return False

    def standing(self) -> Conclusion:
        """Return the current state, for the display and for objectives that end the run."""
        return Conclusion()

    def conclude(self) -> Conclusion:
        """Conclude, once the last figures of every process are in; may take some seconds."""
        return Conclusion()
