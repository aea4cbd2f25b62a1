"""What objectives can be about besides CALLs and stations: the quantities that the plugins of a run measure.

An objective names a group and a quantity, as in `ledger lost == 0`. Which groups there are is for the caller to say,
so that a plugin brings its own (`loadtest.plugins.quantities`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

__all__ = ["Kind", "Quantities", "Values"]

Kind = Literal["time", "amount", "count", "rate", "share", "memory", "ratio"]
"""What a quantity is written in: a time (base ms), a number or a share with %, a number, a rate, a share, an amount of
memory (base KB), a multiple of what it was before."""
Quantities = Mapping[str, Mapping[str, Kind]]
"""By group: each quantity and its kind; `*-word` stands for every quantity that ends so and is not listed."""
Values = Mapping[str, tuple[float | None, float | None]]
"""By quantity: a number, and the whole that it is a share of; None where nothing was measured."""
