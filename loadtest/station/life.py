"""The life of a station as a table: what it is, what may happen to it, and what it becomes and does then.

Rule 1: what a station is, apart from its registration, is one word of `Life`; no flag says it again.

Rule 2: a station changes its life only by `after`, which looks into `TRANSITIONS`. What the table does not list changes
nothing: a reset while the station stops, a lost connection of a station that is off.

Rule 3: the table knows no clock, no socket and no timer. It names the action; `Station` carries it out, and whatever
ends an action later (an answer, a timer, the end of the connection) comes back as an event.

`docs/station-life.md` is made from this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["TRANSITIONS", "Life", "LifeAction", "LifeEvent", "Transition", "after"]


class Life(StrEnum):
    """What a station is."""

    NEW = "new"
    """Made, and never switched on."""
    ON = "on"
    """Connected, or on its way to a connection, however long that takes."""
    RESETTING = "resetting"
    """About to restart: it waits for its last answers."""
    DARK = "dark"
    """Without power: it restarts, or waits until somebody switches it on."""
    STOPPING = "stopping"
    """About to end for good: it waits for its last answers."""
    OFF = "off"
    """Over."""


class LifeEvent(StrEnum):
    """What may happen to a station."""

    POWER_ON = "power on"
    """It is switched on, or its restart has taken long enough."""
    CONNECTION_OVER = "connection over"
    """The connection has ended, or an attempt has failed."""
    GIVEN_UP = "given up"
    """The connection has ended in a way after which its vendor's firmware connects no more."""
    SOFT_RESET = "soft reset"
    """It is to restart, after it has told the CSMS what it has to tell."""
    HARD_RESET = "hard reset"
    """It is to restart at once, or nobody could hear its last words."""
    POWER_LOSS = "power loss"
    """Somebody cuts its power."""
    CRASH = "crash"
    """Our own code has failed."""
    STOP = "stop"
    """It is to end, after it has told the CSMS what it has to tell."""
    ABORT = "abort"
    """It is to end at once, or nobody could hear its last words."""


class LifeAction(StrEnum):
    """What a station does about it."""

    CONNECT = "connect"
    CONNECT_LATER = "connect after the back-off"
    STAY_AWAY = "stay away until it restarts"
    SAY_GOODBYE = "end transactions, wait for the last answers, close"
    CUT_AND_RESTART = "cut the connection, end transactions, be gone for a while"
    RESTART = "be gone for a while"
    GO_DARK = "cut the connection, end transactions, be gone until switched on"
    START_OVER = "forget everything, connect after the back-off"
    FINISH = "forget everything, report the end"


class Transition(NamedTuple):
    """What a station becomes, and what it does."""

    life: Life
    action: LifeAction


_FINISH = Transition(Life.OFF, LifeAction.FINISH)
_CONNECT = Transition(Life.ON, LifeAction.CONNECT)
_GO_DARK = Transition(Life.DARK, LifeAction.GO_DARK)
_START_OVER = Transition(Life.ON, LifeAction.START_OVER)
_STOP = Transition(Life.STOPPING, LifeAction.SAY_GOODBYE)

TRANSITIONS: Mapping[tuple[Life, LifeEvent], Transition] = MappingProxyType(
    {
        (Life.NEW, LifeEvent.POWER_ON): _CONNECT,
        (Life.NEW, LifeEvent.ABORT): _FINISH,
        (Life.ON, LifeEvent.CONNECTION_OVER): Transition(Life.ON, LifeAction.CONNECT_LATER),
        (Life.ON, LifeEvent.GIVEN_UP): Transition(Life.ON, LifeAction.STAY_AWAY),
        (Life.ON, LifeEvent.SOFT_RESET): Transition(Life.RESETTING, LifeAction.SAY_GOODBYE),
        (Life.ON, LifeEvent.HARD_RESET): Transition(Life.DARK, LifeAction.CUT_AND_RESTART),
        (Life.ON, LifeEvent.POWER_LOSS): _GO_DARK,
        (Life.ON, LifeEvent.CRASH): _START_OVER,
        (Life.ON, LifeEvent.STOP): _STOP,
        (Life.ON, LifeEvent.ABORT): _FINISH,
        (Life.RESETTING, LifeEvent.CONNECTION_OVER): Transition(Life.DARK, LifeAction.RESTART),
        (Life.RESETTING, LifeEvent.POWER_LOSS): _GO_DARK,
        (Life.RESETTING, LifeEvent.CRASH): _START_OVER,
        (Life.RESETTING, LifeEvent.STOP): _STOP,
        (Life.RESETTING, LifeEvent.ABORT): _FINISH,
        (Life.DARK, LifeEvent.POWER_ON): _CONNECT,
        (Life.DARK, LifeEvent.POWER_LOSS): _GO_DARK,
        (Life.DARK, LifeEvent.CRASH): _START_OVER,
        (Life.DARK, LifeEvent.ABORT): _FINISH,
        (Life.STOPPING, LifeEvent.CONNECTION_OVER): _FINISH,
        (Life.STOPPING, LifeEvent.CRASH): _FINISH,
        (Life.STOPPING, LifeEvent.ABORT): _FINISH,
    }
)


def after(life: Life, event: LifeEvent) -> Transition | None:
    """Look up what an event does to a station; None: nothing."""
    return TRANSITIONS.get((life, event))
