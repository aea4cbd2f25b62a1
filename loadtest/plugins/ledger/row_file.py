"""One charging session at a connector as a row, and the file of a run that keeps them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ocppj.errors import UsageError
from ocppj.outcomes import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

__all__ = ["FILE", "NOTE", "Row", "RowFile", "RowWriter", "row_of"]

FILE: Final = "ledger.jsonl"
NOTE: Final = "charging_session"
"""The kind of the note that carries a row: its fields in their order."""

_ANSWERED: Final = frozenset({Outcome.ACCEPTED, Outcome.REJECTED})


class Row(msgspec.Struct, omit_defaults=True):
    """What a station knows of one charging session; times as it wrote them, energies in Wh, spans in seconds."""

    station: str
    ocpp: str
    token: str
    plugged: float = 0.0
    """Seconds since 1970 at which the driver meant to be there; 0 where the charging session never began."""
    window: str = ""
    remote: bool = False
    """Whether the CSMS asked for the transaction."""
    expected: bool = True
    """Whether the token should be accepted; a refusal of one that should not is not a failure."""
    authorize: str = ""
    """Outcome of Authorize; empty where nothing was asked."""
    evse: int | None = None
    """In 2.x."""
    connector: int | None = None
    id: int | str | None = None
    """Of the transaction: the CSMS's choice in 1.6, the station's in 2.x."""
    start: str = ""
    """Outcome of the last sending of the start; empty where no transaction began."""
    start_sends: int = 0
    start_time: str | None = None
    meter_start: float | None = None
    to_start: float | None = None
    """From the intended Authorize, or the CSMS's order, to the answer that accepted the start."""
    stop: str = ""
    """Outcome of the last sending of the stop; empty where the transaction was not ended."""
    stop_sends: int = 0
    stop_id: int | None = None
    """The transactionId that a StopTransaction named."""
    stop_time: str | None = None
    meter_stop: float | None = None
    ending: str = ""
    seconds: float = 0.0
    """From start to stop."""
    metered: bool = False
    """Whether a meter value was told between them."""
    offline: bool = False
    """Whether the transaction began without a connection."""
    cut: bool = False
    """Whether the end of the run, a restart or a crash of the station cut the charging session short."""
    thirsty: bool = True
    """Whether the car took energy as soon as the transaction began: it was not full, nor waiting, nor held back."""

    @property
    def is_transaction(self) -> bool:
        """Whether there is something to reconcile: the start was told, or was to be."""
        return bool(self.start)

    @property
    def start_answered(self) -> bool:
        """Whether the CSMS has confirmed the start with a CALLRESULT."""
        return self.start in _ANSWERED

    @property
    def stop_answered(self) -> bool:
        """Whether the CSMS has confirmed the stop with a CALLRESULT."""
        return self.stop in _ANSWERED

    @property
    def once(self) -> bool:
        """Whether each message was put on the wire once and answered, so that nothing can be there twice by right."""
        stopped = not self.stop or (self.stop_answered and self.stop_sends == 1)
        return self.start_answered and self.start_sends == 1 and stopped

    @property
    def energy(self) -> float | None:
        """Wh between the two readings."""
        if self.meter_start is None or self.meter_stop is None:
            return None
        return self.meter_stop - self.meter_start


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


def row_of(note: list[Any]) -> Row:
    """Take a row out of the note that carried it."""
    return Row(*note[1:])
