"""Every step of the Dockerfile, taken in a root file system of Debian packages, and what its containers do then.

`PLUGSTORM_BASE_ROOT` may name a root file system that is there already; making one takes a minute or more.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import pytest
import yaml

from tests.deploy.image import Image, build, context_files, read_dockerfile
from tests.deploy.loads import check_load
from tests.deploy.test_wheel import entries
from tests.test_house import FILES, ROOT, name_of

MISSING = [tool for tool in ("mmdebstrap", "chroot", "unshare", "ip") if shutil.which(tool) is None]
pytestmark = [
    pytest.mark.skipif(
        bool(MISSING), reason=f"not installed here: {', '.join(MISSING)} (Debian: apt install mmdebstrap)"
    ),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a root file system"),
    pytest.mark.timeout(1800),
]
DOCKERFILE = read_dockerfile((ROOT / "Dockerfile").read_text("utf-8"))
ORDINARY = "1000:1000"
PATIENCE = 300.0
"""Seconds for a program of a container to start or to end, on a machine that others keep busy."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make what stands for python:3.11-slim-bookworm: Debian 12, its Python 3.11 under the name `python`."""
    # What entering a root file system takes; root in a container of somebody else seldom may.
    allowed = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--net", "true"], check=False, capture_output=True, text=True
    )
    if allowed.returncode != 0:
        pytest.skip(f"this machine makes no containers: {allowed.stderr.strip()}")
    if ready := os.environ.get("PLUGSTORM_BASE_ROOT"):
        return Path(ready)
    root = tmp_path_factory.mktemp("base") / "root"
    packages = "--include=python3,python3-venv,ca-certificates"
    made = subprocess.run(
        ["mmdebstrap", "--variant=minbase", packages, "bookworm", root], check=False, capture_output=True, text=True
    )
    if made.returncode != 0:
        pytest.skip(f"the packages of Debian cannot be had: {' '.join(made.stderr.split())[-200:]}")
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    return root


@pytest.fixture(scope="module")
def stages(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Image]]:
    folder = tmp_path_factory.mktemp("image")
    context = folder / "context"
    ignore = (ROOT / ".dockerignore").read_text("utf-8")
    for name in context_files(ROOT, [name_of(path) for path in FILES], ignore):
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, context / name)
    yield build(DOCKERFILE, context, base, folder)
    shutil.rmtree(folder)


@pytest.fixture
def image(stages: dict[str, Image]) -> Image:
    return stages["plugstorm"]


def inside(image: Image, *words: str, user: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(image.enter([*words], user=user), check=False, capture_output=True, text=True)


@contextmanager
def container(image: Image, *arguments: str, mounts: dict[Path, str] | None = None) -> Iterator[int]:
    """Start a container and give the id of its first process on this machine."""
    started = subprocess.Popen(image.enter(image.start(*arguments), mounts=mounts), start_new_session=True)
    try:
        process = first_process(started)
        try:
            yield process
        finally:
            # With it ends all of the container. The kernel ends nothing with `unshare` that has become another user.
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
    finally:
        started.kill()
        started.wait()


def first_process(started: subprocess.Popen[bytes]) -> int:
    """Wait for the process that `unshare` forks, once it has become the program of the container."""
    while started.poll() is None:
        children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
        if children and Path(f"/proc/{children[0]}/root").readlink() != Path("/"):
            return int(children[0])
        time.sleep(0.05)
    raise AssertionError(f"the container ended with {started.returncode}")


def into(image: Image, process: int, *words: str) -> list[str]:
    """Write the command that runs words in a container that runs, as `docker exec` does."""
    given = [f"{name}={value}" for name, value in image.environment.items()]
    enter = ["nsenter", "--target", str(process), "--mount", "--pid", "--net", "--root", "--setuid", "1000"]
    return [*enter, "env", "-i", "-C", image.folder, *given, *words]


def beside(image: Image, process: int, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(into(image, process, *words), check=False, capture_output=True, text=True)


def becomes_healthy(image: Image, process: int, *, healthy: bool) -> bool:
    """Ask the health check until it says so, or the container is gone; the time-out of the test bounds it."""
    while Path(f"/proc/{process}").exists():
        if (beside(image, process, *image.healthcheck).returncode == 0) is healthy:
            return True
        time.sleep(0.2)
    return False


def test_the_image_is_named_and_starts_as_an_ordinary_user(image: Image) -> None:
    assert image.labels.keys() >= {f"org.opencontainers.image.{key}" for key in ("title", "description", "licenses")}
    assert (image.user, image.entrypoint) == (ORDINARY, ["plugstorm"])
    assert inside(image, "id", "-u", "-n").stdout == "plugstorm\n"


def test_the_image_brings_exactly_what_the_lock_pins(image: Image) -> None:
    lock = entries((ROOT / "deploy" / "runtime.lock").read_text("utf-8"))
    pins = {plain(name): lines[0] for name, lines in lock.items()}
    code = "from importlib.metadata import distributions as d; print(*(f'{x.name}=={x.version}' for x in d()))"
    found = dict(pair.split("==") for pair in inside(image, "python", "-c", code).stdout.split())
    installed = {plain(name): version for name, version in found.items()}
    assert installed.pop("plugstorm") == "0.1.0"
    assert installed.items() <= pins.items()
    # What is locked and not there is for another system.
    assert {name for name in pins.keys() - installed.keys() if not marked(name)} == set()


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()


def marked(name: str) -> bool:
    lock = (ROOT / "deploy" / "runtime.lock").read_text("utf-8")
    return any(plain(line.partition("==")[0]) == name and ";" in line for line in lock.splitlines() if "==" in line)


@pytest.mark.parametrize("tool", ["pip", "gcc", "cc", "make", "git", "hatchling", "ruff", "mypy"])
def test_the_image_holds_no_tool_to_build_with(image: Image, tool: str) -> None:
    assert inside(image, "sh", "-c", f"command -v {tool}").returncode != 0
    assert "No module named" in inside(image, "python", "-m", tool).stderr


def test_the_image_holds_no_checkout(image: Image) -> None:
    for name in ("build", "tests", "source"):
        assert not (image.root / name).exists()
    assert list(image.root.glob("opt/plugstorm/**/tests/test_house.py")) == []


def test_an_ordinary_user_can_change_nothing_of_the_program(image: Image) -> None:
    found = inside(image, "find", "/opt/plugstorm", "-writable", "!", "-type", "l")
    assert (found.stdout, found.returncode) == ("", 0)
    assert inside(image, "touch", "runs/here").returncode == 0


def test_interop_and_load_run_in_a_container(image: Image) -> None:
    done = inside(image, *image.start("interop", "--select", "TC_001_CSMS", "--out", "runs/interop"))
    assert done.returncode == 0, done.stdout + done.stderr
    words = ["--stations", "10", "--spawn-rate", "10", "--duration", "10s", "--workers", "2", "--out", "runs/load"]
    done = inside(image, *image.start("load", *words))
    result = check_load(image.root / "plugstorm/runs/load", done)
    assert result["stations"]["booted"] == 10
    for kind in ("interop", "load"):
        assert (image.root / "plugstorm/runs" / kind / "report.html").stat().st_uid == 1000


def test_health_is_that_of_the_practice_csms(image: Image) -> None:
    with container(image, "csms", "--host", "0.0.0.0", "--control-port", "9011") as process:
        assert becomes_healthy(image, process, healthy=True)
        words = ["--url", "ws://127.0.0.1:9000", "--control-url", "http://127.0.0.1:9011", "--out", "/tmp/run"]
        done = beside(image, process, "plugstorm", "interop", "--select", "TC_001_CSMS", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        os.kill(process, signal.SIGSTOP)
        assert becomes_healthy(image, process, healthy=False)


def test_the_operator_of_locust_finds_what_it_expects(stages: dict[str, Image], tmp_path: Path) -> None:
    """It gives `--master` and `--worker` to the entry point, and mounts the locustfile into /home/locust."""
    locust = stages["locust"]
    assert (locust.entrypoint, locust.folder, locust.user) == (["locust"], "/home/locust", ORDINARY)
    (test,) = yaml.safe_load_all((ROOT / "deploy/locust-operator/locusttest.yaml").read_text("utf-8"))
    mounted = tmp_path / "configmap"
    mounted.mkdir()
    (mounted / "locustfile.py").write_text(test["spec"]["locustfile"]["content"])
    with container(locust, "--master", "--out", "/tmp/operator", mounts={mounted: "/home/locust"}) as process:
        # Its web page opens only after the locustfile was read.
        assert becomes_healthy(locust, process, healthy=True)
        worker = subprocess.Popen(into(locust, process, "locust", "--worker", "--master-host", "127.0.0.1"))
        over = time.monotonic() + PATIENCE
        while not (there := workers_of(locust, process)) and worker.poll() is None and time.monotonic() < over:
            time.sleep(0.2)
        assert (there, worker.poll()) == (1, None)
    # It ends with its container.
    assert worker.wait(PATIENCE) != 0


def workers_of(image: Image, master: int) -> int:
    """Ask the web page of a master how many workers it has; none while the page cannot say."""
    page = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8089/stats/requests').read().decode())"
    told = beside(image, master, "python", "-c", page)
    return len(msgspec.json.decode(told.stdout)["workers"]) if told.returncode == 0 else 0
