"""The command that judges logs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocppj.errors import UsageError
from ocppj.versions import Version
from plugstorm.flags import Json, Work, app

__all__: list[str] = []

_File = Path | None
_SIDES = ("csms", "charge-point", "any")


@app.command()
def analyze(
    *,
    logs: Annotated[list[str], typer.Argument(metavar="FILE...", help="Logs, packed or not; - follows a pipe.")],
    kind: Annotated[
        str | None,
        typer.Option("--format", metavar="NAME|FILE.yaml", help="Kind of log.", show_default="found by itself"),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(metavar="WHAT=COLUMN,...", help="Columns of a CSV: time, station, direction, frame, connection."),
    ] = None,
    station: Annotated[
        str | None, typer.Option(metavar="ID", help="Identity for logs that name none.", show_default="the file's name")
    ] = None,
    ocpp: Annotated[
        Version | None, typer.Option(metavar="V", help="OCPP version.", show_default="as the log shows")
    ] = None,
    call_timeout: Annotated[float, typer.Option(min=0.1, metavar="S", help="When a CALL counts as unanswered.")] = 30.0,
    side: Annotated[str, typer.Option(metavar="SIDE", help="Whose required rules decide the exit code.")] = "any",
    redact: Annotated[
        bool, typer.Option("--redact", help="Replace everything that could name or admit anybody, in all outputs.")
    ] = False,
    to: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="Write the frames as ocpp-trace (1.1), to --out or the output.")
    ] = None,
    out: Annotated[_File, typer.Option(metavar="FILE", help="Where --to writes.", show_default="the output")] = None,
    to_replay: Annotated[
        _File,
        typer.Option(metavar="FILE.yaml", help="Write a profile that plugstorm load replays.", show_default=False),
    ] = None,
    to_case: Annotated[
        _File,
        typer.Option(metavar="FILE.yaml", help="Write a case for plugstorm interop --recorded.", show_default=False),
    ] = None,
    case_of: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="Station of that case.", show_default="the first with a finding about the CSMS"
        ),
    ] = None,
    html: Annotated[_File, typer.Option(metavar="FILE", help="Write one offline page.", show_default=False)] = None,
    sarif: Annotated[_File, typer.Option(metavar="FILE", help="Write SARIF.", show_default=False)] = None,
    markdown: Annotated[_File, typer.Option(metavar="FILE", help="Write Markdown.", show_default=False)] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show what a format in YAML finds in the first lines, and end.")
    ] = False,
    json: Json = False,
) -> Work:
    """Read any OCPP log and tell which side broke which rule; exit code 1 when a required one is broken."""
    from plugstorm import analyze_command  # noqa: PLC0415 - each command loads only its own rooms

    if side not in _SIDES:
        raise UsageError(f"--side is csms, charge-point or any, not {side!r}")
    request = analyze_command.Request(
        logs=logs,
        format=kind,
        columns=analyze_command.columns_of(columns or ()),
        station=station,
        ocpp=ocpp,
        call_timeout=call_timeout,
        side=side,
        redact=redact,
        explain=explain,
        to=to,
        out=out,
        to_replay=to_replay,
        to_case=to_case,
        case_of=case_of,
        page=html,
        sarif=sarif,
        markdown=markdown,
        as_json=json,
    )
    return lambda: analyze_command.run(request)
