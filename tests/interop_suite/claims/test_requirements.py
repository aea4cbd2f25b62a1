from __future__ import annotations

from fnmatch import fnmatchcase

from interop_suite.claims.requirements import EVERYWHERE, requirements
from ocppj.versions import Version
from tests.interop_suite.requirements_page import PAGE, ids, page

ROWS = requirements(Version.V16)


def test_every_requirement_is_checked_or_says_why_it_cannot_be() -> None:
    for row in ROWS:
        assert bool(row.cases or row.everywhere) != bool(row.unseen), row
        assert row.level in ("SHALL", "SHOULD"), row
        assert row.everywhere is None or row.everywhere in EVERYWHERE, row
        assert row.cited.exists, row


def test_every_case_that_a_requirement_names_exists() -> None:
    known = ids()
    for row in ROWS:
        for pattern in row.cases:
            assert any(fnmatchcase(case, pattern) for case in known), (row.asks, pattern)


def test_every_case_is_named_by_a_requirement() -> None:
    patterns = [pattern for row in ROWS for pattern in row.cases]
    assert [case for case in ids() if not any(fnmatchcase(case, pattern) for pattern in patterns)] == []


def test_page_is_written_from_the_table() -> None:
    assert PAGE.read_text("utf-8") == page()
