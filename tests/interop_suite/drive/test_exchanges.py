from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Exchange
from drivers.http import HttpDriver
from evidence.run_folder import read_trace
from evidence.verdicts import Verdict
from fixtures.csms import practice_csms
from interop_suite.catalogue import all_cases
from interop_suite.drive.exchanges import collected, in_the_trace, watch
from interop_suite.drive.setup import CsmsUnderTest
from interop_suite.run.runner import Runner
from ocppj.trace import Kind

CASES = {case.key: case for case in all_cases()}


def driver_records(case: str, folder: Path) -> list[dict[str, Any]]:
    with practice_csms() as csms:
        driver = HttpDriver(csms.control_url)
        result = Runner(CsmsUnderTest(url=csms.url, timeout=5), driver, folder).run(CASES[case])
        driver.close()
    assert result.verdict is Verdict.OK, result.reason
    (trace,) = folder.glob("*.jsonl")
    return [record.info for record in read_trace(trace) if record.kind is Kind.DRIVER]


def test_trace_holds_request_and_response_of_each_operation(tmp_path: Path) -> None:
    records = driver_records("1.6-TC_013_CSMS", tmp_path)
    (register,) = [info for info in records if info["operation"] == "register"]
    (outcome,) = [info for info in records if info["operation"] == "outcome"]
    for info, path in ((register, "/stations/"), (outcome, "/calls/Reset")):
        (exchange,) = info["exchanges"]
        assert (exchange["over"], exchange["request"]["method"]) == ("http", "POST")
        assert path in exchange["request"]["url"]
        assert exchange["response"]["status"] in (200, 201)
        assert exchange["ms"] > 0
    assert outcome["exchanges"][0]["request"]["body"] == {"type": "Hard"}


def test_passwords_of_stations_are_not_in_the_exchanges(tmp_path: Path) -> None:
    records = driver_records("1.6-TC_073_CSMS", tmp_path)
    bodies = [
        exchange["request"]["body"]
        for info in records
        for exchange in info.get("exchanges", ())
        if "password" in exchange["request"].get("body", {})
    ]
    assert bodies
    assert {body["password"] for body in bodies} == {"(redacted)"}


def exchange(number: int) -> Exchange:
    return Exchange(operation=f"poll {number}", over="http", request={})


def test_of_many_exchanges_the_first_and_the_last_are_kept() -> None:
    told = in_the_trace([exchange(number) for number in range(100)])
    assert [one["operation"] for one in told["exchanges"]] == [
        f"poll {number}" for number in (*range(10), *range(90, 100))
    ]
    assert told["exchanges_left_out"] == 80


@pytest.mark.parametrize("seen", [[], [exchange(1)]], ids=["none", "one"])
def test_few_exchanges_are_kept_whole(seen: list[Exchange]) -> None:
    assert set(in_the_trace(seen)) == ({"exchanges"} if seen else set())


def test_threads_see_only_their_own_exchanges() -> None:
    class Watched:
        observe = staticmethod(print)

    driver: Any = Watched()
    watch(driver)
    seen: dict[int, list[Exchange]] = {0: [], 1: []}
    both_collect = threading.Barrier(2)

    def work(number: int) -> None:
        with collected(seen[number]):
            both_collect.wait(5)
            driver.observe(exchange(number))
            both_collect.wait(5)

    threads = [threading.Thread(target=work, args=(number,)) for number in seen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    driver.observe(exchange(2))
    assert [[one.operation for one in found] for found in seen.values()] == [["poll 0"], ["poll 1"]]
