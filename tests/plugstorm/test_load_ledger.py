"""The ledger of real runs: stations on sockets, a CSMS in another process or thread, and its control port."""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence import exit_codes
from evidence.run_folder import read_run
from evidence.run_model import LoadRun
from fixtures.csms import practice_csms
from tests.plugstorm.conftest import Plugstorm, Spawn

pytestmark = pytest.mark.waits

PROFILE = "title: short\nmodels: {ac-dual: 1}\nmeter: 1\nsessions: {duration: 1, gap: 0.4, unplug: 0.1}\n"
RUN = ("--stations", "24", "--spawn-rate", "24", "--duration", "6s", "--profile", "short.yaml", "--seed", "3")


def result(folder: Path) -> LoadRun:
    run = read_run(folder)
    assert isinstance(run, LoadRun)
    return run


def test_a_run_finds_what_a_csms_loses_and_nothing_at_one_that_keeps_everything(spawn: Spawn, tmp_path: Path) -> None:
    (tmp_path / "short.yaml").write_text(PROFILE)
    with practice_csms(defects=["load-stop-lost"]) as csms:
        # Side by side: they wait most of the time.
        addresses = ("--url", csms.url, "--control-url", csms.control_url)
        losing = spawn("load", *RUN, *addresses, "--ocpp", "2.0.1", "--out", "losing")
        keeping = spawn("load", *RUN, "--workers", "2", "--out", "keeping")
        for process in (losing, keeping):
            process.communicate(timeout=90)
    lost, kept = result(tmp_path / "losing"), result(tmp_path / "keeping")
    counts = {name: count for name, count in lost.ledger.counts.items() if count}
    assert counts.pop("lost") >= lost.ledger.judged // 20 > 0
    assert set(counts) <= {"open", "unanswered"}
    assert lost.ledger.failed
    # A busy machine may make the generator INVALID, which says nothing about the records.
    invalid = lost.generator.verdict == "INVALID"
    assert losing.returncode == (exit_codes.INVALID if invalid else exit_codes.FAILED)
    assert kept.ledger.says[0].startswith(f"0 lost of {kept.ledger.judged:,} transactions; none ")
    assert kept.ledger.judged > 20
    assert not kept.ledger.failed
    assert kept.kpis.charging_whole_run.succeeded > 20


def test_a_control_port_without_its_csms_is_an_error_in_one_line(plugstorm: Plugstorm, closed_url: str) -> None:
    control = closed_url.replace("ws:", "http:").removesuffix("/ocpp")
    plugstorm("load", "--control-url", control).assert_one_line(exit_codes.USAGE, "--control-url", "--url")
