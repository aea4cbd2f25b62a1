from __future__ import annotations

import pytest
import requests

from drivers.base import NoDriver
from drivers.http import HttpDriver
from fixtures.csms import practice_csms
from loadtest.plugins.commands.registering import register
from loadtest.workload.identities import Identities, Lease
from ocppj.errors import UsageError
from ocppj.versions import Version


def test_every_station_and_every_token_that_a_list_names_is_made_known() -> None:
    leases = [
        Identities("CP{n}").lease(1),
        Lease(2, "LISTED-2", "TAG-2", "secret-of-LISTED-2", ("TAG-3",)),
    ]
    with practice_csms(known_only=True) as csms:
        driver = HttpDriver(csms.control_url)
        register(driver, leases, Version.V16, password="common-password-16")
        stations = {one["id"]: one for one in requests.get(f"{csms.control_url}/stations", timeout=10).json()}
        known = {tag: csms.csms.world.tokens.find(tag) is not None for tag in ("TAG-2", "TAG-3", "TAG-9")}
        driver.close()
    assert stations.keys() == {"CP1", "LISTED-2"}
    assert all(station["has_password"] for station in stations.values())
    assert known == {"TAG-2": True, "TAG-3": True, "TAG-9": False}


def test_a_driver_that_can_do_neither_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(UsageError, match="the driver none cannot register stations or tokens"):
        register(NoDriver(), [Identities().lease(1)], Version.V16)


def test_the_first_refusal_of_the_csms_ends_it_in_one_line() -> None:
    with practice_csms() as csms:
        driver = HttpDriver(csms.control_url)
    with pytest.raises(UsageError, match="--register: CP1 was not registered: ") as error:
        register(driver, [Identities("CP{n}").lease(1)], Version.V16)
    assert "\n" not in str(error.value)
