"""The pause in which a long piece of work lets the stations of its process go on.

The module imports gevent, and nothing of Locust.
"""

from __future__ import annotations

from typing import Final

import gevent

__all__ = ["breathe"]

_BREATH: Final = 0.001
"""Seconds."""


def breathe() -> None:
    """Let the loop read the sockets, run due timers and let other greenlets go on, and then come back.

    Work of more than a millisecond in a greenlet is done in parts with this between them: an answer that comes
    meanwhile is not read before the greenlet waits, and its latency would be that of the work.
    """
    # `sleep(0)` lets other greenlets go on, but the loop looks at no socket; nor does it when the time has passed
    # already by the loop's clock, which stands while a part runs.
    gevent.get_hub().loop.update_now()
    gevent.sleep(_BREATH)
