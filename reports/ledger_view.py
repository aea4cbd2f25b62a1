"""The ledger and the figures that drivers notice, prepared for the page; what was not measured is left out."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from markupsafe import Markup

from evidence.plugin_results import ChargingResult, KpiResult, LedgerClass, LedgerResult, RemoteStartResult
from evidence.run_model import LoadRun
from evidence.verdicts import RunVerdict
from reports.charts import Figure, Part, Series, share_bar, time_chart
from reports.facts import facts
from reports.words import count, milliseconds, number, percent

__all__ = [
    "ClassRow",
    "Example",
    "KpiRow",
    "LedgerView",
    "ledger_consequence",
    "ledger_examples",
    "ledger_figure",
    "view_ledger",
]

_MOST_EXAMPLES = 10
_LEAST_POINTS = 3

_CLASSES: Mapping[str, tuple[str, str]] = {
    LedgerClass.LOST: ("bad", "The CSMS confirmed the start or the stop, but has no record of it."),
    LedgerClass.DUPLICATED: ("bad", "Two records of one transaction, although each of its messages was sent once."),
    LedgerClass.CROSSED: ("bad", "Recorded for another station, connector or token."),
    LedgerClass.WRONG_ID: (
        "bad",
        "Recorded with another id than the answer gave, or one id for two transactions at the same time.",
    ),
    LedgerClass.WRONG_ENERGY: ("bad", "Recorded with another meter reading than the station sent."),
    LedgerClass.WRONG_TIME: ("warn", "Recorded with a time that is a second or more from the one that was sent."),
    LedgerClass.PHANTOM: ("warn", "A record of this run that no station reported."),
    LedgerClass.UNANSWERED: ("warn", "The start or the stop got no answer, even when it was sent again."),
    LedgerClass.REFUSED: ("plain", "The CSMS refused the token after the transaction had begun."),
    LedgerClass.OPEN: ("plain", "Still running when the run ended."),
    LedgerClass.AMBIGUOUS: (
        "plain",
        "A message was sent again or never answered, so a second record may be correct.",
    ),
}
_SPREAD_LOOKS: Mapping[str, str] = {"p50": "q-half", "p95": "q-most", "p99": "q-tail", "max": "q-max"}


class ClassRow(msgspec.Struct, frozen=True):
    """One class of findings."""

    name: str
    count: str
    look: str
    """`bad`, `warn` or `plain` where something was found, `none` where nothing was."""
    says: str


class Example(msgspec.Struct, frozen=True):
    """One finding in words."""

    name: str
    station: str
    transaction: str
    says: str
    more: tuple[tuple[str, str], ...]


class KpiRow(msgspec.Struct, frozen=True):
    """One figure with a small picture."""

    name: str
    value: str
    bar: Markup | None
    note: str


class LedgerView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the page shows of both."""

    head: str
    rest: tuple[str, ...]
    failed: bool
    consequence: str
    """What a failed ledger means for the run."""
    found: tuple[ClassRow, ...]
    """Classes with a finding, or that could not be counted."""
    empty: tuple[ClassRow, ...]
    """Classes of which nothing was found."""
    examples: tuple[Example, ...]
    facts: tuple[tuple[str, str], ...]
    kpis: tuple[KpiRow, ...]
    figures: tuple[Figure, ...]


def view_ledger(run: LoadRun) -> LedgerView | None:
    """Prepare what a run says of its transactions; None where it says nothing."""
    ledger, kpis = run.ledger, run.kpis
    if ledger == LedgerResult() and kpis == KpiResult():
        return None
    return LedgerView(
        head=ledger.says[0] if ledger.says else "",
        rest=tuple(ledger.says[1:]),
        failed=ledger.failed,
        consequence=ledger_consequence(run),
        found=tuple(_class_row(name, amount) for name, amount in ledger.counts.items() if amount != 0),
        empty=tuple(_class_row(name, amount) for name, amount in ledger.counts.items() if amount == 0),
        examples=tuple(_examples(ledger)),
        facts=_facts(ledger),
        kpis=tuple(_kpi_rows(kpis)),
        figures=tuple(_figures(kpis)),
    )


def ledger_figure(run: LoadRun) -> tuple[str, str] | None:
    """Return how many transactions are lost and of how many; None where that is not known."""
    lost, judged = run.ledger.counts.get(LedgerClass.LOST), run.ledger.judged
    return None if lost is None or not judged else (count(lost), count(judged))


def ledger_examples(run: LoadRun) -> list[str]:
    """Return the examples of its findings, one line each."""
    return [f"{one.name}: {one.station} {one.transaction}: {one.says}" for one in _examples(run.ledger)]


def ledger_consequence(run: LoadRun) -> str:
    """Say what a failed ledger means for the verdict; empty for one that did not fail."""
    if not run.ledger.failed:
        return ""
    if run.verdict is RunVerdict.FAILED:
        return "This alone fails the run."
    return "This does not depend on how well the load generator kept its schedule."


def _facts(ledger: LedgerResult) -> tuple[tuple[str, str], ...]:
    told = {"says", "failed", "counts", "examples"}
    fields = msgspec.structs.asdict(ledger)
    return facts({name: value for name, value in fields.items() if name not in told and value != ""})


def _class_row(name: str, amount: int | None) -> ClassRow:
    look, says = _CLASSES.get(name, ("plain", ""))
    if amount is None:
        return ClassRow(name, "not known", "none", says)
    return ClassRow(name, count(amount), look if amount else "none", says)


def _examples(ledger: LedgerResult) -> list[Example]:
    found = []
    for name, examples in ledger.examples.items():
        for example in examples[:_MOST_EXAMPLES]:
            more = {key: value for key, value in example.items() if key not in {"station", "transaction", "says"}}
            station, transaction, says = (str(example.get(key, "")) for key in ("station", "transaction", "says"))
            found.append(Example(name, station, transaction, says, facts(more)))
    return found


# -- what drivers notice ---------------------------------------------------------------------------------------------


def _kpi_rows(kpis: KpiResult) -> list[KpiRow]:
    charging, remote = kpis.charging, kpis.remote_start
    rows = [
        *_share("Charging success", charging.succeeded, charging.attempts, _failures(charging)),
        *_share("Remote start success", remote.succeeded, remote.accepted, _remote_note(remote)),
        *_spread("Authorize to start", kpis.authorize_to_start_s),
        *_spread("Remote start to start", remote.to_start_s),
    ]
    if kpis.energy_kwh is not None:
        sessions = ", ".join(f"{count(amount)} {key}" for key, amount in kpis.sessions.items())
        note = f"charging sessions: {sessions}" if sessions else ""
        rows.append(KpiRow("Energy delivered", f"{number(kpis.energy_kwh, 4)} kWh", None, note))
    return rows


def _share(name: str, part: int, whole: int, note: str) -> list[KpiRow]:
    if not whole:
        return []
    parts = [Part("succeeded", "o-accepted", part), Part("failed", "o-callerror", max(whole - part, 0))]
    return [KpiRow(name, percent(part / whole), share_bar(name, parts), note)]


def _failures(charging: ChargingResult) -> str:
    failed = [f"{count(amount)} {name}" for name, amount in charging.failed.items()]
    return ", ".join([f"{count(charging.succeeded)} of {count(charging.attempts)} attempts", *failed])


def _remote_note(remote: RemoteStartResult) -> str:
    return f"{count(remote.succeeded)} of {count(remote.accepted)}"


def _spread(name: str, figures: Mapping[str, float]) -> list[KpiRow]:
    """Show seconds by percentile; the bar grows from each to the next."""
    if "p95" not in figures:
        return []
    edges = [(key, look, figures[key]) for key, look in _SPREAD_LOOKS.items() if key in figures]
    before = [0.0, *(value for _, _, value in edges)]
    parts = [
        Part(f"up to {key} {milliseconds(value * 1000)}", look, max(value - low, 0.0))
        for (key, look, value), low in zip(edges, before, strict=False)
    ]
    note = ", ".join(f"{key} {milliseconds(value * 1000)}" for key, _, value in edges)
    return [KpiRow(name, f"{milliseconds(figures['p95'] * 1000)} (p95)", share_bar(f"{name}: {note}", parts), note)]


def _figures(kpis: KpiResult) -> list[Figure]:
    series = []
    for key, look in (("attempts", "bad"), ("succeeded", "s1")):
        points = tuple((row["t"], row[key]) for row in kpis.timeline if "t" in row and key in row)
        if points:
            series.append(Series(key, look, points, filled=key == "succeeded"))
    if not series or len(series[0].points) < _LEAST_POINTS:
        return []
    says = "Cars by arrival time, and those that could charge; between the lines are the cars that could not."
    return [time_chart("Charging attempts", says, series, unit="attempts")]
