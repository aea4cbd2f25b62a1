from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.workload.identities import Identities, Lease, read_identities, read_tokens
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


def test_several_tokens_stand_in_one_column_or_in_several(tmp_path: Path) -> None:
    assert read(tmp_path, "identity,token\nCP1,A B\n").lease(1).listed_tokens == ("A", "B")
    wide = read(tmp_path, "identity,token,password,token2,token3\nCP1,A,secret,B,C\nCP2,D,,,\n")
    assert wide.lease(1).listed_tokens == ("A", "B", "C")
    assert (wide.lease(2).token, wide.lease(2).more_tokens) == ("D", ())


def test_connectors_share_the_tokens_of_a_station_out_and_take_turns() -> None:
    lease = Lease(1, "CP1", "A", None, ("B", "C", "D", "E"))
    first, second = ([lease.token_at(n, turn=turn, connectors=2) for turn in range(4)] for n in (1, 2))
    assert (first, second) == (["A", "C", "E", "A"], ["B", "D", "B", "D"])


def test_stations_share_a_list_of_tokens_out_and_none_is_used_twice(tmp_path: Path) -> None:
    path = tmp_path / "tokens.txt"
    path.write_text("token\n" + "".join(f"T{n}\n" for n in range(7)))
    identities = Identities("CP{n}", tokens=read_tokens(path), stations=3)
    tokens = [(lease.token, *lease.more_tokens) for lease in map(identities.lease, (1, 2, 3))]
    assert tokens == [("T0", "T3", "T6"), ("T1", "T4"), ("T2", "T5")]
    assert identities.lease(4).token == "T0"
    assert identities != Identities("CP{n}")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("A\nB\nA\n", "tokens.txt:3: A stands in line 1 already"),
        ("A;B\n", "tokens.txt:1: expected one token on each line, but 'A;B' has ';' in it"),
        ("token\n\n", "the token list is empty"),
    ],
)
def test_a_mistake_in_a_list_of_tokens_is_told_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "tokens.txt"
    path.write_text(text)
    with pytest.raises(UsageError, match=complaint):
        read_tokens(path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("identity;token\nCP1;A\n", "csv:1: the values are separated by a semicolon"),
        ("CP1\tA\n", "csv:1: the values are separated by a tab"),
        ("identity,token\nCP1,A\nCP2;B\n", "csv:3: the values are separated by a semicolon"),
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


def test_connectors_share_out_the_tokens_that_a_list_names(tmp_path: Path) -> None:
    lease = read(tmp_path, "CP1,TAG-A TAG-B,secret\n").lease(1)
    assert [lease.token_at(connector) for connector in (1, 2, 3)] == ["TAG-A", "TAG-B", "TAG-A"]
    alone = read(tmp_path, "CP1,TAG-A,secret\n").lease(1)
    assert alone.token_at(1) == alone.token_at(2) == "TAG-A"


def test_connectors_of_stations_without_a_list_have_tokens_of_their_own() -> None:
    leases = [Identities().lease(number) for number in (1, 2)]
    assert len({lease.token_at(connector) for lease in leases for connector in (1, 2, 3)}) == 6
