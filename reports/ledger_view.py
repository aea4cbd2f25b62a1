"""The ledger and the figures that drivers care about, prepared for the page; whatever is missing is left out.

Both fields of `run.json` are read with care: another version of Plugstorm may have written them, or somebody's hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from markupsafe import Markup

from evidence.run_model import LoadRun
from evidence.verdicts import RunVerdict
from reports.charts import Figure, Part, Series, share_bar, time_chart
from reports.facts import facts
from reports.words import count, number, percent

__all__ = [
    "Class",
    "Example",
    "Kpi",
    "LedgerView",
    "ledger_consequence",
    "ledger_examples",
    "ledger_failed",
    "ledger_figure",
    "ledger_sentences",
    "view_ledger",
]

_MOST_EXAMPLES = 10

_CLASSES: Mapping[str, tuple[str, str]] = {
    "lost": ("bad", "The CSMS has confirmed the start or the stop and does not have it in its books."),
    "duplicated": ("bad", "Two records of one transaction, though each of its messages was sent once."),
    "crossed": ("bad", "Recorded under another station, connector or token."),
    "wrong-id": ("bad", "Recorded under another id than the answer gave, or one id for two that ran."),
    "wrong-energy": ("bad", "Recorded with another meter reading than the station sent."),
    "wrong-time": ("warn", "Recorded with another time than the station sent, by a second or more."),
    "phantom": ("warn", "A record of this run that no station told of."),
    "unanswered": ("warn", "The start or the stop got no answer, however often it was sent."),
    "refused": ("plain", "The CSMS did not accept the token with which a transaction had begun."),
    "open": ("plain", "Not ended before the run was over."),
    "ambiguous": (
        "plain",
        "A message was sent again or never answered, so that a second record may be there by right.",
    ),
}


class Class(msgspec.Struct, frozen=True):
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


class Kpi(msgspec.Struct, frozen=True):
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
    classes: tuple[Class, ...]
    examples: tuple[Example, ...]
    facts: tuple[tuple[str, str], ...]
    kpis: tuple[Kpi, ...]
    figures: tuple[Figure, ...]


def view_ledger(run: LoadRun) -> LedgerView | None:
    """Prepare what a run says of its transactions; None where it says nothing."""
    if not run.ledger and not run.kpis:
        return None
    says = ledger_sentences(run)
    counts = _mapping(run.ledger, "counts")
    known = {"says", "failed", "counts", "examples"}
    return LedgerView(
        head=says[0] if says else "",
        rest=tuple(says[1:]),
        failed=ledger_failed(run),
        consequence=ledger_consequence(run),
        classes=tuple(_class(str(name), value) for name, value in counts.items()),
        examples=tuple(_examples(run.ledger)),
        facts=facts({name: value for name, value in run.ledger.items() if name not in known and value != ""}),
        kpis=tuple(_kpis(run.kpis)),
        figures=tuple(_figures(run.kpis)),
    )


def ledger_sentences(run: LoadRun) -> list[str]:
    """Return the ledger in sentences, the most important one first; none where there is none."""
    says = run.ledger.get("says")
    return [str(sentence) for sentence in says] if isinstance(says, list) else []


def ledger_figure(run: LoadRun) -> tuple[str, str] | None:
    """Return how many transactions are lost and of how many; None where that is not known."""
    lost, judged = _number(_mapping(run.ledger, "counts").get("lost")), _number(run.ledger.get("judged"))
    return None if lost is None or not judged else (count(lost), count(judged))


def ledger_examples(run: LoadRun) -> list[str]:
    """Return the examples of its findings, one line each."""
    return [f"{one.name}: {one.station} {one.transaction}: {one.says}" for one in _examples(run.ledger)]


def ledger_consequence(run: LoadRun) -> str:
    """Say what a failed ledger means for the verdict; empty for one that did not fail."""
    if not ledger_failed(run):
        return ""
    if run.verdict is RunVerdict.FAILED:
        return "This alone fails the run."
    return "This does not depend on how well the generator kept its schedule."


def ledger_failed(run: LoadRun) -> bool:
    """Tell whether the ledger alone fails the run."""
    return bool(run.ledger.get("failed"))


def _mapping(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = holder.get(name)
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _class(name: str, value: Any) -> Class:
    look, says = _CLASSES.get(name, ("plain", ""))
    amount = _number(value)
    if amount is None:
        return Class(name, "not known", "none", says)
    return Class(name, count(amount), look if amount else "none", says)


def _examples(ledger: Mapping[str, Any]) -> list[Example]:
    found = []
    for name, examples in _mapping(ledger, "examples").items():
        for example in (examples if isinstance(examples, list) else [])[:_MOST_EXAMPLES]:
            if isinstance(example, Mapping):
                more = {key: value for key, value in example.items() if key not in {"station", "transaction", "says"}}
                station, transaction = example.get("station", ""), example.get("transaction", "")
                found.append(
                    Example(str(name), str(station), str(transaction), str(example.get("says", "")), facts(more))
                )
    return found


# -- what drivers notice ---------------------------------------------------------------------------------------------


def _kpis(kpis: Mapping[str, Any]) -> list[Kpi]:
    charging, remote = _mapping(kpis, "charging"), _mapping(kpis, "remote_start")
    found = [
        *_share("Charging success", charging, "attempts", _failures(charging)),
        *_share("Remote start success", remote, "accepted", ""),
    ]
    for name, spread in (
        ("Authorize to start", _mapping(kpis, "authorize_to_start_s")),
        ("Remote order to start", _mapping(remote, "to_start_s")),
    ):
        found += _spread(name, spread)
    energy, sessions = _number(kpis.get("energy_kwh")), _mapping(kpis, "sessions")
    if energy is not None:
        told = ", ".join(f"{count(n)} {key}" for key, value in sessions.items() if (n := _number(value)) is not None)
        found.append(Kpi("Energy delivered", f"{number(energy, 4)} kWh", None, told))
    return found


def _share(name: str, figures: Mapping[str, Any], whole_name: str, note: str) -> list[Kpi]:
    part, whole = _number(figures.get("succeeded")), _number(figures.get(whole_name))
    if part is None or not whole:
        return []
    parts = [Part("succeeded", "o-accepted", part), Part("failed", "o-callerror", max(whole - part, 0.0))]
    return [Kpi(name, percent(part / whole), share_bar(name, parts), note or f"{count(part)} of {count(whole)}")]


def _failures(charging: Mapping[str, Any]) -> str:
    failed = [f"{count(n)} {name}" for name, v in _mapping(charging, "failed").items() if (n := _number(v)) is not None]
    part, whole = _number(charging.get("succeeded")) or 0.0, _number(charging.get("attempts")) or 0.0
    return ", ".join([f"{count(part)} of {count(whole)} attempts", *failed])


def _spread(name: str, figures: Mapping[str, Any]) -> list[Kpi]:
    values = {key: n for key in ("p50", "p95", "p99", "max") if (n := _number(figures.get(key))) is not None}
    if "p95" not in values:
        return []
    edges = list(values.items())
    looks = ("o-accepted", "o-late", "o-timeout", "o-callerror")
    before = [0.0, *(value for _, value in edges)]
    parts = [
        Part(f"up to {key} {number(value)} s", look, max(value - low, 0.0))
        for (key, value), look, low in zip(edges, looks, before, strict=False)
    ]
    note = ", ".join(f"{key} {number(value)} s" for key, value in edges)
    return [Kpi(name, f"{number(values['p95'])} s (p95)", share_bar(f"{name}: {note}", parts), note)]


def _figures(kpis: Mapping[str, Any]) -> list[Figure]:
    timeline = kpis.get("timeline")
    rows = [row for row in timeline if isinstance(row, Mapping)] if isinstance(timeline, list) else []
    series = []
    for key, look in (("attempts", "bad"), ("succeeded", "s1")):
        points = [
            (t, n)
            for row in rows
            if (t := _number(row.get("t"))) is not None and (n := _number(row.get(key))) is not None
        ]
        if points:
            series.append(Series(key, look, tuple(points), filled=key == "succeeded"))
    if not series or len(series[0].points) < _LEAST_POINTS:
        return []
    says = "Cars by the time at which they came, and those of them that could charge; what lies between could not."
    return [time_chart("Charging attempts", says, series, unit="attempts")]


_LEAST_POINTS = 3
