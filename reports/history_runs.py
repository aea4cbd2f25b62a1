"""What the history keeps of one run, read from its `run.json`; everything else there is passed over, which is fast."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from evidence.run_model import FORMAT, RunTarget
from evidence.verdicts import RunVerdict, Verdict
from evidence.vocabulary import MEASURE
from ocppj.errors import UsageError
from reports.compare import settings_that_count
from reports.words import target_name

__all__ = ["Action", "Kpi", "SeenInterop", "SeenLoad", "SeenRun", "kpis", "measured_s", "read_seen", "settings_key"]


class Spread(msgspec.Struct):
    """A latency in ms."""

    p50: float
    p99: float


class Action(msgspec.Struct):
    """The CALLs of one action within the window that is judged, however they ended."""

    ocpp: str
    action: str
    direction: str
    count: int
    service_ms: Spread | None = None
    response_ms: Spread | None = None


class Objective(msgspec.Struct):
    """One objective and how it went."""

    expr: str
    value: float | None
    passed: bool
    unit: str = ""
    undecided: bool = False


class Case(msgspec.Struct):
    """One judged case."""

    id: str
    ocpp: str
    title: str
    verdict: Verdict


class _Window(msgspec.Struct, frozen=True):
    name: str
    seconds: float


class _Share(msgspec.Struct, frozen=True):
    share: float | None = None


class _Kpis(msgspec.Struct, frozen=True):
    charging: _Share = _Share()
    remote_start: _Share = _Share()
    authorize_to_start_s: dict[str, float] = {}
    sessions: dict[str, int] = {}
    energy_kwh: float | None = None


class _Generator(msgspec.Struct, frozen=True):
    verdict: str


class _Stations(msgspec.Struct, frozen=True):
    requested: int = 0
    booted: int = 0


class _Seen(msgspec.Struct, kw_only=True):
    format: int = 0
    target: RunTarget
    started: str
    finished: str
    verdict: RunVerdict
    interrupted: bool = False
    settings: dict[str, Any] = {}
    label: str = ""


class SeenInterop(_Seen, kw_only=True, tag_field="kind", tag="interop"):
    """An interop run."""

    cases: list[Case] = []
    embedded: bool = False


class SeenLoad(_Seen, kw_only=True, tag_field="kind", tag="load"):
    """A load run."""

    stations: _Stations = _Stations()
    actions: list[Action] = []
    slo: list[Objective] = []
    kpis: _Kpis = _Kpis()
    throughput: dict[str, float] = {}
    generator: _Generator
    windows: list[_Window] = []


SeenRun = SeenInterop | SeenLoad


class Kpi(msgspec.Struct, frozen=True):
    """One figure of a whole run."""

    name: str
    unit: str
    """`share`, `s`, `kWh`, `1/s`, or empty for an amount."""
    value: float


def read_seen(file: Path) -> SeenRun:
    """Read what the history keeps of a `run.json`; raises `UsageError` when it is none."""
    try:
        run: SeenRun = msgspec.json.decode(file.read_bytes(), type=SeenRun)
    except OSError as error:
        raise UsageError(f"it cannot be read: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise UsageError(f"it is not a run.json of this version: {error}") from None
    if run.format != FORMAT:
        raise UsageError(f"it has format {run.format}, but this Plugstorm reads format {FORMAT}")
    return run


def settings_key(run: SeenRun) -> str:
    """Return what is the same for runs that were asked for the same."""
    counts = settings_that_count(run.settings, embedded=isinstance(run, SeenInterop) and run.embedded)
    asked = [target_name(run.target.url), sorted(run.target.ocpp), counts]
    return hashlib.sha256(msgspec.json.encode(asked, order="sorted")).hexdigest()[:16]


def measured_s(run: SeenLoad) -> float | None:
    """Return the length of the window that is judged, in seconds."""
    return next((window.seconds for window in run.windows if window.name == MEASURE and window.seconds > 0), None)


def kpis(run: SeenLoad) -> Iterator[Kpi]:
    """Yield the figures of a whole run, as far as it has them."""
    found = (
        ("CALLs per second", "1/s", run.throughput.get("calls_per_s")),
        ("Stations that booted", "", float(run.stations.booted)),
        ("Charging success", "share", run.kpis.charging.share),
        ("Remote start success", "share", run.kpis.remote_start.share),
        ("Authorize to start, p50", "s", run.kpis.authorize_to_start_s.get("p50")),
        ("Charging sessions ended", "", run.kpis.sessions.get("ended")),
        ("Energy", "kWh", run.kpis.energy_kwh),
    )
    for name, unit, value in found:
        if value is not None:
            yield Kpi(name, unit, float(value))
