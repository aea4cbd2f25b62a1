"""How the stations of a load run are called: by a pattern, or from a list of registered ones."""

from __future__ import annotations

import csv
import io
import string
from pathlib import Path
from typing import Final

import msgspec

from config.errors import ConfigError
from config.words import hint
from config.yaml_files import read_text
from fixtures.tokens import POOL_SIZE, is_pool_token, pool_token
from loadtest.workload.defaults import DEFAULT_PATTERN
from ocppj.errors import UsageError, as_usage_error

__all__ = ["Identities", "Lease", "read_identities"]

_COLUMNS: Final = ("identity", "token", "password")
_TOKENS_APART: Final = POOL_SIZE // 8
"""Between the tokens of two connectors of one station."""


class Lease(msgspec.Struct, frozen=True, array_like=True):
    """The right of one process to connect as one station."""

    number: int
    """Counts from 1 over the whole run, whichever worker holds it; seeds and phases follow from it."""
    identity: str
    token: str
    """An idTag / idToken that no other station uses."""
    password: str | None = None
    """Only where a list gives one for this station."""
    more_tokens: tuple[str, ...] = ()
    """Further ones of the station's drivers, where a list gives several."""

    def token_at(self, connector: int) -> str:
        """Return the token that drivers use at a connector, counted from 1.

        Every connector of the fleet has its own: one token at two connectors is ConcurrentTx (OCPP 1.6 §7.2). Where a
        list names the station's tokens, its connectors share them out.
        """
        if self.more_tokens:
            tokens = (self.token, *self.more_tokens)
            return tokens[(connector - 1) % len(tokens)]
        if connector == 1 or not is_pool_token(self.token):
            return self.token
        return pool_token((self.number + (connector - 1) * _TOKENS_APART) % POOL_SIZE)

    def __repr__(self) -> str:
        return f"Lease({self.number}, {self.identity!r})"


class Identities:
    """Station number to identity, token and password."""

    def __init__(self, pattern: str = DEFAULT_PATTERN, rows: list[Lease] | None = None) -> None:
        """Name by `pattern`, a format text with `{n}`, or take the `rows` of a list; raises `UsageError`."""
        if rows is None:
            _check_pattern(pattern)
        self._pattern = pattern
        self._rows = rows

    def __eq__(self, other: object) -> bool:
        """Return whether both name every station alike."""
        return isinstance(other, Identities) and (self._pattern, self._rows) == (other._pattern, other._rows)

    def __hash__(self) -> int:
        return hash(self._pattern)

    @property
    def capacity(self) -> int | None:
        """How many stations can be named; None without a limit."""
        return None if self._rows is None else len(self._rows)

    def lease(self, number: int) -> Lease:
        """Name a station; numbers count from 1."""
        if self._rows is not None:
            return self._rows[number - 1]
        return Lease(number, self._pattern.format(n=number), pool_token(number % POOL_SIZE))

    def checkers(self, stations: int) -> list[Lease]:
        """Return who may look whether the CSMS is there: a station that a run of so many does not use, then its last.

        The first is missing where a list has no more; the second is for a CSMS that does not know the first.
        """
        last = stations if self._rows is None else min(stations, len(self._rows))
        spare = [self.lease(last + 1)] if self._rows is None or last < len(self._rows) else []
        return [*spare, self.lease(max(last, 1))]


def _check_pattern(pattern: str) -> None:
    hint = f"name stations with a pattern such as {DEFAULT_PATTERN}"
    try:
        fields = [field for _, field, _, _ in string.Formatter().parse(pattern) if field is not None]
        distinct = {pattern.format(n=n) for n in (1, 2, 10, 999_999, 1_000_000)}
    except (ValueError, KeyError, IndexError, AttributeError) as error:
        raise UsageError(f"The identity pattern {pattern!r} cannot be used ({error}); {hint}") from None
    if set(fields) != {"n"} or len(distinct) != 5:  # noqa: PLR2004 - the five samples above
        raise UsageError(f"The identity pattern {pattern!r} does not give each station its own name; {hint}")


def _check_separator(path: Path, line: str) -> None:
    """Refuse a list with another separator, of which each line would be one long name."""
    for separator, name in ((";", "a semicolon"), ("\t", "a tab")):
        if separator in line:
            raise UsageError(f"{path}:1: the values are separated by {name}; save the list with commas")


@as_usage_error(ConfigError)
def read_identities(path: Path) -> Identities:
    """Read a CSV list of registered stations: identity, and where given token and password.

    A first line that begins with `identity` names the columns. Several tokens of a station are separated by blanks.
    Raises `UsageError` with the line of the mistake.
    """
    reader = csv.reader(io.StringIO(read_text(path, "station list"), newline=""))
    try:
        lines = [(reader.line_num, row) for row in reader if any(row)]
    except csv.Error as error:
        raise UsageError(f"{path}:{reader.line_num}: expected CSV text, but {error}") from None
    if lines and len(lines[0][1]) == 1:
        _check_separator(path, lines[0][1][0])
    columns: tuple[str, ...] = _COLUMNS
    if lines and lines[0][1][0].strip().lower() == _COLUMNS[0]:
        columns = tuple(name.strip().lower() for name in lines.pop(0)[1])
        unknown = [name for name in columns if name not in _COLUMNS]
        if unknown:
            raise UsageError(f"{path}:1: the column {unknown[0]!r} is unknown; {hint(unknown[0], _COLUMNS)}")
    rows: list[Lease] = []
    line_of: dict[str, int] = {}
    for line, row in lines:
        if len(row) > len(columns):
            raise UsageError(f"{path}:{line}: more values than the columns {', '.join(columns)}")
        values = dict(zip(columns, (value.strip() for value in row), strict=False))
        identity = values.get("identity", "")
        if not identity:
            raise UsageError(f"{path}:{line}: the identity is empty")
        if identity in line_of:
            raise UsageError(f"{path}:{line}: {identity} stands in line {line_of[identity]} already")
        line_of[identity] = line
        number = len(rows) + 1
        token, *others = values.get("token", "").split() or [pool_token(number % POOL_SIZE)]
        rows.append(Lease(number, identity, token, values.get("password") or None, tuple(others)))
    if not rows:
        raise UsageError(f"{path}:1: the station list is empty; write one identity on each line")
    return Identities(rows=rows)
