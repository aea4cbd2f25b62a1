"""From what was asked for on the command line to the plugin that sends commands, or none."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from drivers.factory import make_driver
from loadtest.workload.commands import plan, read_commands
from ocppj.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drivers.base import Driver
    from loadtest.plugins.commands.plugin import CommandPlugin
    from loadtest.workload.commands import Command
    from ocppj.versions import Version

__all__ = ["check_commands", "open_driver", "plugin_of"]


def open_driver(name: str | None, control_url: str | None, options: Sequence[str]) -> Driver:
    """Open the driver that was named; raises `UsageError`, also for one that asks a person."""
    pairs: dict[str, str] = {}
    for text in options:
        option, _, value = text.partition("=")
        if not option or not value:
            raise UsageError(f"--driver-option {text} is not a pair; write it as in base=http://127.0.0.1:8080")
        pairs[option] = value
    return make_driver(name, pairs, control_url, person=partial(_refuse_person, name))


def _refuse_person(name: str | None) -> NoReturn:
    raise UsageError(f"--driver {name} asks a person, who cannot keep up with a load test; name one that asks nobody")


def check_commands(
    commands: Sequence[Command],
    versions: Sequence[Version],
    name: str | None,
    control_url: str | None,
    options: Sequence[str],
) -> str | None:
    """Refuse what cannot work before anything is started, and name the driver; raises `UsageError`."""
    if commands and name is None and control_url is None:
        raise UsageError("Commands need a way to make the CSMS send them; name it with --driver or --control-url")
    driver = open_driver(name, control_url, options)
    try:
        for errand in plan(commands, versions):
            for version, recipe in errand.recipes.items():
                missing = driver.missing(f"trigger:{recipe.action}", version)
                if missing is not None:
                    raise UsageError(f"The command {errand.label!r} cannot be sent: {missing}")
        return None if driver.name == "none" else driver.name
    finally:
        driver.close()


def plugin_of(
    given: Any, commands: Sequence[Command], versions: Sequence[Version], seed: int, duration: float | None
) -> tuple[CommandPlugin | None, str | None]:
    """Make the plugin, and name its driver; `commands` are those of the profile, which a file replaces.

    None where no driver was named and nothing is to be sent. Raises `UsageError`.
    """
    if given.commands:
        commands = read_commands(Path(given.commands))
    if not commands and not given.driver and not given.control_url:
        return None, None
    from loadtest.plugins.commands.plugin import CommandPlugin  # noqa: PLC0415 - gevent is not for those who only check

    words = (given.driver or None, given.control_url or None, tuple(given.driver_option or ()))
    name = check_commands(commands, versions, *words)
    plugin = CommandPlugin(commands, versions, partial(open_driver, *words), seed, duration=duration)
    return plugin, name if commands else None
