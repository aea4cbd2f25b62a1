"""From the driver and the commands that were asked for to the plugin that sends them, or none."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NoReturn

import msgspec

from config.assignments import assignments
from config.errors import ConfigError
from drivers.base import Driver
from drivers.factory import make_driver
from loadtest.plugins.commands.plugin import CommandPlugin
from loadtest.workload.commands import Command, plan
from ocppj.errors import UsageError, as_usage_error
from ocppj.versions import Version

__all__ = ["DriverChoice", "check_commands", "plugin_of"]


class DriverChoice(msgspec.Struct, frozen=True, kw_only=True):
    """The way to the CSMS's own API, as it was asked for."""

    name: str | None = None
    """A preset or a file."""
    control_url: str | None = None
    options: tuple[str, ...] = ()
    """Variables of the driver file, as NAME=VALUE."""

    def __bool__(self) -> bool:
        return self.name is not None or self.control_url is not None

    def open(self) -> Driver:
        """Open the driver; raises `UsageError`, also for one that asks a person."""
        with as_usage_error(ConfigError, prefix="--driver-option: "):
            pairs = assignments(self.options, "base=http://127.0.0.1:8080")
        return make_driver(self.name, pairs, self.control_url, person=partial(_refuse_person, self.name))


def _refuse_person(name: str | None) -> NoReturn:
    raise UsageError(f"--driver {name} asks a person, who cannot keep up with a load test; name one that asks nobody")


def check_commands(commands: Sequence[Command], versions: Sequence[Version], choice: DriverChoice) -> str | None:
    """Refuse what cannot work before anything is started, and name the driver; raises `UsageError`."""
    if commands and not choice:
        raise UsageError("Commands need a way to make the CSMS send them; name it with --driver or --control-url")
    driver = choice.open()
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
    commands: Sequence[Command],
    choice: DriverChoice,
    versions: Sequence[Version],
    seed: int,
    duration: float | None,
) -> tuple[CommandPlugin | None, str | None]:
    """Make the plugin, and name its driver; None where no driver was named and nothing is to be sent.

    Raises `UsageError`.
    """
    if not commands and not choice:
        return None, None
    name = check_commands(commands, versions, choice)
    plugin = CommandPlugin(commands, versions, choice.open, seed, duration=duration)
    return plugin, name if commands else None
