"""The index of many run folders: one SQLite file, which can be made again from the folders at any time.

`refresh` reads the runs that are new or have changed since it was last called, and forgets those that are gone. Folders
are kept as seen from the folder of the index, so that both can be moved together.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

import msgspec

from evidence.verdicts import RunVerdict
from ocppj.errors import UsageError
from reports.history_runs import SeenInterop, SeenLoad, SeenRun, kpis, measured_s, read_seen, settings_key
from reports.words import target_title, workload_title

__all__ = ["NAME", "HistoryIndex", "IndexedRun", "Refreshed", "Unreadable", "indexed"]

NAME: Final = "history.sqlite"
_VERSION: Final = 1
"""Of the tables; an index of another version is made again."""
_MAGIC: Final = b"SQLite format 3\0"
_DEEPEST: Final = 5
_WAIT: Final = 30.0
"""Seconds for somebody else who refreshes the same index."""
_TABLES: Final = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, folder TEXT NOT NULL UNIQUE, stamp TEXT NOT NULL, kind TEXT NOT NULL, target TEXT NOT NULL,
    ocpp TEXT NOT NULL, workload TEXT NOT NULL, label TEXT NOT NULL, started TEXT NOT NULL, finished TEXT NOT NULL,
    verdict TEXT NOT NULL, interrupted INTEGER NOT NULL, generator TEXT NOT NULL, settings TEXT NOT NULL
);
CREATE INDEX runs_by_target ON runs (kind, target, ocpp, workload, started);
CREATE TABLE actions (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, ocpp TEXT, action TEXT, direction TEXT, amount INTEGER,
    per_s REAL, service_p50 REAL, service_p99 REAL, response_p50 REAL, response_p99 REAL
);
CREATE TABLE objectives (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, expr TEXT, unit TEXT, value REAL, passed INTEGER,
    undecided INTEGER
);
CREATE TABLE kpis (run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, name TEXT, unit TEXT, value REAL);
CREATE TABLE cases (id INTEGER PRIMARY KEY, ocpp TEXT, name TEXT, title TEXT, UNIQUE (ocpp, name));
CREATE TABLE judged (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, place INTEGER, verdict TEXT, PRIMARY KEY (run, place)
) WITHOUT ROWID;
CREATE INDEX actions_by_run ON actions (run);
CREATE INDEX objectives_by_run ON objectives (run);
CREATE INDEX kpis_by_run ON kpis (run);
CREATE TABLE unreadable (folder TEXT PRIMARY KEY, stamp TEXT NOT NULL, reason TEXT NOT NULL);
"""


class IndexedRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the index."""

    id: int
    folder: str
    """As seen from the folder of the index."""
    kind: Literal["interop", "load"]
    target: str
    ocpp: str
    workload: str
    """What the stations did, in words; empty for an interop run."""
    label: str
    started: str
    finished: str
    verdict: RunVerdict
    interrupted: bool
    generator: str
    """The generator's verdict on itself; empty for an interop run."""
    settings: str
    """The same for runs that were asked for the same."""


class Unreadable(msgspec.Struct, frozen=True):
    """A folder whose `run.json` is none."""

    folder: str
    reason: str


class _NoRoomError(UsageError):
    """The disk is full."""


class Refreshed(msgspec.Struct, frozen=True, kw_only=True):
    """What a refresh did."""

    read: int
    kept: int
    forgotten: int


class HistoryIndex:
    """The index of the runs below a folder; use it as a context manager."""

    def __init__(self, root: Path, file: Path | None = None) -> None:
        """Open the index, or make it; without `file` it is in the folder, or in memory where that has no room for it.

        Raises `UsageError` where the folder or the file cannot be used.
        """
        if not root.is_dir():
            raise UsageError(f"{root} is no folder; name the one that holds the run folders")
        self.root = root
        self.file: Path | None = file or root / NAME
        if file is None and not os.access(root, os.W_OK):
            self.file = None
        self._named = file is not None
        try:
            self._database = self._open()
        except _NoRoomError:
            if self._named:
                raise
            self._database = self._open_in_memory()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def _open(self) -> sqlite3.Connection:
        """Open the file; one that is damaged, of another version or something else of ours is made again."""
        database = self._connect()
        try:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if version == _VERSION:
                database.execute("SELECT count(*) FROM runs, cases, unreadable").fetchone()
                return database
        except sqlite3.DatabaseError:
            version, tables = -1, 1
        if tables:
            database.close()
            assert self.file is not None
            if version == 0 or not self._is_database():
                raise UsageError(f"{self.file} is no index of Plugstorm; name another file with --index")
            self._remove()
            database = self._connect()
        with self._guarded():
            database.executescript(f"BEGIN IMMEDIATE;{_TABLES}PRAGMA user_version = {_VERSION};COMMIT;")
        return database

    def _open_in_memory(self) -> sqlite3.Connection:
        self.file = None
        return self._open()

    def _connect(self) -> sqlite3.Connection:
        with self._guarded():
            database = sqlite3.connect(self.file or ":memory:", timeout=_WAIT, isolation_level=None)
            database.execute("PRAGMA foreign_keys = ON")
            return database
        raise AssertionError

    def _is_database(self) -> bool:
        assert self.file is not None
        with contextlib.suppress(OSError), self.file.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
        return False

    def _remove(self) -> None:
        assert self.file is not None
        try:
            self.file.unlink(missing_ok=True)
            self.file.with_name(self.file.name + "-journal").unlink(missing_ok=True)
        except OSError as error:
            raise UsageError(f"The index {self.file} cannot be made again: {error.strerror}") from None

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            kind = _NoRoomError if full else UsageError
            raise kind(f"The index {self.file} cannot be used: {error}; name another file with --index") from None

    # -- from the folders ----------------------------------------------------------------------------------------------

    def refresh(self, *, again: bool = False) -> Refreshed:
        """Read what is new or has changed, and forget what is gone; `again` reads every run."""
        try:
            return self._refresh_at_once(again=again)
        except _NoRoomError:
            if self._named:
                raise
        self._database.close()
        self._database = self._open_in_memory()
        return self._refresh_at_once(again=again)

    def _refresh_at_once(self, *, again: bool) -> Refreshed:
        with self._guarded():
            # Everything in it can be made again.
            self._database.execute("PRAGMA synchronous = OFF")
            self._database.execute("BEGIN IMMEDIATE")
            try:
                done = self._refresh(again=again)
            except BaseException:
                # A full disk has ended the transaction already.
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
        return done

    def _refresh(self, *, again: bool) -> Refreshed:
        if again:
            for name in ("runs", "unreadable", "cases"):
                self._database.execute(f"DELETE FROM {name}")  # noqa: S608 - a name of ours
        known = dict(self._database.execute("SELECT folder, stamp FROM runs"))
        known |= dict(self._database.execute("SELECT folder, stamp FROM unreadable"))
        self._places = {
            (ocpp, name): place for place, ocpp, name in self._database.execute("SELECT id, ocpp, name FROM cases")
        }
        found = dict(_run_files(self.root))
        gone = [folder for folder, stamp in known.items() if found.get(folder) != stamp]
        for name in ("runs", "unreadable"):
            self._database.executemany(f"DELETE FROM {name} WHERE folder = ?", [(folder,) for folder in gone])  # noqa: S608 - as above
        new = [(folder, stamp) for folder, stamp in found.items() if known.get(folder) != stamp]
        for folder, stamp in new:
            try:
                run = read_seen(self.root / folder / "run.json")
            except UsageError as error:
                self._database.execute("INSERT INTO unreadable VALUES (?, ?, ?)", (folder, stamp, str(error)))
                continue
            self._add(folder, stamp, run)
        return Refreshed(
            read=len(new), kept=len(found) - len(new), forgotten=sum(folder not in found for folder in gone)
        )

    def _add(self, folder: str, stamp: str, run: SeenRun) -> None:
        row = msgspec.structs.asdict(_row(folder, run)) | {"id": None, "stamp": stamp}
        names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
        number = self._database.execute(f"INSERT INTO runs ({names}) VALUES ({marks})", row).lastrowid  # noqa: S608 - names of ours
        assert number is not None
        if isinstance(run, SeenLoad):
            self._add_load(number, run)
        else:
            self._add_interop(number, run)

    def _add_load(self, number: int, run: SeenLoad) -> None:
        seconds = measured_s(run)
        rows = []
        for action in run.actions:
            service, response = action.service_ms, action.response_ms
            latencies = [getattr(spread, one, None) for spread in (service, response) for one in ("p50", "p99")]
            per_s = action.count / seconds if seconds else None
            rows.append((number, action.ocpp, action.action, action.direction, action.count, per_s, *latencies))
        self._database.executemany("INSERT INTO actions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._database.executemany(
            "INSERT INTO objectives VALUES (?, ?, ?, ?, ?, ?)",
            [(number, slo.expr, slo.unit, slo.value, slo.passed, slo.undecided) for slo in run.slo],
        )
        self._database.executemany(
            "INSERT INTO kpis VALUES (?, ?, ?, ?)", [(number, kpi.name, kpi.unit, kpi.value) for kpi in kpis(run)]
        )

    def _add_interop(self, number: int, run: SeenInterop) -> None:
        verdicts: dict[int, str] = {}
        for case in run.cases:
            place = self._places.get((case.ocpp, case.id))
            if place is None:
                row = (case.ocpp, case.id, case.title)
                place = self._database.execute("INSERT INTO cases VALUES (NULL, ?, ?, ?)", row).lastrowid
                assert place is not None
                self._places[(case.ocpp, case.id)] = place
            verdicts[place] = case.verdict
        self._database.executemany(
            "INSERT INTO judged VALUES (?, ?, ?)", [(number, place, verdict) for place, verdict in verdicts.items()]
        )

    # -- to readers ----------------------------------------------------------------------------------------------------

    def runs(self) -> list[IndexedRun]:
        """List every run, the oldest first."""
        names = IndexedRun.__struct_fields__
        with self._guarded():
            rows = self._database.execute(f"SELECT {', '.join(names)} FROM runs ORDER BY started, folder").fetchall()  # noqa: S608 - as above
        return [msgspec.convert(dict(zip(names, row, strict=True)), IndexedRun, strict=False) for row in rows]

    def unreadable(self) -> list[Unreadable]:
        """List the folders that hold no readable run."""
        with self._guarded():
            rows = self._database.execute("SELECT folder, reason FROM unreadable ORDER BY folder").fetchall()
        return [Unreadable(*row) for row in rows]

    def select(self, columns: str, table: str, runs: list[IndexedRun]) -> list[tuple[int, tuple[object, ...]]]:
        """Return columns of a table for some runs, each row with the place of its run among them."""
        places = {run.id: place for place, run in enumerate(runs)}
        with self._guarded():
            self._database.execute("CREATE TEMP TABLE IF NOT EXISTS wanted (id INTEGER PRIMARY KEY)")
            self._database.execute("DELETE FROM wanted")
            self._database.executemany("INSERT INTO wanted VALUES (?)", [(number,) for number in places])
            query = f"SELECT run, {columns} FROM wanted JOIN {table} WHERE run = wanted.id"  # noqa: S608 - words of ours
            rows = self._database.execute(query).fetchall()
        return [(places[number], tuple(rest)) for number, *rest in rows]


def indexed(folder: Path) -> IndexedRun:
    """Read a run as the index keeps it, though it is in none; raises `UsageError` when it is no run."""
    try:
        return _row(str(folder), read_seen(folder / "run.json"))
    except UsageError as error:
        raise UsageError(f"{folder / 'run.json'}: {error}; name the folder of a finished run") from None


def _row(folder: str, run: SeenRun) -> IndexedRun:
    return IndexedRun(
        id=0,
        folder=folder,
        kind="load" if isinstance(run, SeenLoad) else "interop",
        target=target_title(run.target),
        ocpp=", ".join(run.target.ocpp),
        workload=workload_title(run.settings) if isinstance(run, SeenLoad) else "",
        label=run.label,
        started=run.started,
        finished=run.finished,
        verdict=run.verdict,
        interrupted=run.interrupted,
        generator=run.generator.verdict if isinstance(run, SeenLoad) else "",
        settings=settings_key(run),
    )


def _run_files(root: Path, inside: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield every folder below that holds a `run.json`, and what changes when that file does; none inside a run."""
    try:
        entries = sorted(os.scandir(root / inside), key=lambda entry: entry.name)
    except OSError:
        return
    with contextlib.suppress(StopIteration, OSError):
        file = next(entry for entry in entries if entry.name == "run.json" and entry.is_file())
        status = file.stat()
        yield inside or ".", f"{status.st_mtime_ns}:{status.st_size}"
        return
    if depth < _DEEPEST:
        for entry in entries:
            if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                yield from _run_files(root, os.path.join(inside, entry.name), depth + 1)  # noqa: PTH118 - a text, fast
