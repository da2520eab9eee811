"""Applying a series to a tree, with an account of how each hunk of each patch went in.

The tree is only read: what the series changes is worked out in memory, done again by real git on copies of
the few files that it touches, and handed back when the two agree. Nothing can be applied in part.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline import git, proc, tree
from pipeline.errors import HostError, PatchError, PipelineError
from pipeline.patch import explain, ladder, reader
from pipeline.patch.account import CLEAN, Applied, worst
from pipeline.patch.blobs import Blobs, NoBlobs
from pipeline.patch.diff import FileChange
from pipeline.patch.ladder import FileAccount
from pipeline.values import Patch

Files = Mapping[str, bytes | None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A series on a tree: an account of each patch up to the first that fails, what fails it, and what the
    files that change are after each patch, None for one that is gone; no steps when it fails."""

    applied: tuple[Applied, ...]
    failure: PatchError | None
    steps: tuple[Files, ...]

    @property
    def files(self) -> Files:
        """What the whole series makes of the files; none when it fails."""
        return self.steps[-1] if self.steps else {}

    def require(self) -> Outcome:
        """Itself, or the failure raised."""
        if self.failure is not None:
            raise self.failure
        return self


def apply_series(
    shell: proc.Shell,
    root: Path,
    patches: Sequence[Patch],
    *,
    allowed: Collection[str] = (),
    blobs: Blobs | None = None,
) -> Outcome:
    """What the patches, in order, make of the tree at ``root``; ``allowed`` are rungs that pass though they
    are not clean. HostError when git cannot be run, PipelineError (a bug) when git and the model differ."""
    overlay = _Overlay(root)
    done: list[Applied] = []
    steps: list[Files] = []
    for index, patch in enumerate(patches, 1):
        git_room = _Git(shell, patch, index)
        changes = reader.parse(patch.name, patch.content)
        accounts = ladder.climb(changes, overlay, allowed, blobs or NoBlobs(), git_room.merge)
        applied = _judge(patch, accounts, allowed)
        if applied.rung == "already-applied" and (twin := git_room.twin(patches[: index - 1])):
            applied = replace(applied, detail=f"{applied.detail}; {twin} of this series is the same change")
        done.append(applied)
        if not applied.ok:
            return Outcome(applied=tuple(done), failure=explain.failure(applied, index), steps=())
        if applied.skipped:
            git_room.check_undone(overlay, changes)
        else:
            made = {path: content for account in accounts for path, content in account.after.items()}
            git_room.check(overlay, accounts, made)
            overlay.files.update(made)
        steps.append(dict(overlay.files))
    return Outcome(applied=tuple(done), failure=None, steps=tuple(steps))


def write(root: Path, files: Files) -> None:
    """Put the files into the tree at ``root``. Each gets bytes of its own: the tree may share them."""
    tree.detach(root, files)
    for name, content in files.items():
        path = root / name
        if content is None:
            path.unlink(missing_ok=True)
            _remove_empty(path.parent, root)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _remove_empty(folder: Path, root: Path) -> None:
    """As git does where a file was removed: it knows no empty folders."""
    with contextlib.suppress(OSError):
        while folder != root:
            folder.rmdir()
            folder = folder.parent


class _Overlay:
    """The tree at ``root`` under the files that the patches so far have changed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[str, bytes | None] = {}

    def read(self, path: str) -> bytes | None:
        if path in self.files:
            return self.files[path]
        place = self.root / path
        # A tree of the user's may hold links: what they lead to is no file of the tree.
        if not place.is_file() or place.resolve() != self.root.resolve() / path:
            return None
        return place.read_bytes()

    def blocked(self, path: str) -> bool:
        if path in self.files:
            return self.files[path] is not None
        place = self.root / path
        above = [parent for parent in Path(path).parents if parent != Path()]
        return (
            place.exists()
            or place.is_symlink()
            or any(self.read(parent.as_posix()) is not None for parent in above)
            or any((self.root / parent).is_symlink() for parent in above)
        )


def _judge(patch: Patch, accounts: Sequence[FileAccount], allowed: Collection[str]) -> Applied:
    hunks = tuple(hunk for account in accounts for hunk in account.hunks)
    rung = worst(hunk.rung for hunk in hunks)
    here = all(account.present for account in accounts)
    holds = all(account.holds and account.needs <= {*allowed, *CLEAN} for account in accounts)
    skipped = here and "already-applied" in allowed
    return Applied(
        patch=patch,
        rung=rung,
        hunks=hunks,
        detail=explain.detail(hunks),
        ok=holds or skipped,
        skipped=skipped,
    )


class _Git:
    """Real git for one patch, in folders of its own: no attributes, no index and no files of anybody's."""

    def __init__(self, shell: proc.Shell, patch: Patch, index: int) -> None:
        self._shell, self._patch, self._name = shell, patch, f"apply-{index:04d}"

    def merge(self, ours: bytes, base: bytes, theirs: bytes) -> bytes | None:
        """The three-way merge, or None for a conflict."""
        with _folder({"ours": ours, "base": base, "theirs": theirs}) as folder:
            result = self._run(folder, "merge", ["merge-file", "-q", "ours", "base", "theirs"])
            return (folder / "ours").read_bytes() if result.ok else None

    def check(self, before: _Overlay, accounts: Sequence[FileAccount], made: Files) -> None:
        """Have git make the same changes; PipelineError unless every file comes out the same."""
        ways = {(account.way, account.base is not None) for account in accounts}
        found: dict[str, bytes | None] = {}
        for way, merged in sorted(ways, key=repr):
            group = [one for one in accounts if (one.way, one.base is not None) == (way, merged)]
            changes = [change for account in group for change in account.changes]
            # Alone, the patch goes to git as it is: another reader of the same bytes.
            raw = self._patch.content if len(ways) == 1 else b"".join(change.raw for change in changes)
            with _folder(_sources(before, changes)) as folder:
                options = way.options if way else ["--3way"]
                if merged:
                    self._repository(folder, [account.base or b"" for account in group])
                self._apply(folder, options, raw)
                found |= _results(folder, changes)
        if wrong := sorted(path for path in {*found, *made} if found.get(path) != made.get(path)):
            raise self._bug(f"git made something else of {', '.join(wrong[:5])}")

    def check_undone(self, before: _Overlay, changes: Sequence[FileChange]) -> None:
        """PipelineError unless git, too, can take the patch back."""
        paths = {path: before.read(path) for one in changes for path in (one.old, one.new) if path}
        with _folder({path: content for path, content in paths.items() if content is not None}) as folder:
            self._apply(folder, ["--check", "--reverse"], self._patch.content)

    def twin(self, earlier: Sequence[Patch]) -> str:
        """The name of an earlier patch that changes the same, whatever its line numbers; '' for none."""
        own = self._patch_id(self._patch.content)
        return next((one.name for one in earlier if own and self._patch_id(one.content) == own), "")

    def _patch_id(self, content: bytes) -> str:
        with _folder({}) as folder:
            result = self._run(folder, "id", ["patch-id", "--stable"], content)
        return result.stdout.split(" ")[0] if result.ok else ""  # also for a patch without git's own headers

    def _repository(self, folder: Path, bases: Sequence[bytes]) -> None:
        self._run(folder, "3way", ["init", "-q", "--template="])
        self._run(folder, "3way", ["add", "-f", "--", "."])
        for base in bases:
            self._run(folder, "3way", ["hash-object", "-w", "--stdin"], base)

    def _apply(self, folder: Path, options: Sequence[str], content: bytes) -> None:
        result = self._run(folder, "", ["apply", "-p1", "--verbose", *options, "-"], content)
        if not result.ok:
            raise self._bug("git does not apply it", result)

    def _run(self, folder: Path, part: str, arguments: Sequence[str], stdin: bytes = b"") -> proc.Result:
        name = f"{self._name}-{part}" if part else self._name
        result = git.run(self._shell, name, arguments, cwd=folder, stdin=stdin)
        # git echoes the patch's own lines, so its words cannot tell the machine's fault from the patch's.
        if not result.ok and (full := proc.full_disk(folder)):
            raise HostError(
                f"applying {self._patch.name} was stopped by this machine: no space left at {full}",
                hint="free some space, or point TMPDIR to another disk",
            )
        if result.timed_out or result.returncode < 0:
            raise HostError(f"git was stopped while it applied {self._patch.name}", hint="try it again")
        return result

    def _bug(self, what: str, result: proc.Result | None = None) -> PipelineError:
        said = f"\n{result.tail}" if result else ""
        return PipelineError(
            f"{self._patch.name}: gopatch and git do not agree where it goes: {what}{said}",
            meaning="one of the two reads the patch wrongly; neither is believed, and nothing was changed",
            hint=f"please report it with the patch; git's output is in {self._shell.logs}/{self._name}.log",
        )


def _sources(before: _Overlay, changes: Sequence[FileChange]) -> dict[str, bytes]:
    return {one.old: content for one in changes if (content := before.read(one.old)) is not None and one.old}


def _results(folder: Path, changes: Sequence[FileChange]) -> dict[str, bytes | None]:
    """Every file that git left, and None for those it removed; a copy's source only if it changed."""
    left = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[0] != ".git"
    }
    touched = {path for one in changes for path in (one.old, one.new) if path}
    kept = {one.old for one in changes if one.kind == "copy"}
    kept -= {path for one in changes if one.kind != "copy" for path in (one.old, one.new)}
    return {path: left.get(path) for path in {*touched, *left} if path not in kept}


@contextlib.contextmanager
def _folder(files: Mapping[str, bytes]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gopatch-apply-") as name:
        folder = Path(name) / "tree"
        folder.mkdir()
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        yield folder
