"""What the commands share: the application that they belong to, and the flags that several of them take.

The options of a load run come from their table (`loadtest.locust_edge.options`).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from loadtest.locust_edge.options import OPTIONS, Option, option_of
from loadtest.locust_edge.request import LoadRequest, default_word

__all__ = ["Ca", "Json", "Out", "Owned", "Password", "Url", "Work", "app", "takes_request"]

app = typer.Typer(
    name="plugstorm",
    help="Storm an OCPP-J CSMS with virtual charge points, and check that it speaks the protocol.",
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Work = Callable[[], int]
"""What a command is to do, and the exit code that it ends with."""

P = ParamSpec("P")

_FROM_ENVIRONMENT = {"password": "PLUGSTORM_PASSWORD", "owned": "PLUGSTORM_I_OWN_THIS_TARGET"}


def _flag(option: Option, *, must: bool = False) -> Any:
    assert option.flag is not None
    return typer.Option(
        option.flag,
        metavar=option.metavar,
        help=option.help,
        envvar=_FROM_ENVIRONMENT.get(option.field),
        # What has a value of its own is shown by typer.
        show_default=True if option.preset is not None else not must and (_default(option) or False),
    )


def _default(option: Option) -> str | None:
    """Return what people read about the value that is taken where none is given."""
    return option.otherwise or (default_word(option) if option.flag == option.locust else None)


Url = Annotated[str | None, _flag(option_of("url"))]
Out = Annotated[Path | None, _flag(option_of("out"))]
Password = Annotated[str | None, _flag(option_of("password"))]
Ca = Annotated[Path | None, _flag(option_of("tls_ca"))]
Owned = Annotated[list[str] | None, _flag(option_of("owned"))]
Json = Annotated[bool, typer.Option("--json", help="Write the result as JSON to the standard output.")]


def takes_request(
    *, without: Collection[str] = (), required: Collection[str] = ()
) -> Callable[[Callable[Concatenate[LoadRequest, P], Work]], Callable[..., Work]]:
    """Give a command the options of a load run beside its own, and call it with the request that they make.

    `without` names the fields that the command says in another way, `required` those that must be given.
    """
    options = [option for option in OPTIONS if option.flag is not None and option.field not in without]

    def decorate(command: Callable[Concatenate[LoadRequest, P], Work]) -> Callable[..., Work]:
        # typer gives every parameter by its name.
        call: Callable[..., Work] = command

        @functools.wraps(command)
        def read_and_call(**given: Any) -> Work:
            words = {option.field: given.pop(option.field) for option in options}
            return call(LoadRequest.read(words, by_locust=False), **given)

        _, *own = inspect.signature(command, eval_str=True).parameters.values()
        signature = inspect.Signature([*(_parameter(option, required) for option in options), *own])
        read_and_call.__signature__ = signature  # type: ignore[attr-defined]  # typer asks for it
        read_and_call.__annotations__ = {one.name: one.annotation for one in signature.parameters.values()}
        return read_and_call

    return decorate


def _parameter(option: Option, required: Collection[str]) -> inspect.Parameter:
    """Make what typer reads; every value stays a word, which the table judges, but for a switch."""
    kind: Any = list[str] if option.repeats else str
    must = option.field in required
    if option.is_switch:
        return inspect.Parameter(
            option.field,
            inspect.Parameter.KEYWORD_ONLY,
            default=False,
            annotation=Annotated[bool, typer.Option(option.flag, help=option.help)],
        )
    return inspect.Parameter(
        option.field,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if must else option.preset,
        annotation=Annotated[kind if must else kind | None, _flag(option, must=must)],
    )
