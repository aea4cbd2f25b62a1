"""Small pure helpers to write SVG: elements, scales, ticks.

Colours, fonts and dash patterns come from the page's style sheet by class, so that a drawing follows the colour scheme.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from markupsafe import Markup, escape

from evidence.visible import visible

__all__ = ["drawing", "el", "linear", "linear_ticks", "log_ticks", "logarithmic", "path", "text_content"]

Scale = Callable[[float], float]


def text_content(text: str) -> Markup:
    """Escape text that stands between two tags; quotation marks stay, because JSON is full of them."""
    return Markup(visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))  # noqa: S704 - just escaped


def el(tag: str, *content: str | Markup, **attributes: str | float | None) -> Markup:
    """Write one element; `class_` becomes `class`, `stroke_width` becomes `stroke-width`, None is left out."""
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    inner = "".join(part if isinstance(part, Markup) else text_content(part) for part in content)
    return Markup(f"<{tag}{written}>{inner}</{tag}>" if content else f"<{tag}{written}/>")  # noqa: S704 - every part is escaped


def _value(value: str | float) -> Markup | str:
    if isinstance(value, str):
        return escape(visible(value))
    return f"{value:.1f}".removesuffix(".0")


def drawing(width: float, height: float, *content: Markup, title: str, class_: str = "chart") -> Markup:
    """Write a whole drawing with a name for those who cannot see it."""
    return el("svg", *content, viewBox=f"0 0 {width:g} {height:g}", role="img", aria_label=title, class_=class_)


def path(points: Iterable[tuple[float, float]]) -> str:
    """Write the data of a path through points."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


# No figure of a run lies outside of these; a damaged file may still hold one.
_SMALLEST, _LARGEST = 1e-9, 1e15


def linear(low: float, high: float, start: float, end: float) -> Scale:
    """Map low…high to start…end; what lies beyond stands at the edge."""
    span = (high - low) or 1.0
    return lambda value: start + (min(max(value, low), high) - low) / span * (end - start)


def logarithmic(low: float, high: float, start: float, end: float) -> Scale:
    """Map low…high, both above 0, to start…end by their logarithms; what lies beyond stands at the edge."""
    inner = linear(math.log10(low), math.log10(high), start, end)
    return lambda value: inner(math.log10(max(value, low)))


def linear_ticks(high: float, most: int = 5) -> list[float]:
    """Choose round values from 0 to at least `high`."""
    if not _SMALLEST <= high <= _LARGEST:
        return [0.0, 1.0] if high < 1 else [0.0, _LARGEST]
    raw = high / most
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= raw * (1 - 1e-9))
    return [step * index for index in range(math.ceil(high / step - 1e-9) + 1)]


def log_ticks(values: Sequence[float]) -> list[float]:
    """Choose powers of ten that enclose every value above 0."""
    positive = [min(max(value, _SMALLEST), _LARGEST) for value in values if value > 0]
    if not positive:
        return [1.0, 10.0]
    first, last = math.floor(math.log10(min(positive)) + 1e-9), math.ceil(math.log10(max(positive)) - 1e-9)
    return [10.0**exponent for exponent in range(first, max(last, first + 1) + 1)]
