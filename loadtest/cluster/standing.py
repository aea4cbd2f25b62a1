"""What can be said of a run at any moment in one line, for Locust's web page; pure."""

from __future__ import annotations

import msgspec

from evidence.run_model import LoadRun

__all__ = ["Standing", "standing_line"]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the moment: of the run that goes on, else of the latest that was concluded."""

    window: str = ""
    """Empty where no run goes on."""
    elapsed: float = 0.0
    """Seconds."""
    wanted: int = 0
    """Stations."""
    connected: int = 0
    booted: int = 0
    result: LoadRun | None = None
    """The latest run that was concluded."""


def standing_line(now: Standing) -> str:
    """Write how many stations are booted, or the verdict and why."""
    if now.window:
        return (
            f"{now.elapsed:.0f} s, {now.window}: {now.booted} of {now.wanted} stations booted, "
            f"{now.connected} connected; the verdict comes at the end"
        )
    run = now.result
    if run is None:
        return "no run yet"
    missed = [f"{one.built_in or one.expr}: {one.reason or 'missed'}" for one in run.slo if not one.passed]
    doubts = run.generator.reasons if run.generator.verdict == "INVALID" else []
    why = "; ".join([*missed, *doubts][:2])
    stations = f"{run.stations.booted} of {run.stations.requested} stations booted"
    return f"verdict {run.verdict}: {stations}, generator {run.generator.verdict}" + (f". {why}" if why else "")
