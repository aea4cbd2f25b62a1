"""`plugstorm selftest`: who checks the checker."""

from __future__ import annotations

import os
import random
import secrets
import sys
from collections.abc import Sequence
from functools import partial

import msgspec

from evidence import exit_codes
from fixtures.csms.defects import all_defects, find_defects, table_of
from interop_suite.selftest.bench import ModeTried
from interop_suite.selftest.drawing import draw_evenly
from interop_suite.selftest.flake import run_flake
from interop_suite.selftest.mutation import MutationRun, Score, draw_mutants, mutants_of, run_mutation, share_of
from interop_suite.selftest.selftest import run_selftest
from ocppj.versions import Version

__all__ = ["flake", "mutants", "run"]


def run(
    *,
    defects: Sequence[str] | None,
    size: int | None,
    seed: int | None,
    with_mutants: int,
    floor: int,
    full: bool,
    jobs: int,
    as_json: bool,
) -> int:
    """Run it with progress on the standard error output; raises `UsageError` for an unknown defect.

    Of the named defects, or of all, it tries `size`, drawn evenly from their tables, and `with_mutants` mutants; the
    seed of both is told.
    """
    find_defects(defects or ())
    known = list(all_defects()) if defects is None else list(defects)
    drawn = secrets.randbelow(2**31) if seed is None else seed
    if size is not None and size < len(known):
        _progress(f"seed {drawn}: {size} of {len(known)} defects")
        # In any order, so that no table is preferred.
        anyhow = random.Random(drawn).sample(known, len(known))  # noqa: S311 - a sample and no secret
        defects = draw_evenly(anyhow, size, drawn, table_of)
    elif with_mutants:
        _progress(f"seed {drawn}")
    mutation = partial(_draw, size=with_mutants, seed=drawn) if with_mutants else None
    outcome = run_selftest(jobs=jobs, only=defects, full=full, mutation=mutation, progress=_progress)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(outcome), indent=2).decode())  # noqa: T201 - this is a command
    else:
        print("\n".join(outcome.problems or [_good_news(len(outcome.defects))]))  # noqa: T201
        print("".join(f"{line}\n" for score in outcome.mutants for line in _score_lines(score)), end="")  # noqa: T201
    enough = _reaches(floor, outcome.mutants, drawn)
    return exit_codes.PASSED if outcome.passed and enough else exit_codes.FAILED


def _draw(right: ModeTried, *, size: int, seed: int) -> MutationRun:
    return draw_mutants(right, mutants_of(Version), size, seed, _progress)


def _reaches(floor: int, scores: Sequence[Score], seed: int) -> bool:
    """Tell whether so many percent of the mutants were found, and where not, say so."""
    share = share_of(scores)
    if share * 100 < floor:
        _progress(f"{share:.1%} of the mutants were found, expected at least {floor}%, with seed {seed}")
    return share * 100 >= floor


def flake(*, repeat: int, jobs: int, as_json: bool) -> int:
    """Repeat every case beside as many busy processes as the machine has processors."""
    restless = run_flake(repeat=repeat, burners=os.cpu_count() or 1, jobs=jobs, progress=_progress)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(restless), indent=2).decode())  # noqa: T201 - this is a command
    elif restless:
        print("\n".join(f"{name}: {verdicts}" for name, verdicts in restless.items()))  # noqa: T201
    else:
        print(f"No verdict changed in {repeat} repetitions of every case in both modes.")  # noqa: T201
    return exit_codes.FAILED if restless else exit_codes.PASSED


def mutants(*, size: int | None, seed: int | None, only: str, jobs: int, floor: int, as_json: bool) -> int:
    """Try systematic mutants; survivors are listed, and what broke or a score below `floor` percent fails it."""
    drawn = secrets.randbelow(2**31) if seed is None else seed
    if size is not None:
        _progress(f"seed {drawn}")
    scores = run_mutation(size=size, seed=drawn, only=only, jobs=jobs, progress=_progress)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(scores), indent=2).decode())  # noqa: T201 - this is a command
    else:
        print("\n".join(line for score in scores for line in _score_lines(score)))  # noqa: T201
    enough = _reaches(floor, scores, drawn)
    broken = any(score.problems for score in scores)
    return exit_codes.FAILED if broken or not enough else exit_codes.PASSED


def _score_lines(score: Score) -> list[str]:
    judged = score.killed + score.survived
    found = f"{score.killed} of {judged} mutants found ({score.share:.1%}; required kinds {score.required_share:.1%})"
    lines = [f"OCPP {score.version}: {found}; {score.equivalent} equivalent, {score.unreached} changed nothing"]
    lines += [f"  {kind.kind}: {', '.join(kind.mutants)}" for kind in score.survivors]
    return lines + [f"  broken: {problem}" for problem in score.problems]


def _progress(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _good_news(defects: int) -> str:
    return f"No false alarm in strict and lenient, and {defects} of {defects} defects found by exactly their cases."
