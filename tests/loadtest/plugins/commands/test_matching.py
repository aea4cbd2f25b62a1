from __future__ import annotations

from typing import Any

import pytest

from evidence.plugin_results import CommandOutcome
from loadtest.plugins.commands.figures import Figures
from loadtest.plugins.commands.matching import Api, Matcher, SeenEffect, Sent, digest_of, key_of
from loadtest.workload.commands import Command, fill, plan
from ocppj.versions import Version


class Case:
    """One matcher, and what it closed."""

    def __init__(self) -> None:
        self.closed: list[tuple[Sent, CommandOutcome]] = []
        self.matcher = Matcher(lambda sent, verdict: self.closed.append((sent, verdict)))

    def send(self, alias: str, station: str, at: float = 10.0, **values: Any) -> Sent:
        (errand,) = plan([Command(action=alias, rate="1/s", timeout=10, effect_within=60)], [Version.V16])
        recipe = errand.recipes[Version.V16]
        payload = fill(recipe.payload, {"connector": 1, "limit": 10.0, "number": 1, **values})
        sent = Sent(
            errand=errand,
            recipe=recipe,
            ocpp="1.6",
            station=station,
            payload=payload,
            key=key_of(recipe.action, payload),
            digest=digest_of(payload),
            intended=at - 0.5,
            sent=at,
        )
        self.matcher.begin(sent)
        return sent

    def see(self, sent: Sent, at: float, station: str | None = None, *, taken: bool = True, key: str = "") -> None:
        self.matcher.seen(station or sent.station, sent.recipe.action, key or sent.key, sent.digest, at, taken=taken)

    @property
    def verdicts(self) -> list[CommandOutcome]:
        return [verdict for _, verdict in self.closed]


@pytest.fixture
def case() -> Case:
    return Case()


def test_a_start_is_followed_to_its_first_meter_value(case: Case) -> None:
    sent = case.send("remote-start", "A", token="T1")
    # The report of the station may be here before the answer of the API.
    case.see(sent, 10.1)
    case.matcher.answered(sent, Api.ACCEPTED, 10.2)
    case.matcher.did("A", SeenEffect.STARTED, "T1", 10.4)
    case.matcher.settle(30.0)
    assert case.closed == []
    case.matcher.did("A", SeenEffect.METERED, "T1", 20.0)
    case.matcher.settle(30.0)
    assert case.verdicts == [CommandOutcome.ACCEPTED]
    figures = Figures()
    figures.close(*case.closed[0])
    (row,) = figures.rows()
    middles = {name: row[f"{name}_ms"]["p50"] for name in ("service", "response", "reach", "started", "effect")}
    assert middles == pytest.approx(
        {"service": 200, "response": 700, "reach": 100, "started": 400, "effect": 10_000}, rel=0.001
    )


def test_one_that_no_station_sees_is_lost_only_when_its_time_is_over(case: Case) -> None:
    sent = case.send("get-configuration", "A")
    case.matcher.answered(sent, Api.ACCEPTED, 10.1)
    case.matcher.settle(20.0)
    assert case.closed == []
    case.matcher.settle(20.2)
    assert case.verdicts == [CommandOutcome.NEVER_SEEN]


def test_a_start_at_another_station_is_found_by_its_token(case: Case) -> None:
    sent = case.send("remote-start", "A", token="T1")
    case.matcher.answered(sent, Api.ACCEPTED, 10.1)
    case.see(sent, 10.1, "B")
    case.matcher.settle(11.0)
    assert case.verdicts == [CommandOutcome.WRONG_STATION]
    assert case.matcher.strays == 0


def test_a_start_with_another_token_is_told(case: Case) -> None:
    sent = case.send("remote-start", "A", token="T1")
    case.see(sent, 10.1, key="T9")
    case.matcher.answered(sent, Api.ACCEPTED, 10.1)
    case.matcher.settle(11.0)
    assert case.verdicts == [CommandOutcome.WRONG_TOKEN]


def test_a_command_without_a_key_that_another_station_saw_is_found_by_its_payload(case: Case) -> None:
    lost, right = case.send("reset", "A"), case.send("get-configuration", "C")
    case.see(lost, 10.1, "B")
    case.see(right, 10.1)
    for sent in (lost, right):
        case.matcher.answered(sent, Api.ACCEPTED, 10.2)
    case.matcher.end(12.0)
    assert case.verdicts == [CommandOutcome.WRONG_STATION, CommandOutcome.ACCEPTED]
    assert case.matcher.strays == 1


def test_one_that_comes_twice_is_counted_once_and_noted(case: Case) -> None:
    sent = case.send("remote-start", "A", token="T1")
    case.see(sent, 10.1)
    case.see(sent, 10.3)
    case.matcher.end(12.0)
    assert (sent.seen, sent.seen_again) == (10.1, 1)


@pytest.mark.parametrize(
    ("api", "seen", "verdict"),
    [
        (Api.ERROR, False, CommandOutcome.API_ERROR),
        (Api.TIMEOUT, False, CommandOutcome.NEVER_SEEN),
        (Api.TIMEOUT, True, CommandOutcome.API_TIMEOUT),
        (Api.UNANSWERED, False, CommandOutcome.NEVER_SEEN),
        (Api.REJECTED, True, CommandOutcome.REJECTED),
        (Api.CALLERROR, True, CommandOutcome.REJECTED),
        (Api.SENT, True, CommandOutcome.ACCEPTED),
        (None, False, CommandOutcome.OPEN),
    ],
)
def test_what_the_api_and_the_station_say_gives_one_verdict(
    case: Case, *, api: Api | None, seen: bool, verdict: CommandOutcome
) -> None:
    sent = case.send("get-configuration", "A")
    if seen:
        case.see(sent, 10.1, taken=api not in (Api.REJECTED, Api.CALLERROR))
    if api is not None:
        case.matcher.answered(sent, api, 10.2)
    case.matcher.end(40.0)
    assert case.verdicts == [verdict]


def test_what_the_end_of_the_run_cuts_off_is_nobodys_failure(case: Case) -> None:
    early, late, gone = (case.send("reset", station) for station in "ABC")
    case.see(early, 11.0)
    case.see(late, 69.0)
    for sent in (early, late):
        case.matcher.answered(sent, Api.ACCEPTED, 69.0)
    # The station had left already.
    case.matcher.answered(gone, Api.ERROR, 71.2)
    case.matcher.end(71.1)
    assert case.verdicts == [CommandOutcome.NO_EFFECT, CommandOutcome.OPEN, CommandOutcome.OPEN]


def test_a_refused_start_has_no_effect_and_one_that_ends_early_stays_open(case: Case) -> None:
    refused, short = case.send("remote-start", "A", token="T1"), case.send("remote-start", "B", token="T2")
    for sent in (refused, short):
        case.see(sent, 10.1)
        case.matcher.answered(sent, Api.ACCEPTED, 10.2)
    case.matcher.did("A", SeenEffect.REFUSED, "T1", 10.3)
    case.matcher.did("B", SeenEffect.STARTED, "T2", 10.3)
    case.matcher.did("B", SeenEffect.ENDED, "T2", 11.0)
    case.matcher.settle(20.0)
    assert case.verdicts == [CommandOutcome.NO_EFFECT, CommandOutcome.OPEN]


def test_keys_are_read_where_each_version_has_them_and_nonsense_has_none() -> None:
    assert key_of("SetChargingProfile", {"csChargingProfiles": {"chargingProfileId": 5}}) == "5"
    assert key_of("SetChargingProfile", {"chargingProfile": {"id": 6}}) == "6"
    assert key_of("RequestStartTransaction", {"idToken": {"idToken": "T"}}) == "T"
    assert key_of("RequestStartTransaction", {"idToken": "T"}) == key_of("Reset", [1]) == ""
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1}) != digest_of({"a": 1})


def test_shares_are_of_what_is_known_and_waiting_in_vain_counts_as_its_wait() -> None:
    figures = Figures()
    figures.never_sent("reset", "1.6", "Reset", "booted again", 30.0)
    figures.never_sent("reset", "1.6", "Reset", "booted again", None)
    found = figures.quantities()
    assert found["never-sent"] == found["failed"] == (1.0, 1.0)
    assert found["response-p95"][0] == pytest.approx(30_000, rel=0.001)
    assert found["reach-p95"] == (None, None)
    (row,) = figures.rows()
    assert (row["intended"], row["sent"], row["outcomes"]) == (2, 0, {"never-sent": 1, "no-target": 1})
