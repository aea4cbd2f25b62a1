"""Which commands a CSMS turned out not to have: a case that any command will do for then takes another one."""

from __future__ import annotations

from typing import Any, cast

from drivers.base import CommandResult, Driver, DriverCannotError, trigger_need
from interop_suite.catalogue import Case
from ocppj.versions import Version

__all__ = ["Lacking", "has_choice", "noticing"]

Lacking = set[tuple[str, Version]]
"""The needs that were found to be unmet when they were asked for."""
_ABSENT = ("NotImplemented", "NotSupported")


class _Noticing:
    """A driver, and what its CSMS said that it does not have."""

    def __init__(self, driver: Driver, lacking: Lacking) -> None:
        self._driver = driver
        self._lacking = lacking
        # A script that has chosen a command must not choose another one half-way.
        self._known = frozenset(lacking)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def missing(self, need: str, version: Version) -> str | None:
        """Say why a need cannot be met, also where only the try of it has shown so."""
        if (need, version) in self._known:
            return f"this CSMS said that it does not have {need.partition(':')[2]}"
        return self._driver.missing(need, version)

    def command(self, identity: str, action: str, payload: dict[str, Any], version: Version) -> CommandResult:
        """Give a command, and remember when there is no such command."""
        try:
            result = self._driver.command(identity, action, payload, version)
        except DriverCannotError:
            self._lacking.add((trigger_need(action), version))
            raise
        if result.status == "error" and result.origin == "csms" and result.code in _ABSENT:
            self._lacking.add((trigger_need(action), version))
        return result


def noticing(driver: Driver, lacking: Lacking) -> Driver:
    """Wrap a driver so that it misses what is `lacking`, and adds to it what the CSMS turns out not to have."""
    return cast("Driver", _Noticing(driver, lacking))


def has_choice(case: Case) -> bool:
    """Return whether a case is as well served by another command."""
    return any("|" in need for need in case.needs)
