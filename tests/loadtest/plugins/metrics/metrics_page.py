"""Writes the table of `docs/metrics.md` anew: `python -m tests.loadtest.plugins.metrics.metrics_page`."""

from __future__ import annotations

from pathlib import Path

from loadtest.plugins.metrics.families import FAMILIES

PAGE = Path(__file__).parents[4] / "docs" / "metrics.md"
HEAD = "| metric | type | labels | what it says |"


def table() -> str:
    """Return the table in Markdown."""
    lines = [HEAD, "| --- | --- | --- | --- |"]
    for family in FAMILIES:
        labels = ", ".join(f"`{label}`" for label in family.labels)
        lines.append(f"| `{family.name}` | {family.kind} | {labels} | {family.says} |")
    return "\n".join(lines) + "\n"


def with_table(page: str) -> str:
    """Return the page with the table of today."""
    before, _, rest = page.partition(HEAD)
    _, _, after = rest.partition("\n\n")
    return f"{before}{table()}\n{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")
