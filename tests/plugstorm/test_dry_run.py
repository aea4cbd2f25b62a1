"""What a run would do is told before anything is sent, and only to one's own machines."""

from __future__ import annotations

import json

import pytest

from tests.plugstorm.conftest import Plugstorm

pytestmark = pytest.mark.waits(1)


def test_a_dry_run_sends_nothing_and_tells_rates(plugstorm: Plugstorm, closed_url: str) -> None:
    result = plugstorm("load", "--dry-run", "--url", closed_url, "--stations", "50")
    assert result.code == 0
    assert "Nothing was sent" in " ".join(result.out.split())
    assert "StatusNotification" in result.out


def test_a_dry_run_is_json_on_request(plugstorm: Plugstorm) -> None:
    result = plugstorm("load", "--dry-run", "--json", "--stations", "50", "--ocpp", "2.0.1", "--heartbeat", "5")
    seen = json.loads(result.out)
    assert seen["stations"] == 50
    assert {row["ocpp"] for row in seen["actions"]} == {"2.0.1"}
    assert seen["calls_per_s"] > 10
    assert seen["shortages"] == []
    assert seen["needs"]["own_csms"]


def test_a_dry_run_of_the_impossible_says_what_to_do(plugstorm: Plugstorm) -> None:
    words = ("load", "--url", "ws://127.0.0.1:9/x", "--stations", "3000000", "--spawn-rate", "9000", "--duration", "5m")
    result = plugstorm(*words, "--dry-run")
    assert result.code == 2
    assert "This cannot work" in result.out
    plugstorm(*words).assert_one_line(2, "--source-address")


def test_source_addresses_count_wherever_they_are_given(plugstorm: Plugstorm) -> None:
    words = ("load", "--dry-run", "--json", "--url", "ws://127.0.0.1:9/x", "--stations", "40000", "--workers", "90")
    pool = ("--source-address", "127.0.0.2-127.0.0.9")
    for more in (pool, ("--", *pool), ("--", "=".join(pool))):
        assert json.loads(plugstorm(*words, *more).out)["needs"]["sources"] == 8


@pytest.mark.parametrize("command", ["load", "interop"])
def test_a_target_on_another_machine_needs_consent(plugstorm: Plugstorm, command: str) -> None:
    words = (command, "--url", "wss://csms.example/ocpp")
    plugstorm(*words).assert_one_line(2, "--i-own-this-target csms.example")
    plugstorm(*words, "--i-own-this-target", "example").assert_one_line(2, "--i-own-this-target csms.example")


def test_consent_is_also_asked_for_behind_the_two_dashes(plugstorm: Plugstorm, closed_url: str) -> None:
    plugstorm("load", "--url", closed_url, "--", "--host", "ws://csms.example/x").assert_one_line(
        2, "--i-own-this-target csms.example"
    )


def test_the_flag_of_a_dry_run_says_nothing_without_it(plugstorm: Plugstorm) -> None:
    plugstorm("load", "--heartbeat=5").assert_one_line(2, "belongs to --dry-run")


def test_listing_cases_needs_no_consent(plugstorm: Plugstorm) -> None:
    result = plugstorm("interop", "--list", "--url", "ws://csms.example/ocpp", "--select", "level:required")
    assert result.code == 0
