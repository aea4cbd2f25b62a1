"""Connections that end alike, loops and who causes them, and a line that is dead."""

from __future__ import annotations

import pytest

from tests.analysis.judging import broken, judge_text

CP, CSMS, NET = "charge-point", "csms", "network"
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


@pytest.mark.parametrize(
    ("rule", "bad", "near"),
    [
        (
            "idle-cut",
            links(*[(length, 60.0, 1006) for length in (100, 340, 170)]),
            links(*[(length, idle, 1006) for length, idle in ((100, 60), (340, 90), (170, 20))]),
        ),
        (
            "age-cut",
            links(*[(3600.0, idle, 1006) for idle in (5, 55, 21)]),
            links(*[(age, 1.0, 1006) for age in (3600, 3000, 3900)]),
        ),
        ("reconnect-loop", links(*[(20.0, 1.0, 1006)] * 6), links(*[(20.0, 1.0, 1006)] * 4)),
    ],
    ids=["idle-cut", "age-cut", "reconnect-loop"],
)
def test_connections_that_end_alike(rule: str, bad: str, near: str) -> None:
    assert (NET, rule) in broken(judge_text(bad))
    assert rule not in {name for _, name in broken(judge_text(near))}


def test_who_causes_a_loop() -> None:
    refused = links(*[(20.0, 1.0, 1008)] * 6)
    assert (CSMS, "reconnect-loop") in broken(judge_text(refused))
    broken_frames = links(*[(20.0, 1.0, 1002)] * 6)
    assert (CP, "reconnect-loop") in broken(judge_text(broken_frames))


def test_a_connection_on_which_nothing_arrives_is_the_networks() -> None:
    head = LINK.format("00:00:00,000", 1)
    lines = [f"{head}Connection is established", f'{head}Received: [2,"0","Heartbeat",{{}}]']
    lines += [f'{head}Sending: [3,"0",{{"currentTime":"2026-03-02T00:00:00Z"}}]']
    lines += [f'{LINK.format(f"00:0{n}:00,000", 1)}Sending: [2,"c{n}","ClearCache",{{}}]' for n in range(1, 5)]
    lines += [f"{LINK.format('00:06:00,000', 1)}Connection is closed, status: CloseStatus[code=1006, reason=x]"]
    assert (NET, "dead-connection") in broken(judge_text("\n".join(lines)))
    late = [*lines[:-1], f'{LINK.format("00:05:00,000", 1)}Received: [2,"9","Heartbeat",{{}}]', lines[-1]]
    late.insert(-1, f'{LINK.format("00:05:00,100", 1)}Sending: [3,"9",{{"currentTime":"2026-03-02T00:05:00Z"}}]')
    assert (NET, "dead-connection") not in broken(judge_text("\n".join(late)))
