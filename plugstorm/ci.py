"""What a CI is told where it asks for it: the summary of a job, and annotations beside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from reports.annotations import Annotation, workflow_commands

__all__ = ["tell_ci"]

_SUMMARY: Final = "GITHUB_STEP_SUMMARY"
_MOST_BYTES: Final = 1_000_000
"""GitHub drops the summary of a step that has more than 1 MiB."""


def tell_ci(markdown: str, annotations: Sequence[Annotation]) -> None:
    """Append to the summary of the job where `$GITHUB_STEP_SUMMARY` names it, and annotate where GitHub runs the job.

    Annotations go to the standard error output, which GitHub reads, too. A summary that cannot be written ends nothing.
    """
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in workflow_commands(annotations):
            sys.stderr.write(f"{line}\n")
    if name := os.environ.get(_SUMMARY):
        try:
            _append(Path(name), markdown)
        except OSError as error:
            sys.stderr.write(f"plugstorm: warning: the job summary {name} cannot be written: {error.strerror}\n")


def _append(file: Path, markdown: str) -> None:
    text = f"{markdown}\n".encode()
    held = file.stat().st_size if file.exists() else 0
    if held + len(text) > _MOST_BYTES:
        sys.stderr.write("plugstorm: warning: the job summary is full; the run folder holds the same in summary.md\n")
        return
    with file.open("ab") as summary:
        summary.write(text)
