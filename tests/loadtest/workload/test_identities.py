from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.workload.identities import Identities, read_identities
from ocppj.errors import UsageError


def test_numbers_become_names_and_tokens_that_differ() -> None:
    identities = Identities()
    leases = [identities.lease(number) for number in range(1, 200)]
    assert leases[0].identity == "PS000001"
    assert len({lease.identity for lease in leases}) == len({lease.token for lease in leases}) == 199
    assert identities.capacity is None


def test_a_pattern_names_the_stations() -> None:
    assert Identities("depot-{n}/a").lease(7).identity == "depot-7/a"


@pytest.mark.parametrize("pattern", ["PS", "PS{m}", "PS{", "{n}{x}", "{0}", "{n:.0s}", "{n:q}", "{n.real.foo}", ""])
def test_a_pattern_that_gives_no_distinct_names_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match=r"PS\{n:06d\}"):
        Identities(pattern)


def read(tmp_path: Path, text: str) -> Identities:
    path = tmp_path / "stations.csv"
    path.write_text(text, encoding="utf-8")
    return read_identities(path)


def test_a_list_gives_identity_token_and_password(tmp_path: Path) -> None:
    identities = read(tmp_path, "CP1,TAG1,secret\nCP2\n\nCP3,,other\n")
    assert identities.capacity == 3
    assert [identities.lease(n).identity for n in (1, 2, 3)] == ["CP1", "CP2", "CP3"]
    assert (identities.lease(1).token, identities.lease(1).password) == ("TAG1", "secret")
    assert identities.lease(2).password is None
    assert identities.lease(2).token == Identities().lease(2).token


def test_a_first_line_may_name_the_columns(tmp_path: Path) -> None:
    identities = read(tmp_path, "\ufeffIdentity, password\nCP1,secret\n")
    assert identities.lease(1).password == "secret"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("CP1\nCP2\nCP1\n", r"csv:3: CP1 stands in line 1"),
        ("CP1\n,x\n", r"csv:2: the identity is empty"),
        ("CP1,a,b,c\n", r"csv:1: more values"),
        ("identity,pasword\nCP1,x\n", "csv:1: the column 'pasword' is unknown; did you mean 'password'"),
        ("identity\n", "is empty"),
        ("", "is empty"),
    ],
)
def test_a_mistake_in_a_list_is_told_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        read(tmp_path, text)


def test_a_list_that_is_no_text_or_not_there_is_told(tmp_path: Path) -> None:
    path = tmp_path / "stations.csv"
    with pytest.raises(UsageError, match="cannot be read"):
        read_identities(path)
    path.write_bytes(b"\xff\xfe\x00CP")
    with pytest.raises(UsageError, match="csv:1: expected text in UTF-8, but byte 0xff is not"):
        read_identities(path)


def test_a_password_does_not_show_when_a_lease_is_printed(tmp_path: Path) -> None:
    assert "secret" not in repr(read(tmp_path, "CP1,TAG1,secret\n").lease(1))


def test_who_looks_at_the_csms_is_no_station_of_the_run_where_names_are_left(tmp_path: Path) -> None:
    assert [lease.identity for lease in Identities("CP{n}").checkers(3)] == ["CP4", "CP3"]
    listed = read(tmp_path, "CP1\nCP2\nCP3\n")
    assert [lease.identity for lease in listed.checkers(2)] == ["CP3", "CP2"]
    assert [lease.identity for lease in listed.checkers(3)] == ["CP3"]
    assert [lease.identity for lease in listed.checkers(9)] == ["CP3"]


@pytest.mark.parametrize(("text", "name"), [("identity;token\nCP1;T1\n", "a semicolon"), ("CP1\tT1\n", "a tab")])
def test_a_list_with_another_separator_is_one_clear_line(tmp_path: Path, text: str, name: str) -> None:
    with pytest.raises(UsageError, match=rf":1: the values are separated by {name}; save the list with commas"):
        read(tmp_path, text)


def test_connectors_share_out_the_tokens_that_a_list_names(tmp_path: Path) -> None:
    lease = read(tmp_path, "CP1,TAG-A TAG-B,secret\n").lease(1)
    assert [lease.token_at(connector) for connector in (1, 2, 3)] == ["TAG-A", "TAG-B", "TAG-A"]
    alone = read(tmp_path, "CP1,TAG-A,secret\n").lease(1)
    assert alone.token_at(1) == alone.token_at(2) == "TAG-A"


def test_connectors_of_stations_without_a_list_have_tokens_of_their_own() -> None:
    leases = [Identities().lease(number) for number in (1, 2)]
    assert len({lease.token_at(connector) for lease in leases for connector in (1, 2, 3)}) == 6
