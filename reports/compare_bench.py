"""Two runs of `plugstorm bench` side by side: what any row of them has lost.

Times of a machine say nothing about another day or another machine, so that processor times are compared as what they
are beside the ceiling of the same run. Memory is compared as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from ocppj.errors import UsageError

__all__ = ["TOLERANCE", "BenchChange", "BenchComparison", "WrittenBenchChange", "compare_benches", "is_bench"]

TOLERANCE: Final = 0.05
"""Share by which a row may be worse."""
_FILE: Final = "bench.json"
_CEILING: Final = "ceiling"


class BenchChange(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of one row in both runs."""

    row: str
    figure: str
    before: float
    after: float | None
    """None where the new run lacks the row."""
    more_is_better: bool

    @property
    def loss(self) -> float | None:
        """How much worse it is, as a share of what it was; negative where it is better."""
        if self.after is None:
            return None
        if self.more_is_better:
            return 1 - self.after / self.before
        return self.after / self.before - 1

    @property
    def is_worse(self) -> bool:
        """Whether it is worse by more than what may be."""
        return self.loss is not None and self.loss > TOLERANCE


class WrittenBenchChange(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of one row as `plugstorm compare --json` writes it."""

    row: str
    figure: str
    before: float
    after: float | None
    """None where the new run lacks the row."""
    more_is_better: bool
    loss: float | None
    """How much worse it is, as a share of what it was; negative where it is better."""
    worse: bool
    """Whether it is worse by more than 5 %."""


class BenchComparison(msgspec.Struct, frozen=True, kw_only=True):
    """Every figure that the base has."""

    changes: tuple[BenchChange, ...]

    @property
    def worse(self) -> tuple[BenchChange, ...]:
        """What has become worse."""
        return tuple(change for change in self.changes if change.is_worse)

    @property
    def written(self) -> list[WrittenBenchChange]:
        """What a machine reads."""
        return [
            WrittenBenchChange(
                row=change.row,
                figure=change.figure,
                before=change.before,
                after=change.after,
                more_is_better=change.more_is_better,
                loss=change.loss,
                worse=change.is_worse,
            )
            for change in self.changes
        ]


class _Message(msgspec.Struct):
    message: str
    ratio_to_ceiling: float | None = None


class _Fleet(msgspec.Struct):
    name: str
    stations: int
    workers: int = 1
    tls: bool = False
    kb_per_station: float | None = None
    cpu_ms_per_connect: float | None = None


class _Engine(msgspec.Struct):
    engine: str
    kb_per_station: float | None = None
    cpu_ms_per_connect: float | None = None
    messages: list[_Message] = []
    fleets: list[_Fleet] = []


class _Result(msgspec.Struct):
    engines: list[_Engine]
    scale: list[_Fleet] = []


def is_bench(path: Path) -> bool:
    """Return whether this is the folder of a bench, its `bench.json`, or what `bench --json` wrote."""
    return path.is_file() or (path / _FILE).is_file()


def compare_benches(base: Path, new: Path) -> BenchComparison:
    """Compare two benches; raises `UsageError` where one of them is none, or where they have no figure in common."""
    before, after = _figures(_read(base)), _figures(_read(new))
    if not before.keys() & after.keys():
        raise UsageError(f"{base} and {new} have no row in common; run plugstorm bench with the same engines")
    changes = (
        BenchChange(
            row=row,
            figure=figure,
            before=value,
            after=after.get((row, figure)),
            more_is_better=figure == _SPEED,
        )
        for (row, figure), value in before.items()
    )
    return BenchComparison(changes=tuple(changes))


_SPEED: Final = "CALL/s per core, of the ceiling"
_CONNECT: Final = "processor time of a connect, of the ceiling's"
_MEMORY: Final = "KB per station"


def _read(path: Path) -> _Result:
    file = path / _FILE if path.is_dir() else path
    try:
        value: Any = msgspec.json.decode(file.read_bytes())
        return msgspec.convert({"engines": value} if isinstance(value, list) else value, _Result)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise UsageError(f"{file} is no result of plugstorm bench: {error}") from None


def _figures(result: _Result) -> Mapping[tuple[str, str], float]:
    """List every figure by row and kind; what a run did not measure is left out."""
    ceiling = next((row.cpu_ms_per_connect for row in result.engines if row.engine == _CEILING), None)
    found: dict[tuple[str, str], float | None] = {}
    for row in result.engines:
        for message in row.messages if row.engine != _CEILING else ():
            found[f"{row.engine}, {message.message}", _SPEED] = message.ratio_to_ceiling
        found[row.engine, _MEMORY] = row.kb_per_station
        if row.engine != _CEILING and ceiling and row.cpu_ms_per_connect:
            found[row.engine, _CONNECT] = row.cpu_ms_per_connect / ceiling
    # The folder has them beside the engines, the standard output with theirs.
    for fleet in [*result.scale, *(fleet for row in result.engines for fleet in row.fleets)]:
        name = f"{fleet.stations:,} stations in {fleet.workers}, {fleet.name}{', TLS' if fleet.tls else ''}"
        found[name, _MEMORY] = fleet.kb_per_station
        if ceiling and fleet.cpu_ms_per_connect:
            found[name, _CONNECT] = fleet.cpu_ms_per_connect / ceiling
    return {key: value for key, value in found.items() if value}
