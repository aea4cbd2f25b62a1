"""`plugstorm capacity`: one load run after another, until it is known how much the CSMS holds."""

from __future__ import annotations

import json
import math
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from config.words import hint
from evidence import exit_codes
from evidence.capacity_model import CapacityPlan, CapacityResult, CapacityTarget, Search, Trial
from evidence.redact import redact_url
from evidence.run_folder import RunFolder, describe_environment, describe_tool, read_run, utc_now
from evidence.run_model import LoadRun
from loadtest.judging.slo import Threshold, read_slo, threshold
from loadtest.locust_edge.options import option_of
from loadtest.locust_edge.request import LoadRequest
from loadtest.locust_edge.run_settings import profile_of
from loadtest.planning.capacity import RATE_STEP, conclude, load_of, next_load
from loadtest.planning.capacity_trial import BOOTED, flows_in, trial_of, with_booted
from loadtest.plugins.quantities import QUANTITIES
from loadtest.workload.arrival_rate import fleet_for
from loadtest.workload.commands import Command, read_commands, write_commands
from loadtest.workload.profile import load_profile
from ocppj.errors import InconclusiveError, TargetUnreachableError, UsageError
from plugstorm.children import run_child
from plugstorm.load_command import check, environment_of, free_port, locust_command, target_of
from reports.capacity_page import write_capacity_page
from reports.html import write_report
from reports.junit import write_junit
from reports.summary import write_summary

__all__ = ["read_search", "run", "step_duration"]

_FILE_WIDTH: Final = 160
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
    request = msgspec.structs.replace(request, seed=secrets.randbelow(2**31) if request.seed is None else request.seed)
    most, start = _steps(plan.most, plan), _steps(plan.start, plan)
    commands = _commands(request, plan)
    check(_at(request, plan, most))
    folder = RunFolder.create(request.out, "capacity")
    for empty in (folder.traces, folder.histograms):
        empty.rmdir()
    slo = folder.path / _SLO
    folder.write_text(_SLO, _file_of(thresholds))
    started = utc_now()
    trials: list[Trial] = []
    interrupted = False
    with target_of(request.url) as (url, control_url):
        while (size := next_load(trials, start=start, most=most, precision=plan.precision)) is not None:
            if trials:
                time.sleep(plan.pause)
            load = load_of(size, plan.search)
            out = folder.path / f"step-{len(trials) + 1:02d}-{load:g}"
            one = msgspec.structs.replace(
                _at(request, plan, size), slo=slo, warm_up=plan.settle, out=out, seed=_seed(request, len(trials))
            )
            if plan.search == "commands":
                path = folder.path / f"commands-{load:g}.yaml"
                folder.write_text(path.name, write_commands(commands, load))
                one = msgspec.structs.replace(one, commands=path)
            one = msgspec.structs.replace(one, duration=step_duration(one, one.stations, plan))
            rate = None if plan.search == "stations" else load
            found = _try(one, thresholds, url, control_url, rate)
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
        finding=conclude(trials, most=most, search=plan.search, interrupted=interrupted),
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


def read_search(word: str) -> Search:
    """Read what is to be searched; raises `UsageError`."""
    for known in get_args(Search):
        if word == known:
            found: Search = known
            return found
    raise UsageError(f"--search {word!r} is unknown; {hint(word, get_args(Search))}")


def _steps(load: float, plan: CapacityPlan) -> int:
    return int(load) if plan.search == "stations" else max(round(load / RATE_STEP), 1)


def _seed(request: LoadRequest, index: int) -> int:
    """Return the seed of a trial: a repeat with the draws of before would repeat their chance, too."""
    assert request.seed is not None
    return (request.seed + index) % 2**31


def _commands(request: LoadRequest, plan: CapacityPlan) -> list[Command]:
    """Return the commands whose rate is searched; raises `UsageError`."""
    if plan.search != "commands":
        if request.commands is not None:
            raise UsageError("--commands belongs to --search commands")
        return []
    if request.url is not None and request.driver is None and request.control_url is None:
        raise UsageError("--search commands makes the CSMS send commands; name a way to it with --driver")
    profile = load_profile(request.profile)
    given = profile.commands if request.commands is None else read_commands(request.commands)
    return list(given) or [Command(action="trigger-status", rate="1/s")]


def _at(request: LoadRequest, plan: CapacityPlan, size: int) -> LoadRequest:
    """Return the request with a load of so many steps."""
    if plan.search == "stations":
        return msgspec.structs.replace(request, stations=size)
    fleet = max(plan.fleet, 1)
    if plan.search == "commands":
        return msgspec.structs.replace(request, stations=fleet)
    rate = load_of(size, plan.search)
    profile = load_profile(request.profile)
    if not profile.members and profile.sessions is None:
        raise UsageError(f"--search sessions needs a profile with `sessions`; {profile.name} has none, quick has them")
    stations = fleet_for(profile, rate, least=fleet)
    found = msgspec.structs.replace(request, stations=stations, arrival_rate=rate)
    profile_of(found)
    return found


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


def _try(
    request: LoadRequest,
    thresholds: Sequence[Threshold],
    url: str,
    control_url: str | None,
    rate: float | None,
) -> Trial | None:
    """Make one run; None where a person ended it. `rate` is that of the sessions or commands, where it is searched."""
    out = RunFolder.create(request.out, "load").path
    at = "" if rate is None else f"{rate:g}/s with "
    sys.stderr.write(f"{at}{request.stations} stations for {request.duration} s …\n")
    port = free_port() if request.workers > 1 else None
    words = locust_command(request, url=url, out=out, master_port=port, control_url=control_url)
    code = run_child(words, environment=environment_of(request, url=url), output=out / _OUTPUT)
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
    flows = flows_in(out, found)
    return trial_of(found, thresholds, request.stations, out.name, rate=rate, flows=flows)


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
    return exit_codes.PASSED if result.finding.held else exit_codes.FAILED


_WORDS: Final = {"kept": "kept", "missed": "MISSED", "generator": "not judged: the generator was"}


def _tell(trials: Sequence[Trial]) -> None:
    last = trials[-1]
    word = _WORDS[last.word] + (f" {last.generator}" if last.word == "generator" else "")
    p99 = "" if last.p99_ms is None else f", slowest response p99 {last.p99_ms:.1f} ms"
    lines = last.reasons if last.word == "generator" else [*last.missed, *last.notes]
    why = "".join(f"\n    {line}" for line in lines)
    sys.stderr.write(f"  {word}; {last.calls_per_s:.1f} CALL/s{p99}{why}\n")


def _show(result: CapacityResult, page: Path) -> None:
    console = Console()
    if not console.is_terminal:
        # A file has no width; rich would take 80.
        console = Console(width=_FILE_WIDTH)
    table = Table(box=SIMPLE_HEAD)
    is_rate = result.plan.search != "stations"
    for name in (
        *(["Asked /s", "Achieved /s"] if is_rate else []),
        "Stations",
        "Result",
        "CALL/s",
        "slowest p99 ms",
        "limit used",
        "Missed",
    ):
        table.add_column(name, justify="left" if name in {"Result", "Missed"} else "right")
    for trial in result.trials:
        rates = [f"{trial.rate or 0:g}", "" if trial.achieved is None else f"{trial.achieved:.1f}"] if is_rate else []
        table.add_row(
            *rates,
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
