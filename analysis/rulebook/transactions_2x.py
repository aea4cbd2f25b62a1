"""Transactions of 2.x: the station gives the id and numbers its events."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

from analysis.model import Side
from analysis.rulebook.contract import AnswerCheck, CallCheck, Exchange, Payload, StationView, Watcher
from analysis.rulebook.readings import Course, say_other_transaction

__all__ = ["Transactions2x"]

_REMEMBERED: Final = 64


class Transactions2x(Watcher):
    """Follows TransactionEvent and what the CSMS answers."""

    def __init__(self, station: StationView) -> None:
        """Start without transactions."""
        super().__init__(station)
        self._courses: OrderedDict[str, Course] = OrderedDict()
        self._count = 0

    @property
    def transactions(self) -> int:
        """Count the transactions that were seen."""
        return self._count

    @property
    def calls(self) -> Mapping[str, CallCheck]:
        """Return what to do with CALLs."""
        return {
            "TransactionEvent": self._event,
            "RequestStopTransaction": self._told_to_stop,
            "SetChargingProfile": self._profiled,
        }

    @property
    def answers(self) -> Mapping[str, AnswerCheck]:
        """Return what to do with CALLRESULTs."""
        return {"TransactionEvent": self._answered}

    @property
    def errors(self) -> Mapping[str, Callable[[Exchange, str], None]]:
        """Return what to do with CALLERRORs."""
        return {"TransactionEvent": self._refused}

    @property
    def losses(self) -> Mapping[str, CallCheck]:
        """Return what to do with CALLs that are never answered."""
        return {"TransactionEvent": self._unanswered}

    def course(self, exchange: Exchange) -> Course | None:
        """Return the course that the readings of an event belong to."""
        about = (exchange.payload or {}).get("transactionInfo")
        return None if about is None else self._courses.get(about["transactionId"])

    def _event(self, exchange: Exchange) -> None:
        station, payload = self.station, exchange.payload or {}
        kind, name, number = payload["eventType"], _name_of(payload), payload["seqNo"]
        course = self._courses.get(name)
        what = f"TransactionEvent {kind} of {_short(name)}"
        if course is not None and course.last == payload:
            if course.answered:
                station.find("resent-though-answered", f"{what}, seqNo {number}, was answered, and comes again")
            return
        if course is None:
            if kind != "Started" and station.traits.from_the_start:
                station.find("unknown-transaction", f"{what} without a Started before")
            self._count += 1
            course = self._courses[name] = Course((payload.get("evse") or {}).get("id", 0))
            # Whoever joins a transaction late knows no more than the number that it shows.
            course.seq_no = -1 if kind == "Started" and station.traits.own_stations else number - 1
            if len(self._courses) > _REMEMBERED:
                self._courses.popitem(last=False)
        elif kind == "Started":
            station.find("started-twice", f"{what} comes twice, and differs")
        if course.over:
            rule = "ended-twice" if kind == "Ended" else "after-the-end"
            station.find(rule, f"{what} after its end")
        elif number != course.seq_no + 1 and not (number > course.seq_no and self._station_in_gap()):
            station.find("sequence-gap", f"{what} has seqNo {number} after {course.seq_no}")
        course.seq_no, course.last, course.answered = number, payload, False
        course.over = course.over or kind == "Ended"
        course.reads(station, None, payload["timestamp"], what)

    def _station_in_gap(self) -> bool:
        return self.station.in_gap()

    def _answered(self, exchange: Exchange, answer: Payload) -> None:
        del answer
        course = self.course(exchange)
        if course is not None and course.last == exchange.payload:
            course.answered = True

    def _refused(self, exchange: Exchange, code: str) -> None:
        self._lose(exchange, f"the CSMS answered its TransactionEvent with {code[:60]}")

    def _unanswered(self, exchange: Exchange) -> None:
        self._lose(exchange, "the CSMS never answered its TransactionEvent")

    def _lose(self, exchange: Exchange, reason: str) -> None:
        if exchange.valid and (exchange.payload or {})["eventType"] in ("Started", "Ended"):
            course = self.course(exchange)
            if course is not None:
                self.station.lose(course.connector, Side.CSMS, reason, exchange.line)

    def _told_to_stop(self, exchange: Exchange) -> None:
        name = (exchange.payload or {})["transactionId"]
        course = self._courses.get(name)
        if course is not None and course.over and course.answered:
            self.station.find("stop-of-ended", f"RequestStopTransaction names {_short(name)}, which has ended")

    def _profiled(self, exchange: Exchange) -> None:
        payload = exchange.payload or {}
        name = payload["chargingProfile"].get("transactionId")
        say_other_transaction(self.station, self._courses.get(name), payload["evseId"])


def _name_of(payload: Payload) -> str:
    name: str = payload["transactionInfo"]["transactionId"]
    return name


def _short(name: str) -> str:
    return repr(name[:40])
