"""The queries of the Grafana dashboard, as Prometheus takes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from tests.test_house import ROOT

DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "plugstorm.json"
_METRIC = re.compile(r"\bplugstorm_[a-z_]+")


def dashboard() -> Any:
    return msgspec.json.decode(DASHBOARD.read_bytes())


def queries(*, interval: str = "10s") -> dict[str, str]:
    """Return each query under the name of its panel, with the variables filled in."""
    return {
        name: expr.replace("$__rate_interval", interval).replace("$instance", ".*")
        for name, expr in _queries(dashboard())
    }


def _queries(found: Any) -> Iterator[tuple[str, str]]:
    for panel in found["panels"]:
        for target in panel.get("targets", ()):
            yield f"{panel['title']} {target['refId']}", target["expr"]
    for annotation in found["annotations"]["list"]:
        yield f"annotation {annotation['name']}", annotation["expr"]
    for variable in found["templating"]["list"]:
        if variable["type"] == "query":
            (name,) = re.findall(r"label_values\((\w+), \w+\)", variable["query"]["query"])
            yield f"variable {variable['name']}", name


def metrics_of(expr: str) -> set[str]:
    """Return the metrics that a query names."""
    return set(_METRIC.findall(expr))
