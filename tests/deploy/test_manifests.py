"""The manifests of deploy/ are what the published schemas allow, and say what Plugstorm understands."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from tests.test_docs import load_test_options
from tests.test_house import ROOT

DEPLOY = ROOT / "deploy"
SCHEMAS = Path(__file__).with_name("schemas")
KINDS = {
    "Namespace": "io.k8s.api.core.v1.Namespace",
    "ConfigMap": "io.k8s.api.core.v1.ConfigMap",
    "Secret": "io.k8s.api.core.v1.Secret",
    "Service": "io.k8s.api.core.v1.Service",
    "PersistentVolumeClaim": "io.k8s.api.core.v1.PersistentVolumeClaim",
    "Job": "io.k8s.api.batch.v1.Job",
    "Deployment": "io.k8s.api.apps.v1.Deployment",
}
LOCUST_OPTIONS = {
    "--master", "--worker", "--headless", "--host", "--users", "--spawn-rate", "--run-time", "--expect-workers",
    "--master-host", "--locustfile",
}  # fmt: skip


def documents(path: Path) -> list[Any]:
    return [found for found in yaml.safe_load_all(path.read_text("utf-8")) if found is not None]


def strict(schema: Any) -> Any:
    """Make JSON Schema of OpenAPI 2: what is not described is not there, and some strings may be numbers."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "int-or-string":
        return {"type": ["integer", "string"]}
    found = {key: strict(value) for key, value in schema.items()}
    if isinstance(found.get("properties"), dict) and "additionalProperties" not in found:
        found["additionalProperties"] = False
    return found


@pytest.fixture(scope="module")
def kubernetes() -> dict[str, Any]:
    definitions = strict(msgspec.json.decode((SCHEMAS / "kubernetes.json").read_bytes())["definitions"])
    definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"] = {"type": ["string", "number"]}
    return {
        kind: {"$ref": f"#/definitions/{name}", "definitions": definitions, "required": ["apiVersion", "kind"]}
        for kind, name in KINDS.items()
    }


@pytest.fixture(scope="module")
def locust_test() -> Any:
    (definition,) = documents(SCHEMAS / "locusttest.yaml")
    (version,) = definition["spec"]["versions"]
    schema = strict(version["schema"]["openAPIV3Schema"])
    schema["properties"] |= {
        "apiVersion": {"const": f"{definition['spec']['group']}/{version['name']}"},
        "kind": {"const": definition["spec"]["names"]["kind"]},
        "metadata": {"type": "object"},
    }
    return schema


def errors(schema: Any, document: Any) -> list[str]:
    found = jsonschema.Draft202012Validator(schema).iter_errors(document)
    return [f"{error.json_path}: {error.message}" for error in found]


def manifests() -> list[Any]:
    (kustomization,) = documents(DEPLOY / "kubernetes" / "kustomization.yaml")
    return [one for name in kustomization["resources"] for one in documents(DEPLOY / "kubernetes" / name)]


def containers() -> Iterator[Any]:
    for manifest in manifests():
        if manifest["kind"] in ("Job", "Deployment"):
            yield from manifest["spec"]["template"]["spec"]["containers"]


@pytest.mark.parametrize("manifest", manifests(), ids=lambda one: f"{one['kind']} {one['metadata']['name']}")
def test_manifests_fit_the_schemas_of_kubernetes(kubernetes: dict[str, Any], manifest: Any) -> None:
    assert errors(kubernetes[manifest["kind"]], manifest) == []


def test_a_misspelled_key_of_a_manifest_is_found(kubernetes: dict[str, Any]) -> None:
    (job,) = (one for one in manifests() if one["kind"] == "Job")
    job["spec"]["template"]["spec"]["containers"][0]["envfrom"] = []
    job["spec"]["backoffLimit"] = "none"
    assert len(errors(kubernetes["Job"], job)) == 2


def test_kustomize_builds_what_was_checked(kubernetes: dict[str, Any]) -> None:
    words = ["kubectl", "kustomize"] if shutil.which("kubectl") else ["kustomize", "build"]
    if shutil.which(words[0]) is None:
        pytest.skip("neither kubectl nor kustomize is installed here")
    built = subprocess.run([*words, DEPLOY / "kubernetes"], check=True, capture_output=True, text=True).stdout
    found = list(yaml.safe_load_all(built))
    assert {one["kind"] for one in found} == KINDS.keys()
    assert [error for one in found for error in errors(kubernetes[one["kind"]], one)] == []
    (secret,) = (one for one in found if one["kind"] == "Secret")
    (job,) = (one for one in found if one["kind"] == "Job")
    (master,) = job["spec"]["template"]["spec"]["containers"]
    assert {"secretRef": {"name": secret["metadata"]["name"]}} in master["envFrom"]


def test_every_pod_has_its_limits_and_no_rights() -> None:
    found = list(containers())
    assert len(found) == 2
    for container in found:
        assert container["resources"]["limits"]["memory"]
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_as_many_workers_run_as_the_master_waits_for() -> None:
    (worker,) = (one for one in manifests() if one["kind"] == "Deployment")
    assert str(worker["spec"]["replicas"]) == settings(DEPLOY / "kubernetes" / "test.env")["LOCUST_EXPECT_WORKERS"]


def settings(path: Path) -> dict[str, str]:
    lines = path.read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def known_options() -> set[str]:
    return load_test_options() | LOCUST_OPTIONS


def test_every_setting_of_the_kubernetes_test_is_an_option() -> None:
    of_plugstorm = {f"PLUGSTORM_{flag.removeprefix('--plugstorm-').removeprefix('--')}" for flag in load_test_options()}
    of_locust = {f"LOCUST_{flag.removeprefix('--')}" for flag in LOCUST_OPTIONS}
    known = {name.upper().replace("-", "_") for name in of_plugstorm | of_locust}
    for file in ("test.env", "csms.env"):
        found = settings(DEPLOY / "kubernetes" / file)
        assert found
        assert found.keys() - known == set()


def test_the_locust_test_fits_the_schema_of_the_operator(locust_test: Any) -> None:
    (test,) = documents(DEPLOY / "locust-operator" / "locusttest.yaml")
    assert errors(locust_test, test) == []
    flags = {word for word in shlex.split(test["spec"]["args"]) if word.startswith("--")}
    assert flags - known_options() == set()
    test["spec"]["locustFile"] = {}
    del test["spec"]["workers"]
    assert len(errors(locust_test, test)) == 2


def compose() -> Any:
    (found,) = documents(DEPLOY / "compose.yaml")
    return found


def filled(text: str) -> str:
    """Put the defaults in for `${NAME:-default}`."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def test_compose_fits_its_schema() -> None:
    schema = msgspec.json.decode((SCHEMAS / "compose.json").read_bytes())
    assert errors(schema, compose()) == []
    wrong = compose()
    wrong["services"]["csms"]["comand"] = wrong["services"]["csms"].pop("command")
    assert len(errors(schema, wrong)) == 1


def test_compose_runs_a_csms_a_master_and_two_workers() -> None:
    services = compose()["services"]
    assert services.keys() == {"csms", "master", "worker", "report", "prometheus", "grafana"}
    assert services["worker"]["deploy"]["replicas"] == 2
    assert "--expect-workers=2" in services["master"]["command"]


def test_every_word_of_the_compose_commands_is_an_option() -> None:
    services = compose()["services"]
    for name in ("master", "worker"):
        words = [filled(word) for word in [*services[name]["entrypoint"], *services[name]["command"]]]
        flags = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert flags - known_options() == set()


def test_only_this_machine_reaches_the_published_ports() -> None:
    ports = [port for service in compose()["services"].values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
