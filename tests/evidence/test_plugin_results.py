"""What the plugins of a load run write is what `run.json` holds, field by field and in the same order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evidence.plugin_results import CommandOutcome, CommandResult, KpiResult, LedgerClass, LedgerResult, StormResult
from evidence.vocabulary import MEASURE
from loadtest.measuring.session_row import NOTE, Row
from loadtest.plugins.commands.figures import CLOCKS, Figures
from loadtest.plugins.commands.matching import Api, Matcher, SeenEffect, Sent, digest_of, key_of
from loadtest.plugins.contract import RunAccess
from loadtest.plugins.ledger.plugin import KpiPlugin, LedgerPlugin
from loadtest.plugins.storms.plugin import StormPlugin
from loadtest.plugins.storms.process import KIND
from loadtest.timing.backoff import parse_backoff
from loadtest.workload.commands import Command, fill, plan
from loadtest.workload.storms import CsmsRestart, HalfOpen, MassRemoteStart, Storm
from ocppj.versions import Version

ROW = Row(
    station="CP1",
    ocpp="1.6",
    token="A",
    plugged=1000.0,
    window=MEASURE,
    authorize="accepted",
    connector=1,
    id=7,
    start="accepted",
    start_sends=1,
    start_time="1970-01-01T00:16:41Z",
    meter_start=100.0,
    to_start=0.5,
    stop="accepted",
    stop_sends=1,
    stop_time="1970-01-01T00:17:41Z",
    meter_stop=1100.0,
    seconds=60.0,
)
REMOTE = msgspec.structs.replace(ROW, remote=True, id=8, stop="timeout")


def assert_unchanged(written: Any, model: Any) -> None:
    assert msgspec.json.encode(msgspec.convert(written, model)) == msgspec.json.encode(written)


def access(folder: Path, clock: Callable[[], float] = lambda: 1.0) -> RunAccess:
    return RunAccess(
        order=lambda _: None,
        folder=folder,
        url="ws://127.0.0.1:1",
        started=0.0,
        stations=10,
        clock=clock,
        target=lambda: 10,
        ask=lambda _, __: True,
    )


def concluded(plugin: LedgerPlugin | KpiPlugin, folder: Path, rows: list[Row]) -> dict[str, Any]:
    plugin.begin(access(folder))
    for row in rows:
        plugin.note("w", [NOTE, *msgspec.structs.astuple(row)])
    return plugin.conclude().fields


@pytest.mark.parametrize("records", [None, [], [{"station": "CP9", "transactionId": 1, "startTime": 1001.0}]])
def test_ledger(tmp_path: Path, records: list[dict[str, Any]] | None) -> None:
    plugin = LedgerPlugin(lambda: records, source="http://127.0.0.1", sleep=lambda _: None)
    written = concluded(plugin, tmp_path, [ROW, REMOTE])["ledger"]
    assert list(written["counts"]) == list(LedgerClass)
    assert_unchanged(written, LedgerResult)


@pytest.mark.parametrize("rows", [[], [ROW, REMOTE]])
def test_kpis(tmp_path: Path, rows: list[Row]) -> None:
    assert_unchanged(concluded(KpiPlugin(), tmp_path, rows)["kpis"], KpiResult)


def storm_of(folder: Path, storm: Storm, *told: dict[str, Any]) -> dict[str, Any]:
    clock = [0.0]
    plugin = StormPlugin([storm], backoff=parse_backoff("spec:1/2/1"), seed=3)
    plugin.begin(access(folder, lambda: clock[0]))
    for second in range(1, 13):
        clock[0] = float(second)
        plugin.beat(clock[0], MEASURE)
    for news in told:
        plugin.note("w", [KIND, 1, news])
    plugin.stopping()
    (written,) = plugin.conclude().fields["storms"]
    assert isinstance(written, dict)
    return written


NEWS = {"struck": {0: 10}, "opened": {5: 6}, "failed": {"http-503": 7}, "queued": {2: 12}, "refused": 8}
BACK = {"back": {50: 9, 60: 1}, "booted": {51: 9, 61: 1}, "drained": {52: 10}, "outage": {50: 10}, "old_closed": 4}


@pytest.mark.parametrize("storm", [CsmsRestart(at=1.0, down=2.0), HalfOpen(at=1.0), MassRemoteStart(at=1.0)])
@pytest.mark.parametrize("told", [(), (NEWS,), (NEWS, BACK)])
def test_storm(tmp_path: Path, storm: Storm, told: tuple[dict[str, Any], ...]) -> None:
    assert_unchanged(storm_of(tmp_path, storm, *told), StormResult)


def test_commands() -> None:
    figures = Figures()
    matcher = Matcher(figures.close)
    (errand,) = plan([Command(action="remote-start", rate="1/s", timeout=10, effect_within=60)], [Version.V16])
    recipe = errand.recipes[Version.V16]
    payload = fill(recipe.payload, {"connector": 1, "token": "T1"})
    for station in ("A", "B"):
        sent = Sent(
            errand=errand,
            recipe=recipe,
            ocpp="1.6",
            station=station,
            payload=payload,
            key=key_of(recipe.action, payload),
            digest=digest_of(payload),
            intended=9.5,
            sent=10.0,
        )
        matcher.begin(sent)
        matcher.answered(sent, Api.ACCEPTED, 10.2)
    matcher.seen("A", recipe.action, sent.key, sent.digest, 10.1, taken=True)
    matcher.did("A", SeenEffect.STARTED, "T1", 10.4)
    matcher.did("A", SeenEffect.METERED, "T1", 20.0)
    matcher.settle(90.0)
    figures.never_sent("reset", "2.0.1", "Reset", "booted again", 3.0)
    figures.never_sent("clear-cache", "2.0.1", "ClearCache", "none", None)
    rows = figures.rows()
    assert len(rows) == 3
    assert_unchanged(rows, list[CommandResult])


def test_words_for_the_end_of_a_command() -> None:
    words = {name for name in Figures().quantities() if name.partition("-")[0] not in CLOCKS}
    assert words - {"failed"} == set(CommandOutcome)
