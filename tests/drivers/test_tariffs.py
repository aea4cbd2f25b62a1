"""Tariffs of tokens: given to a CSMS that has them, and said to be missing where it has none."""

from __future__ import annotations

import pytest
import requests

from drivers.base import DriverCannotError, TokenSettings
from drivers.http import HttpDriver
from fixtures.csms import practice_csms
from interop_suite.run.plan import make_driver
from interop_suite.run.request import InteropRequest
from ocppj.versions import Version
from tests.drivers.stub_api import Said, StubApi
from tests.drivers.yaml_drivers import driver

TARIFF = {"tariffId": "driver", "currency": "EUR", "energy": {"prices": [{"priceKwh": 0.31}]}}
PRICED = TokenSettings(status="Accepted", tariff=TARIFF)


def test_api_that_does_not_repeat_the_tariff_has_none_no_false_alarm() -> None:
    with StubApi(lambda _: Said(body={"idToken": "T", "status": "Accepted"})) as api:
        built_in = HttpDriver(api.url)
        built_in.set_token("T", TokenSettings(status="Accepted"), Version.V201)
        with pytest.raises(DriverCannotError, match="has none for tokens"):
            built_in.set_token("T", PRICED, Version.V201)
        built_in.close()


@pytest.mark.parametrize("name", ["http", "practice"])
def test_practice_csms_takes_the_tariff_from_either_driver(name: str) -> None:
    with practice_csms() as csms:
        made = make_driver(InteropRequest(driver=name, control_url=csms.control_url))
        assert made.missing("token:tariff", Version.V21) is None
        made.set_token("T", PRICED, Version.V21)
        made.close()
        entry = csms.do(lambda practice: practice.world.tokens.find("T"))
    assert entry is not None
    assert entry.tariff == TARIFF


def test_tariff_outside_its_schema_is_refused_by_the_practice_csms() -> None:
    with practice_csms() as csms:
        body = {"status": "Accepted", "tariff": {"tariffId": "driver"}}
        response = requests.put(f"{csms.control_url}/tokens/T", json=body, timeout=10)
    assert response.status_code == 400
    assert "currency" in response.json()["error"]


@pytest.mark.parametrize(
    ("token", "missing"),
    [
        ("{http: {url: '/{{ token }}'}}", "driver test does not set the tariff of a token (operations.token)"),
        ("{http: {url: '/{{ token }}', body: {price: '{{ tariff | default(omit) }}'}}}", None),
        ("[{statuses: [tariff], http: {url: '/priced'}}, {http: {url: '/{{ token }}'}}]", None),
    ],
)
def test_tariff_of_a_token_is_set_only_where_the_file_uses_it(token: str, missing: str | None) -> None:
    with driver(f"  token: {token}\n") as driven:
        assert driven.missing("token:tariff", Version.V21) == missing


def test_tariff_goes_to_the_operation_that_is_for_it() -> None:
    ways = "[{statuses: [tariff], http: {method: PUT, url: /priced, body: '{{ tariff }}'}}, {http: {url: /plain}}]"
    with StubApi() as api, driver(f"  token: {ways}\n", url=api.url) as driven:
        driven.set_token("T", PRICED, Version.V21)
        driven.set_token("U", TokenSettings(status="Accepted"), Version.V21)
        assert [asked.route for asked in api.asked] == ["PUT /priced", "GET /plain"]
        assert api.asked[0].json == TARIFF
