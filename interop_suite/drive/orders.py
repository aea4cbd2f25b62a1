"""Commands that the CSMS is made to send: each an order to its driver, and an outcome."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import msgspec

from drivers.base import CommandResult, Driver, DriverCannotError, DriverError, Exchange
from interop_suite.drive.answers import Order
from interop_suite.drive.controls import Controls
from interop_suite.drive.exchanges import collected, in_the_trace
from interop_suite.drive.setup import CsmsUnderTest, Setup
from interop_suite.drive.station import ScriptedStation
from interop_suite.drive.transport import NoWayError
from ocppj.trace import TraceRecord

__all__ = ["COMMAND_GRACE", "CsmsIntrospection", "Orders"]

COMMAND_GRACE = 10.0
"""Seconds for the CSMS's API to do what it was asked for, besides the patience with its answers."""
ORDER_PATIENCE = 10.0
"""Seconds for a thread of ours to hand over a command."""
ORDER_LOOK = 0.005


class CsmsIntrospection(Protocol):
    """What only a CSMS of our own tells: then its silence counts, and never that the machine is busy."""

    def settle(self) -> None:
        """Wait until it has dealt with all that was sent to it."""

    def ordered(self, identity: str) -> int:
        """Count the commands for a station that its operator has asked it for."""


class Orders(Controls):
    """The driver as the one who gives commands, each in a thread of its own while the station is served."""

    def __init__(
        self,
        setup: Setup,
        target: CsmsUnderTest,
        driver: Driver,
        record: Callable[[TraceRecord], None],
        open_authorization: Callable[[], bool],
        *,
        introspection: CsmsIntrospection | None,
    ) -> None:
        """Order nothing yet."""
        super().__init__(setup, target, driver, record, open_authorization)
        self._introspection = introspection
        self._orders: dict[str, list[Future[Any]]] = {}
        self._seen: dict[Future[Any], list[Exchange]] = {}
        """What the driver exchanged for each command; complete once it is done."""
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="driver")

    def trigger(self, action: str, payload: dict[str, Any], *, station: ScriptedStation | None = None) -> Future[Any]:
        """Have the CSMS send a CALL; the future ends with what its API says. Wait for it with `outcome`."""
        target = station or self.station
        handed_over = self.driver.handed_over(action, self.version)
        self._driver_record(
            target.identity,
            {"operation": "trigger", "action": action, "payload": payload}
            | ({} if handed_over is None else {"handed_over": handed_over}),
        )
        target.orders[action] = Order(payload=payload, handed_over=handed_over, after=len(target.received(action)))
        seen: list[Exchange] = []

        def give() -> CommandResult:
            with collected(seen):
                return self.driver.command(target.identity, action, payload, self.version)

        future = self._pool.submit(give)
        self._seen[future] = seen
        self._orders.setdefault(target.identity, []).append(future)
        future.add_done_callback(lambda _: target.wake())
        return future

    def outcome(
        self, action: str, future: Future[Any], *, station: ScriptedStation | None = None, patience: float = 0.0
    ) -> CommandResult | None:
        """Serve the station until the CSMS's API has answered for a command; None when it never did.

        `patience` is for commands that the station lets time out, in seconds.
        """
        target = station or self.station
        told = max(self.target.command_timeout or 0.0, self.driver.patience)
        longest = max(self.target.timeout + COMMAND_GRACE, told, patience)
        self._await(target, action, future, longest)
        if not future.done():
            silence = f"the driver gave no answer for {action} within {longest:g} s"
            self._driver_record(target.identity, {"operation": "outcome", "action": action, "error": silence})
            return None
        error = future.exception()
        if error is not None:
            info = {"operation": "outcome", "action": action, "error": str(error), **in_the_trace(self._seen[future])}
            cannot = {"cannot": True} if isinstance(error, DriverCannotError) else {}
            self._driver_record(target.identity, info | cannot)
            return None
        result: CommandResult = future.result()
        if result.status != "sent" and action in target.orders:
            target.orders[action].closed = True
            target.orders[action].refused = result.status == "error" and result.origin == "csms"
        self._driver_record(
            target.identity,
            {"operation": "outcome", "action": action, "result": msgspec.to_builtins(result)}
            | in_the_trace(self._seen[future]),
        )
        if result.status == "sent":
            # An API that only takes orders says nothing of when they go out: a queue may be behind it.
            target.await_order(action, self.command_patience)
        return result

    def _await(self, target: ScriptedStation, action: str, future: Future[Any], longest: float) -> None:
        """Serve the station until the driver is done; a person need not say that a CALL has come which is there."""
        operator = self.driver.operator
        if operator is not None:
            after = target.orders[action].after if action in target.orders else 0
            target.pump(lambda: future.done() or len(target.received(action)) > after, longest)
            if len(target.received(action)) > after:
                operator.command_arrived()
        target.await_future(future, longest)

    @property
    def command_patience(self) -> float:
        """Seconds for a command to come, however long the CSMS keeps it in a queue."""
        return max(self.target.patience_with_commands, self.driver.patience)

    def command(self, action: str, payload: dict[str, Any], **keywords: Any) -> CommandResult | None:
        """Have the CSMS send a CALL and wait until its API has answered."""
        return self.outcome(action, self.trigger(action, payload, **keywords), **keywords)

    def pay_on_web(self, station: ScriptedStation, evse: int, totp: str | None = None) -> bool:
        """Pay on the page that the code of an EVSE leads to, and serve the station; says whether it was taken.

        Raises `NoWayError` where the driver cannot do it.
        """
        info: dict[str, Any] = {"operation": "web_payment", "evse": evse}
        future = self._pool.submit(self.driver.web_payment, station.identity, evse, totp, self.version)
        future.add_done_callback(lambda _: station.wake())
        station.await_future(future, max(self.target.timeout + COMMAND_GRACE, self.driver.patience))
        error = future.exception() if future.done() else DriverError("web_payment: no answer in time")
        if isinstance(error, DriverCannotError):
            raise NoWayError(f"The driver could not do web_payment: {error}") from error
        if isinstance(error, DriverError):
            self._driver_record(station.identity, {**info, "refused": str(error)})
            return False
        if error is not None:
            raise error
        self._driver_record(station.identity, info)
        return True

    def _settle(self) -> None:
        assert self._introspection is not None
        deadline = time.monotonic() + ORDER_PATIENCE
        while not self._orders_arrived(self._introspection) and time.monotonic() < deadline:
            time.sleep(ORDER_LOOK)
        self._introspection.settle()

    def _orders_arrived(self, introspection: CsmsIntrospection) -> bool:
        return all(
            introspection.ordered(identity) >= len(orders) or all(order.done() for order in orders)
            for identity, orders in self._orders.items()
        )
