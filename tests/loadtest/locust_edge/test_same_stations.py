from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from loadtest.locust_edge.same_stations import claim_stations
from loadtest.workload.identities import Identities
from ocppj.errors import UsageError

URL = "ws://127.0.0.1:9/ocpp"
OTHER_RUN = """
import sys
from pathlib import Path
from loadtest.locust_edge.same_stations import claim_stations
from loadtest.workload.identities import Identities
claim_stations("ws://127.0.0.1:9/ocpp", Identities("CP{n}"), 20, folder=Path(sys.argv[1]))
print("claimed", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_run(folder: Path) -> Iterator[None]:
    """Play CP1 to CP20 in another process."""
    other = subprocess.Popen(
        [sys.executable, "-c", OTHER_RUN, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "claimed\n"
    yield
    other.communicate()


def listed(*names: str) -> Identities:
    one = Identities().lease(1)
    return Identities(rows=[type(one)(n, name, "T") for n, name in enumerate(names, 1)])


def test_stations_that_another_run_plays_are_refused_until_it_is_over(tmp_path: Path) -> None:
    stations = Identities("CP{n}")
    with another_run(tmp_path):
        with pytest.raises(UsageError, match="plays 5 of these stations at this CSMS, such as CP1;"):
            claim_stations(URL, stations, 5, folder=tmp_path)
        claim_stations(URL, Identities("OTHER{n}"), 5, folder=tmp_path)
        claim_stations("ws://127.0.0.1:10/ocpp", stations, 5, folder=tmp_path)
    claim_stations(URL, stations, 5, folder=tmp_path)
    claim_stations(URL, stations, 5, folder=tmp_path)


def test_one_station_in_common_is_enough_wherever_it_stands_and_however_the_csms_is_spelled(tmp_path: Path) -> None:
    with another_run(tmp_path):
        with pytest.raises(UsageError, match="plays 1 of these stations at this CSMS, such as CP20;"):
            claim_stations("ws://localhost:9/ocpp/", listed("A", "B", "CP20"), 3, folder=tmp_path)
        claim_stations(URL, listed("A", "B", "CP20"), 2, folder=tmp_path)
        claim_stations(URL, listed("CP21"), 1, folder=tmp_path)


def test_without_a_place_to_meet_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    claim_stations(URL, Identities("CP{n}"), 5, folder=tmp_path / "file")


def test_a_run_that_is_over_leaves_nothing_behind_for_the_next_one_at_any_csms(tmp_path: Path) -> None:
    with another_run(tmp_path):
        pass
    claim_stations("ws://127.0.0.1:10/ocpp", Identities("CP{n}"), 5, folder=tmp_path)
    (folder,) = tmp_path.iterdir()
    assert len(list(folder.glob("*.names"))) == 1
