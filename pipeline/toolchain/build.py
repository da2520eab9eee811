"""The patched toolchain: every tool of a release built from the patched tree, or the release's own
tools on it."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import blame, proc, tree
from pipeline.errors import PatchError
from pipeline.golang import Go, read_version, spelled
from pipeline.patch.reach import changed_packages, is_test_file
from pipeline.store import Store, file_sha256, remove_tree
from pipeline.toolchain import recipes
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
        compilers with the same VERSION must never share one. Nor may trees with other assembler headers: Go's
        cache does not look into pkg/include. The base's digest stands for its tools; bases that differ in
        their code alone, such as a clone that is worked on, share what they have in common."""
        by = self.tools if tools == self.base.digest else tools
        name = hashlib.sha256(f"{by} {_headers(goroot)}".encode()).hexdigest()[:32]
        return Go(root=goroot, cache=self.store.shared("gocache", name), work=self.work)

    @functools.cached_property
    def tools(self) -> str:
        """The ``tools_digest`` of the base, read once."""
        return tools_digest(self.base.root, self.host)


def _headers(root: Path) -> str:
    state = hashlib.sha256()
    for path in sorted((root / "pkg/include").glob("*.h")):
        state.update(f"{file_sha256(path)}\t{path.name}\n".encode())
    return state.hexdigest()


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
            digest=_tools_of(builder, patched),
            recipe="overlay",
            proof="the release's own tools, unchanged: the series changes nothing that they compute with",
            own_tools=False,
            reused=True,
        )
    release = builder.go(builder.base.root, builder.base.digest)
    how = recipes.read(builder.shell, release, patched.root, builder.host)

    def fill(folder: Path) -> Mapping[str, Any]:
        proof = _stages(builder, patched, folder, how, again=own_tools)
        return {"digest": tools_digest(folder / "tree", builder.host), "proof": proof}

    inputs = {
        "tree": patched.digest,
        "base": builder.base.digest,
        "recipe": "staged",
        "own_tools": own_tools,
        "how": how.as_json(),
        "host": str(builder.host),
    }
    entry = builder.store.fill("toolchains", inputs, fill)
    return Toolchain(
        root=entry.path / "tree",
        version=patched.version,
        digest=str(entry.meta["digest"]),
        recipe="staged",
        proof=str(entry.meta["proof"]),
        own_tools=own_tools,
        reused=entry.reused,
    )


def _tools_of(builder: Builder, patched: GoTree) -> str:
    """The ``tools_digest`` of the patched tree: the base's, unless a tool is another one."""
    changed = tree.changed(builder.base.manifest, patched.manifest)
    own = any(name.startswith(("bin/", "pkg/tool/")) for name in changed)
    return tools_digest(patched.root, builder.host) if own else builder.tools


def _stages(builder: Builder, patched: GoTree, folder: Path, how: recipes.Recipe, *, again: bool) -> str:
    """Build the tools; when the series touches them, build with what was built until the hashes stand
    still. Returns the proof in words."""
    tools_by, previous = builder.base.digest, ""
    goroot = patched.root
    for stage in range(1, MAX_STAGES + 1):
        target = folder / ("tree" if not again else f"stage{stage}")
        _one_stage(builder, builder.go(goroot, tools_by), patched, target, how, stage)
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


def _one_stage(
    builder: Builder, go: Go, patched: GoTree, target: Path, how: recipes.Recipe, stage: int
) -> None:
    out = target.parent / f"out{stage}"
    built = compile_tools(builder, go, how, out, builder.host, f"toolchain-stage{stage}")
    tree.clone(patched.root, target, [name for name in patched.manifest if name not in built])
    for name, source in built.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        source.rename(target / name)
    out.rmdir()


def compile_tools(
    builder: Builder, go: Go, how: recipes.Recipe, out: Path, target: Platform, log: str
) -> dict[str, Path]:
    """The tools of ``how``, compiled from ``go``'s own tree for ``target`` into ``out``: the files by their
    path below GOROOT. PatchError when they do not compile, HostError when the machine stopped it."""
    out.mkdir(parents=True)
    version = read_version(go.root)
    # The release's linker would write the release's version into a tree that has another.
    flags = how.named(spelled(version)) if version not in {"", builder.base.version} else []
    commands = [f"cmd/{name}" for name in how.commands]
    result = builder.shell.run(
        log,
        go.command("build", *flags, f"-p={builder.jobs}", "-o", f"{out}/", *commands),
        env=go.build_env(target, extra=how.environment),
        cwd=go.root / "src",
        timeout=BUILD_TIMEOUT,
    )
    if not result.ok:
        if cause := blame.host_fault(result):
            raise blame.stopped("the toolchain build", cause, result.log)
        raise PatchError(
            f"the tools of Go {version} do not build:\n{result.tail}", hint=f"the log is {result.log}"
        )
    exe = ".exe" if target.goos == "windows" else ""
    return {recipes.place(name, target): out / f"{name}{exe}" for name in how.commands}


def tools_digest(root: Path, host: Platform) -> str:
    """The sha256 (hex) over the files of bin and pkg/tool: the toolchain's identity."""
    state = hashlib.sha256()
    for name, path in sorted(recipes.tool_files(root, host).items()):
        state.update(f"{file_sha256(path)}\t{name}\n".encode())
    return state.hexdigest()
