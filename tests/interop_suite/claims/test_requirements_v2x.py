"""The table of what the texts ask of a CSMS: every demand has cases or a reason, and every case a demand."""

from __future__ import annotations

import importlib.util
import re

import pytest

from interop_suite.catalogue import all_cases
from interop_suite.claims.certification import certification_list
from interop_suite.claims.requirements_v2x import Demand, demands
from ocppj.versions import Version
from tests.interop_suite.claims.requirements_page_v2x import PAGE, ids_of, modules_of, page

V2X = (Version.V201, Version.V21)


@pytest.mark.parametrize("demand", demands(), ids=lambda demand: demand.demand[:40])
def test_demand_has_cases_that_exist_or_a_reason(demand: Demand) -> None:
    assert demand.cases or demand.unseen
    assert demand.demand
    known = {case.id for case in all_cases() if case.ocpp in demand.versions}
    for pattern in demand.cases:
        if not pattern.startswith("claims:"):
            assert Demand.among(_only(demand, pattern), known), f"{pattern} is no case of {demand.ocpp}"
    for module in modules_of(demand):
        assert importlib.util.find_spec(f"interop_suite.claims.{module}")


def _only(demand: Demand, pattern: str) -> Demand:
    return Demand(
        ocpp=demand.ocpp,
        block=demand.block,
        use_cases=(),
        requirements=(),
        demand=demand.demand,
        cases=(pattern,),
        unseen="",
    )


@pytest.mark.parametrize("demand", [d for d in demands() if d.requirements], ids=lambda d: d.requirements[0])
def test_requirements_are_those_of_the_use_cases(demand: Demand) -> None:
    for number in demand.requirements:
        assert re.fullmatch(r"[A-S]\d\d\.FR\.\d{2,3}", number)
        assert number.partition(".")[0] in demand.use_cases


@pytest.mark.parametrize("version", V2X)
def test_every_case_of_the_list_looks_at_a_demand(version: Version) -> None:
    looked = {found for demand in demands() if version in demand.versions for found in ids_of(demand, version)}
    listed = {identifier for of, identifier in certification_list() if of is version}
    # No text of OCPP names MQTT, whose dialects have rules of their own.
    cases = {case.id for case in all_cases() if case.ocpp is version and case.block != "MQTT"}
    assert sorted((listed & cases) - looked) == []
    assert sorted(cases - looked) == []


def test_page_is_of_today() -> None:
    assert PAGE.read_text("utf-8") == page(), "run python -m tests.interop_suite.claims.requirements_page_v2x"
