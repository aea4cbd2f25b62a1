"""What a driver tells a CSMS of a station stays as it was told, and what it cannot tell is not said to be told."""

from __future__ import annotations

from drivers.base import StationSettings
from ocppj.versions import Version
from tests.drivers.stub_api import StubApi
from tests.drivers.yaml_drivers import driver


def test_word_about_the_boot_leaves_the_credentials_of_the_station_no_false_alarm() -> None:
    operations = (
        "  register:\n    http:\n      method: PUT\n      url: /cp/{{ identity }}\n"
        "      body: {secret: '{{ password | default(none) }}', profile: '{{ security_profile }}'}\n"
        "  boot_status: {http: {method: PUT, url: '/boot/{{ boot_status }}'}}\n"
    )
    with StubApi() as api, driver(operations, url=api.url) as driven:
        driven.register("A", StationSettings(password="of A", security_profile=1), Version.V16)
        driven.register("B", StationSettings(), Version.V16)
        for identity in ("A", "B"):
            driven.register(identity, StationSettings(boot_status="Pending", interval=5), Version.V16)
        driven.register("A", StationSettings(), Version.V16)
    written = [(asked.route, asked.json) for asked in api.asked if asked.route.startswith("PUT /cp/")]
    assert written == [
        ("PUT /cp/A", {"secret": "of A", "profile": 1}),
        ("PUT /cp/B", {"secret": None, "profile": 0}),
        ("PUT /cp/A", {"secret": "of A", "profile": 1}),
        ("PUT /cp/B", {"secret": None, "profile": 0}),
        ("PUT /cp/A", {"secret": None, "profile": 0}),
    ]


def test_profile_of_a_station_is_not_taken_back_when_its_boot_is_to_be_pending_no_false_alarm() -> None:
    operations = (
        "  register: {http: {method: PUT, url: '/cp/{{ identity }}'}}\n"
        "  security_profile: {http: {method: PUT, url: '/profile/{{ security_profile }}'}}\n"
        "  boot_status: {http: {method: PUT, url: '/boot/{{ boot_status }}'}}\n"
    )
    with StubApi() as api, driver(operations, url=api.url) as driven:
        driven.register("A", StationSettings(password="of A", security_profile=1), Version.V16)
        driven.register("A", StationSettings(boot_status="Pending"), Version.V16)
    assert [asked.route for asked in api.asked] == ["PUT /cp/A", "PUT /profile/1", "PUT /cp/A", "PUT /boot/Pending"]


def test_interval_that_no_operation_names_is_not_set_no_false_alarm() -> None:
    status = "  boot_status: {http: {method: PUT, url: '/boot/{{ boot_status }}'}}\n"
    with driver(status) as driven:
        assert "interval" in str(driven.missing("interval", Version.V16))
    for named in (status.replace("{{ boot_status }}", "{{ boot_status }}/{{ interval }}"), ""):
        register = "  register: {http: {method: PUT, url: '/cp/{{ interval }}'}}\n" if not named else ""
        with driver(named + register) as driven:
            assert driven.missing("interval", Version.V16) is None
