from __future__ import annotations

from typing import cast

import pytest

from interop_suite.catalogue import all_cases
from interop_suite.drive.station import ScriptedStation
from interop_suite.run.judge import judge
from interop_suite.steps.malformed_frames import let_react
from ocppj.versions import Version
from tests.interop_suite.recording import begun


class StillStation:
    """Says how long somebody waits for it to react."""

    answers_heard, connected, waited = 0, True, 0.0

    def __init__(self, slowest: float) -> None:
        self.slowest = slowest

    def pump(self, _until: object, timeout: float) -> None:
        self.waited = timeout


@pytest.mark.parametrize(("slowest", "waited"), [(0.0, 0.25), (0.002, 0.25), (0.03, 0.6), (5.0, 1.0)])
def test_slow_csms_gets_longer_to_react_to_what_it_may_drop(slowest: float, waited: float) -> None:
    station = StillStation(slowest)
    let_react(cast("ScriptedStation", station), 0)
    assert station.waited == pytest.approx(waited)


def test_csms_that_falls_silent_is_told_after_which_frame() -> None:
    case = next(case for case in all_cases() if case.id == "RPC_03" and case.ocpp is Version.V201)
    recording = begun(Version.V201).note(odd="id-null").sent('[2,null,"Heartbeat",{}]').sent('[2,"1","Heartbeat",{}]')
    actual = " ".join(judge(case, recording.closed("station").history()).actual)
    assert "While a connection is open, its Heartbeats are answered: after id-null, " in actual


def test_wrong_payload_is_named_where_it_was_taken() -> None:
    case = next(case for case in all_cases() if case.id == "PAY_01" and case.ocpp is Version.V201)
    recording = begun(Version.V201).note(mutation="missing-required/reason")
    recording.sent('[2,"1","BootNotification",{}]').got('[3,"1",{}]')
    assert "A boot without a required field is refused: missing-required/reason: it answered" in " ".join(
        judge(case, recording.history()).actual
    )
