"""What stands between the bench and k6, with a program in its place that does what the script of k6 does."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from benchmarks.children import SinkProcess
from benchmarks.compare import await_ready, run_loop, start
from benchmarks.engines.table import K6, Plan, choose
from benchmarks.workloads import WORKLOADS
from ocppj.errors import InconclusiveError

pytestmark = pytest.mark.waits

STATIONS = 3
STAND_IN = """\
import json, os, threading, time
from websockets.sync.client import connect

given = os.environ
until = float(given["START"]) + float(given["SECONDS"])
counted = []

def station(number):
    with connect(f"{given['URL']}/B{number:06d}", subprotocols=["ocpp2.0.1"]) as socket:
        while given["SECONDS"] == "0":
            time.sleep(60)
        time.sleep(max(float(given["START"]) - time.time(), 0))
        while True:
            socket.send(f'[2,"1","{given["ACTION"]}",{given["PAYLOAD"]}]')
            counted.append(json.loads(socket.recv())[0] == 3)
            if time.time() >= until:
                return

threads = [threading.Thread(target=station, args=(n,), daemon=True) for n in range(int(given["STATIONS"]))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("a line that is no summary")
print(json.dumps({"calls": counted.count(True), "errors": counted.count(False)}))
"""


def k6_is(monkeypatch: pytest.MonkeyPatch, folder: Path, program: str) -> None:
    file = folder / "k6"
    file.write_text(f"#!{sys.executable}\n{program}")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


def test_k6_and_sink_count_the_same_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("k6") is None:
        k6_is(monkeypatch, tmp_path, STAND_IN)
    engine = next(engine for engine in choose([K6]) if engine.name == K6)
    assert not engine.missing()
    with SinkProcess() as sink:
        plan = Plan(url=sink.url, stations=STATIONS, folder=tmp_path)
        with start(engine, plan, min(os.sched_getaffinity(0))) as child:
            ready = await_ready(child)
            assert sink.stats().connected == STATIONS
            ran, counted, _ = run_loop(child, sink, WORKLOADS[0], 0.3)
        assert ran.calls == counted > 0
        assert ran.errors == 0
        assert ran.seconds >= 0.3
        assert ready.stations == STATIONS
        assert ready.rss_after_kb > 0
        # The stations that only stayed connected are gone: each order brings its own.
        assert sink.stats().connected == 0


def test_a_k6_that_fails_is_told_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    k6_is(monkeypatch, tmp_path, "raise SystemExit('no such option')")
    engine = next(engine for engine in choose([K6]) if engine.name == K6)
    plan = Plan(url="ws://127.0.0.1:1", stations=1, folder=tmp_path)
    with start(engine, plan, min(os.sched_getaffinity(0))) as child, pytest.raises(InconclusiveError, match="no such"):
        await_ready(child)


def test_where_k6_is_not_installed_the_bench_goes_on_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    engine = next(engine for engine in choose([K6]) if engine.name == K6)
    assert engine.missing() == "k6 is not installed"
