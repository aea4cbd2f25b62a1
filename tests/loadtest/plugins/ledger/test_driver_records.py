from __future__ import annotations

from typing import Any

import pytest

from drivers.base import DriverError, NoDriver
from loadtest.plugins.ledger.driver_records import DriverRecords
from ocppj.errors import HarnessError
from ocppj.versions import Version


class Books(NoDriver):
    """A driver that reads transactions, and says only where it must of which station they are."""

    name = "books"

    def __init__(self, *, refuses: str = "") -> None:
        self.refuses = refuses
        self.closed = 0

    def close(self) -> None:
        self.closed += 1

    def missing(self, need: str, version: Version) -> str | None:
        return None if need == "transactions" else super().missing(need, version)

    def transactions(self, identity: str, version: Version) -> list[dict[str, Any]]:
        assert version is Version.V201
        if identity == self.refuses:
            raise DriverError(f"the CSMS does not know {identity}")
        return [{"transactionId": f"T-{identity}"}, {"transactionId": f"U-{identity}", "station": f"{identity}-B"}]


def test_the_transactions_of_every_station_are_asked_for_and_keep_their_station() -> None:
    driver = Books()
    found = DriverRecords(lambda: driver, lambda: ["CP1", "CP2"], Version.V201)()
    assert sorted((record["station"], record["transactionId"]) for record in found) == [
        ("CP1", "T-CP1"),
        ("CP1-B", "U-CP1"),
        ("CP2", "T-CP2"),
        ("CP2-B", "U-CP2"),
    ]
    assert driver.closed == 1


def test_what_the_csms_refuses_is_said_and_the_driver_is_closed() -> None:
    driver = Books(refuses="CP2")
    with pytest.raises(HarnessError, match="the CSMS does not know CP2"):
        DriverRecords(lambda: driver, lambda: ["CP1", "CP2"], Version.V201)()
    assert driver.closed == 1


def test_a_driver_that_cannot_read_transactions_says_so_before_the_run() -> None:
    assert DriverRecords(Books, list, Version.V16).missing() is None
    assert DriverRecords(NoDriver, list, Version.V16).missing() is not None
