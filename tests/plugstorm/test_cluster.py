"""`plugstorm load --master` and `--worker`: which flags belong to whom, and a run of two such processes."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from evidence import exit_codes
from evidence.run_folder import read_run
from evidence.run_model import LoadRun
from fixtures.csms import practice_csms
from loadtest.locust_edge.request import LoadRequest
from plugstorm.cluster import Place, worker_command
from plugstorm.load_command import free_port, locust_command
from tests.plugstorm.conftest import Plugstorm, Spawn

pytestmark = pytest.mark.waits(1.5)

MASTER = ("load", "--master", "--url", "ws://127.0.0.1:9/x")
WORKER = ("load", "--worker", "--master-host", "198.51.100.1")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("load", "--master"), "plugstorm csms --host 0.0.0.0"),
        ((*MASTER, "--worker", "--master-host", "h"), "exclude each other"),
        ((*MASTER, "--master-host", "h"), "belongs to --worker"),
        (("load", "--worker"), "give it with --master-host"),
        ((*WORKER, "--master-bind", "0.0.0.0"), "belongs to --master"),
        ((*WORKER, "--stations", "5"), "--stations belongs to the master"),
        ((*WORKER, "--profile", "steady"), "--profile belongs to the master"),
        ((*WORKER, "--label", "1.4"), "--label belongs to the master"),
        ((*WORKER, "--json"), "belong to the master"),
        (("load", "--master-port", "5557"), "belong to --master"),
    ],
)
def test_flags_of_the_other_side_are_refused(plugstorm: Plugstorm, words: tuple[str, ...], told: str) -> None:
    plugstorm(*words).assert_one_line(exit_codes.USAGE, told)


def test_a_password_of_the_shell_is_no_flag(plugstorm: Plugstorm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGSTORM_PASSWORD", "secret")
    plugstorm(*WORKER, "--seed", "5").assert_one_line(exit_codes.USAGE, "--seed belongs to the master")


def test_a_master_listens_and_waits_for_its_workers() -> None:
    place = Place(role="master", host="198.51.100.1", port=7000)
    request = LoadRequest(stations=10, workers=8)
    words = " ".join(locust_command(request, url="ws://h/x", out=Path("run"), master_port=None, place=place))
    assert "--master --expect-workers 8 --master-bind-host 198.51.100.1 --master-bind-port 7000" in words
    assert "--processes" not in words


def test_a_worker_knows_its_machine_and_its_master() -> None:
    request = LoadRequest(workers=4, source_addresses=("127.0.0.2-127.0.0.9",), tls_ca=Path("ca.pem"))
    words = " ".join(worker_command(request, Place(role="worker", host="198.51.100.1"), "file.py"))
    assert "--worker --master-host 198.51.100.1 --master-port 5557 " in words
    assert "--processes 4" in words
    assert "--source-address 127.0.0.2-127.0.0.9" in words
    assert "--tls-ca ca.pem" in words


def test_a_port_that_is_taken_is_told(plugstorm: Plugstorm) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        words = ["--master-bind", "127.0.0.1", "--master-port", str(taken.getsockname()[1])]
        plugstorm(*MASTER, *words).assert_one_line(exit_codes.USAGE, "cannot be used", "--master-port")


@pytest.mark.timeout(300)
def test_two_workers_elsewhere_share_a_run(spawn: Spawn, tmp_path: Path) -> None:
    port = str(free_port())
    with practice_csms() as csms:
        words = ["--master-bind", "127.0.0.1", "--master-port", port, "--workers", "2", "--url", csms.url]
        words += ["--stations", "10", "--spawn-rate", "10", "--duration", "15s", "--label", "1.4", "--out", "run"]
        master = spawn("load", "--master", *words)
        worker = spawn("load", "--worker", "--master-host", "127.0.0.1", "--master-port", port, "--workers", "2")
        told = [process.stdout and process.stdout.read() for process in (master, worker)]
        codes = [process.wait() for process in (master, worker)]
    assert codes == [exit_codes.PASSED, exit_codes.PASSED], told
    run = read_run(tmp_path / "run")
    assert isinstance(run, LoadRun)
    assert (run.label, run.stations.booted, run.settings["workers"]) == ("1.4", 10, "2")
    assert [worker["stations"] for worker in run.generator.details["workers"]] == [5, 5]
    assert (tmp_path / "run" / "report.html").exists()
