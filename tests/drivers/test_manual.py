from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from drivers.base import CommandResult, DriverError, StationSettings
from drivers.factory import make_declarative_driver
from drivers.http import HttpDriver
from drivers.manual import ANSWERS_FILE, Answer, Desk, Terminal, read_answers
from evidence.verdicts import Verdict
from fixtures.csms import practice_csms
from interop_suite.catalogue import all_cases
from interop_suite.drive.setup import CsmsUnderTest
from interop_suite.run.plan import make_driver
from interop_suite.run.request import InteropRequest
from interop_suite.run.runner import Runner
from ocppj.errors import UsageError
from ocppj.versions import Version


class ScriptedPerson:
    """Types one answer after the other and remembers what was shown."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)
        self.shown: list[str] = []
        self.closed = False

    def ask(self, text: str, over: Callable[[], bool]) -> str:
        del over
        self.shown.append(text)
        return self.lines.pop(0)

    def close(self) -> None:
        self.closed = True


def ask(desk: Desk, about: str = "trigger Reset", *, lasts: bool = False, sensitive: bool = False) -> str:
    try:
        desk.ask(about, "Do it.", {"type": "Hard"}, lasts=lasts, sensitive=sensitive)
    except DriverError as error:
        return str(error)
    return "done"


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("", "done"),
        ("d", "done"),
        ("DONE", "done"),
        ("s", "the operator skipped it"),
        ("f the button is greyed out", "the operator said that it failed: the button is greyed out"),
        ("never no such feature", "the operator said that this CSMS cannot do it: no such feature"),
    ],
)
def test_each_answer_has_its_outcome(line: str, outcome: str) -> None:
    person = ScriptedPerson(line)
    assert ask(Desk(person)) == outcome
    assert '"type": "Hard"' in person.shown[0]


def test_answer_that_is_none_is_asked_for_again() -> None:
    person = ScriptedPerson("what?", "")
    assert ask(Desk(person)) == "done"
    assert "'what?' is none of the answers" in person.shown[1]


def test_what_lasts_is_asked_once_and_a_command_every_time() -> None:
    person = ScriptedPerson("", "", "")
    desk = Desk(person)
    assert [ask(desk, "register CP1", lasts=True) for _ in range(3)] == ["done"] * 3
    assert [ask(desk, "trigger Reset") for _ in range(2)] == ["done"] * 2
    assert person.lines == []


def test_what_failed_or_was_skipped_is_asked_again() -> None:
    desk = Desk(ScriptedPerson("f", "s", ""))
    assert [ask(desk, lasts=True) == "done" for _ in range(4)] == [False, False, True, True]


def test_what_can_never_be_done_is_not_asked_again() -> None:
    desk = Desk(ScriptedPerson("n not built in"))
    assert [ask(desk), ask(desk)] == ["the operator said that this CSMS cannot do it: not built in"] * 2
    assert desk.never("trigger Reset") == "not built in"


def test_answers_are_kept_and_a_later_run_goes_on_from_them(tmp_path: Path) -> None:
    first = Desk(ScriptedPerson("", "", "n no", "s", ""))
    first.keep_in(tmp_path / ANSWERS_FILE)
    ask(first, "register CP1", lasts=True)
    ask(first, "trigger Reset")
    ask(first, "trigger GetLog")
    ask(first, "token A", lasts=True)
    ask(first, "register CP2", lasts=True, sensitive=True)
    later = tmp_path / "later"
    later.mkdir()
    person = ScriptedPerson("", "", "")
    second = Desk(person, read_answers(str(tmp_path)))
    second.keep_in(later / ANSWERS_FILE)
    assert ask(second, "register CP1", lasts=True) == "done"
    assert ask(second, "trigger GetLog") == "the operator said that this CSMS cannot do it: no"
    assert person.shown == []
    for about, lasts, sensitive in (
        ("trigger Reset", False, False),
        ("token A", True, False),
        ("register CP2", True, True),
    ):
        assert ask(second, about, lasts=lasts, sensitive=sensitive) == "done"
    assert len(person.shown) == 3
    third = Desk(ScriptedPerson(), read_answers(str(later / ANSWERS_FILE)))
    assert ask(third, "register CP1", lasts=True) == "done"
    assert ask(third, "token A", lasts=True) == "done"


def test_answers_file_that_was_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    good = msgspec.json.encode(Answer(about="register CP1", answer="done", lasts=True))
    (tmp_path / ANSWERS_FILE).write_bytes(good + b"\n" + good[:20])
    assert [answer.about for answer in read_answers(str(tmp_path))] == ["register CP1"]
    (tmp_path / ANSWERS_FILE).write_bytes(b"nonsense\n" + good + b"\n")
    with pytest.raises(UsageError, match="line 1 is not an answer"):
        read_answers(str(tmp_path))
    with pytest.raises(UsageError, match="cannot be read"):
        read_answers(str(tmp_path / "nowhere"))


def test_text_of_a_stranger_cannot_paint_the_terminal() -> None:
    person = ScriptedPerson("")
    Desk(person).ask("trigger \x1b[2J", "\x1b]0;x\x07", {"a": "\x1b[31m"}, lasts=False)
    assert "\x1b" not in person.shown[0]


def test_person_without_a_terminal_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UsageError, match="there is no terminal"):
        make_driver(InteropRequest(driver="manual"))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> tuple[Terminal, int]:
    ours, theirs = os.openpty()
    monkeypatch.setattr(os, "open", lambda *_: theirs)
    return Terminal(), ours


def test_terminal_reads_a_line(terminal: tuple[Terminal, int]) -> None:
    person, keyboard = terminal

    def answer() -> None:
        os.read(keyboard, 100)
        os.write(keyboard, b"f because\n")

    threading.Thread(target=answer).start()
    assert person.ask("why? ", lambda: False) == "f because"


def test_what_was_typed_before_a_question_does_not_answer_it(terminal: tuple[Terminal, int]) -> None:
    person, keyboard = terminal
    os.write(keyboard, b"n never asked\n")

    def answer() -> None:
        # The terminal may echo first what was typed before.
        seen = b""
        while b"now? " not in seen:
            seen += os.read(keyboard, 100)
        os.write(keyboard, b"s\n")

    threading.Thread(target=answer).start()
    assert person.ask("now? ", lambda: False) == "s"


def test_question_ends_by_itself_once_it_is_over(terminal: tuple[Terminal, int]) -> None:
    person, keyboard = terminal
    assert person.ask("press Reset > ", lambda: True) == ""
    seen = b""
    while b"the CALL has come" not in seen:
        seen += os.read(keyboard, 200)


def test_end_of_the_run_ends_a_question_at_the_terminal(terminal: tuple[Terminal, int]) -> None:
    person, keyboard = terminal

    def end() -> None:
        os.read(keyboard, 100)
        person.close()

    threading.Thread(target=end).start()
    with pytest.raises(DriverError, match="the run has ended"):
        person.ask("still there? ", lambda: False)


def test_questions_say_which_case_they_are_for_and_what_it_is_about() -> None:
    person = ScriptedPerson("")
    desk = Desk(person)
    desk.begin_case("1.6 TC_013_CSMS: Hard reset", "The CSMS SHALL send Reset.")
    ask(desk)
    assert person.shown[0].splitlines()[1:5] == [
        "── trigger Reset ──",
        "case 1.6 TC_013_CSMS: Hard reset",
        "for:  The CSMS SHALL send Reset.",
        "Do it.",
    ]


def test_wish_to_repeat_is_told_once_and_is_no_answer_for_later() -> None:
    desk = Desk(ScriptedPerson("r", ""))
    assert ask(desk, lasts=True) == "the operator repeats this case"
    assert [desk.take_repeat(), desk.take_repeat()] == [True, False]
    assert ask(desk, lasts=True) == "done"


# -- the preset ------------------------------------------------------------------------------------------------------


class Operator:
    """A person who reads the question and does what it says, at the control port of the practice CSMS."""

    def __init__(self, control_url: str, refuse: Callable[[str], str | None] = lambda _: None) -> None:
        self._http = HttpDriver(control_url)
        self._refuse = refuse
        self.asked: list[str] = []

    def ask(self, text: str, over: Callable[[], bool]) -> str:
        del over
        self.asked.append(text.strip().splitlines()[0])
        refusal = self._refuse(text)
        if refusal is not None:
            return refusal
        command = re.search(r"send (\w+) to the station (\S+),", text)
        station = re.search(r"know the station (\S+) ", text)
        if command:
            payload = json.loads(text[text.index("{") : text.rindex("}") + 1])
            self._http.command(command[2], command[1], payload, Version.V16)
        elif station:
            password = re.search(r"with the password (\S+)", text)
            settings = StationSettings(password=password[1] if password else None, security_profile=int(bool(password)))
            self._http.register(station[1], settings, Version.V16)
        return ""

    def close(self) -> None:
        self._http.close()


def test_case_passes_with_a_person_as_the_driver_and_goes_on_after_an_interruption(tmp_path: Path) -> None:
    cases = {case.id: case for case in all_cases() if case.ocpp == "1.6"}
    with practice_csms() as csms:
        target = CsmsUnderTest(url=csms.url, identities=("CP01",), timeout=5)
        operator = Operator(
            csms.control_url, lambda text: "n no reservations here" if "trigger ReserveNow" in text else None
        )
        driver = make_declarative_driver("manual", {}, person=lambda: operator)
        driver.begin(tmp_path)
        runner = Runner(target, driver, None)
        assert driver.serial
        assert [runner.run(cases[name]).verdict for name in ("TC_013_CSMS", "TC_021_CSMS")] == [Verdict.OK] * 2
        assert operator.asked == [
            "── register CP01 security profile 0 ──",
            "── trigger Reset (OCPP 1.6) ──",
            "── trigger ChangeConfiguration (OCPP 1.6) ──",
        ]
        driver.close()
        again = Operator(csms.control_url)
        resumed = make_declarative_driver("manual", {}, resume=str(tmp_path), person=lambda: again)
        assert Runner(target, resumed, None).run(cases["TC_014_CSMS"]).verdict is Verdict.OK
        assert again.asked == ["── trigger Reset (OCPP 1.6) ──"]
        resumed.close()


def test_command_that_the_operator_cannot_give_is_inconclusive_and_then_not_applicable() -> None:
    case = next(case for case in all_cases() if case.id == "TC_019_1_CSMS")
    with practice_csms() as csms:
        operator = Operator(
            csms.control_url, lambda text: "never not in the menu" if "trigger GetConfig" in text else None
        )
        driver = make_declarative_driver("manual", {}, person=lambda: operator)
        runner = Runner(CsmsUnderTest(url=csms.url, identities=("CP01",), timeout=5), driver, None)
        results = [runner.run(case) for _ in range(2)]
        driver.close()
    assert [result.verdict for result in results] == [Verdict.INCONCLUSIVE, Verdict.NOT_APPLICABLE]
    assert "not in the menu" in results[1].reason


def test_password_is_shown_to_the_person_and_written_nowhere(tmp_path: Path) -> None:
    person = ScriptedPerson("", "")
    driver = make_declarative_driver("manual", {}, person=lambda: person)
    driver.begin(tmp_path)
    seen: list[object] = []
    driver.observe = seen.append
    settings = StationSettings(password="stati0n-pass", security_profile=1)
    driver.register("CP1", settings, Version.V16)
    driver.register("CP1", settings, Version.V16)
    driver.close()
    assert all("stati0n-pass" in text for text in person.shown)
    assert len(person.shown) == 2
    assert "stati0n-pass" not in (tmp_path / ANSWERS_FILE).read_text()
    assert "stati0n-pass" not in repr(seen)


def test_command_counts_as_sent_when_the_person_says_so() -> None:
    driver = make_declarative_driver("manual", {}, person=lambda: ScriptedPerson(""))
    assert driver.command("CP1", "ClearCache", {}, Version.V16) == CommandResult(status="sent")
    driver.close()


def test_case_is_repeated_from_its_beginning_and_its_first_trace_is_set_aside(tmp_path: Path) -> None:
    case = next(case for case in all_cases() if case.key == "1.6-TC_013_CSMS")
    with practice_csms() as csms:
        wishes = iter(["r"])
        operator = Operator(csms.control_url, lambda text: next(wishes, None) if "trigger Reset" in text else None)
        driver = make_declarative_driver("manual", {}, person=lambda: operator)
        runner = Runner(CsmsUnderTest(url=csms.url, identities=("CP01",), timeout=5), driver, tmp_path)
        result = runner.run(case)
        driver.close()
    assert result.verdict is Verdict.OK
    assert operator.asked.count("── trigger Reset (OCPP 1.6) ──") == 2
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "1.6-TC_013_CSMS-1.jsonl",
        "1.6-TC_013_CSMS-1.jsonl.repeated-1",
    ]


def test_nobody_presses_enter_for_a_call_that_has_come() -> None:
    case = next(case for case in all_cases() if case.key == "1.6-TC_013_CSMS")

    class Silent(Operator):
        """Does what is asked and never says so."""

        def ask(self, text: str, over: Callable[[], bool]) -> str:
            line = super().ask(text, over)
            if "trigger Reset" in text:
                never = threading.Event()
                while not over() and not never.wait(0.01):
                    pass
            return line

    with practice_csms() as csms:
        operator = Silent(csms.control_url)
        driver = make_declarative_driver("manual", {}, person=lambda: operator)
        result = Runner(CsmsUnderTest(url=csms.url, identities=("CP01",), timeout=5), driver, None).run(case)
        driver.close()
    assert result.verdict is Verdict.OK, result.reason
