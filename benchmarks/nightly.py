"""Whether a nightly job tells a CSMS that became slower from one that did not: `python -m benchmarks.nightly`.

A night is a few short load runs, one after the other, and `plugstorm compare --baseline tag:base` with the runs of the
base. Half of the nights meet the CSMS of the base again, the other half one whose answers take longer; the two halves
run side by side, each in the way of the other. Runs that are in the folder already are not made again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.children import Child
from evidence import exit_codes
from evidence.run_folder import read_run
from evidence.verdicts import RunVerdict
from ocppj.errors import InconclusiveError

__all__ = ["Night", "Plan", "expected", "main", "summary"]

_PLUGSTORM: Final = (sys.executable, "-m", "plugstorm")
_PATIENCE: Final = 120.0
"""Seconds that a run may take beyond its length on a machine that others use, too."""
_MORE: Final = 3
"""Runs that may be spoilt."""
_CONCLUDED: Final = (RunVerdict.PASSED, RunVerdict.FAILED)
_UNCHANGED: Final = "unchanged"
_SLOWER: Final = "slower"
_WORDS: Final = {
    exit_codes.PASSED: "no change",
    exit_codes.FAILED: "regression",
    exit_codes.INVALID: "cannot tell",
}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is run."""

    folder: Path
    nights: int
    """Of each kind."""
    runs: int
    """Of the base, and of each night."""
    stations: int
    seconds: int
    latency: float
    """That the practice CSMS of the base adds to each answer, in ms."""
    slower: float
    """Times that."""


class Night(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison."""

    kind: str
    number: int
    word: str
    worse: int
    """Figures that got worse."""
    compared: int


def expected(kind: str) -> str:
    """Return the word that is right for a night of this kind."""
    return _WORDS[exit_codes.FAILED if kind == _SLOWER else exit_codes.PASSED]


def summary(nights: Sequence[Night]) -> str:
    """Write a table: how many nights of each kind ended with which word."""
    lines = ["| CSMS | nights | no change | regression | cannot tell |", "| --- | --- | --- | --- | --- |"]
    for kind in dict.fromkeys(night.kind for night in nights):
        words = Counter(night.word for night in nights if night.kind == kind)
        cells = (kind, words.total(), *(words[word] for word in _WORDS.values()))
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main(words: Sequence[str]) -> int:
    """Run all nights, print what came out, and return 0 where every night ended with the right word."""
    plan = _read(words)
    plan.folder.mkdir(parents=True, exist_ok=True)
    with _csms(plan.latency) as same, _csms(plan.latency * plan.slower) as slow:
        urls = {_UNCHANGED: _url(same), _SLOWER: _url(slow)}
        _make(plan, urls[_UNCHANGED], plan.folder / "base", "base")
        with ThreadPoolExecutor(len(urls)) as lanes:
            found = lanes.map(lambda kind: _nights(plan, kind, urls[kind], _say), urls)
            nights = [night for lane in found for night in lane]
    (plan.folder / "nights.json").write_bytes(msgspec.json.format(msgspec.json.encode(nights), indent=2))
    _say(summary(nights))
    wrong = [night for night in nights if night.word != expected(night.kind)]
    return exit_codes.FAILED if wrong else exit_codes.PASSED


def _read(words: Sequence[str]) -> Plan:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nightly", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the runs go")
    parser.add_argument("--nights", type=int, default=20, help="of each kind")
    parser.add_argument("--runs", type=int, default=5, help="of the base, and of each night")
    parser.add_argument("--stations", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=12, help="length of a run")
    parser.add_argument("--latency", type=float, default=20, help="of the practice CSMS, in ms")
    parser.add_argument("--slower", type=float, default=1.2, help="times that, for the nights that must be found")
    return msgspec.convert(vars(parser.parse_args(words)), Plan)


def _csms(latency: float) -> Child:
    return Child(
        "practice CSMS",
        [*_PLUGSTORM, "csms", "--latency", f"{latency:g}", "--port", "0", "--control-port", "0", "--json"],
    )


def _url(csms: Child) -> str:
    url: str = csms.hear(_PATIENCE)["url"]
    return url


def _nights(plan: Plan, kind: str, url: str, say: Callable[[str], None]) -> list[Night]:
    nights = []
    for number in range(1, plan.nights + 1):
        runs = _make(plan, url, plan.folder / f"{kind}-{number}", f"{kind}-{number}")
        nights.append(_compare(plan, kind, number, runs))
        say(msgspec.json.encode(nights[-1]).decode())
    return nights


def _make(plan: Plan, url: str, folder: Path, label: str) -> list[Path]:
    """Make runs until there are enough from which something can be concluded; a busy machine spoils some."""
    sound: list[Path] = []
    for seed in range(1, plan.runs + _MORE + 1):
        run = folder / str(seed)
        if not (run / "run.json").exists():
            words = ["load", "--url", url, "--stations", str(plan.stations), "--spawn-rate", str(plan.stations)]
            words += ["--duration", f"{plan.seconds}s", "--warm-up", "1", "--seed", str(seed), "--label", label]
            with Child(f"run {run}", [*_PLUGSTORM, *words, "--out", str(run)]) as child:
                child.wait(plan.seconds + _PATIENCE)
        sound += [run] if read_run(run).verdict in _CONCLUDED else []
        if len(sound) == plan.runs:
            break
    return sound


def _compare(plan: Plan, kind: str, number: int, runs: Sequence[Path]) -> Night:
    if not runs:
        # The machine was so busy that it spoiled all of them.
        return Night(kind=kind, number=number, word=_WORDS[exit_codes.INVALID], worse=0, compared=0)
    words = ["compare", "--baseline", "tag:base", "--runs", str(plan.folder / "base"), *map(str, runs), "--json"]
    done = subprocess.run([*_PLUGSTORM, *words], check=False, capture_output=True, text=True)  # noqa: S603 - our own words
    if done.returncode not in _WORDS or not done.stdout:
        raise InconclusiveError(f"The comparison of {kind} night {number} failed: {done.stderr.strip()}")
    told = msgspec.json.decode(done.stdout)
    worse = sum(change["direction"] == "worse" for change in told["changes"])
    return Night(kind=kind, number=number, word=_WORDS[done.returncode], worse=worse, compared=told["compared"])


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
