"""What the end of a connection says of who ended it, whoever judges it."""

from __future__ import annotations

from typing import Final

__all__ = ["INTERNAL_ERROR", "collapsed"]

INTERNAL_ERROR: Final = 1011
"""The close code of a server that ran into an error (RFC 6455 §7.4.1)."""


def collapsed(code: object, *, may_be_csms: bool, station_was_right: bool) -> bool:
    """Return whether the CSMS ended a connection for an error of its own.

    What a station did wrong before may be what the CSMS broke at; then it says nothing.
    """
    return code == INTERNAL_ERROR and may_be_csms and station_was_right
