"""The long way: make.bash -distpack, which bootstraps a tree from another Go and packs it for release.

It is what the short way is compared with, and the only way for a tree whose tools nobody has built.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline import blame, tree
from pipeline.errors import HostError, PatchError
from pipeline.store import remove_tree
from pipeline.toolchain import bootstrap
from pipeline.toolchain.build import BUILD_TIMEOUT, Builder, tools_digest
from pipeline.values import GoTree, Toolchain

# What make.bash makes: a copy that carries them already could hide that it did not.
_MADE = ("bin/", "pkg/")
# A development tree is built with -trimpath only on a builder: its bits would hold the folder's name.
_BUILDER = {"GO_BUILDER_NAME": "gopatch"}


def build(builder: Builder, source: GoTree) -> Toolchain:
    """The toolchain of ``source`` by make.bash for the host, from the store when it is there; bootstrapped by
    ``builder.base``. HostError for one that is too old or a machine that stopped it, PatchError when the tree
    does not build."""
    bootstrap.check(builder.base, source)

    def fill(folder: Path) -> Mapping[str, Any]:
        root = folder / "tree"
        _extract(_make(builder, source, folder / "make"), root)
        remove_tree(folder / "make")
        tree.save(tree.scan(root), folder / "manifest.json")
        return {"tools": tools_digest(root, builder.host)}

    inputs = {
        "tree": source.digest,
        "bootstrap": builder.base.digest,
        "recipe": "full",
        "on": _BUILDER,
        "host": str(builder.host),
    }
    entry = builder.store.fill("toolchains", inputs, fill)
    return Toolchain(
        root=entry.path / "tree",
        version=source.version,
        digest=str(entry.meta["tools"]),
        recipe="full",
        proof=f"make.bash -distpack, bootstrapped by Go {builder.base.version}",
        own_tools=True,
        reused=entry.reused,
    )


def as_tree(toolchain: Toolchain, source: GoTree) -> GoTree:
    """``source`` with the tools that ``build`` made of it: a baseline like any release."""
    manifest = tree.load(toolchain.root.parent / "manifest.json")
    return GoTree(
        root=toolchain.root,
        version=source.version,
        digest=tree.digest(manifest),
        manifest=manifest,
        origin=source.origin,
        proof=f"{source.proof}; its tools were built here: {toolchain.proof}",
    )


def _make(builder: Builder, source: GoTree, folder: Path) -> Path:
    """Run make.bash in a copy of the sources below ``folder``; the archive that it made."""
    root = folder / "go"
    # A copy and no links: cmd/dist writes generated files over those that are there.
    tree.copy(source.root, root, [name for name in source.manifest if not name.startswith(_MADE)])
    result = builder.shell.run(
        "make",
        [*_script(), "-distpack"],
        env=_environment(builder, folder),
        cwd=root / "src",
        timeout=BUILD_TIMEOUT,
    )
    if not result.ok:
        if cause := blame.host_fault(result):
            raise blame.stopped("make.bash", cause, result.log)
        raise PatchError(f"the tree does not build:\n{result.tail}", hint=f"the log is {result.log}")
    ending = f".{builder.host.goos}-{builder.host.goarch}.{_kind(builder)}"
    made = (root / "pkg/distpack").iterdir()
    # The same again as a module, for GOTOOLCHAIN, is a zip on every platform.
    found = [path for path in made if path.name.endswith(ending) and not path.name.startswith("v0.")]
    if len(found) != 1:
        raise HostError(
            f"make.bash -distpack of Go {source.version} left no archive *{ending}",
            meaning="releases before 1.21 do not know -distpack",
            hint=f"the log is {result.log}",
        )
    return found[0]


def _kind(builder: Builder) -> str:
    return "zip" if builder.host.goos == "windows" else "tar.gz"


def _script() -> list[str]:
    if os.name == "nt":
        return ["cmd", "/c", "make.bat"]
    bash = shutil.which("bash")
    if bash is None:
        raise HostError("there is no bash on PATH, and make.bash needs it", hint="install bash")
    return [bash, "make.bash"]


def _environment(builder: Builder, folder: Path) -> dict[str, str]:
    # As its user would run it, and not tuned as other builds are: it is what they are measured by.
    env = builder.go(builder.base.root, builder.base.digest).env()
    # cmd/dist finds its own root. CGO_ENABLED would go into the tools as their users' default, which in no
    # release it does; cmd/dist sets it to 0 itself for all that it links.
    for name in ("GOROOT", "CGO_ENABLED"):
        del env[name]
    return env | {
        "GOROOT_BOOTSTRAP": str(builder.base.root),
        "GOCACHE": str(folder / "cache"),
        **_BUILDER,
    }


def _extract(archive: Path, root: Path) -> None:
    """Unpack the archive. Made by the tree's own code, it is read like anybody's: plain files only, and none
    outside ``root``."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as packed:
            for info in packed.infolist():
                if not info.is_dir():
                    _write(
                        root, info.filename, packed.read(info), executable=info.external_attr >> 16 & 0o100
                    )
        return
    with tarfile.open(archive) as stream:
        for member in stream:
            if member.isreg() and (content := stream.extractfile(member)) is not None:
                _write(root, member.name, content.read(), executable=member.mode & 0o100)


def _write(root: Path, name: str, content: bytes, *, executable: int) -> None:
    parts = PurePosixPath(name).parts
    if parts[:1] != ("go",) or ".." in parts or len(parts) < 2:
        raise PatchError(f"make.bash packed a file outside the tree: {name[:100]!r}")
    path = root.joinpath(*parts[1:])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755 if executable else 0o644)
