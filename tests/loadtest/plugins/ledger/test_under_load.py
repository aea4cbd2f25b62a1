"""Whole fleets against the practice CSMS in virtual time: each defect is found in its class, and nothing else is."""

from __future__ import annotations

import pytest

from evidence.plugin_results import LedgerClass
from fixtures.csms.defects import load_defects
from fixtures.csms.options import Mode
from loadtest.plugins.ledger.reconcile import FAILING, Findings
from loadtest.station.dialect.contract import Ending
from loadtest.station.life import Life
from ocppj.versions import Version
from tests.loadtest.plugins.ledger.simulated_csms import SimulatedCsms

pytestmark = pytest.mark.waits(0.1)

CLASS_OF = {
    "load-start-lost": "lost",
    "load-stop-lost": "lost",
    "load-stop-lost-in-crowd": "lost",
    "load-duplicated": "duplicated",
    "load-crossed-station": "crossed",
    "load-crossed-token": "crossed",
    "load-id-given-twice": "wrong-id",
    "load-energy-rounded": "wrong-energy",
    "load-energy-unit": "wrong-energy",
    "load-energy-of-last": "wrong-energy",
    "load-time-shifted": "wrong-time",
    "load-phantom": "phantom",
}
ALARMS = (*FAILING, "wrong-time", "phantom")
IN_2X = ("load-start-lost", "load-stop-lost", "load-duplicated", "load-crossed-station", "load-energy-rounded")
SCRIPTS = [(name, Version.V16) for name in CLASS_OF] + [(name, Version.V201) for name in IN_2X]


def alarms(findings: Findings) -> dict[str, int]:
    return {name: count for name in ALARMS if (count := findings.counts[name] or 0)}


def trouble(simulated: SimulatedCsms, steps: int = 40) -> SimulatedCsms:
    """Let storms, losses, resets, a deaf, a slow and a closed CSMS come as the simulated CSMS's own chance has it."""
    chance = simulated.random
    for _ in range(steps):
        simulated.run(chance.uniform(0.5, 5.0))
        wires = [wire for wire in simulated.wires.values() if wire.open]
        match chance.randrange(7):
            case 0:
                simulated.closed = chance.random() < 0.3
                for wire in wires:
                    wire.cut()
            case 1 | 2:
                simulated.closed = False
                for wire in chance.sample(wires, len(wires) // 2):
                    wire.cut()
            case 3:
                simulated.deaf_share = chance.choice((0.0, 0.0, 0.2))
            case 4:
                simulated.latency = chance.choice((0.02, 0.02, 1.5, 6.0))
            case 5:
                station = chance.choice(simulated.stations)
                if station.life is Life.ON:
                    station.reboot(chance.choice((Ending.HARD_RESET, Ending.SOFT_RESET)))
            case _:
                pass
    return simulated


def test_every_defect_of_the_ledger_is_looked_for() -> None:
    assert set(CLASS_OF) == set(load_defects())
    assert set(CLASS_OF.values()) == set(ALARMS) <= set(LedgerClass)


@pytest.mark.parametrize(("defect", "version"), SCRIPTS)
def test_defect_is_found_in_its_class_and_in_no_other(defect: str, version: Version) -> None:
    findings = SimulatedCsms(version, defects=(defect,), stations=12).run(70).stop().reconcile()
    assert findings.transactions > 40
    found = alarms(findings)
    assert list(found) == [CLASS_OF[defect]]
    assert found[CLASS_OF[defect]] >= findings.transactions // 20 - 1
    assert findings.failed == (CLASS_OF[defect] in FAILING)
    examples = findings.examples[CLASS_OF[defect]]
    assert all(example["station"] and example["says"].endswith(".") for example in examples)
    assert len(examples) == min(found[CLASS_OF[defect]], 10)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("version", list(Version))
def test_a_correct_csms_in_trouble_gives_no_false_alarm(version: Version, mode: Mode) -> None:
    simulated = trouble(SimulatedCsms(version, mode=mode, stations=10, seed=1))
    findings = simulated.stop(0.1 if mode is Mode.LENIENT else 5.0).reconcile()
    assert findings.judged > 5
    assert alarms(findings) == {}, findings.examples


@pytest.mark.parametrize("mode", list(Mode))
def test_a_correct_csms_left_alone_has_every_transaction(mode: Mode) -> None:
    findings = SimulatedCsms(Version.V16, mode=mode, stations=10).run(100).stop().reconcile()
    assert findings.transactions == findings.judged == findings.records
    assert findings.transactions > 60
    assert not any(findings.counts.values())


def test_lost_answers_leave_twins_in_a_lenient_csms_and_no_false_alarm() -> None:
    simulated = SimulatedCsms(Version.V16, mode=Mode.LENIENT, stations=12)
    for _ in range(20):
        simulated.run(5.0)
        simulated.latency = 1.0
        for wire in list(simulated.wires.values()):
            wire.cut()
    simulated.latency = 0.02
    findings = simulated.run(60).stop().reconcile()
    assert findings.counts["ambiguous"]
    assert alarms(findings) == {}, findings.examples


@pytest.mark.parametrize("defect", ["load-stop-lost", "load-crossed-station"])
def test_defect_is_found_in_the_middle_of_trouble(defect: str) -> None:
    simulated = trouble(SimulatedCsms(Version.V16, defects=(defect,), stations=14, seed=5))
    simulated.closed, simulated.deaf_share, simulated.latency = False, 0.0, 0.02
    findings = simulated.run(120).stop().reconcile()
    assert list(alarms(findings)) == [CLASS_OF[defect]]


def test_an_earlier_run_with_the_same_stations_gives_no_false_alarm() -> None:
    first = SimulatedCsms(stations=8).run(40).stop()
    second = SimulatedCsms(stations=8, start=first.now - 1000.0 + 5.0, csms=first.csms, seed=9).run(40).stop()
    findings = second.reconcile()
    assert findings.earlier == len(first.rows())
    assert findings.judged > 10
    assert not any(findings.counts.values())
