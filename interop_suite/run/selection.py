"""Which cases a run is about, and which of them are declared to fail."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from config.errors import ConfigError
from config.typed import convert
from config.words import hint
from config.yaml_files import read_yaml
from interop_suite.catalogue import Case
from ocppj.errors import UsageError, as_usage_error
from ocppj.versions import Version

__all__ = ["Expectation", "load_expectations", "select", "terms_of"]

SHORTEST_PREFIX = 3


def _nearest(word: str, known: Sequence[str]) -> str:
    """Write `; did you mean …?` where something known is near, else the list."""
    return f"; {hint(word, known)}"


_TERM = re.compile(r"^(?:(id|title|block|profile|level|initiator|ocpp):)?(.+)$", re.DOTALL)


def select(cases: Sequence[Case], expression: str | None, versions: Sequence[str]) -> list[Case]:
    """Choose cases: comma-separated terms, each the beginning of an id or a `kind:` of those in `_TERM` and a value.

    A term that begins with `!` takes cases away. Raises `UsageError` when nothing is left or a term matches nothing.
    """
    known = [str(version) for version in Version]
    for version in versions:
        if version not in known:
            raise UsageError(f"--ocpp {version} is not known{_nearest(version, known)}")
    pool = [case for case in cases if not versions or case.ocpp in versions]
    terms = terms_of(expression)
    wanted = [term for term in terms if not term.startswith("!")]
    if expression and not terms:
        raise UsageError(f"--select {expression!r} names no case; see plugstorm interop --list")
    for term in terms:
        if not any(_matches(case, term.removeprefix("!")) for case in cases):
            raise UsageError(f"--select {term} matches no case; {_hint(term.removeprefix('!'), cases)}")
    chosen = [c for c in pool if not wanted or any(_matches(c, term) for term in wanted)]
    return [c for c in chosen if not any(_matches(c, term[1:]) for term in terms if term.startswith("!"))]


def terms_of(expression: str | None) -> list[str]:
    """Split a selection into its terms."""
    return [term.strip() for term in (expression or "").split(",") if term.strip()]


def _hint(term: str, cases: Sequence[Case]) -> str:
    """Name the nearest known value of the kind, a few of them where they are few, or the command that lists them."""
    match = _TERM.match(term)
    kind, text = (match[1] or "id", match[2]) if match is not None else ("id", term)
    if text.startswith("verdict:"):
        return "a verdict is that of a run; name it with --again RUN"
    known = sorted({str(getattr(case, kind)) for case in cases})
    few = kind in ("level", "initiator", "ocpp")
    return hint(text, known, None if few else "see plugstorm interop --list")


def _matches(case: Case, term: str) -> bool:
    match = _TERM.match(term)
    if match is None:
        return False
    kind, text = match[1] or "id", match[2].lower()
    if kind == "id":
        # The beginning of an id names all that begin so, as `TC_023` or `AU_`.
        short = case.id.lower().removesuffix("_csms")
        return text in (case.id.lower(), case.key.lower(), short) or (
            len(text) >= SHORTEST_PREFIX and case.id.lower().startswith(text)
        )
    if kind == "title":
        return text in case.title.lower()
    return str(getattr(case, kind)).lower().replace(" ", "-") == text.replace(" ", "-")


class Expectation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One declared failure."""

    reason: str
    link: str | None = None


@as_usage_error(ConfigError)
def load_expectations(path: str | None, cases: Sequence[Case]) -> dict[str, Expectation]:
    """Read the declared failures, a YAML map from case id (or `<version>-<id>`) to `reason`.

    Raises `UsageError` for a file that cannot be read, an unknown id, or a missing reason.
    """
    if path is None:
        return {}
    document, location = read_yaml(Path(path), "file of expectations")
    entries = convert({} if document is None else document, dict[str, Expectation], location)
    known = sorted({case.id for case in cases} | {case.key for case in cases})
    for name in entries:
        if name not in known:
            raise location.below(name).error(f"{name} is not a case{_nearest(name, known)}")
    return entries
