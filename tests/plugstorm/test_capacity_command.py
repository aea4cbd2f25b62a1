"""`plugstorm capacity`, with runs that are written instead of made; one search is real."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.children import SinkProcess
from evidence import exit_codes
from evidence.run_folder import RunFolder
from evidence.run_model import CallStats, Generator, LoadRun, Percentiles, RunTarget, Stations
from evidence.run_model import SloResult as Slo
from evidence.verdicts import RunVerdict
from loadtest.judging.slo import read_slo
from loadtest.plugins.quantities import QUANTITIES
from plugstorm import capacity_command
from tests.plugstorm.conftest import Plugstorm, Spawn

pytestmark = pytest.mark.waits

Csms = Callable[[int], dict[str, Any]]
"""Stations to what a run with them shows: p99, and where it matters generator, code."""


def written(folder: Path, stations: int, slo: Path, shows: dict[str, Any]) -> None:
    latency = Percentiles(p50=1, p90=1, p99=shows["p99"], p999=1, max=1)
    results = []
    for one in read_slo(slo, QUANTITIES):
        value = 100.0 if one.expression.family == "stations" else shows["p99"]
        passed = one.expression.holds(value * one.expression.scale)
        results.append(Slo(expr=one.text, value=value, passed=passed, unit=one.expression.unit))
    RunFolder(folder).write_run(
        LoadRun(
            tool={},
            target=RunTarget(url="ws://127.0.0.1:1", ocpp=["1.6"]),
            started="2026-01-01T00:00:00Z",
            finished="2026-01-01T00:00:09Z",
            seed=1,
            environment={},
            verdict=RunVerdict.PASSED,
            stations=Stations(requested=stations, connected_peak=stations, booted=stations, lost=0),
            calls=[
                CallStats(
                    ocpp="1.6",
                    action="Authorize",
                    direction="station-to-csms",
                    outcome="accepted",
                    count=9,
                    response_ms=latency,
                )
            ],
            throughput={"calls_per_s": stations / 10, "calls_total": 9.0},
            generator=Generator(verdict=shows.get("generator", "VALID"), reasons=shows.get("reasons", [])),
            slo=results,
        )
    )


@pytest.fixture
def search(plugstorm: Plugstorm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Search a CSMS that is a function; gives exit code, `capacity.json` and the result."""

    def run(csms: Csms, *words: str) -> Any:
        def child(command: Sequence[str], *, environment: Any, output: Path) -> int:
            assert environment
            stations, out, slo = (command[command.index(flag) + 1] for flag in ("--users", "--out", "--slo"))
            assert command[command.index("--warm-up") + 1] == "10"
            shows = csms(int(stations))
            output.write_text(shows.get("said", ""))
            if "p99" in shows:
                written(Path(out), int(stations), Path(slo), shows)
            return int(shows.get("code", 0))

        monkeypatch.setattr(capacity_command, "run_child", child)
        (tmp_path / "slo.yaml").write_text("- Authorize response p99 < 100 ms\n")
        result = plugstorm(
            "capacity", "--url", "ws://127.0.0.1:1/x", "--slo", "slo.yaml", "--pause", "0", "--out", "found", *words
        )
        path = tmp_path / "found" / "capacity.json"
        return result, json.loads(path.read_text()) if path.exists() else {}

    return run


def test_the_knee_is_found_and_shown(search: Callable[..., Any], tmp_path: Path) -> None:
    result, found = search(lambda stations: {"p99": stations / 4}, "--max-stations", "2000")
    assert result.code == exit_codes.PASSED
    assert 380 <= found["finding"]["stations"] <= 399
    assert found["finding"]["limit"] == "csms"
    assert found["slo"] == ["Authorize response p99 < 100 ms", "stations booted >= 99 %"]
    assert "The CSMS holds" in result.out
    page = (tmp_path / "found" / "capacity.html").read_text()
    assert page.count("<circle") == len(found["trials"])
    for trial in found["trials"]:
        assert f"{trial['folder']}/report.html" in page
        assert (tmp_path / "found" / trial["folder"] / "report.html").exists()


def test_the_result_is_json_on_request(search: Callable[..., Any]) -> None:
    result, found = search(lambda _: {"p99": 1.0}, "--max-stations", "60", "--json")
    assert json.loads(result.out) == found
    assert found["finding"]["limit"] == "maximum"
    assert [trial["stations"] for trial in found["trials"]] == [50, 60, 60]


def test_a_strained_generator_ends_the_search_as_its_own_limit(search: Callable[..., Any]) -> None:
    strained = {"p99": 1.0, "generator": "DEGRADED", "reasons": ["<b>Timers</b> ran late."]}
    result, found = search(lambda stations: {"p99": 1.0} if stations < 100 else strained)
    assert result.code == exit_codes.INVALID
    assert (found["finding"]["stations"], found["finding"]["limit"]) == (50, "generator")
    assert "the generator, not the CSMS, is the limit" in result.out


def test_a_csms_that_holds_nothing_fails(search: Callable[..., Any]) -> None:
    result, found = search(lambda _: {"p99": 500.0}, "--start", "4")
    assert (result.code, found["finding"]["stations"]) == (exit_codes.FAILED, 0)


def test_an_interrupted_search_keeps_what_it_found(search: Callable[..., Any]) -> None:
    result, found = search(lambda stations: {"p99": 1.0} if stations < 200 else {"code": exit_codes.INTERRUPTED})
    assert result.code == exit_codes.INTERRUPTED
    assert (found["finding"]["stations"], found["finding"]["limit"]) == (100, "interrupted")


@pytest.mark.parametrize(("code", "words"), [(2, "refused"), (4, "refused"), (3, "left no result")])
def test_a_run_that_never_began_ends_the_search_with_its_line(
    search: Callable[..., Any], code: int, words: str
) -> None:
    said = "log\nplugstorm: error: it refused\n" if code != 3 else ""
    result, _ = search(lambda _: {"code": code, "said": said})
    assert result.code == code
    assert words in result.errors[-1]


def test_objectives_are_needed(plugstorm: Plugstorm) -> None:
    plugstorm("capacity").assert_one_line(2, "--slo")


def test_another_machine_needs_consent(plugstorm: Plugstorm, tmp_path: Path) -> None:
    (tmp_path / "slo.yaml").write_text("- errors == 0\n")
    words = ("capacity", "--slo", "slo.yaml", "--url", "ws://csms.example/")
    plugstorm(*words).assert_one_line(2, "--i-own-this-target")


def test_a_search_against_the_practice_csms(spawn: Spawn, tmp_path: Path) -> None:
    (tmp_path / "slo.yaml").write_text("- errors < 100 %\n")
    (tmp_path / "beats.yaml").write_text("title: beats\nmodels: {home-wallbox: 1}\nheartbeat: 0.2\n")
    process = spawn(
        "capacity", "--slo", "slo.yaml", "--profile", "beats.yaml", "--start", "3", "--max-stations", "3",
        "--hold", "1s", "--settle", "0", "--pause", "0", "--spawn-rate", "3", "--json", "--out", "found",
    )  # fmt: skip
    try:
        output, _ = process.communicate(timeout=90)
    finally:
        process.send_signal(signal.SIGTERM)
    found = json.loads((tmp_path / "found" / "capacity.json").read_text())
    assert {trial["stations"] for trial in found["trials"]} == {3}
    assert all(trial["calls_per_s"] > 5 for trial in found["trials"]), output


def test_a_search_over_a_broker(spawn: Spawn, tmp_path: Path) -> None:
    (tmp_path / "slo.yaml").write_text("- Heartbeat service p99 < 20 s\n")
    (tmp_path / "beats.yaml").write_text("title: beats\nmodels: {home-wallbox: 1}\nheartbeat: 1\n")
    with SinkProcess("--dialect", "emqx") as sink:
        words = ("--url", sink.url, "--dialect", "emqx", "--mqtt-connections", "2", "--slo", "slo.yaml")
        effort = ("--start", "8", "--max-stations", "8", "--hold", "4s", "--settle", "0", "--pause", "0")
        process = spawn("capacity", *words, *effort, "--profile", "beats.yaml", "--json", "--out", "cap")
        said, _ = process.communicate(timeout=110)
        stats = sink.stats()
    assert process.returncode in (exit_codes.PASSED, exit_codes.INVALID), said
    assert "Traceback" not in said
    assert stats.calls["Heartbeat"] > 8
    assert stats.connected_most >= 8
    found = json.loads((tmp_path / "cap" / "capacity.json").read_text())
    assert {trial["stations"] for trial in found["trials"]} == {8}


def test_a_rate_of_sessions_is_searched_with_a_fleet(search: Callable[..., Any], tmp_path: Path) -> None:
    words = ("--search", "sessions", "--start-rate", "5/s", "--max-rate", "10/s", "--fleet", "40")
    result, found = search(lambda _: {"p99": 1.0}, *words)
    assert result.code == exit_codes.PASSED
    finding = found["finding"]
    assert (finding["search"], finding["held"], finding["missed"], finding["limit"]) == (
        "sessions", 10.0, None, "maximum",
    )  # fmt: skip
    assert [(trial["rate"], trial["stations"]) for trial in found["trials"]] == [(5.0, 40), (10.0, 40), (10.0, 40)]
    assert "holds at least 10 sessions/s" in result.out
    assert "sessions/s" in (tmp_path / "found" / "capacity.html").read_text()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--search", "session"), "did you mean 'sessions'"),
        (("--search", "sessions", "--profile", "public_ac"), "needs a profile with `sessions`"),
        (("--search", "commands"), "name a way to it with --driver"),
        (("--commands", "x.yaml"), "--commands belongs to --search commands"),
        (("--search", "sessions", "--max-rate", "5%/s"), "--max-rate"),
    ],
)
def test_a_search_that_cannot_be_is_one_line(
    search: Callable[..., Any], words: tuple[str, ...], complaint: str
) -> None:
    result, _ = search(lambda _: {"p99": 1.0}, *words)
    assert result.code == exit_codes.USAGE
    assert complaint in result.errors[-1]
