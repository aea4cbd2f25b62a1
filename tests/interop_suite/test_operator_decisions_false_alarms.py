"""A CSMS that closes the connection when its operator decides anew about a station, so that the decision counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from drivers.base import Driver, StationSettings
from evidence.verdicts import Verdict
from fixtures.csms import ThreadCsms, practice_csms
from fixtures.csms.defects.model import Defect
from fixtures.csms.exchange import Exchange
from interop_suite.catalogue import Case, all_cases
from interop_suite.run.driver_check import OperationState, check_driver
from interop_suite.run.plan import make_driver
from interop_suite.run.request import InteropRequest
from interop_suite.run.runner import Runner
from interop_suite.run.state import csms_request
from interop_suite.run.target import target_of
from ocppj.versions import Version

GOING_AWAY = 1001
IDS = ("FLD_33", "FLD_51", "FLD_52", "ST_02", "ST_03", "ST_41", "ST_42", "TC_B_02_CSMS", "TC_B_31_CSMS")
CASES = [case for case in all_cases() if case.id in IDS]


class _Closing:
    """Closes the connection of a station whenever its operator has decided about it."""

    def __init__(self, driver: Driver, csms: ThreadCsms) -> None:
        self._driver = driver
        self._csms = csms

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def register(self, identity: str, settings: StationSettings, version: Version) -> None:
        self._driver.register(identity, settings, version)
        self._csms.do(lambda practice: self._close(practice.world, identity))

    @staticmethod
    def _close(world: Any, identity: str) -> None:
        connection = world.connections.of(world.stations[identity])
        if connection is not None:
            connection.link.close(GOING_AWAY, "")


@pytest.fixture(scope="module")
def run() -> Iterator[Callable[[Case], Any]]:
    with practice_csms(call_timeout=2) as csms, csms_request(csms, InteropRequest(timeout=2)) as request:
        driver = make_driver(request)
        closing: Any = _Closing(driver, csms)
        try:
            yield Runner(target_of(request), closing, None).run
        finally:
            driver.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_connection_that_ends_with_a_decision_of_the_operator_no_false_alarm(
    case: Case, run: Callable[[Case], Any]
) -> None:
    result = run(case)
    assert result.verdict is Verdict.OK, result.reason


def _sets_up_first() -> Defect:
    """Answer Pending once to each station that is to be accepted."""
    known: set[str] = set()
    freedom = Defect("sets-up-first", title="Does what the texts leave open.", breaks="Nothing.")

    @freedom.payload("BootNotification")
    def _(exchange: Exchange, payload: dict[str, Any]) -> None:
        if payload["status"] == "Accepted" and exchange.station.identity not in known:
            known.add(exchange.station.identity)
            payload["status"] = "Pending"

    return freedom


@pytest.mark.parametrize("version", list(Version))
def test_station_that_is_set_up_before_it_is_accepted_no_false_alarm(version: Version) -> None:
    with practice_csms(call_timeout=2) as csms, csms_request(csms, InteropRequest(timeout=2)) as request:
        csms.do(lambda practice: practice.hooks.activate([_sets_up_first()]))
        driver = make_driver(request)
        try:
            runner = Runner(target_of(request), driver, None, introspection=csms)
            result = runner.run(next(case for case in CASES if (case.id, case.ocpp) == ("ST_42", version)))
        finally:
            driver.close()
    assert result.verdict is Verdict.OK, result.reason


def test_driver_of_a_csms_that_closes_the_connection_then_works_no_false_alarm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with practice_csms(call_timeout=2) as csms, csms_request(csms, InteropRequest(timeout=2, ocpp=("1.6",))) as request:
        closing: Any = _Closing(make_driver(request), csms)
        monkeypatch.setattr("interop_suite.run.driver_check.make_driver", lambda _: closing)
        checked = check_driver(request, ["boot_status"])
    assert {each.operation: each.state for each in checked}["boot_status"] is OperationState.WORKS
