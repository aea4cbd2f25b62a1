"""What the nights of the benchmark are held against, and how they are told."""

from __future__ import annotations

from benchmarks.nightly import Night, expected, summary


def test_a_slower_csms_must_be_found_and_an_unchanged_one_must_not() -> None:
    assert (expected("slower"), expected("unchanged")) == ("regression", "no change")


def test_nights_are_counted_by_kind_and_word() -> None:
    words = [("unchanged", "no change"), ("unchanged", "cannot tell"), ("slower", "regression")]
    nights = [Night(kind=kind, number=1, word=word, worse=0, compared=9) for kind, word in words]
    assert summary(nights).splitlines() == [
        "| CSMS | nights | no change | regression | cannot tell |",
        "| --- | --- | --- | --- | --- |",
        "| unchanged | 2 | 1 | 0 | 1 |",
        "| slower | 1 | 0 | 1 | 0 |",
    ]
