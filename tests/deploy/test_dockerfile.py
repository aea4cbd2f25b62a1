"""The Dockerfile as it is read by the test of the image, and what Docker sends along."""

from __future__ import annotations

import re

import pytest

from tests.deploy.image import Instruction, context_files, read_dockerfile
from tests.test_house import FILES, MAY_IMPORT, ROOT, name_of

DOCKERFILE = read_dockerfile((ROOT / "Dockerfile").read_text("utf-8"))
IGNORE = (ROOT / ".dockerignore").read_text("utf-8")


def sent() -> set[str]:
    return {*context_files(ROOT, [name_of(path) for path in FILES], IGNORE)}


def test_instructions_are_read_as_docker_reads_them() -> None:
    text = "# no\nFROM a AS b\nRUN one \\\n && two \\\n # between\n && three\n"
    text += 'COPY --from=b --chown=1:2 x y/\nCMD ["c", "d e"]\n'
    assert read_dockerfile(text) == [
        Instruction("FROM", {}, "a AS b"),
        Instruction("RUN", {}, "one  && two  && three"),
        Instruction("COPY", {"from": "b", "chown": "1:2"}, "x y/"),
        Instruction("CMD", {}, '["c", "d e"]'),
    ]
    assert read_dockerfile(text)[-1].words == ["c", "d e"]


@pytest.mark.parametrize(
    ("ignore", "names"),
    [
        ("", {"a/b.py", "a/c.pyc", "d.md"}),
        ("*\n!a/\n**/*.pyc\n", {"a/b.py"}),
        ("*\n!a/*.py\n", {"a/b.py"}),
        ("a\n!a/c.pyc\n", {"a/c.pyc", "d.md"}),
    ],
)
def test_the_last_pattern_that_fits_decides(
    tmp_path_factory: pytest.TempPathFactory, ignore: str, names: set[str]
) -> None:
    root = tmp_path_factory.mktemp("context")
    for name in ("a/b.py", "a/c.pyc", "d.md"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    assert {*context_files(root, ["a/b.py", "a/c.pyc", "d.md"], ignore)} == names


def test_all_that_the_wheel_needs_is_sent_and_no_test() -> None:
    rooms = {*MAY_IMPORT, "benchmarks"}
    wanted = {name_of(path) for path in FILES if path.relative_to(ROOT).parts[0] in rooms}
    beside = {"LICENSE", "README.md", "hatch_build.py", "pyproject.toml"}
    assert sent() == wanted | beside | {
        f"deploy/{name}" for name in ("build.lock", "runtime.lock", "healthcheck.py", "locustfile.py")
    }


def test_every_package_is_installed_by_its_hash() -> None:
    installs = [
        step for one in DOCKERFILE if one.word == "RUN" for step in one.rest.split("&&") if "pip install" in step
    ]
    assert len(installs) == 3
    for step in installs:
        assert "--no-deps" in step
        assert "--require-hashes" in step or "--no-index" in step


def test_the_finished_image_is_of_an_ordinary_user_and_named_stages() -> None:
    stages = [one.rest.split() for one in DOCKERFILE if one.word == "FROM"]
    assert [name for _, _, name in stages] == ["build", "base", "locust", "plugstorm"]
    assert all(":" in source or source == "base" for source, _, _ in stages)
    assert [one.rest for one in DOCKERFILE if one.word == "USER"] == ["1000:1000"]
    assert [one.words for one in DOCKERFILE if one.word == "ENTRYPOINT"] == [["locust"], ["plugstorm"]]


def test_python_of_the_image_is_one_that_the_project_runs_on() -> None:
    (version,) = {match[1] for one in DOCKERFILE if (match := re.match(r"python:([\d.]+)-", one.rest))}
    assert tuple(map(int, version.split("."))) >= (3, 11)
