"""Records of transactions from any driver, station by station: the same driver file that the interop suite takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gevent.pool import Pool

from drivers.base import MOST_AT_ONCE, Driver
from ocppj.errors import HarnessError
from ocppj.versions import Version

__all__ = ["DriverRecords"]


class DriverRecords:
    """Asks a driver for the transactions of every station of a run, many stations at once."""

    def __init__(
        self, open_driver: Callable[[], Driver], stations: Callable[[], Sequence[str]], version: Version
    ) -> None:
        """Open the driver only when it is asked; `stations` names those of the run."""
        self._open_driver = open_driver
        self._stations = stations
        self._version = version

    def missing(self) -> str | None:
        """Say why the driver cannot tell what the CSMS recorded; None where it can."""
        driver = self._open_driver()
        try:
            return driver.missing("transactions", self._version)
        finally:
            driver.close()

    def __call__(self) -> list[dict[str, Any]]:
        """Return all transactions that the CSMS has recorded; raises `HarnessError`."""
        driver = self._open_driver()
        errors: list[HarnessError] = []
        found: list[dict[str, Any]] = []

        def ask(identity: str) -> None:
            if errors:
                return
            try:
                records = driver.transactions(identity, self._version)
            except HarnessError as error:
                errors.append(error)
                return
            # A driver that is asked for one station need not say again which one that was.
            found.extend({"station": identity} | record for record in records)

        try:
            pool = Pool(MOST_AT_ONCE)
            for identity in self._stations():
                pool.spawn(ask, identity)
            pool.join()
        finally:
            driver.close()
        if errors:
            raise errors[0]
        return found
