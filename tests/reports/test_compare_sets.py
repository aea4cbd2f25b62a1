"""N runs against N: a slower CSMS is found, chance and a busy machine are not, and few runs tell nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evidence import exit_codes
from evidence.run_folder import read_run
from evidence.run_model import Generator, SloResult
from evidence.verdicts import RunVerdict, Verdict
from ocppj.errors import InconclusiveError, UsageError
from reports.compare import Comparison, Trend
from reports.compare_sets import compare_sets
from reports.compare_text import comparison_markdown, verdict_words
from reports.permutation import ALPHA, Sample, chances, enough_runs, least_chance
from tests.reports.history_builders import write_night, write_nights
from tests.reports.report_builders import make_case, write_interop
from tests.sampling import Draw

BASE, NEW = range(1, 6), range(11, 16)


def compared(before: Sequence[Path], after: Sequence[Path], **options: Any) -> Comparison:
    pairs = [[(path, read_run(path)) for path in side] for side in (before, after)]
    return compare_sets(*pairs, baseline="latest", **options)


def moved(comparison: Comparison, trend: Trend) -> set[str]:
    return {f"{change.name} {change.figure}" for change in comparison.changes if change.direction is trend}


def test_a_csms_that_became_slower_is_found(tmp_path: Path) -> None:
    found = compared(write_nights(tmp_path, BASE), write_nights(tmp_path, NEW, slower=1.2))
    assert found.exit_code == exit_codes.FAILED
    assert {"1.6 Heartbeat service p50", "1.6 MeterValues response p50"} <= moved(found, Trend.WORSE)
    assert verdict_words(found)[0] == "Regression"
    assert "regression" in comparison_markdown(found)
    back = compared(write_nights(tmp_path, NEW, slower=1.2), write_nights(tmp_path, BASE))
    assert (back.exit_code, moved(back, Trend.WORSE)) == (exit_codes.PASSED, set())
    assert moved(back, Trend.BETTER) != set()


def test_one_action_that_became_slower_is_found(tmp_path: Path) -> None:
    found = compared(write_nights(tmp_path, BASE), write_nights(tmp_path, NEW, slower=1.3, only="MeterValues"))
    assert moved(found, Trend.WORSE) != set()
    assert all("MeterValues" in name for name in moved(found, Trend.WORSE))


@pytest.mark.parametrize("noise", [0.01, 0.1, 0.4])
def test_repeats_are_no_regression_no_false_alarm(tmp_path: Path, noise: float, draw: Draw) -> None:
    for repeat in draw.some(f"repeats of nights/{noise}", range(20), 8):
        seeds = range(100 * repeat, 100 * repeat + 10)
        runs = write_nights(tmp_path / str(repeat), seeds, noise=noise)
        assert moved(compared(runs[:5], runs[5:]), Trend.WORSE) == set()


def test_few_runs_tell_nothing_and_are_no_regression(tmp_path: Path) -> None:
    for before, after in (([1], [11]), ([1, 2], [11, 12]), ([1, 2, 3, 4, 5], [11])):
        found = compared(write_nights(tmp_path, before), write_nights(tmp_path, after, slower=2.0))
        assert (found.exit_code, found.regressed) == (exit_codes.INVALID, False)
        assert "too few" in found.warnings[0]
        assert verdict_words(found)[0] == "Cannot tell"


def test_a_busier_machine_is_no_slower_csms_no_false_alarm(tmp_path: Path) -> None:
    """Every latency grew; so did the lateness of the generator's own timers, and the fastest answers did not grow."""
    busy = write_nights(tmp_path / "busy", NEW, slower=1.5, lag=6.0, busy=True)
    found = compared(write_nights(tmp_path, BASE), busy)
    assert (moved(found, Trend.WORSE), found.exit_code) == (set(), exit_codes.PASSED)
    assert any("the machine was not as calm" in warning for warning in found.warnings)


def test_a_slower_csms_is_found_on_a_busier_machine(tmp_path: Path) -> None:
    found = compared(write_nights(tmp_path, BASE), write_nights(tmp_path / "busy", NEW, slower=1.2, lag=6.0))
    assert {"1.6 Heartbeat service p10", "1.6 Heartbeat service p50"} <= moved(found, Trend.WORSE)


def test_slow_tails_on_a_calm_machine_are_found(tmp_path: Path) -> None:
    found = compared(write_nights(tmp_path, BASE), write_nights(tmp_path / "tails", NEW, slower=1.5, busy=True))
    assert "1.6 Heartbeat service p90" in moved(found, Trend.WORSE)
    assert "1.6 Heartbeat service p10" not in moved(found, Trend.WORSE)


def test_of_a_strained_generator_without_its_lag_only_the_fastest_answers_count(tmp_path: Path) -> None:
    strained = {"generator": Generator(verdict="DEGRADED", reasons=["late"]), "slower": 1.5}
    base = write_nights(tmp_path, BASE)
    assert compared(base, write_nights(tmp_path / "busy", NEW, busy=True, **strained)).exit_code == exit_codes.PASSED
    assert compared(base, write_nights(tmp_path / "slow", NEW, **strained)).exit_code == exit_codes.FAILED


def test_runs_without_a_verdict_are_left_out(tmp_path: Path) -> None:
    news = [*write_nights(tmp_path, NEW), write_night(tmp_path / "bad", seed=30, slower=9, verdict=RunVerdict.INVALID)]
    found = compared(write_nights(tmp_path, BASE), news)
    assert (found.exit_code, found.new_runs) == (exit_codes.PASSED, len(NEW))
    assert "left out" in found.warnings[0]
    with pytest.raises(InconclusiveError):
        compared(news[:5], news[5:])


def test_an_objective_that_is_missed_in_every_new_run_is_a_regression(tmp_path: Path) -> None:
    missed = [SloResult(expr="p99 < 500 ms", value=900.0, passed=False, unit="ms")]
    found = compared(write_nights(tmp_path, BASE), write_nights(tmp_path, NEW, slo=missed))
    assert moved(found, Trend.WORSE) == {"SLO p99 < 500 ms"}


def test_a_base_that_was_chosen_among_many_needs_more(tmp_path: Path) -> None:
    sides = write_nights(tmp_path, BASE), write_nights(tmp_path, NEW, slower=1.5)
    assert compared(*sides, tries=2).exit_code == exit_codes.FAILED
    assert compared(*sides, tries=20).exit_code == exit_codes.INVALID


def test_a_case_is_worse_only_when_every_repeat_is(tmp_path: Path) -> None:
    ok, failed, flaky = (make_case(verdict=one) for one in (Verdict.OK, Verdict.FAILED, Verdict.OK))
    before = [write_interop(tmp_path / f"b{place}", [case]) for place, case in enumerate([ok, ok])]
    worse = [write_interop(tmp_path / f"w{place}", [case]) for place, case in enumerate([failed, failed])]
    mixed = [write_interop(tmp_path / f"m{place}", [case]) for place, case in enumerate([failed, flaky])]
    assert compared(before, worse).exit_code == exit_codes.FAILED
    assert compared(before, mixed).exit_code == exit_codes.PASSED
    with pytest.raises(UsageError):
        compared(before, write_nights(tmp_path, NEW))


# -- the test itself ---------------------------------------------------------------------------------------------------


def test_the_chance_is_that_of_all_figures_together() -> None:
    split = Sample((1.0, 1.1, 0.9, 1.0, 1.05, 3.0, 3.1, 2.9, 3.0, 3.05), 0.1)
    alone = chances([split], 5, worse=True)
    assert alone == [least_chance(5, 5)]
    # The ten runs dealt otherwise: a figure that stands out there makes the same shift a likelier one.
    other = Sample(tuple(split.values[place] for place in (0, 6, 2, 8, 4, 5, 1, 7, 3, 9)), 0.1)
    assert chances([split, other], 5, worse=True)[0] > alone[0]
    assert chances([split], 5, worse=False)[0] > ALPHA


def test_figures_that_do_not_vary_show_nothing() -> None:
    assert chances([Sample((1.0,) * 10, 0.1)], 5, worse=True) == [1.0]
    assert chances([], 5, worse=True) == []


def test_many_runs_are_drawn_and_the_answer_stays() -> None:
    sample = Sample(tuple(float(place % 7) for place in range(30)), 0.1)
    assert chances([sample], 15, worse=True) == chances([sample], 15, worse=True)


def test_five_runs_are_enough() -> None:
    assert enough_runs() == 5
