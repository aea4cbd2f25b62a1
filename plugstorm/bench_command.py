"""`plugstorm bench`: engines side by side against the same sink, in processes of their own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from plugstorm.children import run_child

__all__ = ["BenchRequest", "bench_command", "run"]


class BenchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for on the command line."""

    quick: bool
    scale: bool
    mqtt: bool
    as_json: bool
    out: Path | None
    engines: tuple[str, ...]
    only: tuple[str, ...] = ()
    stations: int | None = None


def bench_command(request: BenchRequest) -> list[str]:
    """Write the command line of the bench."""
    words = [sys.executable, "-m", "benchmarks"]
    flags = {"--quick": request.quick, "--scale": request.scale, "--mqtt": request.mqtt, "--json": request.as_json}
    words += [flag for flag, given in flags.items() if given]
    words += ["--out", str(request.out)] if request.out is not None else []
    words += ["--stations", str(request.stations)] if request.stations is not None else []
    words += [word for part in request.only for word in ("--only", part)]
    return words + [word for engine in request.engines for word in ("--engine", engine)]


def run(request: BenchRequest) -> int:
    """Run it and return its exit code."""
    return run_child(bench_command(request), environment=os.environ)
