"""Sequence diagrams around findings: what they show, what they hide, and that nothing in a log breaks them."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from analysis.findings_model import FrameSeen, Judged
from analysis.model import Direction, Level, Side
from reports.finding_sequence import finding_svg

UP, DOWN = Direction.TO_CSMS, Direction.TO_STATION


def finding(*frames: FrameSeen, rule: str = "unanswered-call", side: Side = Side.CSMS, line: int = 1) -> Judged:
    return Judged(
        rule=rule, side=side, level=Level.REQUIRED, clause="x", asks="x", station="INV-0001", connection=1,
        file="a.log", line=line, at=frames[-1].at if frames else None, version=None, detail="x", frames=list(frames),
    )  # fmt: skip


def drawn(one: Judged) -> ET.Element:
    return ET.fromstring(finding_svg(one))


def texts(tree: ET.Element) -> list[str]:
    return ["".join(element.itertext()) for element in tree.iter("text")]


def steps(tree: ET.Element, word: str) -> list[ET.Element]:
    return [group for group in tree.iter("g") if word in (group.get("class") or "").split()]


CALL = FrameSeen(1, 10.0, UP, '[2,"a","Authorize",{"idTag":"INVENTED1"}]')
RESULT = FrameSeen(2, 10.5, DOWN, '[3,"a",{"idTagInfo":{"status":"Blocked"}}]', marked=True)


def test_an_answer_bears_the_action_of_its_call_and_its_status() -> None:
    tree = drawn(finding(CALL, RESULT))
    assert "Authorize a" in texts(tree)
    assert "Authorize: Blocked a" in texts(tree)
    assert not any("INVENTED1" in text for text in texts(tree))


def test_the_frame_with_the_fault_stands_out() -> None:
    (marked,) = steps(drawn(finding(CALL, RESULT)), "marked")
    assert "Authorize: Blocked a" in texts(marked)
    assert "line 2" in texts(marked)


def test_arrows_point_to_whom_the_frame_is_sent() -> None:
    up, down = steps(drawn(finding(CALL, RESULT)), "step")
    lines = [next(element for element in group.iter("line")) for group in (up, down)]
    assert float(lines[0].get("x1") or 0) < float(lines[0].get("x2") or 0)
    assert float(lines[1].get("x1") or 0) > float(lines[1].get("x2") or 0)


def test_a_long_gap_is_a_break_with_its_length() -> None:
    late = FrameSeen(3, 310.5, UP, '[2,"b","Heartbeat",{}]')
    assert "5 min pass" in texts(drawn(finding(CALL, RESULT, late)))
    assert not any("pass" in text for text in texts(drawn(finding(CALL, RESULT))))


def test_a_step_of_the_clock_is_told() -> None:
    earlier = FrameSeen(3, 10.5 - 7_200, UP, '[2,"b","Heartbeat",{}]')
    assert any(text.startswith("2.0 h back") for text in texts(drawn(finding(CALL, RESULT, earlier))))


def test_frames_that_nobody_heard_end_in_the_network() -> None:
    tree = drawn(finding(CALL, RESULT, FrameSeen(3, 12.0, UP, '[2,"b","Heartbeat",{}]', marked=True),
                         rule="dead-connection", side=Side.NETWORK, line=3))  # fmt: skip
    assert "network" in texts(tree)
    crosses = [element for element in tree.iter("path") if element.get("class") == "cross"]
    assert len(crosses) == 1
    assert "network" not in texts(drawn(finding(CALL, RESULT)))


def test_the_end_of_a_connection_is_a_step_of_its_own() -> None:
    assert "the connection is cut" in texts(drawn(finding(CALL, rule="idle-cut", side=Side.NETWORK, line=9)))


def test_a_frame_that_the_log_cuts_short_is_named_by_its_head() -> None:
    assert "StartTransaction a" in texts(drawn(finding(FrameSeen(1, 1.0, UP, '[2,"a","StartTransaction",{"conn…'))))


def test_long_ids_and_actions_stay_within_the_drawing() -> None:
    frame = FrameSeen(1, 1.0, UP, f'[2,"{"i" * 200}","{"W" * 200}",{{}}]')
    (label,) = [text for text in texts(drawn(finding(frame))) if "W" in text]
    assert len(label) < 60
    assert label.count("…") == 2


def test_key_codes_and_secrets_do_not_appear() -> None:
    token = '{"idToken":"4711","type":"KeyCode"}'
    frame = FrameSeen(1, 1.0, UP, f'[2,"a","Authorize",{{"idToken":{token}}}]')
    assert "4711" not in finding_svg(finding(frame))


@given(
    st.lists(
        st.tuples(
            st.none() | st.floats(allow_nan=False), st.sampled_from([UP, DOWN]), st.text(max_size=60)
            | st.sampled_from(['[3,"a"]', "[2,1,2,3]", '[4,"a",{},"",{}]', '[2,"a",null,null]', "[" * 5000]),
        ),
        max_size=6,
    ),
    st.sampled_from(["dead-connection", "idle-cut", "schema"]),
    st.sampled_from(list(Side)),
)  # fmt: skip
def test_nothing_in_a_log_breaks_a_drawing(
    told: list[tuple[float | None, Direction, str]], rule: str, side: Side
) -> None:
    frames = [FrameSeen(number, *rest) for number, rest in enumerate(told)]
    assert drawn(finding(*frames, rule=rule, side=side)).tag == "svg"
