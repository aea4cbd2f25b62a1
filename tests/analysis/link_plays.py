"""Connections that end alike, a loop, and a line on which nothing arrives; and what is nearly so."""

from __future__ import annotations

__all__ = ["LINK", "LINK_PLAYS", "links"]

NET = "network"
LINK = "[INFO ] 2026-03-02 {} x.WebSocketLogger (q) - [chargeBoxId=A, sessionId={}] "


def links(
    *connections: tuple[float, float, int], say: str = "Received", frames: str = '[2,"{}","Heartbeat",{{}}]'
) -> str:
    """Write connections by their lengths, how long before the end the last frame was, and the Close code."""
    lines, now = [], 0.0
    for number, (length, idle, code) in enumerate(connections):
        for after, text in (
            (0.0, "Connection is established"),
            (length - idle, f"{say}: {frames.format(number)}"),
            (length, f"Connection is closed, status: CloseStatus[code={code}, reason=x]"),
        ):
            at = now + after
            clock = f"{int(at // 3600):02}:{int(at // 60) % 60:02}:{at % 60:06.3f}".replace(".", ",")
            lines.append(LINK.format(clock, number) + text)
        now += length + 5
    return "\n".join(lines)


def _dead() -> list[str]:
    head = LINK.format("00:00:00,000", 1)
    lines = [f"{head}Connection is established", f'{head}Received: [2,"0","Heartbeat",{{}}]']
    lines += [f'{head}Sending: [3,"0",{{"currentTime":"2026-03-02T00:00:00Z"}}]']
    lines += [f'{LINK.format(f"00:0{n}:00,000", 1)}Sending: [2,"c{n}","ClearCache",{{}}]' for n in range(1, 5)]
    return [*lines, f"{LINK.format('00:06:00,000', 1)}Connection is closed, status: CloseStatus[code=1006, reason=x]"]


def _heard_again() -> list[str]:
    *lines, end = _dead()
    beat = f'{LINK.format("00:05:00,000", 1)}Received: [2,"9","Heartbeat",{{}}]'
    answer = f'{LINK.format("00:05:00,100", 1)}Sending: [3,"9",{{"currentTime":"2026-03-02T00:05:00Z"}}]'
    return [*lines, beat, answer, end]


# Rule, side, a log that breaks it, and one that nearly does.
LINK_PLAYS: list[tuple[str, str, str, str]] = [
    (
        "idle-cut",
        NET,
        links(*[(length, 60.0, 1006) for length in (100, 340, 170)]),
        links(*[(length, idle, 1006) for length, idle in ((100, 60), (340, 90), (170, 20))]),
    ),
    (
        "age-cut",
        NET,
        links(*[(3600.0, idle, 1006) for idle in (5, 55, 21)]),
        links(*[(age, 1.0, 1006) for age in (3600, 3000, 3900)]),
    ),
    ("reconnect-loop", NET, links(*[(20.0, 1.0, 1006)] * 6), links(*[(20.0, 1.0, 1006)] * 4)),
    ("dead-connection", NET, "\n".join(_dead()), "\n".join(_heard_again())),
]
