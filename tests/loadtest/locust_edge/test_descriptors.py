"""A table of open files that grows while stations run keeps all of them waiting; so it has its size before."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

# The process that runs the tests must stay as it is, and the programs that it starts must not.
os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"
try:
    from loadtest.locust_edge.process import reserve_descriptors
finally:
    del os.environ["LOCUST_SKIP_MONKEY_PATCH"]

STATUS = Path("/proc/self/status")


def open_files() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux says how large the table is")
def test_the_kernel_has_room_for_every_socket_before_the_first_one_is_opened() -> None:
    before = open_files()
    reserve_descriptors()
    assert open_files() == before
    size = next(line for line in STATUS.read_text().splitlines() if line.startswith("FDSize:"))
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert int(size.split()[1]) >= (65_536 if limit == resource.RLIM_INFINITY else min(limit, 65_536))
