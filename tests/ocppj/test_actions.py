from __future__ import annotations

from importlib import resources

import pytest

from ocppj.actions import ACTIONS, csms_actions, station_actions
from ocppj.versions import Version

COUNTS = [(Version.V16, 39, 14, 26), (Version.V201, 64, 25, 40), (Version.V21, 91, 37, 55)]
PACKAGES = {Version.V16: "ocpp.v16", Version.V201: "ocpp.v201", Version.V21: "ocpp.v21"}


@pytest.mark.parametrize(("version", "total", "station", "csms"), COUNTS)
def test_every_action_is_counted_with_its_senders(version: Version, total: int, station: int, csms: int) -> None:
    assert len(ACTIONS[version]) == total
    assert len(station_actions(version)) == station
    assert len(csms_actions(version)) == csms


@pytest.mark.parametrize("version", list(Version))
def test_actions_are_exactly_those_that_have_a_schema(version: Version) -> None:
    files = resources.files(PACKAGES[version]).joinpath("schemas").iterdir()
    names = {file.name.removesuffix(".json").removesuffix("Request").removesuffix("Response") for file in files}
    assert set(ACTIONS[version]) == names


@pytest.mark.parametrize("version", list(Version))
def test_only_data_transfer_goes_both_ways(version: Version) -> None:
    both = [action.name for action in ACTIONS[version].values() if action.by_station and action.by_csms]
    assert both == ["DataTransfer"]
    assert all(action.by_station or action.by_csms for action in ACTIONS[version].values())
    assert all(name == action.name for name, action in ACTIONS[version].items())


def test_only_the_periodic_event_stream_is_unconfirmed() -> None:
    unconfirmed = [(v, a.name) for v in Version for a in ACTIONS[v].values() if a.unconfirmed]
    assert unconfirmed == [(Version.V21, "NotifyPeriodicEventStream")]
    assert "NotifyPeriodicEventStream" in station_actions(Version.V21)


@pytest.mark.parametrize(
    ("version", "action", "by_station"),
    [
        (Version.V16, "SignCertificate", True),
        (Version.V16, "CertificateSigned", False),
        (Version.V16, "SignedUpdateFirmware", False),
        (Version.V16, "SignedFirmwareStatusNotification", True),
        (Version.V201, "TransactionEvent", True),
        (Version.V201, "GetTransactionStatus", False),
        (Version.V201, "GetCertificateStatus", True),
        (Version.V201, "CostUpdated", False),
        (Version.V21, "BatterySwap", True),
        (Version.V21, "RequestBatterySwap", False),
        (Version.V21, "PullDynamicScheduleUpdate", True),
        (Version.V21, "UpdateDynamicSchedule", False),
        (Version.V21, "NotifyAllowedEnergyTransfer", False),
        (Version.V21, "NotifyWebPaymentStarted", False),
        (Version.V21, "VatNumberValidation", True),
        (Version.V21, "OpenPeriodicEventStream", True),
        (Version.V21, "AdjustPeriodicEventStream", False),
    ],
)
def test_action_has_the_direction_of_its_version(version: Version, action: str, *, by_station: bool) -> None:
    known = ACTIONS[version][action]
    assert (known.by_station, known.by_csms) == (by_station, not by_station)
