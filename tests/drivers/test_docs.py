"""The examples of docs/drivers.md are drivers."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from drivers.loading import load_driver, preset_names, read_driver
from drivers.schema import Operations
from drivers.template import FILTERS

TEXT = (Path(__file__).parents[2] / "docs" / "drivers.md").read_text("utf-8")
EXAMPLES = [textwrap.dedent(block) for block in re.findall(r"^ *```yaml\n(.*?)^ *```", TEXT, re.DOTALL | re.MULTILINE)]


def rows_after(heading: str) -> dict[str, str]:
    """Map the first column of the table below a heading to its last."""
    section = TEXT.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return {row[0]: row[-1] for row in rows}


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_is_a_driver_without_a_mistake(example: str) -> None:
    environment = dict.fromkeys(re.findall(r"\$\{ENV:(\w+)\}", example), "x")
    read_driver("docs/drivers.md", example, {}, environment)


def test_every_operation_filter_and_preset_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    explained = set(re.findall(r"`(\w+)`", " ".join(rows_after("The operations"))))
    assert explained == set(Operations.__struct_fields__)
    assert [name for name in FILTERS if f"`{name}" not in TEXT] == []
    presets = {name.strip("`"): options for name, options in rows_after("The presets").items()}
    assert presets.keys() == {"http", *preset_names()}
    for name in ("STEVE_API_PASSWORD", "OCPP_CORE_API_KEY", "EVTIVITY_API_KEY"):
        monkeypatch.setenv(name, "x")
    for name in preset_names():
        options = {"control_url": "http://127.0.0.1:1"} if name == "practice" else {}
        variables = load_driver(name, options).document.variables
        named = set(re.findall(r"`([a-z_]+)`", presets[name]))
        assert named <= variables.keys()
        secrets = {str(v.default)[6:-1] for v in variables.values() if v.secret}
        assert secrets == set(re.findall(r"`([A-Z_]+)`", presets[name]))
