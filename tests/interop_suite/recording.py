"""Hand-made histories, written as a transcript."""

from __future__ import annotations

from typing import Any

from interop_suite.claims.history import History
from ocppj.trace import Kind, TraceRecord
from ocppj.versions import RULES, Version

STATION = "CP1"


class Recording:
    """Builds the records of one attempt; every line is 10 ms after the one before."""

    def __init__(self, version: Version = Version.V16) -> None:
        self.version = version
        self.records: list[TraceRecord] = []
        self.connection = 1
        self.waited = 0.0
        self.add(Kind.NOTE, info={"role": "primary"})

    def add(self, kind: Kind, text: str | None = None, *, station: str = STATION, **fields: Any) -> Recording:
        t = self.waited + len(self.records) / 100
        self.records.append(
            TraceRecord(t=t, station=station, connection=self.connection, kind=kind, text=text, **fields)
        )
        return self

    def script(self) -> Recording:
        return self.add(Kind.NOTE, info={"phase": "script"})

    def opened(self, **info: Any) -> Recording:
        return self.add(Kind.HANDSHAKE, info={"status": 101, "subprotocol": RULES[self.version].subprotocol, **info})

    def opened_again(self) -> Recording:
        """Open the next connection of the same station."""
        self.connection += 1
        return self.opened()

    def closed(self, by: str = "csms", code: int | None = 1011) -> Recording:
        return self.add(Kind.CLOSED, info={"by": by, "code": code, "reason": ""})

    def sent(self, text: str) -> Recording:
        return self.add(Kind.SENT, text)

    def got(self, text: str) -> Recording:
        return self.add(Kind.RECEIVED, text)

    def wait(self, seconds: float) -> Recording:
        """Let some time pass in which nothing happens."""
        self.waited += seconds
        return self.note()

    def note(self, **info: Any) -> Recording:
        return self.add(Kind.NOTE, info=info)

    def driver(self, **info: Any) -> Recording:
        return self.add(Kind.DRIVER, info=info)

    def history(self) -> History:
        return History(self.records, self.version)


def begun(version: Version = Version.V16) -> Recording:
    """A recording whose script has begun on an open connection."""
    return Recording(version).opened().script()
