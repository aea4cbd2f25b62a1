"""What a 2.x station does with the orders of its operator: it answers them, and tells what follows in parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fixtures.payloads import v2x
from interop_suite.claims.expected import Expected, shown
from interop_suite.drive.answers import Answer
from interop_suite.drive.probe import Probe, now
from interop_suite.drive.station import ScriptedStation

__all__ = ["nothing_but", "obey", "send_customer_data", "send_display_messages", "send_events", "send_monitors"]

Payload = dict[str, Any]


def obey(
    probe: Probe, action: str, order: Payload, reply: Payload | Callable[[Payload], Payload]
) -> dict[str, Any] | None:
    """Have an order given and answer its CALL; gives the payload that came, None where none did."""
    probe.station.reply(action, reply)
    probe.command(action, order)
    return probe.station.expect(action)


def send_monitors(station: ScriptedStation, request: Mapping[str, Any], parts: Sequence[Sequence[Payload]]) -> None:
    """Send a monitoring report under the number that the CSMS gave its request; all parts but the last have `tbc`."""
    for number, part in enumerate(parts):
        more = number < len(parts) - 1
        report = v2x.notify_monitoring_report(request.get("requestId", 0), number, now(), part, tbc=more)
        station.call("NotifyMonitoringReport", report)


def send_customer_data(station: ScriptedStation, request: Mapping[str, Any], parts: Sequence[str]) -> None:
    """Send what is kept of a customer, likewise."""
    for number, part in enumerate(parts):
        more = number < len(parts) - 1
        report = v2x.notify_customer_information(request.get("requestId", 0), number, now(), part, tbc=more)
        station.call("NotifyCustomerInformation", report)


def send_display_messages(
    station: ScriptedStation, request: Mapping[str, Any], parts: Sequence[Sequence[Payload]]
) -> None:
    """Send installed messages, likewise."""
    for number, part in enumerate(parts):
        more = number < len(parts) - 1
        station.call("NotifyDisplayMessages", v2x.notify_display_messages(request.get("requestId", 0), part, tbc=more))


def send_events(station: ScriptedStation, *parts: Sequence[Payload]) -> list[Answer]:
    """Send events, each part as one NotifyEvent; all parts but the last have `tbc`."""
    return [
        station.call("NotifyEvent", v2x.notify_event(number, now(), part, tbc=number < len(parts) - 1))
        for number, part in enumerate(parts)
    ]


def nothing_but(*allowed: Any, absent: bool = False) -> Expected:
    """Expect a list with exactly some entries, in any order; `absent` allows that there is none."""

    def look(value: Any) -> str | None:
        if value is None and absent:
            return None
        same = isinstance(value, list) and len(value) == len(allowed) and all(entry in value for entry in allowed)
        return None if same else f"is {shown(value)} instead of {list(allowed)!r}"

    return look
