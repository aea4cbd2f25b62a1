"""Text of unknown origin in GitHub-flavoured Markdown."""

from __future__ import annotations

import re
from typing import Final

from evidence.visible import one_line

__all__ = ["markdown_code", "markdown_text"]

_LONGEST: Final = 320
_MEANS_SOMETHING: Final = re.compile(r"([\\`*_{}\[\]<>|#~&@!])")
_FENCES: Final = re.compile("`+")


def markdown_text(text: str) -> str:
    """Escape text for a line of Markdown."""
    return _MEANS_SOMETHING.sub(r"\\\1", one_line(text, _LONGEST))


def markdown_code(text: str) -> str:
    """Write text of unknown origin as code, so that it makes no markup, no link and no mention."""
    line = one_line(text, _LONGEST).replace("|", r"\|")
    if not line:
        return ""
    fence = "`" * (1 + max(map(len, _FENCES.findall(line)), default=0))
    return f"{fence}{line}{fence}" if len(fence) == 1 else f"{fence} {line} {fence}"
