"""The settings of an interop run, from pytest's command line or `plugstorm interop`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

import drivers.factory
from config.errors import ConfigError
from config.typed import convert
from config.words import hint
from config.yaml_files import read_yaml
from drivers.base import Driver
from interop_suite.catalogue import Case
from interop_suite.drive.probe import Target
from ocppj.errors import UsageError, as_usage_error
from ocppj.identity import check_target_url
from ocppj.versions import Version

__all__ = ["Expectation", "Settings", "load_expectations", "make_driver", "select"]

SHORTEST_PREFIX = 3


class Settings(msgspec.Struct, kw_only=True):
    """Everything that was asked for; sent to the workers of a parallel run as plain data."""

    url: str | None = None
    tls_url: str | None = None
    ca_file: str | None = None
    ocpp: list[str] = []
    driver: str | None = None
    control_url: str | None = None
    driver_options: dict[str, str] = {}
    resume: str | None = None
    """Folder of an earlier run, or its answers file, for a driver that asks a person."""
    select: str | None = None
    expect: str | None = None
    out: str | None = None
    password: str | None = None
    identities: list[str] = []
    tokens: dict[str, str] = {}
    timeout: float = 10.0
    model: str = "ac-dual"
    repeat: int = 1
    strict_order: bool = False
    """Whether a CALL that the case did not ask for is FAILED."""

    def target(self) -> Target:
        """Describe the CSMS; raises `UsageError` for what cannot work."""
        if self.url is None:
            raise UsageError("No CSMS was named; give its address with --csms-url")
        if self.repeat < 1:
            raise UsageError(f"--repeat {self.repeat} must be 1 or more")
        if self.timeout <= 0:
            raise UsageError(f"--timeout {self.timeout:g} must be above 0 seconds")
        if self.ca_file is not None and not Path(self.ca_file).is_file():
            raise UsageError(f"--ca {self.ca_file} does not exist; name the PEM file of the root that signed the CSMS")
        return Target(
            url=check_target_url(self.url),
            tls_url=None if self.tls_url is None else check_target_url(self.tls_url),
            ca_file=self.ca_file,
            identities=tuple(self.identities),
            tokens=self.tokens,
            password=self.password,
            model=self.model,
            timeout=self.timeout,
        )


def make_driver(settings: Settings) -> Driver:
    """Choose the driver that the settings describe; raises `UsageError` for what cannot work."""
    return drivers.factory.make_driver(settings.driver, settings.driver_options, settings.control_url, settings.resume)


def nearest(word: str, known: Sequence[str]) -> str:
    """Write `; did you mean …?` where something known is near, else the list."""
    return f"; {hint(word, known)}"


_TERM = re.compile(r"^(?:(id|block|profile|level|initiator|ocpp|verdict):)?(.+)$")


def select(cases: Sequence[Case], expression: str | None, versions: Sequence[str]) -> list[Case]:
    """Choose cases: comma-separated terms, each a piece of an id or `block:`, `profile:`, `level:`, `initiator:`.

    A term that begins with `!` takes cases away. Raises `UsageError` when nothing is left or a term matches nothing.
    """
    known = [str(version) for version in Version]
    for version in versions:
        if version not in known:
            raise UsageError(f"--ocpp {version} is not known{nearest(version, known)}")
    pool = [case for case in cases if not versions or case.ocpp in versions]
    if not expression:
        return pool
    terms = [term.strip() for term in expression.split(",") if term.strip()]
    wanted = [term for term in terms if not term.startswith("!")]
    for term in terms:
        if not any(_matches(case, term.lstrip("!")) for case in cases):
            names = sorted({case.id for case in cases} | {case.block for case in cases})
            raise UsageError(f"--select {term} matches no case{nearest(term.lstrip('!'), names)}")
    chosen = [c for c in pool if not wanted or any(_matches(c, term) for term in wanted)]
    return [c for c in chosen if not any(_matches(c, term[1:]) for term in terms if term.startswith("!"))]


def _matches(case: Case, term: str) -> bool:
    match = _TERM.match(term)
    assert match is not None
    kind, text = match[1] or "id", match[2].lower()
    if kind == "id":
        # The beginning of an id names all that begin so, as `TC_023` or `AU_`.
        short = case.id.lower().removesuffix("_csms")
        return text in (case.id.lower(), case.key.lower(), short) or (
            len(text) >= SHORTEST_PREFIX and case.id.lower().startswith(text)
        )
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
            raise location.below(name).error(f"{name} is no case{nearest(name, known)}")
    return entries
