"""What a CSMS says to a station that sends more messages in a second than it takes of one."""

from __future__ import annotations

import re

__all__ = ["is_limited"]

_LIMITED = re.compile(r"(?i)\brate.?limit|\btoo many (?:requests|messages|calls)\b")


def is_limited(text: str) -> bool:
    """Return whether a text says that it was too much in too short a time."""
    return _LIMITED.search(text) is not None
