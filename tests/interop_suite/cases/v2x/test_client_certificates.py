"""Client certificates: the operator that they name, and a CSMS that has no route to sign them."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.base import DriverCannotError, DriverError
from drivers.http import HttpDriver
from evidence.verdicts import Verdict
from fixtures.csms import practice_csms
from interop_suite.catalogue import all_cases
from interop_suite.drive.setup import CsmsUnderTest
from interop_suite.run.runner import Runner
from ocppj.versions import Version
from tests.drivers.stub_api import Said, StubApi

CASES = {case.key: case for case in all_cases()}
MUTUAL = "2.0.1-TC_A_07_CSMS"


@pytest.mark.parametrize(
    ("organization", "verdict"), [("Stadtwerke Musterau", Verdict.OK), ("Plugstorm", Verdict.INCONCLUSIVE)]
)
def test_client_certificates_name_the_operator_of_the_run(tmp_path: Path, organization: str, verdict: Verdict) -> None:
    ca_file = tmp_path / "root.pem"
    with practice_csms(tls_port=0, organization="Stadtwerke Musterau") as csms:
        ca_file.write_bytes(csms.do(lambda practice: practice.world.pki.authority.root_pem))
        target = CsmsUnderTest(
            url=csms.url, tls_url=csms.tls_url, ca_file=str(ca_file), organization=organization, timeout=2
        )
        driver = HttpDriver(csms.control_url)
        result = Runner(target, driver, None).run(CASES[MUTUAL])
        driver.close()
    assert result.verdict is verdict, result.reason


def test_a_control_port_without_the_route_cannot_sign_no_false_alarm() -> None:
    with StubApi(lambda _: Said(404, {"error": "no such route"})) as api:
        driver = HttpDriver(api.url)
        with pytest.raises(DriverCannotError, match="no such route"):
            driver.sign_client_certificate("CS 7", "csr", Version.V201)
        driver.close()


def test_a_control_port_that_fails_to_sign_is_no_missing_route() -> None:
    with StubApi(lambda _: Said(400, {"error": "that is no CSR"})) as api:
        driver = HttpDriver(api.url)
        with pytest.raises(DriverError, match="that is no CSR") as raised:
            driver.sign_client_certificate("CS7", "csr", Version.V21)
        driver.close()
    assert not isinstance(raised.value, DriverCannotError)


class Unsigned(HttpDriver):
    """The driver of a CSMS that signs nothing."""

    def __init__(self, control_url: str, elsewhere: str) -> None:
        super().__init__(control_url)
        self._elsewhere = HttpDriver(elsewhere)

    def sign_client_certificate(self, identity: str, csr: str, version: Version) -> str:
        return self._elsewhere.sign_client_certificate(identity, csr, version)

    def close(self) -> None:
        super().close()
        self._elsewhere.close()


def test_mutual_tls_does_not_apply_to_a_csms_without_the_route_no_false_alarm(tmp_path: Path) -> None:
    ca_file = tmp_path / "root.pem"
    with practice_csms(tls_port=0) as csms, StubApi(lambda _: Said(404, {})) as api:
        ca_file.write_bytes(csms.do(lambda practice: practice.world.pki.authority.root_pem))
        target = CsmsUnderTest(url=csms.url, tls_url=csms.tls_url, ca_file=str(ca_file), timeout=2)
        driver = Unsigned(csms.control_url, api.url)
        result = Runner(target, driver, None).run(CASES[MUTUAL])
        driver.close()
    assert result.verdict is Verdict.NOT_APPLICABLE, result.reason
