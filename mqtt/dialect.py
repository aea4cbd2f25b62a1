"""The dialects of OCPP over MQTT, as data: no text of OCPP names MQTT, so each gateway has topics and keys of its own.

    dialect = load_dialect("maeve")             # or the path of a YAML file with the same keys
    dialect.up.topic                            # "{prefix}/in/{ocpp}/{id}"

*Up* is from the station to the CSMS, *down* the other way. Placeholders in topics: `{id}` is the station's identity,
`{ocpp}` the subprotocol that a WebSocket would have (`ocpp1.6`), `{prefix}` the prefix of the dialect or of the URL.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Final, Literal

import msgspec

from config.errors import ConfigError
from config.typed import convert
from config.words import hint
from config.yaml_files import parse_yaml, read_text
from mqtt.packets import Level
from ocppj.errors import UsageError, as_usage_error

__all__ = ["Attached", "Dialect", "Direction", "Keys", "dialect_names", "load_dialect"]

_FOLDER: Final = Path(__file__).parent / "dialects"
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_PLACEHOLDERS: Final = ("prefix", "id", "ocpp")
_SPECIAL: Final = re.compile(r"[.^$*?()\[\]|\\]")
_NOT_IN_LEVEL: Final = frozenset("/+#\0")
_LEVELS: Final = {"3.1.1": Level.V311, "5": Level.V5}

Qos = Literal[0, 1, 2]


class Attached(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The MQTT 5 properties that every message of a direction has."""

    content_type: str | None = None
    response_topic: str | None = None
    correlation_data: str | None = None

    def __post_init__(self) -> None:
        """Refuse a topic that cannot be; raises `ConfigError`."""
        if self.response_topic is not None:
            _check_topic("response_topic", self.response_topic)


class Direction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How messages go one way."""

    topic: str
    answers: str | None = None
    """The topic of CALLRESULT and CALLERROR, where it is another one."""
    qos: Qos = 0
    retain: bool = False
    properties: Attached = Attached()

    def __post_init__(self) -> None:
        """Refuse topics that cannot be; raises `ConfigError`."""
        _check_topic("topic", self.topic)
        if self.answers is not None:
            _check_topic("answers", self.answers)


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The keys of an object that stands for an OCPP-J array."""

    type: str
    id: str
    action: str
    request: str
    response: str
    code: str
    description: str
    details: str | None = None
    """None: what a CALLERROR says in its details is lost."""
    answers_repeat: bool = False
    """Whether an answer says again the action and the request that it answers."""


class Dialect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One dialect; everything that a gateway of this kind does to OCPP-J."""

    title: str
    mqtt: Literal["3.1.1", "5"]
    up: Direction
    down: Direction
    prefix: str = ""
    client_id: str = "{id}"
    """How a station names itself to the broker, which lets one client of a name in."""
    object: Keys | None = None
    """None: a payload is the OCPP-J array."""
    errors: dict[str, str] = {}
    """Error codes of OCPP-J that have another name in this dialect."""

    def __post_init__(self) -> None:
        """Refuse what does not go together; raises `ConfigError`."""
        for name, way in (("up", self.up), ("down", self.down)):
            if self.mqtt != "5" and way.properties != Attached():
                raise ConfigError(f'`{name}`: the properties need `mqtt: "5"`; MQTT 3.1.1 has none')
        _check_topic("client_id", self.client_id)
        if self.up.topic == self.down.topic:
            raise ConfigError("`down`: expected another topic than that of `up`, but it is the same")

    @property
    def level(self) -> Level:
        """The version of MQTT."""
        return _LEVELS[self.mqtt]

    @property
    def names_version(self) -> bool:
        """Whether a topic says which OCPP version the station speaks."""
        return "{ocpp}" in self.up.topic

    def at(self, prefix: str | None) -> Dialect:
        """Return the same dialect with another prefix, where there is one."""
        return msgspec.structs.replace(self, prefix=prefix) if prefix else self

    def topic(self, template: str, identity: str, subprotocol: str) -> str:
        """Write a topic of one station; raises `UsageError` for an identity that cannot be a level of a topic."""
        wrong = _NOT_IN_LEVEL.intersection(identity)
        if wrong or not identity:
            raise UsageError(
                f"The identity {identity!r} cannot be part of an MQTT topic; it must not hold / + # or NUL"
            )
        return self._fill(template, {"id": identity, "ocpp": subprotocol})

    def filter(self, template: str) -> str:
        """Write the topic filter that fits a topic of every station."""
        return self._fill(template, {"id": "+", "ocpp": "+"})

    def pattern(self, template: str) -> re.Pattern[str]:
        """Write the expression that finds `id`, and `ocpp` where it is there, in a topic of a station."""
        text = self._fill(
            re.sub(r"([.^$*?()\[\]|\\])", r"\\\1", template), {"id": "(?P<id>[^/]+)", "ocpp": "(?P<ocpp>[^/]+)"}
        )
        return re.compile(text)

    def _fill(self, template: str, values: dict[str, str]) -> str:
        """Fill a template; an empty prefix takes its level with it."""
        values = {"prefix": self.prefix.strip("/"), **values}
        levels = (_PLACEHOLDER.sub(lambda found: values[found[1]], level) for level in template.split("/"))
        return "/".join(level for level in levels if level)


def dialect_names() -> list[str]:
    """List the dialects that come with Plugstorm."""
    return list(_own_names())


@as_usage_error(ConfigError)
def load_dialect(name: str) -> Dialect:
    """Load a dialect by its name, or from a YAML file; raises `UsageError`."""
    names = _own_names()
    if name in names:
        return _own_dialect(name)
    file = Path(name)
    if not file.suffix and not file.exists():
        near = hint(name, names, f"known are {', '.join(names)}, or name a YAML file")
        raise UsageError(f"--dialect {name} is not known; {near}")
    return _read(file, str(file))


# The practice CSMS knows all dialects, and some commands start one for each case.
@functools.cache
def _own_names() -> tuple[str, ...]:
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.yaml")))


@functools.cache
def _own_dialect(name: str) -> Dialect:
    return _read(_FOLDER / f"{name}.yaml", name)


def _read(file: Path, shown: str) -> Dialect:
    value, location = parse_yaml(shown, read_text(file, "dialect file"))
    return convert(value, Dialect, location)


def _check_topic(key: str, template: str) -> None:
    for name in _PLACEHOLDER.findall(template):
        if name not in _PLACEHOLDERS:
            raise ConfigError(f"`{key}`: {{{name}}} is unknown; {hint(name, _PLACEHOLDERS)}")
    if "{id}" not in template:
        raise ConfigError(f"`{key}`: expected a topic with {{id}}, but it is {template!r}")
    if "+" in template or "#" in template:
        raise ConfigError(f"`{key}`: expected a topic without wildcards, but it is {template!r}")
