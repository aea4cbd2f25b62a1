"""The HTTP session of a driver."""

from __future__ import annotations

import requests
from requests.adapters import HTTPAdapter

from drivers.base import MOST_AT_ONCE

__all__ = ["new_session"]


def new_session() -> requests.Session:
    """Make a session that keeps a connection for every request that may be under way, and knows no proxy."""
    session = requests.Session()
    # A proxy between the harness and its target would be measured instead of the target.
    session.trust_env = False
    # A cache in front of the API or in it would tell what was true some seconds ago (RFC 9111 §5.2.1.4).
    session.headers["Cache-Control"] = "no-cache"
    adapter = HTTPAdapter(pool_maxsize=MOST_AT_ONCE)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session
