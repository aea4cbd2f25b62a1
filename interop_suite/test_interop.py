"""The one test of the suite: every selected case, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from interop_suite.model import Case


def test_case(interop_case: Case, check_case: Callable[[Case], None]) -> None:
    """Run a case; its verdict is the outcome."""
    check_case(interop_case)
