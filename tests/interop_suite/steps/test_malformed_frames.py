from __future__ import annotations

from typing import cast

import pytest

from interop_suite.drive.station import ScriptedStation
from interop_suite.steps.malformed_frames import let_react


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
