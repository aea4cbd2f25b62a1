from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from evidence.run_folder import read_run
from evidence.run_model import Generator, RunTarget, SloResult
from evidence.verdicts import RunVerdict
from reports.junit import junit_xml, write_junit
from tests.reports.report_builders import (
    edit_run,
    every_verdict,
    hostile_case,
    make_case,
    write_interop,
    write_load,
)

# What the schema of Jenkins' xUnit plugin and GitLab's parser know: element, its attributes, its children.
SCHEMA = {
    "testsuites": ({"name", "time", "tests", "failures", "disabled", "errors", "skipped"}, {"testsuite"}),
    "testsuite": (
        {
            "name",
            "tests",
            "failures",
            "errors",
            "time",
            "disabled",
            "skipped",
            "timestamp",
            "hostname",
            "id",
            "package",
        },
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "properties": (set[str](), {"property"}),
    "property": ({"name", "value"}, set[str]()),
    "testcase": (
        {"name", "assertions", "time", "classname", "status", "file"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": ({"type", "message"}, set[str]()),
    "error": ({"type", "message"}, set[str]()),
    "skipped": ({"message"}, set[str]()),
    "system-out": (set[str](), set[str]()),
}


def check_schema(root: ET.Element) -> None:
    assert root.tag == "testsuites"
    for parent in root.iter():
        attributes, children = SCHEMA[parent.tag]
        assert set(parent.attrib) <= attributes, parent.tag
        assert {child.tag for child in parent} <= children, parent.tag
    for suite in (root, *root.iter("testsuite")):
        cases = list(suite.iter("testcase"))
        assert int(suite.attrib["tests"]) == len(cases)
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.attrib[attribute]) == sum(case.find(tag) is not None for case in cases)
        assert float(suite.attrib["time"]) == pytest.approx(sum(float(case.attrib["time"]) for case in cases))
    for suite in root.iter("testsuite"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
        assert suite[0].tag == "properties"


def parse(folder: Path) -> ET.Element:
    root = ET.fromstring(write_junit(folder, read_run(folder)).read_bytes())
    check_schema(root)
    return root


def case_of(root: ET.Element, case_id: str) -> ET.Element:
    (found,) = [case for case in root.iter("testcase") if case.attrib["name"].startswith(case_id + " ")]
    return found


@pytest.fixture(scope="module")
def interop(tmp_path_factory: pytest.TempPathFactory) -> ET.Element:
    folder = tmp_path_factory.mktemp("interop")
    return parse(write_interop(folder, every_verdict(folder)))


@pytest.mark.parametrize(
    ("case_id", "element"),
    [
        ("TC_001_CSMS", None),
        ("TC_003_CSMS", "failure"),
        ("TC_013_CSMS", None),
        ("TC_026_CSMS", "error"),
        ("TC_043_CSMS", "skipped"),
        ("TC_044_CSMS", "failure"),
        ("WIRE_07", None),
        ("TC_085_CSMS", "skipped"),
    ],
)
def test_each_verdict_becomes_what_a_ci_knows(interop: ET.Element, case_id: str, element: str | None) -> None:
    found = [child.tag for child in case_of(interop, case_id) if child.tag in ("failure", "error", "skipped")]
    assert found == ([element] if element else [])


def test_suites_are_profiles_of_a_version(interop: ET.Element) -> None:
    assert [suite.attrib["name"] for suite in interop] == [
        "OCPP 1.6 Core",
        "OCPP 1.6 Remote Trigger",
        "OCPP 1.6 Local Auth List",
        "OCPP 1.6 Firmware Management",
        "OCPP 1.6 own cases: Wire",
        "OCPP 1.6 Security",
        "OCPP 2.0.1 Core",
    ]
    assert case_of(interop, "TC_B_01_CSMS").attrib["classname"] == "ocpp2_0_1.Core"


def test_failure_tells_expected_actual_trace_and_how_to_repeat_it(interop: ET.Element) -> None:
    failure = case_of(interop, "TC_003_CSMS").find("failure")
    assert failure is not None
    assert failure.attrib["type"] == "FAILED"
    text = failure.text or ""
    for line in (
        "Sent: Authorize, then StartTransaction of an accepted token.",
        "Rule: 1.6 §6.46 (required)",
        "Expected:",
        "  - The transaction id is greater than zero",
        "Trace: traces/1.6-TC_003_CSMS-1.jsonl",
        "Run it again: plugstorm interop --select 1.6-TC_003_CSMS",
    ):
        assert line in text.splitlines()


def test_skipped_case_carries_its_reason_and_time_is_in_seconds(interop: ET.Element) -> None:
    case = case_of(interop, "TC_085_CSMS")
    assert case.find("skipped").attrib["message"].startswith("NOT_APPLICABLE: needs a wss://")  # type: ignore[union-attr]  # there is one
    assert case.attrib["time"] == "0.182"


def test_observations_and_passed_remarks_go_to_the_output(interop: ET.Element) -> None:
    assert "older connection: closed 1000" in (case_of(interop, "WIRE_07").findtext("system-out") or "")
    assert "NON_STRICT: Answers carry" in (case_of(interop, "TC_013_CSMS").findtext("system-out") or "")


def test_hostile_text_stays_text_and_legal_xml(tmp_path: Path) -> None:
    root = parse(write_interop(tmp_path, [hostile_case(tmp_path), make_case()]))
    failure = next(root.iter("failure"))
    assert "</script><script>alert(1)</script>\\u001b[31m\\u0000\\u202egnp.exe" in failure.attrib["message"]
    raw = (tmp_path / "junit.xml").read_text("utf-8")
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", raw)


def test_empty_run_is_a_valid_file_without_suites(tmp_path: Path) -> None:
    root = parse(write_interop(tmp_path, []))
    assert (len(root), root.attrib["tests"]) == (0, "0")


def test_run_without_driver_and_seed_that_was_interrupted_says_so(tmp_path: Path) -> None:
    target = RunTarget(url="ws://x", ocpp=["2.1"])
    root = parse(write_interop(tmp_path, [make_case()], target=target, seed=None, interrupted=True))
    properties = {found.attrib["name"]: found.attrib["value"] for found in root.iter("property")}
    assert properties == {
        "target": "ws://x",
        "ocpp": "2.1",
        "verdict": "passed",
        "plugstorm": "0.1.0",
        "interrupted": "true",
    }


def test_start_that_is_no_time_still_gives_a_valid_time_stamp(tmp_path: Path) -> None:
    parse(write_interop(tmp_path, [make_case()], started="yesterday"))


def test_load_run_has_a_case_for_each_objective_and_one_for_the_generator(tmp_path: Path) -> None:
    slo = [SloResult(expr="p99(A) < 1 ms", value=3.25, passed=False), SloResult(expr="b", value=None, passed=True)]
    root = parse(write_load(tmp_path, seconds=2, slo=slo, verdict=RunVerdict.FAILED))
    assert [case.attrib["classname"] for case in root.iter("testcase")] == ["load.slo", "load.slo", "load.generator"]
    (failure,) = root.iter("failure")
    assert failure.text == "Expected: p99(A) < 1 ms\nActual: measured 3.25"
    assert [case.findtext("system-out") for case in root.iter("testcase")][1:] == ["nothing was measured", "VALID"]


@pytest.mark.parametrize(("verdict", "errors"), [("VALID", 0), ("DEGRADED", 0), ("INVALID", 1)])
def test_generator_that_could_not_keep_up_is_an_error(tmp_path: Path, verdict: str, errors: int) -> None:
    write_load(tmp_path, seconds=1, generator=Generator(verdict="VALID", reasons=["lag"]))
    edit_run(tmp_path, generator={"verdict": verdict, "reasons": ["lag is high"]})
    root = ET.fromstring(junit_xml(read_run(tmp_path)))
    assert len(list(root.iter("error"))) == errors
