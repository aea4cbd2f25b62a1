"""Recorded load: a CSV of sessions, or a trace of messages, as what the stations of a run do.

    replay: sessions.csv
    replay: {file: trace.jsonl}
    replay: {file: acn.csv, stations: 50, columns: {start: Plug In, end: Plug Out, energy: Energy (kWh)}}

A file that ends in `.jsonl` is a trace (`ocppj.trace`), everything else a CSV with a header. Times count from the first
row or record, which happens when the run begins. Where a run has more stations than the recording, each begins the list
of recorded stations anew.
"""

from __future__ import annotations

from pathlib import Path

from config.errors import ConfigError
from config.yaml_files import read_text
from loadtest.workload.recording import Recorded, Replay
from loadtest.workload.replay_csv import read_sessions
from loadtest.workload.replay_trace import read_trace
from ocppj.errors import as_usage_error

__all__ = ["read_recorded"]


@as_usage_error(ConfigError)
def read_recorded(replay: Replay, folder: Path) -> Recorded:
    """Read the file that a profile in `folder` names; raises `UsageError` with the row of the first mistake."""
    path = folder / replay.file
    text = read_text(path, "replay file")
    if path.suffix == ".jsonl":
        return read_trace(text, path)
    return Recorded(sessions=read_sessions(text, path, replay))
