from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import DriverError
from drivers.template import Dialect, Place, TemplateFault, check, holds, names_in, render, render_tree

CONTEXT: dict[str, Any] = {
    "identity": "CP/1 a'b",
    "payload": {"connectorId": 1, "value": "60", "limit": 8.1, "items": [1, 2], "flag": True, "deep": {"er": "x"}},
}


def test_lone_expression_keeps_its_type() -> None:
    body = {
        "a": "{{ payload.connectorId }}",
        "b": "{{ payload.value }}",
        "c": " {{ payload.limit }} ",
        "d": "{{ payload }}",
        "e": "{{ payload.connectorId }}0",
        "f": 5,
        "g": ["{{ payload.flag }}", None],
        "h": "{{ {'x': {'y': payload.connectorId}} }}",
        "i": "plain",
    }
    assert render_tree(body, CONTEXT) == {
        "a": 1,
        "b": "60",
        "c": 8.1,
        "d": CONTEXT["payload"],
        "e": "10",
        "f": 5,
        "g": [True, None],
        "h": {"x": {"y": 1}},
        "i": "plain",
    }


def test_field_named_like_a_method_is_the_field() -> None:
    assert render("{{ payload.items }}", Place.VALUE, CONTEXT) == [1, 2]


def test_omitted_fields_and_entries_are_left_out_at_any_depth() -> None:
    body = {"a": {"b": "{{ payload.no.such.thing | default(omit) }}", "c": 1}, "d": ["{{ omit }}", 2]}
    assert render_tree(body, CONTEXT) == {"a": {"c": 1}, "d": [2]}


def test_omit_inside_a_text_is_an_error() -> None:
    with pytest.raises(DriverError, match="omit"):
        render("a {{ payload.none | default(omit) }}", Place.TEXT, CONTEXT)


def test_url_encodes_what_is_inserted_and_nothing_else() -> None:
    assert render("/a b/{{ identity }}?x=1", Place.URL, CONTEXT) == "/a b/CP%2F1%20a%27b?x=1"
    assert render("{{ base | raw }}/x", Place.URL, {"base": "http://h/p"}) == "http://h/p/x"


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_sql_literal_is_read_back_as_the_value_and_never_as_sql(value: str) -> None:
    statement = render("SELECT {{ value }}, 1", Place.SQL, {"value": value}, Dialect.SQLITE)
    with sqlite3.connect(":memory:") as database:
        assert database.execute(statement).fetchall() == [(value, 1)]
    database.close()


@pytest.mark.parametrize(
    ("dialect", "value", "literal"),
    [
        (Dialect.POSTGRESQL, "a'\\", "'a''\\'"),
        (Dialect.MYSQL, "a'\\", "'a''\\\\'"),
        (Dialect.MSSQL, "a'", "N'a'''"),
        (Dialect.MSSQL, True, "1"),
        (Dialect.POSTGRESQL, True, "TRUE"),
        (Dialect.MYSQL, None, "NULL"),
        (Dialect.MYSQL, 8.5, "8.5"),
        (Dialect.SQLITE, {"a": [1]}, "'{\"a\":[1]}'"),
    ],
)
def test_each_dialect_has_its_own_literals(dialect: Dialect, value: object, literal: str) -> None:
    assert render("{{ value }}", Place.SQL, {"value": value}, dialect) == literal


@pytest.mark.parametrize(
    ("dialect", "value"), [(Dialect.MYSQL, "a\0b"), (Dialect.MSSQL, "a\nGO"), (Dialect.MSSQL, "$(x)")]
)
def test_what_a_client_program_would_act_upon_is_refused(dialect: Dialect, value: str) -> None:
    with pytest.raises(DriverError, match="must not reach"):
        render("{{ value }}", Place.SQL, {"value": value}, dialect)


@pytest.mark.parametrize(
    "text",
    ["{{ payload.no }}", "x{{ payload.no }}", "{{ payload.no.deeper | upper }}", "{{ 1 // 0 }}", "{{ fail('so') }}"],
)
def test_missing_or_impossible_value_is_a_driver_error(text: str) -> None:
    with pytest.raises(DriverError):
        render(text, Place.VALUE, CONTEXT)


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ payload.__class__ }}",
        "{{ identity.__init__.__globals__ }}",
        "{{ identity.format.__self__ }}",
        "{{ namespace() }}",
    ],
)
def test_sandbox_gives_no_way_out(text: str) -> None:
    with pytest.raises(DriverError):
        render(text, Place.VALUE, CONTEXT)


def test_value_that_looks_like_a_template_is_never_one() -> None:
    assert render("{{ evil }}", Place.TEXT, {"evil": "{{ 7 * 7 }}"}) == "{{ 7 * 7 }}"


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        (None, True),
        ("payload.connectorId == 1", True),
        ("{{ payload.connectorId == 2 }}", False),
        ("payload.no.such", False),
        ("payload.no is defined", False),
        ("'a' in identity", True),
    ],
)
def test_condition(condition: str | None, *, outcome: bool) -> None:
    assert holds(condition, CONTEXT) is outcome


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ 'GetInstalledCertificateIds' | kebab }}", "get-installed-certificate-ids"),
        ("{{ 'GetLog' | lower_first }}", "getLog"),
        ("{{ '2026-11-22T13:00:00.5+01:00' | time('%F %T') }}", "2026-11-22 12:00:00"),
        ("{{ {'a': 1} | merge({'b': 2}, {'a': 3}) }}", {"a": 3, "b": 2}),
        ("{{ {'a': 1, 'b': 2} | without('a') }}", {"b": 2}),
        ("{{ {'a': 1, 'b': 2} | only('a', 'c') }}", {"a": 1}),
        ("{{ {'a': [1, true]} | json }}", '{"a":[1,true]}'),
        ("{{ 'a:b' | base64 }}", "YTpi"),
        ("{{ 'a' | sha256('raw') | base64 }}", "ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs="),
        ("{{ 'a' | sha256('base64') }}", "ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs="),
        ("{{ 'YTpi' | unbase64 | hex }}", "613a62"),
        ("{{ 'x' | sha256 }}", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"),
        ("{{ now() < now(60) }}", True),
    ],
)
def test_filters(text: str, value: object) -> None:
    assert render(text, Place.VALUE, {}) == value


def test_names_that_must_have_a_value_are_told_from_those_that_may_be_missing() -> None:
    names = names_in("{{ a }} {{ b | default(c) }} {% if d is defined %}{{ d }}{% endif %} {{ e.f }}", Place.TEXT)
    assert names.known == {"a", "b", "c", "d", "e"}
    assert names.needed == {"a", "c", "d", "e"}
    assert names_in("token is defined", Place.CONDITION).needed == set()


@pytest.mark.parametrize("text", ["{{ a", "{{ a | nosuch }}", "{% if %}", "{{ a }} {% endfor %}"])
def test_broken_template_is_found_before_anything_is_sent(text: str) -> None:
    with pytest.raises(TemplateFault):
        check(text, Place.TEXT)
