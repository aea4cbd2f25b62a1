from __future__ import annotations

from loadtest.plugins.commands.roster import Roster
from loadtest.plugins.commands.schedule import CommandSchedule, Due
from loadtest.plugins.commands.tokens import TokenStore
from loadtest.timing.pacing import Draws
from loadtest.workload.command_catalogue import Candidates
from loadtest.workload.commands import Command, Errand, plan
from ocppj.versions import Version


def errands(*rates: str) -> list[Errand]:
    commands = [Command(action="reset", rate=rate, name=f"r{number}") for number, rate in enumerate(rates)]
    return plan(commands, [Version.V16])


def drain(schedule: CommandSchedule, until: float, step: float) -> list[float]:
    times: list[float] = []
    now = 0.0
    while now <= until:
        times += [due.at for due in schedule.due(now)]
        now += step
    return [at for at in times if at <= until]


def test_the_same_seed_gives_the_same_times_however_often_somebody_looks() -> None:
    made = errands("5/s", "2/s")
    first, second = (CommandSchedule(made, 7, lambda: 10) for _ in range(2))
    for schedule in (first, second):
        schedule.begin(["r0", "r1"], 0.0)
    assert sorted(drain(first, 20.0, 0.01)) == sorted(drain(second, 20.0, 4.0))


def test_the_rate_is_kept_in_the_mean_and_a_share_grows_with_the_fleet() -> None:
    made = errands("100%/h")
    schedule = CommandSchedule(made, 1, lambda: 36_000)
    schedule.begin(["r0"], 0.0)
    assert 900 < len(drain(schedule, 100.0, 1.0)) < 1100


def test_what_was_put_in_comes_at_its_time_also_after_the_end_of_the_plan() -> None:
    (errand,) = errands("5/s")
    schedule = CommandSchedule([errand], 1, lambda: 10)
    schedule.begin([errand.label], 0.0)
    schedule.add(Due(errand=errand, at=5.0, station="A"))
    schedule.end()
    assert schedule.next_at == 5.0
    assert [due.station for due in schedule.due(6.0)] == ["A"]
    assert schedule.next_at is None


def row(identity: str, *, online: bool = True, busy: bool = False, number: object = None) -> list[object]:
    return [identity, "1.6", online, "T", [[1, 1, 1, busy, number], [2, 2, 1, False, None]]]


def choices(roster: Roster, target: Candidates) -> set[str]:
    draws = Draws(1, "x")
    found = [roster.choose([Version.V16], target, draws, lambda _: True) for _ in range(200)]
    return {seen.identity for seen in found if seen is not None}


def test_stations_are_chosen_by_what_they_told_last() -> None:
    roster = Roster()
    roster.learn([row("A"), row("B", busy=True), row("C", busy=True, number=17), row("D", online=False)])
    assert choices(roster, Candidates.IDLE) == {"A"}
    assert choices(roster, Candidates.CHARGING) == {"C"}
    assert choices(roster, Candidates.ANY) == {"A", "B", "C"}
    roster.learn([row("A", busy=True, number=4), row("C"), row("B", online=False)])
    assert choices(roster, Candidates.IDLE) == {"C"}
    assert choices(roster, Candidates.CHARGING) == {"A"}
    assert roster.online == 2
    charging = roster.find("A")
    assert charging is not None
    assert charging.connector_for(Candidates.CHARGING).transaction_id == 4
    assert roster.choose([Version.V201], Candidates.ANY, Draws(1, "x"), lambda _: True) is None


def test_a_station_that_is_not_free_is_left_out() -> None:
    roster = Roster()
    roster.learn([row("A"), row("B")])
    draws = Draws(3, "x")
    found = {
        seen.identity for _ in range(50) if (seen := roster.choose([Version.V16], Candidates.ANY, draws, "B".__eq__))
    }
    assert found == {"B"}
    assert roster.choose([Version.V16], Candidates.ANY, draws, lambda _: False) is None


def test_a_token_is_used_again_only_when_its_transaction_is_over() -> None:
    store = TokenStore()
    made = [store.make() for _ in range(2)]
    for token in made:
        store.add(token)
    busy = {"A", "B"}
    assert [store.take(station, lambda one: one not in busy) for station in ("A", "B", "C")] == [*made, None]
    busy.remove("B")
    assert store.take("C", lambda one: one not in busy) == made[1]
    store.rest(made[0])
    assert store.take("D", lambda _: False) == made[0]
