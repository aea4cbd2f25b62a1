"""The one test of the suite: every selected case, as often as was asked for."""

from __future__ import annotations

from collections.abc import Callable

from interop_suite.catalogue import Case


def test_case(interop_case: Case, attempt: int, check_case: Callable[[Case, int], None]) -> None:
    """Run a case; its verdict is the outcome."""
    check_case(interop_case, attempt)
