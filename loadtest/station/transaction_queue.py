"""The transaction messages of a station: in order, kept while offline, sent again after a failure.

OCPP 1.6 §3.7 and §3.7.1, OCPP 2.x E04 and E13: new ones wait for older ones; after a CALLERROR or no answer a message
is sent again, each time after a longer wait, and given up after the last attempt so that the others can go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loadtest.measuring.recorder import TO_CSMS
from loadtest.timing.backoff import retry_delay
from loadtest.workload.vendor import NEUTRAL
from ocppj.outcomes import Outcome

if TYPE_CHECKING:
    from loadtest.station.charging_session import Visit
    from loadtest.station.dialect.contract import Payload, Said
    from loadtest.station.station import Station
    from loadtest.timing.timers import Timer

__all__ = ["ATTEMPTS", "MOST_KEPT", "RETRY_INTERVAL", "UNDELIVERED", "Outbox"]

# What a vendor without habits of its own does.
ATTEMPTS: Final = NEUTRAL.retry.attempts
RETRY_INTERVAL: Final = NEUTRAL.retry.interval
MOST_KEPT: Final = NEUTRAL.queue

UNDELIVERED: Final = "transaction-message-undelivered"
_KEPT = (Outcome.LOST, Outcome.NEVER_SENT)
_UNANSWERED = (Outcome.LOST, Outcome.TIMEOUT)


class _Message:
    __slots__ = ("failures", "intended_at", "is_start", "is_stop", "message_id", "said", "tried", "visit")

    def __init__(self, said: Said, visit: Visit, intended_at: float, *, is_start: bool, is_stop: bool) -> None:
        self.said = said
        self.visit = visit
        self.intended_at = intended_at
        self.is_start = is_start
        self.is_stop = is_stop
        self.failures = 0
        self.message_id: str | None = None
        self.tried = False

    @property
    def is_money(self) -> bool:
        """Whether the ledger wants to know of it."""
        return self.is_start or self.is_stop


class Outbox:
    """The queue of one station; made when its first transaction begins."""

    __slots__ = ("_messages", "_on_way", "_retry", "station")

    def __init__(self, station: Station) -> None:
        """Start empty."""
        self.station = station
        self._messages: list[_Message] = []  # seldom more than one, and an empty deque is 0.6 KB
        self._on_way: _Message | None = None
        self._retry: Timer | None = None

    def __len__(self) -> int:
        return len(self._messages)

    def add(
        self, said: Said, visit: Visit, intended_at: float, *, is_start: bool = False, is_stop: bool = False
    ) -> None:
        """Queue a message, and send it when nothing is before it."""
        message = _Message(said, visit, intended_at, is_start=is_start, is_stop=is_stop)
        if message.is_money:
            visit.entry.queued(is_start=is_start)
        if len(self._messages) >= self.station.fleet.vendor.queue:
            self._count_undelivered(message)
            return
        self._messages.append(message)
        self.pump()

    def pump(self) -> None:
        """Send the oldest message if that is possible now."""
        station = self.station
        if not self._messages or self._on_way is not None or self._retry is not None or not station.online:
            return
        message = self._on_way = self._messages[0]
        message.tried = True
        if message.message_id is None and station.fleet.vendor.quirks.retries_with_same_id:
            message.message_id = (station.spoken or station.fleet.new_id)()
        # While it was offline a station intended nothing; what it kept falls due when it is back.
        intended_at = max(message.intended_at, station.online_since)
        action, payload, visit = message.said.action, message.said.build(), message.visit
        if message.is_money:
            visit.entry.building(action, payload, visit.transaction_id, is_start=message.is_start)
        station.call(action, payload, intended_at, self._ended, message_id=message.message_id)

    def close(self) -> None:
        """Give up everything that was not delivered."""
        self.station.fleet.timers.cancel(self._retry)
        self._retry = None
        for message in self._messages:
            self._count_undelivered(message)
        self._messages.clear()
        self._on_way = None

    def _ended(self, payload: Payload | None, outcome: str) -> None:
        message, self._on_way = self._on_way, None
        if message is None or not self._messages or self._messages[0] is not message:
            return
        if message.is_money:
            message.visit.entry.ended(payload, outcome, is_start=message.is_start)
        if payload is None and not self._forgets(message, outcome):
            if outcome in _KEPT:
                return
            message.failures += 1
            retry = self.station.fleet.vendor.retry
            delay = retry_delay(retry.interval, message.failures, retry.attempts)
            if delay is not None:
                self._wait(message, delay)
                return
            self.station.fleet.recorder.fault(UNDELIVERED)
        del self._messages[0]
        if message.is_start:
            message.visit.start_answered(payload)
        if message.is_money:
            message.visit.entry.settled(message.visit.transaction_id)
        watch = self.station.fleet.watch
        if watch is not None and payload is not None:
            watch.delivered(self.station, message, payload)
        self.pump()

    def _forgets(self, message: _Message, outcome: str) -> bool:
        """Tell whether the station gives up the start of a transaction that nobody answered."""
        forgets = self.station.fleet.vendor.quirks.forgets_lost_start
        return forgets and message.said.action == "StartTransaction" and outcome in _UNANSWERED

    def _wait(self, message: _Message, delay: float) -> None:
        due = self.station.fleet.clock() + delay
        message.intended_at = due
        self._retry = self.station.fleet.timers.at(due, self._retry_due)

    def _retry_due(self, _: float) -> None:
        self._retry = None
        self.pump()

    def _count_undelivered(self, message: _Message) -> None:
        fleet = self.station.fleet
        if message.is_money:
            if message is self._on_way:
                message.visit.entry.ended(None, Outcome.LOST, is_start=message.is_start)
            message.visit.entry.settled(message.visit.transaction_id)
        fleet.recorder.fault(UNDELIVERED)
        if message.tried:
            return  # each try was counted with its own outcome
        now = fleet.clock()
        waited = max(0.0, now - message.intended_at)
        ocpp = self.station.dialect.ocpp
        fleet.recorder.call(ocpp, message.said.action, TO_CSMS, Outcome.NEVER_SENT, None, waited, now)
