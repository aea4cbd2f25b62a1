"""What became of each command: the API's answer, the CALL at a station and its effect, brought together.

The three come in any order and from different processes. Everything here is a pure function of what is told, at the
times that are told with it; all times are seconds of the leader's monotonic clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final
from zlib import crc32

import msgspec

from evidence.plugin_results import CommandOutcome
from loadtest.workload.command_catalogue import KEYS, Effect, Recipe
from loadtest.workload.commands import Errand

__all__ = ["Api", "CommandOutcome", "Matcher", "SeenEffect", "Sent", "digest_of", "key_of"]

_MOST_STRAYS: Final = 10_000
_REPORTING: Final = 5.0
"""Seconds that what a station saw may take to be known here."""


class Api(StrEnum):
    """What the CSMS's API said of a command."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    SENT = "sent"
    """It was taken, and the station's answer is not told."""
    CALLERROR = "callerror"
    """Of the station."""
    UNANSWERED = "unanswered"
    """The CSMS says that the station did not answer."""
    ERROR = "api-error"
    TIMEOUT = "api-timeout"


class SeenEffect(StrEnum):
    """What a station tells of after it has seen a command."""

    STARTED = "started"
    REFUSED = "refused"
    """The CSMS answered the start of the transaction with a no."""
    METERED = "metered"
    ENDED = "ended"
    BOOTED = "booted"
    TRIGGERED = "triggered"
    LIMITED = "limited"


_EFFECTS: Final = {
    Effect.METERED: SeenEffect.METERED,
    Effect.ENDED: SeenEffect.ENDED,
    Effect.BOOTED: SeenEffect.BOOTED,
    Effect.TRIGGERED: SeenEffect.TRIGGERED,
    Effect.LIMITED: SeenEffect.LIMITED,
}


def key_of(action: str, payload: Any) -> str:
    """Read what tells a command from others of its action; an empty text where nothing does."""
    for path in (KEYS.get(action, ()), _SECOND_KEYS.get(action, ())):
        value = payload
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        if path and value is not None:
            return str(value)
    return ""


_SECOND_KEYS: Final = {"SetChargingProfile": ("chargingProfile", "id")}


def digest_of(payload: Any) -> int:
    """Sum a payload up in 32 bits, whatever the order of its fields."""
    return crc32(msgspec.json.encode(payload, order="deterministic"))


class Sent(msgspec.Struct, kw_only=True, eq=False, weakref=True):
    """One command on its way."""

    errand: Errand
    recipe: Recipe
    ocpp: str
    station: str
    payload: dict[str, Any]
    key: str
    digest: int
    intended: float
    sent: float
    token: str = ""
    """That it was sent with; empty where it needs none."""
    answered: float | None = None
    api: Api | None = None
    why: str = ""
    """What the API said when it failed."""
    seen: float | None = None
    seen_again: int = 0
    taken: bool = False
    """Whether the station accepted it."""
    started: float | None = None
    effect: float | None = None
    refused: bool = False
    cut_short: bool = False
    """Whether the transaction ended before its first meter value."""
    strayed: CommandOutcome | None = None

    @property
    def expects_effect(self) -> bool:
        """Whether something has to follow that the station tells of."""
        return self.taken and self.recipe.effect is not Effect.NONE

    def verdict(self) -> CommandOutcome:
        """Return how it ended, from what is known by now."""
        if self.strayed is not None:
            return self.strayed
        if self.api is Api.ERROR:
            return CommandOutcome.API_ERROR
        if self.seen is None:
            return CommandOutcome.OPEN if self.api is None else CommandOutcome.NEVER_SEEN
        if self.api is Api.TIMEOUT:
            return CommandOutcome.API_TIMEOUT
        if not self.taken or self.api in (Api.REJECTED, Api.CALLERROR):
            return CommandOutcome.REJECTED
        if self.refused:
            return CommandOutcome.NO_EFFECT
        if self.expects_effect and self.effect is None:
            return CommandOutcome.OPEN if self.cut_short else CommandOutcome.NO_EFFECT
        return CommandOutcome.OPEN if self.api is None else CommandOutcome.ACCEPTED


class Matcher:
    """All commands that are still open; `close` takes each one that is over, once."""

    def __init__(self, close: Callable[[Sent, CommandOutcome], object]) -> None:
        """Begin with none."""
        self._close = close
        self._open: dict[int, Sent] = {}
        self._at: dict[str, list[Sent]] = {}
        self._by_key: dict[tuple[str, str], Sent] = {}
        self._strays: deque[tuple[str, str, int, float]] = deque(maxlen=_MOST_STRAYS)
        self.strays = 0
        """CALLs that stations saw and nobody here asked for."""

    def __len__(self) -> int:
        return len(self._open)

    def at(self, station: str) -> list[Sent]:
        """List what is open at a station."""
        return self._at.get(station, [])

    # -- what is told ------------------------------------------------------------------------------------------------

    def begin(self, sent: Sent) -> None:
        """Note a command that is being handed to the API."""
        self._open[id(sent)] = sent
        self._at.setdefault(sent.station, []).append(sent)
        if sent.key and sent.recipe.action not in _SHARED_KEYS:
            self._by_key[sent.recipe.action, sent.key] = sent

    def answered(self, sent: Sent, api: Api, at: float, why: str = "") -> None:
        """Note what the API said."""
        sent.api, sent.answered, sent.why = api, at, why

    def seen(self, station: str, action: str, key: str, digest: int, at: float, *, taken: bool) -> None:
        """Note that a station saw a CALL and answered it."""
        sent = self._find(station, action, key)
        if sent is None:
            self.strays += 1
            self._strays.append((station, action, digest, at))
            return
        if sent.station != station:
            sent.strayed = CommandOutcome.WRONG_STATION
            return
        if sent.seen is not None:
            sent.seen_again += 1
            return
        if key != sent.key and action in _TOKEN_KEYS:
            sent.strayed = CommandOutcome.WRONG_TOKEN
        sent.seen, sent.taken = at, taken

    def did(self, station: str, seen_effect: SeenEffect, key: str, at: float) -> None:
        """Note what a station did after it had seen a command."""
        for sent in self.at(station):
            if sent.seen is None or sent.effect is not None:
                continue
            effect = sent.recipe.effect
            if effect is Effect.METERED and sent.key == key:
                if seen_effect is SeenEffect.STARTED:
                    sent.started = at
                elif seen_effect is SeenEffect.REFUSED:
                    sent.refused = True
                elif seen_effect is SeenEffect.ENDED:
                    sent.cut_short = True
            if _EFFECTS.get(effect) is seen_effect and (not key or sent.key == key):
                sent.effect = at
                return

    # -- what is over ------------------------------------------------------------------------------------------------

    def settle(self, now: float) -> None:
        """Close every command of which nothing more will be known."""
        for sent in [sent for sent in self._open.values() if self._is_over(sent, now)]:
            self._finish(sent, sent.verdict())

    def end(self, stopped: float) -> None:
        """Close all: nothing more will come. What the end at `stopped` gave no time to happen stays open."""
        for sent in list(self._open.values()):
            verdict, command = sent.verdict(), sent.errand.command
            answered = stopped if sent.answered is None else sent.answered
            if (
                (verdict in (CommandOutcome.NEVER_SEEN, CommandOutcome.API_ERROR) and answered >= stopped)
                or (
                    verdict is CommandOutcome.NEVER_SEEN
                    and sent.api is Api.SENT
                    and stopped - answered < command.timeout
                )
                or (verdict is CommandOutcome.NO_EFFECT and not sent.refused and not _waited(sent, stopped))
            ):
                verdict = CommandOutcome.OPEN
            self._finish(sent, verdict)

    def _is_over(self, sent: Sent, now: float) -> bool:
        if sent.api is None or sent.answered is None:
            return False
        command = sent.errand.command
        if sent.strayed is not None:
            return True
        if sent.seen is None:
            grace = _REPORTING if sent.api is Api.ERROR else max(command.timeout, _REPORTING)
            return now - sent.answered > grace
        if not sent.expects_effect or sent.effect is not None or sent.refused or sent.cut_short:
            return now - sent.answered > _REPORTING or sent.effect is not None
        return now - sent.seen > command.effect_within + _REPORTING

    def _finish(self, sent: Sent, verdict: CommandOutcome) -> None:
        if verdict is CommandOutcome.NEVER_SEEN and self._claim_stray(sent):
            verdict = CommandOutcome.WRONG_STATION
        del self._open[id(sent)]
        at = self._at[sent.station]
        at.remove(sent)
        if not at:
            del self._at[sent.station]
        if self._by_key.get((sent.recipe.action, sent.key)) is sent:
            del self._by_key[sent.recipe.action, sent.key]
        self._close(sent, verdict)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _find(self, station: str, action: str, key: str) -> Sent | None:
        """Find the command that a station has seen: by what only it has, else the oldest of its kind there."""
        here = [sent for sent in self.at(station) if sent.recipe.action == action]
        exact = next((sent for sent in here if key and sent.key == key), None)
        if exact is None and key and (known := self._by_key.get((action, key))) is not None:
            return known
        unseen = next((sent for sent in here if sent.seen is None), None)
        again = next(iter(here), None) if not key else None
        return exact or unseen or again

    def _claim_stray(self, sent: Sent) -> bool:
        for stray in self._strays:
            station, action, digest, at = stray
            if action == sent.recipe.action and digest == sent.digest and station != sent.station and at >= sent.sent:
                self._strays.remove(stray)
                return True
        return False


def _waited(sent: Sent, until: float) -> bool:
    return sent.seen is not None and until - sent.seen >= sent.errand.command.effect_within


_TOKEN_KEYS: Final = frozenset({"RemoteStartTransaction", "RequestStartTransaction"})
_SHARED_KEYS: Final = frozenset({"TriggerMessage", "ExtendedTriggerMessage"})
"""Whose key only tells the commands at one station apart."""
