"""Run folders made by code: plausible, hostile, empty, cut short."""

from __future__ import annotations

import json
import random
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from evidence.histogram import Histogram, Interval, Tag, write_hlog
from evidence.plugin_results import LedgerResult
from evidence.run_folder import RunFolder, read_run
from evidence.run_model import (
    ActionStats,
    CallStats,
    CaseResult,
    Generator,
    InteropRun,
    Latency,
    LoadRun,
    Percentiles,
    RunTarget,
    SloResult,
    Stations,
    WindowResult,
)
from evidence.verdicts import RunVerdict, Verdict, run_verdict
from ocppj.trace import Kind, TraceRecord, encode_record
from reports.html import render_report, write_report

STATION = "PS-0001"
STARTED = "2026-03-02T09:00:00.000Z"
TOOL = {"name": "plugstorm", "version": "0.1.0", "websockets": "16.0", "locust": "2.47.0"}
ENVIRONMENT = {"python": "3.11.7", "system": "Linux", "cpus": 2}


class Tape:
    """A trace in the making; every record moves the clock on by some ms."""

    def __init__(self, station: str = STATION, version: str = "ocpp1.6") -> None:
        self.records: list[TraceRecord] = []
        self.station = station
        self.version = version
        self._t = 1000.0
        self._next_id = 0

    def add(self, kind: Kind, *, ms: float = 2.0, station: str | None = None, **fields: Any) -> int:
        self._t += ms / 1000
        name = self.station if station is None else station
        connection = 0 if kind in (Kind.NOTE, Kind.DRIVER) else 1
        self.records.append(TraceRecord(t=self._t, station=name, connection=connection, kind=kind, **fields))
        return len(self.records) - 1

    def open(self) -> Tape:
        info = {"url": "ws://127.0.0.1:9000/" + self.station, "status": 101, "subprotocol": self.version}
        self.add(Kind.NOTE, station="TC", info={"phase": "prepare"})
        self.add(Kind.HANDSHAKE, info=info)
        self.exchange("BootNotification", {"chargePointVendor": "Voltmeister", "chargePointModel": "Duo 22"}, BOOT)
        self.add(Kind.NOTE, station="TC", info={"phase": "script"})
        return self

    def close(self) -> Tape:
        self.add(Kind.CLOSED, info={"code": 1000, "reason": "", "by": "station"})
        return self

    def exchange(self, action: str, payload: Any, answer: Any, *, ms: float = 4.0, by_csms: bool = False) -> int:
        """Record a CALL and its CALLRESULT; returns the line of the answer."""
        self._next_id += 1
        asks, answers = (Kind.RECEIVED, Kind.SENT) if by_csms else (Kind.SENT, Kind.RECEIVED)
        self.add(asks, text=_json([2, f"id-{self._next_id}", action, payload]))
        return self.add(answers, ms=ms, text=_json([3, f"id-{self._next_id}", answer]))

    def frame(self, text: str, *, sent: bool = False) -> int:
        return self.add(Kind.SENT if sent else Kind.RECEIVED, text=text)

    def driver(self, action: str, **answer: Any) -> int:
        return self.add(Kind.DRIVER, info={"operation": "trigger", "action": action, **answer})


BOOT = {"status": "Accepted", "currentTime": "2026-03-02T09:00:00.000Z", "interval": 300}


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def charging_tape(frames: int = 0) -> Tape:
    tape = Tape().open()
    tape.exchange("Authorize", {"idTag": "04A1B2C3"}, {"idTagInfo": {"status": "Accepted"}}, ms=6)
    started = {"connectorId": 1, "idTag": "04A1B2C3", "meterStart": 1200, "timestamp": "2026-03-02T09:00:01Z"}
    tape.exchange("StartTransaction", started, {"transactionId": 17, "idTagInfo": {"status": "Accepted"}}, ms=11)
    for number in range(frames):
        sample = {"value": f"{1200 + number}", "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
        values = {"timestamp": f"2026-03-02T09:{number % 60:02}:00Z", "sampledValue": [sample]}
        tape.exchange("MeterValues", {"connectorId": 1, "transactionId": 17, "meterValue": [values]}, {}, ms=3)
    stopped = {"transactionId": 17, "meterStop": 9000, "timestamp": "2026-03-02T09:30:00Z", "reason": "Local"}
    tape.exchange("StopTransaction", stopped, {"idTagInfo": {"status": "Accepted"}}, ms=7)
    return tape.close()


def make_case(case_id: str = "TC_001_CSMS", verdict: Verdict = Verdict.OK, **fields: Any) -> CaseResult:
    defaults: dict[str, Any] = {
        "ocpp": "1.6",
        "title": "Cold boot is accepted and followed by status and heartbeat",
        "reason": "Every claim holds." if verdict is Verdict.OK else "",
        "clause": "1.6 §4.2",
        "level": "required",
        "profile": "Core",
        "duration_ms": 182.0,
        "expected": ["The CSMS answers the BootNotification with a CALLRESULT"],
        "actual": ["as expected"],
        "sends": "A BootNotification after the WebSocket has opened.",
        "expects": "The CSMS SHALL answer with status, currentTime and interval.",
        "reproduce": f"plugstorm interop --select 1.6-{case_id}",
    }
    written = {"id": case_id, "verdict": verdict, **defaults, **fields}
    listed = written["profile"] if case_id.startswith("TC_") else ""
    return CaseResult(**{"certification": listed, "block": written["profile"], **written})


def write_trace(folder: Path, name: str, tape: Tape) -> str:
    file = folder / "traces" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"".join(encode_record(record) + b"\n" for record in tape.records))
    return f"traces/{name}"


def write_as_it_is(folder: Path, run: InteropRun | LoadRun) -> None:
    """Write `run.json` whatever its fields hold, as a damaged file would."""
    RunFolder(folder).write_text("run.json", msgspec.json.encode(run).decode())


def write_interop(folder: Path, cases: list[CaseResult], **fields: Any) -> Path:
    """Write an interop run of these cases; traces are written by whoever made the cases."""
    counts: dict[Verdict, int] = {}
    for case in cases:
        counts[case.verdict] = counts.get(case.verdict, 0) + 1
    defaults: dict[str, Any] = {
        "tool": TOOL,
        "target": RunTarget(url="ws://csms.example:9000/ocpp", ocpp=["1.6", "2.0.1"], driver="http"),
        "started": STARTED,
        "finished": "2026-03-02T09:00:41.000Z",
        "seed": 7,
        "environment": ENVIRONMENT,
        "verdict": run_verdict(case.verdict for case in cases),
        "counts": counts,
        "cases": cases,
        "settings": {"jobs": 8, "ocpp": ["1.6", "2.0.1"]},
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_as_it_is(folder, InteropRun(**{**defaults, **fields}))
    return folder


def failed_case(folder: Path) -> CaseResult:
    tape = Tape().open()
    tape.exchange("Authorize", {"idTag": "04A1B2C3"}, {"idTagInfo": {"status": "Accepted"}}, ms=5)
    started = {"connectorId": 1, "idTag": "04A1B2C3", "meterStart": 1200, "timestamp": "2026-03-02T09:00:01Z"}
    bad = tape.exchange("StartTransaction", started, {"transactionId": "17", "idTagInfo": {"status": "Acepted"}}, ms=38)
    tape.exchange("Heartbeat", {}, {"currentTime": "2026-03-02T09:00:02.000Z"})
    tape.close()
    claim = "The StartTransaction response of the CSMS matches the OCA schema"
    actual = '/transactionId: "17" is not of type "integer"'
    second = '/idTagInfo/status: "Acepted" is not one of the allowed words'
    ok = "The CSMS answers the Authorize with status Accepted"
    return make_case(
        "TC_003_CSMS",
        Verdict.FAILED,
        title="Local session where the cable is plugged before the tag is shown",
        reason=f"{claim}: {actual}",
        clause="1.6 §6.46",
        trace=write_trace(folder, "1.6-TC_003_CSMS-1.jsonl", tape),
        expected=[ok, claim, "The transaction id is greater than zero"],
        actual=[f"{claim}: {actual}"],
        sends="Authorize, then StartTransaction of an accepted token.",
        expects="The CSMS SHALL answer with a transaction id and the status of the token.",
        findings=[
            finding(Verdict.OK, ok, "Accepted", 6),
            finding(Verdict.FAILED, claim, actual, bad),
            finding(Verdict.FAILED, claim, second, bad),
        ],
        latency_ms={
            "Authorize": Latency(count=1, p50=5, p95=5, p99=5, max=5),
            "StartTransaction": Latency(count=1, p50=38, p95=38, p99=38, max=38),
        },
        observations={"parentIdTag": "absent", "expiryDate": "absent"},
    )


def finding(verdict: Verdict, claim: str, actual: str, frame: int | None, clause: str = "1.6 §6.46") -> dict[str, Any]:
    return {"verdict": str(verdict), "claim": claim, "actual": actual, "clause": clause, "frame": frame}


def command_case(folder: Path) -> CaseResult:
    tape = Tape().open()
    tape.driver("Reset", status="answered")
    tape.exchange("Reset", {"type": "Hard"}, {"status": "Accepted"}, by_csms=True, ms=12)
    tape.add(Kind.CLOSED, info={"code": 1000, "by": "station"})
    info = {"url": "ws://127.0.0.1:9000/" + STATION, "status": 101, "subprotocol": "ocpp1.6"}
    tape.add(Kind.HANDSHAKE, ms=900, info=info)
    tape.exchange("BootNotification", {"chargePointVendor": "Voltmeister", "chargePointModel": "Duo 22"}, BOOT)
    stray = tape.frame('[3,"nobody-asked",{}]')
    tape.close()
    return make_case(
        "TC_013_CSMS",
        Verdict.NON_STRICT,
        title="Hard reset on demand, and the station comes back",
        reason="Answers carry the id of an open CALL: a CALLRESULT that nobody asked for",
        level="recommended",
        clause="1.6J §4.1.4",
        profile="Core",
        trace=write_trace(folder, "1.6-TC_013_CSMS-1.jsonl", tape),
        findings=[
            finding(
                Verdict.NON_STRICT, "Answers carry the id of an open CALL", "a CALLRESULT that nobody asked for", stray
            )
        ],
        sends="Reset of type Hard, asked of the CSMS through its API.",
        expects="The CSMS SHOULD send a Reset request and accept the station again.",
    )


def every_verdict(folder: Path) -> list[CaseResult]:
    """Make cases of two versions and five profiles that hold every verdict there is."""
    ok_trace = write_trace(folder, "ok.jsonl", charging_tape(3))
    inconclusive = Tape().open()
    inconclusive.driver("RemoteStartTransaction", error="HTTP 503 of the control API")
    inconclusive.add(Kind.NOTE, station="TC", info={"inconclusive": "the driver could not trigger the command"})
    return [
        make_case(trace=ok_trace, latency_ms={"BootNotification": Latency(count=1, p50=4, p95=4, p99=4, max=4)}),
        failed_case(folder),
        command_case(folder),
        make_case("TC_021_CSMS", title="Change a configuration key", trace=ok_trace),
        make_case(
            "TC_026_CSMS",
            Verdict.INCONCLUSIVE,
            title="Remote start of a known token",
            reason="the driver could not trigger the command: HTTP 503 of the control API",
            profile="Remote Trigger",
            trace=write_trace(folder, "1.6-TC_026_CSMS-1.jsonl", inconclusive.close()),
        ),
        make_case(
            "TC_043_CSMS",
            Verdict.XFAIL,
            title="Local list is sent with a version",
            reason="declared in expectations.yaml: ticket 311",
            profile="Local Auth List",
        ),
        make_case(
            "TC_044_CSMS",
            Verdict.XPASS,
            title="Firmware status is acknowledged in every state",
            reason="declared as failing in expectations.yaml, and passed",
            profile="Firmware Management",
            trace=ok_trace,
        ),
        make_case(
            "WIRE_07",
            Verdict.INFORMATIONAL,
            title="A second connection of the same station",
            reason="the older connection is closed with 1000",
            level="behaviour",
            clause="",
            profile="Wire",
            observations={"older connection": "closed 1000", "newer connection": "kept"},
            trace=ok_trace,
        ),
        make_case(
            "TC_085_CSMS",
            Verdict.NOT_APPLICABLE,
            title="Basic credentials over TLS",
            reason="needs a wss:// address of the CSMS (--tls-url)",
            profile="Security",
        ),
        make_case("TC_B_01_CSMS", ocpp="2.0.1", title="Cold boot is accepted", profile="Core", trace=ok_trace),
        make_case("TC_E_03_CSMS", ocpp="2.0.1", title="A transaction starts on cable plug", trace=ok_trace),
    ]


HOSTILE = "</script><script>alert(1)</script>\x1b[31m\x00\u202egnp.exe \u05d0\u05d1\u05d2 \"quoted\" 'single' & ]]>"


def hostile_case(folder: Path) -> CaseResult:
    tape = Tape(station="<b>CP</b>").open()
    tape.frame(json.dumps([2, "1", HOSTILE, {"x": HOSTILE}], ensure_ascii=False))
    tape.frame(f"not JSON at all {HOSTILE}")
    tape.frame('[2,"lone","\ud800",{}]')
    tape.frame('[2,"big","DataTransfer",{"data":"' + "A" * 1_000_000 + '"}]')
    tape.frame("[" * 5000)
    tape.add(Kind.RECEIVED, data_base64="gP///g==")
    tape.add(Kind.RECEIVED, data_base64="abcde")
    tape.close()
    return make_case(
        "HOSTILE<1>",
        Verdict.FAILED,
        title=HOSTILE,
        reason=HOSTILE,
        clause=HOSTILE,
        profile=HOSTILE,
        expected=[HOSTILE],
        sends=HOSTILE,
        expects=HOSTILE,
        reproduce=HOSTILE,
        trace=write_trace(folder, "hostile.jsonl", tape),
        attempts=["traces/hostile.jsonl", "javascript:alert(1)"],
        observations={HOSTILE: HOSTILE, "nested": {"a": [1, None, HOSTILE]}},
        findings=[finding(Verdict.FAILED, HOSTILE, HOSTILE, frame) for frame in (5, 8)] + [{"frame": "x", "claim": 7}],
        latency_ms={HOSTILE: Latency(count=1, p50=1, p95=1, p99=1, max=1)},
    )


# -- load ------------------------------------------------------------------------------------------------------------

ACTIONS = {
    "Heartbeat": (60, 1.6),
    "MeterValues": (130, 2.4),
    "StatusNotification": (20, 2.2),
    "Authorize": (6, 6.5),
} | {
    "StartTransaction": (6, 14.0),
    "StopTransaction": (6, 12.0),
    "BootNotification": (4, 9.0),
}


def write_load(
    folder: Path, *, seed: int = 1, seconds: int = 30, slower: float = 1.0, failing: float = 0.0, **fields: Any
) -> Path:
    """Write a load run of 200 stations whose latencies are lognormal, `slower` times the usual."""
    chance = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    calls, actions, log, state = _measured(seed, seconds, slower, failing)
    chance.setstate(state)
    if fields.pop("histograms", True):
        (folder / "histograms").mkdir(exist_ok=True)
        (folder / "histograms" / "measure.hlog").write_bytes(log)
    total = sum(call.count for call in calls)
    defaults: dict[str, Any] = {
        "tool": TOOL,
        "target": RunTarget(url="ws://csms.example:9000/ocpp", ocpp=["1.6", "2.0.1"]),
        "started": STARTED,
        "finished": "2026-03-02T09:00:34.500Z",
        "seed": seed,
        "environment": ENVIRONMENT,
        "verdict": RunVerdict.PASSED,
        "stations": Stations(requested=200, connected_peak=200, booted=200, lost=2),
        "calls": list(calls),
        "actions": sorted(actions, key=lambda one: -one.count),
        "throughput": {
            "calls_total": total * 1.25,
            "measured_s": float(seconds),
            "calls_per_s": total / seconds,
            "accepted_per_s": total / seconds * (1 - failing),
        },
        "generator": Generator(
            verdict="VALID", reasons=[], lag_ms_p99=1.9, cpu=0.22, rss_kb_per_station=11.4, details={"workers": 1}
        ),
        "slo": [
            SloResult(expr="p99(Authorize, response) < 250 ms", value=31.2, passed=True),
            SloResult(expr="share(timeout) < 0.1 %", value=failing / 2, passed=failing < 0.002),
        ],
        "ledger": LedgerResult(transactions=171, judged=171, counts={"lost": 0, "duplicated": 0}),
        "timeline": _timeline(chance, seconds, total / seconds, failing),
        "windows": [
            WindowResult(name="ramp", start=0.0, seconds=10.0, calls=[]),
            WindowResult(name="warm-up", start=10.0, seconds=3.0, calls=[]),
            WindowResult(name="measure", start=13.0, seconds=seconds - 13.0, calls=list(calls)),
        ],
        "faults": {"late": 2, "unsolicited": 1},
        "connections": {"opened": 202, "refused 503": 3, "reset": 1},
        "settings": {"stations": 200, "duration": f"{seconds}s", "profile": {"name": "mixed", "spawn_rate": 20}},
    }
    write_as_it_is(folder, LoadRun(**{**defaults, **fields}))
    return folder


@cache
def _measured(
    seed: int, seconds: int, slower: float, failing: float
) -> tuple[tuple[CallStats, ...], tuple[ActionStats, ...], bytes, tuple[Any, ...]]:
    """Draw what the stations measured: many tests ask for the same run. With it the log, and how far the draws went."""
    chance = random.Random(seed)
    calls: list[CallStats] = []
    actions: list[ActionStats] = []
    intervals: list[Interval] = []
    for action, (rate, median) in ACTIONS.items():
        total = rate * seconds
        shares = {"accepted": 1 - failing, "timeout": failing / 2, "callerror:InternalError": failing / 2}
        if action == "Authorize":
            shares = {name: share * 0.95 for name, share in shares.items()} | {"rejected": 0.05}
        before, first = len(intervals), len(calls)
        for outcome, share in shares.items():
            amount = round(total * share)
            if amount:
                stats, logged = _measure(chance, action, outcome, amount, median * slower, seconds)
                calls.append(stats)
                intervals += logged
        actions.append(_action(calls[first:], intervals[before:]))
    intervals.sort(key=lambda interval: interval.start)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "measure.hlog"
        write_hlog(log, intervals, started=1_772_442_000.0)
        return tuple(calls), tuple(actions), log.read_bytes(), chance.getstate()


def _measure(  # noqa: PLR0917 - one row of figures
    chance: random.Random, action: str, outcome: str, amount: int, median: float, seconds: int
) -> tuple[CallStats, list[Interval]]:
    service, response = Histogram(), Histogram()
    logged: list[Interval] = []
    parts = Histogram(), Histogram()
    for second in range(seconds):
        stall = 8.0 if second == seconds // 2 else 1.0
        for _ in range(amount // seconds + (second < amount % seconds)):
            took = 30_000_000 if outcome == "timeout" else median * 1000 * chance.lognormvariate(0, 0.45) * stall
            waited = chance.expovariate(1 / (400 * stall))
            parts[0].record(int(took))
            parts[1].record(int(took + waited))
        if parts[0].counts and (second % 2 or second == seconds - 1):
            service.merge(parts[0].counts)
            response.merge(parts[1].counts)
            logged += [
                Interval(str(Tag("1.6", action, "station-to-csms", outcome, kind)), float(second), 2.0, part)
                for kind, part in zip(("service", "response"), parts, strict=True)
            ]
            parts = Histogram(), Histogram()
    stats = CallStats(
        ocpp="1.6",
        action=action,
        direction="station-to-csms",
        outcome=outcome,
        count=amount,
        service_ms=_percentiles(service),
        response_ms=_percentiles(response),
    )
    return stats, logged


def _action(calls: list[CallStats], intervals: list[Interval]) -> ActionStats:
    both = {"service": Histogram(), "response": Histogram()}
    for interval in intervals:
        both[Tag.parse(interval.tag).kind].merge(interval.histogram.counts)
    return ActionStats(
        ocpp=calls[0].ocpp,
        action=calls[0].action,
        direction=calls[0].direction,
        count=sum(call.count for call in calls),
        outcomes={call.outcome: call.count for call in calls},
        service_ms=_percentiles(both["service"]),
        response_ms=_percentiles(both["response"]),
    )


def _percentiles(histogram: Histogram) -> Percentiles:
    p50, p90, p99, p999, top = (value / 1000 for value in histogram.percentiles((50, 90, 99, 99.9, 100)))
    return Percentiles(p50=p50, p90=p90, p99=p99, p999=p999, max=top, mean=histogram.mean / 1000)


def _timeline(chance: random.Random, seconds: int, rate: float, failing: float) -> list[dict[str, float]]:
    rows = []
    for second in range(seconds):
        connected = min(200, 20 * (second + 1))
        calls = round(rate * connected / 200 * chance.uniform(0.95, 1.05))
        booted = min(200, max(0, 20 * second))
        rows.append({"t": float(second), "connected": connected, "booted": booted, "calls": calls})
        rows[-1]["errors"] = round(calls * failing)
    return rows


def edit_run(folder: Path, **fields: Any) -> Path:
    """Change fields of a written `run.json` without regard to its model."""
    file = folder / "run.json"
    document = msgspec.json.decode(file.read_bytes())
    file.write_bytes(msgspec.json.encode(document | fields))
    return folder


def report(*folders: Path, out: Path | None = None) -> Path:
    """Write the report of run folders as `plugstorm report` does."""
    return write_report([(folder, read_run(folder)) for folder in folders], out)


def page_text(folder: Path) -> str:
    return render_report([(folder, read_run(folder))], base=folder)
