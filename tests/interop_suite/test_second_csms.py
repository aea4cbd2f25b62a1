"""Two CSMSs that know nothing of Plugstorm, each reached through a driver file of its own: no false alarm."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evidence.run_model import CaseResult
from evidence.verdicts import Verdict
from interop_suite.catalogue import all_cases
from interop_suite.run.driver_check import OperationState, check_driver
from interop_suite.run.plan import make_driver
from interop_suite.run.request import InteropRequest
from interop_suite.run.results import apply_expectation
from interop_suite.run.runner import Runner
from interop_suite.run.selection import load_expectations
from interop_suite.run.target import target_of

pytestmark = pytest.mark.waits

HERE = Path(__file__).parent
NODE_CSMS = HERE / "csms_ocpp_rpc"
OPERATOR_PASSWORD = "sesam-open-77"


@contextmanager
def running(command: Sequence[str], **variables: str) -> Iterator[dict[str, Any]]:
    """Start a CSMS and give the addresses that it writes; it ends with the context."""
    environment = {**os.environ, **variables}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(20)


def certification_list(request: InteropRequest, version: str = "1.6") -> dict[str, CaseResult]:
    cases = [case for case in all_cases() if case.ocpp == version and case.id.startswith("TC_")]
    expectations = load_expectations(request.expect, cases)
    driver = make_driver(request)
    runner = Runner(target_of(request), driver, None)
    with ThreadPoolExecutor(8) as pool:
        results = [apply_expectation(result, expectations) for result in pool.map(runner.run, cases)]
    driver.close()
    assert len(results) == {"1.6": 77, "2.0.1": 252}[version]
    return {result.id: result for result in results}


def other_than_ok(results: Mapping[str, CaseResult]) -> dict[str, str]:
    """Show the reason of what should not be there, and the bare verdict of the rest."""
    harmless = (Verdict.NOT_APPLICABLE, Verdict.XFAIL)
    return {
        name: str(result.verdict) if result.verdict in harmless else f"{result.verdict}: {result.reason}"
        for name, result in results.items()
        if result.verdict is not Verdict.OK
    }


def test_mobilityhouse_csms_no_false_alarm() -> None:
    with running([sys.executable, str(HERE / "csms_mobilityhouse.py")]) as csms:
        request = InteropRequest(
            url=csms["url"],
            tls_url=csms["tls_url"],
            ca_file=csms["ca"],
            driver=str(HERE / "csms_mobilityhouse.yaml"),
            driver_options={"api": csms["api"]},
            timeout=5,
        )
        assert other_than_ok(certification_list(request)) == {}
        checked = check_driver(request)
    states = {operation.operation: operation.state for operation in checked}
    assert OperationState.BROKEN not in states.values()
    assert {name for name, state in states.items() if state is OperationState.WORKS} == {
        "connect", "password", "register", "sign_client_certificate", "token:Accepted", "token:Blocked",
        "token:Expired", "token:parent", "transactions", "trigger:GetConfiguration",
    }  # fmt: skip


def failed(results: Mapping[str, CaseResult]) -> dict[str, str]:
    """Show what speaks against a CSMS, or says that the harness failed."""
    harmless = (Verdict.OK, Verdict.NOT_APPLICABLE, Verdict.NON_STRICT, Verdict.XFAIL)
    return {name: f"{r.verdict}: {r.reason}" for name, r in results.items() if r.verdict not in harmless}


def test_mobilityhouse_csms_of_201_no_false_alarm() -> None:
    with running([sys.executable, str(HERE / "csms_mobilityhouse_v201.py")]) as csms:
        request = InteropRequest(url=csms["url"], control_url=csms["api"], ocpp=("2.0.1",), timeout=5)
        results = certification_list(request, "2.0.1")
    assert failed(results) == {}
    assert sum(result.verdict is Verdict.OK for result in results.values()) > 200


@pytest.fixture(scope="module")
def node_csms(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of the CSMS on ocpp-rpc, installed with npm as its lock file says."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip(
            "Node and npm are not installed, and the CSMS on ocpp-rpc needs them; mobilityhouse's one is tested"
        )
    folder = tmp_path_factory.mktemp("ocpp-rpc")
    for name in ("package.json", "package-lock.json", "server.js", "server_v201.js"):
        shutil.copy(NODE_CSMS / name, folder)
    install = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"]
    done = subprocess.run(install, cwd=folder, check=False, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, f"npm could not install ocpp-rpc: {done.stderr[-1000:]}"
    return [node, str(folder / "server.js")]


def test_ocpp_rpc_csms_no_false_alarm(node_csms: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CSMS_PASSWORD", OPERATOR_PASSWORD)
    with running(node_csms) as csms:
        request = InteropRequest(
            url=csms["url"],
            driver=str(NODE_CSMS / "driver.yaml"),
            driver_options={"api": csms["api"]},
            expect=str(NODE_CSMS / "expected-failures.yaml"),
            timeout=5,
        )
        polled = certification_list(request)
        called_back = certification_list(
            msgspec.structs.replace(request, driver_options={"api": csms["api"], "hooks": "true"})
        )
    tls, signing = ("TC_083_CSMS", "TC_086_CSMS", "TC_087_CSMS"), ("TC_074_CSMS", "TC_077_CSMS")
    expected: dict[str, str] = {**dict.fromkeys((*tls, *signing), Verdict.NOT_APPLICABLE), "TC_088_CSMS": Verdict.XFAIL}
    assert other_than_ok(polled) == expected
    assert other_than_ok(called_back) == expected
    assert polled["TC_086_CSMS"].reason == "needs a wss:// address of the CSMS (--tls-url)"
    assert polled["TC_074_CSMS"].reason == "this CSMS signs no certificates"


def test_ocpp_rpc_csms_of_201_no_false_alarm(node_csms: list[str]) -> None:
    node, script = node_csms
    with running([node, str(Path(script).with_name("server_v201.js"))]) as csms:
        request = InteropRequest(
            url=csms["url"],
            control_url=csms["api"],
            ocpp=("2.0.1",),
            expect=str(NODE_CSMS / "expected-failures-v201.yaml"),
            timeout=5,
        )
        results = certification_list(request, "2.0.1")
    assert failed(results) == {}
    assert results["TC_B_58_CSMS"].verdict is Verdict.XFAIL
    assert sum(result.verdict is Verdict.OK for result in results.values()) > 200
