"""`plugstorm load --dry-run`: what a run would send and need, before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from evidence import exit_codes
from loadtest.judging.slo import read_slo
from loadtest.locust_edge.request import LoadRequest
from loadtest.locust_edge.run_settings import profile_of, with_own_stages
from loadtest.planning.forecast import HEARTBEAT, Forecast, forecast
from loadtest.planning.machine_check import Shortage, machine
from loadtest.plugins.quantities import QUANTITIES

__all__ = ["run"]


def run(request: LoadRequest, *, interval: float | None, as_json: bool) -> int:
    """Show what a run would do; exit code 2 where this machine could not carry it."""
    if request.slo is not None:
        read_slo(request.slo, QUANTITIES)
    request = with_own_stages(request)
    seen = forecast(
        profile_of(request),
        request.versions,
        machine(),
        stations=request.stations,
        spawn_rate=request.rate,
        duration=float(request.duration),
        workers=request.workers,
        sources=max(1, len(request.addresses)),
        tls=request.uses_tls,
        own_csms=request.url is None,
        connections=request.connections,
        interval=HEARTBEAT if interval is None else interval,
        seed=request.seed or 0,
    )
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(seen), indent=2).decode())  # noqa: T201 - this is a command
    else:
        _show(seen, Console())
    return exit_codes.USAGE if any(shortage.certain for shortage in seen.shortages) else exit_codes.PASSED


def _show(seen: Forecast, console: Console) -> None:
    versions = ", ".join(seen.ocpp)
    console.print(
        f"{seen.stations} stations of OCPP {versions}, profile {seen.profile}, {seen.spawn_rate:g} a second, "
        f"{seen.duration_s:g} s. Nothing was sent.",
        highlight=False,
    )
    windows = Table(box=SIMPLE_HEAD, title="Window by window", title_justify="left")
    for name in ("Window", "s", "CALL/s", "connects/s", "to the CSMS", "from the CSMS"):
        windows.add_column(name, justify="left" if name == "Window" else "right")
    for row in seen.windows:
        windows.add_row(
            row.name,
            f"{row.seconds:g}",
            f"{row.calls_per_s:,.1f}",
            f"{row.connects_per_s:,.1f}",
            _rate(row.sent_bytes_per_s),
            _rate(row.received_bytes_per_s),
        )
    console.print(windows)
    actions = Table(box=SIMPLE_HEAD, title="In the window measure", title_justify="left")
    for name in ("Action", "OCPP", "CALL/s", "bytes of a CALL", "of its answer"):
        actions.add_column(name, justify="left" if name in {"Action", "OCPP"} else "right")
    for action in seen.actions:
        actions.add_row(
            action.action,
            action.ocpp,
            f"{action.calls_per_s:,.2f}",
            f"{action.call_bytes:,.0f}",
            f"{action.answer_bytes:,.0f}",
        )
    console.print(actions)
    need = seen.needs
    console.print(
        f"Needs here: {need.memory_mb:,.0f} MB of memory, {need.descriptors:,} open files in a worker, {need.ports:,} "
        f"ports at a local address, about {seen.cpu_cores:g} processor cores.",
        highlight=False,
    )
    for sentence in seen.assumptions:
        console.print(f"  assumed: {sentence}", highlight=False, soft_wrap=True)
    _show_shortages(seen.shortages, console)


def _show_shortages(shortages: Sequence[Shortage], console: Console) -> None:
    for shortage in shortages:
        word = "[red]This cannot work[/]" if shortage.certain else "[yellow]This may not work[/]"
        console.print(f"{word}: {shortage.sentence}.", highlight=False, soft_wrap=True)


def _rate(value: float) -> str:
    for unit in ("B/s", "kB/s", "MB/s"):
        if value < 1000:  # noqa: PLR2004 - powers of a thousand
            return f"{value:,.1f} {unit}" if unit != "B/s" else f"{value:,.0f} {unit}"
        value /= 1000
    return f"{value:,.1f} GB/s"
