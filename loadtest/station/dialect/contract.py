"""How one version says what every charge point has to say; the differences are data and short builders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from fixtures.meter import Reading
from fixtures.models import ConnectorModel
from fixtures.models import Station as Individual
from ocppj.versions import Rules, Version

__all__ = ["Dialect", "Ending", "Mode", "OnEnd", "Payload", "Said", "Status", "TransactionView", "Trigger"]

Payload = dict[str, Any]
OnEnd = Callable[[Payload | None, str], object]
"""Gets the payload of the CALLRESULT, or None where there was none, and the outcome."""


class Status(StrEnum):
    """How a connector stands, in the words of 1.6 (§7.7), which tell most."""

    AVAILABLE = "Available"
    PREPARING = "Preparing"
    CHARGING = "Charging"
    SUSPENDED_EV = "SuspendedEV"
    SUSPENDED_EVSE = "SuspendedEVSE"
    FINISHING = "Finishing"
    RESERVED = "Reserved"
    UNAVAILABLE = "Unavailable"


class Ending(StrEnum):
    """Why a transaction ends."""

    LOCAL = "local"
    REMOTE = "remote"
    DE_AUTHORIZED = "de-authorized"
    UNLOCKED = "unlocked"
    SOFT_RESET = "soft-reset"
    HARD_RESET = "hard-reset"
    POWER_LOSS = "power-loss"


class Trigger(StrEnum):
    """Why a reading is sent."""

    PERIODIC = "periodic"
    CLOCK = "clock"
    ASKED = "asked"
    CHARGING_STATE = "charging-state"
    """Charging stopped or went on because a limit changed; 2.x has an event for that."""
    OPERATION_MODE = "operation-mode"
    """A car begins or ends to feed energy back (2.1)."""
    TARIFF = "tariff"
    """The CSMS changed the tariff of the transaction (2.1)."""


class Mode(StrEnum):
    """What a car does with energy in both directions (2.1 OperationModeEnumType), as far as these cars know it."""

    CHARGING = "ChargingOnly"
    BALANCING = "LocalLoadBalancing"
    SETPOINT = "CentralSetpoint"
    FREQUENCY = "CentralFrequency"


class Said(NamedTuple):
    """A transaction message: what is sent, with the payload built when its turn comes."""

    action: str
    build: Callable[[], Payload]


class TransactionView(Protocol):
    """A charging session, as a dialect sees it; of all this, a dialect sets the transaction id only."""

    token: str
    token_type: str
    transaction_id: int | str | None
    reservation_id: int | None
    """The reservation that it has used up."""
    remote_start_id: int | None
    """The number of the request by which the CSMS started it (2.x)."""
    started_at: float
    reading: Reading
    """What the meter showed last."""

    @property
    def model(self) -> ConnectorModel:
        """At what kind of connector it takes place, and at which one."""

    @property
    def status(self) -> Status:
        """How that connector stands."""

    @property
    def measurands(self) -> tuple[str, ...]:
        """What the meter reports."""

    @property
    def operation_mode(self) -> str | None:
        """What the car does with energy (2.1); None where it only charges, and nobody asks."""

    @property
    def register_wh(self) -> int:
        """The meter's register in whole Wh."""

    @property
    def online(self) -> bool:
        """Whether the CSMS hears of it now."""

    def timestamp(self, at: float) -> str:
        """Write a moment as OCPP time stamps are written."""

    def next_seq_no(self) -> int:
        """Count the next event of the transaction (OCPP 2.x E01)."""


class Dialect(Protocol):
    """The strategy of one version; without state, shared by all its stations."""

    version: Version
    rules: Rules
    ocpp: str
    """The version as text, for the recorder."""
    status_words: Mapping[Status, str]
    may_leave_transaction_unnamed: bool
    """Whether a TxProfile may leave out its transaction (OCPP 1.6 §7.8)."""
    tells_charging_state: bool
    """Whether a change of the charging state is an event of the transaction."""
    meter_values_in_transaction: bool
    """Whether the readings of a transaction travel as MeterValues."""
    heartbeat_setting: tuple[str, ...]
    """Where the CSMS sets the heartbeat interval."""
    meter_setting: tuple[str, ...]
    """Where the CSMS sets the interval of meter values."""

    def address(self, connector: ConnectorModel) -> int:
        """Return the number by which the CSMS names a connector: its own in 1.6, that of its EVSE in 2.x."""

    def boot(self, individual: Individual, *, remote: bool) -> Payload:
        """Introduce the station; `remote` after a reset by the CSMS."""

    def station_status(self, word: str, timestamp: str) -> list[Payload]:
        """Report the status of the whole station, in as many messages as the version has for that: one or none."""

    def status(self, connector: ConnectorModel, word: str, timestamp: str) -> Payload:
        """Report the status of a connector."""

    def faulted(self, connector: ConnectorModel, timestamp: str) -> Payload:
        """Report a fault of a connector."""

    def authorize(self, token: str) -> Payload:
        """Ask about a token."""

    def new_transaction_id(self, bits: int) -> str | None:
        """Make an id from 128 random bits where the station does that (2.x); else the CSMS will."""

    def meter_values(
        self, connector: ConnectorModel, reading: Reading, timestamp: str, trigger: Trigger = Trigger.ASKED
    ) -> Payload:
        """Report what a meter shows outside the messages of a transaction."""

    def started(self, charging_session: TransactionView, now: float) -> Said:
        """Report the begin of a transaction."""

    def metered(self, charging_session: TransactionView, at: float, trigger: Trigger) -> Said:
        """Report the last reading of a charging session, taken at `at`."""

    def ended(self, charging_session: TransactionView, ending: Ending, now: float) -> Said:
        """Report the end of a transaction."""

    def read_start(self, charging_session: TransactionView, answer: Mapping[str, Any] | None) -> bool:
        """Take the answer to `started`, None when there never was one; return whether the driver may go on."""
