"""`junit.xml` of a run, as Jenkins, GitLab and every other CI reads it.

FAILED and XPASS are failures, INCONCLUSIVE is an error, NOT_APPLICABLE and XFAIL are skipped; everything else passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec

from evidence.lost_words import capital
from evidence.run_folder import RunFolder
from evidence.run_model import CaseResult, InteropRun, LoadRun, Run, SloResult
from evidence.verdicts import RunVerdict, Verdict
from evidence.visible import one_line, visible
from reports.ledger_view import ledger_examples
from reports.words import case_group, measured, plain, run_seconds, versions

__all__ = ["junit_xml", "write_junit"]

_FAILURE, _ERROR, _SKIPPED = "failure", "error", "skipped"
_ELEMENTS = {
    Verdict.FAILED: _FAILURE,
    Verdict.XPASS: _FAILURE,
    Verdict.INCONCLUSIVE: _ERROR,
    Verdict.NOT_APPLICABLE: _SKIPPED,
    Verdict.XFAIL: _SKIPPED,
}
_GENERATOR_ELEMENTS = {"VALID": "", "DEGRADED": "", "INVALID": _ERROR}
_MESSAGE_MAX = 300
_MOST_LINES = 30


class _TestCase(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    class_name: str
    seconds: float
    element: str = ""
    """`failure`, `error`, `skipped`, or empty for a passed one."""
    kind: str = ""
    message: str = ""
    text: str = ""
    output: str = ""


def write_junit(folder: Path, run: Run) -> Path:
    """Write `junit.xml` into the folder of a run; raises `UsageError` when the disk refuses."""
    run_folder = RunFolder(folder)
    run_folder.write_text(run_folder.junit.name, junit_xml(run))
    return run_folder.junit


def junit_xml(run: Run) -> str:
    """Write a run as JUnit XML; characters that XML forbids are spelled out."""
    suites = _interop_suites(run) if isinstance(run, InteropRun) else [_load_suite(run)]
    root = ET.Element("testsuites", _totals("plugstorm", [case for _, cases in suites for case in cases]))
    for place, (name, cases) in enumerate(suites):
        suite = ET.SubElement(root, "testsuite", _totals(name, cases))
        suite.set("id", str(place))
        suite.set("timestamp", _timestamp(run.started))
        properties = ET.SubElement(suite, "properties")
        for key, value in _properties(run):
            ET.SubElement(properties, "property", name=visible(key), value=visible(value))
        for case in cases:
            _add(suite, case)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _totals(name: str, cases: Sequence[_TestCase]) -> dict[str, str]:
    def amount(element: str) -> str:
        return str(sum(case.element == element for case in cases))

    return {
        "name": visible(name),
        "tests": str(len(cases)),
        "failures": amount(_FAILURE),
        "errors": amount(_ERROR),
        "skipped": amount(_SKIPPED),
        "time": _seconds(sum(case.seconds for case in cases)),
    }


def _add(suite: ET.Element, case: _TestCase) -> None:
    written = ET.SubElement(
        suite,
        "testcase",
        name=one_line(case.name),
        classname=one_line(case.class_name),
        time=_seconds(case.seconds),
    )
    if case.element:
        outcome = ET.SubElement(written, case.element, message=one_line(case.message, _MESSAGE_MAX))
        if case.element != _SKIPPED:
            outcome.set("type", case.kind)
            outcome.text = visible(case.text)
    if case.output:
        ET.SubElement(written, "system-out").text = visible(case.output)


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"


def _timestamp(started: str) -> str:
    """Write a time as the schema wants it: UTC in whole seconds, without a zone."""
    try:
        return datetime.fromisoformat(started).strftime("%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return "1970-01-01T00:00:00"


def _properties(run: Run) -> Iterable[tuple[str, str]]:
    yield "target", run.target.url
    if run.target.dialect:
        yield "dialect", run.target.dialect
    yield "ocpp", versions(run).removeprefix("OCPP").strip()
    yield "verdict", str(run.verdict)
    yield "plugstorm", run.tool.get("version", "")
    if run.target.driver:
        yield "driver", run.target.driver
    if run.seed is not None:
        yield "seed", str(run.seed)
    if run.interrupted:
        yield "interrupted", "true"


def _interop_suites(run: InteropRun) -> list[tuple[str, list[_TestCase]]]:
    suites: dict[tuple[str, str], list[_TestCase]] = {}
    for case in run.cases:
        suites.setdefault((case.ocpp, case_group(case)), []).append(_interop_case(case))
    return [(f"OCPP {ocpp} {profile}".strip(), cases) for (ocpp, profile), cases in suites.items()]


def _interop_case(case: CaseResult) -> _TestCase:
    element = _ELEMENTS.get(case.verdict, "")
    reason = case.reason or "no reason was recorded"
    return _TestCase(
        name=f"{case.id} {case.title}".strip(),
        # Jenkins builds its tree at the dots, so the version must not contain any.
        class_name=f"ocpp{case.ocpp.replace('.', '_')}.{case_group(case).replace('.', '_')}",
        seconds=case.duration_ms / 1000,
        element=element,
        kind=str(case.verdict),
        message=f"{case.verdict}: {reason}" if element == _SKIPPED else reason,
        text=_story(case),
        output=_output(case),
    )


def _story(case: CaseResult) -> str:
    """Describe a failure to a reader who sees only this text."""
    lines = [f"{case.verdict}: {case.reason}"]
    for head, text in (("Sent", case.sends), ("Had to happen", case.expects)):
        if text:
            lines.append(f"{head}: {text}")
    lines.append(f"Rule: {case.clause or 'none'} ({case.level})")
    lines += _listed("Expected", case.expected) + _listed("Actual", case.actual)
    if case.trace:
        lines.append(f"Trace: {case.trace}")
    if case.reproduce:
        lines.append(f"Run it again: {case.reproduce}")
    return "\n".join(lines)


def _listed(head: str, lines: Sequence[str]) -> list[str]:
    rest = [f"  and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []
    return [f"{head}:", *(f"  - {line}" for line in lines[:_MOST_LINES]), *rest] if lines else []


def _output(case: CaseResult) -> str:
    lines = []
    if case.verdict in (Verdict.NON_STRICT, Verdict.INFORMATIONAL):
        lines.append(f"{case.verdict}: {case.reason}")
    lines += [f"{key}: {plain(value)}" for key, value in case.observations.items()]
    if case.trace:
        lines.append(f"trace: {case.trace}")
    return "\n".join(lines)


def _load_suite(run: LoadRun) -> tuple[str, list[_TestCase]]:
    seconds = run_seconds(run) or 0.0
    generator = run.generator
    reasons = "; ".join(generator.reasons) or "no reason was recorded"
    cases = [
        _TestCase(
            name=slo.expr,
            class_name="load.built-in" if slo.built_in else "load.slo",
            seconds=0.0,
            element="" if slo.passed else _SKIPPED if slo.undecided else _FAILURE,
            kind="SLO",
            message=f"{slo.expr} was {'not decided' if slo.undecided else 'missed'}: {_measured(slo)}",
            text=f"Expected: {slo.expr}\nActual: {_measured(slo)}",
            output=_measured(slo),
        )
        for slo in run.slo
    ]
    if run.symptoms:
        # The objectives decide; what the CSMS did is said beside them.
        text = "\n".join(f"{capital(symptom.says)}." for symptom in run.symptoms)
        cases.append(
            _TestCase(
                name="the CSMS showed no symptom of illness",
                class_name="load.symptoms",
                seconds=0.0,
                element=_FAILURE if run.verdict is RunVerdict.FAILED else _SKIPPED,
                kind=run.symptoms[0].word,
                message=text.splitlines()[0],
                text=text,
                output=text,
            )
        )
    says = run.ledger.says
    if says:
        cases.append(
            _TestCase(
                name="the CSMS recorded every transaction correctly",
                class_name="load.ledger",
                seconds=0.0,
                # Answers alone do not show what the CSMS recorded.
                element=_FAILURE if run.ledger.failed else _SKIPPED if run.ledger.no_records else "",
                kind="ledger",
                message=says[0],
                text="\n".join([*says, *ledger_examples(run)]),
                output="\n".join(says),
            )
        )
    cases.append(
        _TestCase(
            name="the load generator kept its schedule",
            class_name="load.generator",
            seconds=seconds,
            element=_GENERATOR_ELEMENTS[generator.verdict],
            kind=generator.verdict,
            message=f"{generator.verdict}: {reasons}",
            text="\n".join(generator.reasons),
            output=generator.verdict if generator.verdict == "VALID" else f"{generator.verdict}: {reasons}",
        )
    )
    return "load", cases


def _measured(result: SloResult) -> str:
    if result.built_in and result.reason:
        return result.reason
    return "nothing was measured" if result.value is None else f"measured {measured(result, 6)}"
