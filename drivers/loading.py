"""Finds a driver file, checks all of it before anything is sent, and gives its variables their values."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

import msgspec

from config.errors import ConfigError
from config.locations import Location, Path, write_path
from config.typed import convert
from config.words import hint, nearest
from config.yaml_files import parse_yaml, read_text
from drivers.schema import Document, Http, Operation, Operations, Step, Variable
from drivers.template import GLOBALS, Names, Place, TemplateFault, fields_of, names_in
from drivers.template_fields import templates_of
from ocppj.actions import ACTIONS
from ocppj.errors import UsageError, as_usage_error
from ocppj.versions import Version

__all__ = ["Loaded", "Way", "load_driver", "preset_names", "read_driver", "steps_of"]

PRESETS = FilePath(__file__).parent / "presets"

_ENV = re.compile(r"\$\{ENV:([A-Za-z_][A-Za-z0-9_]*)\}")
_STATION = frozenset({"identity", "version", "subprotocol"})
_SETTINGS = _STATION | {"password", "security_profile", "boot_status", "interval"}
_ANSWER = frozenset({"response", "first", "row", "served_port"})
_CALLBACK = frozenset({"callback_url", "correlation"})
# What the templates of each operation can use.
_NAMES: dict[str, frozenset[str]] = {
    "health": frozenset(),
    "register": _SETTINGS,
    "password": _SETTINGS,
    "security_profile": _SETTINGS,
    "boot_status": _SETTINGS,
    "connected": _STATION,
    "token": frozenset({"token", "status", "expiry", "parent", "limit", "tariff", "token_type", "version"}),
    "trigger": _STATION | {"action", "payload"} | _CALLBACK,
    "transactions": _STATION,
    "online": _STATION,
    "sign_client_certificate": _STATION | {"csr"},
    "web_payment": _STATION | {"evse", "totp"},
}
_TAKEN = frozenset().union(*_NAMES.values()) | _ANSWER | GLOBALS.keys()
_WAYS = ("http", "sql", "shell", "mqtt", "manual", "steps", "unsupported")
_OWN_FIELDS = {
    "answer": "trigger",
    "rows": "transactions",
    "fields": "transactions",
    "certificate": "sign_client_certificate",
    "is_online": "online",
}
_MUST_READ = {"transactions": "rows", "sign_client_certificate": "certificate", "online": "is_online"}


class Way(msgspec.Struct, frozen=True):
    """One way to do an operation, with the names that its templates use."""

    path: str
    operation: Operation
    known: frozenset[str]
    needed: frozenset[str]
    """Those of them without which it cannot be done."""
    handed_over: frozenset[str] | None = None
    """Fields of a command's payload that go to the CSMS, dotted; None for the whole payload."""


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A checked driver with its variables."""

    document: Document
    ways: dict[str, list[Way]]
    values: dict[str, Any]
    unset: dict[str, str]
    """Variables without a value, and how to give them one."""
    secrets: frozenset[str]


def preset_names() -> list[str]:
    """List the drivers that come with Plugstorm as files."""
    return sorted(file.stem for file in PRESETS.glob("*.yaml"))


@as_usage_error(ConfigError)
def load_driver(name: str, options: Mapping[str, str], environment: Mapping[str, str] | None = None) -> Loaded:
    """Load a preset or a file; raises `UsageError` for everything that is wrong with it or with the options."""
    file = PRESETS / f"{name}.yaml"
    if name not in preset_names():
        file = FilePath(name)
        if not file.suffix and not file.exists():
            known = ["none", "http", *preset_names()]
            near = hint(name, known, f"known are {', '.join(known)}, or name a YAML file")
            raise UsageError(f"--driver {name} is not known; {near}")
    text = read_text(file, "driver file")
    return read_driver(name if file.parent == PRESETS else str(file), text, options, environment)


@as_usage_error(ConfigError)
def read_driver(
    name: str, text: str, options: Mapping[str, str], environment: Mapping[str, str] | None = None
) -> Loaded:
    """Load a driver from its text."""
    environment = os.environ if environment is None else environment
    raw, location = parse_yaml(name, text)
    _check_switch_words(raw, location)
    used: set[str] = set()
    document = convert(_prepare(raw, (), used), Document, location)
    values, unset, secrets = _resolve(document, options, environment, location)
    for variable in used:
        values_of_environment = environment.get(variable)
        if values_of_environment is None:
            unset[_env_name(variable)] = f"the environment variable {variable}"
        else:
            values[_env_name(variable)] = values_of_environment
            secrets.add(values_of_environment)
    ways = _Checker(document, location, frozenset(values) | unset.keys()).check()
    return Loaded(document=document, ways=ways, values=values, unset=unset, secrets=frozenset(secrets - {""}))


def _prepare(value: Any, path: Path, used: set[str]) -> Any:
    """Turn `${ENV:NAME}` into a template, and versions that YAML takes for numbers back into text."""
    match value:
        case dict():
            if path == () and isinstance(value.get("variables"), dict):
                return {k: v if k == "variables" else _prepare(v, (k,), used) for k, v in value.items()}
            return {key: _prepare(item, (*path, key), used) for key, item in value.items()}
        case list():
            if path and path[-1] == "versions":
                return [str(item) for item in value]
            return [_prepare(item, (*path, index), used) for index, item in enumerate(value)]
        case str():
            used.update(_ENV.findall(value))
            return _ENV.sub(lambda match: "{{ " + _env_name(match[1]) + " }}", value)
        case _:
            return value


_SWITCH_WORDS = frozenset({"on", "off", "yes", "no", "y", "n"})


def _check_switch_words(value: Any, location: Location) -> None:
    """Refuse a word that YAML takes for true or false: as a value of a body it would go out as a boolean."""
    match value:
        case dict():
            for key, item in value.items():
                _check_switch_words(item, location.below(key))
        case list():
            for index, item in enumerate(value):
                _check_switch_words(item, location.below(index))
        case bool() if (location.text or "").lower() in _SWITCH_WORDS:
            read = "true" if value else "false"
            raise location.error(f"{location.text!r} is {read} in YAML; write it in quotes, or write {read}")


def _env_name(variable: str) -> str:
    return f"env_{variable}"


# -- variables -------------------------------------------------------------------------------------------------------


def _resolve(
    document: Document, options: Mapping[str, str], environment: Mapping[str, str], location: Location
) -> tuple[dict[str, Any], dict[str, str], set[str]]:
    declared = document.variables
    for name in options:
        if name not in declared:
            near = hint(name, declared, f"it has {', '.join(declared) or 'none'}")
            raise UsageError(f"--driver-option {name}: {document.driver} has no such option; {near}")
    values: dict[str, Any] = {}
    unset: dict[str, str] = {}
    secrets: set[str] = set()
    for name, variable in declared.items():
        if name in _TAKEN or not name.isidentifier():
            raise location.below("variables", name).error("is a name of Plugstorm's own; choose another")
        given = options.get(name, variable.default)
        if variable.secret and name in options and not _ENV.fullmatch(options[name]):
            raise UsageError(
                f"--driver-option {name} is a secret and must not stand on a command line; put it into an environment "
                f"variable and give {name}='${{ENV:…}}'"
            )
        missing = [e for e in _ENV.findall(given) if e not in environment] if isinstance(given, str) else []
        if given is None or missing:
            unset[name] = _how_to_set(name, variable, missing)
            if variable.required:
                raise UsageError(f"--driver {document.driver} needs {unset[name]}")
            continue
        values[name] = _value_of(name, variable, given, environment)
        if isinstance(given, str):
            secrets.update(environment[e] for e in _ENV.findall(given))
    return values, unset, secrets


def _how_to_set(name: str, variable: Variable, missing: list[str]) -> str:
    about = f" ({variable.about})" if variable.about else ""
    if missing:
        return f"the environment variable {missing[0]}{about}"
    return f"--driver-option {name}=…{about}"


def _value_of(name: str, variable: Variable, given: Any, environment: Mapping[str, str]) -> Any:
    """Fill in environment variables and give the value the type of its default."""
    if not isinstance(given, str):
        return given
    text = _ENV.sub(lambda match: environment[match[1]], given)
    if isinstance(variable.default, str | None):
        return text
    return convert(text, type(variable.default), Location(f"--driver-option {name}"), strict=False)


# -- checks ----------------------------------------------------------------------------------------------------------


class _Checker:
    """Everything that can be wrong with a driver although each of its fields has the right type."""

    def __init__(self, document: Document, location: Location, variables: frozenset[str]) -> None:
        self._document = document
        self._location = location
        self._everywhere = variables | (document.login.save.keys() if document.login else frozenset())

    def check(self) -> dict[str, list[Way]]:
        document = self._document
        login = document.login
        if login is not None:
            self._one_way(login, ("login",))
        if document.database is not None:
            self._command(document.database.command, ("database", "command"))
        saved = login.save.keys() if login else frozenset[str]()
        # What every way over HTTP, SQL or MQTT needs besides what it says itself.
        self._common = {
            "http": self._names(document.http, ("http",), _STATION).needed
            | (self._names(login, ("login",), _ANSWER).needed - saved),
            "sql": self._names(document.database, ("database",), frozenset()).needed,
            "mqtt": self._names(document.broker, ("broker",), frozenset()).needed,
        }
        self._names(document.callback, ("callback",), frozenset({"served_port"}))
        if isinstance(document.signs_certificates, str):
            self._names_of([(("signs_certificates",), document.signs_certificates, Place.VALUE)], frozenset())
        ways: dict[str, list[Way]] = {}
        for field in msgspec.structs.fields(Operations):
            choice = getattr(document.operations, field.name)
            path: Path = ("operations", field.name)
            entries = choice if isinstance(choice, list) else [] if choice is None else [choice]
            ways[field.name] = [
                self._way(field.name, entry, (*path, index) if isinstance(choice, list) else path)
                for index, entry in enumerate(entries)
            ]
        return ways

    def _way(self, name: str, operation: Operation, path: Path) -> Way:
        self._one_way(operation, path)
        self._filters(name, operation, path)
        self._result(name, operation, path)
        saved: set[str] = set()
        for index, step in enumerate(operation.steps):
            self._one_way(step, (*path, "steps", index))
            saved |= step.save.keys()
        names = self._names(operation, path, _NAMES[name] | _ANSWER | saved)
        self._callback(operation, path, names.known)
        if operation.when and names_in(operation.when, Place.CONDITION).known - self._everywhere:
            raise self._error((*path, "when"), "may ask only about variables: it decides before anything is sent")
        needed = set(names.needed - saved)
        for transport, common in self._common.items():
            if any(getattr(step, transport) is not None for step in steps_of(operation)):
                needed |= common
        return Way(write_path(path), operation, names.known, frozenset(needed), self._handed_over(operation))

    def _handed_over(self, operation: Operation) -> frozenset[str] | None:
        """Find the fields of the payload that are written anywhere; conditions only ask about them."""
        fields: set[str] = set()
        for where, text, place in templates_of(operation):
            if place is Place.CONDITION or where[0] == "answer":
                continue
            found = fields_of(text, "payload")
            if found is None:
                return None
            fields |= found
        return frozenset(fields)

    def _result(self, name: str, operation: Operation, path: Path) -> None:
        for field, owner in _OWN_FIELDS.items():
            if getattr(operation, field) and owner != name:
                raise self._error((*path, field), f"belongs to {owner}")
        needed = _MUST_READ.get(name)
        if needed and operation.unsupported is None:
            if getattr(operation, needed) is None:
                raise self._error(path, f"lacks {needed}, which says where the result is in the response")
            if any(step.manual for step in steps_of(operation)):
                raise self._error(path, "cannot be manual: its result is read from a response")

    def _error(self, path: Path, message: str) -> ConfigError:
        return self._location.below(*path).error(message)

    def _one_way(self, holder: Operation | Step, path: Path) -> None:
        given = [way for way in _WAYS if getattr(holder, way, None) not in (None, [])]
        if len(given) != 1:
            known = ", ".join(way for way in _WAYS if hasattr(holder, way))
            how = f"has {' and '.join(given)}" if given else "says nothing of how"
            raise self._error(path, f"{how}; give one of {known}")
        if holder.sql is not None and self._document.database is None:
            raise self._error((*path, "sql"), "needs a 'database' with the command of its client program")
        if holder.mqtt is not None and self._document.broker is None:
            raise self._error((*path, "mqtt"), "needs a 'broker' with its url")
        if holder.mqtt is not None and (holder.mqtt.message is not msgspec.UNSET) == (holder.mqtt.text is not None):
            raise self._error((*path, "mqtt"), "needs a message or a text, and not both")
        if holder.shell is not None:
            self._command(holder.shell.command, (*path, "shell", "command"))
        if holder.http is not None:
            request = holder.http
            bodies = [request.body is not msgspec.UNSET, request.text is not None, bool(request.form)]
            if sum(bodies) > 1:
                raise self._error((*path, "http"), "has several bodies; give one of body, text, form")

    def _command(self, command: str, path: Path) -> None:
        if "{{" in command or "{%" in command:
            raise self._error(path, 'must hold no template; hand values over in env and write "$NAME" in the command')

    def _filters(self, name: str, operation: Operation, path: Path) -> None:
        if operation.actions and name != "trigger":
            raise self._error((*path, "actions"), "belongs to trigger")
        if operation.statuses and name not in ("token", "boot_status"):
            raise self._error((*path, "statuses"), "belongs to token and boot_status")
        versions = [Version(version) for version in operation.versions] or list(Version)
        known = sorted({action for version in versions for action, entry in ACTIONS[version].items() if entry.by_csms})
        for index, action in enumerate(operation.actions):
            if action not in known:
                near = nearest(action, known)
                meant = f"; did you mean {near!r}?" if near else ""
                words = " or ".join(versions)
                raise self._error(
                    (*path, "actions", index), f"{action} is nothing that a CSMS sends in OCPP {words}{meant}"
                )

    def _callback(self, operation: Operation, path: Path, names: frozenset[str]) -> None:
        waits = any(http.callback for http in _requests_of(operation))
        if names & _CALLBACK and not waits:
            raise self._error(path, "uses callback_url without a 'callback' that waits for it")

    def _names(self, part: Any, path: Path, allowed: frozenset[str]) -> Names:
        return self._names_of(templates_of(part, path), allowed)

    def _names_of(self, templates: Iterable[tuple[Path, str, Place]], allowed: frozenset[str]) -> Names:
        """Compile templates and list the names that they use; raises `UsageError` for one that nobody knows."""
        every = Names(frozenset(), frozenset())
        for where, text, place in templates:
            try:
                names = names_in(text, place)
            except TemplateFault as fault:
                raise self._error(where, str(fault)) from None
            for name in sorted(names.known - allowed - self._everywhere):
                known = sorted(allowed | self._everywhere)
                near = hint(name, known, f"known here are {', '.join(known)}")
                raise self._error(where, f"{name} is not known; {near}")
            every = Names(every.known | names.known, every.needed | names.needed)
        return every


def steps_of(operation: Operation) -> list[Operation | Step]:
    """List everything in an operation that does something."""
    return [operation, *operation.steps]


def _requests_of(operation: Operation) -> Iterator[Http]:
    for holder in steps_of(operation):
        if holder.http is not None:
            yield holder.http
