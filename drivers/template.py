"""The expressions of a driver file: Jinja in a sandbox, with every value made safe for the place where it stands.

    place      a value is                                   a piece that is one `{{ expression }}` alone
    VALUE      written as text                              keeps its JSON type
    TEXT       written as text
    URL        percent-encoded, unless `| raw`
    SQL        a literal of the database's dialect
    CONDITION  (a bare expression, true or false)

In a body, `{{ … | default(omit) }}` leaves the field out.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import jinja2
import msgspec
from jinja2 import meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from drivers.base import DriverError
from ocppj.trace import wall_clock

__all__ = [
    "OMIT",
    "Dialect",
    "Names",
    "Place",
    "TemplateFault",
    "check",
    "fields_of",
    "holds",
    "names_in",
    "render",
    "render_tree",
]


class TemplateFault(Exception):  # noqa: N818  # a fault of the driver file, which the loader turns into a UsageError
    """A template that cannot work, whatever values it gets."""


class Names(NamedTuple):
    """What a template takes from its context."""

    known: frozenset[str]
    needed: frozenset[str]
    """Those that must have a value."""


class _Omit:
    """Stands for a field that is left out."""

    def __repr__(self) -> str:
        return "omit"


OMIT: Final = _Omit()


class Place(StrEnum):
    """Where a template stands, and so how its values are written."""

    VALUE = "value"
    TEXT = "text"
    URL = "url"
    SQL = "sql"
    CONDITION = "condition"


class Dialect(StrEnum):
    """How a database writes a string."""

    POSTGRESQL = "postgresql"
    MYSQL = "mysql"
    SQLITE = "sqlite"
    MSSQL = "mssql"


class _Raw(str):
    """Text that is inserted as it is."""

    __slots__ = ()


class _Missing(jinja2.ChainableUndefined, jinja2.StrictUndefined):
    """Something that is not there: `a.b.c | default(…)` works at any depth, and any other use is an error."""

    __slots__ = ()


class _Sandbox(ImmutableSandboxedEnvironment):
    """`payload.items` is the field of that name and never a method."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)


_RAW_BYTES = "raw bytes are no text; end with '| base64' or '| hex'"


# -- writing values ------------------------------------------------------------------------------------------------


def _text(value: Any) -> Any:
    match value:
        case str() | jinja2.Undefined():
            return value
        case _Omit():
            raise TemplateFault("'omit' leaves out a field of a body, a query or a header; it is not a piece of a text")
        case bool() | None | dict() | list() | tuple():
            return _json(value)
        case bytes():
            raise TemplateFault(_RAW_BYTES)
        case _:
            return str(value)


def _url(value: Any) -> Any:
    text = _text(value)
    return text if isinstance(text, _Raw | jinja2.Undefined) else quote(text, safe="")


_ESCAPES: dict[Dialect, Callable[[str], str]] = {
    Dialect.POSTGRESQL: lambda text: "'" + text.replace("'", "''") + "'",
    Dialect.MYSQL: lambda text: "'" + text.replace("\\", "\\\\").replace("'", "''") + "'",
    Dialect.SQLITE: lambda text: "'" + text.replace("'", "''") + "'",
    Dialect.MSSQL: lambda text: "N'" + text.replace("'", "''") + "'",
}
# What the client programs act upon even inside a literal.
_UNSAFE: dict[Dialect, re.Pattern[str]] = {
    Dialect.POSTGRESQL: re.compile("\x00"),
    Dialect.MYSQL: re.compile("\x00"),
    Dialect.SQLITE: re.compile("\x00"),
    Dialect.MSSQL: re.compile(r"[\x00\r\n]|\$\("),
}


def _literal(dialect: Dialect) -> Callable[[Any], Any]:
    def write(value: Any) -> Any:
        match value:
            case jinja2.Undefined():
                return value
            case None:
                return "NULL"
            case bool():
                return str(int(value)) if dialect is Dialect.MSSQL else str(value).upper()
            case int() | float():
                return repr(value)
        text = str(_text(value))
        if _UNSAFE[dialect].search(text):
            raise TemplateFault(f"{text[:40]!r} holds characters that must not reach a {dialect} client")
        return _ESCAPES[dialect](text)

    return write


# -- filters -------------------------------------------------------------------------------------------------------


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _kebab(text: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", text).lower()


def _merge(first: Mapping[str, Any], *others: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(first)
    for other in others:
        merged |= other
    return merged


def _without(value: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key not in names}


def _only(value: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key in names}


def _time(text: str, form: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).strftime(form)


def _fail(message: str) -> None:
    raise DriverError(message)


def _now(seconds: float = 0) -> str:
    return wall_clock(datetime.now(UTC).timestamp() + seconds)


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def _sha256(value: str | bytes, form: str = "hex") -> str | bytes:
    digest = hashlib.sha256(_bytes(value))
    if form == "raw":
        return digest.digest()
    if form == "base64":
        return base64.b64encode(digest.digest()).decode()
    if form == "hex":
        return digest.hexdigest()
    raise TemplateFault(f"sha256 writes hex, base64 or raw, and not {form!r}")


FILTERS: dict[str, Callable[..., Any]] = {
    "base64": lambda value: base64.b64encode(_bytes(value)).decode(),
    "hex": lambda value: _bytes(value).hex(),
    "json": _json,
    "kebab": _kebab,
    "lower_first": _lower_first,
    "merge": _merge,
    "only": _only,
    "raw": _Raw,
    "sha256": _sha256,
    "time": _time,
    "unbase64": lambda text: base64.b64decode(text, validate=True),
    "without": _without,
}
GLOBALS: dict[str, Any] = {"omit": OMIT, "fail": _fail, "now": _now}


def _environment(finalize: Callable[[Any], Any]) -> _Sandbox:
    environment = _Sandbox(undefined=_Missing, finalize=finalize, autoescape=False, keep_trailing_newline=True)
    environment.filters |= FILTERS
    environment.globals = GLOBALS.copy()
    return environment


_PLAIN = _environment(_text)
_ENVIRONMENTS: dict[tuple[Place, Dialect | None], _Sandbox] = {
    (Place.URL, None): _environment(_url),
    **{(Place.SQL, dialect): _environment(_literal(dialect)) for dialect in Dialect},
}
_GENTLE = ("default", "d", "defined", "undefined")
_MARKS = ("{{", "{%", "{#")


# -- compiling -----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _compile(text: str, place: Place, dialect: Dialect | None) -> Callable[[Mapping[str, Any]], Any]:
    """Make a function of the context; raises `jinja2.TemplateError`."""
    environment = _ENVIRONMENTS.get((place, dialect), _PLAIN)
    expression = _lone_expression(text)
    if place is Place.CONDITION:
        return environment.compile_expression(expression or text, undefined_to_none=False)
    if not any(mark in text for mark in _MARKS):
        return lambda _: text
    if place is Place.VALUE and expression is not None:
        return environment.compile_expression(expression, undefined_to_none=False)
    return environment.from_string(text).render


def _lone_expression(text: str) -> str | None:
    """Take the expression out of a text that is nothing but one `{{ … }}`."""
    if not (text.lstrip().startswith("{{") and text.rstrip().endswith("}}")):
        return None
    tokens = list(_PLAIN.lex(text.strip()))
    kinds = [kind for _, kind, _ in tokens]
    if kinds[0] != "variable_begin" or kinds[-1] != "variable_end" or kinds.count("variable_begin") != 1:
        return None
    return "".join(value for _, _, value in tokens[1:-1])


def check(text: str, place: Place) -> None:
    """Raise `TemplateFault` where a template is not valid Jinja."""
    try:
        _compile(text, place, Dialect.POSTGRESQL if place is Place.SQL else None)
    except jinja2.TemplateError as error:
        raise TemplateFault(f"{error.message} in {text.strip()[:80]!r}") from None


@lru_cache(maxsize=4096)
def names_in(text: str, place: Place) -> Names:
    """List the names that a template takes from its context; raises `TemplateFault` as `check`."""
    check(text, place)
    if place is Place.CONDITION and _lone_expression(text) is None:
        text = "{{ " + text + " }}"
    tree = _PLAIN.parse(text)
    known = frozenset(meta.find_undeclared_variables(tree)) - GLOBALS.keys()
    return Names(known, known & frozenset(_needed(tree)))


@lru_cache(maxsize=4096)
def fields_of(text: str, name: str) -> frozenset[str] | None:
    """List the fields of one name that a template writes, dotted; None where it takes the whole.

    What a template only tests, as `… if payload.key is defined`, is not written.
    """
    fields: set[str] = set()
    for path in _paths(_PLAIN.parse(text), name):
        if not path:
            return None
        fields.add(path)
    return frozenset(fields)


def _paths(node: nodes.Node, name: str) -> Iterator[str]:
    if isinstance(node, nodes.Test):
        return
    path = _path_to(node, name)
    if path is not None:
        yield path
        return
    for child in node.iter_child_nodes():
        yield from _paths(child, name)


def _path_to(node: nodes.Node, name: str) -> str | None:
    """Write `payload.log.location` as `log.location`, and the name itself as nothing."""
    match node:
        case nodes.Name():
            return "" if node.name == name else None
        case nodes.Getattr():
            field = node.attr
        case nodes.Getitem(arg=nodes.Const(value=str(field))):
            pass
        case _:
            return None
    holder = _path_to(node.node, name)
    return None if holder is None else f"{holder}.{field}".lstrip(".")


def _needed(node: nodes.Node) -> Iterator[str]:
    """Find the names that a template cannot do without: not only tested, and given no default."""
    for child in node.iter_child_nodes():
        if isinstance(child, nodes.Name):
            tested = isinstance(node, nodes.Filter | nodes.Test) and node.node is child and node.name in _GENTLE
            if not tested:
                yield child.name
        else:
            yield from _needed(child)


# -- rendering -----------------------------------------------------------------------------------------------------


def render(text: str, place: Place, context: Mapping[str, Any], dialect: Dialect | None = None) -> Any:
    """Fill in a template; raises `DriverError` where a value is missing or does not fit."""
    try:
        value = _compile(text, place, dialect)(context)
    except DriverError:
        raise
    except jinja2.UndefinedError as error:
        raise DriverError(f"{_short(text)}: {error.message}; write '| default(…)' where it may be missing") from None
    except Exception as error:  # noqa: BLE001  # whatever a template does is a mistake of the driver file
        raise DriverError(f"{_short(text)}: {error}") from None
    if isinstance(value, jinja2.Undefined):
        if place is Place.CONDITION:
            return False
        raise DriverError(f"{_short(text)} is missing; write '| default(omit)' where it may be")
    if isinstance(value, bytes):
        raise DriverError(f"{_short(text)}: {_RAW_BYTES}")
    return str(value) if isinstance(value, _Raw) else value


def holds(condition: str | None, context: Mapping[str, Any]) -> bool:
    """Return whether a condition is true; none at all is true, and one about something missing is not."""
    return condition is None or bool(render(condition, Place.CONDITION, context))


def render_tree(tree: Any, context: Mapping[str, Any]) -> Any:
    """Fill in every string of a body; fields and entries that come out as `omit` are left out."""
    match tree:
        case str():
            return render(tree, Place.VALUE, context)
        case dict():
            filled = {key: render_tree(item, context) for key, item in tree.items()}
            return {key: item for key, item in filled.items() if item is not OMIT}
        case list():
            return [item for entry in tree if (item := render_tree(entry, context)) is not OMIT]
        case _:
            return tree


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:100]}…"  # noqa: PLR2004  # a line for people
