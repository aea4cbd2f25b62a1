"""The plugin with a driver that needs no network: what it sends, when, and to whom."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest

from drivers.base import CommandResult, DriverError, NoDriver
from evidence.plugin_results import CommandOutcome
from loadtest.judging.slo_expression import parse
from loadtest.plugins.commands.observer import SEEN, STATE
from loadtest.plugins.commands.plugin import CommandPlugin
from loadtest.plugins.commands.setup import DriverChoice, check_commands, plugin_of
from loadtest.plugins.contract import RunAccess
from loadtest.plugins.quantities import QUANTITIES
from loadtest.workload.commands import Command
from ocppj.errors import UsageError
from ocppj.versions import Version


class FakeDriver(NoDriver):
    """Answers `takes` seconds later, and remembers what it was asked for."""

    def __init__(self, takes: float = 0.0, status: str = "Accepted") -> None:
        self.takes = takes
        self.status = status
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.tokens: list[str] = []
        self.under_way = self.most = 0

    def missing(self, need: str, version: Version) -> str | None:
        del version
        return None if need.startswith(("trigger", "token")) else need

    def set_token(self, token: str, settings: Any, version: Version) -> None:
        del settings, version
        self.tokens.append(token)

    def command(self, identity: str, action: str, payload: dict[str, Any], version: Version) -> CommandResult:
        del version
        self.asked.append((identity, action, payload))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        gevent.sleep(self.takes)
        self.under_way -= 1
        if self.status == "broken":
            raise DriverError("the API is broken")
        return CommandResult(status="answered", payload={"status": self.status})


class Play:
    """A plugin in the middle of a run of three stations; its clock may be set ahead."""

    def __init__(self, folder: Path, driver: FakeDriver, *commands: Command, most: int = 64) -> None:
        (folder / "histograms").mkdir()
        self.driver = driver
        self.ahead = 0.0
        self.orders: list[dict[str, Any]] = []
        self.plugin = CommandPlugin(
            commands, [Version.V16], lambda: driver, 1, duration=10.0, most=most, clock=self.clock
        )
        self.began = self.clock()
        self.plugin.begin(
            RunAccess(
                order=self.orders.append,
                folder=folder,
                url="ws://x",
                stations=3,
                started=time.time(),
                clock=self.elapsed,
            )
        )
        rows = [[name, "1.6", True, f"T{name}", [[1, 1, 1, False, None]]] for name in "ABC"]
        self.plugin.note("w", [STATE, rows])

    def clock(self) -> float:
        return time.monotonic() + self.ahead

    def elapsed(self) -> float:
        return self.clock() - self.began

    def skip(self, seconds: float) -> list[tuple[str, str, dict[str, Any]]]:
        """Let time pass in which whatever is due is sent; return what the driver was asked for, up to a marker."""
        gevent.idle()
        before = len(self.driver.asked)
        self.ahead += seconds
        self.plugin.fire("ClearCache", ["C"], self.elapsed())
        until(lambda: any(action == "ClearCache" for _, action, _ in self.driver.asked[before:]))
        return [asked for asked in self.driver.asked[before:] if asked[1] != "ClearCache"]

    def end(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.plugin.conclude().fields.get("commands", [])
        return rows


def until(condition: Callable[[], object]) -> None:
    """Let the hub run until something holds."""
    with gevent.Timeout(20):
        while not condition():
            gevent.sleep(0.005)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def test_a_slow_api_moves_neither_the_schedule_nor_the_intended_times(folder: Path) -> None:
    driver = FakeDriver(takes=0.4)
    play = Play(folder, driver, Command(action="get-configuration", rate="30/s"))
    play.plugin.beat(0.0, "measure")
    until(lambda: driver.most == 3)
    # A station has one command of a kind at a time, and a slow API keeps all three busy.
    assert play.skip(1.0) == []
    play.plugin.stopping()
    (row,) = [row for row in play.end() if row["action"] != "ClearCache"]
    assert row["outcomes"]["no-target"] >= 3
    assert row["response_ms"]["p50"] >= 400


def test_only_so_many_are_under_way_and_who_waits_too_long_is_never_sent(folder: Path) -> None:
    driver = FakeDriver(takes=0.25)
    play = Play(folder, driver, Command(action="ClearCache", rate="1/h", timeout=0.2, name="slow"), most=2)
    play.plugin.fire("slow", ["A", "B", "C", "A", "B", "C"], 0.0)
    until(lambda: play.plugin.standing().quantities[CommandOutcome.NEVER_SENT][0] == 4)
    (row,) = play.end()
    assert driver.most == 2
    assert row["api"] == {"api-timeout": 2}
    assert row["outcomes"]["never-sent"] == 4
    assert row["response_ms"]["max"] >= 200


def test_fired_commands_go_to_each_of_the_stations_at_their_time(folder: Path) -> None:
    driver = FakeDriver()
    play = Play(folder, driver)
    play.plugin.beat(0.0, "measure")
    assert play.orders == []
    play.plugin.fire("remote-start", ["A", "C", "nobody"], 100.0)
    play.plugin.beat(0.1, "measure")
    assert [order["kind"] for order in play.orders] == ["commands"]
    assert play.skip(50.0) == []
    asked = play.skip(51.0)
    assert sorted(identity for identity, _, _ in asked) == ["A", "C"]
    tokens = {payload["idTag"] for _, _, payload in asked}
    assert len(tokens) == 2
    assert tokens <= set(driver.tokens)
    for identity, action, payload in asked:
        play.plugin.note("w", [SEEN, identity, action, payload["idTag"], 0, True, play.clock()])
    (row,) = [row for row in play.end() if row["action"] != "ClearCache"]
    assert (row["command"], row["seen"], row["outcomes"]) == ("remote-start", 2, {"open": 2, "no-target": 1})
    with pytest.raises(UsageError, match="remote-start"):
        play.plugin.fire("remote-strat", ["A"], 0.0)


def test_an_api_that_fails_is_told_with_its_own_words_and_not_by_its_speed(folder: Path) -> None:
    driver = FakeDriver(status="broken")
    play = Play(folder, driver, Command(action="reset", rate="1/h"))
    play.plugin.fire("reset", ["A"], 0.0)
    until(lambda: driver.asked and not driver.under_way)
    (row,) = play.end()
    assert (row["outcomes"], row["reasons"]) == ({"api-error": 1}, ["the API is broken"])
    assert "service_ms" not in row


def test_commands_wait_for_the_window_that_they_are_for_and_end_with_it(folder: Path) -> None:
    driver = FakeDriver()
    play = Play(folder, driver, Command(action="get-configuration", rate="100/s"))
    play.plugin.beat(0.0, "ramp")
    assert play.skip(1.0) == []
    play.plugin.beat(1.0, "measure")
    assert play.skip(1.0) != []
    play.plugin.beat(2.0, "cool-down")
    assert play.skip(1.0) == []
    assert "commands" in "; ".join(play.plugin.standing().lines)
    play.end()


def test_without_commands_and_driver_there_is_no_plugin() -> None:
    assert plugin_of([], DriverChoice(), [Version.V16], 1, None) == (None, None)


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (DriverChoice(), "--driver or --control-url"),
        (DriverChoice(name="manual"), "asks a person"),
        (DriverChoice(name="htp"), "did you mean 'http'?"),
        (DriverChoice(name="http", control_url="http://127.0.0.1:1", options=("base=1",)), "has no options"),
        (
            DriverChoice(name="steve", control_url="http://127.0.0.1:1", options=("x",)),
            "--driver-option: expected NAME=",
        ),
    ],
)
def test_a_driver_that_cannot_carry_a_load_is_refused_in_one_line(choice: DriverChoice, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_commands([Command(action="reset", rate="1/s")], [Version.V16], choice)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_command_that_the_driver_cannot_have_sent_is_refused_before_the_run(tmp_path: Path) -> None:
    driver = tmp_path / "half.yaml"
    driver.write_text("driver: half\noperations:\n  trigger: {actions: [Reset], shell: {command: 'true'}}\n")
    choice = DriverChoice(name=str(driver))
    assert check_commands([Command(action="reset", rate="1/s")], [Version.V16], choice) == "half"
    with pytest.raises(UsageError, match="The command 'ClearCache' cannot be sent: needs a way"):
        check_commands([Command(action="ClearCache", rate="1/s")], [Version.V16], choice)


def test_a_driver_that_runs_shell_commands_does_not_hold_up_the_stations(tmp_path: Path) -> None:
    (tmp_path / "shell.yaml").write_text(
        "driver: shell\noperations:\n  trigger: {shell: {command: 'while [ ! -e go ]; do sleep 0.01; done'}}\n"
    )
    script = """
import gevent.monkey; gevent.monkey.patch_all()
import gevent
from pathlib import Path
from loadtest.plugins.commands.setup import DriverChoice
from ocppj.versions import Version
driver = DriverChoice(name="shell.yaml").open()
asked = gevent.spawn(driver.command, "A", "Reset", {}, Version.V16)
gevent.sleep(0.05)
# The command ends only because this greenlet has its turn while the command runs.
assert not asked.ready()
Path("go").touch()
print(asked.get(timeout=20).status)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["sent"]


def test_objectives_can_be_about_commands(folder: Path) -> None:
    play = Play(folder, FakeDriver(), Command(action="reset", rate="1/h"))
    found = play.plugin.standing().quantities
    assert set(QUANTITIES["command"]) <= set(found)
    assert parse("command reach-p95 < 50 ms", QUANTITIES).metric == "command reach-p95"
    assert parse("command failed < 0.1 %", QUANTITIES).is_share
    with pytest.raises(UsageError, match="did you mean 'reach-p9"):
        parse("command reach-p59 < 50 ms", QUANTITIES)
    play.end()
