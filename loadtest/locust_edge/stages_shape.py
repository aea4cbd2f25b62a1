"""Stages as Locust's load shape.

The module imports Locust, which monkey-patches the process.
"""

from __future__ import annotations

from collections.abc import Sequence

from locust import LoadTestShape

from loadtest.workload.stages import Stage, stations_at

__all__ = ["StagesShape"]

_AT_ONCE = 1000.0
"""Stations a second that a step of the shape may start or end; how fast a ramp is follows from its steps."""


class StagesShape(LoadTestShape):
    """Tells Locust each second how many stations there are to be."""

    # Users, spawn rate and run time of the command line follow from the stages already.
    use_common_options = True

    def __init__(self, stages: Sequence[Stage]) -> None:
        """Take the stages of a run."""
        super().__init__()  # type: ignore[no-untyped-call]  # Locust has no types there
        self._stages = stages

    def tick(self) -> tuple[int, float] | None:
        """Return the number of stations, and how fast Locust may get there; None ends the run."""
        number = stations_at(self._stages, self.get_run_time())  # type: ignore[no-untyped-call]
        return None if number is None else (number, _AT_ONCE)
