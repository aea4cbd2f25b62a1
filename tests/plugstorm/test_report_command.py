"""`plugstorm report`, with runs that are written instead of made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugstorm.conftest import Plugstorm
from tests.reports.report_builders import make_case, write_interop, write_load


@pytest.mark.parametrize("again", [(), ("--judge-again",)], ids=["page", "judged again"])
def test_run_json_itself_may_be_named(plugstorm: Plugstorm, tmp_path: Path, again: tuple[str, ...]) -> None:
    write_load(tmp_path / "run", seconds=1)
    result = plugstorm("report", "run/run.json", *again)
    assert (result.code, result.errors) == (0, [])
    assert (tmp_path / "run" / "report.html").exists()
    assert (tmp_path / "run" / "junit.xml").exists() == bool(again)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"kind":"interop"}', b'{"kind":"other"}', b"\xff\xfe", b"[" * 100_000]
)
def test_run_json_that_cannot_be_read_is_one_line_for_people(
    plugstorm: Plugstorm, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "run.json").write_bytes(content)
    plugstorm("report", ".").assert_one_line(2, "run.json")
    assert not (tmp_path / "report.html").exists()


def test_folder_without_a_run_is_a_usage_error(plugstorm: Plugstorm, tmp_path: Path) -> None:
    write_interop(tmp_path / "run", [make_case()])
    plugstorm("report", "run", ".").assert_one_line(2, "name the folder of a finished run")
