"""The quantities of all plugins that objectives can be about; a new plugin adds its own here."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from loadtest.judging.quantities import Quantities
from loadtest.plugins.commands import figures as commands
from loadtest.plugins.ledger import kpis, reconcile
from loadtest.plugins.storms import result as storms
from loadtest.plugins.watch import series as watch

__all__ = ["QUANTITIES"]

QUANTITIES: Final[Quantities] = MappingProxyType(
    {
        "command": commands.QUANTITIES,
        "storm": storms.QUANTITIES,
        "ledger": reconcile.QUANTITIES,
        "kpi": kpis.QUANTITIES,
        "watch": watch.QUANTITIES,
    }
)
"""By the word that begins the line, which is the name of the plugin."""
