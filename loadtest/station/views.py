"""What the parts of a station may see of the things it holds and of what it shares: connectors, sessions, the context.

`contract.py` says what the parts are, and what rules they keep.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Protocol

from fixtures.meter import Circuit, Reading
from fixtures.models import ConnectorModel
from loadtest.measuring.recorder import Recorder
from loadtest.station.dialect.contract import Ending, Mode, Payload, Said, Status, TransactionView, Trigger
from loadtest.timing.pacing import Draws
from loadtest.timing.timers import TimerQueue
from loadtest.transport.target import Target
from loadtest.workload.identities import Lease
from loadtest.workload.profile import Profile, Span
from loadtest.workload.vendor import Vendor
from ocppj.versions import Version

__all__ = [
    "ChargingSessionView",
    "ConnectorView",
    "ContextView",
    "Phase",
    "QueueView",
    "RecordView",
    "TransactionMessage",
]


class Phase(StrEnum):
    """How far a charging session is."""

    AUTHORIZING = "authorizing"
    CHARGING = "charging"
    LEAVING = "leaving"
    GONE = "gone"


class ConnectorView(Protocol):
    """A connector, as other parts see it."""

    charging_session: ChargingSessionView | None
    operative: bool
    """Whether it is in service."""
    energy_wh: float
    exported_wh: float
    """The meter's register, as the last car left it."""

    model: ConnectorModel
    status: Status

    @property
    def reading(self) -> Reading:
        """What its meter showed last."""

    def show(self, status: Status, intended_at: float) -> None:
        """Change the status, and tell the CSMS if it is another word in its version."""

    def tell(self, intended_at: float, *, triggered: bool = False) -> None:
        """Send the present status."""

    def rest(self, intended_at: float) -> None:
        """Show what a connector without a car shows."""


class ChargingSessionView(TransactionView, Protocol):
    """A charging session, as other parts see it."""

    circuit: Circuit
    phase: Phase
    reservation_id: int | None

    @property
    def bidirectional(self) -> BidirectionalView | None:
        """What the car does with energy in both directions; None where it only charges."""

    @property
    def connector(self) -> ConnectorView:
        """At which connector."""

    @property
    def record(self) -> RecordView:
        """What the ledger will hear of it."""

    def start_answered(self, payload: Payload | None) -> None:
        """Take the answer to the start of the transaction; None where the CSMS never gave one."""

    def read_meter(self, at: float) -> None:
        """Read the meter, which obeys the limits until then."""

    def report(self, at: float, trigger: Trigger) -> None:
        """Read the meter and send what it shows."""

    def follow_limit(self, at: float) -> None:
        """Show what a limit that changed at `at` does to the flow."""

    def suspend(self, at: float) -> None:
        """Let the car draw no more, until `resume`."""

    def resume(self, at: float) -> None:
        """Let the car draw again what it can."""

    def stop(self, ending: Ending, at: float) -> None:
        """End the transaction, if it runs."""

    def vanish(self, *, cut: bool = True) -> None:
        """Forget the charging session without a word; `cut` when something else than the driver ended it."""


class BidirectionalView(Protocol):
    """A car that feeds energy back, as commands see it."""

    def follow(self, setpoint: float, mode: Mode, at: float) -> bool:
        """Do as the CSMS says; below 0 W, the car feeds back."""

    def allow(self, transfers: Collection[str], at: float) -> None:
        """Take which kinds of transfer the CSMS allows."""


class RecordView(Protocol):
    """What the ledger will hear of a charging session, as the queue sees it; of starts and stops only."""

    def queued(self, *, is_start: bool) -> None:
        """Note that the message is to be told."""

    def building(self, action: str, payload: Payload, transaction_id: int | str | None, *, is_start: bool) -> None:
        """Note what it says, each time that it is sent."""

    def ended(self, payload: Payload | None, outcome: str, *, is_start: bool) -> None:
        """Note how one sending ended."""

    def cost(self, total: object) -> None:
        """Note what the driver is shown as the total cost."""

    def copied(self, *, is_start: bool) -> None:
        """Note that a message goes to the CSMS once more than the station sends it."""

    def settled(self, transaction_id: int | str | None) -> None:
        """Note that it will not be sent again, and how the transaction is called by now."""


class QueueView(Protocol):
    """The transaction messages, as a charging session sees them."""

    def add(
        self,
        said: Said,
        charging_session: ChargingSessionView,
        intended_at: float,
        *,
        is_start: bool = False,
        is_stop: bool = False,
    ) -> None:
        """Queue a message, and send it when nothing is before it."""


class TransactionMessage(Protocol):
    """A transaction message, as an observer sees it."""

    said: Said
    intended_at: float

    @property
    def charging_session(self) -> ChargingSessionView:
        """Which charging session it tells of."""


class ContextView(Protocol):
    """What all stations of a process share, as the parts of one see it."""

    timers: TimerQueue
    """Where everything waits that is to happen later."""
    recorder: Recorder
    """Who counts what happened."""
    profile: Profile
    """What the stations do all day."""
    vendor: Vendor
    """Whose firmware they run."""
    seed: int
    """What all draws begin with."""
    epoch: float
    """The moment from which all phases count: what the clock showed in 1970."""
    began: float
    """When the simulated day begins."""
    target: Target
    """The CSMS."""

    def clock(self) -> float:
        """Return the monotonic seconds."""

    def timestamp(self, now: float) -> str:
        """Write a moment of the clock as OCPP time stamps are written."""

    def draw(self, span: Span, draws: Draws) -> float:
        """Draw from a span of the profile."""

    def headers(self, lease: Lease, version: Version, changed: str | None = None) -> Mapping[str, str]:
        """Write a station's credentials; `changed` is a password that the CSMS has set since."""
