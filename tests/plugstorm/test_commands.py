"""The commands do what they say, end with the right exit code and leave no process behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from evidence.run_folder import RunFolder, read_run
from evidence.run_model import InteropRun, LoadRun
from evidence.verdicts import Verdict
from fixtures.csms.defects import all_defects, table_of
from interop_suite.selftest.mutation import Score
from interop_suite.selftest.selftest import DefectOutcome, SelfTest
from loadtest.locust_edge.option_words import read_duration
from loadtest.locust_edge.request import LoadRequest
from loadtest.workload.defaults import DEFAULT_PATTERN
from ocppj.versions import Version
from plugstorm import selftest_command
from plugstorm.errors import guarded
from plugstorm.load_command import locust_command
from tests.json_outputs import complaints
from tests.json_schemas import OUTPUTS
from tests.plugstorm.conftest import Plugstorm, Spawn
from tests.until_enough import UNTIL_ENOUGH, enough_is

pytestmark = pytest.mark.waits(2)

ROOMS = ("ocppj", "evidence", "fixtures", "loadtest", "interop_suite", "reports")
COMMANDS = ("csms", "interop", "load", "selftest", "report", "compare")


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=90)
    return process.returncode, output


def modules_loaded_by(code: str) -> set[str]:
    """Run code in a fresh interpreter and list the modules that it has loaded."""
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def loaded_by(code: str) -> set[str]:
    """List the top-level packages that code has loaded."""
    return {name.partition(".")[0] for name in modules_loaded_by(code)}


OF_THE_OPTIONS = {
    "config",
    "config.assignments",
    "config.errors",
    "config.quantities",
    "config.words",
    "loadtest.locust_edge.option_words",
    "loadtest.workload.stages",
    "interop_suite",
    "interop_suite.run",
    "interop_suite.run.request",
    "mqtt",
    "mqtt.names",
    "loadtest",
    "loadtest.locust_edge",
    "loadtest.locust_edge.options",
    "loadtest.locust_edge.request",
    "loadtest.timing",
    "loadtest.timing.backoff",
    "loadtest.workload",
    "loadtest.workload.defaults",
}
"""What the help of `plugstorm load` and `plugstorm interop` is made from."""


def test_help_loads_no_room_that_works() -> None:
    modules = modules_loaded_by("import plugstorm.cli") - OF_THE_OPTIONS
    assert {name.partition(".")[0] for name in modules} & set(ROOMS) <= {"ocppj", "evidence"}
    heavy = {"locust", "gevent", "pytest", "websockets", "jsonschema_rs", "jinja2"}
    assert {name.partition(".")[0] for name in modules} & heavy == set()


def test_no_command_loads_locust_or_gevent() -> None:
    modules = ("interop_command", "load_command", "selftest_command", "report_command")
    loaded = loaded_by("; ".join(f"import plugstorm.{module}" for module in modules))
    assert "interop_suite" in loaded
    assert not loaded & {"locust", "gevent"}


def test_who_starts_a_practice_csms_as_a_process_loads_nothing_of_it() -> None:
    modules = modules_loaded_by("import fixtures.csms_process")
    assert {name for name in modules if name.startswith("fixtures")} == {"fixtures", "fixtures.csms_process"}


UNTIL_LOCUST = """
import subprocess, sys
from plugstorm.cli import main

class Started(subprocess.Popen):
    def __init__(self, *_, **__):
        raise SystemExit

subprocess.Popen = Started
sys.argv = ["plugstorm", "load", "--url", "ws://127.0.0.1:9/x", "--stations", "3"]
try:
    main()
except SystemExit:
    pass
"""


def test_load_starts_locust_without_the_rooms_that_do_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    monkeypatch.chdir(tmp_path)
    modules = modules_loaded_by(UNTIL_LOCUST)
    assert "plugstorm.children" in modules
    ours = {name for name in modules if name.partition(".")[0] in {*ROOMS, "plugstorm", "drivers", "analysis"}}
    assert {name.partition(".")[0] for name in ours} == {"plugstorm", "loadtest", "interop_suite", "evidence", "ocppj"}
    assert not {name for name in ours if name.startswith(("loadtest.station", "loadtest.plugins", "loadtest.judging"))}
    assert len(ours) <= 48
    assert list(tmp_path.glob("runs/*")) == []


def test_every_flag_says_what_it_does(plugstorm: Plugstorm) -> None:
    assert [name for name in COMMANDS if name not in plugstorm("--help").out] == []
    for command in COMMANDS:
        result = plugstorm(command, "--help")
        assert (result.code, result.errors) == (0, [])
        assert "--" in result.out


@pytest.mark.parametrize("command", ["load", "capacity"])
def test_help_shows_the_names_that_stations_get(plugstorm: Plugstorm, command: str) -> None:
    assert f"[default: ({DEFAULT_PATTERN})]" in " ".join(plugstorm(command, "--help").out.split())


def test_version_is_shown(plugstorm: Plugstorm) -> None:
    result = plugstorm("--version")
    assert result.code == 0
    assert result.out.startswith("plugstorm ")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("90", 90), ("5m", 300), ("1h", 3600), ("1h30m", 5400), ("2m5s", 125), ("1.5min", 90)],
)
def test_duration_is_read_in_hours_minutes_and_seconds(text: str, seconds: int) -> None:
    assert read_duration(text) == seconds


def words_of(master_port: int | None = None, **changes: Any) -> str:
    given: dict[str, Any] = {"stations": 200, "duration": 30, "password": "hunter2"}
    request = LoadRequest(**(given | changes))
    return " ".join(locust_command(request, url="ws://h/x", out=Path("run"), master_port=master_port)) + " "


def test_flags_become_those_of_locust() -> None:
    ocpp = ((Version.V16, 3), (Version.V201, 1))
    words = words_of(seed=7, ocpp=ocpp, tls_ca=Path("ca.pem"), locust=("--call-timeout", "5"))
    for part in (
        "--host ws://h/x ",
        "--users 200 --spawn-rate 20 ",
        "--run-time 30s ",
        "--out run ",
        "--plugstorm-profile quick ",
        "--ocpp 1.6=3 --ocpp 2.0.1 ",
        "--headless ",
        "--seed 7 ",
        "--tls-ca ca.pem ",
    ):
        assert part in words
    assert words.endswith("--call-timeout 5 ")
    assert "--processes" not in words


def test_small_runs_start_a_station_a_second_at_least() -> None:
    assert "--spawn-rate 1 " in words_of(stations=3)
    assert "--spawn-rate 2.5 " in words_of(spawn_rate=2.5)


def test_workers_meet_on_loopback_only() -> None:
    words = words_of(workers=3, master_port=4711)
    assert "--processes 3 " in words
    assert "--master-host 127.0.0.1 --master-bind-host 127.0.0.1 " in words
    assert "--master-port 4711 --master-bind-port 4711 " in words


def test_web_ui_opens_on_loopback_only() -> None:
    words = words_of(ui_port=8089)
    assert "--autostart --web-host 127.0.0.1 " in words
    assert "--web-port 8089 " in words
    assert "--headless" not in words


def test_password_stays_off_the_command_line() -> None:
    assert "hunter2" not in words_of()


def test_mistake_of_ours_is_no_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        raise ZeroDivisionError

    assert guarded(work) == 3
    errors = capsys.readouterr().err
    assert "ZeroDivisionError" in errors
    assert "a mistake in Plugstorm" in errors.splitlines()[-1]


def test_ctrl_c_is_exit_code_130(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        raise KeyboardInterrupt

    assert guarded(work) == 130
    assert capsys.readouterr().err == "plugstorm: interrupted\n"


def test_closed_pipe_is_no_error(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> int:
        raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", sys.stdout)
    assert guarded(work) == 0
    assert capsys.readouterr().err == ""


def test_cases_are_listed_as_json_with_what_others_read(plugstorm: Plugstorm) -> None:
    result = plugstorm("interop", "--list", "--json", "--ocpp", "1.6")
    assert (result.code, result.errors) == (0, [])
    cases = json.loads(result.out)
    assert len({case["id"] for case in cases}) == len(cases) > 28
    wanted_keys = {"id", "ocpp", "title", "level", "clause", "profile", "initiator", "defect"}
    assert [case["id"] for case in cases if not wanted_keys <= case.keys()] == []


def test_cases_are_listed_for_people_one_a_line(plugstorm: Plugstorm) -> None:
    result = plugstorm("interop", "--list", "--select", "TC_001_CSMS,TC_003_CSMS")
    assert result.code == 0
    assert [line.split()[1] for line in result.out.splitlines()] == ["TC_001_CSMS", "TC_003_CSMS"]


def test_defects_are_listed(plugstorm: Plugstorm) -> None:
    result = plugstorm("csms", "--list-defects")
    assert result.code == 0
    assert len(result.out.splitlines()) >= 25


def test_interop_and_load_leave_two_runs_and_one_report(
    spawn: Spawn, plugstorm: Plugstorm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in enough_is({"BootNotification accepted": 6, "measure": 6}).items():
        monkeypatch.setenv(name, value)
    interop = spawn("interop", "--select", "TC_001_CSMS,TC_003_CSMS", "--jobs", "2", "--out", "one")
    versions = ("--ocpp", "1.6", "--ocpp", "2.0.1")
    load = spawn("load", "--stations", "6", *versions, "--spawn-rate", "50", "--out", "two", *UNTIL_ENOUGH)
    (first_code, first_output), (second_code, second_output) = finish(interop), finish(load)
    assert "Traceback" not in first_output + second_output
    assert first_code == 0, first_output
    first, second = read_run(tmp_path / "one"), read_run(tmp_path / "two")
    assert isinstance(first, InteropRun)
    assert [case.verdict for case in first.cases] == [Verdict.OK] * 2
    assert isinstance(second, LoadRun)
    # A machine that is busy with other tests may strain the generator; the run says so then, and nothing else.
    assert second_code == (3 if second.generator.verdict == "INVALID" else 0), second_output
    assert (second.stations.connected_peak, sorted(second.target.ocpp)) == (6, ["1.6", "2.0.1"])
    for name in ("one", "two"):
        folder = RunFolder(tmp_path / name)
        assert all(path.stat().st_size for path in (folder.junit, folder.report, folder.path / "summary.md"))
    assert any(RunFolder(tmp_path / "one").allure.iterdir())

    result = plugstorm("report", "one", "two", "--judge-again", "--json")
    assert (result.code, result.errors) == (second_code, [])
    assert [(row["folder"], row["kind"], row["verdict"]) for row in json.loads(result.out)] == [
        ("one", "interop", "passed"),
        ("two", "load", str(second.verdict)),
    ]
    assert (tmp_path / "report.html").stat().st_size > 10_000
    assert plugstorm("report", "one", "--out", "page.html").out.splitlines()[-1] == "report  page.html"
    same = plugstorm("compare", "one", "one", "--json")
    assert (same.code, json.loads(same.out)["regressed"], same.errors) == (0, False, [])
    assert "2 cases" in plugstorm("compare", "one", "one").out
    plugstorm("compare", "one", "two").assert_one_line(2, "compare two runs of one kind")


def test_failed_verdict_is_exit_code_1(spawn: Spawn, plugstorm: Plugstorm, tmp_path: Path) -> None:
    [case] = json.loads(plugstorm("interop", "--list", "--json", "--select", "TC_003_CSMS", "--ocpp", "1.6").out)
    csms = spawn("csms", "--port", "0", "--control-port", "0", "--defect", case["defect"], "--json")
    assert csms.stdout is not None
    where = json.loads(csms.stdout.readline())
    words = ("--url", where["url"], "--control-url", where["control_url"], "--select", case["id"], "--timeout", "3")
    code, output = finish(spawn("interop", *words, "--ocpp", "1.6", "--out", "failed"))
    assert code == 1, output
    assert f"FAILED  1.6 {case['id']}" in output
    assert (tmp_path / "failed" / "report.html").exists()
    csms.send_signal(signal.SIGINT)
    assert csms.wait(20) == 0


@pytest.mark.parametrize("problems", [[], ["some-defect: no case finds it"]])
def test_selftest_tells_what_it_found(
    plugstorm: Plugstorm, monkeypatch: pytest.MonkeyPatch, problems: list[str]
) -> None:
    asked: dict[str, object] = {}

    def run_selftest(*, progress: Callable[[str], None], **options: object) -> SelfTest:
        asked.update(options)
        progress("1/1 some-defect")
        outcome = DefectOutcome(id="some-defect", killed_by=[], missed=[], unexpected=[])
        return SelfTest(
            strict={Verdict.OK: 1}, lenient={}, defects=[outcome], cases_without_defect=[], problems=problems
        )

    monkeypatch.setattr(selftest_command, "run_selftest", run_selftest)
    result = plugstorm("selftest", "--json", "--jobs", "3", "--full")
    assert (result.code, result.errors) == (1 if problems else 0, ["1/1 some-defect"])
    assert asked == {"jobs": 3, "full": True, "only": None, "mutation": None}
    document = json.loads(result.out)
    assert document["strict"] == {"OK": 1}
    assert document["defects"] == [{"id": "some-defect", "killed_by": [], "missed": [], "unexpected": []}]
    (schema,) = (output for output in OUTPUTS if output.name == "selftest")
    assert complaints(schema, result.out) == []
    text = plugstorm("selftest").out
    assert text == ("\n".join(problems) if problems else GOOD_NEWS) + "\n"


@pytest.mark.parametrize(("found", "code"), [(1, 0), (0, 1)])
def test_selftest_with_mutants_fails_below_the_floor(
    plugstorm: Plugstorm, monkeypatch: pytest.MonkeyPatch, found: int, code: int
) -> None:
    score = Score(
        version="1.6", mutants=1, unreached=0, equivalent=0, killed=found, survived=1 - found, required_killed=found,
        required_survived=1 - found, survivors=[],
    )  # fmt: skip
    outcome = SelfTest(strict={}, lenient={}, defects=[], cases_without_defect=[], mutants=[score])
    drawn: list[tuple[str, ...]] = []

    def run_selftest(*, only: Sequence[str], **_: object) -> SelfTest:
        drawn.append(tuple(only))
        return outcome

    monkeypatch.setattr(selftest_command, "run_selftest", run_selftest)
    words = ("selftest", "--sample", "1", "--with-mutants", "1", "--floor", "80", "--seed")
    for seed in range(8):
        plugstorm(*words, str(seed))
    # Any table may have its turn.
    assert len({table_of(name) for (name,) in drawn}) > 3
    result = plugstorm(*words, "7")
    assert drawn[-1] == drawn[7]
    assert result.code == code
    assert f"{found} of 1 mutants found" in result.out
    assert result.errors[0] == f"seed 7: 1 of {len(all_defects())} defects"
    assert ("expected at least 80%" in " ".join(result.errors)) is (code == 1)


GOOD_NEWS = "No false alarm in strict and lenient, and 1 of 1 defects found by exactly their cases."


@pytest.mark.sampled(2, by=lambda *, number, **_: number)
@pytest.mark.parametrize(
    ("number", "in_background"),
    [(signal.SIGINT, False), (signal.SIGTERM, False), (signal.SIGTERM, True)],
    ids=["SIGINT", "SIGTERM", "SIGTERM in the background"],
)
def test_interrupted_load_writes_its_run_and_leaves_no_process(
    spawn: Spawn, tmp_path: Path, number: int, *, in_background: bool
) -> None:
    words = ("load", "--stations", "4", "--spawn-rate", "50", "--duration", "60s", "--workers", "2", "--out", "run")
    load = spawn(*words, in_background=in_background)
    assert load.stdout is not None
    for line in load.stdout:
        if "4 booted" in line:
            break
    children = psutil.Process(load.pid).children(recursive=True)
    assert len(children) >= 3
    load.send_signal(number)
    code, output = finish(load)
    assert code == 130, output
    assert read_run(tmp_path / "run").interrupted
    assert (tmp_path / "run" / "report.html").exists()
    deadline = time.monotonic() + 10
    while any(map(_runs, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [child for child in children if _runs(child)] == []


def test_an_end_before_the_load_test_has_begun_is_without_a_traceback(spawn: Spawn, tmp_path: Path) -> None:
    load = spawn("load", "--stations", "4", "--duration", "60s", "--out", "run")
    # The practice CSMS, and the load test that is still being read.
    while not any("locust" in " ".join(one.cmdline()) for one in psutil.Process(load.pid).children()):
        time.sleep(0.05)
    load.send_signal(signal.SIGINT)
    code, output = finish(load)
    assert code == 130, output
    assert "Traceback" not in output
    assert not (tmp_path / "run").exists()


def _runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
