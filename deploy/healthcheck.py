"""The health check of the image: a practice CSMS and a web UI must answer, and anything else must run.

It looks at the command line of the first process of the container; the exit code is 0 for healthy and 1 for not.
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

__all__ = ["healthy", "question"]

_FIRST_PROCESS: Final = Path("/proc/1/cmdline")
_TIMEOUT: Final = 3.0


def question(words: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """Return the URL that a process with this command line answers; None where it has none."""
    # The Python of the script stands before, and perhaps a launcher such as tini.
    programs = {word.rpartition("/")[2] for word in words}
    if "plugstorm" in programs and "csms" in words:
        return f"http://127.0.0.1:{_value(words, '--control-port', '9001')}/health"
    if "plugstorm" in programs and "--ui" in words:
        return f"http://127.0.0.1:{_value(words, '--ui-port', '8089')}/"
    without_page = {"--headless", "--worker"} & {*words} or {"LOCUST_HEADLESS", "LOCUST_MODE_WORKER"} & {*environment}
    if "locust" in programs and not without_page:
        return f"http://127.0.0.1:{_value(words, '--web-port', '8089')}/"
    return None


def _value(words: Sequence[str], flag: str, otherwise: str) -> str:
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == flag:
            return following
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
    return otherwise


def healthy(url: str | None) -> bool:
    """Ask; a process that cannot be asked is healthy as long as it is there."""
    if url is None:
        return True
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT):  # noqa: S310 - an address of this container
            return True
    except urllib.error.HTTPError:
        # A page behind a login is there.
        return True
    except OSError:
        return False


if __name__ == "__main__":
    first = _FIRST_PROCESS.read_text("utf-8").split("\0")
    sys.exit(0 if healthy(question(first, os.environ)) else 1)
