"""The shape of `capacity.json`, format 1: a search for how many stations a CSMS holds."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = ["CapacityFinding", "CapacityPlan", "CapacityResult", "CapacityTarget", "Limit", "Trial", "TrialWord"]

TrialWord = Literal["kept", "missed", "generator"]
Limit = Literal["csms", "generator", "maximum", "trials", "interrupted"]


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One run with one size of fleet."""

    stations: int
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
    """The largest fleet that was held; 0 where none was."""
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


class CapacityPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How to search; times in seconds."""

    most: int
    start: int
    hold: float
    """How long each fleet is measured."""
    settle: float
    """Between the last station's start and the measurement."""
    pause: float
    """Between two runs, for the CSMS to recover."""
    precision: float


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
