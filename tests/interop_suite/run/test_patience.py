"""A command that is slow on its way counts, whoever is slow."""

from __future__ import annotations

import threading
from typing import Any

import msgspec
import pytest

from drivers.base import CommandResult
from drivers.http import HttpDriver
from evidence.verdicts import Verdict
from fixtures.csms import ThreadCsms, practice_csms
from interop_suite.catalogue import Case, all_cases
from interop_suite.drive.probe import Probe
from interop_suite.drive.setup import CsmsUnderTest
from interop_suite.run.runner import Runner
from ocppj.versions import Version

PATIENCE = 0.05


class HesitantDriver(HttpDriver):
    """Hands a command over only when somebody lets it, or after its own delay."""

    def __init__(self, control_url: str, *, delay: float = 60.0) -> None:
        super().__init__(control_url)
        self.let_go = threading.Event()
        self.delay = delay

    def command(self, identity: str, action: str, payload: dict[str, Any], version: Version) -> CommandResult:
        self.let_go.wait(self.delay)
        return super().command(identity, action, payload, version)


class Watched:
    """The introspection of a CSMS, which lets the driver go as soon as somebody asks for the orders."""

    def __init__(self, csms: ThreadCsms, driver: HesitantDriver) -> None:
        self.csms = csms
        self.driver = driver

    def settle(self) -> None:
        self.csms.settle()

    def ordered(self, identity: str) -> int:
        self.driver.let_go.set()
        return self.csms.ordered(identity)


def case_called(name: str) -> Case:
    return next(case for case in all_cases() if case.id == name)


@pytest.mark.parametrize("introspection", [True, False])
def test_command_that_a_busy_machine_has_not_handed_over_yet_counts_if_anybody_can_tell(*, introspection: bool) -> None:
    found = []

    with practice_csms() as csms:
        driver = HesitantDriver(csms.control_url)

        def script(probe: Probe) -> None:
            probe.trigger("ClearCache", {})
            found.append(probe.station.expect("ClearCache") is not None)
            driver.let_go.set()

        target = CsmsUnderTest(url=csms.url, timeout=PATIENCE)
        case = msgspec.structs.replace(case_called("TC_061_CSMS"), script=script)
        Runner(target, driver, None, introspection=Watched(csms, driver) if introspection else None).run(case)
    assert found == [introspection]


def test_command_that_the_csms_is_slow_to_send_no_false_alarm() -> None:
    with practice_csms() as csms:
        target = CsmsUnderTest(url=csms.url, timeout=3 * PATIENCE)
        driver = HesitantDriver(csms.control_url, delay=4 * PATIENCE)
        assert Runner(target, driver, None).run(case_called("RPC_19")).verdict is Verdict.OK
