from __future__ import annotations

import pytest

from ocppj.actions import station_actions
from ocppj.registration import REGISTRATION, Registration, may_send
from ocppj.versions import Version

ALL = list(Version)


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize("state", [Registration.UNKNOWN, Registration.PENDING, Registration.REJECTED])
def test_station_that_is_not_accepted_sends_only_boot(version: Version, state: Registration) -> None:
    assert [a for a in station_actions(version) if may_send(version, state, a)] == ["BootNotification"]


@pytest.mark.parametrize("version", ALL)
def test_accepted_station_sends_everything(version: Version) -> None:
    assert all(may_send(version, Registration.ACCEPTED, action) for action in station_actions(version))


@pytest.mark.parametrize("version", ALL)
def test_pending_station_sends_what_it_was_asked_for(version: Version) -> None:
    assert may_send(version, Registration.PENDING, "StatusNotification", triggered=True)
    assert may_send(version, Registration.PENDING, "BootNotification", triggered=True)


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize("state", [Registration.UNKNOWN, Registration.REJECTED])
def test_rejected_or_unknown_station_sends_nothing_on_request(version: Version, state: Registration) -> None:
    assert not may_send(version, state, "StatusNotification", triggered=True)


def test_csms_starts_no_transaction_on_a_pending_station() -> None:
    def forbidden(version: Version) -> set[str]:
        return set(REGISTRATION[version][Registration.PENDING].csms_forbidden or ())

    assert forbidden(Version.V16) == {"RemoteStartTransaction", "RemoteStopTransaction"}
    assert forbidden(Version.V201) == forbidden(Version.V21) == {"RequestStartTransaction", "RequestStopTransaction"}


def test_csms_of_2x_sends_nothing_to_a_rejected_station() -> None:
    assert REGISTRATION[Version.V201][Registration.REJECTED].csms_forbidden is None
    assert REGISTRATION[Version.V16][Registration.REJECTED].csms_forbidden == frozenset()


@pytest.mark.parametrize("state", [Registration.PENDING, Registration.REJECTED])
def test_refusing_other_calls_is_a_rule_in_2x_and_advice_in_16(state: Registration) -> None:
    assert REGISTRATION[Version.V16][state].refuse_others is None
    assert REGISTRATION[Version.V201][state].refuse_others is True
    assert REGISTRATION[Version.V21][state].refuse_others is True
    assert all(REGISTRATION[version][Registration.ACCEPTED].refuse_others is False for version in ALL)


@pytest.mark.parametrize("version", ALL)
def test_table_knows_every_state(version: Version) -> None:
    assert set(REGISTRATION[version]) == set(Registration)
