"""From the words of a command line to a driver."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from drivers.base import Driver, NoDriver
from drivers.declarative import DeclarativeDriver
from drivers.http import HttpDriver
from drivers.loading import Loaded, load_driver, steps_of
from drivers.manual import Desk, Person, Terminal, read_answers
from ocppj.errors import UsageError

__all__ = ["CONTROL_URL", "make_declarative_driver", "make_driver"]

CONTROL_URL = "control_url"
"""The variable of a driver file that `--control-url` gives a value."""


def make_driver(
    name: str | None,
    options: Mapping[str, str],
    control_url: str | None = None,
    resume: str | None = None,
    *,
    person: Callable[[], Person] = Terminal,
) -> Driver:
    """Choose the driver: the one that is named, else HTTP where a control address was given, else none.

    Raises `UsageError` for what cannot work.
    """
    name = name or ("http" if control_url else "none")
    if name not in ("none", "http"):
        return make_declarative_driver(name, options, control_url, resume, person=person)
    for option in options:
        raise UsageError(
            f"--driver-option {option}: driver {name} has no options; name a preset or a file with --driver"
        )
    if name == "none":
        return NoDriver()
    if control_url is None:
        raise UsageError("--driver http needs --control-url http://…")
    if not control_url.startswith(("http://", "https://")):
        raise UsageError(f"--control-url {control_url} must begin with http:// or https://")
    return HttpDriver(control_url)


def make_declarative_driver(
    name: str,
    options: Mapping[str, str],
    control_url: str | None = None,
    resume: str | None = None,
    *,
    person: Callable[[], Person] = Terminal,
) -> DeclarativeDriver:
    """Load a preset or a file; raises `UsageError` for what cannot work, such as a person without a terminal."""
    if control_url is not None:
        options = {CONTROL_URL: control_url, **options}
    try:
        loaded = load_driver(name, options)
    except UsageError as error:
        if control_url is not None and str(error).startswith(f"--driver-option {CONTROL_URL}:"):
            raise UsageError(f"--control-url is nothing that driver {name} knows; see docs/drivers.md") from None
        raise
    asks = _asks_a_person(loaded)
    if resume is not None and not asks:
        raise UsageError(f"--resume is for drivers that ask a person, and {name} asks nobody; leave it out")
    if not asks:
        return DeclarativeDriver(loaded)
    earlier = read_answers(resume) if resume is not None else ()
    return DeclarativeDriver(loaded, Desk(person(), earlier))


def _asks_a_person(loaded: Loaded) -> bool:
    return any(
        step.manual is not None for ways in loaded.ways.values() for way in ways for step in steps_of(way.operation)
    )
