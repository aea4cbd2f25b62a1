"""Judges logs: hands each record to the station that it belongs to, and keeps what is found within bounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import inf
from typing import Final

from analysis.dialogue import Dialogue
from analysis.figures import Figures
from analysis.findings_model import (
    ActionFigures,
    Analysis,
    FrameSeen,
    Judged,
    Lost,
    SourceFigures,
    StationFigures,
    UnreadLine,
)
from analysis.guess import ANY_ACTION
from analysis.listener import SeenFrame, Speaker
from analysis.model import Event, Level, Record, Side, Traits, Unread
from analysis.rulebook.certificates import Certificates
from analysis.rulebook.clocks import Clocks, Heartbeats
from analysis.rulebook.commands import Lists, Profiles, Reservations, Values
from analysis.rulebook.contract import Watcher
from analysis.rulebook.readings import Readings
from analysis.rulebook.requests import Requests
from analysis.rulebook.statuses import Statuses16
from analysis.rulebook.table import RULES
from analysis.rulebook.tokens import Tokens
from analysis.rulebook.transactions_2x import Transactions2x
from analysis.rulebook.transactions_16 import Transactions16
from analysis.rulebook.transfers import Transfers
from ocppj.versions import Version

__all__ = ["CALL_TIMEOUT", "Judge"]

CALL_TIMEOUT: Final = 30.0
"""Seconds until a CALL counts as unanswered, where nobody says something else: OCPP gives no default."""
_KEPT_EACH: Final = 10
"""Findings of one rule at one station that are kept with their frames; all are counted."""
_KEPT: Final = 2_000
_UNREAD_KEPT: Final = 50
_SHOWN_UNREAD: Final = 300
_LOST_KEPT: Final = 200
_FRAME: Final = Event.FRAME
_FEWEST_IDS: Final = 32
_ALL_IDS: Final = 200_000
"""Message ids that are remembered for all stations together."""


def _watchers_16(dialogue: Dialogue) -> list[Watcher]:
    transactions = Transactions16(dialogue)
    return [
        Clocks(dialogue),
        Heartbeats(dialogue),
        transactions,
        Readings(dialogue, transactions),
        Statuses16(dialogue),
        Profiles(dialogue),
        Reservations(dialogue),
        Lists(dialogue),
        Values(dialogue),
        Tokens(dialogue),
        Certificates(dialogue),
        Requests(dialogue),
    ]


def _watchers_2x(dialogue: Dialogue) -> list[Watcher]:
    transactions = Transactions2x(dialogue)
    return [
        Clocks(dialogue),
        Heartbeats(dialogue),
        transactions,
        Readings(dialogue, transactions),
        Profiles(dialogue),
        Reservations(dialogue),
        Lists(dialogue),
        Values(dialogue),
        Tokens(dialogue),
        Certificates(dialogue),
        Requests(dialogue),
        Transfers(dialogue),
    ]


_WATCHERS: Final[dict[Version, Callable[[Dialogue], list[Watcher]]]] = {
    Version.V16: _watchers_16,
    Version.V201: _watchers_2x,
    Version.V21: _watchers_2x,
}


class Judge:
    """Takes records of any number of logs, then tells what it found."""

    def __init__(
        self,
        *,
        timeout: float = CALL_TIMEOUT,
        version: Version | None = None,
        hears: Sequence[Callable[[Judged], object]] = (),
    ) -> None:
        """Take the time-out of a CALL in seconds, the version where a person names it, and who hears of findings."""
        self._hears = hears
        self._timeout = timeout
        self._version = version
        self._dialogues: dict[str, Dialogue] = {}
        self._past: list[StationFigures] = []
        self._sources: list[SourceFigures] = []
        self._source = SourceFigures(name="", format="")
        self._traits = Traits()
        self._counts: Counter[tuple[Side, str]] = Counter()
        self._required: set[tuple[Side, str]] = set()
        self._by_station: dict[str, Counter[str]] = {}
        self._findings: list[Judged] = []
        self._around: list[list[SeenFrame]] = []
        """The frames around each finding."""
        self._unread: list[UnreadLine] = []
        self._lost: list[Lost] = []
        self._figures: dict[tuple[Side, str], dict[Version, Figures]] = {}
        self._at = -inf
        self.last_gap = 0
        self.ids_each = _ALL_IDS

    # -- logs ------------------------------------------------------------------------------------------------------

    def begin(self, name: str, kind: str, traits: Traits) -> None:
        """Begin a log; its stations go on where the last one left them, unless its times are its own."""
        if traits.from_the_start:
            self._close_dialogues()
        self._source = SourceFigures(name=name, format=kind)
        self._sources.append(self._source)
        self._traits = traits
        self.last_gap = 0
        for dialogue in self._dialogues.values():
            dialogue.traits = traits
        self._at = -inf

    def read(self, records: Iterable[Record | Unread]) -> None:
        """Take all records of the log that was begun."""
        for record in records:
            self.take(record)

    def take(self, record: Record | Unread) -> None:
        """Take a record of the log that was begun."""
        if type(record) is Unread:
            self._could_not_read(record)
            return
        assert type(record) is Record
        source = self._source
        at = record.at
        if at is not None:
            if at < self._at - 1.0:
                source.steps_back += 1
            self._at = at
        dialogue = self._dialogues.get(record.station)
        if dialogue is None:
            dialogue = self._meet(record.station)
        if record.event is not _FRAME:
            dialogue.take_event(record)
            return
        source.frames += 1
        if record.cut:
            source.cut += 1
        if not dialogue.take_frame(record):
            self._could_not_read(Unread(record.line, record.text, "nobody can tell which side sent it"))

    def _meet(self, station: str) -> Dialogue:
        dialogue = self._dialogues[station] = Dialogue(
            station, self, _WATCHERS, timeout=self._timeout, version=self._version
        )
        dialogue.traits = self._traits
        self.ids_each = min(self.ids_each, max(_ALL_IDS // len(self._dialogues), _FEWEST_IDS))
        return dialogue

    def _could_not_read(self, unread: Unread) -> None:
        self._source.unread += 1
        self.last_gap = unread.line
        if len(self._unread) < _UNREAD_KEPT:
            text = unread.text[:_SHOWN_UNREAD]
            self._unread.append(UnreadLine(self._source.name, unread.line, text, unread.why))

    def _close_dialogues(self) -> None:
        for dialogue in self._dialogues.values():
            dialogue.finish()
            self._past.append(self._station_figures(dialogue))
        self._dialogues = {}

    # -- what dialogues tell ---------------------------------------------------------------------------------------

    def found(
        self, speaker: Speaker, rule: str, side: Side, detail: str, where: tuple[int, float | None]
    ) -> list[SeenFrame] | None:
        """Count a finding, and keep it with the frames around it while there is room."""
        self._counts[side, rule] += 1
        station = self._by_station.get(speaker.name)
        if station is None:
            station = self._by_station[speaker.name] = Counter()
        station[rule] += 1
        version = speaker.known_version
        if RULES[rule].level_in(version) is Level.REQUIRED:
            self._required.add((side, rule))
        if station[rule] > _KEPT_EACH or len(self._findings) >= _KEPT:
            return None
        told = RULES[rule]
        frames = list(speaker.recent)
        finding = Judged(
            rule=rule,
            side=side,
            level=told.level_in(version),
            clause=told.clause_in(version),
            asks=told.asks,
            station=speaker.name,
            connection=speaker.connection,
            file=self._source.name,
            line=where[0],
            at=where[1],
            version=version,
            detail=detail,
        )
        self._findings.append(finding)
        self._around.append(frames)
        for hear in self._hears:
            hear(finding)
        return frames

    def lost(self, speaker: Speaker, connector: int, side: Side, reason: str, line: int) -> None:
        """Keep why a charging session was lost."""
        if len(self._lost) < _LOST_KEPT:
            self._lost.append(
                Lost(
                    station=speaker.name,
                    connector=connector,
                    side=side,
                    file=self._source.name,
                    line=line,
                    reason=reason,
                )
            )

    def figures(self, version: Version, sender: Side, action: str) -> Figures:
        """Return what is counted of an action; those that no version has share one."""
        name = action if action in ANY_ACTION else "(unknown)"
        return self._figures.setdefault((sender, name), {}).setdefault(version, Figures())

    # -- the end ---------------------------------------------------------------------------------------------------

    def finish(self) -> Analysis:
        """Take the end of all logs and return what was found."""
        self._notes: list[str] = []
        dialogues = list(self._dialogues.values())
        # What waited for its version is judged now.
        self._close_dialogues()
        for finding, around in zip(self._findings, self._around, strict=True):
            finding.frames = [
                FrameSeen(line, at, direction, text, marked=line == finding.line)
                for line, at, direction, text in around
            ]
        for dialogue in dialogues:
            if len(dialogue.heard) == 1:
                side = next(iter(dialogue.heard))
                self._note_silence(side)
        counts: dict[str, dict[str, int]] = {}
        for (side, rule), count in sorted(self._counts.items()):
            counts.setdefault(side, {})[rule] = count
        return Analysis(
            sources=self._sources,
            frames=sum(source.frames for source in self._sources),
            stations=self._past,
            actions=list(self._finished()),
            counts=counts,
            required={side: sorted(rule for one, rule in self._required if one is side) for side in Side},
            findings=self._findings,
            lost=self._lost,
            unread=self._unread,
            notes=self._notes,
        )

    def _note_silence(self, heard: Side) -> None:
        other = Side.CSMS if heard is Side.STATION else Side.STATION
        note = f"the log holds nothing of the {other.words}, so that missing answers say nothing"
        if note not in self._notes:
            self._notes.append(note)

    def _finished(self) -> Iterator[ActionFigures]:
        for (sender, action), versions in sorted(self._figures.items()):
            seen = Figures()
            for figures in versions.values():
                seen.merge(figures)
            yield ActionFigures(
                action=action,
                sender=sender,
                calls=seen.calls,
                versions={version: figures.calls for version, figures in versions.items() if figures.calls},
                results=seen.results,
                errors=seen.errors,
                unanswered=seen.unanswered,
                mean_ms=round(seen.total / seen.count * 1e3, 3) if seen.count else None,
                p50_ms=seen.quantile_ms(0.5),
                p95_ms=seen.quantile_ms(0.95),
                max_ms=round(seen.longest * 1e3, 3) if seen.count else None,
            )

    def _station_figures(self, dialogue: Dialogue) -> StationFigures:
        return StationFigures(
            station=dialogue.name,
            versions=dialogue.versions,
            frames=dialogue.frames,
            connections=dialogue.links.count,
            transactions=dialogue.transactions,
            first=dialogue.first,
            last=dialogue.last,
            findings=dict(self._by_station.get(dialogue.name, {})),
            spans=dialogue.links.spans,
        )
