from __future__ import annotations

import sys

import pytest

from benchmarks.__main__ import main
from benchmarks.run import PARTS, Wanted
from evidence import exit_codes
from plugstorm.bench_command import BenchRequest, bench_command


def test_without_a_word_all_parts_are_measured_and_those_of_minutes_only_when_asked_for() -> None:
    assert all(Wanted().takes(part) for part in PARTS)
    assert not Wanted().grows
    assert Wanted(scale=True).grows


def test_a_part_alone_is_measured_in_full() -> None:
    wanted = Wanted(only=frozenset({"workers"}))
    assert [part for part in PARTS if wanted.takes(part)] == ["workers"]
    assert wanted.grows


def test_parts_and_the_size_of_the_fleet_reach_the_bench() -> None:
    request = BenchRequest(
        quick=False, scale=False, mqtt=False, as_json=True, out=None, engines=(), only=("workers", "truth"), stations=9
    )
    assert bench_command(request)[3:] == ["--json", "--stations", "9", "--only", "workers", "--only", "truth"]


def test_an_unknown_part_is_a_usage_error_that_names_the_known_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["plugstorm bench", "--only", "worker"])
    assert main() == exit_codes.USAGE
    assert (
        "--only worker is not a part of the bench: engines, fleets, workers, master, truth" in capsys.readouterr().err
    )
