"""Test binaries linked again from what they were compiled to: with a stamp, in another order of functions,
on another machine. Nothing is compiled for it, and what comes out is proven to be what Go itself links.

The go command tells by ``-x`` what it gives its linker. A kit keeps that; it is only believed when the same
linker makes the same binary of it, bit for bit but for the build ID, which the go command writes in later.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import blame
from pipeline.cells.base import Shell, Where
from pipeline.cells.here import HERE
from pipeline.errors import HostError
from pipeline.golang import Go
from pipeline.store import file_sha256, flush
from pipeline.toolchain import macho, recipes, stamp
from pipeline.toolchain.stamp import Stamp
from pipeline.values import Kit, Platform

LINK_TIMEOUT = 600.0
_CONFIG = re.compile(r"^cat >.*importcfg\.link << 'EOF'.*\n((?:.*\n)*?)EOF\n", re.MULTILINE)
_CACHED = re.compile(r"([0-9a-f]{64})-d")
_LINKS = re.compile(r"[\\/]link(?:\.exe)?$")
_HINT = "please report it, with the logs"


@dataclass(frozen=True, kw_only=True)
class Linker:
    """The linker of ``go``, which runs on ``host`` and links for ``target`` (None: for the host itself) with
    the variables that the program was compiled with. ``where`` is the machine that ``shell`` runs it on."""

    shell: Shell
    go: Go
    host: Platform
    target: Platform | None = None
    build: Mapping[str, str] | None = None
    where: Where = HERE

    def run(self, log: str, kit: Kit, program: Path, *, text: str, flags: Sequence[str] = ()) -> None:
        """Link ``program``; ``text`` is the modinfo line, if any. HostError when it fails."""
        config = program.with_name(f"{program.name}.importcfg")
        lines = [f"packagefile {name}={kit.folder / file}" for name, file in sorted(kit.archives.items())]
        self.where.write(config, "\n".join([*lines, text]) + "\n")
        result = self.shell.run(
            log,
            [
                self.go.root / recipes.place("link", self.host),
                *("-o", program, "-importcfg", config),
                *kit.flags,
                *flags,
                kit.folder / kit.main,
            ],
            env=self.go.build_env(self.target, extra={**(self.build or {}), **kit.environment}),
            cwd=program.parent,
            timeout=LINK_TIMEOUT,
        )
        self.where.remove(config)
        if not result.ok or not self.where.exists(program):
            if cause := blame.host_fault(result):
                raise blame.stopped(f"linking {kit.program}", cause, result.log)
            raise HostError(
                f"{kit.program} could not be linked again:\n{result.tail}", hint=f"the log is {result.log}"
            )


def link(linker: Linker, log: str, kit: Kit, mark: Stamp, program: Path, *, seed: int = 0) -> None:
    """Link ``program`` with the stamp. With a ``seed`` its functions are laid out by it, and it is a round's
    program, gone after it: without DWARF, a third of the linker's work, of which nothing is ever loaded."""
    flags = [f"-randlayout={seed}", "-w"] if seed else []
    linker.run(log, kit, program, text=stamp.directive(kit.settings or "", mark), flags=flags)


def captured(said: str, compiled: Path, linker: Linker, folder: Path) -> Mapping[str, Any]:
    """Make a kit in ``folder`` from what ``go test -c -x`` ``said`` as it made ``compiled``; its ``read``
    form. HostError when it does not lead to the same bits."""
    config = list(_CONFIG.finditer(said))
    command = _command(said[config[-1].end() :]) if config else None
    if command is None:
        raise HostError(f"the go command did not say how it links {compiled.name}", hint=_HINT)
    archives: dict[str, str] = {}
    text: str | None = None
    for line in config[-1].group(1).splitlines():
        if line.startswith("modinfo "):
            text = stamp.text_of(line)
        elif found := re.fullmatch(r"packagefile ([^=]+)=(.+)", line):
            archives[found.group(1)] = _kept(Path(found.group(2)), folder)
    about = {
        "program": compiled.name,
        "archives": archives,
        "main": _kept(Path(command.input), folder),
        "flags": command.flags,
        "environment": command.environment,
        "settings": text,
    }
    kit = read(about, folder)
    _prove(kit, compiled, linker, folder)
    return about


def read(about: Mapping[str, Any], folder: Path) -> Kit:
    """The kit in ``folder``."""
    return Kit(
        folder=folder,
        program=about["program"],
        archives=about["archives"],
        main=about["main"],
        flags=tuple(about["flags"]),
        environment=about["environment"],
        settings=about["settings"],
    )


@dataclass(frozen=True, kw_only=True)
class _Command:
    environment: dict[str, str]
    flags: list[str]
    input: str


def _command(said: str) -> _Command | None:
    """The linker's command as the go command writes it; None when it is not there."""
    for line in said.splitlines():
        try:
            words = shlex.split(line)
        except ValueError:
            continue
        at = next((n for n, word in enumerate(words) if _LINKS.search(word)), None)
        if at is not None and words[at + 1 : at + 2] == ["-o"] and words[at + 3 : at + 4] == ["-importcfg"]:
            set_ = dict(word.split("=", 1) for word in words[:at] if "=" in word)
            return _Command(environment=set_, flags=words[at + 5 : -1], input=words[-1])
    return None


def _kept(archive: Path, folder: Path) -> str:
    if "$WORK" in archive.parts or not archive.is_file():
        raise HostError(f"an archive is gone from Go's build cache: {archive}", hint="run it again")
    # Go's build cache calls a file by its sha256; whoever unpacks it elsewhere checks that.
    named = _CACHED.fullmatch(archive.name)
    name = named.group(1) if named else file_sha256(archive)
    target = folder / name
    if not target.exists():
        try:
            os.link(archive, target)
        except OSError:  # another disk, or a system without links
            shutil.copyfile(archive, target)
        else:
            flush(archive)  # Go does not wait for the disk
    return name


def _prove(kit: Kit, compiled: Path, linker: Linker, folder: Path) -> None:
    program = folder / "proof"
    text = "" if kit.settings is None else stamp.directive(kit.settings, None)
    linker.run(f"link-{kit.program}", kit, program, text=text)
    ours, theirs = program.read_bytes(), compiled.read_bytes()
    program.unlink()
    flags = [flag.removeprefix("-buildid=") for flag in kit.flags if flag.startswith("-buildid=")]
    if not flags or not same_but_for_build_id(ours, theirs, flags[0]):
        mine, other = (hashlib.sha256(data).hexdigest() for data in (ours, theirs))
        raise HostError(
            f"linked again, {kit.program} is another program than the go command made of the same archives",
            meaning=f"sha256 {mine}, and not {other}",
            hint=_HINT,
        )


def same_but_for_build_id(ours: bytes, theirs: bytes, build_id: str) -> bool:
    """Whether ``theirs`` is ``ours``, in which ``build_id`` ends in a hash of the program itself, which the
    go command writes in when it is linked; and, on macOS, signs again."""
    if len(ours) != len(theirs):
        return False
    head, _, own = build_id.rpartition("/")
    wanted = build_id.encode()
    found = bytearray(ours)
    at = found.find(wanted)
    while at >= 0:
        end = at + len(wanted)
        if theirs[at : at + len(head) + 1] != f"{head}/".encode():
            return False
        found[end - len(own) : end] = theirs[end - len(own) : end]
        at = found.find(wanted, end)
    data = bytes(found)
    if macho.is_macho(data) and macho.is_macho(theirs):
        return macho.unsigned(data) == macho.unsigned(theirs)
    return data == theirs
