"""YAML with the line of everything: each way to write a bad file is one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import ConfigError
from config.yaml_files import parse_yaml, read_yaml

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def fault(text: str) -> str:
    with pytest.raises(ConfigError) as error:
        parse_yaml("f.yaml", text)
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 1\na: 2", "f.yaml:3: a: expected each key once, but line 1 has it, too"),
        ("a:\n  - b: 1\n    b: 2", "f.yaml:3: a[0].b: expected each key once, but line 2 has it, too"),
        ("on: 1\non: 2", "f.yaml:2: on: expected each key once"),
        ("a: 1\n b: 2", "f.yaml:2: expected YAML, but mapping values are not allowed in this context"),
        ("a:\n\t- b", "f.yaml:2: expected YAML, but the line begins with a tab; indent with spaces"),
        ("a: [1\nb: 2", "f.yaml:2: expected YAML, but did not find expected ',' or ']'"),
        ("a: 'x\n\n", "f.yaml:2: expected YAML, but found unexpected end of stream"),
        ("a: 1\nb: \x07", "f.yaml:2: expected YAML, but control characters are not allowed"),
        ("a: @x", "f.yaml:1: expected YAML, but found character that cannot start any token"),
        ("a: *b", "f.yaml:1: expected YAML, but found undefined alias"),
        ("a: !!python/name:os.system x", "f.yaml:1: expected YAML, but could not determine a constructor"),
        ("--- 1\n--- 2", "f.yaml:2: expected YAML, but found another document"),
        ("a: 1\nb: 2024-13-45", "f.yaml:2: expected a number or a date, but '2024-13-45' is not one"),
        ("a: 1\nb: 1" + "0" * 5000, "f.yaml:2: expected a number or a date, but '1000"),
        ("? [a]\n: b", "f.yaml:1: expected text as a key, but it is a list or a mapping"),
        ("[" * 200_000, "f.yaml:1: expected at most 100 levels, but this is deeper"),
        ("a: &x [*x]", "f.yaml:1: expected at most 100 levels, but this is deeper"),
        (BOMB, "expected at most 100,000 values, but aliases make more"),
    ],
)
def test_text_that_cannot_be_used_says_where(text: str, message: str) -> None:
    assert message in fault(text)


def test_keys_are_text_as_written() -> None:
    value, location = parse_yaml("f.yaml", "on: 1\n1.6: 2\n~: 3\n2024-01-01: 4\n")
    assert value == {"on": 1, "1.6": 2, "~": 3, "2024-01-01": 4}
    assert location.below("1.6").line == 2


def test_aliases_and_merged_keys_are_read() -> None:
    value, location = parse_yaml("f.yaml", "x: &a {p: 1}\ny: {<<: *a, q: 2}\nz: *a")
    assert value == {"x": {"p": 1}, "y": {"p": 1, "q": 2}, "z": {"p": 1}}
    # What an alias stands for is written where its anchor is; a merged key has the line of what it is merged into.
    assert location.below("z", "p").line == 1
    assert location.below("y", "p").line == 2


@pytest.mark.parametrize("text", ["", "# nothing\n", "\ufeff"])
def test_an_empty_file_is_none_on_line_1(text: str) -> None:
    value, location = parse_yaml("f.yaml", text)
    assert value is None
    assert str(location.error("empty")) == "f.yaml:1: empty"


def test_a_place_writes_its_line_and_path() -> None:
    _, location = parse_yaml("f.yaml", "a:\n  - b: 1\n    c:\n      d: 2\n")
    assert str(location.below("a", 0, "c").error("no")) == "f.yaml:3: a[0].c: no"
    assert str(location.below("a", 0, "x", "y").error("no")) == "f.yaml:2: a[0].x.y: no"
    assert str(location.error("no")) == "f.yaml:1: no"


def test_a_file_begins_with_a_byte_order_mark_or_without(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_yaml(path, "profile")[0] == {"a": 1}


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"a: 1\nb: \xe9\n")
    for path, message in (
        (tmp_path / "none.yaml", "none.yaml: the profile cannot be read: No such file or directory"),
        (tmp_path, ": the profile cannot be read: Is a directory"),
        (latin, "latin.yaml:2: expected text in UTF-8, but byte 0xe9 is not"),
        (Path("a\0b"), "the profile cannot be read: embedded null byte"),
    ):
        with pytest.raises(ConfigError) as error:
            read_yaml(path, "profile")
        assert str(error.value).endswith(message)
