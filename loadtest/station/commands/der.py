"""Distributed energy resources of 2.1: controls are kept, shown and cleared, without an effect on a load (R04)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from fixtures.payloads.v21 import report_der_control
from loadtest.station.commands.common import Reaction, Request
from loadtest.station.contract import Controls, Host, State
from loadtest.station.state.store import need, peek

__all__ = ["DerControls", "clear_der_control", "get_der_control", "set_der_control"]


_MOST: Final = 24
"""As many as one ReportDERControl holds of a kind."""


class _Field(NamedTuple):
    """Where a control stands in SetDERControl and in ReportDERControl."""

    name: str
    inner: str
    full: bool = True
    """Whether the report says isDefault and isSuperseded of it."""


_FIELDS: Mapping[str, _Field] = MappingProxyType(
    {
        "EnterService": _Field("enterService", "enterService", full=False),
        "FixedPFAbsorb": _Field("fixedPFAbsorb", "fixedPF"),
        "FixedPFInject": _Field("fixedPFInject", "fixedPF"),
        "FixedVar": _Field("fixedVar", "fixedVar"),
        "FreqDroop": _Field("freqDroop", "freqDroop"),
        "Gradients": _Field("gradient", "gradient", full=False),
        "LimitMaxDischarge": _Field("limitMaxDischarge", "limitMaxDischarge"),
    }
)
_CURVE = _Field("curve", "curve")


def _field(control: Request) -> _Field:
    return _FIELDS.get(control["controlType"], _CURVE)


class DerControls(State):
    """The controls of one station."""

    __slots__ = ("by_id",)

    def __init__(self, station: Host) -> None:
        """Start without any."""
        super().__init__(station)
        self.by_id: dict[str, Request] = {}
        """As they came."""


def _kept(station: Controls) -> dict[str, Request]:
    found = peek(station, DerControls)
    return {} if found is None else found.by_id


def set_der_control(station: Controls, request: Request, answer: Request) -> Reaction:
    """Keep a control; a default replaces the default before it."""
    if _field(request).name not in request:
        # The type names a control that the message does not hold.
        return Reaction("Rejected")
    kept = _kept(station)
    superseded = [
        number
        for number, other in kept.items()
        if number != request["controlId"]
        and other["isDefault"] == request["isDefault"]
        and other["controlType"] == request["controlType"]
    ]
    left = {number: other for number, other in kept.items() if number not in superseded}
    if len(left | {request["controlId"]: request}) > _MOST:
        return Reaction("Rejected")
    if superseded:
        answer["supersededIds"] = superseded
    return Reaction(then=partial(_keep, station, left | {request["controlId"]: request}))


def _keep(station: Controls, controls: dict[str, Request]) -> None:
    need(station, DerControls).by_id = controls


def _matching(station: Controls, request: Request) -> dict[str, Request]:
    kept = _kept(station)
    return {
        number: control
        for number, control in kept.items()
        if request.get("controlId") in (None, number)
        and request.get("controlType") in (None, control["controlType"])
        and request.get("isDefault") in (None, control["isDefault"])
    }


def get_der_control(station: Controls, request: Request, _: Request) -> Reaction:
    """Report the controls that fit."""
    found = _matching(station, request)
    return (
        Reaction("Accepted", partial(_report, station, request["requestId"], found)) if found else Reaction("NotFound")
    )


def _report(station: Controls, request_id: int, found: dict[str, Request]) -> None:
    lists: dict[str, list[Any]] = {}
    for number, control in found.items():
        field = _field(control)
        shown: Request = {"id": number, field.inner: control[field.name]}
        if field.full:
            shown |= {"isDefault": control["isDefault"], "isSuperseded": False}
        if field is _CURVE:
            shown["curveType"] = control["controlType"]
        lists.setdefault(field.name, []).append(shown)
    payload = report_der_control(request_id, tbc=None, **lists)
    station.call("ReportDERControl", payload, station.context.clock(), triggered=True)


def clear_der_control(station: Controls, request: Request, _: Request) -> Reaction:
    """Remove the controls that fit."""
    found = _matching(station, request)
    if not found:
        return Reaction("NotFound")
    kept = _kept(station)
    left = {number: control for number, control in kept.items() if number not in found}
    return Reaction(then=partial(_keep, station, left))
