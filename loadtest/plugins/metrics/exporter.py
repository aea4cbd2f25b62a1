"""What an exporter of metrics is: a way out of the process that may fail, and never disturbs the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from loadtest.plugins.metrics.families import Sample

__all__ = ["Exporter", "NotSent", "Picture", "aside"]

_T = TypeVar("_T")

Picture = Callable[[], Sequence[Sample]]
"""Makes all metrics of the moment."""


class NotSent(Exception):  # noqa: N818 - what has happened, not an error of ours
    """The metrics did not arrive, and why."""


class Exporter(Protocol):
    """One way out; made once for a run."""

    kind: str
    """How people call it."""
    to: str
    """Where it goes, without secrets."""
    every: float | None
    """Seconds between two sendings; None where others come and fetch."""

    def begin(self, picture: Picture, labels: Mapping[str, str], started: float) -> None:
        """Begin a run that started `started` seconds after 1970; every series gets these labels, too."""

    def pack(self, samples: Sequence[Sample], at: float) -> Any:
        """Write the metrics of a moment in seconds since 1970 as they are sent; called in a thread of its own."""

    def send(self, packed: Any) -> None:
        """Send what `pack` wrote; raises `NotSent`. May wait, but only for the network."""

    @property
    def served(self) -> int:
        """How often others came and fetched in this run."""


def aside(job: Callable[[], _T]) -> _T:
    """Do work of many milliseconds in a thread, so that the stations of this process are served in between.

    The job touches nothing that others change.
    """
    import gevent  # noqa: PLC0415 - `plugstorm` makes plugins too, and has no event loop

    found: _T = gevent.get_hub().threadpool.apply(job)
    return found
