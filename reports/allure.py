"""What Allure shows of a run beside the results of single cases: categories, the environment, and load figures.

The results of cases come from allure-pytest (`interop_suite.run.presentation`). A load run has one result for each
objective, and its figures are in `load-perf.json`, which Allure 3 draws as performance metrics; Allure 2 passes it
over.
https://allurereport.org/docs/how-it-works-test-result-file/, https://allurereport.org/docs/performance-metrics/
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from evidence.run_folder import RunFolder
from evidence.run_model import InteropRun, LoadRun, Run, SloResult
from evidence.vocabulary import FROM_CSMS
from reports.words import measured, run_seconds, target_title, workload_title

__all__ = ["categories", "write_allure"]

# Patterns that mean the same to Java (Allure 2) and to JavaScript (Allure 3).
_CATEGORIES: Final = (
    ("The CSMS breaks a rule", ("failed",), r"(Failed: )?FAILED[\s\S]*"),
    (
        "Not judged: the set-up or its control check failed",
        ("failed", "broken"),
        r"[\s\S]*INCONCLUSIVE[\s\S]*",
    ),
    ("Passes, though it was declared as failing", ("failed", "broken"), r"[\s\S]*XPASS[\s\S]*"),
    ("An objective is missed", ("failed",), r"Objective missed[\s\S]*"),
    ("Too few CALLs to decide an objective", ("broken",), r"Objective undecided[\s\S]*"),
    ("Does not apply here", ("skipped",), r"[\s\S]*"),
)
_NOT_IN_A_KEY: Final = re.compile(r"[^A-Za-z0-9.]+")


def write_allure(folder: Path, run: Run) -> None:
    """Write the files into `allure-results/` of a run folder; raises `UsageError` where the disk refuses."""
    out = RunFolder(RunFolder(folder).allure)
    out.write_text("categories.json", _json(categories()))
    out.write_text("environment.properties", _environment(run))
    if isinstance(run, InteropRun):
        return
    start, stop = _times(run)
    for slo in run.slo:
        result = _objective(run, slo, start, stop)
        out.write_text(f"{result['uuid']}-result.json", _json(result))
    metrics = [
        {"id": f"plugstorm:{key}", "key": key, "value": value, "start": start, "stop": stop}
        for key, value in _metrics(run)
    ]
    out.write_text("load-perf.json", _json(metrics))


def categories() -> list[dict[str, Any]]:
    """Return the categories as Allure 2 reads them beside the results, and Allure 3 in its configuration."""
    return [
        {"name": name, "matchedStatuses": list(statuses), "messageRegex": pattern}
        for name, statuses, pattern in _CATEGORIES
    ]


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def _environment(run: Run) -> str:
    pairs = {
        "CSMS": target_title(run.target),
        "CSMS.version": run.target.version,
        "Label": run.label,
        "OCPP": ", ".join(run.target.ocpp),
        "Plugstorm": run.tool.get("version", ""),
        "Python": str(run.environment.get("python", "")),
    }
    return "".join(f"{name} = {_property(value)}\n" for name, value in pairs.items() if value)


def _property(text: str) -> str:
    """Write a value of a Java properties file, which is Latin-1 with escapes."""
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return "".join(one if " " <= one <= "~" else f"\\u{ord(one) & 0xFFFF:04x}" for one in escaped)


def _times(run: Run) -> tuple[int, int]:
    """Return beginning and end in ms since 1970."""
    try:
        start = round(datetime.fromisoformat(run.started).timestamp() * 1000)
    except ValueError:
        start = 0
    return start, start + round((run_seconds(run) or 0.0) * 1000)


def _objective(run: LoadRun, slo: SloResult, start: int, stop: int) -> dict[str, Any]:
    """Make a result that is the same test in every run against the same target, so that Allure follows it."""
    target, workload = target_title(run.target), workload_title(run.settings)
    name = f"plugstorm.load.{target}.{workload}.{slo.expr}"
    word, status = (
        ("met", "passed") if slo.passed else ("undecided", "broken") if slo.undecided else ("missed", "failed")
    )
    labels = {"parentSuite": "Load", "suite": target, "subSuite": workload, "epic": "Load", "feature": "Objectives"}
    return {
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}@{run.started}")),
        "historyId": hashlib.sha256(name.encode()).hexdigest()[:32],
        "testCaseId": hashlib.sha256(name.encode()).hexdigest()[:32],
        "fullName": name,
        "name": slo.expr,
        "status": status,
        "statusDetails": {"message": f"Objective {word}: {slo.expr}; {measured(slo)}"},
        "stage": "finished",
        "start": start,
        "stop": stop,
        "labels": [{"name": label, "value": value} for label, value in labels.items()],
        "parameters": [{"name": "measured", "value": measured(slo), "excluded": True}],
    }


def _metrics(run: LoadRun) -> Iterator[tuple[str, float]]:
    """Yield figures by key; latencies are in ms."""
    if (per_s := run.throughput.get("calls_per_s")) is not None:
        yield "calls_per_s", per_s
    yield "stations_booted", run.stations.booted
    for action in run.actions:
        direction = ".from_csms" if action.direction == FROM_CSMS else ""
        name = _NOT_IN_A_KEY.sub("_", f"{action.ocpp}.{action.action}") + direction
        for clock, spread in (("service", action.service_ms), ("response", action.response_ms)):
            if spread is not None:
                yield f"{name}.{clock}_p50_ms", spread.p50
                yield f"{name}.{clock}_p99_ms", spread.p99
