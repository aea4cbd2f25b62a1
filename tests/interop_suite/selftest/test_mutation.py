from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase

from evidence.verdicts import Verdict
from fixtures.csms.mutants import all_mutants
from interop_suite.catalogue import all_cases
from interop_suite.selftest.applicability import Seen
from interop_suite.selftest.bench import MutantTask, MutantTried, open_benches
from interop_suite.selftest.mutation import (
    MOST_CASES,
    MutationRun,
    equivalents,
    mutants_of,
    reached,
    reason_to_spare,
    sample,
)
from ocppj.versions import Version

KNOWN = "1.6/answer/Heartbeat/currentTime/missing"
OTHER = "1.6/answer/Authorize/idTagInfo/missing"
CASE = "1.6-TC_001_CSMS"
CASES = {CASE: Seen(parts={"answer/Heartbeat", "answer/Heartbeat/currentTime"})}


def test_sample_is_the_same_for_a_seed_and_another_for_another_one() -> None:
    mutants = mutants_of([Version.V16])
    assert sample(mutants, 40, 7) == sample(mutants, 40, 7)
    assert sample(mutants, 40, 7) != sample(mutants, 40, 8)
    assert sample(mutants, None, 7) == mutants
    assert sample(mutants, len(mutants) + 1, 7) == mutants


def test_sample_is_drawn_evenly_over_the_kinds() -> None:
    mutants = mutants_of([Version.V16])
    kinds = Counter(mutant.kind for mutant in mutants)
    drawn = Counter(mutant.kind for mutant in sample(mutants, len(kinds), 1))
    assert set(drawn.values()) == {1}


def test_mutants_are_those_of_the_versions_asked_for() -> None:
    assert {mutant.version for mutant in mutants_of([Version.V201])} == {Version.V201}


def test_case_reaches_a_mutant_of_what_it_shows_in_its_own_version() -> None:
    mutant = all_mutants()[KNOWN]
    assert reached(mutant, CASES) == [CASE]
    assert reached(mutant, {"2.0.1-X": CASES[CASE]}) == []
    assert reached(all_mutants()[OTHER], CASES) == []


def test_every_equivalent_says_why_and_stands_for_a_mutant() -> None:
    for entry in equivalents():
        assert entry.reason
        assert not entry.reason.endswith(".")
        pattern = entry.mutants.replace("[]", "[[]]")
        assert any(fnmatchcase(name, pattern) for name in all_mutants()), entry.mutants


def test_what_must_be_found_is_not_spared() -> None:
    assert reason_to_spare(KNOWN) is None


def test_fates_are_summed_up() -> None:
    names = [KNOWN, OTHER, "1.6/answer/Authorize/idTagInfo.expiryDate/missing", "1.6/answer/Heartbeat/never"]
    mutants = [all_mutants()[name] for name in names]
    everywhere = {CASE: Seen(parts={need for mutant in mutants for need in mutant.needs})}
    told: list[str] = []
    run = MutationRun(mutants, everywhere, {CASE: Verdict.OK}, told.append)
    tasks = {task.mutant: task for task in run.tasks()}
    assert tasks.keys() == set(names)
    run.take(tasks[KNOWN], MutantTried(killed_by=CASE, reason="why", acted=True, tried=1))
    run.take(tasks[OTHER], MutantTried(acted=True, tried=1))
    run.take(tasks[names[2]], MutantTried(acted=True, tried=1))
    run.take(tasks[names[3]], MutantTried(tried=1))
    score = run.score(Version.V16, ["broke"])
    assert (score.mutants, score.killed, score.survived, score.equivalent, score.unreached) == (4, 1, 1, 1, 1)
    assert score.share == 0.5
    assert [survivor.mutants for survivor in score.survivors] == [[OTHER]]
    assert score.problems == ["broke"]
    assert len(told) == 1
    assert OTHER in told[0]


def test_nothing_to_find_is_everything_found() -> None:
    score = MutationRun([], {}, {}).score(Version.V16)
    assert (score.share, score.required_share) == (1.0, 1.0)


def test_mutant_is_tried_on_a_bounded_number_of_cases() -> None:
    cases = {case.key: CASES[CASE] for case in all_cases() if case.ocpp is Version.V16}
    (task,) = MutationRun([all_mutants()[KNOWN]], cases, dict.fromkeys(cases, Verdict.OK)).tasks()
    assert len(task.parents) == MOST_CASES


def test_known_mutant_is_found_and_one_that_no_case_reaches_changes_nothing() -> None:
    with open_benches(2) as do:
        found = do(MutantTask(KNOWN, {CASE: Verdict.OK}))
        missed = do(MutantTask("1.6/command/Reset/type/other-value", {CASE: Verdict.OK}))
    assert isinstance(found, MutantTried)
    assert (found.killed_by, found.acted) == (CASE, True)
    assert isinstance(missed, MutantTried)
    assert (missed.killed_by, missed.acted, missed.tried) == (None, False, 1)
