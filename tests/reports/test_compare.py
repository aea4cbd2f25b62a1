from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from evidence import exit_codes
from evidence.run_folder import RunFolder, read_run
from evidence.run_model import Generator, LoadRun, RunTarget, SloResult, Stations
from evidence.verdicts import RunVerdict, Verdict
from ocppj.errors import UsageError
from reports.compare import CaseTrend, Comparison, Trend, compare, compare_with_all
from reports.compare_text import comparison_json, print_comparison
from tests.reports.report_builders import make_case, write_interop, write_load


def printed(comparison: Comparison) -> str:
    out = io.StringIO()
    print_comparison(comparison, Console(file=out, width=160))
    return out.getvalue()


# -- interop ---------------------------------------------------------------------------------------------------------


def compare_verdicts(tmp_path: Path, before: Verdict | None, after: Verdict | None) -> Comparison:
    same = make_case("SAME")
    for name, verdict in (("base", before), ("new", after)):
        cases = [same] if verdict is None else [same, make_case("X", verdict, reason=f"{name} reason")]
        write_interop(tmp_path / name, cases)
    return compare(tmp_path / "base", tmp_path / "new")


OK, FAILED, NON_STRICT = Verdict.OK, Verdict.FAILED, Verdict.NON_STRICT


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        (OK, FAILED, CaseTrend.WORSE),
        (OK, NON_STRICT, CaseTrend.WORSE),
        (NON_STRICT, FAILED, CaseTrend.WORSE),
        (Verdict.XPASS, FAILED, CaseTrend.WORSE),
        (Verdict.INFORMATIONAL, FAILED, CaseTrend.WORSE),
        (FAILED, OK, CaseTrend.BETTER),
        (FAILED, NON_STRICT, CaseTrend.BETTER),
        (Verdict.XFAIL, Verdict.XPASS, CaseTrend.BETTER),
        (FAILED, Verdict.XFAIL, CaseTrend.CHANGED),
        (OK, Verdict.XFAIL, CaseTrend.CHANGED),
        (OK, Verdict.INFORMATIONAL, CaseTrend.CHANGED),
        (OK, Verdict.NOT_APPLICABLE, CaseTrend.LOST),
        (OK, Verdict.INCONCLUSIVE, CaseTrend.LOST),
        (FAILED, None, CaseTrend.LOST),
        (None, FAILED, CaseTrend.NEW),
        (Verdict.NOT_APPLICABLE, FAILED, CaseTrend.NEW),
        (Verdict.NOT_APPLICABLE, Verdict.INCONCLUSIVE, CaseTrend.CHANGED),
    ],
)
def test_change_of_a_verdict_is_named(tmp_path: Path, before: Verdict, after: Verdict, kept: CaseTrend) -> None:
    comparison = compare_verdicts(tmp_path, before, after)
    assert [(case.id, case.before, case.after, case.kept) for case in comparison.cases] == [("X", before, after, kept)]
    assert comparison.regressed is (kept is CaseTrend.WORSE)
    assert (comparison.exit_code == exit_codes.FAILED) is (kept is CaseTrend.WORSE)


def test_same_verdicts_are_no_change(tmp_path: Path) -> None:
    comparison = compare_verdicts(tmp_path, FAILED, FAILED)
    assert comparison.cases == ()
    assert comparison.exit_code == exit_codes.PASSED
    assert printed(comparison) == "No regression. None of 2 cases got worse.\n"


def test_one_case_in_two_versions_is_two_cases(tmp_path: Path) -> None:
    write_interop(tmp_path / "base", [make_case("X"), make_case("X", ocpp="2.0.1")])
    write_interop(tmp_path / "new", [make_case("X"), make_case("X", FAILED, ocpp="2.0.1")])
    assert [(case.ocpp, case.kept) for case in compare(tmp_path / "base", tmp_path / "new").cases] == [
        ("2.0.1", CaseTrend.WORSE)
    ]


def test_worse_cases_are_listed_first_with_their_reason(tmp_path: Path) -> None:
    write_interop(tmp_path / "base", [make_case("A", FAILED), make_case("B"), make_case("C")])
    cases = [make_case("A"), make_case("B"), make_case("C", FAILED, reason="[bold]the schema\x1b broke")]
    write_interop(tmp_path / "new", cases)
    text = printed(compare(tmp_path / "base", tmp_path / "new"))
    assert text.splitlines()[0] == "Regressed. 1 of 3 cases got worse; 1 got better."
    assert "[bold]the schema\\u001b broke" in text
    assert text.index("1.6 C") < text.index("1.6 A")


def test_long_lists_end_with_how_many_are_left(tmp_path: Path) -> None:
    write_interop(tmp_path / "base", [make_case(f"C{number}") for number in range(50)])
    write_interop(tmp_path / "new", [make_case(f"C{number}", FAILED) for number in range(50)])
    assert "and 10 more" in printed(compare(tmp_path / "base", tmp_path / "new"))


def test_run_without_a_conclusion_is_no_pass(tmp_path: Path) -> None:
    comparison = compare_verdicts(tmp_path, OK, Verdict.INCONCLUSIVE)
    assert (comparison.conclusive, comparison.exit_code) == (False, exit_codes.INVALID)
    assert printed(comparison).startswith("No conclusion.")


def test_runs_without_a_common_case_say_so(tmp_path: Path) -> None:
    write_interop(tmp_path / "base", [make_case("A")])
    write_interop(tmp_path / "new", [make_case("B")])
    comparison = compare(tmp_path / "base", tmp_path / "new")
    assert comparison.exit_code == exit_codes.INVALID
    assert "have no case in common" in printed(comparison)


def test_free_port_and_place_of_a_run_are_beside_the_point(tmp_path: Path) -> None:
    for name, port in (("base", 40001), ("new", 40002)):
        target = RunTarget(url=f"ws://127.0.0.1:{port}/ocpp", ocpp=["1.6"])
        write_interop(tmp_path / name, [make_case()], target=target, settings={"out": name, "seed": port})
    assert compare(tmp_path / "base", tmp_path / "new").warnings == ()


def test_other_settings_target_and_environment_are_warned_of(tmp_path: Path) -> None:
    write_interop(tmp_path / "base", [make_case()], settings={"jobs": 8}, target=RunTarget(url="ws://a", ocpp=["1.6"]))
    write_interop(tmp_path / "new", [make_case()], settings={"jobs": 1}, environment={"cpus": 64}, interrupted=True)
    warnings = compare(tmp_path / "base", tmp_path / "new").warnings
    assert "The new run was interrupted." in warnings
    assert "Different target: url ws://a → ws://csms.example:9000/ocpp." in warnings
    assert "Different setting: jobs 8 → 1." in warnings
    assert "Different environment: cpus 2 → 64." in warnings


# -- load ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_load(tmp_path_factory.mktemp("base"), seed=1)


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_load(tmp_path_factory.mktemp("again"), seed=2)


@pytest.fixture(scope="module")
def slower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_load(tmp_path_factory.mktemp("slower"), seed=3, slower=2.0)


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_load(tmp_path_factory.mktemp("failing"), seed=3, failing=0.04)


def worse(comparison: Comparison) -> set[tuple[str, str]]:
    return {(c.name, c.figure) for c in comparison.changes if c.direction is Trend.WORSE}


def changed(folder: Path, source: Path, change: Callable[[LoadRun], LoadRun]) -> Path:
    """Write a changed copy of a load run, with no histograms of its own."""
    run = read_run(source)
    assert isinstance(run, LoadRun)
    folder.mkdir()
    RunFolder(folder).write_run(change(run))
    return folder


def test_run_compared_with_itself_shows_no_change(base: Path) -> None:
    comparison = compare(base, base)
    assert comparison.compared > 30
    assert {change.direction for change in comparison.changes} == {Trend.SAME}
    assert comparison.exit_code == exit_codes.PASSED


def test_second_run_of_the_same_kind_is_no_regression(base: Path, again: Path) -> None:
    assert worse(compare(base, again)) == set()
    assert worse(compare(again, base)) == set()


def test_slower_answers_are_found_in_both_clocks(base: Path, slower: Path) -> None:
    comparison = compare(base, slower)
    found = worse(comparison)
    assert {("1.6 MeterValues", "service p50"), ("1.6 MeterValues", "response p50")} <= found
    assert comparison.exit_code == exit_codes.FAILED
    change = next(c for c in comparison.changes if (c.name, c.figure) == ("1.6 MeterValues", "service p50"))
    assert change.relative == pytest.approx(1.0, abs=0.15)
    assert change.noise is not None
    assert change.noise[1] < (change.new or 0)


def test_faster_answers_are_an_improvement(base: Path, slower: Path) -> None:
    comparison = compare(slower, base)
    assert not comparison.regressed
    assert any(change.direction is Trend.BETTER for change in comparison.changes)
    assert "got better" in printed(comparison)


def test_tolerance_decides_what_matters(base: Path, slower: Path) -> None:
    assert not compare(base, slower, tolerance=2.0).regressed
    assert not compare(base, slower, floor_ms=1000.0).regressed


def test_new_failures_are_found_by_their_share(base: Path, failing: Path) -> None:
    found = worse(compare(base, failing))
    assert ("1.6 MeterValues", "share of timeout") in found
    assert ("1.6 MeterValues", "share of callerror:InternalError") in found


def test_few_failures_are_chance(tmp_path: Path, base: Path) -> None:
    assert worse(compare(base, write_load(tmp_path, seed=1, failing=0.001))) == set()


def test_objective_that_is_missed_now_is_a_regression(tmp_path: Path, base: Path) -> None:
    slo = [
        SloResult(expr="share(timeout) < 0.1 %", value=0.4, passed=False),
        SloResult(expr="n", value=1, passed=False),
    ]
    new = changed(tmp_path / "new", base, lambda run: msgspec.structs.replace(run, slo=slo))
    assert worse(compare(base, new)) == {("SLO", "share(timeout) < 0.1 %")}


def test_lower_throughput_is_a_regression(tmp_path: Path, base: Path) -> None:
    def halve(run: LoadRun) -> LoadRun:
        throughput = run.throughput | {"calls_per_s": run.throughput["calls_per_s"] / 2}
        timeline = [row | {"calls": row["calls"] / 2} for row in run.timeline]
        return msgspec.structs.replace(run, throughput=throughput, timeline=timeline)

    new = changed(tmp_path / "new", base, halve)
    assert ("run", "calls per second") in worse(compare(base, new))
    assert not compare(new, base).regressed


def test_stations_that_do_not_boot_any_more_are_a_regression(tmp_path: Path, base: Path) -> None:
    stations = Stations(requested=200, connected_peak=200, booted=150, lost=60)
    new = changed(tmp_path / "new", base, lambda run: msgspec.structs.replace(run, stations=stations))
    assert worse(compare(base, new)) == {
        ("run", "stations that did not boot"),
        ("run", "stations that lost their connection"),
    }


def test_runs_without_histograms_are_compared_with_a_wider_tolerance(tmp_path: Path, base: Path) -> None:
    def slow(factor: float) -> Callable[[LoadRun], LoadRun]:
        def change(run: LoadRun) -> LoadRun:
            for call in run.calls:
                assert call.service_ms
                call.service_ms.p99 *= factor
            return run

        return change

    little = compare(base, changed(tmp_path / "little", base, slow(1.2)))
    assert worse(little) == set()
    much = compare(base, changed(tmp_path / "much", base, slow(1.5)))
    assert ("1.6 MeterValues", "service p99") in worse(much)
    assert all(change.noise is None for change in much.changes if change.unit == "ms")


@pytest.mark.parametrize("verdict", ["DEGRADED", "INVALID"])
def test_strained_generator_is_warned_of(tmp_path: Path, base: Path, verdict: Any) -> None:
    state = RunVerdict.INVALID if verdict == "INVALID" else RunVerdict.PASSED
    generator = Generator(verdict=verdict, reasons=["lag"])
    new = changed(tmp_path / "new", base, lambda run: msgspec.structs.replace(run, generator=generator, verdict=state))
    comparison = compare(base, new)
    assert f"The load generator of the new run was {verdict}." in comparison.warnings
    assert comparison.conclusive is (verdict == "DEGRADED")


@pytest.mark.parametrize("verdict", ["DEGRADED", "INVALID"])
def test_a_strained_generator_makes_no_regression_of_slower_answers(
    tmp_path: Path, base: Path, slower: Path, verdict: Any
) -> None:
    generator = Generator(verdict=verdict, reasons=["lag"])
    new = changed(tmp_path / "new", slower, lambda run: msgspec.structs.replace(run, generator=generator))
    comparison = compare(base, new)
    assert not comparison.regressed
    assert comparison.exit_code == exit_codes.INVALID
    assert ("1.6 Authorize", "response p99") in {
        (change.name, change.figure) for change in comparison.changes if change.direction is Trend.UNKNOWN
    }
    assert "a load generator was under strain, so they cannot be compared" in printed(comparison)


def test_a_degraded_generator_does_not_hide_calls_that_fail(tmp_path: Path, base: Path, failing: Path) -> None:
    generator = Generator(verdict="DEGRADED", reasons=["lag"])
    new = changed(tmp_path / "new", failing, lambda run: msgspec.structs.replace(run, generator=generator))
    assert compare(base, new).exit_code == exit_codes.FAILED


def test_differing_settings_are_named_first(tmp_path: Path, base: Path) -> None:
    new = changed(
        tmp_path / "new",
        base,
        lambda run: msgspec.structs.replace(run, settings=run.settings | {"stations": 400}, interrupted=True),
    )
    assert compare(base, new).warnings[:2] == ("Different setting: stations 200 → 400.", "The new run was interrupted.")


def three_bases(tmp_path: Path, *speeds: float) -> list[Path]:
    return [write_load(tmp_path / f"base{n}", seed=n, slower=speed) for n, speed in enumerate(speeds, 1)]


def test_what_several_bases_differ_in_is_noise(tmp_path: Path) -> None:
    bases = three_bases(tmp_path, 1.0, 1.5, 1.2)
    new = write_load(tmp_path / "new", seed=9, slower=1.7)
    assert ("1.6 MeterValues", "response p50") in worse(compare(bases[0], new))
    comparison = compare_with_all(bases, new)
    assert worse(comparison) == set()
    change = next(c for c in comparison.changes if (c.name, c.figure) == ("1.6 MeterValues", "response p50"))
    middle = next(c for c in compare(bases[2], new).changes if (c.name, c.figure) == (change.name, change.figure))
    assert change.base == middle.base
    assert change.noise is not None
    assert change.noise[0] < (change.base or 0) < (change.new or 0) < change.noise[1]


def test_what_is_worse_than_several_bases_beyond_their_noise_is_a_regression(tmp_path: Path) -> None:
    bases = three_bases(tmp_path, 1.0, 1.05, 1.1)
    comparison = compare_with_all(bases, write_load(tmp_path / "new", seed=9, slower=2.0))
    assert ("1.6 MeterValues", "response p50") in worse(comparison)
    assert comparison.exit_code == exit_codes.FAILED


def test_an_objective_that_one_base_missed_too_is_no_regression(tmp_path: Path, base: Path) -> None:
    def with_slo(name: str, *, passed: bool) -> Path:
        slo = [SloResult(expr="errors < 1 %", value=0.4, passed=passed)]
        return changed(tmp_path / name, base, lambda run: msgspec.structs.replace(run, slo=slo))

    kept, missed, new = with_slo("kept", passed=True), with_slo("missed", passed=False), with_slo("new", passed=False)
    assert worse(compare_with_all([kept, kept], new)) == {("SLO", "errors < 1 %")}
    assert worse(compare_with_all([kept, missed], new)) == set()


def test_a_base_of_a_generator_that_was_invalid_is_left_out_and_named(tmp_path: Path, base: Path) -> None:
    def spoil(run: LoadRun) -> LoadRun:
        generator = Generator(verdict="INVALID", reasons=["lag"])
        return msgspec.structs.replace(run, generator=generator, verdict=RunVerdict.INVALID)

    bad = changed(tmp_path / "bad", base, spoil)
    comparison = compare_with_all([bad, base], base)
    assert comparison.exit_code == exit_codes.PASSED
    assert comparison.warnings[0] == f"{bad} is left out: its verdict is invalid."
    assert compare_with_all([bad, bad], base).exit_code == exit_codes.INVALID


def test_several_interop_runs_are_no_base(tmp_path: Path) -> None:
    folder = write_interop(tmp_path, [make_case()])
    with pytest.raises(UsageError, match="Only load runs are compared with several bases"):
        compare_with_all([folder, folder], folder)


def test_json_form_holds_everything_and_the_exit_code(base: Path, failing: Path) -> None:
    comparison = compare(base, failing)
    document = json.loads(comparison_json(comparison))
    assert document["exit_code"] == exit_codes.FAILED
    assert document["regressed"] is True
    assert len(document["changes"]) == comparison.compared
    from_nothing = next(row for row in document["changes"] if row["figure"] == "share of timeout")
    assert (from_nothing["base"], from_nothing["relative"]) == (0.0, None)


def test_runs_of_two_kinds_are_not_compared(tmp_path: Path, base: Path) -> None:
    interop = write_interop(tmp_path, [make_case()])
    with pytest.raises(UsageError, match="compare two runs of one kind"):
        compare(base, interop)


def test_unreadable_run_is_a_usage_error(tmp_path: Path, base: Path) -> None:
    with pytest.raises(UsageError, match=r"run\.json cannot be read"):
        compare(base, tmp_path)
