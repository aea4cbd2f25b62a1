"""How much of the certification list the suite holds and a run has judged; cases of our own are counted apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from evidence.run_model import CaseResult, Coverage
from interop_suite.catalogue import Case
from interop_suite.claims.certification import NO_PROFILE, certification_list
from ocppj.versions import Version

__all__ = ["Layout", "coverage_of"]

Key = tuple[Version, str]
Group = tuple[Version, str, str]
"""Version, certification profile and block; no profile for cases of our own."""


class Layout:
    """What of the list exists in some versions, by profile and block.

    What the OCA has withdrawn is named, and counts nowhere.
    """

    def __init__(self, cases: Sequence[Case], versions: Iterable[Version] = tuple(Version)) -> None:
        """Group the list and these cases of some versions."""
        wanted = set(versions)
        exist = {(case.ocpp, case.id) for case in cases}
        groups: dict[Group, list[Key]] = {}
        withdrawn: dict[Group, list[str]] = {}
        for key, row in certification_list().items():
            group = (row.version, row.profile, row.block)
            if row.withdrawn:
                withdrawn.setdefault(group, []).append(row.id)
            groups.setdefault(group, []).extend([] if row.withdrawn else [key])
        for case in cases:
            if case.listed is None:
                groups.setdefault((case.ocpp, "", case.block), []).append((case.ocpp, case.id))
        self._rows = [
            (
                Coverage(
                    ocpp=str(group[0]),
                    profile=group[1],
                    block=group[2],
                    ids=len(keys) if group[1] else 0,
                    withdrawn=withdrawn.get(group, []),
                    exist=sum(key in exist for key in keys),
                    missing=[identifier for version, identifier in keys if (version, identifier) not in exist],
                    counts={},
                ),
                keys,
            )
            for group, keys in sorted(groups.items(), key=lambda item: _place(item[0]))
            if group[0] in wanted
        ]

    def counted(self, results: Iterable[CaseResult]) -> list[Coverage]:
        """Add the verdicts of those that were run."""
        verdicts = {(Version(result.ocpp), result.id): result.verdict for result in results}
        return [
            msgspec.structs.replace(row, counts=dict(Counter(verdicts[key] for key in keys if key in verdicts)))
            for row, keys in self._rows
        ]


def coverage_of(
    cases: Sequence[Case], results: Iterable[CaseResult] = (), versions: Iterable[Version] = tuple(Version)
) -> list[Coverage]:
    """Count the list and the cases of some versions by profile and block, with the verdicts of those that were run."""
    return Layout(cases, versions).counted(results)


def _place(group: Group) -> tuple[int, bool, bool]:
    """Put the profiles of a version in the order of the list, ids without one behind them, and our own cases last."""
    version, profile, _ = group
    return list(Version).index(version), not profile, profile == NO_PROFILE
