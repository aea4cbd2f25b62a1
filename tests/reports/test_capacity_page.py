from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from evidence.capacity_model import (
    ActionFlow,
    CapacityFinding,
    CapacityPlan,
    CapacityResult,
    CapacityTarget,
    Limit,
    Trial,
)
from reports.capacity_page import render_capacity, write_capacity_page
from tests.reports.page_reader import Page, page_of

TRIALS = [
    Trial(stations=50, word="kept", strain=0.2, calls_per_s=1234.5, p50_ms=1.5, p99_ms=20.0, folder="step-01-50"),
    Trial(stations=100, word="missed", strain=7.0, missed=["Authorize p99 < <b>100 ms</b> (measured 700 ms)"]),
    Trial(stations=75, word="generator", generator="DEGRADED", reasons=["Timers ran <i>late</i>."], folder="a b:c"),
]


def result(*trials: Trial, stations: int = 50, limit: Limit = "csms") -> CapacityResult:
    return CapacityResult(
        tool={"name": "plugstorm"},
        target=CapacityTarget(url="ws://csms.example/<ocpp>", ocpp=["1.6", "2.0.1"]),
        started="2026-03-02T09:00:00Z",
        finished="2026-03-02T09:30:00Z",
        environment={"cpus": 2},
        plan=CapacityPlan(most=1000, start=50, hold=30.0, settle=5.0, pause=2.0, precision=0.05),
        profile="mixed",
        slo=["Authorize p99 < 100 ms"],
        finding=CapacityFinding(stations=stations, limit=limit, missed_at=100, kept=1, of=2, sentence="the CSMS holds"),
        trials=list(trials),
    )


def test_the_page_shows_each_run_and_links_to_its_report(tmp_path: Path) -> None:
    path = write_capacity_page(tmp_path, result(*TRIALS))
    assert path == tmp_path / "capacity.html"
    page = page_of(path)
    assert "50 stations The CSMS holds" in page.words
    assert "1 of 2 runs with 50 stations kept every objective." in page.words
    assert len(page.with_class("circle", "trial")) == 3
    assert [link["href"] for link in page.all("a") if "report" in link["href"]] == [
        "./step-01-50/report.html",
        "./a%20b%3Ac/report.html",
    ]
    for text in ("1,234", "1.5 ms", "20 ms", "700 %", "(measured 700 ms)", "load generator DEGRADED; Timers ran"):
        assert text in page.words, text


def test_the_page_needs_no_network_and_escapes_what_strangers_wrote() -> None:
    page = Page(render_capacity(result(*TRIALS)))
    assert "Authorize p99 < <b>100 ms</b>" in page.words
    assert "ws://csms.example/<ocpp>" in page.words
    assert not page.all("b")
    assert not page.all("i")
    assert not [tag for tag, found in page.elements if "src" in found or found.get("href", "").startswith("http")]


@pytest.mark.parametrize(
    ("stations", "limit", "tone", "word"),
    [
        (50, "csms", "good", "50 stations"),
        (50, "maximum", "good", "50 stations"),
        (0, "csms", "bad", "No fleet was held"),
        (50, "generator", "unknown", "No conclusion"),
        (50, "interrupted", "unknown", "No conclusion"),
    ],
)
def test_the_headline_says_what_was_found(stations: int, limit: Limit, tone: str, word: str) -> None:
    page = Page(render_capacity(result(*TRIALS, stations=stations, limit=limit)))
    assert page.with_class("header", tone)
    assert f"{word} The CSMS holds" in page.words


def test_a_search_without_a_run_has_no_chart() -> None:
    page = Page(render_capacity(result(limit="interrupted", stations=0)))
    assert not page.all("figure")


def flow(action: str, per_s: float, service_ms: float) -> ActionFlow:
    return ActionFlow(action=action, per_s=per_s, service_ms=service_ms, queue_first=1.0, queue_last=per_s * 2)


def rate_search() -> CapacityResult:
    trials = [
        Trial(
            stations=100, rate=rate, achieved=min(rate, 50.0), word="kept" if rate <= 50 else "missed",
            strain=rate / 50, calls_per_s=rate * 4, p99_ms=9.0 if rate <= 50 else 900.0,
            flows=[flow("StartTransaction", min(rate, 50.0), rate * 3), flow("Authorize", rate, 4.0)],
        )
        for rate in (20.0, 30.0, 40.0, 50.0, 52.5, 60.0, 80.0)
    ]  # fmt: skip
    finding = CapacityFinding(
        stations=100, limit="csms", missed_at=None, kept=2, of=2, sentence="the CSMS holds 50 sessions/s.",
        search="sessions", held=50.0, missed=52.5, missed_in=2, missed_of=3, gave_way="StartTransaction is serialised",
    )  # fmt: skip
    plan = CapacityPlan(
        most=1000, start=20, hold=30.0, settle=5.0, pause=2.0, precision=0.05, search="sessions", fleet=100
    )
    return msgspec.structs.replace(result(*trials), finding=finding, plan=plan)


def test_a_search_for_a_rate_shows_the_bracket_what_gave_way_and_the_knee() -> None:
    page = Page(render_capacity(rate_search()))
    for text in (
        "50 sessions/s The CSMS holds 50 sessions/s.",
        "2 of 2 runs with 50 sessions/s kept every objective.",
        "2 of 3 runs with 52.5 sessions/s did not, so the limit lies between 50 and 52.5 sessions/s.",
        "StartTransaction is serialised.",
        "asked /s",
        "achieved /s",
        "The knee is near 5",
        "mean time, 52.5 sessions/s",
    ):
        assert text in page.words, text


def test_a_search_for_stations_has_no_column_of_rates() -> None:
    assert "asked /s" not in Page(render_capacity(result(*TRIALS))).words
