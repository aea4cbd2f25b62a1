"""The YAML engine is enough: the practice preset does whatever the built-in driver does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from drivers.base import Driver, StationSettings, TokenSettings
from evidence.run_model import CaseResult
from evidence.verdicts import Verdict
from fixtures.csms import practice_csms
from interop_suite.catalogue import all_cases
from interop_suite.run.plan import make_driver
from interop_suite.run.request import InteropRequest
from interop_suite.run.runner import Runner
from interop_suite.run.state import csms_request
from interop_suite.run.target import target_of
from ocppj.versions import Version


def run_certification_list(name: str) -> list[CaseResult]:
    with practice_csms(tls_port=0, call_timeout=2) as csms, csms_request(csms, InteropRequest(timeout=2)) as settings:
        driver = make_driver(msgspec.structs.replace(settings, driver=name))
        runner = Runner(target_of(settings), driver, None)
        cases = [case for case in all_cases() if case.ocpp == "1.6" and case.id.startswith("TC_")]
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(runner.run, cases))
        driver.close()
    return results


def test_all_77_cases_pass_with_the_practice_preset() -> None:
    results = run_certification_list("practice")
    assert len(results) == 77
    assert {result.id: result.reason for result in results if result.verdict is not Verdict.OK} == {}


@pytest.mark.parametrize("version", [Version.V16, Version.V201])
def test_practice_preset_and_built_in_driver_do_the_same(version: Version) -> None:
    kind = None if version is Version.V16 else "ISO14443"

    def drive(driver: Driver, control_url: str) -> list[object]:
        driver.health(version)
        settings = StationSettings(password="stati0n-pass", security_profile=1, boot_status="Pending", interval=7)
        driver.register("CP/1 ü", settings, version)
        driver.set_token("A 1", TokenSettings(status="Blocked", expiry="2030-01-01T00:00:00Z", type=kind), version)
        offline = driver.command("CP/1 ü", "ClearCache", {}, version)
        assert driver.missing("trigger:Reset", version) is None
        return [
            offline,
            driver.transactions("CP/1 ü", version),
            driver.online("CP/1 ü", version),
            control_url.startswith("http"),
        ]

    outcomes = []
    for name in ("http", "practice"):
        with practice_csms() as csms:
            driver = make_driver(InteropRequest(driver=name, control_url=csms.control_url))
            outcomes.append(drive(driver, csms.control_url))
            stations = csms.do(lambda practice: list(practice.world.stations.values()))
            outcomes[-1].append([(s.identity, s.boot_status, s.interval, s.security_profile) for s in stations])
            driver.close()
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][-1] == [("CP/1 ü", "Pending", 7, 1)]
