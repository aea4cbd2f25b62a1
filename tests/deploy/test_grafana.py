"""The Grafana dashboard asks for metrics that Plugstorm has, and shows all of them."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import pytest
import yaml

from loadtest.plugins.metrics.families import FAMILIES
from tests.deploy.dashboard import DASHBOARD, dashboard, metrics_of, queries
from tests.test_house import ROOT

GRAFANA = ROOT / "deploy" / "grafana"
SERIES = {
    f"{family.name}{ending}": family
    for family in FAMILIES
    for ending in (("_bucket", "_sum", "_count") if family.kind == "histogram" else ("",))
}


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text("utf-8"))


def test_every_query_names_metrics_of_the_table() -> None:
    assert queries()
    for name, expr in queries().items():
        assert metrics_of(expr), name
        assert metrics_of(expr) <= SERIES.keys(), name


def test_every_metric_is_shown_somewhere() -> None:
    asked = set().union(*map(metrics_of, queries().values()))
    assert {SERIES[name] for name in asked} == set(FAMILIES)


def test_every_query_keeps_to_the_chosen_instance() -> None:
    for name, expr in queries().items():
        if not name.startswith("variable "):
            assert expr.count('instance=~".*"') == sum(expr.count(metric) for metric in metrics_of(expr)), name


def test_panels_have_names_of_their_own_and_do_not_overlap() -> None:
    panels = dashboard()["panels"]
    for key in ("id", "title"):
        assert len({panel[key] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_prometheus_itself_understands_every_query() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed here (Debian: prometheus)")
    rules = [{"record": "plugstorm:checked", "expr": expr} for expr in queries().values()]
    groups = yaml.safe_dump({"groups": [{"name": str(n), "rules": [rule]} for n, rule in enumerate(rules)]})
    words = [promtool, "check", "rules", "--lint=none", "/dev/stdin"]
    done = subprocess.run(words, input=groups, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_compose_gives_grafana_its_data_source_and_its_dashboard() -> None:
    services = read("deploy/compose.yaml")["services"]
    (source,) = read("deploy/grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = read("deploy/grafana/provisioning/dashboards/plugstorm.yaml")["providers"]
    mounts = dict(volume.split(":")[:2] for volume in services["grafana"]["volumes"])
    assert mounts["./grafana/dashboards"] == provider["options"]["path"]
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/{DASHBOARD.name}"
    assert mounts["./grafana/provisioning"] == "/etc/grafana/provisioning"
    assert all((ROOT / "deploy" / place).exists() for place in mounts)


def test_compose_scrapes_the_port_that_the_master_listens_on() -> None:
    services = read("deploy/compose.yaml")["services"]
    (port,) = (word.partition("=")[2] for word in services["master"]["command"] if word.startswith("--metrics="))
    (job,) = read("deploy/prometheus.yaml")["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"master:{port.rpartition(':')[2]}"]}]
    config = next(word for word in services["prometheus"]["command"] if word.startswith("--config.file="))
    assert f"./prometheus.yaml:{config.partition('=')[2]}:ro" in services["prometheus"]["volumes"]


def test_kubernetes_scrapes_the_port_that_the_master_listens_on() -> None:
    manifests = list(yaml.safe_load_all((ROOT / "deploy/kubernetes/master.yaml").read_text("utf-8")))
    (job,) = (one for one in manifests if one["kind"] == "Job")
    (service,) = (one for one in manifests if one["kind"] == "Service")
    lines = (ROOT / "deploy/kubernetes/test.env").read_text("utf-8").splitlines()
    port = dict(line.split("=", 1) for line in lines if "=" in line)["PLUGSTORM_METRICS"].rpartition(":")[2]
    assert job["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"] == port
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert {"name": "metrics", "containerPort": int(port)} in container["ports"]
    assert {"name": "metrics", "port": int(port)} in service["spec"]["ports"]


def test_kustomize_makes_a_config_map_of_the_dashboard() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed here")
    built = subprocess.run(["kubectl", "kustomize", GRAFANA], check=True, capture_output=True, text=True).stdout
    found = yaml.safe_load(built)
    assert found["metadata"]["labels"] == {"grafana_dashboard": "1"}
    assert found["data"][DASHBOARD.name] == DASHBOARD.read_text("utf-8")
