from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from config.locations import Location
from loadtest.workload.profile import read_profile
from loadtest.workload.storms import (
    STORMS,
    CsmsRestart,
    LbDrain,
    RegionFailover,
    make_storm,
    parameters,
    read_storm_words,
    read_storms,
    write_storm,
)
from ocppj.errors import UsageError


def test_times_and_parameters_are_read_as_people_write_them() -> None:
    (storm,) = read_storm_words(["csms-restart@2m,down=1500ms,share=0.5,cut=false"])
    assert storm == CsmsRestart(at=120.0, down=1.5, share=0.5, cut=False)


def test_a_command_may_hold_commas() -> None:
    (storm,) = read_storm_words(["csms-restart@5,command=systemctl restart a,b"])
    assert storm == CsmsRestart(at=5.0, command="systemctl restart a,b")


def test_a_file_holds_one_storm_or_many(tmp_path: Path) -> None:
    path = tmp_path / "storms.yaml"
    path.write_text("storms:\n- {storm: lb-drain, at: 1m, batches: 3}\n- csms-restart\n")
    assert read_storm_words([str(path)]) == [LbDrain(at=60.0, batches=3), CsmsRestart()]
    path.write_text("{storm: region-failover, to: 'wss://b.example/ocpp'}")
    assert read_storm_words([str(path)]) == [RegionFailover(to="wss://b.example/ocpp")]


@pytest.mark.parametrize("name", STORMS)
def test_every_storm_survives_its_way_to_a_worker(name: str) -> None:
    storm = STORMS[name]()
    assert make_storm(write_storm(storm), Location("order")) == storm
    assert storm.says.endswith(".")
    assert parameters(type(storm)).keys() == write_storm(storm).keys() - {"storm"}


@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        ("csms-restrt", "did you mean 'csms-restart'"),
        ("xyz", "known are csms-restart"),
        ("csms-restart,dwn=3", "'dwn' is unknown; did you mean 'down'"),
        ("csms-restart,down", "'down' is not a parameter"),
        ("csms-restart,down=soon", "down: expected a time such as .*, but 'soon' is not a time"),
        ("csms-restart,share=2", "share"),
        ("csms-restart,share=0", "share"),
        ("csms-restart,share=0.5,stations=3", "exclude each other"),
        ("rolling-deploy,nodes=3,k=4", "more than the 3 `nodes`"),
        ("rolling-deploy,nodes=3,k=3", "that is csms-restart"),
        ("flapping,away=4,period=4", "`away` must be shorter"),
        ("region-failover,to=http://b", "Try ws://b"),
        ("missing/storm.yaml", "cannot be read"),
    ],
)
def test_a_mistake_is_one_line(word: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint) as caught:
        read_storm_words([word])
    assert "\n" not in str(caught.value)


def test_numbers_of_yaml_are_held_to_the_same_rules() -> None:
    with pytest.raises(UsageError, match="`down` is -1"):
        read_storms([{"storm": "csms-restart", "down": -1}], Location("x"))
    with pytest.raises(UsageError, match=r"x: \[1\]: a storm needs its name"):
        read_storms(["lb-drain", {"at": 3}], Location("x"))
    with pytest.raises(UsageError, match="'storm' is unknown"):
        read_storms({"storms": [], "storm": "lb-drain"}, Location("x"))


def test_a_load_profile_may_hold_storms_and_its_mistakes_are_found_at_once(tmp_path: Path) -> None:
    path = tmp_path / "windy.yaml"
    path.write_text("title: t\nstorms:\n- {storm: lb-drain, at: 5s}\n")
    assert read_storms(list(read_profile(path).storms), Location("x")) == [LbDrain(at=5.0)]
    path.write_text("title: t\nstorms:\n- {storm: lb-drain, batch: 5}\n")
    with pytest.raises(UsageError, match=r"windy\.yaml:3: storms\[0\]\.batch: the key 'batch' is unknown; did you"):
        read_profile(path)


def test_no_parameter_is_a_word_that_yaml_reads_as_something_else() -> None:
    for kind in STORMS.values():
        for name in parameters(kind):
            assert yaml.safe_load(name) == name
