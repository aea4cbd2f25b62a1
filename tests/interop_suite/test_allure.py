"""What Allure is given: suites, readable parameters, steps as long as they took, and broken for INCONCLUSIVE."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fixtures.csms import practice_csms
from interop_suite.main import run_interop
from interop_suite.run.features import features_template
from interop_suite.run.request import InteropRequest


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("allure")
    claims = folder / "features.yaml"
    claims.write_text(features_template())
    with practice_csms() as csms:
        request = InteropRequest(
            url=csms.url,
            out=str(folder / "run"),
            features=str(claims),
            select="1.6-TC_001_CSMS,2.0.1-TC_F_06_CSMS,1.6-RPC_07",
        )
        run_interop(request, jobs=1, write=lambda _: None)
    files = Path(folder / "run" / "allure-results").glob("*-result.json")
    found = [json.loads(file.read_text()) for file in files]
    return {result["name"].split(":")[0]: result for result in found}


def labels(result: dict[str, Any], name: str) -> list[str]:
    return [label["value"] for label in result["labels"] if label["name"] == name]


def test_titles_begin_with_version_and_id(results: dict[str, dict[str, Any]]) -> None:
    assert set(results) == {"1.6 TC_001_CSMS", "2.0.1 TC_F_06_CSMS", "1.6 RPC_07"}


@pytest.mark.parametrize(
    ("name", "suites"),
    [
        ("1.6 TC_001_CSMS", ("OCPP 1.6", "Core", "Core")),
        ("2.0.1 TC_F_06_CSMS", ("OCPP 2.0.1", "F Remote Control", "Core")),
        ("1.6 RPC_07", ("OCPP 1.6", "RPC", "own cases")),
    ],
)
def test_suites_are_version_block_and_certification_profile(
    results: dict[str, dict[str, Any]], name: str, suites: tuple[str, ...]
) -> None:
    found = tuple(labels(results[name], kind)[0] for kind in ("parentSuite", "suite", "subSuite"))
    assert found == suites


def test_parameters_can_be_read(results: dict[str, dict[str, Any]]) -> None:
    parameters = {one["name"]: one["value"] for one in results["1.6 RPC_07"]["parameters"]}
    assert parameters == {"interop_case": "1.6-RPC_07", "attempt": "1"}


def test_exchanges_are_steps_that_last_as_long_as_their_answer_took(results: dict[str, dict[str, Any]]) -> None:
    result = results["1.6 TC_001_CSMS"]
    first = result["steps"][0]
    assert first["name"].startswith("station → CSMS BootNotification: CALLRESULT")
    assert first["status"] == "passed"
    assert result["start"] <= first["start"] + 1000
    assert [step["start"] for step in result["steps"]] == sorted(step["start"] for step in result["steps"])
    assert all(0 <= step["stop"] - step["start"] < 10_000 for step in result["steps"])


def test_case_that_could_not_be_judged_is_broken_and_tells_only_its_reason(results: dict[str, dict[str, Any]]) -> None:
    result = results["2.0.1 TC_F_06_CSMS"]
    assert result["status"] == "broken"
    assert result["statusDetails"]["trace"].startswith("INCONCLUSIVE  2.0.1 TC_F_06_CSMS")
    assert "Traceback" not in result["statusDetails"]["trace"]
    assert ".py" not in result["statusDetails"]["trace"]
