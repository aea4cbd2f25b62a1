"""Checksums of a run folder, as `sha256sum --check` reads them: what was recorded stays as it was, or it shows.

`manifest.sha256` is about the evidence, and its own checksum stands for the whole run. `pages.sha256` is about what is
made from `run.json` and can be made again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from evidence.run_folder import RunFolder
from ocppj.errors import UsageError

__all__ = ["MANIFEST", "check_manifest", "folder_hash", "has_manifest", "seal", "seal_pages"]

MANIFEST = "manifest.sha256"
PAGES_MANIFEST = "pages.sha256"
_PAGES = frozenset({"attestation.html", "junit.xml", "report.html", "summary.md"})
_MOST_NAMED = 3
_PIECE = 1 << 20


def seal(folder: Path) -> None:
    """Write down the checksum of every file of a run; raises `UsageError` when the disk refuses."""
    names = [name for name in _files(folder) if name not in _PAGES]
    RunFolder(folder).write_text(MANIFEST, _lines(folder, names))
    seal_pages(folder)


def seal_pages(folder: Path) -> None:
    """Write down the checksums of the pages alone, after they were made again; raises `UsageError` likewise."""
    names = [name for name in _files(folder) if name in _PAGES]
    RunFolder(folder).write_text(PAGES_MANIFEST, _lines(folder, names))


def has_manifest(folder: Path) -> bool:
    """Return whether a run was sealed; one that was cut, or that an older Plugstorm wrote, was not."""
    return (folder / MANIFEST).is_file()


def check_manifest(folder: Path) -> None:
    """Raise `UsageError` when a file is not as it was when the run was sealed; what came later is no evidence."""
    changed = list(_changed(folder))
    if changed:
        more = len(changed) - _MOST_NAMED
        named = ", ".join(changed[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        raise UsageError(f"{folder} is not as it was when its run ended: {named} (see {MANIFEST}); nothing was written")


def folder_hash(folder: Path) -> str:
    """Give the one checksum that stands for the evidence of a run: that of its manifest."""
    return _checksum(folder / MANIFEST)


def _changed(folder: Path) -> Iterator[str]:
    for number, line in enumerate((folder / MANIFEST).read_text("utf-8").splitlines(), 1):
        checksum, _, name = line.partition("  ")
        file = folder / name
        if not name or not file.resolve().is_relative_to(folder.resolve()):
            yield f"line {number} of the manifest names no file"
        elif not file.is_file():
            yield f"{name} is gone"
        elif _checksum(file) != checksum:
            yield f"{name} was changed"


def _files(folder: Path) -> list[str]:
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if name not in (MANIFEST, PAGES_MANIFEST) and not name.startswith("."))


def _lines(folder: Path, names: list[str]) -> str:
    return "".join(f"{_checksum(folder / name)}  {name}\n" for name in names)


def _checksum(file: Path) -> str:
    digest = hashlib.sha256()
    try:
        with file.open("rb") as data:
            while piece := data.read(_PIECE):
                digest.update(piece)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    return digest.hexdigest()
