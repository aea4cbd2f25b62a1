from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.workload.command_catalogue import ALIASES, Candidates, known_words, recipe_of
from loadtest.workload.commands import Command, fill, plan, read_commands, write_commands
from loadtest.workload.profile import read_profile
from ocppj.errors import UsageError
from ocppj.versions import Version


def written(folder: Path, text: str) -> Path:
    path = folder / "commands.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_and_a_rate_are_a_whole_command_in_every_version(alias: str, tmp_path: Path) -> None:
    commands = read_commands(written(tmp_path, f"- {{action: {alias}, rate: 2/s}}\n"))
    (errand,) = plan(commands, Version)
    assert set(errand.recipes) == set(Version)
    assert errand.label == alias


@pytest.mark.parametrize("version", Version)
def test_every_known_action_of_a_version_has_a_payload_that_its_schema_takes(version: Version) -> None:
    known = [word for word in known_words() if (recipe := recipe_of(version, word)) is not None and recipe.payload]
    assert len(known) > 12
    assert len(plan([Command(action=word, rate="1/s") for word in known], [version])) == len(known)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {action: remote-strat, rate: 1/s}", "did you mean 'remote-start'?"),
        ("- {action: reset, rte: 1/s}", "the key 'rte' is unknown; did you mean 'rate'?"),
        (
            "- {action: reset, rate: often}",
            "commands.yaml:1: [0].rate: expected a rate such as 10/s",
        ),
        ("- {action: reset, rate: 0/s}", "but '0/s' is zero"),
        ("- {action: Reset, rate: 1/s, payload: {type: '{tokn}'}}", "did you mean 'token'?"),
        ("- {action: reset, rate: 1/s, target: charged}", "charged"),
        ("- {action: reset}", "rate"),
        ("commands: []", "there are no commands"),
        ("comands: []", "did you mean 'commands'?"),
        ("- {action: [", "commands.yaml:1: expected YAML"),
    ],
)
def test_a_mistake_in_a_command_file_is_one_line_that_helps(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_commands(written(tmp_path, text))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_profile_brings_its_commands_along(tmp_path: Path) -> None:
    path = written(tmp_path, "title: x\ncommands:\n  - {action: reset, rate: 1/h}\n")
    assert read_profile(path).commands == [Command(action="reset", rate="1/h")]
    with pytest.raises(UsageError, match="did you mean 'rate'"):
        read_profile(written(tmp_path, "title: x\ncommands:\n  - {action: reset, rat: 1/h}\n"))


def test_what_no_station_of_the_run_knows_is_refused() -> None:
    with pytest.raises(UsageError, match=r"is not a command of OCPP 2.0.1; OCPP 1.6 has it"):
        plan([Command(action="RemoteStartTransaction", rate="1/s")], [Version.V201])
    with pytest.raises(UsageError, match=r"'type'|/type"):
        plan([Command(action="Reset", rate="1/s", payload={"type": "Softly"})], [Version.V16])
    with pytest.raises(UsageError, match="Two commands are called 'reset'"):
        plan([Command(action="reset", rate="1/s"), Command(action="reset", rate="2/s")], [Version.V16])


def test_rates_are_of_the_fleet_or_of_each_station() -> None:
    context, share = plan(
        [Command(action="reset", rate="30/min"), Command(action="ClearCache", rate="50 %/h")], [Version.V16]
    )
    assert context.rate.of(10) == context.rate.of(1000) == 0.5
    assert share.rate.of(7200) == 1.0


def test_a_payload_with_a_transaction_goes_to_stations_that_charge() -> None:
    (errand,) = plan(
        [Command(action="GetTransactionStatus", rate="1/s", payload={"transactionId": "{transactionId}"})],
        [Version.V201],
    )
    assert errand.target is Candidates.CHARGING


def test_a_gap_alone_keeps_its_type_and_one_within_a_text_becomes_text() -> None:
    values = {"connector": 2, "token": "T1"}
    template = {"a": "{connector}", "b": ["x{token}-{connector}"], "c": {"d": "{other}"}}
    assert fill(template, values) == {"a": 2, "b": ["xT1-2"], "c": {"d": "{other}"}}


def test_commands_are_written_at_another_rate_with_their_shares(tmp_path: Path) -> None:
    path = tmp_path / "commands.yaml"
    path.write_text("- {action: remote-start, rate: 3/s}\n- {action: trigger-status, rate: 60/min, during: run}\n")
    written = tmp_path / "scaled.yaml"
    written.write_text(write_commands(read_commands(path), 20.0))
    scaled = plan(read_commands(written), [Version.V16])
    assert [(one.label, one.rate.per_second) for one in scaled] == [("remote-start", 15.0), ("trigger-status", 5.0)]
    assert scaled[1].command.during == "run"
