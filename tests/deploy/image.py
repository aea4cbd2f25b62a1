"""Takes the steps of a Dockerfile in root file systems of this machine, where no image registry can be reached.

It knows the instructions that the Dockerfile uses, as Docker's reference describes them, and refuses all others, so
that no step goes untested. It needs root, `chroot` and `unshare`.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Image", "Instruction", "build", "context_files", "read_dockerfile"]

_NEEDED = ("/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt")
"""What a container engine gives to a container so that it reaches the network, and the roots of this machine."""
_SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Instruction:
    """One instruction: its word in capitals, its flags, and the rest of it as one line."""

    word: str
    flags: dict[str, str]
    rest: str

    @property
    def words(self) -> list[str]:
        """The rest, as a JSON list or as words of a shell."""
        if self.rest.startswith("["):
            return [str(word) for word in json.loads(self.rest)]
        return shlex.split(self.rest)


@dataclass
class Image:
    """A stage that was built: its root file system, and how a container of it starts."""

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": _SEARCH})
    labels: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "0:0"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    shares_root: bool = False

    def enter(
        self, words: list[str], *, user: str | None = None, mounts: dict[Path, str] | None = None, network: bool = False
    ) -> list[str]:
        """Write the command that runs `words` in a container of this image: own processes, mounts and network.

        `mounts` are folders that the container sees, read-only. With `network` it has that of this machine.
        """
        steps = ["mount -t proc proc $R/proc", "mount --rbind /dev $R/dev"]
        for source, place in (mounts or {}).items():
            steps.append(f"mkdir -p $R{place} && mount --bind -o ro {shlex.quote(str(source))} $R{place}")
        if network:
            steps += [
                f"mkdir -p $R{Path(one).parent} && touch $R{one} && mount --bind {one} $R{one}" for one in _NEEDED
            ]
        else:
            steps.append("ip link set lo up")
        given = [f"{name}={value}" for name, value in self.environment.items()]
        inside = shlex.join(["env", "-i", "-C", self.folder, *given, *words])
        steps.append(f"exec chroot --userspec={user or self.user} --groups= $R {inside}")
        own = ["--mount", "--pid", "--fork", "--kill-child", *([] if network else ["--net"])]
        return ["unshare", *own, "env", f"R={self.root}", "sh", "-ec", "\n".join(steps)]

    def start(self, *arguments: str) -> list[str]:
        """Return what the first process of a container with these arguments is."""
        return [*self.entrypoint, *(arguments or self.command)]


def read_dockerfile(text: str) -> list[Instruction]:
    """Read instructions; comments go, and lines that end in a backslash are joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found = []
    for line in filter(str.strip, joined.splitlines()):
        word, _, rest = line.strip().partition(" ")
        flags: dict[str, str] = {}
        while match := re.match(r"\s*--([\w-]+)=(\S+)\s*", rest):
            flags[match[1]] = match[2]
            rest = rest[match.end() :]
        found.append(Instruction(word.upper(), flags, rest.strip()))
    return found


def context_files(root: Path, names: list[str], ignore: str) -> list[str]:
    """List which of these files Docker sends along: the last pattern of .dockerignore that fits a path decides."""
    patterns = [line for line in ignore.splitlines() if line.strip() and not line.startswith("#")]
    return [name for name in names if (root / name).is_file() and not _ignored(name, patterns)]


def _ignored(name: str, patterns: list[str]) -> bool:
    parts = name.split("/")
    prefixes = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    ignored = False
    for pattern in patterns:
        bare = pattern.removeprefix("!").strip("/")
        if any(_fits(prefix, bare) for prefix in prefixes):
            ignored = not pattern.startswith("!")
    return ignored


def _fits(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch.fnmatchcase(path.rpartition("/")[2], pattern.removeprefix("**/"))
    return path.count("/") == pattern.count("/") and fnmatch.fnmatchcase(path, pattern)


def build(instructions: list[Instruction], context: Path, base: Path, folder: Path) -> dict[str, Image]:
    """Build every stage below `folder`; `base` stands for the image of the registry, `context` holds what is sent."""
    stages: dict[str, Image] = {}
    image: Image | None = None
    for one in instructions:
        if one.word == "FROM":
            source, _, name = one.rest.split()
            image = stages[name] = _begin(stages.get(source), base, folder / name)
            continue
        assert image is not None, "the first instruction is FROM"
        _take(one, image, stages, context)
    return stages


def _begin(parent: Image | None, base: Path, root: Path) -> Image:
    if parent is not None:
        return Image(
            parent.root, {**parent.environment}, {**parent.labels}, parent.folder, parent.user,
            healthcheck=parent.healthcheck, shares_root=True,
        )  # fmt: skip
    subprocess.run(["cp", "-a", "--reflink=auto", base, root], check=True)
    return Image(root)


def _take(one: Instruction, image: Image, stages: dict[str, Image], context: Path) -> None:
    if one.word in _ABOUT_FILES:
        assert not image.shares_root, f"{one.word} in a stage that stands on another one is not known here"
        if one.word == "RUN":
            _run(one.rest, image)
        else:
            _copy(one, image, stages[one.flags["from"]].root if "from" in one.flags else context)
    else:
        _TOLD[one.word](image, one)


def _environment(image: Image, one: Instruction) -> None:
    for pair in one.words:
        name, _, value = pair.partition("=")
        image.environment[name] = re.sub(r"\$(\w+)", lambda match: image.environment[match[1]], value)


def _folder(image: Image, one: Instruction) -> None:
    image.folder = str(Path(image.folder) / one.rest)
    (image.root / image.folder.lstrip("/")).mkdir(parents=True, exist_ok=True)


def _entrypoint(image: Image, one: Instruction) -> None:
    image.entrypoint, image.command = one.words, []


def _healthcheck(image: Image, one: Instruction) -> None:
    image.healthcheck = Instruction("CMD", {}, one.rest.removeprefix("CMD").strip()).words


_ABOUT_FILES = {"RUN", "COPY"}
_TOLD: dict[str, Callable[[Image, Instruction], object]] = {
    "ENV": _environment,
    "LABEL": lambda image, one: image.labels.update(dict(pair.split("=", 1) for pair in one.words)),
    "WORKDIR": _folder,
    "USER": lambda image, one: setattr(image, "user", one.rest),
    "ENTRYPOINT": _entrypoint,
    "CMD": lambda image, one: setattr(image, "command", one.words),
    "HEALTHCHECK": _healthcheck,
    "EXPOSE": lambda image, one: image.ports.extend(map(int, one.words)),
    "VOLUME": lambda image, one: image.volumes.extend(one.words),
}


def _run(script: str, image: Image) -> None:
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    with_pip = Image(image.root, pip | image.environment, folder=image.folder, user=image.user)
    done = subprocess.run(
        with_pip.enter(["/bin/sh", "-c", script], network=True), check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"


def _copy(one: Instruction, image: Image, source: Path) -> None:
    *wanted, place = one.words
    target = image.root / str(Path(image.folder) / place).lstrip("/")
    for name in wanted:
        origin = source / name.strip("/")
        if origin.is_dir():
            shutil.copytree(origin, target, symlinks=True, dirs_exist_ok=True)
        else:
            goal = target / origin.name if place.endswith("/") else target
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(origin, goal)
    user, _, group = one.flags.get("chown", "0:0").partition(":")
    for path in [target, *target.rglob("*")] if target.is_dir() and not place.endswith("/") else [target]:
        os.chown(path, int(user), int(group), follow_symlinks=False)
