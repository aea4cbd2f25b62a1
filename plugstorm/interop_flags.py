"""The flags of `plugstorm interop` that make its request, from the table of the request's fields."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from interop_suite.run.request import FIELDS, InteropRequest, Kind, RequestField, from_options
from ocppj.versions import Version
from plugstorm.flags import Work

__all__ = ["takes_request"]

_TYPES: dict[Kind, Any] = {
    Kind.TEXT: str | None,
    Kind.VERSIONS: list[Version] | None,
    Kind.LIST: list[str] | None,
    Kind.PAIRS: list[str] | None,
    Kind.NUMBER: float,
    Kind.COUNT: int,
    Kind.SWITCH: bool,
}
_SEVERAL = frozenset({Kind.VERSIONS, Kind.LIST, Kind.PAIRS})


def takes_request(command: Callable[..., Work]) -> Callable[..., Work]:
    """Give a command one flag for each field of the request; it gets the request as its first argument."""

    def with_flags(**given: Any) -> Work:
        fields = {field.name: given.pop(field.name) for field in FIELDS}
        return command(from_options(fields, "flag"), **given)

    signature = inspect.signature(command, eval_str=True)
    own = list(signature.parameters.values())[1:]
    parameters = [*map(_parameter, FIELDS), *own]
    with_flags.__name__, with_flags.__doc__ = command.__name__, command.__doc__
    with_flags.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    # typer reads the flags of a command from its signature.
    with_flags.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # typer reads it
    return with_flags


def _parameter(field: RequestField) -> inspect.Parameter:
    option = typer.Option(
        field.flag,
        metavar=field.metavar,
        help=field.help,
        show_default=field.otherwise,
        envvar=field.variable,
        min=field.least,
    )
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None if field.kind in _SEVERAL else getattr(InteropRequest(), field.name),
        annotation=Annotated[_TYPES[field.kind], option],
    )
