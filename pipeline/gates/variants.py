"""Other builds of the same tests, and whether this host can make them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping

from pipeline import proc
from pipeline.values import Cell, GoTree, Platform, Variant

LOCK_RANKING = Variant(name="staticlockranking", environment={"GOEXPERIMENT": "staticlockranking"})
# What Go calls when CC is not set; the environment of its processes has no CC.
_COMPILER = {"darwin": "clang", "freebsd": "clang", "openbsd": "clang"}
_VERSION_TIMEOUT = 30.0


def plain(cell: Cell) -> Variant:
    """The build of a cell's code."""
    return Variant(environment=cell.build)


def whole(cell: Cell) -> Variant:
    """The same as ``go test`` builds it: a test of runtime looks for its own source where the compiler found
    it."""
    return Variant(environment=cell.build, trimmed=False)


def together(first: Mapping[str, str], then: Mapping[str, str]) -> dict[str, str]:
    """Both builds' variables in one. Experiments add up."""
    names = [one["GOEXPERIMENT"] for one in (first, then) if one.get("GOEXPERIMENT")]
    return {**first, **then, **({"GOEXPERIMENT": ",".join(names)} if names else {})}


def race(shell: proc.Shell, tree: GoTree, host: Platform) -> Variant | str:
    """The build with -race, or why this host cannot make it.

    It needs the race detector's runtime, which a release carries for some platforms, and cgo everywhere but
    on macOS: so a C compiler.
    """
    names = (f"race_{host.goos}_{host.goarch}.syso", f"internal/{host.goarch}v1/race_{host.goos}.syso")
    if not any((tree.root / "src/runtime/race" / name).is_file() for name in names):
        return f"Go {tree.version} has no race detector for {host}"
    if host.goos == "darwin":
        return Variant(name="race", flags=("-race",))
    compiler = _COMPILER.get(host.goos, "gcc")
    found = shutil.which(compiler)
    if found is None:
        return f"-race needs cgo on {host.goos}, and {compiler} is not on PATH"
    version = shell.run(
        "compiler-version", [found, "--version"], env=proc.base_env(), timeout=_VERSION_TIMEOUT
    )
    if not version.ok:
        return f"-race needs cgo, and {compiler} --version fails: {version.tail.strip()[-200:]}"
    return Variant(
        name="race",
        flags=("-race",),
        environment={"CGO_ENABLED": "1"},
        identity=version.stdout,
    )


def ranks_locks(packages: Iterable[str]) -> bool:
    """Whether the order of runtime's locks can change with these packages: runtime and those below it."""
    return any(
        package == "runtime" or package.startswith(("runtime/", "internal/runtime/")) for package in packages
    )
