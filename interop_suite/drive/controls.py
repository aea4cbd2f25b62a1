"""What a case asks of the CSMS's controls besides commands: tokens, payments, and what the CSMS kept."""

from __future__ import annotations

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import msgspec

from drivers.base import Driver, DriverCannotError, DriverError, Exchange, TokenSettings, token_need
from fixtures.tokens import TokenKind, made_up
from interop_suite.drive.dialogue import DIALOGUES
from interop_suite.drive.exchanges import collected, in_the_trace
from interop_suite.drive.setup import CsmsUnderTest, Setup
from interop_suite.drive.station import ScriptedStation
from interop_suite.drive.transport import NoWayError
from ocppj.errors import InconclusiveError
from ocppj.trace import Kind, TraceRecord

__all__ = ["Controls", "NoWayError"]

ONLINE_LOOK = 0.1
"""Seconds until the CSMS is asked once more whether a station is there; twice as long each time."""


class Controls(ABC):
    """The driver in the hands of a script; all that it is asked for goes into the trace."""

    def __init__(
        self,
        setup: Setup,
        target: CsmsUnderTest,
        driver: Driver,
        record: Callable[[TraceRecord], None],
        open_authorization: Callable[[], bool],
    ) -> None:
        """Ask for nothing yet; `open_authorization` finds out whether the CSMS accepts any token."""
        self.setup = setup
        self.version = setup.version
        self.target = target
        self.driver = driver
        self._record = record
        self._dialogue = DIALOGUES[setup.version]
        self._open_authorization = open_authorization

    @property
    @abstractmethod
    def station(self) -> ScriptedStation:
        """The station that the case is about."""

    # -- tokens and payments -----------------------------------------------------------------------------------------

    @staticmethod
    def made_up_token(kind: TokenKind = TokenKind.ISO14443) -> str:
        """Make up a token that looks like one of its kind."""
        return made_up(kind)

    def limited_token(self, **limit: float) -> str:
        """Get an accepted token whose sessions have a limit (2.1), in the words of TransactionLimitType."""
        return self._new_token("Accepted", limit=limit)

    def token(self, status: str = "Accepted", *, parent: str | None = None, expiry: str | None = None) -> str:
        """Get a token that the CSMS answers with a status."""
        known = self.target.tokens.get(status)
        if known is not None and _is_plain(status, parent, expiry):
            return known
        return self._new_token(status, parent=parent, expiry=expiry)

    def _new_token(
        self,
        status: str,
        *,
        parent: str | None = None,
        expiry: str | None = None,
        limit: dict[str, float] | None = None,
    ) -> str:
        token = self.made_up_token()
        if limit is None and _is_plain(status, parent, expiry) and self._takes_any_token(status):
            self.station.note(observed={"token": "made up: this CSMS accepts tokens that nobody gave it"})
            return token
        self.give_token(token, status, parent=parent, expiry=expiry, limit=limit)
        return token

    def priced_token(self, tariff: dict[str, Any]) -> str:
        """Get a token that the CSMS accepts and whose sessions cost what a tariff, as in 2.1, says."""
        token = self.made_up_token()
        self.give_token(token, "Accepted", tariff=tariff)
        return token

    def give_token(self, token: str, status: str, **settings: Any) -> None:
        """Make the CSMS know a token of our own choice; `settings` are more fields of `TokenSettings`."""
        given = TokenSettings(**{"status": status, "type": self._dialogue.token_type, **settings})
        self._driven(
            "set_token",
            lambda: self.driver.set_token(token, given, self.version),
            token=token,
            **msgspec.to_builtins(given),
        )

    def _takes_any_token(self, status: str) -> bool:
        if status != "Accepted" or self.driver.missing(token_need(status), self.version) is None:
            return False
        return self._open_authorization()

    def contract_id(self, status: str = "Accepted") -> str:
        """Get the eMAID of a contract that the CSMS accepts, or answers with another status."""
        token = self.made_up_token(TokenKind.EMAID)
        settings = TokenSettings(status=status, type=TokenKind.EMAID)
        self._driven(
            "set_token",
            lambda: self.driver.set_token(token, settings, self.version),
            token=token,
            **msgspec.to_builtins(settings),
        )
        return token

    def any_token(self) -> str:
        """Get a token for a case in which it does not matter what the CSMS says of it: accepted where we have one."""
        has_one = "Accepted" in self.target.tokens or self.driver.missing(token_need("Accepted"), self.version) is None
        if has_one or self._takes_any_token("Accepted"):
            return self.token()
        self.station.note(token_made_up=True)
        return self.made_up_token()

    def another_token(self) -> str:
        """Get a second accepted token where there can be one, for what a CSMS may refuse to one token twice."""
        if self.driver.missing(token_need("Accepted"), self.version) is not None and not self._open_authorization():
            return self.token()
        return self._new_token("Accepted")

    def unknown_token(self) -> str:
        """Make up a token that the CSMS cannot know, and note whether it has a list that this one is not on."""
        told = self.target.tokens.get("Invalid")
        keeps_list = told is not None or self.driver.missing(token_need("Accepted"), self.version) is None
        self.station.note(token_list=keeps_list)
        return told or f"FF{secrets.token_hex(6).upper()}"

    # -- records -----------------------------------------------------------------------------------------------------

    def recorded_transactions(self, identity: str) -> list[dict[str, Any]]:
        """Read what the CSMS recorded for a station, and write it into the trace for the judge."""
        rows: list[dict[str, Any]] = self._driven(
            "transactions", lambda: self.driver.transactions(identity, self.version), identity=identity
        )
        self._driver_record(identity, {"operation": "recorded", "transactions": rows})
        return rows

    def await_online(self, station: ScriptedStation, *, wanted: bool) -> None:
        """Read until the CSMS says of a station what is wanted, or time is out; the last word goes into the trace."""
        deadline = time.monotonic() + self.target.timeout
        look = ONLINE_LOOK
        while True:
            says = self._driven("read_online", lambda: self.driver.online(station.identity, self.version))
            if says is wanted or time.monotonic() >= deadline:
                info = {"operation": "online", "says": says, "is": station.connected}
                self._driver_record(station.identity, info)
                return
            station.listen(look)
            look *= 2

    def read_kept(self, identity: str) -> None:
        """Read, after the script, what the CSMS kept of a station's sessions; one that cannot tell is not judged."""
        seen: list[Exchange] = []
        try:
            with collected(seen):
                rows = self.driver.transactions(identity, self.version)
        except DriverError as error:
            cannot = {"cannot": True} if isinstance(error, DriverCannotError) else {}
            self._driver_record(identity, {"operation": "kept", "error": str(error), **cannot, **in_the_trace(seen)})
        else:
            self._driver_record(identity, {"operation": "kept", "transactions": rows, **in_the_trace(seen)})

    def _driven(self, operation: str, act: Callable[[], Any], **info: Any) -> Any:
        seen: list[Exchange] = []
        try:
            with collected(seen):
                result = act()
        except DriverError as error:
            told = {"operation": operation, **info, "error": str(error), **in_the_trace(seen)}
            self._driver_record(self.setup.name, told)
            kind = NoWayError if isinstance(error, DriverCannotError) else InconclusiveError
            raise kind(f"The driver could not do {operation}: {error}") from error
        self._driver_record(info.get("identity", ""), {"operation": operation, **info, **in_the_trace(seen)})
        return result

    def _driver_record(self, identity: str, info: dict[str, Any]) -> None:
        self._record(TraceRecord(t=time.monotonic(), station=identity, kind=Kind.DRIVER, info=info))


def _is_plain(status: str, parent: str | None, expiry: str | None) -> bool:
    """Return whether any token with a status will do: nothing is said of its group, and no date spoils it."""
    return parent is None and (expiry is None or status != "Accepted")
