"""`python -m benchmarks`: what `plugstorm bench` starts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from evidence import exit_codes
from ocppj.errors import HarnessError, UsageError

__all__: list[str] = []


def main() -> int:
    """Read the command line, run, and return the exit code."""
    parser = argparse.ArgumentParser(prog="plugstorm bench", description="Compare engines against the same sink.")
    parser.add_argument("--quick", action="store_true", help="shorter and fewer, for a first look")
    parser.add_argument(
        "--scale", action="store_true", help="also 15,000 stations, 60,000 in four workers, and a master of 256"
    )
    parser.add_argument("--mqtt", action="store_true", help="only what is about MQTT")
    parser.add_argument("--json", action="store_true", help="write the rows as JSON to the standard output")
    parser.add_argument("--out", type=Path, help="folder for tables, picture and samples")
    parser.add_argument("--engine", action="append", default=[], help="only this engine and the ceiling")
    parser.add_argument("--only", action="append", default=[], help="only this part; may be repeated")
    parser.add_argument("--stations", type=int, help="how many in the fleet of several workers")
    parser.add_argument("--schema-share", type=float, default=0.01, help="share of the answers that Plugstorm checks")
    given = parser.parse_args()
    try:
        from benchmarks.run import PARTS, Wanted, run  # noqa: PLC0415 - the group `bench` may not be installed
    except ModuleNotFoundError as error:
        sys.stderr.write(f"plugstorm: error: {error.name} is not installed; run make setup\n")
        return exit_codes.USAGE
    if unknown := [part for part in given.only if part not in PARTS]:
        sys.stderr.write(f"plugstorm: error: --only {unknown[0]} is not a part of the bench: {', '.join(PARTS)}\n")
        return exit_codes.USAGE
    wanted = Wanted(
        quick=given.quick,
        scale=given.scale,
        as_json=given.json,
        out=given.out,
        engines=tuple(given.engine),
        schema_share=given.schema_share,
        mqtt=given.mqtt,
        only=frozenset(given.only),
        stations=given.stations,
    )
    try:
        return run(wanted)
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
    except HarnessError as error:
        sys.stderr.write(f"plugstorm: error: {error}\n")
        return exit_codes.USAGE if isinstance(error, UsageError) else exit_codes.INVALID


if __name__ == "__main__":
    sys.exit(main())
