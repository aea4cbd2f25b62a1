"""The tables of what the texts ask of a CSMS: every row has cases or a reason, and every case a row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from interop_suite.claims.requirements import EVERYWHERE, Requirement, checked_by, requirements, table_of
from ocppj.versions import Version
from tests.interop_suite.requirements_page import PAGES, ids

ROWS = [row for version in (Version.V16, Version.V21) for row in table_of(version)]


def test_every_requirement_is_checked_or_says_why_it_cannot_be() -> None:
    for row in ROWS:
        checked = bool(row.cases or row.everywhere)
        assert checked or row.unseen, row
        # In a use case of 2.x only a part may be out of sight.
        assert not (checked and row.unseen) or row.block, row
        assert row.level in ("SHALL", "SHOULD"), row
        assert row.everywhere is None or row.everywhere in EVERYWHERE, row
        assert row.block or row.cited, row
        assert row.cited is None or row.cited.exists, row


def test_every_case_that_a_requirement_names_exists() -> None:
    for row in ROWS:
        known = [name for version in row.versions for name in ids(version)]
        for pattern in row.cases:
            one = Requirement(asks=row.asks, ocpp=row.ocpp, cases=(pattern,))
            assert checked_by(one, known), f"{pattern} is no case of {row.ocpp}"


def test_numbers_are_those_of_the_use_cases() -> None:
    for row in ROWS:
        for number in row.numbers:
            assert re.fullmatch(r"[A-S]\d\d\.FR\.\d{2,3}", number), row
            assert number.partition(".")[0] in row.use_cases, row


@pytest.mark.parametrize("version", Version)
def test_every_case_is_named_by_a_requirement(version: Version) -> None:
    known = ids(version)
    named = {case for row in requirements(version) for case in checked_by(row, known)}
    assert [case for case in known if case not in named] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_page_is_written_from_the_table(path: Path) -> None:
    assert path.read_text("utf-8") == PAGES[path](), "run .venv/bin/python -m tests.interop_suite.requirements_page"
