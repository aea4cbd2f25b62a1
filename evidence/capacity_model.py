"""The shape of `capacity.json`, format 1: a search for how much a CSMS holds of stations, sessions or commands."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = [
    "ActionFlow",
    "CapacityFinding",
    "CapacityPlan",
    "CapacityResult",
    "CapacityTarget",
    "Limit",
    "Search",
    "Trial",
    "TrialWord",
]

Search = Literal["stations", "sessions", "commands"]
"""What is searched: how many stations, or how many charging sessions or commands in a second."""
TrialWord = Literal["kept", "missed", "generator"]
Limit = Literal["csms", "generator", "maximum", "trials", "interrupted"]


class ActionFlow(msgspec.Struct, frozen=True, kw_only=True):
    """How the CSMS answered one action of the stations in the measured time of a run."""

    action: str
    per_s: float
    """Answers."""
    service_ms: float
    """Mean time from the frame to its answer."""
    queue_first: float
    """CALLs on the wire without an answer, on the average of the first third …"""
    queue_last: float
    """… and of the last third."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One run with one load."""

    stations: int
    rate: float | None = None
    """Sessions or commands a second that were asked for; None where the number of stations is searched."""
    achieved: float | None = None
    """How many a second there were."""
    seed: int | None = None
    flows: list[ActionFlow] = []
    """By action, the most frequent first."""
    notes: list[str] = []
    """What was the matter with the generator, though the result stands."""
    starved: bool | None = None
    """Whether the generator was late for lack of a processor rather than for its own work; None: it was not late."""
    word: TrialWord
    """`generator`: nothing can be said, because the generator was not VALID."""
    missed: list[str] = []
    """Objectives with what was measured."""
    reasons: list[str] = []
    """What the generator said of itself."""
    strain: float = 0.0
    """The most strained objective: 1 is at its limit, 2 is twice that."""
    calls_per_s: float = 0.0
    failed_per_s: float = 0.0
    p50_ms: float | None = None
    """Of the response times of the slowest action."""
    p99_ms: float | None = None
    generator: str = "VALID"
    folder: str = ""
    """Relative to the folder of the search."""


class CapacityFinding(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found."""

    stations: int
    """The largest fleet that was held; 0 where none was. Of a search for a rate, the fleet that it was held with."""
    limit: Limit
    """What ended the search."""
    missed_at: int | None
    """The smallest fleet that was not held; None where none is known."""
    kept: int
    """Trials with `stations` that were kept …"""
    of: int
    """… of so many."""
    sentence: str
    """For people."""
    search: Search = "stations"
    held: float = 0.0
    """What was searched: the highest load that was held, and …"""
    missed: float | None = None
    """… the lowest that was not; None where none is known."""
    missed_in: int = 0
    """Trials with the lowest load that was not held that missed …"""
    missed_of: int = 0
    """… of so many."""
    gave_way: str = ""
    """What gave way beyond the highest load that was held; empty where that was not seen."""


class CapacityPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How to search; times in seconds."""

    most: float
    start: float
    hold: float
    """How long each fleet is measured."""
    settle: float
    """Between the last station's start and the measurement."""
    pause: float
    """Between two runs, for the CSMS to recover."""
    precision: float
    search: Search = "stations"
    fleet: int = 0
    """Stations of a search for a rate, at least."""


class CapacityTarget(msgspec.Struct, kw_only=True):
    """The CSMS that was tested; the URL is redacted."""

    url: str
    ocpp: list[str]


class CapacityResult(msgspec.Struct, kw_only=True):
    """`capacity.json`."""

    format: int = 1
    kind: str = "capacity"
    tool: dict[str, str]
    target: CapacityTarget
    started: str
    finished: str
    environment: dict[str, Any]
    plan: CapacityPlan
    profile: str
    slo: list[str]
    finding: CapacityFinding
    trials: list[Trial]
