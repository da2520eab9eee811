"""The trees of a run: the patched one, those of the series' prefixes, and the baseline with the series' own
tests laid over it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import proc, tree
from pipeline.golang import patched_version, spelled
from pipeline.patch import apply, lint
from pipeline.patch.account import Applied
from pipeline.patch.apply import Files, Outcome
from pipeline.patch.blobs import ReleaseBlobs
from pipeline.patch.reach import is_test_file
from pipeline.store import Made, Store
from pipeline.values import GoTree, Series

# What cmd/dist writes the version into: it is how compiler and linker name themselves in a build cache.
_GENERATED = "src/internal/buildcfg/zbootstrap.go"
# Where every package's assembly looks for headers: cmd/dist copies some of the runtime's there.
_INCLUDE, _HEADERS = "pkg/include/", "src/runtime/"


@dataclass(frozen=True, kw_only=True)
class PatchedTree:
    """The patched tree, how each patch applied, the paths that differ from the baseline, and what its files
    are after each patch."""

    tree: GoTree
    applied: tuple[Applied, ...]
    changed: tuple[str, ...]
    steps: tuple[Files, ...]


def applied(
    store: Store, shell: proc.Shell, base: GoTree, series: Series, allowed: Collection[str] = ()
) -> Outcome:
    """What the series makes of the baseline, and how each patch applied; ``allowed`` are rungs that pass
    though they are not clean. Nothing is written. PatchError for a patch that the lint refuses, or whose
    files collide with the baseline's."""
    lint.refuse((*lint.of(series.patches), *lint.against(base.manifest, series.patches)))
    return apply.apply_series(shell, base.root, series.patches, allowed=allowed, blobs=ReleaseBlobs(store))


def patched(
    store: Store, shell: proc.Shell, base: GoTree, series: Series, allowed: Collection[str] = ()
) -> PatchedTree:
    """Apply the series to a clone of the baseline. PatchError when a patch does not apply; the store keeps
    nothing then."""
    return written(store, base, series, applied(store, shell, base, series, allowed))


def written(store: Store, base: GoTree, series: Series, outcome: Outcome) -> PatchedTree:
    """A clone of the baseline with what the series makes of it; PatchError when that failed."""
    outcome.require()
    found = _clone(store, base, outcome.files, f"{base.version} with {series.name}")
    return PatchedTree(
        tree=found,
        applied=outcome.applied,
        changed=tuple(tree.changed(base.manifest, found.manifest)),
        steps=outcome.steps,
    )


def prefix(store: Store, base: GoTree, whole: PatchedTree, number: int) -> GoTree:
    """The tree that the first ``number`` patches of the series make."""
    return _clone(store, base, whole.steps[number - 1], f"{base.version} with {number} patches")


def _clone(store: Store, base: GoTree, changed: Files, origin: str) -> GoTree:
    files = _with_headers(base, changed)

    def build(folder: Path) -> Made:
        root = folder / "tree"
        copied = tree.clone(base.root, root, base.manifest)
        apply.write(root, files)
        return _made(folder, tree.updated(base.manifest, root, files), [*copied, *files])

    # Keyed by what comes out: by which rung it went in is told apart from it, in the run's records.
    results = {
        path: "removed" if content is None else hashlib.sha256(content).hexdigest()
        for path, content in files.items()
    }
    entry = store.fill("trees", {"base": base.digest, "files": results}, build)
    return GoTree(
        root=entry.path / "tree",
        version=base.version,
        digest=str(entry.meta["digest"]),
        manifest=tree.load(entry.path / "manifest.json"),
        origin=origin,
    )


def _made(folder: Path, manifest: tree.Manifest, own_names: Iterable[str]) -> Made:
    """The entry of a tree with this manifest; the files of ``own_names`` are no links."""
    tree.save(manifest, folder / "manifest.json")
    own = [folder / "tree" / name for name in dict.fromkeys(own_names) if name in manifest]
    return Made(meta={"digest": tree.digest(manifest)}, files=[*own, folder / "manifest.json"])


def _with_headers(base: GoTree, files: Files) -> Files:
    """``files``, and the copies that a release has of the runtime's headers where one of those changes."""
    copies = {
        name: _HEADERS + name.removeprefix(_INCLUDE) for name in base.manifest if name.startswith(_INCLUDE)
    }
    return {**files, **{name: files[source] for name, source in copies.items() if source in files}}


def named(store: Store, patched_tree: GoTree, series: str) -> GoTree:
    """The patched tree under a VERSION that says so: what its toolchain is built from."""
    version = patched_version(patched_tree.version, series, patched_tree.digest)
    named_files = [name for name in ("VERSION", _GENERATED) if name in patched_tree.manifest]

    def build(folder: Path) -> Made:
        root = folder / "tree"
        copied = tree.clone(patched_tree.root, root, patched_tree.manifest)
        tree.detach(root, named_files)
        first = spelled(version)
        lines = (root / "VERSION").read_text(encoding="utf-8").splitlines()
        (root / "VERSION").write_text("\n".join([first, *lines[1:]]) + "\n", encoding="utf-8")
        if _GENERATED in named_files:
            text = (root / _GENERATED).read_text(encoding="utf-8")
            text = re.sub(
                r"^const version = `[^`]*`$", lambda _: f"const version = `{first}`", text, flags=re.M
            )
            (root / _GENERATED).write_text(text, encoding="utf-8")
        return _made(folder, tree.updated(patched_tree.manifest, root, named_files), [*copied, *named_files])

    entry = store.fill("trees", {"tree": patched_tree.digest, "version": version, "in": named_files}, build)
    return GoTree(
        root=entry.path / "tree",
        version=version,
        digest=str(entry.meta["digest"]),
        manifest=tree.load(entry.path / "manifest.json"),
        origin=patched_tree.origin,
    )


def overlaid(
    store: Store, base: GoTree, patched_tree: GoTree, changed: Sequence[str], dropped: Sequence[str]
) -> GoTree:
    """The baseline's code with the series' own test files, except ``dropped``, laid over it.

    This is what both sides running the same tests and benchmarks means.
    """
    names = [name for name in changed if is_test_file(name) and name not in set(dropped)]
    if not names:
        return base
    # Keyed by the test files alone: editing the change itself keeps the baseline's entry.
    files = {name: patched_tree.manifest.get(name, "removed") for name in names}

    def build(folder: Path) -> Made:
        root = folder / "tree"
        copied = tree.clone(base.root, root, base.manifest)
        for name in names:
            (root / name).unlink(missing_ok=True)
        laid = tree.clone(patched_tree.root, root, [name for name in names if name in patched_tree.manifest])
        return _made(folder, tree.updated(base.manifest, root, names), [*copied, *laid])

    entry = store.fill("trees", {"base": base.digest, "tests": files}, build)
    return GoTree(
        root=entry.path / "tree",
        version=base.version,
        digest=str(entry.meta["digest"]),
        manifest=tree.load(entry.path / "manifest.json"),
        origin=f"{base.version} with the series' tests",
    )
