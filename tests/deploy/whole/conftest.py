"""The order of the whole tests: what takes longest begins first, so that no processor waits for it at the end."""

from __future__ import annotations

import pytest

LONGEST = ("test_image", "test_nightly_job", "test_distributed", "test_metrics", "test_charge_points_tab")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))
