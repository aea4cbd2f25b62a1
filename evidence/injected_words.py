"""What a run did to its own frames and connections on purpose, and a loop that the CSMS causes, in sentences."""

from __future__ import annotations

from typing import Final

from evidence.run_model import LoadRun
from evidence.vocabulary import TRIGGER_LOOP

__all__ = ["injected_sentences"]

_MOST: Final = 6


def injected_sentences(run: LoadRun) -> list[str]:
    """Say what was injected, the most frequent first, and how often the CSMS kept stations in a loop."""
    found = []
    loops = run.faults.get(TRIGGER_LOOP, 0)
    if loops:
        found.append(
            f"The CSMS keeps stations in a loop: {loops:,} times a TriggerMessage made one reconnect that it had made "
            "reconnect a moment before."
        )
    if run.injected:
        kinds = sorted(run.injected.items(), key=lambda pair: (-pair[1], pair[0]))
        named = ", ".join(f"{count:,} × {kind}" for kind, count in kinds[:_MOST])
        more = f", and {len(kinds) - _MOST} more kinds" if len(kinds) > _MOST else ""
        found.append(f"Injected by the run itself, and no fault of the CSMS: {named}{more}.")
    return found
