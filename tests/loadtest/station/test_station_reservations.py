from __future__ import annotations

from typing import Any

import pytest

from loadtest.workload.profile import Profile, Sessions
from ocppj.versions import Version
from tests.loadtest.fleet_harness import FleetHarness

every_version = pytest.mark.parametrize("version", list(Version))
every_2x = pytest.mark.parametrize("version", [Version.V201, Version.V21])
SINGLE = Profile(title="single", models={"ac-single": 1.0}, meter=10.0)
DUAL = Profile(title="dual", models={"ac-dual": 1.0}, meter=10.0)
TOKEN = "04AABBCCDDEE80"


def reservation(
    harness: FleetHarness, number: int = 1, *, place: int = 1, lasts: float = 100.0, **more: Any
) -> dict[str, Any]:
    expiry = harness.context.timestamp(harness.now + lasts)
    if harness.version is Version.V16:
        request = {"connectorId": place, "expiryDate": expiry, "idTag": TOKEN, "reservationId": number}
        return request | ({"parentIdTag": more["parent"]} if "parent" in more else {})
    token = {"idToken": TOKEN, "type": more.get("kind", "Central")}
    request = {"id": number, "expiryDateTime": expiry, "idToken": token} | ({"evseId": place} if place else {})
    group = {"groupIdToken": {"idToken": more["parent"], "type": "Central"}} if "parent" in more else {}
    return request | group


def reserve(harness: FleetHarness, number: int = 1, **more: Any) -> str:
    return str(harness.command("ReserveNow", reservation(harness, number, **more))[2]["status"])


def remote_start(harness: FleetHarness, token: str = TOKEN, *, place: int | None = 1, **more: Any) -> str:
    if harness.version is Version.V16:
        action = "RemoteStartTransaction"
        request: dict[str, Any] = {"idTag": token, "connectorId": place}
    else:
        action = "RequestStartTransaction"
        request = {"remoteStartId": 7, "idToken": {"idToken": token, "type": "Central"}, "evseId": place} | more
    request = {key: value for key, value in request.items() if value is not None}
    return str(harness.command(action, request)[2]["status"])


def started(harness: FleetHarness) -> dict[str, Any]:
    name = "StartTransaction" if harness.version is Version.V16 else "TransactionEvent"
    return harness.sent(name)[0].payload


@every_version
def test_a_reserved_connector_says_so_and_lets_in_whom_it_waits_for(version: Version) -> None:
    harness = FleetHarness(version, SINGLE).start()
    assert reserve(harness, 5) == "Accepted"
    assert harness.statuses[-1] == "Reserved"
    assert remote_start(harness, "SOMEBODY-ELSE") == "Rejected"
    assert remote_start(harness, TOKEN.lower()) == "Accepted"
    assert started(harness)["reservationId"] == 5
    assert harness.statuses[-1] in ("Charging", "Occupied")
    # It is used up.
    assert harness.command("CancelReservation", {"reservationId": 5})[2]["status"] == "Rejected"


@every_version
def test_a_reservation_expires_by_itself(version: Version) -> None:
    harness = FleetHarness(version, SINGLE).start()
    reserve(harness, 5, lasts=60.0)
    harness.run(59.0)
    assert harness.statuses[-1] == "Reserved"
    harness.run(2.0)
    assert harness.statuses[-1] == "Available"
    told = [call.payload for call in harness.sent("ReservationStatusUpdate")]
    expected = [] if version is Version.V16 else [{"reservationId": 5, "reservationUpdateStatus": "Expired"}]
    assert told == expected
    assert remote_start(harness, "SOMEBODY-ELSE") == "Accepted"
    assert "reservationId" not in started(harness)


@every_version
def test_a_reservation_can_be_cancelled_once(version: Version) -> None:
    harness = FleetHarness(version, SINGLE).start()
    reserve(harness, 5)
    answers = [harness.command("CancelReservation", {"reservationId": number})[2]["status"] for number in (4, 5, 5)]
    assert answers == ["Rejected", "Accepted", "Rejected"]
    assert harness.statuses[-1] == "Available"
    harness.run(200.0)
    assert harness.sent("ReservationStatusUpdate") == []


@every_version
def test_what_cannot_be_reserved_is_answered_with_the_reason(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    assert reserve(harness, 1, lasts=-1.0) == "Rejected"
    assert reserve(harness, 1, place=9) == "Rejected"
    assert reserve(harness, 1) == "Accepted"
    assert reserve(harness, 2) == "Occupied"
    assert reserve(harness, 1, lasts=300.0) == "Accepted"  # the same one, with another end
    assert remote_start(harness, "A", place=2) == "Accepted"
    assert reserve(harness, 3, place=2) == "Occupied"
    key = {"connectorId": 1, "type": "Inoperative"}
    if version is not Version.V16:
        key = {"evse": {"id": 1}, "operationalStatus": "Inoperative"}
    harness.command("ChangeAvailability", key)
    assert reserve(harness, 4) == "Unavailable"
    removed = [call.payload["reservationUpdateStatus"] for call in harness.sent("ReservationStatusUpdate")]
    assert removed == ([] if version is Version.V16 else ["Removed"])


@every_version
def test_a_place_is_kept_free_for_a_reservation_without_one(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    assert [reserve(harness, number, place=0) for number in (1, 2, 3)] == ["Accepted", "Accepted", "Occupied"]
    harness.command("CancelReservation", {"reservationId": 2})
    assert remote_start(harness, "A", place=None) == "Accepted"
    assert remote_start(harness, "B", place=2) == "Rejected"
    assert remote_start(harness, TOKEN, place=None) == "Accepted"
    name = "StartTransaction" if version is Version.V16 else "TransactionEvent"
    numbers = [call.payload.get("reservationId") for call in harness.sent(name)]
    assert numbers == [None, 1]


@every_2x
def test_all_free_places_show_reserved_once_all_of_them_are_needed(version: Version) -> None:
    harness = FleetHarness(version, DUAL).start()
    reserve(harness, 1, place=0)
    assert harness.statuses[-1] == "Available"
    reserve(harness, 2, place=0)
    assert harness.statuses[-1] == "Reserved"
    harness.command("CancelReservation", {"reservationId": 1})
    assert harness.statuses[-1] == "Available"


@every_2x
def test_a_group_may_use_what_one_of_it_has_reserved(version: Version) -> None:
    harness = FleetHarness(version, SINGLE).start()
    reserve(harness, 5, parent="family")
    assert remote_start(harness, "CHILD", groupIdToken={"idToken": "OTHERS", "type": "Central"}) == "Rejected"
    assert remote_start(harness, "CHILD", groupIdToken={"idToken": "FAMILY", "type": "Central"}) == "Accepted"
    assert started(harness)["reservationId"] == 5


# -- drivers -----------------------------------------------------------------------------------------------------------


def with_drivers(version: Version, *, parent: str | None, answers: dict[str, Any] | None = None) -> FleetHarness:
    sessions = Sessions(duration=60.0, gap=60.0)
    profile = Profile(title="cars", models={"ac-single": 1.0}, meter=10.0, sessions=sessions)
    harness = FleetHarness(version, profile, answers).start()
    more = {} if parent is None else {"parent": parent}
    assert reserve(harness, 5, lasts=1000.0, **more) == "Accepted"
    return harness


@every_version
def test_drivers_drive_on_where_somebody_else_has_reserved(version: Version) -> None:
    harness = with_drivers(version, parent=None).run(900.0)
    assert "Authorize" not in harness.actions
    assert harness.statuses[-1] == "Reserved"
    harness.run(300.0)
    assert "Authorize" in harness.actions


@every_version
@pytest.mark.parametrize("group", ["FAMILY", "OTHERS", None])
def test_the_csms_is_asked_whether_a_driver_belongs_to_the_group(version: Version, group: str | None) -> None:
    holder = "idTokenInfo"
    field: dict[str, Any] = {"groupIdToken": {"idToken": group, "type": "Central"}}
    if version is Version.V16:
        holder, field = "idTagInfo", {"parentIdTag": group}
    info = {"status": "Accepted"} | (field if group is not None else {})
    harness = with_drivers(version, parent="Family", answers={"Authorize": {holder: info}}).run(130.0)
    assert "Authorize" in harness.actions
    if group == "FAMILY":
        assert started(harness)["reservationId"] == 5
        assert harness.statuses[:3] == ["Available", "Reserved", "Preparing" if version is Version.V16 else "Occupied"]
    else:
        assert not harness.sent("StartTransaction")
        assert not harness.sent("TransactionEvent")
        assert harness.statuses == ["Available", "Reserved"]


@every_version
def test_the_local_list_knows_a_group_without_asking(version: Version) -> None:
    harness = with_drivers(version, parent="FAMILY")
    token = harness.station.lease.token
    if version is Version.V16:
        entry: dict[str, Any] = {"idTag": token, "idTagInfo": {"status": "Accepted", "parentIdTag": "family"}}
        request: dict[str, Any] = {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [entry]}
    else:
        id_token = {"idToken": token, "type": "ISO14443"}
        info = {"status": "Accepted", "groupIdToken": {"idToken": "family", "type": "Central"}}
        entry = {"idToken": id_token, "idTokenInfo": info}
        request = {"versionNumber": 1, "updateType": "Full", "localAuthorizationList": [entry]}
    assert harness.command("SendLocalList", request)[2]["status"] == "Accepted"
    harness.run(130.0)
    assert started(harness)["reservationId"] == 5


def test_a_station_that_nobody_asked_anything_keeps_nothing_for_it() -> None:
    harness = FleetHarness(Version.V16, SINGLE).start()
    harness.run(1000.0)
    assert harness.station.store is None
