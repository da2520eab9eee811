"""The Go that the user has, and settings that surprise whoever installs a patched one.

A run of this project reads none of them: it passes an environment of its own to every program.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pipeline.health.base import Finding, Host

# What `go env` tells of the user's settings, from the environment or from their go/env file.
_ASKED = ("GOROOT", "GOPATH", "GOPROXY", "GOFLAGS", "GOTOOLCHAIN", "GO111MODULE", "GOVERSION")


def go(host: Host) -> list[Finding]:
    """The go command on PATH and every setting that is a trap."""
    where = host.which("go")
    if where is None:
        return [Finding(check="go", severity="ok", found="not on PATH, and not needed"), *_goroot(host, "")]
    result = host.ask([where, "env", "-json", *_ASKED], env=dict(host.variables), seconds=20)
    try:
        values = dict(json.loads(result.stdout)) if result is not None and result.ok else None
    except ValueError:
        values = None
    if values is None:
        fix = "a GOROOT that points elsewhere does this: unset GOROOT, and try go version"
        return [Finding(check="go", severity="warn", found=f"{where} does not run", fix=fix)]
    found = Finding(check="go", severity="ok", found=f"{values.get('GOVERSION', '?')} at {where}")
    return [found, *_goroot(host, _own_root(host, where)), *_settings(values, host.variables)]


def _own_root(host: Host, where: str) -> str:
    """The GOROOT that the go command has by itself, which may be a wrapper's; where it does not say, the one
    that it lies in."""
    alone = {name: value for name, value in host.variables.items() if name != "GOROOT"}
    result = host.ask([where, "env", "GOROOT"], env=alone, seconds=20)
    said = result.stdout.strip() if result is not None and result.ok else ""
    return said if Path(said).is_absolute() else str(Path(where).resolve().parent.parent)


def _goroot(host: Host, own: str) -> list[Finding]:
    chosen = host.variables.get("GOROOT", "")
    if not chosen:
        return []
    if not (Path(chosen) / "src/runtime").is_dir():
        found = f"GOROOT={chosen} is no Go tree"
    elif own and Path(chosen).resolve() != Path(own):
        found = f"GOROOT={chosen}, but the go on PATH belongs to {own}: its tools and sources do not match"
    else:
        return []
    fix = "unset GOROOT (in ~/.profile, ~/.zshrc or the system's settings): go finds its own"
    return [Finding(check="GOROOT", severity="warn", found=found, fix=fix)]


def _settings(values: Mapping[str, str], variables: Mapping[str, str]) -> list[Finding]:
    found = []
    if values.get("GOPATH") and values["GOPATH"] == values.get("GOROOT"):
        found.append(("GOPATH", f"GOPATH is GOROOT ({values['GOPATH']})", "go env -u GOPATH"))
    if flags := values.get("GOFLAGS", ""):
        found.append(("GOFLAGS", f"GOFLAGS={flags} changes every build with your Go", "go env -u GOFLAGS"))
    if values.get("GO111MODULE") == "off":
        found.append(("GO111MODULE", "modules are off: go.mod files are not read", "go env -u GO111MODULE"))
    toolchain = values.get("GOTOOLCHAIN", "")
    if toolchain.startswith("go1"):
        what = f"GOTOOLCHAIN={toolchain}: every go command runs that release, also a patched one's"
        found.append(("GOTOOLCHAIN", what, "go env -u GOTOOLCHAIN"))
    elif toolchain.endswith(("auto", "path")) and (toolchain != "auto" or "GOTOOLCHAIN" in variables):
        # Plain auto is Go's default, and no trap that anybody set.
        what = f"GOTOOLCHAIN={toolchain}: a go.mod that asks for a newer Go makes a patched one step aside"
        found.append(("GOTOOLCHAIN", what, "GOTOOLCHAIN=local while you use a patched toolchain"))
    if values.get("GOPROXY") == "off":
        found.append(("GOPROXY", "GOPROXY=off: no module can be downloaded", "go env -u GOPROXY"))
    return [
        # go env -u forgets what go env -w wrote; a variable of the environment stands above both.
        Finding(check=key, severity="warn", found=what, fix=f"unset {key}" if key in variables else fix)
        for key, what, fix in found
    ]


def owner(host: Host) -> list[Finding]:
    """A Go that a package manager owns must not be replaced by hand."""
    where = host.which("go")
    root = _own_root(host, where) if where else ""
    for mark, name, how in (
        ("/Cellar/", "Homebrew", "brew upgrade"),
        ("/usr/lib/go", "the distribution", "an upgrade"),
        ("/snap/", "snap", "snap refresh"),
        ("/nix/store/", "Nix", "a rebuild"),
    ):
        if mark in root:
            found = f"{root} belongs to {name}: {how} would undo a patched toolchain put in its place"
            fix = "install side by side (./inv toolchain-install), and put its bin first on PATH"
            return [Finding(check="go's owner", severity="ok", found=found, fix=fix)]
    return []
