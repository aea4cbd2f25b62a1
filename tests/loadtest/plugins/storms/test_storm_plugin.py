from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flask
import gevent
import pytest

from evidence.vocabulary import COOL_DOWN, MEASURE, RAMP, TO_CSMS, WARM_UP
from fixtures.csms import practice_csms
from loadtest.judging.slo_expression import parse
from loadtest.measuring.recorder import Recorder
from loadtest.plugins.contract import REMOTE_START, RunAccess
from loadtest.plugins.quantities import QUANTITIES
from loadtest.plugins.storms.control_channel import ControlChannel, send_request
from loadtest.plugins.storms.outside import knock, mute_practice_csms
from loadtest.plugins.storms.page import add_storm_page
from loadtest.plugins.storms.plugin import StormPlugin
from loadtest.plugins.storms.process import KIND
from loadtest.plugins.storms.shell import run_shell_command
from loadtest.timing.backoff import parse_backoff
from loadtest.workload.storms import (
    BrokerRestart,
    BrokerSlow,
    ClockSurge,
    CsmsRestart,
    LbDrain,
    MassRemoteStart,
    MiddleRestart,
    PortScan,
    RegionFailover,
    Storm,
)
from ocppj.errors import UsageError


class Lead:
    """A plugin on a stage whose clock the test moves."""

    def __init__(self, folder: Path, *storms: Storm, takes: bool = False, **settings: Any) -> None:
        self.now = 0.0
        self.orders: list[dict[str, Any]] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.takes = takes
        self.plugin = StormPlugin(storms, backoff=parse_backoff("spec:1/2/1"), seed=3, **settings)
        self.access = RunAccess(
            order=self.orders.append,
            folder=folder,
            url="ws://127.0.0.1:1",
            stations=0,
            started=time.time(),
            clock=lambda: self.now,
            target=lambda: 100,
            ask=self._ask,
        )
        self.plugin.begin(self.access)

    def _ask(self, kind: str, request: dict[str, Any]) -> bool:
        self.asked.append((kind, request))
        return self.takes

    def run(self, until: float, window: str = MEASURE) -> None:
        while self.now < until:
            self.now += 1.0
            self.plugin.beat(self.now, window)

    def note(self, **news: Any) -> None:
        self.plugin.note("w", [KIND, 1, news])

    def storms(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.plugin.conclude().fields.get("storms", [])
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def test_a_storm_comes_when_its_time_in_the_measurement_has_come(folder: Path) -> None:
    lead = Lead(folder, LbDrain(at=30.0), CsmsRestart(at=5.0))
    lead.run(20.0, RAMP)
    lead.run(25.0, WARM_UP)
    assert lead.orders == []
    lead.run(31.0)
    (order,) = lead.orders
    # The measurement was seen to begin at 26; the order goes out a beat before the storm, and says how long before.
    assert order["storm"]["storm"] == "csms-restart"
    assert (order["number"], order["total"], order["delay"]) == (1, 100, 1.0)
    lead.run(60.0)
    assert [order["storm"]["storm"] for order in lead.orders] == ["csms-restart", "lb-drain"]


def test_no_storm_begins_when_the_run_ends(folder: Path) -> None:
    lead = Lead(folder, CsmsRestart(at=5.0))
    lead.run(3.0)
    lead.plugin.stopping()
    lead.run(20.0, COOL_DOWN)
    assert lead.orders == []
    assert lead.plugin.trigger("csms-restart", "command") == {"error": "The run ends; no storm begins any more."}
    assert lead.storms() == []


def second(lead: Lead, *, calls: int = 50, failed: int = 0, latency: float = 0.01) -> None:
    """Let a process report a second of work."""
    clock = [100.0]
    recorder = Recorder(clock=lambda: clock[0], wall=lead.access.started + lead.now)
    recorder.booted(+100)
    for index in range(calls):
        recorder.offered()
        outcome = "timeout" if index < failed else "accepted"
        recorder.call("1.6", "Heartbeat", TO_CSMS, outcome, latency, latency)
    clock[0] = 101.0
    lead.plugin.delta(recorder.take())
    lead.run(lead.now + 1.0)


STRUCK = {"struck": {0: 100}, "opened": {5: 60, 6: 40}, "failed": {"http-503": 7}, "queued": {2: 12}, "refused": 80}
BACK = {
    "back": {500: 95, 600: 5},
    "booted": {510: 95, 610: 5},
    "drained": {520: 95, 620: 5},
    "outage": {510: 95, 610: 5},
}


@pytest.mark.parametrize("metastable", [False, True])
def test_a_storm_is_told_with_its_times_costs_and_whether_the_csms_recovered(folder: Path, metastable: bool) -> None:  # noqa: FBT001 - a parameter of the test
    lead = Lead(folder, CsmsRestart(at=9.0, down=4.0))
    for _ in range(10):
        second(lead)
    lead.note(**STRUCK)
    assert lead.plugin.standing().lines == ["csms-restart 0 s ago: 0 of 100 stations back, 0 accepted"]
    lead.note(**BACK)
    for _ in range(25):
        second(lead, failed=30 if metastable else 0, latency=5.0 if metastable else 0.01)
    assert lead.plugin.standing().quantities["metastable"] == (float(metastable), None)
    lead.plugin.stopping()
    (storm,) = lead.storms()
    assert storm["at"] == pytest.approx(10.0)
    assert storm["stations"] == {
        "struck": 100,
        "connected": 100,
        "accepted": 100,
        "settled": 100,
        "unrecovered": 0,
        "stay_away": 0,
        "lost_again": 0,
    }
    assert storm["recovery_ms"] == {"p50": 5110.0, "p95": 5110.0, "p999": 6110.0, "max": 6110.0}
    assert storm["peak_connects_per_s"] == 60
    assert storm["failed_upgrades"] == {"http-503": 7}
    assert storm["refused_by_storm"] == 80
    assert storm["messages"] == {"queued_most": 12, "lost": 0}
    assert storm["calls"]["before"]["calls_per_s"] == pytest.approx(50.0)
    assert storm["recovered"] is not metastable
    assert bool(storm["reasons"]) is metastable
    row = next(row for row in storm["curve"] if row["t"] == 6.0)
    assert (row["struck"], row["back"], row["booted"], row["queued"]) == (100.0, 95.0, 95.0, 0.0)
    assert storm["formula"]["expected_ms"]["p50"] > 4000.0


def test_what_never_came_back_has_no_time_and_is_counted(folder: Path) -> None:
    lead = Lead(folder, CsmsRestart(at=1.0))
    lead.run(10.0)
    lead.note(struck={0: 100}, back={500: 60}, booted={510: 60})
    lead.run(200.0)
    quantities = lead.plugin.conclude().quantities
    assert quantities["recovery-p50"][0] == 5110.0
    assert quantities["recovery-p95"] == (None, None)
    assert quantities["unrecovered"] == (40.0, 100.0)


def test_objectives_can_be_about_every_quantity_that_storms_have(folder: Path) -> None:
    lead = Lead(folder, CsmsRestart(at=1.0))
    lead.run(10.0)
    lead.note(**STRUCK, **BACK)
    assert lead.plugin.conclude().quantities.keys() == QUANTITIES["storm"].keys()
    assert parse("storm recovery-p95 < 20 s", QUANTITIES).metric == "storm recovery-p95"
    assert parse("storm unrecovered <= 0.1 %", QUANTITIES).is_share


def test_storms_of_the_last_run_are_forgotten(folder: Path) -> None:
    lead = Lead(folder, CsmsRestart(at=1.0))
    lead.run(10.0)
    assert len(lead.storms()) == 1
    lead.now = 0.0
    lead.plugin.begin(lead.access)
    lead.run(10.0)
    assert [order["number"] for order in lead.orders] == [1, 1]


def test_a_clock_surge_waits_for_the_full_quarter(folder: Path) -> None:
    lead = Lead(folder)
    lead.plugin.trigger({"storm": "clock-surge", "align": "15m"}, "command")
    due = lead.access.started + lead.now + lead.orders[0]["delay"]
    assert due % 900 == pytest.approx(0.0, abs=1e-3) or due % 900 == pytest.approx(900.0, abs=1e-3)
    assert isinstance(ClockSurge(), Storm)


def test_mass_remote_start_asks_the_one_who_commands_the_csms(folder: Path) -> None:
    lead = Lead(folder, takes=True)
    said = lead.plugin.trigger({"storm": "mass-remote-start", "share": 0.1, "spread": 10}, "command")
    assert said == {"storm": "mass-remote-start", "number": 1, "stations": 10}
    ((kind, request),) = lead.asked
    assert kind == REMOTE_START
    assert len({number for number, _ in request["stations"]}) == 10
    assert [delay for _, delay in request["stations"]] == [float(second) for second in range(10)]


def test_mass_remote_start_without_a_driver_says_so(folder: Path) -> None:
    lead = Lead(folder)
    assert "needs a driver" in lead.plugin.trigger("mass-remote-start", "command")["error"]
    assert lead.orders == []
    assert MassRemoteStart().cuts is False


def test_another_region_must_be_owned(folder: Path) -> None:
    elsewhere = RegionFailover(to="ws://csms.example/ocpp")
    with pytest.raises(UsageError, match=r"csms\.example"):
        Lead(folder, elsewhere)
    lead = Lead(folder, elsewhere, owned=["csms.example"])
    said = lead.plugin.trigger({"storm": "region-failover", "to": "ws://other.example/ocpp"}, "web UI")
    assert "other.example" in said["error"]


def test_a_command_runs_at_the_begin_of_the_storm_and_its_exit_code_is_kept(folder: Path) -> None:
    ran: list[tuple[str, float]] = []

    def run(command: str, delay: float, ended: Any) -> None:
        ran.append((command, delay))
        ended(3, "Basic dXNlcjpwYXNzd29yZA==")

    lead = Lead(folder, CsmsRestart(at=5.0, command="restart"), run_command=run)
    lead.run(10.0)
    assert ran == [("restart", 1.0)]
    assert lead.storms()[0]["command_exit_code"] == 3


def test_a_shell_command_leaves_a_server_behind_without_waiting_for_it(tmp_path: Path) -> None:
    said: list[tuple[int, str]] = []
    marker = tmp_path / "alive"
    command = f"echo hello; (sleep 0.3; touch {marker}) & exit 4"
    run_shell_command(command, 0.0, lambda code, text: said.append((code, text)))
    with gevent.Timeout(20):
        while not marker.exists():
            gevent.sleep(0.05)
    assert said == [(4, "hello\n")]


# -- requests --------------------------------------------------------------------------------------------------------


def test_a_request_is_answered_and_nothing_is_left(folder: Path) -> None:
    lead = Lead(folder)
    posted = gevent.get_hub().threadpool.spawn(send_request, folder, {"storm": "lb-drain", "batches": "2"})
    with gevent.Timeout(20):
        while not posted.ready():
            lead.run(lead.now + 1.0)
            gevent.sleep(0.02)
    assert posted.get() == {"storm": "lb-drain", "number": 1, "stations": 100}
    assert lead.orders[0]["storm"]["batches"] == 2
    assert [path.name for path in (folder / ".storms").iterdir()] == ["alive"]
    lead.plugin.conclude()
    assert not (folder / ".storms").exists()


def test_a_damaged_request_is_refused_and_breaks_nothing(folder: Path) -> None:
    lead = Lead(folder)
    for name, content in (("a", b"\xff{"), ("b", b"[1]"), ("c", b'{"storm": 3}'), ("d", b"{}" + b" " * 100_000)):
        (folder / ".storms" / f"{name}.request").write_bytes(content)
    lead.run(1.0)
    answers = sorted((folder / ".storms").glob("*.answer"))
    assert len(answers) == 4
    assert all(b"a storm needs its name" in path.read_bytes() for path in answers)


def test_without_a_run_or_with_a_dead_one_nobody_is_written_to(folder: Path) -> None:
    with pytest.raises(UsageError, match="No load test is running"):
        send_request(folder, {})
    control_channel = ControlChannel(folder)
    with pytest.raises(UsageError, match="did not answer"):
        send_request(folder, {}, patience=0.0)
    assert control_channel.take() == []
    os.utime(folder / ".storms" / "alive", (1.0, 1.0))
    with pytest.raises(UsageError, match="No load test is running"):
        send_request(folder, {})


# -- the page --------------------------------------------------------------------------------------------------------


def page(plugin: StormPlugin, state: str = "running") -> Any:
    app = flask.Flask("storms")
    web_ui = SimpleNamespace(app=app, auth_required_if_enabled=lambda view: view)
    environment: Any = SimpleNamespace(web_ui=web_ui, runner=SimpleNamespace(state=state))
    add_storm_page(environment, lambda: [plugin])
    return app.test_client()


def test_the_page_starts_a_storm_and_lists_it(folder: Path) -> None:
    lead = Lead(folder)
    client = page(lead.plugin)
    assert "None so far." in client.get("/storms").text
    answer = client.post(
        "/storms", data={"storm": "csms-restart", "down": "3s", "share": "0.5", "cut": "true", "to": ""}
    )
    assert answer.status_code == 200, answer.text
    assert "csms-restart strikes 50 stations" in answer.text
    assert lead.orders[0]["storm"]["down"] == 3.0
    assert "under way" in client.get("/storms").text


@pytest.mark.parametrize(
    ("form", "headers", "status"),
    [
        ({"storm": "<script>alert(1)</script>"}, {}, 400),
        ({"storm": "csms-restart", "<b>": "1"}, {}, 400),
        ({"storm": "csms-restart", "command": "touch /tmp/owned"}, {}, 400),
        ({"storm": "csms-restart"}, {"Origin": "https://elsewhere.example"}, 403),
    ],
)
def test_the_page_refuses_mistakes_commands_and_forms_of_other_sites(
    folder: Path, form: dict[str, str], headers: dict[str, str], status: int
) -> None:
    lead = Lead(folder)
    answer = page(lead.plugin).post("/storms", data=form, headers=headers)
    assert answer.status_code == status
    assert "<script>" not in answer.text
    assert "<b>'" not in answer.text
    assert lead.orders == []


def test_the_page_without_a_test_starts_no_storm(folder: Path) -> None:
    lead = Lead(folder)
    client = page(lead.plugin, state="stopped")
    assert "No test is running." in client.get("/storms").text
    assert client.post("/storms", data={"storm": "csms-restart"}).status_code == 409
    assert lead.orders == []


def test_without_a_web_page_there_is_no_page() -> None:
    environment: Any = SimpleNamespace(web_ui=None)
    add_storm_page(environment, list)


def test_middle_restart_needs_a_command_or_the_practice_csms(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"middle-restart needs the command"):
        Lead(folder, MiddleRestart(at=1.0))
    muted: list[tuple[float, float]] = []

    def mute(seconds: float, delay: float, ended: Any) -> None:
        muted.append((seconds, delay))
        ended(1, "POST /mute was answered with 404")

    lead = Lead(folder, MiddleRestart(at=1.0, down=7.0), mute=mute, call_timeout=60.0)
    lead.run(3.0)
    assert muted == [(7.0, 1.0)]
    lead.note(struck={0: 5}, drained={100: 5})
    lead.run(120.0)
    (storm,) = lead.storms()
    assert storm["command_exit_code"] == 1
    assert "what was to be done to the CSMS failed" in storm["reasons"][-1]


@pytest.mark.parametrize("storm", [BrokerRestart(at=1.0), BrokerSlow(at=1.0)])
def test_storms_of_a_broker_need_one(folder: Path, storm: Storm) -> None:
    with pytest.raises(UsageError, match=rf"{storm.name} needs a broker, at a URL that begins with mqtt://"):
        Lead(folder, storm, url="ws://127.0.0.1:9/ocpp")
    lead = Lead(folder, storm, url="mqtt://127.0.0.1:9")
    lead.run(3.0)
    assert [one["storm"]["storm"] for one in lead.orders] == [storm.name]


def test_a_broker_is_really_restarted_by_a_command(folder: Path) -> None:
    ran: list[str] = []

    def run(command: str, _: float, ended: Any) -> None:
        ran.append(command)
        ended(0, "")

    lead = Lead(folder, BrokerRestart(at=1.0, command="restart broker"), run_command=run, url="mqtt://127.0.0.1:9")
    lead.run(3.0)
    assert ran == ["restart broker"]


def test_middle_restart_runs_its_command_at_its_begin(folder: Path) -> None:
    ran: list[tuple[str, float]] = []

    def run(command: str, delay: float, ended: Any) -> None:
        ran.append((command, delay))
        ended(0, "")

    lead = Lead(folder, MiddleRestart(at=1.0, command="restart broker"), run_command=run)
    lead.run(3.0)
    assert ran == [("restart broker", 1.0)]
    assert "error" in lead.plugin.trigger({"storm": "middle-restart", "command": "true"}, "command")
    assert "needs the command" in lead.plugin.trigger({"storm": "middle-restart"}, "command")["error"]


def test_a_scan_knocks_as_often_as_it_says_and_tells_what_the_csms_did() -> None:
    done: list[dict[str, dict[str, int]]] = []
    with practice_csms() as csms:
        knock(csms.url, PortScan(empty=7, foreign=5, half=3, hold=0.2), 0.0, done.append)
        with gevent.Timeout(60):
            while not done:
                gevent.sleep(0.01)
    (found,) = done
    assert {kind: sum(outcomes.values()) for kind, outcomes in found.items()} == {"empty": 7, "foreign": 5, "half": 3}
    assert found["half"] == {"left open": 3}
    assert found["empty"] == {"closed by the scanner": 7}
    assert set(found["foreign"]) <= {"answered", "closed", "reset"}


def test_a_scan_of_a_closed_port_is_refused() -> None:
    done: list[dict[str, dict[str, int]]] = []
    knock("ws://127.0.0.1:1/ocpp", PortScan(empty=2, foreign=1, half=1, hold=0.1), 0.0, done.append)
    with gevent.Timeout(60):
        while not done:
            gevent.sleep(0.01)
    assert done == [{"empty": {"refused": 2}, "foreign": {"refused": 1}, "half": {"refused": 1}}]


def test_the_practice_csms_is_made_mute_through_its_control_port_and_another_server_says_no() -> None:
    ended: list[tuple[int, str]] = []
    with practice_csms() as csms:
        mute_practice_csms(csms.control_url, 600.0, 0.0, lambda code, said: ended.append((code, said)))
        with gevent.Timeout(60):
            while not ended:
                gevent.sleep(0.01)
        assert csms.do(lambda csms: csms.world.is_mute)
        mute_practice_csms(f"{csms.control_url}/nowhere", 1.0, 0.0, lambda code, said: ended.append((code, said)))
        with gevent.Timeout(60):
            while len(ended) < 2:
                gevent.sleep(0.01)
    assert ended == [(0, ""), (1, "POST /nowhere/mute was answered with 404")]
