"""Which token a remote start names: another one for each command, so that nothing is ever matched by chance."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Final

from fixtures.tokens import POOL_SIZE, pool_token

__all__ = ["MOST_TOKENS", "TokenStore"]

_LOOKED_AT: Final = 64
MOST_TOKENS: Final = 1000
"""Tokens that are made known to a CSMS before the measuring begins."""


class TokenStore:
    """The tokens that the CSMS was told of; the one that has rested longest is used next.

    A token is in use from its command until the transaction has ended: the same one at two connectors is ConcurrentTx
    (OCPP 1.6 §7.2).
    """

    def __init__(self) -> None:
        """Have none."""
        self._ready: deque[str] = deque()
        self._used: dict[str, str] = {}
        self.made = 0
        """How many were made."""

    def make(self) -> str:
        """Make one that no station has by itself: those count from the other end of the pool."""
        self.made += 1
        return pool_token(POOL_SIZE - self.made)

    def add(self, token: str) -> None:
        """Take one into use that the CSMS knows."""
        self._ready.append(token)

    def take(self, station: str, is_idle: Callable[[str], bool]) -> str | None:
        """Give one out for a station; None where none is known, or all are in use.

        One that has been out for longest comes back when its station `is_idle` again.
        """
        if not self._ready:
            for token, holder in islice(self._used.items(), _LOOKED_AT):
                if is_idle(holder):
                    self._ready.append(token)
            for token in self._ready:
                del self._used[token]
        if not self._ready:
            return None
        token = self._ready.popleft()
        self._used[token] = station
        return token

    def rest(self, token: str) -> None:
        """Take one back whose transaction never began, or is over."""
        if self._used.pop(token, None) is not None:
            self._ready.append(token)
