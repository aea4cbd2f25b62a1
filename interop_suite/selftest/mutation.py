"""The proof that does not know the cases: systematic mutants of the practice CSMS, and how many of them are found.

A mutant is killed by any FAILED or NON_STRICT that the CSMS without it does not get. One that changed nothing in all of
its cases was not reached; one that changed something and got away is a survivor. Survivors that the texts allow, or
that no station can see, are listed with their reason in `equivalents.toml`.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache, partial
from importlib import resources

import msgspec

from evidence.verdicts import Verdict
from fixtures.csms import Mode
from fixtures.csms.mutants import Mutant, all_mutants
from interop_suite.catalogue import all_cases
from interop_suite.drive.setup import Start
from interop_suite.selftest.applicability import Seen
from interop_suite.selftest.bench import ModeTask, ModeTried, MutantTask, MutantTried, open_benches
from interop_suite.selftest.drawing import draw_evenly
from interop_suite.selftest.worker_pool import WorkerPool
from ocppj.versions import Version

__all__ = [
    "Equivalent",
    "Fate",
    "MutationRun",
    "Score",
    "Survivor",
    "draw_mutants",
    "equivalents",
    "mutants_of",
    "reached",
    "run_mutation",
    "sample",
    "share_of",
]

PROCESSES = 2
LANES = 6
LIMIT = 600.0
"""Seconds for one mutant."""
MOST_CASES = 40
"""Cases that a mutant is tried on at first; only one that got away is tried on all the others as well."""
EARLY_CASES = 8
"""How many of them begin, where there are such, before the boot of the station."""


class Equivalent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mutants that need not be found, by a pattern for their ids, and why."""

    mutants: str
    reason: str
    clause: str = ""
    """The text that allows it; empty where no station can see it."""


class Fate(msgspec.Struct, kw_only=True):
    """What became of one mutant."""

    id: str
    kind: str
    required: bool
    killed_by: str | None = None
    reason: str = ""
    acted: bool = False
    tried: int = 0
    equivalent: str | None = None
    """Why it need not be found."""


class Survivor(msgspec.Struct, kw_only=True):
    """The survivors of one kind."""

    kind: str
    mutants: list[str]


class Score(msgspec.Struct, kw_only=True):
    """How many mutants were found; shares count those that changed something and are not equivalent."""

    version: str
    mutants: int
    unreached: int
    equivalent: int
    killed: int
    survived: int
    required_killed: int
    required_survived: int
    survivors: list[Survivor]
    problems: list[str] = []

    @property
    def share(self) -> float:
        """The mutation score; 1 where there was nothing to find."""
        judged = self.killed + self.survived
        return self.killed / judged if judged else 1.0

    @property
    def required_share(self) -> float:
        """The score of the kinds that the texts forbid."""
        judged = self.required_killed + self.required_survived
        return self.required_killed / judged if judged else 1.0


def share_of(scores: Iterable[Score]) -> float:
    """Return the mutation score of several versions together; 1 where there was nothing to find."""
    totals = list(scores)
    killed = sum(score.killed for score in totals)
    judged = killed + sum(score.survived for score in totals)
    return killed / judged if judged else 1.0


@cache
def equivalents() -> tuple[Equivalent, ...]:
    """Read the reviewed list of mutants that need not be found."""
    text = resources.files("interop_suite.selftest").joinpath("equivalents.toml").read_text("utf-8")
    return tuple(msgspec.toml.decode(text, type=dict[str, list[Equivalent]])["equivalent"])


def reason_to_spare(mutant: str) -> str | None:
    """Find why a mutant need not be found; None where it must be."""
    for entry in equivalents():
        if fnmatchcase(mutant, entry.mutants.replace("[]", "[[]]")):
            return f"{entry.reason} ({entry.clause})" if entry.clause else entry.reason
    return None


def reached(mutant: Mutant, cases: Mapping[str, Seen]) -> list[str]:
    """List the cases, by their keys, in which a mutant can change something."""
    prefix = f"{mutant.version}-"
    return [key for key, seen in cases.items() if key.startswith(prefix) and not mutant.needs.isdisjoint(seen.parts)]


def sample(mutants: Iterable[Mutant], size: int | None, seed: int) -> list[Mutant]:
    """Draw some mutants, evenly over the kinds; all of them without a size."""
    return draw_evenly(mutants, size, seed, lambda mutant: mutant.kind)


class MutationRun:
    """Gives the tasks of some mutants and takes what came of them."""

    def __init__(
        self,
        mutants: Sequence[Mutant],
        cases: Mapping[str, Seen],
        parents: Mapping[str, Verdict],
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Take the mutants, what each case shows of a right CSMS, and the verdicts that it gets there."""
        self._progress = progress
        self._parents = parents
        self._early = {case.key for case in all_cases() if case.start is not Start.BOOTED}
        self.fates: dict[str, Fate] = {}
        self._cases: dict[str, list[str]] = {}
        self._rest: dict[str, list[str]] = {}
        """Cases that a mutant has not been tried on."""
        for mutant in mutants:
            self.fates[mutant.id] = Fate(
                id=mutant.id, kind=mutant.kind, required=mutant.required, equivalent=reason_to_spare(mutant.id)
            )
            self._cases[mutant.id] = reached(mutant, cases)

    def tasks(self) -> list[MutantTask]:
        """List a task for each mutant that some case can reach."""
        return [self._task(name) for name, cases in self._cases.items() if cases]

    def _task(self, name: str) -> MutantTask:
        cases = self._cases[name][:]
        # The same for everybody, and not the first ones of the list for all.
        random.Random(name).shuffle(cases)  # noqa: S311 - an order and no secret
        # What the preparation of the others needs is judged in these alone.
        cases.sort(key=lambda key: key not in self._early)
        cases = cases[:EARLY_CASES] + random.Random(name).sample(cases[EARLY_CASES:], len(cases[EARLY_CASES:]))  # noqa: S311
        known = [key for key in cases if key in self._parents]
        self._rest[name] = known[MOST_CASES:]
        return self._on(name, known[:MOST_CASES])

    def _on(self, name: str, cases: Iterable[str]) -> MutantTask:
        return MutantTask(name, {key: self._parents[key] for key in cases})

    def take(self, task: MutantTask, tried: MutantTried) -> list[MutantTask]:
        """Note what came of a task, and return what to try next: the other cases, for one that got away."""
        fate = self.fates[task.mutant]
        fate.killed_by, fate.reason = tried.killed_by, tried.reason
        fate.acted, fate.tried = fate.acted or tried.acted, fate.tried + tried.tried
        rest = self._rest.pop(task.mutant, [])
        if rest and fate.acted and not fate.killed_by and not fate.equivalent:
            return [self._on(task.mutant, rest)]
        done = sum(1 for one in self.fates.values() if one.tried)
        if not fate.killed_by and fate.acted and not fate.equivalent:
            self._progress(f"{done}/{len(self.fates)} survives: {fate.id}")
        return []

    def score(self, version: Version, problems: Iterable[str] = ()) -> Score:
        """Sum up the mutants of a version."""
        fates = [fate for fate in self.fates.values() if fate.id.startswith(f"{version}/")]
        acted = [fate for fate in fates if fate.acted or fate.killed_by]
        killed = [fate for fate in acted if fate.killed_by]
        spared = [fate for fate in acted if not fate.killed_by and fate.equivalent]
        survived = [fate for fate in acted if not fate.killed_by and not fate.equivalent]
        kinds: defaultdict[str, list[str]] = defaultdict(list)
        for fate in survived:
            kinds[fate.kind].append(fate.id)
        return Score(
            version=version,
            mutants=len(fates),
            unreached=len(fates) - len(acted),
            equivalent=len(spared),
            killed=len(killed),
            survived=len(survived),
            required_killed=sum(fate.required for fate in killed),
            required_survived=sum(fate.required for fate in survived),
            survivors=[Survivor(kind=kind, mutants=sorted(names)) for kind, names in sorted(kinds.items())],
            problems=list(problems),
        )


def run_mutation(
    *,
    versions: Iterable[Version] = tuple(Version),
    size: int | None = None,
    seed: int = 0,
    only: str = "*",
    jobs: int = 24,
    processes: int = PROCESSES,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Score]:
    """Try mutants of the practice CSMS, all that can be reached or `size` of them, and sum up by version.

    `only` is a pattern for their ids.
    """
    wanted = list(versions)
    mutants = [mutant for mutant in mutants_of(wanted) if fnmatchcase(mutant.id, only)]
    spoken = tuple(version for version in wanted if any(mutant.version == version for mutant in mutants))
    problems: list[str] = []
    run: MutationRun | None = None
    with WorkerPool(partial(open_benches, jobs), processes=processes, lanes=LANES, limit=LIMIT) as pool:
        pool.give(ModeTask(Mode.STRICT, watch=True, versions=spoken))
        for ended in pool.ended():
            task = ended.task
            if ended.problem is not None:
                problems.append(f"{getattr(task, 'mutant', 'strict')}: {ended.problem}")
            elif isinstance(task, ModeTask):
                problems += [f"strict: {text}" for text in ended.value.alarms]
                run = draw_mutants(ended.value, mutants, size, seed, progress)
                pool.give(*run.tasks())
            elif run is not None:
                pool.give(*run.take(task, ended.value))
    return [] if run is None else [run.score(version, problems) for version in wanted]


def draw_mutants(
    right: ModeTried, mutants: Iterable[Mutant], size: int | None, seed: int, progress: Callable[[str], None]
) -> MutationRun:
    """Draw mutants of those that a case can reach, by what the cases have shown of a CSMS that is right."""
    reachable = [mutant for mutant in mutants if reached(mutant, right.seen)]
    chosen = sample(reachable, size, seed)
    progress(f"{len(chosen)} of {len(reachable)} mutants that a case can reach")
    return MutationRun(chosen, right.seen, right.verdicts, progress)


def mutants_of(versions: Iterable[Version]) -> list[Mutant]:
    """List the mutants of some versions."""
    wanted = set(versions)
    return [mutant for mutant in all_mutants().values() if mutant.version in wanted]
