"""Storms that people write in Python, as one station lives them."""

from __future__ import annotations

from typing import ClassVar

import pytest

from config.locations import Location
from loadtest.plugins.storms.own_storm import OwnStorm, Position, StormStep, beat, close, cut, own_storm, say
from loadtest.plugins.storms.plan import ends, plan
from loadtest.station.contract import Host
from loadtest.timing.backoff import Backoff
from loadtest.timing.pacing import Draws
from loadtest.workload.storms import known_storms, make_storm, parameters, read_storm_words, write_storm
from ocppj.errors import UsageError
from tests.loadtest.plugins.storms.test_storms import ALL_BACK, storm


def tell(station: Host, when: float) -> None:
    station.call("DataTransfer", {"vendorId": "org.example", "data": "last words"}, when)


@own_storm
class Ferry(OwnStorm, frozen=True, kw_only=True):
    name: ClassVar[str] = "ferry"
    says: ClassVar[str] = "A ferry loses its line."

    length: float = 4.0

    def steps(self, position: Position) -> list[StormStep]:  # noqa: ARG002 - the same for all
        """Lose the line, after some last words."""
        return [cut(1.0, down=self.length), say(0.5, tell)]


@own_storm
class Quiet(OwnStorm, frozen=True, kw_only=True):
    name: ClassVar[str] = "quiet"
    says: ClassVar[str] = "Nothing but a beat."
    cuts: ClassVar[bool] = False

    def steps(self, position: Position) -> list[StormStep]:
        """Beat, a little later at each station."""
        return [beat(position.index * 0.1)]


def test_it_is_read_written_and_listed_as_the_built_in_ones() -> None:
    (found,) = read_storm_words(["ferry@5s,length=2s,share=0.5"])
    assert isinstance(found, Ferry)
    assert (found.at, found.length, found.share) == (5.0, 2.0, 0.5)
    assert make_storm(write_storm(found), Location("x")) == found
    assert next(iter(parameters(Ferry))) == "length"
    assert {"ferry", "quiet"} <= known_storms().keys()
    with pytest.raises(UsageError, match=r"'lenght' is unknown; did you mean 'length'"):
        read_storm_words(["ferry@5s,lenght=2s"])
    with pytest.raises(UsageError, match=r"there is no storm 'fery'; did you mean 'ferry'"):
        read_storm_words(["fery"])


def test_its_steps_come_in_the_order_of_time_and_say_when_it_is_over() -> None:
    steps = plan(Ferry(), Position(0, 1, Draws(1, "x")))
    assert [step.at for step in steps] == [0.5, 1.0]
    assert ends(Ferry()) == 5.0
    assert ends(Quiet()) == pytest.approx(9.9)
    assert OwnStorm.lasts(_Closing()) == 2.0, "a close code is no time"


class _Closing(OwnStorm, frozen=True, kw_only=True):
    name: ClassVar[str] = "closing"

    def steps(self, position: Position) -> list[StormStep]:  # noqa: ARG002 - the same for all
        """Close in order."""
        return [close(2.0, 1012)]


def test_a_station_lives_it_and_is_counted() -> None:
    sky = storm(backoff=Backoff("fixed", 2.0, 0.0, 0))
    began = sky.start(Ferry())
    sky.harness.run(60.0)
    (told,) = sky.harness.sent("DataTransfer")
    assert told.at == began + 0.5
    assert sky.counts() == ALL_BACK
    assert sky.totals().numbers["refused"] == 1
    assert sky.totals().when("back", 1.0) == pytest.approx(5.0, abs=0.1)


def test_one_that_cuts_nothing_is_over_when_everything_is_answered() -> None:
    sky = storm()
    sky.start(Quiet())
    sky.harness.run(5.0)
    assert sky.counts()["struck"] == sky.counts()["drained"] == 1
    assert len(sky.harness.sockets) == 1


@pytest.mark.parametrize("taken", ["csms-restart", ""])
def test_a_name_that_is_taken_or_none_is_refused(taken: str) -> None:
    class Wrong(OwnStorm, frozen=True, kw_only=True):
        name: ClassVar[str] = taken

    with pytest.raises(UsageError, match=r"The storm Wrong needs a `name`"):
        own_storm(Wrong)
