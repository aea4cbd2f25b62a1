"""`docs/workloads.md` says what the profiles say: its tables are computed here, and its examples are read."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from loadtest.workload.curve import DAY, clock_text
from loadtest.workload.mix import messages_a_day, sessions_a_day
from loadtest.workload.profile import load_profile, read_profile
from loadtest.workload.sessions import Workload
from loadtest.workload.spread import mean, quantile
from loadtest.workload.stages import read_stages

PAGE = Path(__file__).parents[3] / "docs" / "workloads.md"
NAMES = ["public_ac", "dc_hub", "home", "depot"]


def workload_of(name: str) -> Workload:
    workload = load_profile(name).workload
    assert workload is not None
    return workload


def figures() -> list[str]:
    """Write the table of figures, one line a profile."""
    lines = []
    for name in NAMES:
        profile, workload = load_profile(name), workload_of(name)
        day = messages_a_day(profile, heartbeat=300.0, weekday=0)
        total, energy = sum(day.values()), workload.energy_kwh
        assert energy is not None
        stay = [quantile(workload.duration, share) / 3600 for share in (0.5, 0.9)]
        taken = sessions_a_day(workload, 0) * mean(workload.duration) / DAY
        cells = [
            f"`{name}`",
            f"{sessions_a_day(workload, 0):.2f} / {sessions_a_day(workload, 5):.2f}",
            " / ".join(f"{hours:.1f} h" if hours >= 1.5 else f"{hours * 60:.0f} min" for hours in stay),
            f"{quantile(energy, 0.5):g} / {quantile(energy, 0.9):.3g}",
            f"{taken:.0%}",
            clock_text(profile.start)[-5:],
            f"{total:,.0f}",
            f"{day['MeterValues'] / total:.0%}",
            f"{day['Heartbeat'] / total:.0%}",
            f"{total * 10_000 / DAY:.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def curves() -> list[str]:
    """Write the curves as percent of a day's sessions that begin in each hour: weekday, weekend."""
    columns = []
    for name in NAMES:
        for weekday in (0, 5):
            slots = workload_of(name).curve.shares(weekday)
            columns.append([sum(slots[4 * hour : 4 * hour + 4]) / sum(slots) * 100 for hour in range(24)])
    head = f"{'hour':<6}" + "".join(f"{name:^16}" for name in NAMES)
    return [
        head.rstrip(),
        *(f"{hour:02d}  " + "".join(f"{column[hour]:8.1f}" for column in columns) for hour in range(24)),
    ]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_the_table_of_figures_is_that_of_the_profiles() -> None:
    lines = PAGE.read_text("utf-8").splitlines()
    assert [line for line in figures() if line not in lines] == []


def test_the_curves_are_those_of_the_profiles() -> None:
    assert "\n".join(curves()) + "\n" in blocks("text")


@pytest.mark.parametrize("number", range(6))
def test_every_example_can_be_read(number: int, tmp_path: Path) -> None:
    (tmp_path / "sessions.csv").write_text("Plugged in,Left,Used,Post\n0,60,1.5,A\n", encoding="utf-8")
    path = tmp_path / "example.yaml"
    examples = [block for block in blocks("yaml") if not block.startswith("- {to:")]
    assert len(examples) == 6
    path.write_text(examples[number], encoding="utf-8")
    record = {"t": 0, "wall": "2026-01-01T00:00:00Z", "station": "A", "kind": "sent", "text": '[2,"h","Heartbeat",{}]'}
    (tmp_path / "trace.jsonl").write_bytes(msgspec.json.encode(record))
    (tmp_path / "vans.yaml").write_text("title: Vans\nmodels: {depot: 1}\n", encoding="utf-8")
    assert read_profile(path).title


if __name__ == "__main__":
    print("\n".join([*figures(), "", *curves()]))  # noqa: T201 - to paste into the page


def test_the_example_of_stages_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "day.yaml"
    (example,) = [block for block in blocks("yaml") if block.startswith("- {to:")]
    path.write_text(example, encoding="utf-8")
    assert [(stage.to, stage.seconds) for stage in read_stages(str(path))] == [(1000, 120.0), (1000, 300.0), (0, 60.0)]
