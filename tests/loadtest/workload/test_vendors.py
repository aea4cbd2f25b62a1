"""Vendors as data, and the habits that they give to their stations."""

from __future__ import annotations

from collections import Counter
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evidence.vocabulary import UNDELIVERED
from loadtest.station.dialect.table import DIALECTS
from loadtest.station.dialect.vendor import dialect_of, dress
from loadtest.timing.backoff import SPEC, parse_backoff
from loadtest.workload.identities import Identities
from loadtest.workload.profile import Profile, load_profile, read_profile
from loadtest.workload.quirks import Quirks
from loadtest.workload.vendor import NEUTRAL, Vendor, load_vendor, read_vendor, vendor_names
from ocppj.errors import UsageError
from ocppj.versions import Version
from tests.loadtest.fleet_harness import IDLE, SILENT, FleetHarness, charging
from tests.loadtest.traced_fleet import TracedFleet

FOLDER = Path(__file__).resolve().parents[3] / "loadtest" / "workload" / "vendors"
ALL_VERSIONS = pytest.mark.parametrize("version", list(Version))


def mixed(tmp_path: Path, text: str, profile: Profile = IDLE) -> Profile:
    """Give a profile a vendor of its own."""
    path = tmp_path / "mine.yaml"
    path.write_text(f"title: Mine\n{text}\n", encoding="utf-8")
    read_vendor(path)
    load_vendor.cache_clear()
    return msgspec.structs.replace(profile, vendors={str(path): 1.0})


# -- reading -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", vendor_names())
def test_every_vendor_that_comes_along_can_be_read_and_differs_from_the_others(name: str) -> None:
    vendor = load_vendor(name)
    assert vendor.name == name
    nameless = [msgspec.structs.replace(load_vendor(other), name="", title="") for other in vendor_names()]
    assert Counter(nameless)[msgspec.structs.replace(vendor, name="", title="")] == 1


def test_each_key_of_each_vendor_says_where_it_is_from() -> None:
    lines = [line for path in FOLDER.glob("*.yaml") for line in path.read_text("utf-8").splitlines()]
    keys = [line for line in lines if ":" in line and not line.startswith(("#", "title:", "quirks:", "measurands:"))]
    assert len(keys) > 30
    assert [line for line in keys if "  # " not in line] == []


def test_there_are_eight_kinds_of_firmware_and_more() -> None:
    assert len(vendor_names()) >= 9
    assert load_vendor("neutral") == NEUTRAL


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("title: x\nhartbeat: 3", r"'hartbeat' is unknown; did you mean 'heartbeat'"),
        ("title: x\nretry: {atempts: 3}", r"'atempts' is unknown; did you mean 'attempts'"),
        ("title: x\nquirks: {lower_case: true}", r"'lower_case' is unknown; did you mean 'lower_case_tokens'"),
        ("title: x\nqqq: 1", r"'qqq' is unknown; known are title"),
        ("title: x\nheartbeat: 0", r"`heartbeat` must be at least 1 s"),
        ("title: x\nping: 0.1", r"`ping` must be at least 1 s"),
        ("title: x\nclock_aligned: .nan", r"clock_aligned"),
        ("title: x\nboot_on_reconnect: -1", r"`boot_on_reconnect` must be false, true, or seconds"),
        ("title: x\nstatuses_on_reconnect: .inf", r"`statuses_on_reconnect` must be false, true, or seconds"),
        ("title: x\nbackoff: fxed", r"Back-off 'fxed' is none"),
        ("title: x\nmeasurands: [Voltag]", r"'Voltag'; did you mean 'Voltage'"),
        ("title: x\nmeter_bytes: 100000", r"meter_bytes"),
        ("title: x\nqueue: 0", r"queue"),
        ("title: x\nquirks: {fraction_digits: 10}", r"fraction_digits"),
        ("title: x\nquirks: {time_zone: CET}", r"`time_zone` must be Z, none, or an offset"),
        ("heartbeat: 3", r"title"),
        ("- a list", r":1: expected a mapping with title, .*, but it is a list"),
        ("title: x\nname: y", r":2: name: the key 'name' is unknown"),
        ("title: [", r":1: expected YAML"),
    ],
)
def test_a_mistake_in_a_vendor_is_one_line_that_names_the_place(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=complaint) as caught:
        read_vendor(path)
    assert "\n" not in str(caught.value)
    assert "mine.yaml" in str(caught.value)


def test_a_profile_names_vendors_and_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("title: Mine\nheartbeat: 7\n", encoding="utf-8")
    path = tmp_path / "profile.yaml"
    path.write_text("title: x\nvendors: {spec-201: 3, own.yaml: 1}\n", encoding="utf-8")
    profile = read_profile(path)
    assert [load_vendor(name).title for name in profile.vendors] == [load_vendor("spec-201").title, "Mine"]
    assert list(profile.vendors.values()) == [3.0, 1.0]


@pytest.mark.parametrize(
    ("vendors", "complaint"),
    [
        ("{spec-21: 1}", r"profile.yaml:2: vendors.spec-21: there is no vendor 'spec-21'; did you mean 'spec-201'"),
        ("{none.yaml: 1}", r"profile.yaml:2: vendors.none.yaml: .*none.yaml: the vendor file cannot be read"),
        ("{spec-201: 0}", r":2: vendors.spec-201: expected a number of more than 0, but it is 0"),
    ],
)
def test_a_mistake_in_a_mix_is_told_when_the_profile_is_read(tmp_path: Path, vendors: str, complaint: str) -> None:
    path = tmp_path / "profile.yaml"
    path.write_text(f"title: x\nvendors: {vendors}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=complaint):
        read_profile(path)


# -- the mix -----------------------------------------------------------------------------------------------------------


def test_the_mix_is_drawn_by_weight_and_the_same_for_a_seed() -> None:
    profile = msgspec.structs.replace(IDLE, vendors={"spec-201": 3.0, "jitterless-60": 1.0})
    first, second, other = (FleetHarness(profile=profile, seed=seed).context for seed in (5, 5, 6))
    leases = [Identities().lease(number) for number in range(1, 401)]
    drawn = [[context.for_station(lease).vendor.name for lease in leases] for context in (first, second, other)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert 260 < drawn[0].count("spec-201") < 340


def test_stations_of_one_vendor_share_its_record_and_a_profile_without_vendors_has_one_fleet() -> None:
    profile = msgspec.structs.replace(IDLE, vendors={"spec-201": 1.0})
    harness = FleetHarness(profile=profile)
    assert harness.station.context is harness.context.for_station(harness.station.lease)
    assert not hasattr(harness.station, "vendor")
    plain = FleetHarness()
    assert plain.station.context is plain.context
    assert plain.station.dialect is DIALECTS[Version.V16]
    assert dialect_of(load_vendor("spec-201"), Version.V201) is DIALECTS[Version.V201]


# -- heartbeats --------------------------------------------------------------------------------------------------------


def test_a_vendors_heartbeat_stands_above_profile_and_csms(tmp_path: Path) -> None:
    profile = mixed(tmp_path, "heartbeat: 10", msgspec.structs.replace(IDLE, heartbeat=60.0))
    harness = FleetHarness(profile=profile).start().run(100.0)
    beats = harness.sent("Heartbeat")
    assert len(beats) == 10
    assert {round(after.at - before.at, 6) for before, after in pairwise(beats)} == {10.0}


def test_a_quiet_vendor_beats_only_after_a_silence_of_its_interval(tmp_path: Path) -> None:
    harness = FleetHarness(profile=mixed(tmp_path, "heartbeat: 60\nheartbeat_when_quiet: true")).start().run(150.0)
    said = harness.calls[-1].at
    harness.run(20.0 - (harness.now - said) % 20.0)
    harness.station.connectors[0].tell(harness.now)
    told = harness.now
    harness.run(300.0)
    beats = [call.at for call in harness.sent("Heartbeat") if call.at > told]
    assert beats[:3] == [told + 60.0, told + 120.0, told + 180.0]


# -- reconnects --------------------------------------------------------------------------------------------------------


def outage(harness: FleetHarness, seconds: float) -> list[str]:
    """Take the line away for at least so long; return the actions after it."""
    before = len(harness.calls)
    harness.lose(refuse_with="refused")
    harness.run(seconds)
    harness.refuse_with = None
    harness.run(30.0)
    return [call.action for call in harness.calls[before:] if call.action != "Heartbeat"]


@pytest.mark.parametrize(
    ("text", "short", "long"),
    [
        ("boot_on_reconnect: false", 0, 0),
        ("boot_on_reconnect: 300", 0, 1),
        ("boot_on_reconnect: true", 1, 1),
    ],
)
def test_a_vendor_boots_again_never_always_or_after_a_long_outage(
    tmp_path: Path, text: str, short: int, long: int
) -> None:
    harness = FleetHarness(profile=mixed(tmp_path, text, charging(5000.0, 5.0))).start().run(2600.0)
    plan = harness.station.day.arrivals
    assert outage(harness, 60.0).count("BootNotification") == short
    assert outage(harness, 400.0).count("BootNotification") == long
    assert harness.recorder.booted_now == 1
    harness.run(100.0)
    assert len(harness.sent("StartTransaction")) == 1, "the car charges on"
    assert harness.sent("MeterValues")[-1].at > harness.now - 11.0
    assert harness.station.day.arrivals is plan
    harness.run(7600.0 - (harness.now - 1000.0))
    assert len(harness.sent("StartTransaction")) == 2, "and the next one comes once"


def test_a_vendor_that_boots_again_does_not_wait_for_what_an_earlier_boot_was_told(tmp_path: Path) -> None:
    pending = {"status": "Pending", "currentTime": "2026-01-01T00:00:00Z", "interval": 3000}
    harness = FleetHarness(
        profile=mixed(tmp_path, "boot_on_reconnect: true"), answers={"BootNotification": pending}
    ).start()
    harness.answers["BootNotification"] = {**pending, "status": "Accepted"}
    harness.command("TriggerMessage", {"requestedMessage": "BootNotification"})
    assert harness.recorder.booted_now == 1
    assert outage(harness, 60.0).count("BootNotification") == 1


@pytest.mark.parametrize(
    ("text", "short", "long"),
    [
        ("statuses_on_reconnect: false", 0, 0),
        ("statuses_on_reconnect: 300", 0, 1),
        ("statuses_on_reconnect: true", 1, 1),
    ],
)
def test_a_vendor_tells_all_statuses_never_always_or_after_a_long_outage(
    tmp_path: Path, text: str, short: int, long: int
) -> None:
    harness = FleetHarness(profile=mixed(tmp_path, text)).start().run(1.0)
    assert outage(harness, 60.0).count("StatusNotification") == short
    assert outage(harness, 400.0).count("StatusNotification") == long


def test_a_vendor_has_its_own_way_back_and_pings(tmp_path: Path) -> None:
    harness = FleetHarness(profile=mixed(tmp_path, "backoff: fixed:60\nping: 30")).start()
    assert harness.sockets[-1].pings == 30.0
    harness.attempts.clear()
    harness.lose(refuse_with="refused")
    harness.run(200.0)
    assert [at - 1000.0 for at in harness.attempts] == [60.0, 120.0, 180.0]
    assert FleetHarness().start().sockets[-1].pings is None
    assert NEUTRAL.way_back(SPEC) is SPEC
    assert load_vendor("plc-10s").way_back(SPEC) == parse_backoff("fixed:10")


# -- meters ------------------------------------------------------------------------------------------------------------


@ALL_VERSIONS
def test_clock_aligned_readings_come_on_the_quarter_hour_with_and_without_a_transaction(
    tmp_path: Path, version: Version
) -> None:
    profile = mixed(tmp_path, "clock_aligned: 900\nclock_aligned_idle: true\nmeter: 0", charging(1500.0, 400.0))
    harness = FleetHarness(version, profile).start().run(4 * 3600.0)
    aligned = [call for call in harness.calls if "Sample.Clock" in str(call.payload)]
    # The harness's clock shows 1,700,000,000 s at second 1000.
    assert {(1_700_000_000 + call.at - 1000.0) % 900.0 for call in aligned} == {0.0}
    assert len(aligned) == 16
    in_transaction = [call for call in aligned if "transactionId" in str(call.payload)]
    assert 0 < len(in_transaction) < 16
    charging_action = "MeterValues" if version is Version.V16 else "TransactionEvent"
    assert {call.action for call in in_transaction} == {charging_action}
    assert {call.action for call in aligned if call not in in_transaction} == {"MeterValues"}


def test_only_vendors_that_do_so_read_idle_connectors(tmp_path: Path) -> None:
    harness = FleetHarness(profile=mixed(tmp_path, "clock_aligned: 900")).start().run(7200.0)
    assert harness.sent("MeterValues") == []


def test_clock_aligned_readings_end_with_the_station(tmp_path: Path) -> None:
    harness = FleetHarness(profile=mixed(tmp_path, "clock_aligned: 900\nclock_aligned_idle: true")).start().run(1.0)
    harness.station.stop(lambda: None, 5.0)
    harness.run(10.0)
    assert len(harness.timers) == 0


@ALL_VERSIONS
@pytest.mark.parametrize("size", [700, 2000, 6000])
def test_meter_messages_are_as_large_as_wanted(tmp_path: Path, version: Version, size: int) -> None:
    measurands = "[Energy.Active.Import.Register, Power.Active.Import, Current.Import, Voltage]"
    profile = mixed(tmp_path, f"meter_bytes: {size}\nmeasurands: {measurands}", charging(100.0))
    harness = FleetHarness(version, profile).start().run(200.0)
    action = "MeterValues" if version is Version.V16 else "TransactionEvent"
    sizes = {len(msgspec.json.encode(call.payload)) for call in harness.sent(action) if "Updated" in str(call.payload)}
    if version is Version.V16:
        sizes = {len(msgspec.json.encode(call.payload)) for call in harness.sent(action)}
    assert min(sizes) >= size - 150, "where a signed record has no room any more, it is left out"
    assert max(sizes) <= max(size + 250, 1100), "what the measurands alone take"


def test_a_vendor_reads_its_meter_as_often_as_it_wants(tmp_path: Path) -> None:
    harness = FleetHarness(profile=mixed(tmp_path, "meter: 25", charging(100.0, 1000.0))).start().run(1200.0)
    values = harness.sent("MeterValues")
    assert [round(after.at - before.at, 6) for before, after in pairwise(values)] == [25.0, 25.0]


# -- transaction messages ----------------------------------------------------------------------------------------------


def test_retries_follow_the_vendor(tmp_path: Path) -> None:
    profile = mixed(tmp_path, "retry: {attempts: 4, interval: 7}", charging())
    harness = FleetHarness(profile=profile, answers={"StartTransaction": SILENT}, call_timeout=3.0).start().run(200.0)
    starts = [call.at for call in harness.sent("StartTransaction")][:4]
    assert [round(after - before, 6) for before, after in pairwise(starts)] == [10.0, 17.0, 24.0]


def test_a_small_queue_keeps_little(tmp_path: Path) -> None:
    harness = FleetHarness(profile=mixed(tmp_path, "queue: 5", charging(5000.0, 5.0))).start().run(2600.0)
    harness.lose(refuse_with="refused")
    harness.run(200.0)
    assert harness.station.messages_waiting == 5
    harness.outcomes()
    assert harness.faults[UNDELIVERED] > 0


@pytest.mark.parametrize("forgets", [False, True])
def test_a_forgetful_station_goes_on_with_minus_one_after_a_lost_answer(tmp_path: Path, *, forgets: bool) -> None:
    text = f"quirks: {{forgets_lost_start: {str(forgets).lower()}}}"
    harness = FleetHarness(
        profile=mixed(tmp_path, text, charging()), answers={"StartTransaction": SILENT}, call_timeout=5.0
    )
    harness.start().run(80.0)
    values = harness.sent("MeterValues")
    assert [call.payload["transactionId"] for call in values[:2]] == ([-1, -1] if forgets else [])
    assert len(harness.sent("StartTransaction")) == 1


@pytest.mark.parametrize("same", [False, True])
def test_a_message_that_is_sent_again_keeps_its_id_where_the_vendor_does_that(tmp_path: Path, *, same: bool) -> None:
    text = f"retry: {{attempts: 3, interval: 1}}\nquirks: {{retries_with_same_id: {str(same).lower()}}}"
    harness = FleetHarness(
        profile=mixed(tmp_path, text, charging()), answers={"StartTransaction": SILENT}, call_timeout=3.0
    )
    harness.start().run(65.0)
    starts = harness.sent("StartTransaction")
    assert len(starts) == 3
    assert len({call.message_id for call in starts}) == (1 if same else 3)


# -- spelling ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "digits", "text"),
    [
        ("Z", 3, "2023-11-14T22:13:20.987Z"),
        ("Z", 0, "2023-11-14T22:13:20Z"),
        ("none", 0, "2023-11-14T22:13:20"),
        ("none", 1, "2023-11-14T22:13:20.9"),
        ("+02:00", 6, "2023-11-15T00:13:20.987654+02:00"),
        ("-03:30", 2, "2023-11-14T18:43:20.98-03:30"),
    ],
)
def test_time_stamps_end_as_the_vendor_writes_them(zone: str, digits: int, text: str) -> None:
    style = Quirks(time_zone=zone, fraction_digits=digits).time_style
    assert style.writer()(1_700_000_000.987654) == text


@ALL_VERSIONS
def test_tokens_readings_and_statuses_have_the_vendors_spelling(version: Version) -> None:
    profile = msgspec.structs.replace(charging(), vendors={"own-spelling": 1.0})
    harness = FleetHarness(version, profile).start().run(200.0)
    assert all("+02:00" in str(call.payload) for call in harness.calls if "timestamp" in call.payload)
    sent = [call for call in harness.calls if {"idTag", "idToken"} & call.payload.keys()]
    tokens = {call.action: call.payload.get("idTag") or call.payload["idToken"]["idToken"] for call in sent}
    assert "Authorize" in tokens
    assert len(tokens) >= 2
    assert {token.islower() for token in tokens.values()} == {True}
    values: list[Any] = [
        part["value"]
        for call in harness.calls
        for value in call.payload.get("meterValue", ())
        for part in value["sampledValue"]
    ]
    assert values
    assert all("." in str(value) for value in values)
    statuses = [call.payload for call in harness.sent("StatusNotification") if call.payload.get("connectorId")]
    assert statuses[::2] == statuses[1::2]


def test_the_payload_that_is_dressed_stays_as_it_was() -> None:
    vendor = Vendor(title="x", meter_bytes=900, quirks=Quirks(decimal_values=True))
    sample = {"value": "12", "context": "Sample.Periodic"}
    payload = {"connectorId": 1, "meterValue": [{"timestamp": "t", "sampledValue": [sample]}]}
    before = msgspec.json.encode(payload)
    dressed = dress(vendor, Version.V16, payload)
    assert dressed["meterValue"][0]["sampledValue"][0]["value"] == "12.0"
    assert msgspec.json.encode(payload) == before
    assert len(msgspec.json.encode(dressed)) == 900


def test_a_vendor_without_authorize_starts_at_once(tmp_path: Path) -> None:
    harness = FleetHarness(profile=mixed(tmp_path, "quirks: {skips_authorize: true}", charging())).start().run(100.0)
    assert harness.sent("Authorize") == []
    assert harness.sent("StartTransaction")


_LEGAL = {"own-spelling", "forgetful", "no-pong", "one-boot-id", "version-probe", "short-memory", "seven-decimals"}
"""Vendors whose quirks show in no message that breaks a rule, and not in how long they stay."""


# -- all together ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "version"),
    [(name, Version.V16) for name in vendor_names() if load_vendor(name).quirks == Quirks() or name in _LEGAL]
    + [(name, Version.V201) for name in ("boots-every-time", "own-spelling", "signed-dc")]
    + [(name, Version.V21) for name in ("forgetful", "quarter-hour", "signed-dc")],
)
def test_every_vendor_keeps_to_ocpp_through_outages_and_resets(tmp_path: Path, name: str, version: Version) -> None:
    models = {"ac-dual": 1.0}
    profile = msgspec.structs.replace(charging(200.0, 60.0), models=models, meter=30.0, vendors={name: 1.0})
    numbers = count(1)
    started = {"StartTransaction": lambda _: {"transactionId": next(numbers), "idTagInfo": {"status": "Accepted"}}}
    harness = TracedFleet(version, profile, started if version is Version.V16 else None, latency=0.2)
    harness.start().run(400.0)
    for seconds in (20.0, 300.0, 700.0):
        outage(harness, seconds)
        harness.run(200.0)
    harness.command("Reset", {"type": "Hard" if version is Version.V16 else "Immediate"})
    harness.run(600.0)
    harness.station.stop(lambda: None, 5.0)
    harness.run(20.0)
    report = harness.check(tmp_path)
    assert report.findings == []
    assert report.transactions >= 6
    assert report.connections == 5
    assert report.sent > 50


def test_the_mixed_profile_has_firmware_of_many_kinds() -> None:
    assert len(load_profile("mixed").vendors) >= 12


def test_part_of_a_mix_has_its_own_vendors_and_else_those_of_the_mix(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("title: own\nvendors: {chatty-10s: 1}\n")
    (tmp_path / "plain.yaml").write_text("title: plain\nheartbeat: 77\n")
    (tmp_path / "both.yaml").write_text(
        "title: both\nmix: {own.yaml: 1, plain.yaml: 1}\nvendors: {boots-every-time: 1}\n"
    )
    context = FleetHarness(profile=read_profile(tmp_path / "both.yaml")).context
    leases = [Identities().lease(number) for number in range(1, 101)]
    found = Counter((one.profile.name, one.vendor.name) for one in map(context.for_station, leases))
    assert set(found) == {("own", "chatty-10s"), ("plain", "boots-every-time")}
    assert min(found.values()) >= 45


def test_commands_are_followed_at_stations_of_every_vendor_and_part(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("title: one\nvendors: {chatty-10s: 1, spec-201: 1}\n")
    (tmp_path / "both.yaml").write_text("title: both\nmix: {one.yaml: 1, quick: 1}\n")
    context = FleetHarness(profile=read_profile(tmp_path / "both.yaml")).context
    stations = [context.for_station(Identities().lease(number)) for number in range(1, 51)]
    observer: Any = object()
    context.observed_by(observer)
    assert {id(one.observer) for one in stations} == {id(observer)}
    context.observed_by(None)
    assert {one.observer for one in stations} == {None}
