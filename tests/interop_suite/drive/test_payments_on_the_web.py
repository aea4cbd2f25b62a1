"""A CSMS that tells the station of a payment before its page answers: the station is served meanwhile."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from drivers.base import DriverCannotError, DriverError
from interop_suite.drive.probe import Probe
from interop_suite.drive.transport import NoWayError
from ocppj.trace import TraceRecord
from ocppj.versions import Version


class Page:
    """A driver whose page answers once the station has been served, or not at all."""

    patience = 1.0

    def __init__(self, error: Exception | None = None) -> None:
        self.served = threading.Event()
        self._error = error

    def web_payment(self, _identity: str, _evse: int, _totp: str | None, _version: Version) -> None:
        assert self.served.wait(10)
        if self._error is not None:
            raise self._error


def paid(page: Page) -> tuple[bool, list[TraceRecord]]:
    records: list[TraceRecord] = []
    orders: Any = object.__new__(Probe)
    orders.driver, orders.version, orders.target = page, Version.V21, SimpleNamespace(timeout=1.0)
    orders._record, orders._pool = records.append, ThreadPoolExecutor(max_workers=1)

    def await_future(future: Future[None], longest: float) -> None:
        page.served.set()
        future.exception(longest)

    station: Any = SimpleNamespace(identity="CP", wake=lambda: None, await_future=await_future)
    return orders.pay_on_web(station, 2), records


def test_page_that_waits_for_the_station_no_false_alarm() -> None:
    taken, (record,) = paid(Page())
    assert taken
    assert "refused" not in record.info


def test_page_that_refuses_is_told() -> None:
    taken, (record,) = paid(Page(DriverError("HTTP 403")))
    assert not taken
    assert record.info["refused"] == "HTTP 403"


def test_driver_without_a_page_does_not_apply() -> None:
    with pytest.raises(NoWayError, match="no page"):
        paid(Page(DriverCannotError("no page")))
