"""The command line; each command imports its rooms only when it runs, so that `--help` answers at once."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from evidence import exit_codes
from plugstorm import cli_analyze, cli_interop, cli_load, cli_report  # noqa: F401 - importing them adds their commands
from plugstorm.errors import guarded
from plugstorm.flags import Work, app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line and leave with the exit code of `evidence.exit_codes`."""
    if "_PLUGSTORM_COMPLETE" in os.environ:
        # typer wraps what it says about a word, and fish takes every line for a word.
        os.environ["COLUMNS"] = "10000"
    sys.exit(guarded(_run))


def _run() -> int:
    # A command only says what is to be done: typer would take a closed pipe or Ctrl-C for an error of its own.
    chosen: Work | int | None = app(prog_name="plugstorm", standalone_mode=False)
    return chosen() if callable(chosen) else chosen or exit_codes.PASSED


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag's value
    if wanted:
        from importlib import metadata  # noqa: PLC0415 - every start would pay for what one flag needs

        typer.echo(f"plugstorm {metadata.version('plugstorm')}")
        raise typer.Exit


@app.callback()
def _plugstorm(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(exit_codes.USAGE)
