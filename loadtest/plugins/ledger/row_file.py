"""The file of a run that keeps one row for each charging session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from loadtest.measuring.session_row import Row
from ocppj.errors import UsageError

__all__ = ["FILE", "RowFile", "RowWriter"]

FILE: Final = "ledger.jsonl"


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Row).decode


class RowWriter:
    """Appends rows to a file that is made with the first one; a disk that refuses ends it and not the run."""

    def __init__(self, path: Path) -> None:
        """Write there when there is something to write."""
        self.path = path
        self.error: str | None = None
        """Why rows are missing in the file."""
        self._file: BinaryIO | None = None

    def add(self, row: Row) -> None:
        """Append a row; it reaches the disk with the next `flush`."""
        if self.error is None:
            try:
                if self._file is None:
                    self._file = self.path.open("wb")
                self._file.write(_encode(row) + b"\n")
            except OSError as error:
                self.error = error.strerror or str(error)

    def flush(self) -> None:
        """Bring everything to the disk."""
        self._do("flush")

    def close(self) -> None:
        """Flush, and write no more."""
        self._do("close")
        self._file = None

    def _do(self, what: str) -> None:
        if self._file is not None:
            try:
                getattr(self._file, what)()
            except OSError as error:
                self.error = self.error or error.strerror or str(error)


class RowFile:
    """The rows of a file, from the disk each time they are gone through: a run of millions must not fill the memory."""

    def __init__(self, path: Path) -> None:
        """Stand for a file, which may be missing where nobody came."""
        self.path = path

    def __iter__(self) -> Iterator[Row]:
        """Read row by row; raises `UsageError` where a line is none. A last line cut off by a crash is passed over."""
        try:
            with self.path.open("rb") as file:
                yield from self._rows(file)
        except FileNotFoundError:
            return
        except OSError as error:
            raise UsageError(
                f"{self.path} cannot be read: {error.strerror}; name the folder of a finished run"
            ) from None

    def _rows(self, file: Iterable[bytes]) -> Iterator[Row]:
        for number, line in enumerate(file, 1):
            if line.endswith(b"\n"):
                try:
                    yield _decode(line)
                except (msgspec.MsgspecError, UnicodeError) as error:
                    raise UsageError(f"{self.path} line {number} is not a row of a ledger: {error}") from None
