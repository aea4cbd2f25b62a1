"""Whether a CSMS lets in stations that nobody registered: then cases that make up an identity need no driver."""

from __future__ import annotations

import secrets

from interop_suite.catalogue import inquiry
from interop_suite.claims.exchange import AnswerKind
from interop_suite.claims.history import History
from interop_suite.drive.probe import Probe

STRANGER = "stranger"


def accepts_strangers(history: History) -> bool:
    """Return whether the boot of a station that nobody registered was accepted."""
    boots = history.calls("BootNotification", role=STRANGER)
    return any(boot.kind is AnswerKind.RESULT and boot.result.get("status") == "Accepted" for boot in boots)


@inquiry(need="register", is_met=accepts_strangers)
def open_registration(probe: Probe) -> None:
    """Connect and boot as a station that the CSMS has never heard of."""
    station = probe.known_station(STRANGER, f"PS{secrets.token_hex(6).upper()}")
    if station.connect().opened:
        probe.send_boot(station)
