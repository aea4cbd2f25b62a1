"""What a person must know of a load run besides its verdict: storms, lost connections, the worst moment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from evidence.injected_words import injected_sentences
from evidence.lost_words import all_lost
from evidence.plugin_results import StormResult
from evidence.run_model import LoadRun
from evidence.vocabulary import (
    COOL_DOWN,
    DUPLICATE_DELIVERY,
    NO_PROPERTIES,
    OTHER_DIALECT,
    PUBLISH_REFUSED,
    RETAINED_DELIVERY,
)
from reports.words import count, duration, milliseconds, number, percent, plural

__all__ = ["load_remarks"]

_MOST_STORMS = 6
_MOMENT = 5.0
"""Seconds that a moment lasts."""
_LEAST_ERRORS = 3
_SLOWER = 2.0
_SLOWER_MS = 50.0
_GREW = 0.2
_PROCESS_FIGURES = {"rss": "memory", "fds": "number of open files", "threads": "number of threads"}
_WORTH_TELLING = 0.01
"""Share of failed calls below which no moment was bad."""


def load_remarks(run: LoadRun) -> list[str]:
    """Return sentences, the gravest first."""
    remarks = list(map(_storm, run.storms[:_MOST_STORMS]))
    if len(run.storms) > _MOST_STORMS:
        remarks.append(f"{plural(len(run.storms) - _MOST_STORMS, 'more storm')} further down.")
    if run.lost_connections:
        sentence = all_lost(run.lost_connections)
        remarks.append(f"{sentence} {_by_storms(run)}".rstrip())
    goodbye = min((window.start for window in run.windows if window.name == COOL_DOWN), default=math.inf)
    timeline = [row for row in run.timeline if "t" in row and row["t"] <= goodbye - 1]
    alone = [] if any(symptom.word == "gone" for symptom in run.symptoms) else _left_alone(timeline)
    moments = [*alone, *_worst_moment(timeline), *_growth(run)]
    return [*remarks, *_deliveries(run), *_neighbours(run), *moments, *injected_sentences(run)]


def _storm(storm: StormResult) -> str:
    struck = plural(storm.stations.struck, "station")
    begin = f"The storm {storm.storm} struck {struck} {duration(storm.at)} after the start"
    if storm.recovered is None:
        return f"{begin}; whether the CSMS recovered was not judged."
    if storm.recovered:
        slowest = storm.recovery_ms.get("max")
        after = f" within {duration(slowest / 1000)}" if slowest is not None else ""
        return f"{begin}; the CSMS recovered{after}."
    missing = storm.stations.unrecovered
    left = f" {count(missing)} of them did not come back." if missing else ""
    return f"{begin}; the CSMS did not recover.{left}"


_DELIVERIES: Final = {
    OTHER_DIALECT: "{} of the CSMS could not be read, as they are not of the dialect; the log shows the first one.",
    NO_PROPERTIES: "{} of the CSMS lacked the MQTT 5 properties of the dialect; the log shows the first one.",
    PUBLISH_REFUSED: "The broker refused {} of stations; the log shows the first one.",
    DUPLICATE_DELIVERY: "{} came with the DUP flag, so the broker may have delivered them twice.",
    RETAINED_DELIVERY: "{} that the broker had kept came when a station subscribed.",
}


def _deliveries(run: LoadRun) -> list[str]:
    """Name what was wrong with the messages that a broker delivered."""
    found = [(words, run.faults.get(kind, 0)) for kind, words in _DELIVERIES.items()]
    return [words.format(plural(number, "message")) for words, number in found if number]


def _neighbours(run: LoadRun) -> list[str]:
    """Name the storms that slowed down stations which they did not strike."""
    found = []
    for storm in run.storms:
        before, during = storm.neighbours.before.p95_ms, storm.neighbours.during.p95_ms
        if before is not None and during is not None and during > max(before * _SLOWER, before + _SLOWER_MS):
            found.append(
                f"While {storm.storm} struck {plural(storm.stations.struck, 'station')}, calls of the others took "
                f"longer, too: p95 {milliseconds(during)} instead of {milliseconds(before)}."
            )
    return found


def _growth(run: LoadRun) -> list[str]:
    """Name the process figures of the CSMS that grew while the load stayed the same."""
    found = []
    for one in run.watch.series:
        of_process = one.source.startswith("pid ") and one.name in _PROCESS_FIGURES
        if of_process and one.growth is not None and one.growth >= _GREW:
            most = f"{number(one.most or 0.0)} {one.unit}".rstrip()
            found.append(
                f"The {_PROCESS_FIGURES[one.name]} of the CSMS ({one.source}) grew by {percent(one.growth)} from the "
                f"beginning to the end of the measurement, to {most}."
            )
    return found


def _by_storms(run: LoadRun) -> str:
    """Say how many connections were lost for the first time after a storm had begun."""
    begun = [storm.at for storm in run.storms]
    if not begun:
        return ""
    after = sum(one.count for one in run.lost_connections if one.first >= min(begun))
    return f"{count(after)} of them were lost after the first storm had begun."


def _left_alone(timeline: Sequence[dict[str, float]]) -> list[str]:
    """Say from when on most stations were without a connection, if that was so until the end."""
    most = max((row.get("connected", 0.0) for row in timeline), default=0.0)
    since = None
    for row in timeline:
        if row.get("connected", 0.0) > most / 2:
            since = None
        elif since is None:
            since = row
    if since is None or since is timeline[0] or timeline[-1]["t"] - since["t"] < _MOMENT:
        return []
    left = round(max(row.get("connected", 0.0) for row in timeline if row["t"] >= since["t"]))
    begin = f"From {duration(since['t'])} after the start until the end"
    return [f"{begin}, at most {count(left)} of {plural(round(most), 'station')} had a connection."]


def _worst_moment(timeline: Sequence[dict[str, float]]) -> list[str]:
    """Name the seconds in which the largest share of the calls failed; nothing where hardly any did."""
    moments: dict[int, tuple[float, float]] = {}
    for row in timeline:
        place = int(row.get("t", 0.0) // _MOMENT)
        errors, calls = moments.get(place, (0.0, 0.0))
        moments[place] = (errors + row.get("errors", 0.0), calls + row.get("calls", 0.0))
    bad = {place: pair for place, pair in moments.items() if pair[0] >= _LEAST_ERRORS and pair[1] > 0}
    if not bad:
        return []
    place, (errors, calls) = max(bad.items(), key=lambda item: (item[1][0] / item[1][1], item[1][0]))
    if errors / calls < _WORTH_TELLING:
        return []
    ended = plural(round(calls), "call")
    failed = f"{count(errors)} ({percent(errors / calls)}) had no proper answer"
    when = duration(place * _MOMENT)
    return [f"The worst moment was {when} after the start: of {ended} that ended within {_MOMENT:g} s, {failed}."]
