"""`plugstorm load --dry-run`, and the look at the machine before every run."""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from evidence import exit_codes
from loadtest.judging.slo import read_slo
from loadtest.locust_edge.options import read_addresses, read_timed_profile, read_versions
from loadtest.planning.machine_check import lacking, machine, needs
from loadtest.plugins.quantities import QUANTITIES
from ocppj.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtest.planning.forecast import Forecast
    from loadtest.planning.machine_check import Shortage
    from plugstorm.load_command import Wanted

__all__ = ["check_machine", "run", "words_of"]


def check_machine(wanted: Wanted) -> None:
    """Refuse a run that this machine cannot carry, with what to do; warn where it might not."""
    shortages = lacking(
        needs(
            wanted.stations,
            workers=wanted.workers,
            sources=_sources(wanted),
            tls=_uses_tls(wanted),
            own_csms=wanted.url is None,
        ),
        machine(),
    )
    certain = [shortage for shortage in shortages if shortage.certain]
    if certain:
        raise UsageError("; ".join(shortage.sentence for shortage in certain))
    for shortage in shortages:
        sys.stderr.write(f"plugstorm: warning: {shortage.sentence}\n")


def run(wanted: Wanted, *, interval: float | None, as_json: bool) -> int:
    """Show what a run would do; exit code 2 where this machine could not carry it."""
    from loadtest.planning.forecast import HEARTBEAT, forecast  # noqa: PLC0415 - its stations bring gevent along
    from plugstorm.load_command import spawn_rate  # noqa: PLC0415 - which imports this module

    if wanted.slo is not None:
        read_slo(wanted.slo, QUANTITIES)
    seen = forecast(
        read_timed_profile(wanted.profile, wanted.time_compression, wanted.start_at),
        read_versions(wanted.ocpp),
        machine(),
        stations=wanted.stations,
        spawn_rate=spawn_rate(wanted),
        duration=float(wanted.duration),
        workers=wanted.workers,
        sources=_sources(wanted),
        tls=_uses_tls(wanted),
        own_csms=wanted.url is None,
        interval=HEARTBEAT if interval is None else interval,
        seed=wanted.seed or 0,
    )
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(seen), indent=2).decode())  # noqa: T201 - this is a command
    else:
        _show(seen, Console())
    return exit_codes.USAGE if any(shortage.certain for shortage in seen.shortages) else exit_codes.PASSED


def words_of(words: Sequence[str], flag: str) -> list[str]:
    """Return the values that a flag has among further words for Locust."""
    values = [value for word, value in itertools.pairwise(words) if word == flag]
    return values + [word.removeprefix(f"{flag}=") for word in words if word.startswith(f"{flag}=")]


def _sources(wanted: Wanted) -> int:
    addresses = [*wanted.source_addresses, *words_of(wanted.locust, "--source-address")]
    return max(1, len(read_addresses(addresses)))


def _uses_tls(wanted: Wanted) -> bool:
    return wanted.url is not None and wanted.url.startswith("wss:")


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
