"""How the stations of a load run are called: by a pattern, or from a list of registered ones."""

from __future__ import annotations

import csv
import io
import re
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from config.errors import ConfigError
from config.words import hint
from config.yaml_files import read_text
from fixtures.tokens import POOL_SIZE, is_pool_token, pool_token
from loadtest.workload.defaults import DEFAULT_PATTERN
from ocppj.errors import UsageError, as_usage_error

__all__ = ["Identities", "Lease", "read_identities", "read_tokens"]

_COLUMNS: Final = ("identity", "token", "password")
_TOKEN_COLUMN: Final = re.compile(r"tokens?\d*")
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

    @property
    def listed_tokens(self) -> tuple[str, ...]:
        """Every token of the station, where a list gives several; empty otherwise."""
        return (self.token, *self.more_tokens) if self.more_tokens else ()

    def token_at(self, connector: int, *, turn: int = 0, connectors: int = 1) -> str:
        """Return the token that drivers use at a connector, counted from 1.

        Every connector of the fleet has its own: one token at two connectors is ConcurrentTx (OCPP 1.6 §7.2). Where a
        list names several tokens of the station, its `connectors` share them out, and each takes its own in turn.
        """
        if tokens := self.listed_tokens:
            mine = tokens[(connector - 1) % len(tokens) :: max(connectors, 1)]
            return mine[turn % len(mine)]
        if connector == 1 or not is_pool_token(self.token):
            return self.token
        return pool_token((self.number + (connector - 1) * _TOKENS_APART) % POOL_SIZE)

    def __repr__(self) -> str:
        return f"Lease({self.number}, {self.identity!r})"


class Identities:
    """Station number to identity, token and password."""

    def __init__(
        self,
        pattern: str = DEFAULT_PATTERN,
        rows: list[Lease] | None = None,
        *,
        tokens: Sequence[str] = (),
        stations: int = 0,
    ) -> None:
        """Name by `pattern`, a format text with `{n}`, or take the `rows` of a list; raises `UsageError`.

        So many `stations` share the `tokens` out, where there are any; rows have theirs already.
        """
        if rows is None:
            _check_pattern(pattern)
        self._pattern = pattern
        self._rows = rows
        self._tokens = tuple(tokens)
        self._share = stations or len(tokens)

    def __eq__(self, other: object) -> bool:
        """Return whether both name every station alike."""
        return isinstance(other, Identities) and self._made_of() == other._made_of()

    def _made_of(self) -> tuple[Any, ...]:
        return self._pattern, self._rows, self._tokens, self._share

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
        identity = self._pattern.format(n=number)
        if not self._tokens:
            return Lease(number, identity, pool_token(number % POOL_SIZE))
        first = (number - 1) % min(self._share, len(self._tokens))
        token, *others = self._tokens[first :: self._share]
        return Lease(number, identity, token, None, tuple(others))

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


@as_usage_error(ConfigError)
def read_tokens(path: Path) -> list[str]:
    """Read a list of tokens, one on each line; a first line `token` is its title. Raises `UsageError` with the line."""
    line_of: dict[str, int] = {}
    for number, line in enumerate(read_text(path, "token list").splitlines(), 1):
        token = line.strip()
        if not token or (not line_of and token.lower() == "token"):
            continue
        if wrong := next((mark for mark in ",;\t " if mark in token), None):
            raise UsageError(f"{path}:{number}: expected one token on each line, but {token!r} has {wrong!r} in it")
        if token in line_of:
            raise UsageError(f"{path}:{number}: {token} stands in line {line_of[token]} already")
        line_of[token] = number
    if not line_of:
        raise UsageError(f"{path}:1: the token list is empty; write one token on each line")
    return list(line_of)


def _check_values(path: Path, lines: Sequence[tuple[int, list[str]]]) -> None:
    """Refuse a list with another separator, of which each line would be one long name."""
    for line, row in lines:
        for separator, name in ((";", "a semicolon"), ("\t", "a tab"), ("|", "a bar")):
            if separator in row[0]:
                raise UsageError(f"{path}:{line}: the values are separated by {name}; save the list with commas")


@as_usage_error(ConfigError)
def read_identities(path: Path) -> Identities:
    """Read a CSV list of registered stations: identity, and where given token and password.

    A first line that begins with `identity` names the columns. Several tokens of a station are separated by blanks, or
    stand in columns of their own: token, token2, token3.
    Raises `UsageError` with the line of the mistake.
    """
    reader = csv.reader(io.StringIO(read_text(path, "station list"), newline=""))
    try:
        lines = [(reader.line_num, row) for row in reader if any(row)]
    except csv.Error as error:
        raise UsageError(f"{path}:{reader.line_num}: expected CSV text, but {error}") from None
    columns: tuple[str, ...] = _COLUMNS
    _check_values(path, lines)
    if lines and lines[0][1][0].strip().lower() == _COLUMNS[0]:
        columns = tuple(name.strip().lower() for name in lines.pop(0)[1])
        unknown = [name for name in columns if name not in _COLUMNS and not _TOKEN_COLUMN.fullmatch(name)]
        if unknown:
            raise UsageError(f"{path}:1: the column {unknown[0]!r} is unknown; {hint(unknown[0], _COLUMNS)}")
    rows: list[Lease] = []
    line_of: dict[str, int] = {}
    for line, row in lines:
        if len(row) > len(columns):
            raise UsageError(f"{path}:{line}: more values than the columns {', '.join(columns)}")
        pairs = list(zip(columns, (value.strip() for value in row), strict=False))
        values = dict(pairs)
        identity = values.get("identity", "")
        if not identity:
            raise UsageError(f"{path}:{line}: the identity is empty")
        if identity in line_of:
            raise UsageError(f"{path}:{line}: {identity} stands in line {line_of[identity]} already")
        line_of[identity] = line
        number = len(rows) + 1
        listed = [token for name, value in pairs if _TOKEN_COLUMN.fullmatch(name) for token in value.split()]
        token, *others = listed or [pool_token(number % POOL_SIZE)]
        rows.append(Lease(number, identity, token, values.get("password") or None, tuple(others)))
    if not rows:
        raise UsageError(f"{path}:1: the station list is empty; write one identity on each line")
    return Identities(rows=rows)
