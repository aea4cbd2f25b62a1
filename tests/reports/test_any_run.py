"""Whatever a run.json may hold, every report can be made of it."""

from __future__ import annotations

import io
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from evidence.plugin_results import (
    ChargingResult,
    CommandLatency,
    CommandOutcome,
    CommandResult,
    KpiResult,
    LedgerClass,
    LedgerResult,
    RemoteStartResult,
    StormFormula,
    StormResult,
    StormSample,
    StormStations,
)
from evidence.run_folder import RunFolder, read_run
from evidence.run_model import (
    CallStats,
    CaseResult,
    Generator,
    InteropRun,
    Latency,
    LoadRun,
    Percentiles,
    Run,
    RunTarget,
    SloResult,
    Stations,
    WindowResult,
)
from evidence.verdicts import RunVerdict, Verdict
from ocppj.errors import UsageError
from reports.compare import compare_runs
from reports.compare_text import comparison_json, print_comparison
from reports.junit import junit_xml
from reports.summary import print_summary, summary_markdown
from tests.reports.report_builders import page_text

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
figure = st.floats(0, 1e9) | st.floats(allow_nan=False, allow_infinity=False)
amount = st.integers(0, 10**9)
json_value: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | figure | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
json_object = st.dictionaries(text, json_value, max_size=3)
percentiles = st.none() | st.builds(Percentiles, p50=figure, p90=figure, p99=figure, p999=figure, max=figure)
latencies = st.dictionaries(
    text, st.builds(Latency, count=amount, p50=figure, p95=figure, p99=figure, max=figure), max_size=2
)
counts = st.dictionaries(text, amount, max_size=2)
spread = st.dictionaries(st.sampled_from(["p50", "p95", "p99", "p999", "max"]), figure, max_size=5)


def rows_of(*columns: str) -> st.SearchStrategy[list[dict[str, float]]]:
    return st.lists(st.dictionaries(st.sampled_from(columns) | text, figure, max_size=4), max_size=4)


common: dict[str, st.SearchStrategy[Any]] = {
    "tool": st.dictionaries(st.sampled_from(["name", "version"]), text),
    "target": st.builds(RunTarget, url=text, ocpp=st.lists(text, max_size=2), driver=st.none() | text),
    "started": text | st.just("2026-03-02T09:00:00Z") | st.just("2026-03-02T09:00:00"),
    "finished": text | st.just("2026-03-02T09:00:09Z"),
    "seed": st.none() | st.integers(0, 2**53),
    "environment": json_object,
    "verdict": st.sampled_from(RunVerdict),
    "interrupted": st.booleans(),
    "settings": json_object,
}
case = st.builds(
    CaseResult,
    id=text,
    ocpp=text,
    title=text,
    verdict=st.sampled_from(Verdict),
    reason=text,
    clause=text,
    level=text,
    profile=text,
    duration_ms=figure,
    expected=st.lists(text, max_size=2),
    actual=st.lists(text, max_size=2),
    trace=text,
    latency_ms=latencies,
    findings=st.lists(json_object | st.fixed_dictionaries({"verdict": json_value, "frame": json_value}), max_size=2),
    observations=json_object,
    sends=text,
    reproduce=text,
    attempts=st.lists(text, max_size=2),
)
interop_runs = st.builds(
    InteropRun, counts=st.just({}), cases=st.lists(case, max_size=4), latency_ms=latencies, **common
)
call = st.builds(
    CallStats,
    ocpp=text,
    action=text,
    direction=st.sampled_from(["station-to-csms", "csms-to-station"]),
    outcome=st.sampled_from(["accepted", "timeout", "callerror:InternalError"]) | text,
    count=amount,
    service_ms=percentiles,
    response_ms=percentiles,
)
load_runs = st.builds(
    LoadRun,
    stations=st.builds(Stations, requested=amount, connected_peak=amount, booted=amount, lost=amount),
    calls=st.lists(call, max_size=4),
    throughput=st.dictionaries(
        st.sampled_from(["calls_per_s", "calls_total", "measured_s"]) | text, figure, max_size=3
    ),
    generator=st.builds(
        Generator,
        verdict=st.sampled_from(["VALID", "DEGRADED", "INVALID"]),
        reasons=st.lists(text, max_size=2),
        lag_ms_p99=st.none() | figure,
        details=json_object,
    ),
    slo=st.lists(st.builds(SloResult, expr=text, value=st.none() | figure, passed=st.booleans()), max_size=2),
    ledger=st.builds(
        LedgerResult,
        says=st.lists(text, max_size=2),
        failed=st.booleans(),
        source=text,
        no_records=text,
        judged=amount,
        records=st.none() | amount,
        counts=st.dictionaries(st.sampled_from(LedgerClass) | text, st.none() | amount, max_size=3),
        examples=st.dictionaries(text, st.lists(json_object, max_size=2), max_size=2),
    ),
    kpis=st.builds(
        KpiResult,
        says=st.lists(text, max_size=2),
        charging=st.builds(ChargingResult, attempts=amount, succeeded=amount, failed=counts),
        authorize_to_start_s=spread,
        remote_start=st.builds(RemoteStartResult, accepted=amount, succeeded=amount, to_start_s=spread),
        sessions=counts,
        energy_kwh=st.none() | figure,
        timeline=rows_of("t", "attempts", "succeeded"),
    ),
    storms=st.lists(
        st.builds(
            StormResult,
            storm=text,
            says=text,
            stations=st.builds(StormStations, struck=amount, unrecovered=amount, lost_again=amount),
            recovery_ms=spread,
            formula=st.builds(StormFormula, backoff=text, expected_ms=spread, deviation=figure, distance=figure),
            failed_upgrades=counts,
            calls=st.dictionaries(st.sampled_from(["before", "during", "after"]), st.builds(StormSample), max_size=3),
            recovered=st.none() | st.booleans(),
            curve=rows_of("t", "struck", "back", "booted", "drained", "expected", "queued"),
            twins=counts,
        ),
        max_size=2,
    ),
    commands=st.lists(
        st.builds(
            CommandResult,
            command=text,
            action=text,
            ocpp=text,
            outcomes=st.dictionaries(st.sampled_from(CommandOutcome) | text, amount, max_size=3),
            reach_ms=st.builds(CommandLatency, p50=figure, p99=st.none() | figure, max=figure),
            reasons=st.lists(text, max_size=2),
        ),
        max_size=2,
    ),
    timeline=rows_of("t", "calls", "connected"),
    faults=st.dictionaries(text, amount, max_size=2),
    connections=st.dictionaries(text, amount, max_size=2),
    windows=st.lists(st.builds(WindowResult, name=text, start=figure, seconds=figure, calls=st.just([])), max_size=2),
    **common,
)


def written(folder: Path, run: Run) -> Run:
    RunFolder(folder).write_run(run)
    return read_run(folder)


@settings(max_examples=30)
@given(interop_runs | load_runs)
def test_every_report_can_be_made_of_any_run(run: Run) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        run = written(folder, run)
        page = page_text(folder)
    assert page.encode().decode() == page
    assert page.endswith("</html>")
    ET.fromstring(junit_xml(run))
    out = io.StringIO()
    print_summary(run, Console(file=out, width=80))
    for text_form in (out.getvalue(), summary_markdown(run)):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", text_form)


@settings(max_examples=15)
@given(st.tuples(interop_runs, interop_runs) | st.tuples(load_runs, load_runs))
def test_any_two_runs_of_one_kind_can_be_compared(pair: tuple[Run, Run]) -> None:
    nowhere = Path("no-such-folder")
    comparison = compare_runs((nowhere, pair[0]), (nowhere, pair[1]))
    print_comparison(comparison, Console(file=io.StringIO()))
    assert '"exit_code"' in comparison_json(comparison)


@pytest.mark.parametrize("deep", ['{"a":', "["])
def test_run_json_that_nests_without_end_is_a_usage_error(tmp_path: Path, deep: str) -> None:
    (tmp_path / "run.json").write_text('{"kind":"interop","settings":' + deep * 200_000)
    with pytest.raises(UsageError, match=r"run\.json"):
        page_text(tmp_path)
