"""Why a connection attempt failed, in the words of `Attempt`; pure."""

from __future__ import annotations

import errno
from typing import Final

from websockets.exceptions import InvalidStatus, NegotiationError

from loadtest.transport.contract import Attempt

__all__ = ["connect_failure", "one_line", "upgrade_failure"]

_BY_CODE: Final = {
    errno.ECONNREFUSED: Attempt.REFUSED,
    errno.EADDRNOTAVAIL: Attempt.NO_LOCAL_PORT,
    errno.EAGAIN: Attempt.NO_LOCAL_PORT,
    errno.EMFILE: Attempt.NO_FILE_DESCRIPTOR,
    errno.ENFILE: Attempt.NO_FILE_DESCRIPTOR,
    errno.ETIMEDOUT: Attempt.CONNECT_TIMEOUT,
    errno.ECONNRESET: Attempt.RESET,
}
_MOST_CHARACTERS: Final = 200


def connect_failure(code: int) -> Attempt:
    """Classify the `errno` with which TCP did not come up."""
    return _BY_CODE.get(code, Attempt.UNREACHABLE)


def upgrade_failure(error: Exception | None) -> str:
    """Classify an upgrade that the CSMS did not grant: an `Attempt`, or `http-<status>`."""
    if isinstance(error, InvalidStatus):
        return f"http-{error.response.status_code}"
    return Attempt.NO_SUBPROTOCOL if isinstance(error, NegotiationError) else Attempt.BAD_UPGRADE


def one_line(error: Exception | None) -> str:
    """Write an error in one line that is not too long."""
    return " ".join(str(error).split())[:_MOST_CHARACTERS]
