from __future__ import annotations

from tests.order import spread


def test_modules_that_wait_stand_evenly_among_the_others() -> None:
    tests = [(name, name[0], name[0] in "WV") for name in ("a1", "W1", "W2", "b1", "b2", "V1", "c1", "c2")]
    assert spread(tests) == ["W1", "W2", "a1", "b1", "V1", "b2", "c1", "c2"]


def test_nothing_is_lost_where_all_wait_or_none_does() -> None:
    for waits in (True, False):
        assert spread([(number, "m", waits) for number in range(5)]) == list(range(5))
    assert spread([]) == []
