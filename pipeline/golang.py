"""How Go is run: its environment, pinned, and the questions put to it."""

from __future__ import annotations

import functools
import json
import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import proc
from pipeline.errors import HostError
from pipeline.values import Platform

EXE = ".exe" if os.name == "nt" else ""
LIST_TIMEOUT = 180.0
# What a compiler may use before it collects garbage for it: a soft limit, for each process.
_LIMIT = 1536 << 20


@functools.cache
def _collecting() -> Mapping[str, str]:
    """When Go's programs collect garbage as they build: at the limit, where the machine has room for two such
    for each core, else at five times what is live as well."""
    import psutil

    roomy = psutil.virtual_memory().total >= 2 * _LIMIT * (os.cpu_count() or 1)
    return {"GOGC": "off" if roomy else "400", "GOMEMLIMIT": f"{_LIMIT >> 20}MiB"}


_GOOS = {
    "Linux": "linux",
    "Darwin": "darwin",
    "Windows": "windows",
    "FreeBSD": "freebsd",
    "OpenBSD": "openbsd",
    "NetBSD": "netbsd",
    "DragonFly": "dragonfly",
}
_GOARCH = {
    "x86_64": "amd64",
    "amd64": "amd64",
    "aarch64": "arm64",
    "arm64": "arm64",
    "i686": "386",
    "i386": "386",
    "riscv64": "riscv64",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
}


def host_platform() -> Platform:
    """This machine as Go names it; HostError for one that Go does not know."""
    return platform_of(platform.system(), platform.machine())


def platform_of(system: str, machine: str) -> Platform:
    """A machine as Go names it, by what its kernel calls itself and its processor; HostError for one that Go
    does not know."""
    try:
        return Platform(goos=_GOOS[system], goarch=_GOARCH[machine.lower()])
    except KeyError as error:
        raise HostError(f"no Go name is known for {system[:40]} on {machine[:40]}") from error


@dataclass(frozen=True, kw_only=True)
class Go:
    """A ``go`` command and the caches it may use. ``root`` is its GOROOT, ``cache`` its GOCACHE."""

    root: Path
    cache: Path
    work: Path

    @property
    def binary(self) -> Path:
        """The go command itself."""
        return self.root / "bin" / f"go{EXE}"

    def env(self, target: Platform | None = None, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The whole environment of a Go process: nothing of the user's settings reaches it.

        Offline by construction (GOPROXY=off), no toolchain switching, no cgo. GOPATH and HOME point
        into ``work``, so nothing is written to the user's home.
        """
        values = {
            "GOROOT": str(self.root),
            "GOCACHE": str(self.cache),
            "GOPATH": str(self.work / "gopath"),
            "GOENV": "off",
            "GOTOOLCHAIN": "local",
            "GOPROXY": "off",
            "GOSUMDB": "off",
            "GOFLAGS": "",
            "GOWORK": "off",
            "GOTELEMETRY": "off",
            "CGO_ENABLED": "0",
            "HOME": str(self.work),
        }
        if target is not None:
            values |= {"GOOS": target.goos, "GOARCH": target.goarch}
        env = proc.base_env({**values, **(extra or {})})
        env["PATH"] = os.pathsep.join([str(self.root / "bin"), env.get("PATH", "")])
        return env

    def build_env(
        self, target: Platform | None = None, extra: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """The same for building: the compiler collects less garbage, which takes a quarter of its time and
        changes no bit of what it writes."""
        return {**self.env(target, extra), **_collecting()}

    def command(self, *words: str | Path) -> list[str | Path]:
        """``go WORDS`` by this tree's own go command."""
        return [self.binary, *words]

    def list(
        self,
        shell: proc.Shell,
        name: str,
        packages: Sequence[str],
        *,
        target: Platform,
        fields: Sequence[str],
        deps: bool = False,
        find: bool = False,
    ) -> list[dict[str, Any]]:
        """``go list -e -json`` for ``target``, with ``deps`` of what the packages are built from as well and
        with ``find`` without looking at what they import; packages without files there come back with an
        Error."""
        flags = [*(["-deps"] if deps else []), *(["-find"] if find else [])]
        result = shell.run(
            name,
            self.command("list", "-e", *flags, f"-json={','.join(fields)}", "--", *packages),
            env=self.env(target),
            cwd=self.root / "src",
            timeout=LIST_TIMEOUT,
            merge=False,
        )
        if not result.ok:
            raise HostError(f"go list failed for {target}:\n{result.tail}", hint=f"the log is {result.log}")
        return list(_json_stream(result.stdout))

    def platforms(self, shell: proc.Shell) -> tuple[Platform, ...]:
        """Every GOOS/GOARCH that this release knows, by ``go tool dist list``."""
        result = shell.run(
            "dist-list",
            self.command("tool", "dist", "list"),
            env=self.env(),
            cwd=self.root / "src",
            timeout=LIST_TIMEOUT,
            merge=False,
        )
        if not result.ok:
            raise HostError(f"go tool dist list failed:\n{result.tail}", hint=f"the log is {result.log}")
        pairs = (line.split("/") for line in result.stdout.split())
        return tuple(Platform(goos=goos, goarch=goarch) for goos, goarch in pairs)


def _json_stream(text: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    at = 0
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if at >= len(text):
            return
        value, at = decoder.raw_decode(text, at)
        yield value


def patched_version(base: str, series: str, digest: str) -> str:
    """The version of a patched toolchain, without the ``go`` prefix: ``1.27.3-my-series.1a2b3c4d``.

    A suffix after ``-`` is what go.dev/doc/toolchain#name gives to custom toolchains: go.mod lines and
    ``go/version`` see 1.27.3. The ``digest`` of the tree is in it because a release's tools name themselves
    in Go's build cache by their version alone: two states of a series must not share one there.
    """
    # Development versions have a date behind: 1.28-devel_0123456789 Thu Jan 1 …, devel go1.24-0123456 Thu …
    return re.sub(r"\d+\.\d\S*", lambda found: f"{found.group(0)}-{series}.{digest[:8]}", base, count=1)


def spelled(version: str) -> str:
    """A version as Go spells it: ``go1.27.3`` for 1.27.3; ``devel go1.24-…`` has its go inside."""
    return f"go{version}" if version[:1].isdigit() else version


def read_version(root: Path) -> str:
    """The release named by a tree's VERSION file, without the ``go`` prefix; '' where there is none."""
    try:
        first = (root / "VERSION").read_text(encoding="utf-8").split("\n", 1)[0].strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return first.removeprefix("go") if re.fullmatch(r"(devel )?go\d[\w.+ :-]*", first) else ""
