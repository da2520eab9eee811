"""The patched toolchain: every tool of a release built from the patched tree, or the release's own
tools on it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import proc, tree
from pipeline.errors import HostError, PatchError
from pipeline.golang import EXE, Go, release_flags
from pipeline.patch.reach import changed_packages, is_test_file
from pipeline.store import Store, file_sha256, remove_tree
from pipeline.values import GoTree, Platform, Recipe, Toolchain

BUILD_TIMEOUT = 3600.0
MAX_STAGES = 4


@dataclass(frozen=True, kw_only=True)
class Builder:
    """What building needs: the release whose tools start it, a cache, a place for scratch files."""

    store: Store
    shell: proc.Shell
    base: GoTree
    host: Platform
    jobs: int
    work: Path

    def go(self, goroot: Path, tools: str) -> Go:
        """The go command of ``goroot`` with a build cache of its own for each set of ``tools``: two
        compilers with the same VERSION must never share one."""
        return Go(root=goroot, cache=self.store.shared("gocache", tools[:32]), work=self.work)


# What the tools run on rather than compute with. A changed runtime changes how a compiler runs and not what
# it writes: one stage then equals a full bootstrap, bit for bit, as measured on 1.27.3.
_RUN_ON = {"runtime", "internal/poll", "os", "os/exec", "syscall"}
_RUN_ON_BELOW = ("internal/syscall/", "internal/runtime/syscall/")


def touches_tools(builder: Builder, changed: Sequence[str]) -> bool:
    """Whether the series may change what the compiler, assembler or linker put out: it changes something
    below src/cmd, or a package that they are built from and compute with.

    Then one build by the release's tools is not enough, and the release's tools will not do.
    """
    code = [name for name in changed if not is_test_file(name)]
    if any(name.startswith("src/cmd/") for name in code):
        return True
    go = builder.go(builder.base.root, builder.base.digest)
    tools = ["cmd/compile", "cmd/asm", "cmd/link"]
    rows = go.list(builder.shell, "list-tools", tools, target=builder.host, fields=("ImportPath",), deps=True)
    # A package that is compiled with a command's own profile is listed as "math/big [cmd/compile]".
    packages = set(changed_packages(code)) & {str(row["ImportPath"]).split(" ")[0] for row in rows}
    return any(name not in _RUN_ON and not name.startswith(_RUN_ON_BELOW) for name in packages)


def build(builder: Builder, patched: GoTree, wanted: Recipe, *, own_tools: bool) -> Toolchain:
    """The toolchain of the patched tree, from the store when it is there. ``own_tools`` is what
    ``touches_tools`` says.

    PatchError when the tools do not compile, HostError when the machine stopped the build.
    """
    if wanted == "overlay" and not own_tools:
        # The patched tree carries the release's tools already: it is the toolchain.
        return Toolchain(
            root=patched.root,
            version=patched.version,
            digest=tools_digest(patched.root, builder.host),
            recipe="overlay",
            proof="the release's own tools, unchanged: the series changes nothing that they compute with",
            own_tools=False,
            reused=True,
        )
    recipe = "staged"
    flags = release_flags(patched.root)

    def fill(folder: Path) -> Mapping[str, Any]:
        proof = _stages(builder, patched, folder, flags, again=own_tools)
        return {"digest": tools_digest(folder / "tree", builder.host), "proof": proof}

    inputs = {
        "tree": patched.digest,
        "base": builder.base.digest,
        "recipe": recipe,
        "own_tools": own_tools,
        "flags": flags,
        "host": str(builder.host),
    }
    entry = builder.store.fill("toolchains", inputs, fill)
    return Toolchain(
        root=entry.path / "tree",
        version=patched.version,
        digest=str(entry.meta["digest"]),
        recipe=recipe,
        proof=str(entry.meta["proof"]),
        own_tools=own_tools,
        reused=entry.reused,
    )


def _stages(builder: Builder, patched: GoTree, folder: Path, flags: str, *, again: bool) -> str:
    """Build the tools; when the series touches them, build with what was built until the hashes stand
    still. Returns the proof in words."""
    tools_by, previous = builder.base.digest, ""
    goroot = patched.root
    for stage in range(1, MAX_STAGES + 1):
        target = folder / ("tree" if not again else f"stage{stage}")
        _one_stage(builder, builder.go(goroot, tools_by), patched, target, flags, stage)
        now = tools_digest(target, builder.host)
        if not again:
            return "one stage by the release's tools: the series changes nothing that they compute with"
        if now == previous:
            target.rename(folder / "tree")
            for old in range(1, stage):
                remove_tree(folder / f"stage{old}")
            return f"built by itself: stages {stage - 1} and {stage} are the same, bit for bit"
        goroot, tools_by, previous = target, now, now
    raise PatchError(
        f"the toolchain does not reach a fixed point: {MAX_STAGES} successive builds all differ",
        meaning="the patched compiler or linker does not build itself reproducibly",
    )


def _one_stage(builder: Builder, go: Go, patched: GoTree, target: Path, flags: str, stage: int) -> None:
    commands = _commands(builder.base.root, builder.host)
    out = target.parent / f"out{stage}"
    out.mkdir()
    result = builder.shell.run(
        f"toolchain-stage{stage}",
        go.command("build", f"-p={builder.jobs}", "-o", f"{out}/", *(f"cmd/{name}" for name in commands)),
        env=go.env(extra={"GOFLAGS": flags}),
        cwd=go.root / "src",
        timeout=BUILD_TIMEOUT,
    )
    if not result.ok:
        if cause := result.host_cause():
            raise HostError(
                f"the toolchain build was stopped by this machine: {cause}", hint=f"the log is {result.log}"
            )
        raise PatchError(
            f"the patched toolchain does not build:\n{result.tail}", hint=f"the log is {result.log}"
        )
    tools = f"pkg/tool/{builder.host.goos}_{builder.host.goarch}"
    built = {
        f"bin/{name}{EXE}" if name in {"go", "gofmt"} else f"{tools}/{name}{EXE}": out / f"{name}{EXE}"
        for name in commands
    }
    tree.clone(patched.root, target, [name for name in patched.manifest if name not in built])
    for name, source in built.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        source.rename(target / name)
    out.rmdir()


def _commands(root: Path, host: Platform) -> list[str]:
    """The commands of this release, by what its archive carries."""
    tools = root / "pkg/tool" / f"{host.goos}_{host.goarch}"
    names = [path.name.removesuffix(EXE) for path in (*tools.iterdir(), *(root / "bin").iterdir())]
    return sorted(name for name in names if (root / "src/cmd" / name).is_dir())


def tools_digest(root: Path, host: Platform) -> str:
    """The sha256 (hex) over the files of bin and pkg/tool: the toolchain's identity."""
    files = [*(root / "bin").iterdir(), *(root / "pkg/tool" / f"{host.goos}_{host.goarch}").iterdir()]
    state = hashlib.sha256()
    for path in sorted(files):
        state.update(f"{file_sha256(path)}\t{path.relative_to(root).as_posix()}\n".encode())
    return state.hexdigest()
