"""False alarms that a CSMS raised which has only a part of the driver contract, or only some of the commands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from drivers.base import CommandResult, DriverCannotError, DriverError, StationSettings, TokenSettings
from drivers.http import HttpDriver
from evidence.run_model import CaseResult
from evidence.verdicts import Verdict
from fixtures.csms import practice_csms
from interop_suite.catalogue import all_cases
from interop_suite.drive.setup import CsmsUnderTest
from interop_suite.run.runner import Runner
from ocppj.versions import Version
from tests.drivers.stub_api import Said, StubApi

CASES = {case.id: case for case in all_cases() if case.ocpp is Version.V16}
ABSENT = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)


class Blind(HttpDriver):
    """The driver of a CSMS that shows neither its records nor its connections."""

    def __init__(self, control_url: str, elsewhere: str) -> None:
        super().__init__(control_url)
        self._elsewhere = HttpDriver(elsewhere)

    def transactions(self, identity: str, version: Version) -> list[dict[str, Any]]:
        return self._elsewhere.transactions(identity, version)

    def online(self, identity: str, version: Version) -> bool:
        return self._elsewhere.online(identity, version)

    def close(self) -> None:
        super().close()
        self._elsewhere.close()


class Subset(HttpDriver):
    """The driver of a CSMS without some of the commands."""

    lacks: tuple[str, ...] = ()
    asked: list[str]

    def command(self, identity: str, action: str, payload: dict[str, Any], version: Version) -> CommandResult:
        self.asked = [*getattr(self, "asked", []), action]
        if action in self.lacks:
            return CommandResult(status="error", code="NotSupported", description="no such thing", origin="csms")
        return super().command(identity, action, payload, version)


@contextmanager
def driver_of(status: int) -> Iterator[HttpDriver]:
    with StubApi(lambda _: Said(status, {"error": "nothing here"})) as api:
        driver = HttpDriver(api.url)
        yield driver
        driver.close()


def ran(driver: HttpDriver, url: str, *names: str, traces: Path | None = None) -> list[CaseResult]:
    runner = Runner(CsmsUnderTest(url=url, timeout=2), driver, traces)
    return [runner.run(CASES[name]) for name in names]


@pytest.mark.parametrize("status", ABSENT)
def test_a_route_that_the_csms_does_not_have_is_no_way_and_no_failure_no_false_alarm(status: int) -> None:
    with driver_of(status) as driver:
        for ask in (
            lambda: driver.transactions("CP1", Version.V16),
            lambda: driver.online("CP1", Version.V16),
            lambda: driver.set_token("04A1", TokenSettings(status="Accepted"), Version.V16),
            lambda: driver.command("CP1", "Reset", {"type": "Soft"}, Version.V16),
            lambda: driver.register("CP1", StationSettings(password="P4711"), Version.V16),
        ):
            with pytest.raises(DriverCannotError, match="no such route"):
                ask()


def test_a_csms_that_registers_nobody_may_take_stations_as_they_come_no_false_alarm() -> None:
    with driver_of(HTTPStatus.NOT_FOUND) as driver:
        driver.register("CP1", StationSettings(), Version.V16)


def test_a_route_that_breaks_is_a_failure_of_the_driver() -> None:
    with driver_of(HTTPStatus.INTERNAL_SERVER_ERROR) as driver:
        with pytest.raises(DriverError, match="500") as raised:
            driver.register("CP1", StationSettings(), Version.V16)
        assert not isinstance(raised.value, DriverCannotError)


def test_what_only_records_or_connections_show_does_not_apply_without_them_no_false_alarm() -> None:
    with practice_csms() as csms, StubApi(lambda _: Said(HTTPStatus.NOT_FOUND, {})) as api:
        driver = Blind(csms.control_url, api.url)
        results = ran(driver, csms.url, "FLD_01", "FLD_03", "FLD_65", "FLD_40", "ST_20", "ST_22")
        driver.close()
    assert {result.id: result.reason for result in results if result.verdict is not Verdict.NOT_APPLICABLE} == {}


def test_records_that_cannot_be_read_for_a_moment_are_not_taken_for_absent_ones() -> None:
    with practice_csms() as csms, StubApi(lambda _: Said(HTTPStatus.INTERNAL_SERVER_ERROR, {})) as api:
        driver = Blind(csms.control_url, api.url)
        (result,) = ran(driver, csms.url, "FLD_01")
        driver.close()
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "500" in result.reason


def test_any_command_will_do_where_the_csms_does_not_have_the_first_no_false_alarm(tmp_path: Path) -> None:
    with practice_csms() as csms:
        driver = Subset(csms.control_url)
        driver.lacks = ("GetLocalListVersion", "ClearCache")
        results = ran(driver, csms.url, "ID_08_2", "CMD_03", traces=tmp_path)
        driver.close()
    assert {result.id: result.verdict for result in results} == {"ID_08_2": Verdict.OK, "CMD_03": Verdict.OK}
    # What was learned in one case is not tried again in the next.
    assert driver.asked.count("ClearCache") == 1


def test_a_csms_without_any_of_the_commands_ends_the_case() -> None:
    with practice_csms() as csms:
        driver = Subset(csms.control_url)
        driver.lacks = ("ClearCache", "ChangeAvailability", "TriggerMessage", "DataTransfer")
        (result,) = ran(driver, csms.url, "CMD_03")
        driver.close()
    assert result.verdict is Verdict.NOT_APPLICABLE
