"""The table of all metrics; `docs/metrics.md` is made from it, and nothing that is not in it is exported.

Names, units and labels follow the conventions of Prometheus. No label holds the identity of a station, and each label
has a bounded number of values (`loadtest.plugins.metrics.totals`).
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec

__all__ = ["BOUNDS", "FAMILIES", "Distribution", "Family", "Point", "Sample"]

_MS: Final = (0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750)
_S: Final = (1, 1.5, 2, 3, 5, 7.5, 10, 15, 20, 30, 60)
BOUNDS: Final = (*(bound / 1000 for bound in _MS), *map(float, _S))
"""Upper bounds of the buckets in seconds; one without a bound follows."""


class Family(NamedTuple):
    """One metric."""

    name: str
    """As Prometheus shows it, with the unit and, of a counter, `_total`."""
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    says: str
    """A sentence for people."""
    unit: str = ""
    """For OpenTelemetry; the name says it for Prometheus."""


class Distribution(msgspec.Struct):
    """Values by bucket: those up to each of `BOUNDS`, each once, and those above."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    sum: float = 0.0
    """Seconds."""

    @property
    def count(self) -> int:
        """How many values there are."""
        return sum(self.counts)


class Point(NamedTuple):
    """The value of one series."""

    labels: tuple[str, ...]
    """In the order of the family's."""
    value: float | Distribution


class Sample(NamedTuple):
    """All series of one metric at one moment."""

    family: Family
    points: list[Point]


_CALL: Final = ("action", "version", "direction", "outcome")

RUN: Final = Family(
    "plugstorm_run_info", "gauge", ("run", "target", "ocpp"), "1 while the run goes on; its labels say which run it is."
)
WINDOW: Final = Family(
    "plugstorm_window",
    "gauge",
    ("window",),
    "1 for the window of the run that goes on: ramp, warm-up, measure, cool-down.",
)
ELAPSED: Final = Family("plugstorm_elapsed_seconds", "gauge", (), "Time since the start of the run.", "s")
WANTED: Final = Family("plugstorm_stations_wanted", "gauge", (), "Stations that were asked for.")
CONNECTED: Final = Family("plugstorm_stations_connected", "gauge", (), "Stations whose WebSocket connection is up.")
BOOTED: Final = Family("plugstorm_stations_booted", "gauge", (), "Stations that the CSMS has accepted.")
CHARGING: Final = Family("plugstorm_stations_charging", "gauge", (), "Stations with a transaction.")
CONNECTS: Final = Family(
    "plugstorm_connects_total", "counter", ("outcome",), "Connection attempts by how they ended; opened is a success."
)
LOST: Final = Family(
    "plugstorm_connections_lost_total", "counter", ("how",), "Connections that ended against the will of the station."
)
CALLS: Final = Family("plugstorm_calls_total", "counter", _CALL, "CALLs that ended, by how they ended.")
OFFERED: Final = Family(
    "plugstorm_calls_offered_total", "counter", (), "CALLs that fell due in the stations' schedules."
)
WAITING: Final = Family("plugstorm_calls_waiting", "gauge", (), "CALLs of the stations that have no answer yet.")
SERVICE: Final = Family(
    "plugstorm_call_service_seconds", "histogram", _CALL, "From the frame written to the answer read.", "s"
)
RESPONSE: Final = Family(
    "plugstorm_call_response_seconds",
    "histogram",
    _CALL,
    "From the time that the station's schedule intended to the answer read, so that waiting counts.",
    "s",
)
FAULTS: Final = Family(
    "plugstorm_faults_total", "counter", ("kind",), "Frames of the CSMS that were no proper answer, and other faults."
)
INJECTED: Final = Family(
    "plugstorm_injected_total", "counter", ("kind",), "What the run itself did to frames and connections on purpose."
)
STORMS: Final = Family("plugstorm_storms_total", "counter", ("storm",), "Storms that have begun.")
STORMING: Final = Family(
    "plugstorm_storm_active", "gauge", ("storm",), "Storms under way, until their recovery has been judged."
)
STRUCK: Final = Family(
    "plugstorm_storm_stations_struck", "gauge", ("storm",), "Stations that the latest storm of this kind has hit."
)
BACK: Final = Family("plugstorm_storm_stations_back", "gauge", ("storm",), "Those of them that have come through it.")
COMMANDS: Final = Family(
    "plugstorm_commands_total",
    "counter",
    ("command", "version", "outcome"),
    "Commands that the run made the CSMS send, by what became of them.",
)
WORKERS: Final = Family("plugstorm_workers", "gauge", (), "Processes with stations that have not ended.")
VERDICT: Final = Family(
    "plugstorm_generator_verdict",
    "gauge",
    ("verdict",),
    "1 for the verdict of the load generator on itself so far: VALID, DEGRADED or INVALID.",
)
WORKER_STATIONS: Final = Family(
    "plugstorm_worker_stations", "gauge", ("worker",), "Connections of one process that are up."
)
WORKER_CPU: Final = Family(
    "plugstorm_worker_cpu_seconds_total", "counter", ("worker",), "Processor time of one process.", "s"
)
WORKER_LAG: Final = Family(
    "plugstorm_worker_lag_seconds", "histogram", ("worker",), "How late the timers of one process ran.", "s"
)
WORKER_MEMORY: Final = Family(
    "plugstorm_worker_memory_peak_bytes", "gauge", ("worker",), "Memory of one process, the most so far.", "By"
)
WORKER_FILES: Final = Family(
    "plugstorm_worker_open_files_ratio", "gauge", ("worker",), "Open files of one process, of those allowed.", "1"
)
WORKER_MISSED: Final = Family(
    "plugstorm_worker_reports_missed", "gauge", ("worker",), "Reports of one process that have not come."
)

FAMILIES: Final = (
    RUN, WINDOW, ELAPSED, WANTED, CONNECTED, BOOTED, CHARGING, CONNECTS, LOST, CALLS, OFFERED, WAITING, SERVICE,
    RESPONSE, FAULTS, INJECTED, STORMS, STORMING, STRUCK, BACK, COMMANDS, WORKERS, VERDICT, WORKER_STATIONS, WORKER_CPU,
    WORKER_LAG, WORKER_MEMORY, WORKER_FILES, WORKER_MISSED,
)  # fmt: skip
