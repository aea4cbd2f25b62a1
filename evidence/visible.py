"""Make text of a stranger safe to look at: what hides, reorders or controls is spelled out instead of obeyed."""

from __future__ import annotations

import re

__all__ = ["one_line", "visible"]

# C0 without tab and line feed, DEL and C1, soft hyphen, everything that reorders or hides text, lone surrogates,
# non-characters, and the invisible tag block. It covers all that XML 1.0 §2.2 forbids.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)
_LAST_OF_FOUR_DIGITS = 0xFFFF
_SPACE = re.compile(r"[\t\n ]+")


def visible(text: str) -> str:
    r"""Spell out control, invisible, reordering and unpaired characters as `\u202e`; tabs and line feeds stay.

    The result can be written as UTF-8 and is legal in XML 1.0.
    """
    return _HIDDEN.sub(_spell, text)


def one_line(text: str, limit: int = 0) -> str:
    """Make text visible and put it on one line; above `limit` characters it ends in an ellipsis."""
    # Cut before the work: a frame may be megabytes long.
    head = text[: limit * 2] if limit else text
    line = _SPACE.sub(" ", visible(head)).strip()
    if limit and (len(line) > limit or len(head) < len(text)):
        return line[: limit - 1] + "…"
    return line


def _spell(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\u{number:04x}" if number <= _LAST_OF_FOUR_DIGITS else f"\\U{number:08x}"
