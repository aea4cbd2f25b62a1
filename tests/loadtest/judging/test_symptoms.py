"""Symptoms of runs that are made up second by second: each illness is named, and health is not called ill."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from evidence.histogram import Histogram, Interval, Tag
from evidence.run_model import LostConnections
from evidence.vocabulary import FROM_CSMS, TO_CSMS
from loadtest.judging.symptoms import Observed, Slice, slices_of, symptoms
from loadtest.measuring.merged import Second

LENGTH = 60
RATE = 20
FAST = 3
"""ms"""


def answers(times_ms: Mapping[float, int]) -> Histogram:
    histogram = Histogram()
    for milliseconds, count in times_ms.items():
        histogram.record(round(milliseconds * 1000), count)
    return histogram


def part(start: int, times_ms: Mapping[float, int], unanswered: int = 0) -> Slice:
    patience = 30.0 if unanswered else math.inf
    return Slice(start=float(start), seconds=1.0, answered=answers(times_ms), unanswered=unanswered, patience=patience)


def row(t: int, **changes: int) -> Second:
    known = {"calls": RATE, "errors": 0, "connected": 50, "booted": 50, "opened": 0, "waiting": 1}
    return Second(t, **known | changes)


def seen(
    each: Callable[[int], Slice] = lambda t: part(t, {FAST: RATE}),
    rows: Callable[[int], Second] = row,
    *,
    more: Mapping[str, list[Slice]] | None = None,
    **fields: Any,
) -> Observed:
    """Make a minute in which 50 stations get 20 answers a second, each after 3 ms."""
    slices = {"Heartbeat": [each(t) for t in range(LENGTH)], **(more or {})}
    known: dict[str, Any] = {"rows": [rows(t) for t in range(LENGTH)], "most": 50, "stopped": float(LENGTH)}
    return Observed(slices=slices, **known | fields)


CLOSED = LostConnections(
    how="closed-by-csms", code=1011, reason="out of memory", after="Heartbeat", count=50, first=25.0, last=26.0
)


def leaking(t: int) -> Slice:
    return part(t, {FAST + 10 * t: RATE})


def locked(t: int) -> Slice:
    """One start holds the lock for 20 ms, and more and more of them wait."""
    return part(t, {20: 1, 100 + 40 * t: 49})


ILL: dict[str, tuple[Observed, str]] = {
    "gone": (
        seen(
            rows=lambda t: row(t) if t < 26 else row(t, connected=0, calls=0),
            lost=[CLOSED],
            connections={"opened": 50, "http-503": 90},
        ),
        'the CSMS went away 25 s after the start: 50 connections ended (the CSMS closed with 1011 "out of memory"); ',
    ),
    "mute": (
        seen(rows=lambda t: row(t) if t < 26 else row(t, calls=0, waiting=50)),
        "the CSMS went mute 26 s after the start: from then on it answered no CALL, although 50 connections stayed",
    ),
    "refuses-tokens": (
        seen(outcomes={"Authorize": {"rejected": 7, "timeout": 1}}),
        "the CSMS refused every token: 7 of 8 Authorize got no Accepted",
    ),
    "slow": (
        seen(lambda t: part(t, {FAST if t < 30 else 900: RATE})),
        "the CSMS became slow about 30 s after the start: half of its answers took up to 3 ms before, and 900 ms from",
    ),
    "slowing": (
        seen(leaking),
        "the CSMS became slower and slower: half of its answers took up to 43 ms at first, and 560 ms at the end, ",
    ),
    "stalls": (
        seen(
            lambda t: part(t, {2000 if t % 20 == 12 else FAST: RATE}),
            lambda t: row(t, calls=0, waiting=40) if t % 20 == 11 else row(t),
        ),
        "the CSMS stood still 3 times for about 2 s, every 20 s (11, 31, 51 s after the start)",
    ),
    "loses-answers": (
        seen(lambda t: part(t, {FAST: RATE}, unanswered=t % 5 == 0)),
        "the CSMS loses answers: 12 of 1,212 CALLs (0.99 %) never got one, now and then, while 99 % of the others",
    ),
    "serialised": (
        seen(more={"StartTransaction": [locked(t) for t in range(LENGTH)]}),
        "StartTransaction is serialised: the CSMS handles one at a time, so its throughput stays at 50 per second",
    ),
}


@pytest.mark.parametrize("word", ILL)
def test_what_the_csms_did_is_said_in_plain_words(word: str) -> None:
    run, sentence = ILL[word]
    found = symptoms(run)
    assert [one.word for one in found] == [word]
    assert found[0].says.startswith(sentence)


HEALTHY = {
    "steady": seen(),
    "no run at all": Observed(rows=[], most=0, slices={}, stopped=0.0),
    "stations that leave when they are told to": seen(
        rows=lambda t: row(t) if t < 40 else row(t, connected=0, calls=0), stopped=40.0, lost=[CLOSED]
    ),
    "a fleet that shrinks without losing connections": seen(
        rows=lambda t: row(t) if t < 40 else row(t, connected=0, calls=0)
    ),
    "a storm that ends the connections": seen(
        rows=lambda t: row(t) if t < 26 else row(t, connected=0, calls=0), lost=[CLOSED], struck=25.0
    ),
    "a storm that ends the connections a moment after a second in which they were there": seen(
        rows=lambda t: row(t) if t < 26 else row(t, connected=0, calls=0), lost=[CLOSED], struck=26.1
    ),
    "a storm that keeps the CSMS from answering": seen(
        rows=lambda t: row(t) if t < 26 else row(t, calls=0, waiting=50), struck=26.1
    ),
    "stations that have nothing to say": seen(lambda t: part(t, {}), lambda t: row(t, calls=0, waiting=0)),
    "tokens of which one is known": seen(outcomes={"Authorize": {"rejected": 7, "accepted": 1}}),
    "a quiet last minute": seen(rows=lambda t: row(t) if t < 40 else row(t, calls=0, waiting=0)),
    "answers that are three times as slow": seen(lambda t: part(t, {FAST if t < 30 else 3 * FAST: RATE})),
    "a single slow second": seen(lambda t: part(t, {900 if t == 30 else FAST: RATE})),
    "slower by less than the generator's own delay": seen(lambda t: part(t, {FAST if t < 30 else 100: RATE}), lag=0.05),
    "a stall of the generator": seen(
        lambda t: part(t, {2000 if t == 12 else FAST: RATE}),
        lambda t: row(t, calls=0, waiting=40) if t == 11 else row(t),
        stall=1.9,
    ),
    "a moment without a processor on a busy machine": seen(
        lambda t: part(t, {1800 if t == 12 else FAST: RATE}),
        lambda t: row(t, calls=0, waiting=40) if t == 11 else row(t),
        strained=True,
    ),
    "a second without an answer": seen(
        lambda t: part(t, {1100 if t == 12 else FAST: RATE}),
        lambda t: row(t, calls=0, waiting=40) if t == 11 else row(t),
    ),
    "a second without calls when there are few": seen(rows=lambda t: row(t, calls=t % 3, waiting=2 * (t % 3 == 0))),
    "an unlucky CALL or two": seen(lambda t: part(t, {FAST: RATE}, unanswered=t in {5, 40})),
    "time-outs at one moment": seen(lambda t: part(t, {FAST: RATE}, unanswered=20 * (t == 30) + (t in {5, 50}))),
    "an action that is slow and has no queue": seen(
        more={"StartTransaction": [part(t, {250: 4}) for t in range(LENGTH)]}
    ),
    "an action with a queue before several hands": seen(
        more={"StartTransaction": [part(t, {20: 1, 200: 199}) for t in range(LENGTH)]}
    ),
}


def test_where_new_connections_fail_is_said_of_a_csms_that_is_gone() -> None:
    (found,) = symptoms(ILL["gone"][0])
    assert found.says.endswith("; new connections failed, most with http-503")


def test_of_several_reasons_the_most_frequent_is_told_with_its_number() -> None:
    run = seen(
        rows=lambda t: row(t) if t < 26 else row(t, connected=0, calls=0),
        lost=[CLOSED, LostConnections(how="lost", code=1006, count=7, first=25.0, last=25.0)],
    )
    (found,) = symptoms(run)
    assert '57 connections ended (the CSMS closed with 1011 "out of memory", 50 of them)' in found.says


def test_growing_times_under_steady_load_are_called_a_leak() -> None:
    (found,) = symptoms(ILL["slowing"][0])
    assert found.says.endswith(
        "although it answered no more CALLs than before, as one does that leaks memory or connections"
    )


@pytest.mark.parametrize("name", HEALTHY)
def test_a_csms_that_may_be_right_shows_no_symptom_no_false_alarm(name: str) -> None:
    assert symptoms(HEALTHY[name]) == []


def test_a_generator_that_did_not_do_its_work_says_nothing_of_times_but_that_the_csms_is_gone() -> None:
    slow, gone = ILL["slow"][0], ILL["gone"][0]
    for run, words in ((slow, []), (gone, ["gone"])):
        fields = {name: getattr(run, name) for name in run.__struct_fields__} | {"trusted": False}
        assert [one.word for one in symptoms(Observed(**fields))] == words


def test_a_single_long_stall_is_told_with_its_time() -> None:
    (found,) = symptoms(
        seen(
            lambda t: part(t, {2400 if t == 13 else FAST: RATE}),
            lambda t: row(t, calls=0, waiting=40) if t in {11, 12} else row(t),
        )
    )
    assert found.says == "the CSMS stood still for 2.4 s, 11 s after the start: it answered nobody meanwhile"


def test_more_load_is_named_as_what_makes_answers_slower() -> None:
    (found,) = symptoms(seen(lambda t: part(t, {FAST + 10 * t: RATE + t})))
    assert "while the load grew from" in found.says
    assert "leaks" not in found.says


def test_what_came_before_a_csms_went_mute_is_judged_and_its_silence_is_not_a_stall() -> None:
    run = seen(
        lambda t: part(t, {FAST: RATE} if t < 40 else {}, unanswered=(t % 5 == 0 and t < 40) or 9 * (t >= 40)),
        lambda t: row(t) if t < 40 else row(t, calls=9, errors=9, waiting=50),
    )
    assert [one.word for one in symptoms(run)] == ["mute", "loses-answers"]


def test_slices_hold_the_answers_of_the_csms_whatever_they_said_and_count_time_outs() -> None:
    def interval(outcome: str, milliseconds: int, *, direction: str = TO_CSMS, kind: str = "service") -> Interval:
        return Interval(str(Tag("1.6", "Authorize", direction, outcome, kind)), 4.0, 1.0, answers({milliseconds: 1}))

    found = slices_of(
        [
            interval("accepted", 5),
            interval("rejected", 7),
            interval("accepted", 900, kind="response"),
            interval("timeout", 2000),
            interval("lost", 30),
            interval("accepted", 8, direction=FROM_CSMS),
        ]
    )
    (one,) = found.pop("Authorize")
    assert found == {}
    assert (one.start, one.seconds, one.answered.count, one.unanswered) == (4.0, 1.0, 2, 1)
    assert one.answered.max == pytest.approx(7000, rel=0.01)
    assert one.patience == pytest.approx(2.0, rel=0.01)
