"""Readers of a run take the words of its writers from one place: a word that is renamed leaves no empty table."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence import vocabulary
from evidence.plugin_results import CommandOutcome, LedgerClass
from ocppj.outcomes import Outcome

ROOT = Path(__file__).resolve().parent.parent.parent
# Readers of foreign logs hold the words of those logs.
MODULES = [
    path
    for room in ("reports", "analysis")
    for path in sorted((ROOT / room).rglob("*.py"))
    if "readers" not in path.parts
]
TEMPLATES = sorted((ROOT / "reports" / "templates").glob("*.j2"))
WORDS = {
    *(word for name in vocabulary.__all__ if isinstance(word := getattr(vocabulary, name), str)),
    *Outcome,
    *LedgerClass,
    *CommandOutcome,
}
# A column of the timeline, which is a word of its own.
OTHER_WORDS = {"reports/load_view.py": {"opened"}}


def deciding(tree: ast.AST) -> Iterator[ast.expr]:
    """List the expressions that choose among words: what is compared, looked up, or a key; labels are not."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare():
                yield from (node.left, *node.comparators)
            case ast.Dict():
                yield from (key for key in node.keys if key is not None)
            case ast.Set():
                yield from node.elts
            case ast.Subscript():
                yield node.slice
            case ast.MatchValue():
                yield node.value
            case ast.Call(func=ast.Attribute(attr="get" | "setdefault" | "pop" | "startswith"), args=[first, *_]):
                yield first


def words_of(source: str) -> set[str]:
    return {
        constant.value
        for expression in deciding(ast.parse(source))
        for constant in ast.walk(expression)
        if isinstance(constant, ast.Constant) and isinstance(constant.value, str) and constant.value in WORDS
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_spells_no_word_of_a_run_itself(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    assert words_of(path.read_text("utf-8")) - OTHER_WORDS.get(name, set()) == set()


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_spells_no_word_of_a_run_itself(path: Path) -> None:
    code = " ".join(re.findall(r"\{[{%].*?[%}]\}", path.read_text("utf-8"), re.DOTALL))
    assert set(re.findall(r'"([^"]*)"', code)) & WORDS == set()


def test_words_are_found_where_they_decide_and_not_in_labels() -> None:
    source = 'x == "accepted"; x in ("lost", y); {"timeout": 1}; {"late"}; x["measure"]; x.get("ramp"); x("rejected")'
    assert words_of(source) == {"accepted", "lost", "timeout", "late", "measure", "ramp"}
