"""What takes part in a load run beside the measuring: storms, the ledger, commands through a driver.

A plugin lives where the run is led (`loadtest.cluster.master`). It hears the notes that stations leave in their
recorder, each exactly once, gives orders to the processes with stations, and adds its findings to `run.json` and to the
SLOs.

    recorder.note("kind", value, …)               # in a process with stations; values are types that msgpack knows
    worker.on_order("kind", callback)             # there, too: callback(order) for every `RunAccess.order` of that kind
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["QUANTITIES", "Conclusion", "Note", "Plugin", "RunAccess"]

Note = list[Any]
"""A kind and its values."""

QUANTITIES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "command": {
            **{
                f"{clock}-{statistic}": "time"
                for clock in ("service", "response", "reach", "started", "effect")
                for statistic in ("p50", "p90", "p95", "p99", "p99.9", "max")
            },
            **dict.fromkeys(
                (
                    "failed",
                    "accepted",
                    "rejected",
                    "api-error",
                    "api-timeout",
                    "never-sent",
                    "never-seen",
                    "wrong-station",
                    "wrong-token",
                    "no-effect",
                ),
                "amount",
            ),
        },
        "storm": MappingProxyType(
            {
                "recovery-p50": "time",
                "recovery-p95": "time",
                "recovery-p999": "time",
                "unrecovered": "amount",
                "lost-messages": "count",
                "queued-messages": "count",
                "failed-upgrades": "count",
                "peak-connects": "rate",
                "metastable": "count",
            }
        ),
        "ledger": MappingProxyType(
            dict.fromkeys(
                (
                    "lost",
                    "duplicated",
                    "crossed",
                    "wrong-id",
                    "wrong-energy",
                    "wrong-time",
                    "phantom",
                    "unanswered",
                    "refused",
                    "open",
                    "ambiguous",
                ),
                "amount",
            )
        ),
        "kpi": MappingProxyType(
            {
                "charging-success": "share",
                "authorize-to-start-p50": "time",
                "authorize-to-start-p95": "time",
                "authorize-to-start-p99": "time",
                "remote-start-success": "share",
            }
        ),
    }
)
"""What objectives can be about: the word of a plugin, its quantities, and the kind of their unit
(`loadtest.judging.slo_expression`): time (base ms), amount (a number, or a share with %), count, rate, share."""


class RunAccess(msgspec.Struct, kw_only=True):
    """What a plugin may use of the run that it takes part in."""

    order: Callable[[dict[str, Any]], None]
    """Give every process with stations an order, a dict with a `kind`; one that joins later hears no old orders."""
    folder: Path
    """The run folder."""
    url: str
    stations: int
    """How many were asked for; 0 when Locust's user count decides."""
    clock: Callable[[], float]
    """Seconds since the start of the run."""
    identity: Callable[[int], str] = str
    """Name the station of a number."""
    target: Callable[[], int] = lambda: 0
    """How many stations are asked for at the moment."""
    ask: Callable[[str, dict[str, Any]], bool] = lambda _, __: False
    """Ask the other plugins for something of a kind; whether one of them has taken it (`Plugin.asked`)."""
    complete: Callable[[], bool] = lambda: True
    """Whether every note has come in, as far as is known; asked when the run is over."""


class Conclusion(msgspec.Struct, kw_only=True):
    """What a plugin has found."""

    fields: dict[str, Any] = {}
    """Fields of `LoadRun` and their content."""
    quantities: dict[str, tuple[float | None, float | None]] = {}
    """By the names of `QUANTITIES`: a number, and the whole that it is a share of; None where nothing was measured."""
    invalid: list[str] = []
    """Reasons for which the run cannot be believed."""
    lines: list[str] = []
    """What the display of the run shows."""


class Plugin(Protocol):
    """Takes part in one run after another; every method returns at once, except `conclude`.

    One that does something for others has a method `asked(kind, request)` as well, which returns whether it has taken
    the request; one that wants what every process records has `delta(delta)`, which hears each `Delta` once.
    """

    name: str
    """Its word in objectives; one of `QUANTITIES` where it has any."""
    kinds: frozenset[str]
    """The kinds of notes that it wants."""

    def begin(self, access: RunAccess) -> None:
        """Begin a run; forget the one before."""

    def note(self, worker: str, note: Note) -> None:
        """Hear a note of a station."""

    def beat(self, elapsed: float, window: str) -> None:
        """Do what is due; called about once a second, `elapsed` seconds after the start."""

    def stopping(self) -> None:
        """Note that the run ends: stations finish what they have begun, and give no new orders."""

    def standing(self) -> Conclusion:
        """Tell how things stand while the run goes on, for the display and for objectives that end it."""

    def conclude(self) -> Conclusion:
        """Conclude, once the last figures of every process are in; may take some seconds."""
