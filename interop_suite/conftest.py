"""The options of an interop run, and its hooks once pytest is pointed at `interop_suite`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interop_suite.run.request import FIELDS, WORKER_INPUT, Kind

HERE = Path(__file__).parent
_PARSING: dict[Kind, dict[str, Any]] = {
    Kind.TEXT: {},
    Kind.VERSIONS: {"action": "append"},
    Kind.LIST: {"action": "append"},
    Kind.PAIRS: {"action": "append"},
    Kind.NUMBER: {"type": float},
    Kind.COUNT: {"type": int},
    Kind.SWITCH: {"action": "store_true"},
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of an interop run."""
    group = parser.getgroup("plugstorm", "OCPP interoperability of a CSMS")
    for field in FIELDS:
        name = {} if field.metavar is None else {"metavar": field.metavar}
        group.addoption(
            field.option, dest=f"interop_{field.name}", default=None, help=field.help, **name, **_PARSING[field.kind]
        )


def pytest_configure(config: pytest.Config) -> None:
    """Load the hooks where this pytest is an interop run."""
    if _is_interop(config) or WORKER_INPUT in getattr(config, "workerinput", {}):
        from interop_suite import pytest_hooks  # noqa: PLC0415  # other people's pytest runs do not need it

        config.pluginmanager.register(pytest_hooks, "plugstorm-interop-hooks")


def _is_interop(config: pytest.Config) -> bool:
    """Return whether pytest was pointed at the interop suite rather than at somebody's own tests."""
    paths = [Path(str(argument).split("::")[0]) for argument in config.args]
    roots = [path if path.is_absolute() else Path(config.invocation_params.dir) / path for path in paths]
    return any(root.resolve() == HERE or HERE in root.resolve().parents for root in roots)
