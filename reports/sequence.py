"""A message sequence diagram as SVG; its model and its text forms are `evidence.sequence`."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec
from markupsafe import Markup

from evidence.sequence import Diagram, Role, SequenceStep, Shape, sequence_mermaid, sequence_text
from reports.frames import gaps
from reports.svg import el
from reports.words import milliseconds, plural

__all__ = ["focused", "sequence_mermaid", "sequence_svg", "sequence_text"]

_CLOCK = 92
"""Room for line number and time on the left."""
_LATENCY = 76
"""Room for the latency on the right."""
_HEAD = 40
_STEP = 27
_LANES = {1: 470, 2: 470, 3: 315}
"""Distance of two lanes by the number of lanes; above, they stand as near as a label allows."""
_NEAREST = 250
_CHARACTER = 6.5
"""Width of an average character of a label, so that labels are cut where the next lane begins."""

_ROLE_WORDS = {Role.STATION: "station", Role.CSMS: "central system", Role.DRIVER: "API of the CSMS"}


def focused(diagram: Diagram, marked: Collection[int] = ()) -> Diagram:
    """Fold the preparation into one step, so that the case stands out; marked steps stay.

    A trace that holds nothing but preparation stays as it is.
    """
    folded = [step for step in diagram.steps if step.prepared and step.line not in marked]
    if not folded or all(step.prepared for step in diagram.steps):
        return diagram
    label = f"preparation, {plural(len(folded), 'record')}, not judged"
    first = msgspec.structs.replace(folded[0], shape=Shape.PHASE, label=label)
    hidden = {step.line for step in folded[1:]}
    steps = [first if step.line == first.line else step for step in diagram.steps if step.line not in hidden]
    return _without_idle_lanes(Diagram(diagram.lanes, tuple(steps)))


def _without_idle_lanes(diagram: Diagram) -> Diagram:
    busy = sorted(
        {end for step in diagram.steps if step.shape is not Shape.PHASE for end in (step.source, step.target)}
    )
    place = dict.fromkeys(range(len(diagram.lanes)), 0) | {lane: index for index, lane in enumerate(busy)}
    lanes = tuple(diagram.lanes[lane] for lane in busy) or diagram.lanes[:1]
    steps = (
        msgspec.structs.replace(step, source=place[step.source], target=place[step.target]) for step in diagram.steps
    )
    return Diagram(lanes, tuple(steps))


def sequence_svg(
    diagram: Diagram,
    *,
    marked: Mapping[int, str] | None = None,
    links: Mapping[int, str] | None = None,
    title: str = "Message sequence",
) -> Markup:
    """Draw a diagram; `marked` gives a class of the style sheet for a line that stands out, `links` a target."""
    marked, links = marked or {}, links or {}
    between = _LANES.get(len(diagram.lanes), _NEAREST)
    lanes = [_CLOCK + 70 + between * index for index in range(max(len(diagram.lanes), 2))]
    width = lanes[-1] + 70 + _LATENCY
    missing = gaps([step.line for step in diagram.steps if not step.prepared])
    height = _HEAD + _STEP * (len(diagram.steps) + len(missing)) + 14
    parts = [
        el("line", x1=lanes[index], x2=lanes[index], y1=_HEAD - 4, y2=height - 4, class_="lane")
        for index in range(len(diagram.lanes))
    ]
    for lane, x in zip(diagram.lanes, lanes, strict=False):
        parts.append(el("text", _fit(lane.name, between - 20), x=x, y=16, class_="head", text_anchor="middle"))
        parts.append(el("text", _ROLE_WORDS[lane.role], x=x, y=30, class_="tick", text_anchor="middle"))
    y = _HEAD
    for step in diagram.steps:
        if step.line in missing:
            parts.append(_gap(missing[step.line], lanes[0], lanes[len(diagram.lanes) - 1], y))
            y += _STEP
        drawn = el("g", *_step(step, lanes, width, y, marked=step.line in marked), class_=_look(step, marked))
        target = links.get(step.line)
        # The list of frames holds the same links for the keyboard.
        parts.append(el("a", drawn, href=target, tabindex="-1") if target else drawn)
        y += _STEP
    spoken = f"{title}: {plural(len(diagram.steps), 'step')}, listed as text below"
    return el(
        "svg",
        *parts,
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        aria_label=spoken,
        class_="sequence",
    )


def _look(step: SequenceStep, marked: Mapping[int, str]) -> str:
    prepared = " prepared" if step.prepared else ""
    return f"step {step.shape}{prepared}" + (f" marked {marked[step.line]}" if step.line in marked else "")


def _step(step: SequenceStep, lanes: list[int], width: int, y: int, *, marked: bool) -> list[Markup]:
    baseline = y + 20
    drawn = []
    if marked:
        drawn.append(el("rect", x=0, y=y, width=width, height=_STEP, class_="band"))
    else:
        drawn.append(el("rect", x=0, y=y, width=width, height=_STEP, class_="hover"))
    drawn.append(el("title", f"line {step.line}: {step.label}"))
    drawn.append(el("text", str(step.line), x=28, y=baseline - 2, class_="tick", text_anchor="end"))
    drawn.append(el("text", f"{step.at:.3f} s", x=_CLOCK, y=baseline - 2, class_="tick", text_anchor="end"))
    if step.shape is Shape.PHASE:
        drawn += _phase(step, lanes, baseline)
    elif step.source == step.target:
        drawn += _note(step, lanes, width, y)
    else:
        drawn += _arrow(step, lanes[step.source], lanes[step.target], baseline)
    if step.latency_ms is not None:
        text = milliseconds(step.latency_ms)
        drawn.append(el("text", text, x=width - 4, y=baseline - 2, class_="tick", text_anchor="end"))
    return drawn


def _arrow(step: SequenceStep, start: int, end: int, y: int) -> list[Markup]:
    forward = 1 if end > start else -1
    tip = end - 2 * forward
    drawn = [el("line", x1=start, x2=tip, y1=y, y2=y, class_="arrow")]
    if step.shape in (Shape.CLOSED, Shape.REFUSED, Shape.UNREADABLE):
        drawn.append(el("path", d=f"M{tip - 5} {y - 5}l10 10m0 -10l-10 10", class_="cross"))
    else:
        drawn.append(el("path", d=f"M{tip} {y}l{-8 * forward} -4.5v9z", class_="tip"))
    label = _fit(step.label, abs(end - start) - 24)
    drawn.append(el("text", label, x=(start + end) / 2, y=y - 5, class_="label", text_anchor="middle"))
    return drawn


def _note(step: SequenceStep, lanes: list[int], width: int, y: int) -> list[Markup]:
    room = width - _LATENCY - lanes[step.source]
    text = _fit(step.label, room - 10)
    box = len(text) * _CHARACTER + 20
    x = lanes[step.source] - 10
    return [
        el("rect", x=x, y=y + 4, width=box, height=_STEP - 8, rx=4, class_="paper"),
        el("text", text, x=x + 10, y=y + 18, class_="label"),
    ]


def _phase(step: SequenceStep, lanes: list[int], y: int) -> list[Markup]:
    return [
        el("line", x1=lanes[0] - 40, x2=lanes[-1] + 40, y1=y - 6, y2=y - 6, class_="rule"),
        el("text", step.label, x=(lanes[0] + lanes[-1]) / 2, y=y - 2, class_="label", text_anchor="middle"),
    ]


def _gap(amount: int, start: int, end: int, y: int) -> Markup:
    text = f"… {plural(amount, 'line')} left out …"
    return el("text", text, x=(start + end) / 2, y=y + 18, class_="tick gap", text_anchor="middle")


def _fit(text: str, room: float) -> str:
    most = max(4, int(room / _CHARACTER))
    return text if len(text) <= most else text[: most - 1] + "…"
