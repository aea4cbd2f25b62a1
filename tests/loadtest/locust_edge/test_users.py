"""Locust as a process of its own, with stations in it: the way that people and CI run it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from evidence import exit_codes
from evidence.run_folder import read_run
from evidence.run_model import LoadRun
from fixtures.csms import ThreadCsms, practice_csms
from tests.loadtest.ports import with_own_master
from tests.loadtest.scripted_server import Peer, ScriptedServer

pytestmark = pytest.mark.waits

ROOT = Path(__file__).resolve().parents[3]
STOCK = ROOT / "loadtest" / "locustfile.py"
UNCHECKED = ("--no-objective", "csms-answers")
"""The tests count what a server hears; the check after the run would be counted, too."""
PATIENCE = 120.0
"""Seconds after which a process is taken for hung."""
# Whole charging sessions within seconds.
BRISK = """
title: Brisk charging sessions, for tests
models: {ac-single: 1, ac-dual: 1}
heartbeat: 1
meter: 0.3
reboot: 0.2
sessions: {duration: [0.8, 1.2], gap: [0.1, 0.4], unplug: 0.1}
"""


class Storm:
    """Starts Locust in a folder of its own and reads what it left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []
        (folder / "brisk.yaml").write_text(BRISK)

    def start(
        self, *arguments: str, locustfile: Path = STOCK, enough: Mapping[str, int] | None = None
    ) -> subprocess.Popen[str]:
        """Start Locust; where it is told what is `enough`, the run ends when that was counted."""
        module, environment, more = "locust", {"PYTHONPATH": str(ROOT)}, list[str]()
        if enough is not None:
            module, more = "tests.loadtest.enough", ["--warm-up", "0"]
            environment["ENOUGH"] = json.dumps(enough)
        command = [sys.executable, "-m", module, "-f", str(locustfile), "--loglevel", "WARNING", "--only-summary"]
        process = subprocess.Popen(
            [*command, *with_own_master(arguments), *more],
            cwd=self.folder,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def run(
        self, url: str | None, *arguments: str, locustfile: Path = STOCK, enough: Mapping[str, int] | None = None
    ) -> tuple[int, str]:
        """Run to the end; return the exit code and the standard error output."""
        host = ["--host", url] if url else []
        words = ["--headless", *host, "--out", str(self.folder / "run"), "--plugstorm-profile", "brisk.yaml"]
        words += UNCHECKED
        process = self.start(*words, *arguments, locustfile=locustfile, enough=enough)
        _, errors = process.communicate(timeout=PATIENCE)
        return process.returncode, errors

    def check(self, code: int, errors: str) -> None:
        """Assert that the run went as it should, on however busy a machine."""
        judged = exit_codes.INVALID if self.result.generator.verdict == "INVALID" else exit_codes.PASSED
        assert code == judged, errors
        assert "Traceback" not in errors

    @property
    def result(self) -> LoadRun:
        run = read_run(self.folder / "run")
        assert isinstance(run, LoadRun)
        return run

    def outcomes(self) -> Counter[tuple[str, str]]:
        """Count the CALLs of all windows by action and outcome."""
        counts: Counter[tuple[str, str]] = Counter()
        for window in self.result.windows:
            for call in window.calls:
                counts[call.action, call.outcome] += call.count
        return counts


@pytest.fixture
def storm(tmp_path: Path) -> Iterator[Storm]:
    storm = Storm(tmp_path)
    yield storm
    for process in storm.started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def csms() -> Iterator[ThreadCsms]:
    with practice_csms() as csms:
        yield csms


def get(csms: ThreadCsms, path: str) -> Any:
    return requests.get(f"{csms.control_url}{path}", timeout=10).json()


# -- runs that go well -------------------------------------------------------------------------------------------------


def test_a_mix_of_versions_charges_and_leaves_nothing_open(storm: Storm, csms: ThreadCsms) -> None:
    # A session has no more than ten TransactionEvents.
    enough = {
        "BootNotification accepted": 9,
        "StartTransaction accepted": 6,
        "TransactionEvent accepted": 60,
        "measure": 9,
    }
    versions = ("--ocpp", "1.6", "--ocpp", "2.0.1", "--ocpp", "2.1")
    code, errors = storm.run(csms.url, "-u", "9", "-r", "9", *versions, enough=enough)
    storm.check(code, errors)
    run = storm.result
    assert run.target.ocpp == ["1.6", "2.0.1", "2.1"]
    assert run.stations.connected_peak == run.stations.booted == 9
    assert run.stations.lost == 0
    assert run.faults == {}
    assert {outcome for _, outcome in storm.outcomes()} == {"accepted"}
    transactions = get(csms, "/transactions")
    assert len(transactions) >= 9
    assert {transaction["state"] for transaction in transactions} == {"closed"}
    assert get(csms, "/faults")["kinds"] == {}
    assert get(csms, "/health")["connections"] == 0
    stations = get(csms, "/stations")
    assert {station["id"] for station in stations if station["accepted"]} == {f"PS{n:06}" for n in range(1, 10)}


def test_weights_share_out_the_versions(storm: Storm, csms: ThreadCsms) -> None:
    enough = {"BootNotification accepted": 8, "measure": 1}
    code, errors = storm.run(csms.url, "-u", "8", "-r", "8", "--ocpp", "1.6=3", "--ocpp", "2.0.1=1", enough=enough)
    storm.check(code, errors)
    boots = {
        call.ocpp: call.count
        for window in storm.result.windows
        for call in window.calls
        if call.action == "BootNotification"
    }
    assert boots == {"1.6": 6, "2.0.1": 2}


def test_several_processes_share_the_stations_and_no_identity_is_used_twice(storm: Storm, csms: ThreadCsms) -> None:
    enough = {"BootNotification accepted": 10, "StartTransaction accepted": 10, "measure": 10}
    code, errors = storm.run(csms.url, "-u", "10", "-r", "10", "--processes", "2", enough=enough)
    storm.check(code, errors)
    assert storm.result.stations.connected_peak == 10
    assert storm.result.stations.lost == 0
    assert sum(station["accepted"] for station in get(csms, "/stations")) == 10
    assert get(csms, "/faults")["kinds"] == {}
    assert {transaction["state"] for transaction in get(csms, "/transactions")} == {"closed"}


def test_workers_on_their_own_keep_what_they_know_of_their_machine(storm: Storm) -> None:
    sources: set[str] = set()

    def script(peer: Peer) -> None:
        sources.add(peer.sock.getpeername()[0])
        peer.upgrade()
        Misbehaving().boot(peer)

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    with ScriptedServer(script) as server:
        master = storm.start(
            *("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--expect-workers", "1"),
            *("--headless", "--host", server.url, "--out", "run", "--plugstorm-profile", "idle"),
            *("-u", "3", "-r", "3"),
            enough={"BootNotification accepted": 3},
        )
        worker = storm.start(
            "--worker", "--master-host", "127.0.0.1", "--master-port", port, "--source-address", "127.0.0.5"
        )
        _, errors = master.communicate(timeout=PATIENCE)
        worker.communicate(timeout=PATIENCE)
    storm.check(master.returncode, errors)
    assert sources == {"127.0.0.1", "127.0.0.5"}  # the target check of the master, and the stations of the worker
    assert storm.result.stations.booted == 3


def test_a_run_is_led_from_the_web_page(storm: Storm, csms: ThreadCsms) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = storm.start("--web-host", "127.0.0.1", "--web-port", str(port), "--out", "run")
    base = f"http://127.0.0.1:{port}"
    wait_for(lambda: page(base))
    form = {"user_count": "4", "spawn_rate": "4", "plugstorm_profile": "brisk.yaml", "seed": "7"}
    requests.post(f"{base}/swarm", data=form | {"host": "http://127.0.0.1:1"}, timeout=10)
    wait_for(lambda: "stopped" in stats(base)["state"])
    assert get(csms, "/health")["stations"] == 0
    requests.post(f"{base}/swarm", data=form | {"host": csms.url}, timeout=10)
    wait_for(lambda: get(csms, "/health")["connections"] == 4)
    table = wait_for(lambda: [row for row in stats(base)["stats"] if row["name"] == "Heartbeat"])
    assert table[0]["method"] == "OCPP 1.6"
    assert requests.post(f"{base}/stop", timeout=30).ok
    wait_for(lambda: get(csms, "/health")["connections"] == 0)
    process.terminate()
    _, errors = process.communicate(timeout=30)
    assert "http://127.0.0.1:1 is an HTTP address" in errors
    assert "Traceback" not in errors
    run = read_run(storm.folder / "run-2")
    assert isinstance(run, LoadRun)
    assert run.target.url == csms.url
    assert run.seed == 7
    assert run.stations.connected_peak == 4


def test_a_start_from_the_web_page_leases_the_listed_stations(storm: Storm, csms: ThreadCsms) -> None:
    (storm.folder / "first.csv").write_text("LISTED-1\nLISTED-2\n")
    (storm.folder / "second.csv").write_text("OTHER-1\nOTHER-2\n")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    storm.start("--web-host", "127.0.0.1", "--web-port", str(port), "--out", "run", "--host", csms.url)
    base = f"http://127.0.0.1:{port}"
    wait_for(lambda: page(base))
    seen: set[str] = set()
    for name, listed in (("first.csv", {"LISTED-1", "LISTED-2"}), ("second.csv", {"OTHER-1", "OTHER-2"})):
        form = {"user_count": "2", "spawn_rate": "2", "plugstorm_profile": "idle", "station_list": name}
        assert requests.post(f"{base}/swarm", data=form | {"host": csms.url}, timeout=30).json()["success"]
        wait_for(lambda: get(csms, "/health")["connections"] == 2)
        assert {station["id"] for station in get(csms, "/stations")} - seen == listed
        seen |= listed
        assert requests.post(f"{base}/stop", timeout=30).ok
        wait_for(lambda: get(csms, "/health")["connections"] == 0)


def stats(base: str) -> Any:
    return requests.get(f"{base}/stats/requests", timeout=10).json()


def page(base: str) -> bool:
    try:
        return requests.get(base, timeout=1).ok
    except requests.RequestException:
        return False


def wait_for(condition: Callable[[], Any], timeout: float = PATIENCE) -> Any:
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.1)
    return value


def test_ctrl_c_ends_transactions_and_leaves_no_process(storm: Storm, csms: ThreadCsms) -> None:
    process = storm.start(
        *("--headless", "--host", csms.url, "--out", "run", "--plugstorm-profile", "brisk.yaml"),
        *("-u", "6", "-r", "6", "--processes", "2"),
    )
    wait_for(lambda: len(get(csms, "/transactions")) >= 6)
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(2)
    process.communicate(timeout=30)
    assert process.returncode == exit_codes.INTERRUPTED
    assert {transaction["state"] for transaction in get(csms, "/transactions")} == {"closed"}
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


# -- runs that cannot begin --------------------------------------------------------------------------------------------


@pytest.mark.sampled(4, by=lambda *, code, **_: code)
@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("--host", "ws://127.0.0.1:9"), exit_codes.UNREACHABLE, "127.0.0.1:9 cannot be reached"),
        (("--host", "ws://127.0.0.1:9", "--processes", "2"), exit_codes.UNREACHABLE, "127.0.0.1:9 cannot be reached"),
        (("--host", "http://127.0.0.1:9"), exit_codes.USAGE, "Try ws://127.0.0.1:9"),
        ((), exit_codes.USAGE, "--host"),
        (("--host", "ws://127.0.0.1:9", "--users=-3"), exit_codes.USAGE, "--users: expected a whole number"),
        (("--host", "ws://127.0.0.1:9", "--call-timeout=-3"), exit_codes.USAGE, "--call-timeout: expected a time"),
        (("--host", "ws://127.0.0.1:9", "--plugstorm-profile", "qick"), exit_codes.USAGE, "did you mean 'quick'"),
    ],
)
def test_a_mistake_ends_at_once_with_one_line(
    storm: Storm, arguments: tuple[str, ...], code: int, complaint: str
) -> None:
    got, errors = storm.run(None, "-u", "2", "-r", "2", "-t", "5s", *arguments)
    assert got == code
    assert complaint in errors
    assert len(errors.strip().splitlines()) == 1
    assert not (storm.folder / "run").exists()


def test_an_unknown_key_of_a_profile_ends_at_once(storm: Storm) -> None:
    (storm.folder / "brisk.yaml").write_text("title: x\nsesions: {}")
    code, errors = storm.run("ws://127.0.0.1:9", "-t", "5s")
    assert code == exit_codes.USAGE
    assert "did you mean 'sessions'" in errors


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP 404; check the path"),
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "HTTP 401; give the password"),
    ],
)
def test_a_csms_that_refuses_a_station_is_not_stormed(storm: Storm, answer: bytes, complaint: str) -> None:
    def script(peer: Peer) -> None:
        peer.sock.recv(65536)
        peer.raw(answer)

    with ScriptedServer(script) as server:
        code, errors = storm.run(server.url, "-u", "50", "-r", "50", "-t", "5s")
        assert len(server.peers) == 2, "a station of its own, and the last one of the run"
    assert code == exit_codes.USAGE
    assert complaint in errors


def test_a_folder_that_cannot_be_written_ends_at_once(storm: Storm, csms: ThreadCsms) -> None:
    (storm.folder / "run").write_text("a file where the folder should be")
    code, errors = storm.run(csms.url, "-t", "5s")
    assert code == exit_codes.USAGE
    assert "--out" in errors


# -- a CSMS that misbehaves --------------------------------------------------------------------------------------------


class Misbehaving:
    """Boots every station properly, and is then wrong in a way that follows from the station's number."""

    WAYS = ("garbage", "close-mid-call", "silent", "twice", "reset", "binary")

    def __init__(self) -> None:
        self.target_check = True
        self.done: set[str] = set()

    def __call__(self, peer: Peer) -> None:
        peer.upgrade()
        assert peer.request is not None
        number = int(peer.request.path[-6:])
        way = self.WAYS[(number - 1) % len(self.WAYS)]
        while True:
            _, message_id, action, _ = json.loads(peer.text())
            if action != "Heartbeat" or (way not in ("silent", "twice") and way in self.done):
                self.answer(peer, message_id, action)
                continue
            self.done.add(way)
            match way:
                case "garbage":
                    peer.say("]]] this is no JSON [[[")
                    peer.say('[3,"nobody-asked",{}]')
                    self.answer(peer, message_id, action)
                case "close-mid-call":
                    peer.close(1012, "restarting")
                    peer.until_end()
                    return
                case "twice":
                    self.answer(peer, message_id, action)
                    self.answer(peer, message_id, action)
                case "reset":
                    peer.reset()
                    return
                case "binary":
                    peer.raw(b"\x82\x02{}")
                    self.answer(peer, message_id, action)

    def boot(self, peer: Peer) -> None:
        """Answer as one should, until the station goes."""
        while True:
            _, message_id, action, _ = json.loads(peer.text())
            self.answer(peer, message_id, action)

    def answer(self, peer: Peer, message_id: str, action: str) -> None:
        payload = {"currentTime": "2026-01-01T00:00:00Z"}
        if action == "BootNotification":
            payload |= {"status": "Accepted", "interval": 1}  # type: ignore[dict-item]  # an answer of mixed types
        peer.say(json.dumps([3, message_id, payload if action in ("BootNotification", "Heartbeat") else {}]))


def test_a_csms_that_misbehaves_is_counted_and_the_run_goes_on(storm: Storm) -> None:
    (storm.folder / "brisk.yaml").write_text("title: Beats only\nmodels: {ac-single: 1}\nheartbeat: 0.5")
    with ScriptedServer(Misbehaving()) as server:
        code, errors = storm.run(
            server.url,
            *("-u", "6", "-r", "6", "--call-timeout", "0.7", "--backoff", "fixed:0.2", "--stop-patience", "1"),
            enough={"Heartbeat accepted": 25, "Heartbeat timeout": 3, "Heartbeat lost": 2, "measure": 10},
        )
    run, outcomes = storm.result, storm.outcomes()
    assert code in {exit_codes.FAILED, exit_codes.INVALID}
    assert "failed-calls" in {slo.built_in for slo in run.slo if not slo.passed}
    assert "Traceback" not in errors
    assert outcomes["Heartbeat", "accepted"] >= 15
    assert outcomes["Heartbeat", "timeout"] >= 2
    assert outcomes["Heartbeat", "lost"] >= 2  # one CALL was open when the CSMS closed, one when it reset
    assert run.stations.lost == 2
    assert run.faults["unsolicited"] == 1
    assert run.faults["duplicate"] >= 2
    assert run.faults["unreadable"] == 2  # the garbage, and the binary frame with no array in it
    assert run.faults["not-text"] == 1
    assert run.connections["opened"] == 8
    assert "station-crash" not in run.faults


# -- people's own locustfiles ------------------------------------------------------------------------------------------

OWN = '''
from locust import events, task
from locust.exception import StopUser
from loadtest.locust_edge.users import ChargePointUser


class Chatty(ChargePointUser):
    """Sends CALLs of its own."""

    ocpp = "2.0.1"
    profile = "idle"

    def wait_time(self):
        return 0.05

    @task
    def transfer(self):
        if self.online:
            answer = self.call("DataTransfer", {"vendorId": "org.example"})
            print("ANSWER", answer.outcome, answer.payload["status"], flush=True)


class Short(ChargePointUser):
    """Is stopped by a listener."""

    ocpp = "1.6"
    profile = "idle"

    def on_stop(self):
        super().on_stop()
        print("STOPPED", self.station, flush=True)


@events.request.add_listener
def on_request(request_type, name, **_):
    if (request_type, name) == ("OCPP 1.6", "StatusNotification"):
        raise StopUser
'''


def test_people_write_their_own_users_and_locusts_exceptions_pass_through(storm: Storm, csms: ThreadCsms) -> None:
    file = storm.folder / "own.py"
    file.write_text(OWN)
    process = storm.start(
        *("--headless", "--host", csms.url, "--out", "run", "-u", "2", "-r", "2"),
        locustfile=file,
        enough={"1.6 StatusNotification accepted": 1, "DataTransfer rejected": 10},
    )
    output, errors = process.communicate(timeout=PATIENCE)
    assert output.count("STOPPED None") == 1
    assert output.count("ANSWER") >= 5
    assert "Traceback" not in errors
    assert "station-crash" not in storm.result.faults
    transfers = [count for (action, _), count in storm.outcomes().items() if action == "DataTransfer"]
    assert sum(transfers) >= output.count("ANSWER")
    assert get(csms, "/health")["connections"] == 0


def test_a_user_class_with_a_version_that_does_not_exist_ends_at_once(storm: Storm) -> None:
    file = storm.folder / "own.py"
    file.write_text(
        "from loadtest.locust_edge.users import ChargePointUser\nclass Odd(ChargePointUser):\n    ocpp = '3.0'\n"
    )
    code, errors = storm.run("ws://127.0.0.1:9", "-t", "5s", locustfile=file)
    assert code == exit_codes.USAGE
    assert "Odd.ocpp is '3.0'" in errors


def test_a_user_class_with_a_profile_that_does_not_exist_is_told_once(storm: Storm, csms: ThreadCsms) -> None:
    file = storm.folder / "own.py"
    file.write_text(
        "from loadtest.locust_edge.users import ChargePointUser\n"
        "class Good(ChargePointUser):\n    profile = 'idle'\n"
        "class Odd(ChargePointUser):\n    profile = 'qick'\n"
    )
    enough = {"BootNotification accepted": 3}
    _, errors = storm.run(csms.url, "-u", "6", "-r", "6", locustfile=file, enough=enough)
    assert errors.count("did you mean 'quick'") == 1
    assert storm.result.stations.booted == 3


BROKEN = """
from loadtest import locustfile
from loadtest.locustfile import ChargePoint16
from loadtest.station import Station

accepted = Station.accepted
failed = set()


def fail(when):
    raise RuntimeError("a mistake of ours")


def fail_once(self, now, interval, *, fresh):
    accepted(self, now, interval, fresh=fresh)
    if self.lease.number not in failed:
        failed.add(self.lease.number)
        self.context.timers.at(now, fail, self)


Station.accepted = fail_once
"""


def test_a_crash_in_a_station_restarts_the_station_and_not_the_user(storm: Storm, csms: ThreadCsms) -> None:
    file = storm.folder / "broken.py"
    file.write_text(BROKEN)
    enough = {"BootNotification accepted": 6, "Heartbeat accepted": 3, "measure": 3}
    code, errors = storm.run(
        csms.url,
        *("-u", "3", "-r", "3", "--backoff", "fixed:0.2", "ChargePoint16"),
        locustfile=file,
        enough=enough,
    )
    assert code in (exit_codes.PASSED, exit_codes.INVALID)
    run = storm.result
    assert run.faults["station-crash"] == 3
    assert errors.count("RuntimeError: a mistake of ours") == 3
    assert run.connections["opened"] == 6
    assert storm.outcomes()["Heartbeat", "accepted"] >= 3


def test_locusts_own_work_is_patient_and_light() -> None:
    code = """
import loadtest.locustfile
from locust import argument_parser, runners
same = argument_parser.default_args_dict() is argument_parser.default_args_dict()
print(runners.HEARTBEAT_LIVENESS, same, "expect_workers" in argument_parser.default_args_dict())
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["10", "True", "True"]


def test_stations_can_be_used_without_locust() -> None:
    modules = "loadtest.station, loadtest.locust_edge.target_check, loadtest.locust_edge.parser"
    code = f"import {modules}, sys; sys.exit('locust' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
