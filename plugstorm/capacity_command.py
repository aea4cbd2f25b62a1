"""`plugstorm capacity`: load runs with one fleet after another, until it is known how many stations the CSMS holds."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from evidence import exit_codes
from evidence.capacity_model import CapacityPlan, CapacityResult, CapacityTarget, Trial
from evidence.redact import redact_url
from evidence.run_folder import RunFolder, describe_environment, describe_tool, read_run, utc_now
from evidence.run_model import LoadRun
from loadtest.judging.slo import Threshold, read_slo, threshold
from loadtest.locust_edge.options import option_of
from loadtest.locust_edge.request import LoadRequest
from loadtest.planning.capacity import BOOTED, conclude, next_stations, trial_of, with_booted
from loadtest.plugins.quantities import QUANTITIES
from ocppj.errors import InconclusiveError, TargetUnreachableError, UsageError
from plugstorm.children import run_child
from plugstorm.load_command import check, environment_of, free_port, locust_command, target_of
from reports.capacity_page import write_capacity_page
from reports.html import write_report
from reports.junit import write_junit
from reports.summary import write_summary

__all__ = ["run", "step_duration"]

_OUTPUT: Final = "output.txt"
_SLO: Final = "slo.yaml"
_MARGIN: Final = 2.0
"""Seconds that a run takes to begin."""


def run(request: LoadRequest, plan: CapacityPlan, *, as_json: bool) -> int:
    """Search, write `capacity.json` and `capacity.html`, and return the exit code."""
    if request.slo is None:
        raise UsageError("--slo FILE is needed: capacity is how many stations the CSMS holds within objectives")
    thresholds = read_slo(request.slo, QUANTITIES)
    if not with_booted(thresholds):
        thresholds.append(threshold(BOOTED))
    check(msgspec.structs.replace(request, stations=plan.most))
    folder = RunFolder.create(request.out, "capacity")
    for empty in (folder.traces, folder.histograms):
        empty.rmdir()
    slo = folder.path / _SLO
    folder.write_text(_SLO, _file_of(thresholds))
    started = utc_now()
    trials: list[Trial] = []
    interrupted = False
    with target_of(request.url) as (url, control_url):
        while (
            stations := next_stations(trials, start=plan.start, most=plan.most, precision=plan.precision)
        ) is not None:
            if trials:
                time.sleep(plan.pause)
            name = f"step-{len(trials) + 1:02d}-{stations}"
            one = msgspec.structs.replace(
                request,
                stations=stations,
                slo=slo,
                duration=step_duration(request, stations, plan),
                warm_up=plan.settle,
                out=folder.path / name,
            )
            found = _try(one, thresholds, url, control_url)
            if found is None:
                interrupted = True
                break
            trials.append(found)
            _tell(trials)
    result = CapacityResult(
        tool=describe_tool(),
        target=CapacityTarget(url=redact_url(url), ocpp=option_of("ocpp").texts(request.ocpp) or ["1.6"]),
        started=started,
        finished=utc_now(),
        environment=describe_environment(),
        plan=plan,
        profile=request.profile,
        slo=[one.text for one in thresholds],
        finding=conclude(trials, most=plan.most, interrupted=interrupted),
        trials=trials,
    )
    document = msgspec.json.format(msgspec.json.encode(result), indent=2).decode()
    folder.write_text("capacity.json", document + "\n")
    page = write_capacity_page(folder.path, result)
    if as_json:
        print(document)  # noqa: T201 - this is a command
    else:
        _show(result, page)
    return _exit_code(result)


def step_duration(request: LoadRequest, stations: int, plan: CapacityPlan) -> int:
    """Return the length of a run with so many stations in whole seconds; its ramp takes at most half of it."""
    ramp = stations / msgspec.structs.replace(request, stations=stations).rate
    return math.ceil(max(ramp + plan.settle + plan.hold, 2 * ramp) + _MARGIN)


def _file_of(thresholds: Sequence[Threshold]) -> str:
    """Write the objectives that are really judged; JSON is YAML."""
    entries = []
    for one in thresholds:
        entry: dict[str, Any] = {"expr": one.expression.text}
        if not one.whole_run:
            entry["window"] = one.window
        if one.abort:
            entry |= {"abort": True, "delay": one.delay}
        entries.append(entry)
    return json.dumps({"thresholds": entries}, indent=2) + "\n"


def _try(request: LoadRequest, thresholds: Sequence[Threshold], url: str, control_url: str | None) -> Trial | None:
    """Make one run; None where a person ended it."""
    out = RunFolder.create(request.out, "load").path
    sys.stderr.write(f"{request.stations} stations for {request.duration} s …\n")
    port = free_port() if request.workers > 1 else None
    words = locust_command(request, url=url, out=out, master_port=port, control_url=control_url)
    code = run_child(words, environment=environment_of(request), output=out / _OUTPUT)
    if code == exit_codes.INTERRUPTED:
        return None
    if not (out / "run.json").exists():
        _explain(code, out / _OUTPUT)
    found = read_run(out)
    assert isinstance(found, LoadRun)
    if code == exit_codes.UNREACHABLE:
        raise TargetUnreachableError(f"No station could connect to {redact_url(url)}; see {out / 'run.json'}")
    write_junit(out, found)
    write_summary(out, found)
    write_report([(out, found)])
    return trial_of(found, thresholds, request.stations, out.name)


def _explain(code: int, output: Path) -> None:
    """Pass on the one line with which a run ended that never began."""
    lines = output.read_text("utf-8", errors="replace").splitlines()
    said = next((line for line in reversed(lines) if line.startswith("plugstorm: error: ")), "")
    message = said.removeprefix("plugstorm: error: ") or f"A run left no result; see {output}"
    errors = {exit_codes.USAGE: UsageError, exit_codes.UNREACHABLE: TargetUnreachableError}
    raise errors.get(code, InconclusiveError)(message)


def _exit_code(result: CapacityResult) -> int:
    match result.finding.limit:
        case "interrupted":
            return exit_codes.INTERRUPTED
        case "generator" | "trials":
            return exit_codes.INVALID
    return exit_codes.PASSED if result.finding.stations else exit_codes.FAILED


_WORDS: Final = {"kept": "kept", "missed": "MISSED", "generator": "not judged: the generator was"}


def _tell(trials: Sequence[Trial]) -> None:
    last = trials[-1]
    word = _WORDS[last.word] + (f" {last.generator}" if last.word == "generator" else "")
    p99 = "" if last.p99_ms is None else f", slowest response p99 {last.p99_ms:.1f} ms"
    why = "".join(f"\n    {line}" for line in (last.reasons if last.word == "generator" else last.missed))
    sys.stderr.write(f"  {word}; {last.calls_per_s:.1f} CALL/s{p99}{why}\n")


def _show(result: CapacityResult, page: Path) -> None:
    console = Console()
    table = Table(box=SIMPLE_HEAD)
    for name in ("Stations", "Result", "CALL/s", "slowest p99 ms", "limit used", "Missed"):
        table.add_column(name, justify="left" if name in {"Result", "Missed"} else "right")
    for trial in result.trials:
        table.add_row(
            str(trial.stations),
            trial.word,
            f"{trial.calls_per_s:,.1f}",
            "" if trial.p99_ms is None else f"{trial.p99_ms:,.1f}",
            f"{trial.strain:.0%}",
            "; ".join(trial.missed),
        )
    console.print(table)
    sentence = result.finding.sentence
    console.print(f"{sentence[0].upper()}{sentence[1:]}", highlight=False, soft_wrap=True, markup=False)
    console.print(f"report  {page}", highlight=False, soft_wrap=True, markup=False)
