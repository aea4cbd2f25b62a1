"""A person as a driver: asked at the terminal, remembered in a file, not asked twice for what lasts."""

from __future__ import annotations

import contextlib
import os
import select
import termios
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from drivers.base import DriverCannotError, DriverError
from evidence.run_folder import utc_now
from evidence.visible import visible
from ocppj.errors import UsageError

__all__ = ["ANSWERS_FILE", "Answer", "Desk", "Person", "Terminal", "read_answers"]

ANSWERS_FILE = "operator.jsonl"
_LOOK_AGAIN = 0.2
"""Seconds between two looks at whether the run has ended."""
_WORDS = {"": "done", "d": "done", "s": "skip", "f": "failed", "n": "never", "r": "repeat"}
_HELP = (
    "[Enter] done   [s] skip this once   [r] repeat this case   [n] this CSMS can never do it   [f why] it failed > "
)
_OVER = "the CALL has come\n"


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a person said, and about what; one line of the answers file."""

    about: str
    """The same words are the same question."""
    answer: str
    """done, skip, never, failed or repeat."""
    note: str = ""
    lasts: bool = False
    """Whether what was done stays done: a station that was registered, not a command that was sent."""
    at: str = ""


class Person(Protocol):
    """Whoever answers."""

    def ask(self, text: str, over: Callable[[], bool]) -> str:
        """Show a text and give the line that was typed, or nothing once it is `over` without an answer.

        Raises `DriverError` when nobody is there.
        """

    def close(self) -> None:
        """Make a waiting `ask` end."""


class Terminal:
    """The person at the terminal of the process, whatever has become of standard input and output."""

    def __init__(self) -> None:
        """Open the terminal; raises `UsageError` when there is none."""
        try:
            self._descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        except OSError:
            raise UsageError("The driver asks a person, and there is no terminal; run it in one") from None
        self._ended = threading.Event()

    def ask(self, text: str, over: Callable[[], bool]) -> str:
        """Write a text and read a line; what was typed before the question answers nothing."""
        with contextlib.suppress(termios.error):
            termios.tcflush(self._descriptor, termios.TCIFLUSH)
        os.write(self._descriptor, text.encode("utf-8", "replace"))
        line = b""
        while not line.endswith(b"\n"):
            if self._ended.is_set():
                raise DriverError("the run has ended")
            if over():
                os.write(self._descriptor, _OVER.encode())
                return ""
            if select.select([self._descriptor], [], [], _LOOK_AGAIN)[0]:
                piece = os.read(self._descriptor, 4096)
                if not piece:
                    raise DriverError("the terminal is gone")
                line += piece
        return line.decode("utf-8", "replace").strip()

    def close(self) -> None:
        """Make a waiting `ask` end; the descriptor goes with the process."""
        self._ended.set()


class Desk:
    """Asks one question at a time and keeps the answers."""

    def __init__(self, person: Person, earlier: Iterable[Answer] = ()) -> None:
        """Take the answers of an earlier run as given."""
        self._person = person
        self._lock = threading.Lock()
        self._answers: dict[str, Answer] = {}
        self._file: Path | None = None
        self._case = ""
        self._arrived = threading.Event()
        self._repeat = threading.Event()
        for answer in earlier:
            self._learn(answer)

    def keep_in(self, file: Path) -> None:
        """Write every answer to a file from now on, those of the earlier run first."""
        with self._lock:
            self._file = file
            if not file.exists():
                for answer in self._answers.values():
                    self._write(answer)

    def begin_case(self, name: str, purpose: str) -> None:
        """Say with every question from now on which case it is for, and what that is about."""
        self._case = f"case {name}\nfor:  {purpose}\n"

    def command_arrived(self) -> None:
        """Take the question about a command for answered: its CALL has reached the station."""
        self._arrived.set()

    def take_repeat(self) -> bool:
        """Return whether the person wants this case from its beginning again, and forget it."""
        wanted = self._repeat.is_set()
        self._repeat.clear()
        return wanted

    def never(self, about: str) -> str | None:
        """Return why something was said to be impossible for good; None when it was not."""
        answer = self._answers.get(about)
        return (answer.note or "the operator said so") if answer and answer.answer == "never" else None

    def ask(self, about: str, prompt: str, shown: Any = None, *, lasts: bool, sensitive: bool = False) -> None:
        """Have a person do something; raises `DriverError` when it was not done.

        What lasts and was done before is not asked again, unless a secret is part of it, which no file remembers.
        """
        with self._lock:
            known = self._answers.get(about)
            if known is not None and (known.answer == "never" or (known.lasts and not sensitive)):
                self._obey(known)
                return
            answer = self._ask_person(about, prompt, shown, lasts=lasts)
            self._learn(answer)
            if self._file is not None:
                self._write(answer)
            self._obey(answer)

    def close(self) -> None:
        """Ask nothing more."""
        self._person.close()

    def _ask_person(self, about: str, prompt: str, shown: Any, *, lasts: bool) -> Answer:
        self._arrived.clear()
        text = f"\n── {visible(about)} ──\n{visible(self._case)}{visible(prompt.strip())}\n"
        if shown is not None:
            text += visible(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode()) + "\n"
        text += _HELP
        while True:
            line = self._person.ask(text, self._arrived.is_set)
            word, _, note = line.partition(" ")
            answer = next((full for short, full in _WORDS.items() if word.lower() in (short, full)), None)
            if answer is not None:
                return Answer(
                    about=about, answer=answer, note=note.strip(), lasts=lasts and answer == "done", at=utc_now()
                )
            text = f"{visible(word)!r} is none of the answers. {_HELP}"

    def _learn(self, answer: Answer) -> None:
        if answer.lasts or answer.answer == "never":
            self._answers[answer.about] = answer

    def _write(self, answer: Answer) -> None:
        assert self._file is not None
        with self._file.open("ab") as file:
            file.write(msgspec.json.encode(answer) + b"\n")

    def _obey(self, answer: Answer) -> None:
        note = f": {answer.note}" if answer.note else ""
        match answer.answer:
            case "skip":
                raise DriverError(f"the operator skipped it{note}")
            case "repeat":
                self._repeat.set()
                raise DriverError("the operator repeats this case")
            case "never":
                raise DriverCannotError(f"the operator said that this CSMS cannot do it{note}")
            case "failed":
                raise DriverError(f"the operator said that it failed{note}")


def read_answers(place: str) -> list[Answer]:
    """Read the answers of an earlier run from its folder or the file itself; raises `UsageError` for any other file."""
    file = Path(place)
    file = file / ANSWERS_FILE if file.is_dir() else file
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"--resume {place}: {file} cannot be read: {error.strerror}") from None
    answers = []
    for number, line in enumerate(lines, 1):
        try:
            answers.append(msgspec.json.decode(line, type=Answer))
        except (msgspec.MsgspecError, UnicodeError) as error:
            # A run that was killed may leave its last line cut off.
            if number < len(lines):
                raise UsageError(f"--resume {file} line {number} is not an answer: {error}") from None
    return answers
