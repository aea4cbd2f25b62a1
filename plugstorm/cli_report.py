"""The commands about finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocppj.errors import UsageError
from plugstorm.flags import Json, Work, app

__all__: list[str] = []


@app.command()
def report(
    *,
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of finished runs.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where the page goes.", show_default="report.html in or beside the folders"),
    ] = None,
    judge_again: Annotated[
        bool, typer.Option("--judge-again", help="Judge again from traces and ledgers, without the CSMS.")
    ] = False,
    attest: Annotated[
        bool, typer.Option("--attest", help="Also write attestation.html: one printable page about an interop run.")
    ] = False,
    json: Json = False,
) -> Work:
    """Write report.html from finished runs; several make one page."""
    from plugstorm import report_command  # noqa: PLC0415 - each command loads only its own rooms

    return lambda: report_command.report(folders, out=out, judge_again=judge_again, attest=attest, as_json=json)


@app.command("check-trace")
def check_trace(
    *,
    places: Annotated[list[Path], typer.Argument(metavar="RUN|FILE...", help="Load runs, or trace files.")],
    call_timeout: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="S", help="When a CALL counts as unanswered.", show_default="the run's"),
    ] = None,
    json: Json = False,
) -> Work:
    """Check every frame that traced stations sent, as plugstorm analyze does; exit code 1 if one is wrong."""
    from plugstorm import trace_command  # noqa: PLC0415 - as above

    return lambda: trace_command.run(places, call_timeout=call_timeout, as_json=json)


@app.command()
def compare(
    *,
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="BASE... NEW",
            help="Folders of the run before, or of several, and of the run after; with --baseline only new ones.",
            show_default=False,
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="latest|tag:LABEL|best-of:N",
            help="Take the runs before from the history: the latest release, the runs with this label, or the best of "
            "the last N releases.",
            show_default="none",
        ),
    ] = None,
    runs: Annotated[Path, typer.Option(metavar="DIR", help="With --baseline: where the history is.")] = Path("runs"),
    tolerance: Annotated[float, typer.Option(min=0, metavar="SHARE", help="How much a latency may change.")] = 0.10,
    floor: Annotated[float, typer.Option(min=0, metavar="MS", help="Latency changes below this are ignored.")] = 0.5,
    json: Json = False,
) -> Work:
    """Show what got worse between runs of one kind; exit code 1 if anything did, 3 if nobody can tell.

    Of several load runs before, what they differ in counts as noise; with --baseline that of the new ones counts, too.

    Two folders of `plugstorm bench --out`, or what `bench --json` wrote, are compared row by row.
    """
    from plugstorm import compare_command  # noqa: PLC0415 - as above

    limits = compare_command.Limits(tolerance=tolerance, floor_ms=floor)
    if baseline is not None:
        return lambda: compare_command.against_history(folders or [], baseline, runs, limits, as_json=json)
    if not folders:
        raise UsageError("compare needs two runs; write compare BASE NEW, or --baseline latest")
    *bases, new = folders
    if not bases:
        raise UsageError(f"compare needs two runs: {new} and which other one? Write compare BASE NEW")
    return lambda: compare_command.compare_folders(bases, new, limits, as_json=json)


@app.command()
def history(
    *,
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Folder that holds run folders, at any depth.", show_default=True)
    ] = Path("runs"),
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the page goes.", show_default="DIR/history.html")
    ] = None,
    index: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the index is kept.", show_default="DIR/history.sqlite")
    ] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Read every run again, and not only what is new.")] = False,
    last: Annotated[int, typer.Option(min=2, metavar="N", help="The last runs of each test to show.")] = 200,
    json: Json = False,
) -> Work:
    """Show all runs over time on one page: latencies, throughput, objectives and cases, by target and label."""
    from plugstorm import history_command  # noqa: PLC0415 - as above

    return lambda: history_command.run(folder, out=out, file=index, rebuild=rebuild, last=last, as_json=json)
