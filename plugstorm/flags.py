"""What the commands share: the application that they belong to, and the flags that several of them take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Ca", "Json", "Out", "Owned", "Password", "Slo", "SourceAddress", "Url", "Work", "app"]

app = typer.Typer(
    name="plugstorm",
    help="Storm an OCPP-J CSMS with virtual charge points, and check that it speaks the protocol.",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Url = Annotated[
    str | None,
    typer.Option(
        metavar="WS_URL",
        help="Address of the CSMS; the identity follows after a slash, or where {id} stands. "
        "Without it the practice CSMS is started and tested.",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder of the run.", show_default="runs/<UTC time>-<kind>")
]
Password = Annotated[
    str | None,
    typer.Option(
        envvar="PLUGSTORM_PASSWORD",
        help="Password of every station (HTTP Basic); the username is its identity.",
        show_default=False,
    ),
]
Ca = Annotated[
    Path | None,
    typer.Option(metavar="PEM", help="Root that signed the CSMS' certificate.", show_default="those of the system"),
]
SourceAddress = Annotated[
    list[str] | None,
    typer.Option(
        metavar="IP[-IP]",
        help="Local address, or a range, to connect from; may be repeated.",
        show_default="the system's",
    ),
]
Owned = Annotated[
    list[str] | None,
    typer.Option(
        "--i-own-this-target",
        metavar="HOST",
        envvar="PLUGSTORM_I_OWN_THIS_TARGET",
        help="Host of the CSMS, where it is not this machine: you may test it.",
        show_default=False,
    ),
]
Slo = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="YAML file of objectives; a missed one gives exit code 1.", show_default="none"),
]
Json = Annotated[bool, typer.Option("--json", help="Write the result as JSON to the standard output.")]

Work = Callable[[], int]
"""What a command is to do, and the exit code that it ends with."""
