"""Whose a Go tree is: a package manager that put it there would overwrite it, or miss it.

dpkg was run; rpm, pacman, apk and the paths of other managers are read from their documentation.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from pipeline import proc
from pipeline.errors import HostError

TIMEOUT = 30.0


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Who manages a tree. ``package`` is '' when only the manager is known."""

    manager: str
    package: str

    def __str__(self) -> str:
        return f"the package {self.package} of {self.manager}" if self.package else self.manager


@dataclass(frozen=True, kw_only=True)
class Manager:
    """A package manager that can be asked: its program, the words before the file, and what its answer
    (on exit code 0) means."""

    name: str
    program: str
    words: tuple[str, ...]
    package: Callable[[str], str]


def from_dpkg(text: str) -> str:
    """``golang-1.22-go: /usr/lib/go-1.22/bin/go``; lines about diversions name no package. Pure."""
    for line in text.splitlines():
        names, colon, _ = line.partition(": /")
        if colon and not line.startswith("diversion by"):
            return names
    return ""


def from_rpm(text: str) -> str:
    """``golang-bin-1.22.5-1.fc40.x86_64``. Pure."""
    line = text.strip().split("\n", 1)[0]
    return "" if " " in line else line


def from_pacman(text: str) -> str:
    """``/usr/lib/go/bin/go is owned by go 2:1.22.5-1``, and apk says the same. Pure."""
    found = re.search(r" is owned by (.+)", text)
    return found.group(1).strip() if found else ""


MANAGERS = (
    Manager(name="dpkg", program="dpkg", words=("-S",), package=from_dpkg),
    Manager(name="rpm", program="rpm", words=("-qf",), package=from_rpm),
    Manager(name="pacman", program="pacman", words=("-Qo",), package=from_pacman),
    Manager(name="apk", program="apk", words=("info", "--who-owns"), package=from_pacman),
)


def by_path(path: PurePath) -> Owner | None:
    """The manager that a path gives away. Pure."""
    text, parts = path.as_posix(), path.parts
    if found := re.match(r"/nix/store/[a-z0-9]{32}-([^/]+)", text):
        return Owner(manager="Nix", package=found.group(1))
    if text.startswith("/gnu/store/"):
        return Owner(manager="Guix", package=text.removeprefix("/gnu/store/").split("/")[0])
    if found := re.match(r"(?:/var/lib/snapd)?/snap/([^/]+)", text):
        return Owner(manager="snap", package=found.group(1))
    if "Cellar" in parts and parts.index("Cellar") + 1 < len(parts):
        return Owner(manager="Homebrew", package=parts[parts.index("Cellar") + 1])
    if text.startswith("/opt/local/lib/go"):
        return Owner(manager="MacPorts", package="")
    if re.search(r"/golang\.org/toolchain@", text):
        return Owner(manager="Go's module cache (GOTOOLCHAIN)", package="")
    if re.match(r"/usr/(lib|lib64|share)/(go|golang)(-[\d.]+)?(/|$)", text):
        return Owner(manager="this system's packages", package="")
    return None


def find(goroot: Path) -> Owner | None:
    """Who manages the tree: the managers of this machine are asked, then the path. A manager that cannot
    answer is no owner."""
    files = [path for path in (goroot / "bin/go", goroot / "VERSION") if path.exists()]
    # As it is named and as it is stored: /usr/lib/go is a link on most systems.
    names = dict.fromkeys(str(name) for path in files for name in (path, path.resolve()))
    for manager in MANAGERS:
        if shutil.which(manager.program) and (package := ask(manager, list(names))):
            return Owner(manager=manager.name, package=package)
    return by_path(goroot) or by_path(goroot.resolve())


def ask(manager: Manager, files: Sequence[str]) -> str:
    """The package that has one of the files, or ''."""
    for name in files:
        # dpkg takes patterns; the others take a backslash as part of a name.
        shown = re.sub(r"([*?\[\\])", r"\\\1", name) if manager.name == "dpkg" else name
        try:
            result = proc.run(
                [manager.program, *manager.words, shown], env=proc.base_env(), timeout=TIMEOUT, merge=False
            )
        except HostError:
            return ""
        if result.ok and (package := manager.package(result.stdout)):
            return package
    return ""


def refusal(goroot: Path, owner: Owner) -> str:
    """How to do it instead. Pure."""
    return (
        "install side by side: leave --replace out, and put that folder's bin first on PATH; "
        f"{goroot} stays as {owner.manager} knows it"
    )
