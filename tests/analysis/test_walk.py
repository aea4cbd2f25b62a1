"""The walk of the page about logs: the log that it shows gives the output that it shows."""

from __future__ import annotations

import re
from pathlib import Path

from evidence import exit_codes
from plugstorm import analyze_command
from plugstorm.analyze_command import Request
from reports.analysis_text import as_text

PAGE = Path(__file__).parents[2] / "docs" / "analyze.md"


def test_the_log_on_the_page_gives_the_output_on_the_page(tmp_path: Path) -> None:
    page = PAGE.read_text("utf-8")
    log = re.search(r"```text\n(.*?)```", page, re.DOTALL)
    output = re.search(r"\$ plugstorm analyze morning\.log\n(.*?)```", page, re.DOTALL)
    assert log is not None
    assert output is not None
    path = tmp_path / "morning.log"
    path.write_text(log[1], "utf-8")
    request = Request(logs=[str(path)])
    assert as_text(analyze_command.analyze(request)).replace(f"{tmp_path}/", "") == output[1]
    assert analyze_command.run(request) == exit_codes.FAILED
