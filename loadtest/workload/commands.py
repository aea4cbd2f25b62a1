"""The commands of a run as people write them: a list in a load profile, or a file of its own.

`- {action: remote-start, rate: 2/s}` is enough; `docs/commands.md` lists every key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import json, structs, to_builtins

from config import quantities
from config.errors import ConfigError
from config.typed import convert
from config.words import hint
from config.yaml_files import read_yaml
from loadtest.workload.command_catalogue import EXAMPLES, PLACEHOLDERS, Candidates, Recipe, known_words, recipe_of
from ocppj.errors import UsageError, as_usage_error
from ocppj.schemas import validator
from ocppj.versions import Version

__all__ = ["Command", "Errand", "Rate", "fill", "plan", "read_commands", "write_commands"]

_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_EFFECT_WITHIN: Final = 120.0

_Positive = Annotated[float, msgspec.Meta(gt=0)]


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """How often a command is sent."""

    per_second: float = 0.0
    """Of the whole fleet."""
    share_per_second: float = 0.0
    """Of each station: 1 is once a second and station."""

    def of(self, stations: int) -> float:
        """Return how many a second so many stations get together."""
        return self.per_second + self.share_per_second * stations


def parse_rate(text: str) -> Rate:
    """Read `5/s`, `30/min` or `20%/h`; raises `ValueError`."""
    found = quantities.rate(text)
    return Rate(share_per_second=found.per_second) if found.of_each else Rate(per_second=found.per_second)


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of command and how often it is sent."""

    action: str
    rate: str
    name: str = ""
    """Its name in the results, needed where two commands have the same action."""
    payload: dict[str, Any] | None = None
    """Instead of the one that is known for the action; texts in braces are filled in."""
    target: Candidates | None = None
    during: Literal["measure", "run"] = "measure"
    """`run` begins with the first stations."""
    limit: _Positive = 10.0
    """A per phase, for `{limit}`."""
    timeout: _Positive = 30.0
    """Seconds until the CSMS's API has failed to answer, and until a station has failed to see what was answered."""
    effect_within: _Positive = _EFFECT_WITHIN
    """Seconds from the CALL at the station to its effect."""

    def __post_init__(self) -> None:
        """Refuse unknown words and rates."""
        if self.action not in known_words():
            raise ValueError(f"`action` is {self.action!r}, no known command; {hint(self.action, known_words())}")
        try:
            parse_rate(self.rate)
        except ConfigError as error:
            raise ValueError(f"`rate`: {error}") from None
        for name in _names_in(self.payload):
            if name not in PLACEHOLDERS:
                raise ValueError(f"`payload` has {{{name}}}, which is unknown; {hint(name, PLACEHOLDERS)}")

    @property
    def label(self) -> str:
        """Its name in the results."""
        return self.name or self.action


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """A command that is ready to be sent to stations of the versions that know it."""

    label: str
    command: Command
    rate: Rate
    recipes: Mapping[Version, Recipe]

    @property
    def target(self) -> Candidates:
        """Which stations it is for."""
        return next(iter(self.recipes.values())).target

    def uses(self, placeholder: str) -> bool:
        """Return whether a payload has a certain gap."""
        return any(placeholder in _names_in(recipe.payload) for recipe in self.recipes.values())


def plan(commands: Sequence[Command], versions: Iterable[Version]) -> list[Errand]:
    """Choose payloads for the versions of a run; raises `UsageError` for a command that none of them could send."""
    versions = list(versions)
    errands: list[Errand] = []
    for command in commands:
        label = command.label
        if any(errand.label == label for errand in errands):
            raise UsageError(f"Two commands are called {label!r}; give one of them another `name`")
        recipes = {version: made for version in versions if (made := _recipe(command, version)) is not None}
        if not recipes:
            spoken = " or ".join(versions)
            raise UsageError(f"{command.action} is not a command of OCPP {spoken}; {_other(command.action)}")
        errands.append(Errand(label=label, command=command, rate=parse_rate(command.rate), recipes=recipes))
    return errands


def _recipe(command: Command, version: Version) -> Recipe | None:
    known = recipe_of(version, command.action)
    if known is None:
        return None
    payload = known.payload if command.payload is None else command.payload
    target = command.target
    if target is None:
        target = Candidates.CHARGING if "transactionId" in _names_in(payload) else known.target
    example = {**EXAMPLES[version], "limit": command.limit}
    errors = validator(version, known.action, "request").errors(fill(payload, example))
    if errors:
        where = f"{errors[0].path or '/'}: {errors[0].message}"
        what = f"is not a valid {known.action} of OCPP {version}"
        raise UsageError(f"The payload of the command {command.label!r} {what}: {where}")
    return msgspec.structs.replace(known, payload=payload, target=target)


def _other(action: str) -> str:
    versions = [version for version in Version if recipe_of(version, action) is not None]
    return f"OCPP {' and '.join(versions)} has it; the aliases, such as remote-start, are for all versions"


# -- files -------------------------------------------------------------------------------------------------------------


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    commands: list[Command]


@as_usage_error(ConfigError)
def read_commands(path: Path) -> list[Command]:
    """Read a file, which is a list or has one under `commands`; raises `UsageError`."""
    document, location = read_yaml(path, "command file")
    if isinstance(document, list):
        commands = convert(document, list[Command], location)
    else:
        commands = convert(document, _File, location).commands
    if not commands:
        raise location.error("there are no commands; write at least one, as in - {action: remote-start, rate: 1/s}")
    return commands


def command_rates(commands: Sequence[Command], per_second: float) -> list[Command]:
    """Let commands come so often that all together are `per_second`, each with its share of before."""
    rates = [parse_rate(command.rate).of(1) for command in commands]
    whole = sum(rates)
    return [
        structs.replace(command, rate=f"{Decimal(repr(round(per_second * one / whole, 9))):f}/s")
        for command, one in zip(commands, rates, strict=True)
    ]


def write_commands(commands: Sequence[Command], per_second: float) -> str:
    """Write a file of commands at such a rate; JSON is YAML."""
    chosen = [to_builtins(command) for command in command_rates(commands, per_second)]
    return json.format(json.encode(chosen), indent=2).decode() + "\n"


# -- templates ---------------------------------------------------------------------------------------------------------


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """Fill a payload in; a text that is nothing but a gap takes the value with its type."""
    if isinstance(template, dict):
        return {key: fill(item, values) for key, item in template.items()}
    if isinstance(template, list):
        return [fill(item, values) for item in template]
    if not isinstance(template, str):
        return template
    whole = _PLACEHOLDER.fullmatch(template)
    if whole is not None and whole[1] in values:
        return values[whole[1]]
    return _PLACEHOLDER.sub(lambda match: str(values.get(match[1], match[0])), template)


def _names_in(template: Any) -> set[str]:
    if isinstance(template, dict):
        return {name for item in template.values() for name in _names_in(item)}
    if isinstance(template, list):
        return {name for item in template for name in _names_in(item)}
    return set(_PLACEHOLDER.findall(template)) if isinstance(template, str) else set()
