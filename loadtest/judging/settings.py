"""What measuring a load run needs to know of what was asked for; the command line and Locust's options fill it in."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from loadtest.judging.slo import Threshold
from loadtest.judging.slo_built_in import BuiltIn
from loadtest.workload.identities import Identities

__all__ = ["FENCE_AFTER", "QUARANTINE", "Settings"]

FENCE_AFTER: Final = 30.0
"""Seconds without the master after which a worker closes its stations."""
QUARANTINE: Final = 75.0
"""Seconds of a worker's silence after which its identities may go to others."""


class Settings(msgspec.Struct, kw_only=True):
    """The settings of a load run; times in seconds."""

    url: str
    ocpp: list[str]
    stations: int = 0
    """How many were asked for; 0 lets Locust's user count decide."""
    duration: float | None = None
    """Of the whole run, ramp included; None runs until it is stopped."""
    stages: list[tuple[str, float]] = []
    """What each stage is called, and how many seconds it lasts; empty where the number of stations does not change."""
    warm_up: float | None = None
    """Between the ramp and the measurement; None takes a tenth of the duration, at most 10 s."""
    cool_down: float = 0.0
    """The last part of the duration, which is not judged."""
    seed: int | None = None
    out: str | None = None
    """Folder of the run; None makes `runs/<UTC time>-load`."""
    identities: Identities = msgspec.field(default_factory=Identities)
    source_addresses: int = 1
    """From how many local addresses the stations connect; each has its own ports."""
    shared_connections: int | None = None
    """How many connections the stations of a worker share; None where each has its own."""
    slo: list[Threshold] = []
    """What the run is held against."""
    built_in: list[BuiltIn] = []
    """The objectives that every run has, as far as they are not switched off."""
    alone_after: float = 60.0
    """Seconds without any connected station after which the run ends; 0 never ends it for that."""
    flush_timeout: float = 15.0
    """How long the end of a run waits for the last figures of the workers."""
    fence_after: float = FENCE_AFTER
    """How long a worker's stations go on without the master."""
    quarantine: float = QUARANTINE
    """How long the identities of a silent worker are kept for it; longer than `fence_after`."""
    live: bool = True
    """Whether progress is shown on the standard error output."""
    driver: str | None = None
    """What the way to the CSMS's own API is called."""
    plugins: list[Any] = []
    """What takes part in the run beside the measuring (`loadtest.plugins.contract.Plugin`)."""
    label: str = ""
    """The commit or release of the CSMS."""
    details: dict[str, Any] = {}
    """Everything that was asked for, as it goes into `run.json`."""
    secrets: frozenset[str] = frozenset()
    """Values that must not reach a file."""
