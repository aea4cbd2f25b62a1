from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.locust_edge.same_stations import claim_stations
from loadtest.workload.identities import Identities
from ocppj.errors import UsageError

OTHER_RUN = """
import sys
from pathlib import Path
from loadtest.locust_edge.same_stations import claim_stations
from loadtest.workload.identities import Identities
claim_stations("ws://csms.example/ocpp", Identities("CP{n}"), folder=Path(sys.argv[1]))
print("claimed", flush=True)
sys.stdin.read()
"""


def test_stations_that_another_run_plays_are_refused_until_it_is_over(tmp_path: Path) -> None:
    url, stations = "ws://csms.example/ocpp", Identities("CP{n}")
    other = subprocess.Popen(
        [sys.executable, "-c", OTHER_RUN, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "claimed\n"
    with pytest.raises(UsageError, match="plays the stations from CP1 on at this CSMS"):
        claim_stations(url, stations, folder=tmp_path)
    claim_stations(url, Identities("OTHER{n}"), folder=tmp_path)
    claim_stations("ws://elsewhere.example/ocpp", stations, folder=tmp_path)
    other.communicate()
    claim_stations(url, stations, folder=tmp_path)
    claim_stations(url, stations, folder=tmp_path)
