from __future__ import annotations

import pytest

from benchmarks.latency import parse_latency
from ocppj.errors import UsageError


def test_none_answers_at_once() -> None:
    assert parse_latency("none") is None


def test_constant_holds_every_answer_alike() -> None:
    hold = parse_latency("constant:20")
    assert hold is not None
    assert {hold(t) for t in (0.0, 1.0, 99.0)} == {0.02}


def test_bimodal_mixes_the_wanted_share_evenly() -> None:
    hold = parse_latency("bimodal:5,80,0.25")
    assert hold is not None
    held = [hold(0.0) for _ in range(400)]
    assert held.count(0.08) == 100
    assert max(len(run) for run in "".join("h" if h == 0.08 else " " for h in held).split()) == 1


def test_stall_holds_everything_until_its_end() -> None:
    hold = parse_latency("stall:2,1000,20")
    assert hold is not None
    assert hold(18.9) == 0.002
    assert hold(19.25) == pytest.approx(0.75)
    assert hold(39.9) == pytest.approx(0.1)
    assert hold(19.9999) == 0.002
    assert hold(20.5) == 0.002


@pytest.mark.parametrize(
    "text", ["", "constant", "constant:x", "constant:-1", "bimodal:1,2,3", "stall:1,3000,2", "x:1"]
)
def test_what_is_no_distribution_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(UsageError, match="constant:MS"):
        parse_latency(text)
