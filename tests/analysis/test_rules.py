"""Every rule: a conversation that breaks it, and one that nearly does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.findings_model import Analysis
from analysis.model import Level, Side
from analysis.readers.source import reader_called
from analysis.rulebook.table import RULES
from ocppj.versions import Version
from tests.analysis.csms_plays import CSMS_PLAYS, CSMS_TRACES, judged
from tests.analysis.judging import broken, judge_text
from tests.analysis.link_plays import LINK_PLAYS
from tests.analysis.log_scenes import BOOT_2X, BOOT_16, DOWN, UP, Line, Scene, Talk, render
from tests.analysis.rule_talks import (
    beats,
    boot_again,
    commanded,
    csms_time,
    diagnostics,
    earlier_reading,
    flapping,
    late,
    listed,
    local_list,
    ocsp,
    overlapping,
    phases,
    powered,
    raw_reading,
    refused_start,
    registered,
    resent_stop,
    reserve,
    set_profile,
    shifted,
    shown,
    silence,
    stamped,
    t2x,
    t16,
    tokens,
    vat,
)

CP, CSMS, NET = "charge-point", "csms", "network"
Play = Callable[[], Talk]


def judge_talk(talk: Talk, name: str = "steve") -> Analysis:
    return judge_text(render(Scene("x", talk.lines, set()), name), reader_called(name))


# Rule, side, what breaks it, what nearly does.
PLAYS: list[tuple[str, str, Play, Play]] = [
    (
        "unreadable-frame",
        CP,
        lambda: t16().say(UP, '[2,"a","Heartbeat",{]]'),
        lambda: t16().say(UP, '[2, "a", "Heartbeat", {"x":...}]'),
    ),
    ("unreadable-frame", CSMS, lambda: t16().say(DOWN, '[3,"a"]'), lambda: t16().beat()),
    ("message-id", CP, lambda: t16().beat(message_id="x" * 37), lambda: t16().beat(message_id="x" * 36)),
    (
        "null-payload",
        CP,
        lambda: t16().say(UP, '[2,"a","Heartbeat",null]').say(DOWN, [3, "a", {"currentTime": Talk().stamp(3)}]),
        lambda: t16().beat(),
    ),
    (
        "duplicate-key",
        CP,
        lambda: (
            t16()
            .say(UP, '[2,"a","Authorize",{"idTag":"A","idTag":"B"}]')
            .say(DOWN, [3, "a", {"idTagInfo": {"status": "Accepted"}}])
        ),
        lambda: (
            t16()
            .say(UP, '[2, "a", "Authorize", {"idTag" : "A \\": \\":"}]')
            .say(DOWN, [3, "a", {"idTagInfo": {"status": "Accepted"}}])
        ),
    ),
    (
        "error-code",
        CP,
        lambda: t16().down("ClearCache", {}, [4, "Sorry", "", {}]),
        lambda: t16().down("ClearCache", {}, [4, "NotSupported", "", {}]),
    ),
    (
        "unknown-action",
        CP,
        lambda: t16().up("MakeCoffee", {}, [4, "NotImplemented", "", {}]),
        lambda: t16().up("DataTransfer", {"vendorId": "x"}, {"status": "UnknownVendorId"}),
    ),
    (
        "wrong-direction",
        CP,
        lambda: t16().up("Reset", {"type": "Soft"}, [4, "NotSupported", "", {}]),
        lambda: t16().down("Reset", {"type": "Soft"}, {"status": "Accepted"}),
    ),
    (
        "schema",
        CP,
        lambda: t16().up("Authorize", {"idTag": "x" * 21}, [4, "FormationViolation", "", {}]),
        lambda: t16().up("Authorize", {"idTag": "x" * 20}, {"idTagInfo": {"status": "Invalid"}}),
    ),
    (
        "schema",
        CSMS,
        lambda: t16().down("Reset", {"type": "Warm"}, [4, "FormationViolation", "", {}]),
        lambda: t16().down("Reset", {"type": "Hard"}, {"status": "Accepted"}),
    ),
    (
        "answer-schema",
        CSMS,
        lambda: t16().up("Authorize", {"idTag": "x"}, {}),
        lambda: t16().up("Authorize", {"idTag": "x"}, {"idTagInfo": {"status": "Blocked"}}),
    ),
    (
        "extra-field",
        CP,
        lambda: t16().up("Heartbeat", {"x": 1}, {"currentTime": Talk().stamp(3)}),
        lambda: t2x().up("Heartbeat", {"customData": {"vendorId": "x", "y": 1}}, {"currentTime": Talk().stamp(3)}),
    ),
    (
        "reused-id",
        CP,
        lambda: t16().beat(message_id="1").status("Available", message_id="1"),
        lambda: t16().beat(message_id="1").beat(message_id="1"),
    ),
    ("second-open-call", CP, lambda: overlapping(0.2), lambda: overlapping(2.5)),
    (
        "answer-to-nothing",
        CSMS,
        lambda: t16().say(DOWN, [3, "zzz", {}]),
        lambda: t16().say(DOWN, [4, "-1", "ProtocolError", "", {}]),
    ),
    (
        "answered-twice",
        CSMS,
        lambda: t16().beat(message_id="1").say(DOWN, [3, "1", {"currentTime": Talk().stamp(9)}]),
        lambda: t16().beat(message_id="1").beat(message_id="2"),
    ),
    ("unanswered-call", CSMS, lambda: t16().beat(answered=False, took=31).beat(), lambda: t16().beat(took=29).beat()),
    (
        "unanswered-call",
        CP,
        lambda: t16().down("ClearCache", {}, answered=False, took=31).beat(),
        lambda: t16().down("ClearCache", {}, {"status": "Accepted"}, took=29).beat(),
    ),
    ("late-answer", CSMS, lambda: late(31), lambda: late(29)),
    (
        "valid-call-refused",
        CSMS,
        lambda: t16().up("Heartbeat", {}, [4, "FormationViolation", "", {}]),
        lambda: t16().up("Heartbeat", {}, [4, "InternalError", "", {}]),
    ),
    (
        "valid-call-failed",
        CSMS,
        lambda: t16().up("Heartbeat", {}, [4, "InternalError", "", {}]),
        lambda: t16().up("DataTransfer", {"vendorId": "x"}, [4, "NotSupported", "", {}]),
    ),
    (
        "report-declined",
        CSMS,
        lambda: t16().status("Available", answer=[4, "PropertyConstraintViolation", "", {}]),
        lambda: t16().up("Authorize", {"idTag": "x"}, [4, "PropertyConstraintViolation", "", {}]),
    ),
    (
        "invalid-call-answered",
        CSMS,
        lambda: t16().say(UP, '[7,"odd","Heartbeat",{}]').say(DOWN, '[3,"odd",{}]'),
        lambda: t16().say(UP, '[7,"odd","Heartbeat",{}]').say(DOWN, '[4,"odd","GenericError","",{}]'),
    ),
    (
        "invalid-call-answered",
        CSMS,
        lambda: t16().up("Authorize", {"idTag": "x" * 21}, {"idTagInfo": {"status": "Invalid"}}),
        lambda: t16().up("Authorize", {"idTag": "x" * 20}, {"idTagInfo": {"status": "Invalid"}}),
    ),
    (
        "boot-interval",
        CSMS,
        lambda: Talk().up(
            "BootNotification", BOOT_16, {"status": "Accepted", "currentTime": Talk().stamp(), "interval": -1}
        ),
        lambda: Talk().up(
            "BootNotification", BOOT_16, {"status": "Accepted", "currentTime": Talk().stamp(), "interval": 0}
        ),
    ),
    (
        "core-not-implemented",
        CSMS,
        lambda: t16().up("Heartbeat", {}, [4, "NotImplemented", "", {}]),
        lambda: t16().up("DataTransfer", {"vendorId": "x"}, [4, "NotSupported", "", {}]),
    ),
    (
        "before-accepted",
        CP,
        lambda: registered("Pending"),
        lambda: registered("Accepted", answer={"currentTime": Talk().stamp(3)}),
    ),
    ("short-offset", CP, lambda: stamped("+03"), lambda: stamped("+03:00")),
    ("short-offset", CP, lambda: stamped("-0530"), lambda: stamped("Z")),
    ("boot-too-early", CP, lambda: boot_again(30), lambda: boot_again(60)),
    (
        "session-while-pending",
        CSMS,
        lambda: commanded("Pending", "RemoteStartTransaction", {"idTag": "A"}),
        lambda: commanded("Pending", "GetConfiguration", {}),
    ),
    (
        "command-before-accepted",
        CSMS,
        lambda: commanded("Rejected", "ClearCache", {}, boot=BOOT_2X),
        lambda: commanded("Rejected", "ClearCache", {}),
    ),
    (
        "command-before-accepted",
        CSMS,
        lambda: commanded("Rejected", "TriggerMessage", {"requestedMessage": "BootNotification"}, boot=BOOT_2X),
        lambda: commanded("Pending", "TriggerMessage", {"requestedMessage": "BootNotification"}, boot=BOOT_2X),
    ),
    (
        "boot-asked-again",
        CSMS,
        lambda: t16().down("TriggerMessage", {"requestedMessage": "BootNotification"}, {"status": "Rejected"}),
        lambda: t2x().down("TriggerMessage", {"requestedMessage": "BootNotification"}, {"status": "Rejected"}),
    ),
    (
        "served-before-accepted",
        CSMS,
        lambda: registered("Pending", answer={"currentTime": Talk().stamp(3)}),
        lambda: registered("Accepted", answer={"currentTime": Talk().stamp(3)}),
    ),
    (
        "refused-after-accepted",
        CSMS,
        lambda: t16().up("Heartbeat", {}, [4, "SecurityError", "", {}]),
        lambda: t16().up("Heartbeat", {}, [4, "GenericError", "", {}]),
    ),
    (
        "transaction-id-given-twice",
        CSMS,
        lambda: t16().start(1, 7).stop().start(1, 7),
        lambda: t16().start(1, 7).stop().start(1, 8),
    ),
    ("transaction-id-zero", CSMS, lambda: t16().start(number=0), lambda: t16().start(number=1)),
    ("refusal-names-running", CSMS, lambda: refused_start(7), lambda: refused_start(0)),
    ("overlapping-start", CP, lambda: t16().start(1, 7).start(1, 8), lambda: t16().start(1, 7).start(2, 8)),
    (
        "other-transaction-id",
        CP,
        lambda: t16().start(1, 7).meter(1100, 1, 8),
        lambda: t16().start(1, 7, answered=False).meter(1100, 1, -1),
    ),
    (
        "wrong-connector",
        CP,
        lambda: t16().start(1, 7).meter(1100, 2, 7),
        lambda: t16().start(1, 7).start(2, 8).meter(1100, 2, 8),
    ),
    (
        "ended-twice",
        CP,
        lambda: t16().start().stop(2000).stop(2500),
        lambda: t16().start(1, 7).stop(2000, 7).start(1, 8).stop(2500, 8),
    ),
    ("after-the-end", CP, lambda: t16().start().stop().meter(2100), lambda: t16().start().meter(1100).stop()),
    ("resent-though-answered", CP, resent_stop, lambda: t16().start().stop()),
    (
        "transaction-message-refused",
        CSMS,
        lambda: (
            t16()
            .start()
            .up(
                "StopTransaction",
                {"transactionId": 7, "meterStop": 2000, "timestamp": Talk().stamp(9)},
                [4, "InternalError", "", {}],
            )
        ),
        lambda: t16().start().stop(),
    ),
    ("token-flips", CSMS, lambda: tokens("Invalid", 3), lambda: tokens("ConcurrentTx", 3)),
    (
        "stop-of-ended",
        CSMS,
        lambda: t16().start().stop().down("RemoteStopTransaction", {"transactionId": 7}, {"status": "Rejected"}),
        lambda: t16().start().down("RemoteStopTransaction", {"transactionId": 7}, {"status": "Accepted"}).stop(),
    ),
    (
        "started-twice",
        CP,
        lambda: t2x().event("Started", 0).event("Started", 1),
        lambda: t2x().event("Started", 0).event("Started", 0, "tx-2"),
    ),
    (
        "sequence-gap",
        CP,
        lambda: t2x().event("Started", 0).event("Ended", 2),
        lambda: t2x().event("Updated", 5).event("Ended", 6),
    ),
    (
        "ended-twice",
        CP,
        lambda: t2x().event("Started", 0).event("Ended", 1).event("Ended", 2),
        lambda: t2x().event("Started", 0).event("Ended", 1),
    ),
    (
        "register-backwards",
        CP,
        lambda: t16().start().meter(1100).meter(1000),
        lambda: t16().start().meter(1100).meter(1095),
    ),
    (
        "register-jump",
        CP,
        lambda: t16().start().meter(1100).meter(9001100),
        lambda: t16().start().meter(1100, wait=3600).meter(9100),
    ),
    ("unit-change", CP, lambda: raw_reading("2", "kWh"), lambda: raw_reading("1200", "Wh")),
    ("phase-sum", CP, lambda: phases(11000, 3600, 3600, 0), lambda: phases(11000, 3600, 3650, 3600)),
    ("power-mismatch", CP, lambda: powered(1100), lambda: powered(10300)),
    ("power-mismatch", CP, lambda: powered(1100), lambda: powered(1100, "")),
    ("not-a-number", CP, lambda: raw_reading("n/a"), lambda: raw_reading("1.2e3")),
    ("time-backwards", CP, earlier_reading, lambda: t16().start().meter(1100)),
    (
        "time-without-zone",
        CSMS,
        lambda: t16().up("Heartbeat", {}, {"currentTime": "2026-03-02T08:00:03"}),
        lambda: t16().up("Heartbeat", {}, {"currentTime": "2026-03-02T10:00:03+02:00"}),
    ),
    (
        "clock-not-set",
        CP,
        lambda: t16().up(
            "StatusNotification",
            {"connectorId": 1, "errorCode": "NoError", "status": "Available", "timestamp": "1970-01-01T00:00:05Z"},
        ),
        lambda: t16().status("Available"),
    ),
    ("clock-ahead", CP, lambda: shifted(7200), lambda: shifted(30)),
    ("csms-clock", CSMS, lambda: csms_time(600), lambda: csms_time(1)),
    ("heartbeat-missing", CP, lambda: silence(900), lambda: silence(400)),
    ("heartbeat-too-often", CP, lambda: beats(10), lambda: beats(290)),
    (
        "profile-start",
        CSMS,
        lambda: set_profile(chargingProfileKind="Absolute"),
        lambda: set_profile(chargingProfileKind="Absolute", startSchedule="2026-03-02T08:00:00Z"),
    ),
    (
        "profile-recurrency",
        CSMS,
        lambda: set_profile(chargingProfileKind="Recurring", startSchedule="2026-03-02T08:00:00Z"),
        lambda: set_profile(
            chargingProfileKind="Recurring", recurrencyKind="Daily", startSchedule="2026-03-02T08:00:00Z"
        ),
    ),
    (
        "profile-first-period",
        CSMS,
        lambda: set_profile(periods=[{"startPeriod": 60, "limit": 6.0}]),
        lambda: set_profile(periods=[{"startPeriod": 0, "limit": 6.0}, {"startPeriod": 60, "limit": 8.1}]),
    ),
    (
        "profile-transaction",
        CSMS,
        lambda: set_profile(chargingProfilePurpose="TxProfile"),
        lambda: set_profile(chargingProfilePurpose="TxProfile", transactionId=7),
    ),
    (
        "profile-connector",
        CSMS,
        lambda: set_profile(2, chargingProfilePurpose="ChargePointMaxProfile"),
        lambda: set_profile(0, chargingProfilePurpose="ChargePointMaxProfile"),
    ),
    (
        "status-transition",
        CP,
        lambda: t16().status("Available").status("Finishing"),
        lambda: t16().status("Available").status("Charging").status("Finishing"),
    ),
    ("connector-zero-status", CP, lambda: t16().status("Charging", 0), lambda: t16().status("Available", 0)),
    ("status-flapping", CP, lambda: flapping(0.5), lambda: flapping(10)),
    ("wide-integer", CSMS, lambda: t16().start(number=1 << 31), lambda: t16().start(number=(1 << 31) - 1)),
    (
        "wide-integer",
        CSMS,
        lambda: t16().down("CancelReservation", {"reservationId": 1 << 40}, {"status": "Rejected"}),
        lambda: t16().down("CancelReservation", {"reservationId": 1 << 30}, {"status": "Rejected"}),
    ),
    ("foreign-answer", CSMS, lambda: vat("DE2", "DE1"), lambda: vat("DE2", "DE2")),
    ("window-reversed", CSMS, lambda: diagnostics(60, 0), lambda: diagnostics(0, 60)),
    ("token-without-word", CSMS, lambda: shown({}), lambda: shown({"idTokenInfo": {"status": "Blocked"}})),
    (
        "accepted-without-content",
        CSMS,
        lambda: ocsp({"status": "Accepted"}),
        lambda: ocsp({"status": "Failed"}),
    ),
    (
        "list-entry-without-info",
        CSMS,
        lambda: listed("Full", {"idTag": "A"}),
        lambda: listed("Differential", {"idTag": "A"}),
    ),
    ("reservation-expired", CSMS, lambda: reserve(-600), lambda: reserve(600)),
    (
        "list-not-newer",
        CSMS,
        lambda: local_list(("Full", 5), ("Differential", 5)),
        lambda: local_list(("Full", 5), ("Differential", 6)),
    ),
    ("list-version", CP, lambda: local_list(("Full", 5), told=4), lambda: local_list(("Full", 5), told=5)),
]


ALL_PLAYS = PLAYS + CSMS_PLAYS


@pytest.mark.parametrize(("rule", "side", "bad", "near"), ALL_PLAYS, ids=[f"{play[0]}-{play[1]}" for play in ALL_PLAYS])
def test_a_rule_is_broken_by_the_one_and_not_by_the_other(rule: str, side: str, bad: Play, near: Play) -> None:
    assert (side, rule) in broken(judge_talk(bad()))
    assert rule not in {name for _, name in broken(judge_talk(near()))}


def test_a_start_whose_time_has_a_short_offset_is_followed_no_false_alarm() -> None:
    """1.6 asks for ISO 8601 alone, and everybody reads such a time."""
    analysis = judge_talk(stamped("+03").stop())
    assert broken(analysis) == {(CP, "short-offset")}
    assert not analysis.required[Side.STATION]
    assert sum(station.transactions for station in analysis.stations) == 1


def test_a_good_day_of_an_own_station_is_clean() -> None:
    talk = t16().status("Available").start().meter(1100).stop()
    assert broken(judge_text(render(Scene("x", talk.lines, set()), "plugstorm"))) == set()


@pytest.mark.parametrize(
    ("rule", "side", "bad", "near"), CSMS_TRACES, ids=[f"{play[0]}-{play[1]}" for play in CSMS_TRACES]
)
def test_a_rule_about_own_traces(rule: str, side: str, bad: Callable[[], str], near: Callable[[], str]) -> None:
    assert (side, rule) in judged(bad(), "plugstorm")
    assert rule not in {name for _, name in judged(near(), "plugstorm")}


def test_every_rule_has_a_sample_that_breaks_it_and_one_that_nearly_does() -> None:
    plays = [*(play[0] for play in ALL_PLAYS), *(play[0] for play in CSMS_TRACES), *(play[0] for play in LINK_PLAYS)]
    assert set(plays) == set(RULES)


@pytest.mark.parametrize("version", list(Version))
def test_every_rule_has_a_level_and_a_clause_in_every_version(version: Version) -> None:
    for rule in RULES.values():
        assert rule.level_in(version) in Level
        assert rule.clause_in(version)
        assert rule.side in (None, *Side)


def test_a_lost_session_is_told_with_its_connector() -> None:
    analysis = judge_talk(t16().start(2, answered=False, took=40).beat())
    assert [(lost.connector, lost.side) for lost in analysis.lost] == [(2, Side.CSMS)]


def test_frames_around_a_finding_are_kept() -> None:
    (finding,) = judge_talk(t16().status("Available").start(number=7).meter(1100, number=8).stop().beat()).findings
    assert [frame.marked for frame in finding.frames].count(True) == 1
    assert len(finding.frames) > 5


def test_two_dozen_findings_of_a_rule_are_counted_and_ten_are_kept() -> None:
    talk = t16().start(number=7)
    for step in range(24):
        talk.meter(1100 + step, number=8)
    analysis = judge_talk(talk)
    assert (len(analysis.findings), analysis.counts[CP]["other-transaction-id"]) == (10, 24)


def test_lines_are_those_of_the_file() -> None:
    lines = [Line(0.0, UP, "x"), *t16().beat(message_id="x" * 37).lines]
    (finding,) = judge_text(render(Scene("x", lines, set()), "steve"), reader_called("steve")).findings[-1:]
    assert finding.line == 4


def test_a_result_for_an_action_that_does_not_exist() -> None:
    assert (CSMS, "invalid-call-answered") in broken(judge_talk(t16().up("MakeCoffee", {}, {"status": "Accepted"})))


@given(
    st.text(max_size=60)
    | st.sampled_from(["-----BEGIN CERTIFICATE-----\n", "-----BEGIN CERTIFICATE REQUEST-----\nAA==\n"])
)
def test_nonsense_in_the_place_of_a_certificate_is_only_unreadable(text: str) -> None:
    talk = t2x().up("SignCertificate", {"csr": text}, {"status": "Accepted"})
    talk.down("CertificateSigned", {"certificateChain": text}, {"status": "Rejected"})
    assert broken(judge_talk(talk)) <= {(CSMS, "certificate-unreadable")}
