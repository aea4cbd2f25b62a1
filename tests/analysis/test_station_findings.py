"""The check of own traces: a good day is clean in every version, and what the field is forgiven is found here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis import TraceReport, check_traces
from analysis.meter_readings import instant, power_mismatch, samples_of
from ocppj.errors import UsageError
from ocppj.trace import Kind, TraceRecord, encode_record
from ocppj.versions import RULES, Version

ALL_VERSIONS = pytest.mark.parametrize("version", list(Version))
NOW = "2026-01-01T00:00:{:02d}Z"
ACCEPTED = {"status": "Accepted", "currentTime": NOW.format(0), "interval": 300}
PENDING = {**ACCEPTED, "status": "Pending"}
REJECTED = {**ACCEPTED, "status": "Rejected"}


class Tape:
    """Writes a trace as a station and its CSMS make it."""

    def __init__(self, version: Version) -> None:
        self.version = version
        self.t = 100.0
        self.station = "PS1"
        self.connection = 0
        self.records: list[TraceRecord] = []
        self.ids = 0

    def add(self, kind: Kind, text: str | None = None, **info: Any) -> Tape:
        self.t += 0.01
        self.records.append(
            TraceRecord(t=self.t, station=self.station, connection=self.connection, kind=kind, text=text, info=info)
        )
        return self

    def open(self) -> Tape:
        self.connection += 1
        return self.add(Kind.HANDSHAKE, status=101, subprotocol=RULES[self.version].subprotocol)

    def close(self) -> Tape:
        return self.add(Kind.CLOSED, by="station", code=1000)

    def wait(self, seconds: float) -> Tape:
        self.t += seconds
        return self

    def say(self, *message: Any) -> Tape:
        return self.add(Kind.SENT, json.dumps(message, separators=(",", ":")))

    def hear(self, *message: Any) -> Tape:
        return self.add(Kind.RECEIVED, json.dumps(message, separators=(",", ":")))

    def ask(self, action: str, payload: Any) -> str:
        """Send a CALL and leave it open."""
        self.ids += 1
        self.say(2, f"id-{self.ids}", action, payload)
        return f"id-{self.ids}"

    def call(self, action: str, payload: Any, answer: Any = None) -> Tape:
        message_id = self.ask(action, payload)
        return self.hear(3, message_id, {} if answer is None else answer)

    def command(self, action: str, payload: Any, answer: Any) -> Tape:
        self.ids += 1
        self.hear(2, f"csms-{self.ids}", action, payload)
        return self.say(3, f"csms-{self.ids}", answer)

    def boot(self, answer: Any = None) -> Tape:
        station = {"vendorName": "V", "model": "M"}
        payload: dict[str, Any] = {"reason": "PowerUp", "chargingStation": station}
        if self.version is Version.V16:
            payload = {"chargePointVendor": "V", "chargePointModel": "M"}
        return self.call("BootNotification", payload, ACCEPTED if answer is None else answer)

    def status(self) -> Tape:
        payload: dict[str, Any] = {"timestamp": NOW.format(1), "connectorStatus": "Available"}
        payload |= {"evseId": 1, "connectorId": 1}
        if self.version is Version.V16:
            payload = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
        return self.call("StatusNotification", payload)

    # -- transactions ------------------------------------------------------------------------------------------------

    def start(self, answer: Any = None, number: int = 7) -> Tape:
        if self.version is not Version.V16:
            return self.event("Started", 0, 1, 100)
        payload = {"connectorId": 1, "idTag": "A", "meterStart": 100, "timestamp": NOW.format(1)}
        info = {"transactionId": number, "idTagInfo": {"status": "Accepted"}}
        return self.call("StartTransaction", payload, info if answer is None else answer)

    def read(self, second: int, register: Any, *, seq_no: int = 1, number: int = 7, connector: int = 1) -> Tape:
        if self.version is not Version.V16:
            return self.event("Updated", seq_no, second, register)
        sampled = {"value": str(register), "measurand": "Energy.Active.Import.Register"}
        value = {"timestamp": NOW.format(second), "sampledValue": [sampled]}
        return self.call("MeterValues", {"connectorId": connector, "transactionId": number, "meterValue": [value]})

    def stop(self, second: int, register: int, *, seq_no: int = 2, number: int = 7) -> Tape:
        if self.version is not Version.V16:
            return self.event("Ended", seq_no, second, register)
        payload = {"transactionId": number, "meterStop": register, "timestamp": NOW.format(second)}
        return self.call("StopTransaction", payload)

    def event(self, kind: str, seq_no: int, second: int, register: float, name: str = "tx") -> Tape:
        value = {"timestamp": NOW.format(second), "sampledValue": [{"value": register}]}
        payload = {
            "eventType": kind,
            "timestamp": NOW.format(second),
            "triggerReason": "Trigger",
            "seqNo": seq_no,
            "transactionInfo": {"transactionId": name},
            "meterValue": [value],
        }
        return self.call("TransactionEvent", payload)

    def check(self, folder: Path, **settings: Any) -> TraceReport:
        path = folder / "load-1.jsonl"
        path.write_bytes(b"".join(encode_record(record) + b"\n" for record in self.records))
        return check_traces([path], **settings)


@pytest.fixture
def judged(tmp_path: Path) -> Callable[[Tape], dict[str, int]]:
    """Judge a tape; gives the rules that it breaks, with their numbers."""
    return lambda tape: tape.check(tmp_path).kinds


Judged = Callable[[Tape], dict[str, int]]


def up(version: Version = Version.V16) -> Tape:
    return Tape(version).open().boot()


# -- good days ---------------------------------------------------------------------------------------------------------


@ALL_VERSIONS
def test_a_good_day_is_clean_and_counted(tmp_path: Path, version: Version) -> None:
    tape = up(version).status().start().read(2, 150).read(3, 150, seq_no=2).stop(4, 160, seq_no=3)
    tape.call("Heartbeat", {}, {"currentTime": NOW.format(5)})
    tape.command("ClearCache", {}, {"status": "Accepted"}).close().open().status().close()
    report = tape.check(tmp_path)
    assert report.findings == []
    assert (report.stations, report.connections, report.transactions, report.answers) == (1, 2, 1, 1)
    assert report.sent == len(
        [record for record in tape.records if '"[2,' in f'"{record.text}' and record.kind == "sent"]
    )
    assert report.frames == len([record for record in tape.records if record.text])


@ALL_VERSIONS
def test_a_station_that_boots_again_and_resends_what_was_lost_is_clean(judged: Judged, version: Version) -> None:
    tape = up(version).start().read(2, 150)
    lost = tape.records.pop()
    sent = json.loads(tape.records[-1].text or "")
    tape.close().open().boot()
    tape.call(sent[2], sent[3]).stop(3, 150)
    assert lost.kind is Kind.RECEIVED
    assert judged(tape) == {}


def test_a_call_that_timed_out_makes_room_for_the_next(tmp_path: Path) -> None:
    tape = up()
    tape.ask("Heartbeat", {})
    tape.wait(29.99).status()
    assert tape.check(tmp_path).kinds == {}
    assert tape.check(tmp_path, call_timeout=60.0).kinds == {"second-open-call": 1}


def test_minus_one_is_right_after_a_start_without_an_answer(judged: Judged) -> None:
    tape = up()
    tape.ask("StartTransaction", {"connectorId": 1, "idTag": "A", "meterStart": 1, "timestamp": NOW.format(1)})
    tape.wait(31.0).read(2, 5, number=-1).stop(3, 6, number=-1)
    assert judged(tape) == {}


@ALL_VERSIONS
def test_what_the_csms_triggered_may_be_said_while_pending(judged: Judged, version: Version) -> None:
    tape = Tape(version).open().boot(PENDING)
    tape.command("TriggerMessage", {"requestedMessage": "StatusNotification"}, {"status": "Accepted"}).status()
    tape.command("TriggerMessage", {"requestedMessage": "BootNotification"}, {"status": "Accepted"}).boot().status()
    assert judged(tape) == {}


def test_a_csms_that_talks_nonsense_is_none_of_the_stations_faults(judged: Judged) -> None:
    tape = up()
    for text in ("{", "[]", '[3,"x",{}]', '[4,"y","Z","",{}]', '[2,"q","Reset"]', '[9,"r",{}]'):
        tape.add(Kind.RECEIVED, text)
    tape.say(4, "q", "FormationViolation", "", {})
    message_id = tape.ask("Heartbeat", {})
    tape.hear(3, message_id, [])
    message_id = tape.ask("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    tape.hear(3, message_id, {"status": ["Accepted"], "interval": {}}).status()
    assert judged(tape) == {}


def test_signed_readings_are_no_numbers(judged: Judged) -> None:
    sampled = [{"value": "OCMF|{}", "format": "SignedData"}, {"value": "5.0"}]
    tape = up().start()
    tape.call("MeterValues", {"connectorId": 2, "meterValue": [{"timestamp": NOW.format(1), "sampledValue": sampled}]})
    assert judged(tape) == {}


# -- bad ones ----------------------------------------------------------------------------------------------------------

BREACHES: list[tuple[str, Callable[[], Tape]]] = [
    ("unreadable-frame", lambda: up().add(Kind.SENT, "no JSON")),
    ("unreadable-frame", lambda: up().say(2, "x", "Heartbeat")),
    ("message-id", lambda: up().say(2, "x" * 37, "Heartbeat", {})),
    ("error-code", lambda: up().hear(2, "c", "Reset", {"type": "Hard"}).say(4, "c", "NoSuchCode", "", {})),
    ("duplicate-key", lambda: up().add(Kind.SENT, '[2,"x","Authorize",{"idTag":"A","idTag":"B"}]')),
    ("wrong-direction", lambda: up().call("RemoteStartTransaction", {"idTag": "A"})),
    ("unknown-action", lambda: up().call("TransactionEvent", {})),
    ("extra-field", lambda: up().call("Heartbeat", {"x": 1})),
    ("schema", lambda: up().call("Authorize", {"idTag": "A" * 21})),
    ("schema", lambda: up(Version.V21).say(6, "s", "NotifyPeriodicEventStream", {})),
    ("answer-schema", lambda: up().command("ClearCache", {}, {"status": "Perhaps"})),
    ("reused-id", lambda: up().say(2, "id-1", "Heartbeat", {}).hear(3, "id-1", {})),
    ("second-open-call", lambda: up().say(2, "a", "Heartbeat", {}).say(2, "b", "Heartbeat", {})),
    ("answer-to-nothing", lambda: up().say(3, "nobody", {})),
    (
        "answered-twice",
        lambda: up().hear(2, "c", "ClearCache", {}).say(3, "c", {"status": "Accepted"}).say(3, "c", {}),
    ),
    ("unanswered-call", lambda: up().hear(2, "c", "ClearCache", {}).wait(31.0).close()),
    ("no-boot-first", lambda: Tape(Version.V16).open().status()),
    (
        "no-boot-first",
        lambda: up().command("Reset", {"type": "Hard"}, {"status": "Accepted"}).close().open().status(),
    ),
    ("before-accepted", lambda: Tape(Version.V16).open().boot(PENDING).status()),
    ("before-accepted", lambda: Tape(Version.V201).open().boot({**ACCEPTED, "status": "Rejected"}).status()),
    (
        "boot-too-early",
        lambda: Tape(Version.V201).open().boot({**ACCEPTED, "status": "Rejected"}).wait(299.0).boot(),
    ),
    ("no-handshake", lambda: Tape(Version.V16).say(2, "x", "Heartbeat", {})),
    ("no-handshake", lambda: up().close().say(2, "x", "Heartbeat", {})),
    ("other-transaction-id", lambda: up().start().read(2, 100, number=8)),
    ("unknown-transaction", lambda: up().start().stop(2, 100, number=-1)),
    ("unknown-transaction", lambda: up(Version.V201).read(2, 100)),
    ("started-twice", lambda: up(Version.V201).start().event("Started", 1, 2, 100)),
    ("after-the-end", lambda: up().start().stop(2, 100).read(3, 100)),
    ("ended-twice", lambda: up().start().stop(2, 100).stop(3, 100)),
    ("after-the-end", lambda: up(Version.V21).start().stop(2, 100, seq_no=1).read(3, 100, seq_no=2)),
    ("wrong-connector", lambda: up().start().read(2, 100, connector=2)),
    ("sequence-gap", lambda: up(Version.V201).start().read(2, 100, seq_no=2)),
    ("sequence-gap", lambda: up(Version.V201).event("Started", 1, 1, 100)),
    ("sequence-gap", lambda: up(Version.V201).start().read(2, 100).read(3, 100)),
    ("time-backwards", lambda: up().start().read(5, 100).stop(4, 100)),
    ("time-backwards", lambda: up(Version.V21).start().read(0, 100)),
    ("register-backwards", lambda: up().start().read(2, 99)),
    ("register-backwards", lambda: up().start().read(2, 200).stop(3, 199)),
    ("register-backwards", lambda: up(Version.V201).start().read(2, 99.5)),
    ("not-a-number", lambda: up().start().read(2, "much")),
]


@pytest.mark.parametrize(("rule", "make"), BREACHES, ids=[f"{n}-{rule}" for n, (rule, _) in enumerate(BREACHES)])
def test_each_breach_is_found_under_its_name(judged: Judged, rule: str, make: Callable[[], Tape]) -> None:
    kinds = judged(make())
    assert set(kinds) == {rule}


def test_a_finding_says_where(tmp_path: Path) -> None:
    (finding,) = up().add(Kind.SENT, "no JSON").check(tmp_path).findings
    assert (finding.station, finding.connection, finding.file, finding.line) == ("PS1", 1, "load-1.jsonl", 4)


def test_stations_are_judged_apart(judged: Judged) -> None:
    tape = up().start()
    tape.station = "PS2"
    tape.open().boot().read(2, 100)
    assert judged(tape) == {"unknown-transaction": 1}


def test_findings_beyond_the_limit_are_counted(tmp_path: Path) -> None:
    tape = up()
    for _ in range(25):
        tape.add(Kind.SENT, "no JSON")
    report = tape.check(tmp_path)
    assert (len(report.findings), report.total) == (10, 25)


def test_a_file_that_is_no_trace_is_a_usage_error(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("{}\n")
    with pytest.raises(UsageError, match="line 1 is not a trace record"):
        check_traces([path])
    with pytest.raises(UsageError, match="No such file"):
        check_traces([tmp_path / "none.jsonl"])


# -- meters ------------------------------------------------------------------------------------------------------------


def phases(power: float, volts: list[float], amperes: list[float]) -> dict[str, Any]:
    names = ["L1", "L2", "L3"] if len(volts) > 1 else [""]
    sampled = [{"measurand": "Power.Active.Import", "value": power}]
    sampled += [
        {"measurand": "Voltage", "value": u, "phase": f"{name}-N" if name else ""}
        for u, name in zip(volts, names, strict=False)
    ]
    sampled += [
        {"measurand": "Current.Import", "value": i, "phase": name} for i, name in zip(amperes, names, strict=False)
    ]
    return {"sampledValue": sampled}


@pytest.mark.parametrize(
    ("power", "volts", "amperes", "fits"),
    [
        (11040.0, [230.0, 230.0, 230.0], [16.0, 16.0, 16.0], True),
        (11100.0, [230.0, 230.0, 230.0], [16.0, 16.0, 16.0], True),
        (11300.0, [230.0, 230.0, 230.0], [16.0, 16.0, 16.0], False),
        (3680.0, [230.0, 230.0, 230.0], [16.0, 16.0, 16.0], False),
        (50_000.0, [400.0], [125.0], True),
        (0.0, [400.0], [125.0], False),
        (99.0, [230.0, 230.0], [16.0], True),
    ],
)
def test_power_is_voltage_times_current(power: float, volts: list[float], amperes: list[float], *, fits: bool) -> None:
    assert (power_mismatch(samples_of(phases(power, volts, amperes))) == "") is fits


def test_a_wrong_power_is_found_in_a_message(judged: Judged) -> None:
    value = phases(1.0, [400.0], [100.0]) | {"timestamp": NOW.format(2)}
    for part in value["sampledValue"]:
        part.pop("phase", None)
    assert judged(up(Version.V201).call("MeterValues", {"evseId": 1, "meterValue": [value]})) == {"power-mismatch": 1}


def test_units_and_multipliers_are_read() -> None:
    sampled = [
        {"value": "1.5", "unit": "kWh"},
        {"value": 15, "unitOfMeasure": {"unit": "Wh", "multiplier": 2}},
        {"value": "x"},
    ]
    assert [sample.value for sample in samples_of({"sampledValue": sampled})] == [1500.0, 1500.0, None]


def test_time_stamps_of_every_spelling_are_the_same_instant() -> None:
    spelled = ["2026-01-01T00:00:00Z", "2026-01-01T02:00:00.000000+02:00", "2026-01-01T00:00:00"]
    spelled.append("2026-01-01t00:00:00z")
    assert len({instant(text) for text in spelled}) == 1
    assert instant("yesterday") is None
    assert instant(None) is None
