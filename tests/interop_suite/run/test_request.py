"""One request in three forms: a struct, the words of `plugstorm interop`, and the words of pytest."""

from __future__ import annotations

from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from interop_suite import conftest
from interop_suite.run.request import FIELDS, InteropRequest, from_options, to_words
from ocppj.errors import UsageError
from ocppj.versions import Version
from plugstorm.flags import Work
from plugstorm.interop_flags import takes_request

VERSIONS = [str(version) for version in Version]
# What a command line can hold; the kernel ends a word at NUL.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12)
# Blanks around a name or a value are of the shell and not of the pair.
bare = texts.filter(lambda text: text.strip() == text)
names = bare.filter(lambda name: "=" not in name)
pairs = st.dictionaries(names, bare, max_size=3)
WORDS = (
    "url", "tls_url", "ca_file", "driver", "control_url", "resume", "select", "expect", "out", "password",
    "features", "again", "csms_name", "csms_version", "tester", "laboratory", "label",
)  # fmt: skip
requests = st.builds(
    InteropRequest,
    **dict.fromkeys(WORDS, st.none() | texts),
    ocpp=st.lists(st.sampled_from(VERSIONS), unique=True).map(tuple),
    identities=st.lists(texts, max_size=3).map(tuple),
    recorded=st.lists(texts, max_size=3).map(tuple),
    driver_options=pairs,
    tokens=pairs,
    timeout=st.floats(0.1, 1000),
    model=texts,
    repeat=st.integers(1, 1000),
    strict_order=st.booleans(),
)


def as_plugstorm_reads(words: list[str]) -> InteropRequest:
    read: list[InteropRequest] = []

    def command(request: InteropRequest) -> Work:
        read.append(request)
        return lambda: 0

    app = typer.Typer()
    app.command()(takes_request(command))
    app(words, standalone_mode=False)
    return read[0]


def as_pytest_reads(words: list[str]) -> InteropRequest:
    parser = pytest.Parser(_ispytest=True)
    conftest.pytest_addoption(parser)
    options = vars(parser.parse(words))
    return from_options({field.name: options[f"interop_{field.name}"] for field in FIELDS}, "option")


@given(requests)
def test_plugstorm_reads_back_what_a_request_writes(request_: InteropRequest) -> None:
    assert as_plugstorm_reads(to_words(request_, "flag")) == request_


@given(requests)
def test_pytest_reads_back_what_a_request_writes(request_: InteropRequest) -> None:
    assert as_pytest_reads(to_words(request_, "option")) == request_


def test_nothing_asked_for_is_no_word_and_the_default_request() -> None:
    assert to_words(InteropRequest(), "flag") == to_words(InteropRequest(), "option") == []
    assert as_plugstorm_reads([]) == as_pytest_reads([]) == InteropRequest()


def test_table_has_each_field_of_a_request_once() -> None:
    assert sorted(field.name for field in FIELDS) == sorted(InteropRequest.__struct_fields__)
    for spelling in ("flag", "option"):
        assert len({getattr(field, spelling) for field in FIELDS}) == len(FIELDS)


@pytest.mark.parametrize(("read", "option"), [(as_plugstorm_reads, "--token"), (as_pytest_reads, "--csms-token")])
@pytest.mark.parametrize("pair", ["04A1", "=04A1", "Accepted="])
def test_pair_that_is_not_one_is_shown_an_example(read: Any, option: str, pair: str) -> None:
    with pytest.raises(UsageError, match=f"{option}: expected NAME=VALUE, as in Accepted="):
        read([option, pair])
