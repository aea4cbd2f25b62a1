"""A run without metrics pays nothing for them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.test_house import ROOT

pytestmark = pytest.mark.waits

LIBRARIES = ("prometheus_client", "opentelemetry", "google.protobuf", "cramjam")


def loaded_after(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


SETTINGS = """
import msgspec
from loadtest.locust_edge.request import LoadRequest
from loadtest.locust_edge.run_settings import settings_of
from ocppj.versions import Version
settings_of(LoadRequest(url="ws://127.0.0.1:9", seed=1{}), [Version.V16])
"""


def test_a_run_without_metrics_loads_no_library_for_them() -> None:
    loaded = loaded_after(SETTINGS.format(""))
    assert "loadtest.plugins.metrics.plugin" in loaded
    assert loaded & set(LIBRARIES) == set()


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (', metrics=("127.0.0.1", 0)', {"prometheus_client"}),
        (', remote_write="http://127.0.0.1:9/"', {"google.protobuf", "cramjam"}),
        (", otlp=True", {"opentelemetry", "google.protobuf"}),
    ],
)
def test_each_way_loads_only_its_own_libraries(asked: str, wanted: set[str]) -> None:
    assert loaded_after(SETTINGS.format(asked)) & set(LIBRARIES) == wanted
