"""What a request comes to: the CSMS, its driver, the cases and what is declared about them."""

from __future__ import annotations

import msgspec

from drivers import factory
from drivers.base import Driver
from interop_suite.catalogue import Case
from interop_suite.drive.setup import CsmsUnderTest
from interop_suite.drive.transport import Trait
from interop_suite.run.features import Features, load_features
from interop_suite.run.recorded import cases_of
from interop_suite.run.request import InteropRequest
from interop_suite.run.selection import Expectation, load_expectations, select
from interop_suite.run.target import target_of

__all__ = ["Plan", "make_driver", "make_plan"]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A request that can work: whatever could be wrong with it was found while this was made."""

    request: InteropRequest
    target: CsmsUnderTest
    driver: Driver
    cases: list[Case]
    expectations: dict[str, Expectation]
    features: Features | None
    """What the CSMS claims; None where nobody said."""
    embedded: bool
    """Whether the CSMS is the practice CSMS of this very run."""


def make_plan(request: InteropRequest, *, embedded: bool) -> Plan:
    """Read everything that a request names; raises `UsageError` for what cannot work. The driver is to be closed."""
    cases = cases_of(request.recorded)
    features = load_features(request.features)
    versions = request.ocpp or (() if features is None else tuple(map(str, features)))
    target = target_of(request)
    chosen = select(cases, request.select, versions)
    if request.select is None and Trait.BROKER in target.transport.lacks:
        # What only a broker brings is tried without one where somebody asks for it.
        chosen = [case for case in chosen if Trait.BROKER not in case.needs]
    return Plan(
        features=features,
        request=request,
        target=target,
        expectations=load_expectations(request.expect, cases),
        # What may end the CSMS comes last, so that it costs the verdict of no other case.
        cases=sorted(chosen, key=lambda case: case.may_end_csms),
        driver=make_driver(request),
        embedded=embedded,
    )


def make_driver(request: InteropRequest) -> Driver:
    """Choose the driver that the request describes; raises `UsageError` for what cannot work."""
    return factory.make_driver(request.driver, request.driver_options, request.control_url, request.resume)
