"""A disk that takes no more: told from an error of any other kind, also where only its text is left."""

from __future__ import annotations

import errno
import os
import re
from typing import Final

__all__ = ["disk_error"]

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})
_TOLD = re.compile(r"\bOSError: \[Errno (\d+)\] [^:'\"\n]*(?:: '([^'\n]+)')?")


def disk_error(problem: BaseException | str | None) -> tuple[str | None, str] | None:
    """Give the file, where it is known, and the reason for which a disk took no more; None for any other problem."""
    if isinstance(problem, OSError) and problem.errno in _FULL:
        return (None if problem.filename is None else str(problem.filename)), os.strerror(problem.errno)
    for told in _TOLD.finditer(str(problem or "")):
        if int(told[1]) in _FULL:
            return told[2], os.strerror(int(told[1]))
    return None
