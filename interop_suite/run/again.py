"""`--again RUN`: what went wrong in an earlier run, asked for again with the options of that run."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from config.words import hint
from evidence.redact import REDACTED
from evidence.run_folder import read_run
from evidence.run_model import InteropRun
from evidence.verdicts import Verdict
from interop_suite.run.recorded import cases_of
from interop_suite.run.request import FIELDS, InteropRequest
from interop_suite.run.selection import select, terms_of
from ocppj.errors import UsageError

__all__ = ["resolve_again"]

_NOT_TAKEN_OVER = frozenset({"again", "out", "resume", "select", "repeat", "ocpp"})
_WENT_WRONG = frozenset({Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.XPASS})
_OF_A_CSMS = frozenset({"url", *(field.name for field in FIELDS if field.describes_csms)})


def resolve_again(request: InteropRequest) -> InteropRequest:
    """Put the options and the cases of the run that `again` names into a request; what is given anew counts.

    Raises `UsageError` when there is no such run, or nothing in it to be run again.
    """
    if request.again is None:
        for term in terms_of(request.select):
            if term.removeprefix("!").startswith("verdict:"):
                raise UsageError(f"--select {term} is about a run; name it with --again RUN")
        return request
    run = read_run(Path(request.again))
    if not isinstance(run, InteropRun):
        raise UsageError(f"--again {request.again} is not an interop run; name the folder of one")
    kept = _options(run, request)
    chosen = _chosen(run, request, kept.get("recorded", ()))
    if not chosen:
        raise UsageError(f"--again {request.again} has no such case; every other one can be named with --select")
    return msgspec.structs.replace(msgspec.convert(kept, InteropRequest), select=",".join(chosen), again=None)


def _options(run: InteropRun, request: InteropRequest) -> dict[str, Any]:
    defaults = msgspec.to_builtins(InteropRequest())
    given = {name: value for name, value in msgspec.to_builtins(request).items() if value != defaults[name]}
    left_out = _NOT_TAKEN_OVER | (_OF_A_CSMS if run.embedded else frozenset())
    kept = {name: value for name, value in run.settings.items() if name in defaults and name not in left_out}
    merged = kept | given
    for field in FIELDS:
        if _is_hidden(merged.get(field.name)):
            raise UsageError(f"--again {request.again}: {field.flag} was not kept, because it is secret; give it again")
    return merged


def _is_hidden(value: Any) -> bool:
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    return any(isinstance(part, str) and REDACTED in part for part in values)


def _chosen(run: InteropRun, request: InteropRequest, recorded: Sequence[str]) -> list[str]:
    """List the keys of the cases that are to be run again: those that are selected, else those that went wrong."""
    verdicts = {
        f"{case.ocpp}-{case.id}": case.verdict for case in run.cases if not request.ocpp or case.ocpp in request.ocpp
    }
    cases = [case for case in cases_of(recorded) if case.key in verdicts]
    terms = terms_of(request.select)
    by_verdict = [term for term in terms if term.removeprefix("!").startswith("verdict:")]
    others = ",".join(term for term in terms if term not in by_verdict)
    wanted = _verdicts([term for term in by_verdict if not term.startswith("!")])
    unwanted = _verdicts([term for term in by_verdict if term.startswith("!")])
    if not terms:
        wanted = _WENT_WRONG
    keys = [case.key for case in select(cases, others, ())]
    return [key for key in keys if (not wanted or verdicts[key] in wanted) and verdicts[key] not in unwanted]


def _verdicts(terms: Collection[str]) -> frozenset[Verdict]:
    known: Mapping[str, Verdict] = {str(verdict).lower(): verdict for verdict in Verdict}
    found = set()
    for term in terms:
        word = term.removeprefix("!").removeprefix("verdict:").strip().lower().replace("-", "_")
        if word not in known:
            raise UsageError(f"--select {term}: there is no such verdict; {hint(word, known)}")
        found.add(known[word])
    return frozenset(found)
