"""Values become types, or the innermost location that does not fit is named."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from config.errors import ConfigError
from config.locations import Location
from config.quantities import seconds
from config.typed import convert, read_as
from config.yaml_files import parse_yaml


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class Part(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: str
    wait: float = 0.0
    mode: Literal["fast", "slow"] = "fast"
    colour: Colour = Colour.RED

    def __post_init__(self) -> None:
        if self.wait == 13:
            raise ValueError("`wait` must not be 13")
        if self.wait > 100:
            self._refuse()

    def _refuse(self) -> None:
        try:
            seconds("soon")
        except ConfigError as error:
            raise ValueError(f"`wait`: {error}") from None


class Whole(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    title: str
    count: Annotated[int, msgspec.Meta(ge=1)] = 1
    parts: list[Part] = []
    named: dict[str, Part] = {}
    span: float | tuple[float, float] = 0.0
    short: Annotated[str, msgspec.Meta(max_length=3)] = ""
    rows: tuple[int, ...] = ()
    either: Part | list[Part] | None = None
    free: Any = None
    flag: bool | float = False
    words: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("a",)
    members: str = ""


def fault(text: str, **options: Any) -> str:
    value, location = parse_yaml("f.yaml", text)
    with pytest.raises(ConfigError) as error:
        convert(value, Whole, location, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("titel: x", "f.yaml:1: titel: the key 'titel' is unknown; did you mean 'title'?"),
        ("title: x\nzz: 1", "f.yaml:2: zz: the key 'zz' is unknown; known are title, count, parts"),
        ("count: 2", "f.yaml:1: expected the key 'title', but it is missing"),
        ("", "f.yaml:1: expected a mapping with title, count"),
        ("- a", "but it is a list"),
        ("just text", "but it is 'just text'"),
        ("title: 5", "f.yaml:1: title: expected text, but it is 5; write it in quotes"),
        ("title: on", "f.yaml:1: title: expected text, but 'on' is true in YAML; write it in quotes"),
        ("title: 2024-01-01", "f.yaml:1: title: expected text, but it is 2024-01-01; write it in quotes"),
        ("title:", "f.yaml:1: title: expected text, but it is empty"),
        ("title: x\ncount: many", "f.yaml:2: count: expected a whole number, but it is 'many'"),
        ("title: x\ncount: 0", "f.yaml:2: count: expected a whole number of at least 1, but it is 0"),
        ("title: x\ncount: 1.5", "f.yaml:2: count: expected a whole number, but it is 1.5"),
        ("title: x\nparts:\n  a: 1", "f.yaml:2: parts: expected a list, but it is a mapping"),
        ("title: x\nparts:\n  - name: a\n    wiat: 1", "f.yaml:4: parts[0].wiat: the key 'wiat' is unknown; did you"),
        ("title: x\nparts:\n  - wait: 1", "f.yaml:3: parts[0]: expected the key 'name', but it is missing"),
        ("title: x\nnamed:\n  a b:\n    name: [x]", "f.yaml:4: named.a b.name: expected text, but it is a list"),
        ("title: x\nspan: [1, two]", "f.yaml:2: span[1]: expected a number, but it is 'two'"),
        ("title: x\nspan: [1]", "f.yaml:2: span: expected a list of length 2, but it has 1"),
        ("title: x\nspan: wide", "f.yaml:2: span: expected a number or a list, but it is 'wide'"),
        ("title: x\nshort: long", "f.yaml:2: short: expected text of length at most 3, but it has 4"),
        ("title: x\nrows:\n  - 1\n  - x", "f.yaml:4: rows[1]: expected a whole number, but it is 'x'"),
        ("title: x\nwords: []", "f.yaml:2: words: expected a list of length at least 1, but it has 0"),
        ("title: x\nflag: maybe", "f.yaml:2: flag: expected true or false or a number, but it is 'maybe'"),
        (
            "title: x\neither:\n  - {nmae: x}",
            "f.yaml:3: either[0].nmae: the key 'nmae' is unknown; did you mean 'name'",
        ),
        ("title: x\neither: {nmae: x}", "f.yaml:2: either.nmae: the key 'nmae' is unknown; did you mean 'name'?"),
        (
            "title: x\nparts: [{name: a, mode: fasst}]",
            "f.yaml:2: parts[0].mode: expected one of fast, slow, but it is 'fasst'; did you mean 'fast'?",
        ),
        (
            "title: x\nparts: [{name: a, colour: gren}]",
            "f.yaml:2: parts[0].colour: expected one of red, green, but it is 'gren'; did you mean 'green'?",
        ),
        ("title: x\nparts:\n- name: a\n  wait: 13", "f.yaml:4: parts[0].wait: `wait` must not be 13"),
        ("title: x\nparts:\n- name: a\n  wait: 101", "f.yaml:4: parts[0].wait: expected a time such as 90s"),
    ],
)
def test_a_mistake_names_file_line_and_path(text: str, message: str) -> None:
    assert message in fault(text)


def test_a_hidden_field_is_an_unknown_key() -> None:
    message = fault("title: x\nmembers: y", hidden={"members"})
    assert message.startswith("f.yaml:2: members: the key 'members' is unknown; known are title, ")
    assert "words, members" not in message


def test_text_may_stand_for_other_values_where_it_comes_from_an_option() -> None:
    location = Location("--storm x")
    assert convert({"name": "a", "wait": "5"}, Part, location, strict=False).wait == 5.0
    with pytest.raises(ConfigError, match=r"^--storm x: wait: expected a number, but it is 'soon'$"):
        convert({"name": "a", "wait": "soon"}, Part, location, strict=False)


def test_a_file_is_read_as_a_type(tmp_path: Path) -> None:
    path = tmp_path / "whole.yaml"
    path.write_text("title: x\nspan: [1, 2]\nfree: {on: 1}\n", "utf-8")
    whole = read_as(path, Whole, "test file")
    assert (whole.span, whole.free) == ((1.0, 2.0), {"on": 1})
