"""From what was asked for to the plugin that exports metrics, or none; libraries are loaded only for what is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from loadtest.plugins.metrics.exporter import Exporter
from loadtest.plugins.metrics.picture import CommandCount
from loadtest.plugins.metrics.plugin import MetricsPlugin

__all__ = ["MetricsChoice", "plugin_of"]


class MetricsChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Where metrics are to go, as it was asked for."""

    page: tuple[str, int] | None = None
    """Host and port."""
    remote_write: str | None = None
    otlp: bool = False
    labels: tuple[tuple[str, str], ...] = ()

    def exporters(self) -> list[Exporter]:
        """Make the exporters; raises `UsageError`."""
        found: list[Exporter] = []
        if self.page is not None:
            from loadtest.plugins.metrics.page import Page  # noqa: PLC0415 - costs nothing where it is not used

            found.append(Page(*self.page))
        if self.remote_write is not None:
            from loadtest.plugins.metrics.remote_write import RemoteWrite  # noqa: PLC0415 - the same

            found.append(RemoteWrite(self.remote_write))
        if self.otlp:
            from loadtest.plugins.metrics.otlp import Otlp  # noqa: PLC0415 - the same

            found.append(Otlp())
        return found


def plugin_of(
    choice: MetricsChoice,
    ocpp: Sequence[str],
    *,
    storms: Callable[[], Iterable[Mapping[str, Any]]],
    commands: Callable[[], Iterable[CommandCount]],
) -> MetricsPlugin | None:
    """Make the plugin; None where nobody wants metrics. Raises `UsageError`."""
    exporters = choice.exporters()
    if not exporters:
        return None
    return MetricsPlugin(exporters, ocpp=ocpp, labels=dict(choice.labels), storms=storms, commands=commands)
