"""Commits of a clone on this machine, as ``git format-patch`` writes them.

The clone is hostile: its configuration and attributes may name programs for diffs, filters, hooks, signatures
and transports. It is asked for the names of commits only. Everything else is done in a repository of our own
that borrows the clone's objects, so that no setting of the clone is ever read.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import git, proc
from pipeline.errors import HostError, NothingToDoError, UsageError
from pipeline.inputs import mails
from pipeline.inputs.mails import Letters
from pipeline.inputs.naming import plain
from pipeline.values import Provenance, Series

# Stricter than git: nothing that could be an option, a reflog, a glob or a path in a tree.
_REF = re.compile(
    r"(?!.*(\.\.|//|/\.|\.lock(/|$)))[A-Za-z0-9][A-Za-z0-9._/+-]{0,199}(?<![./])([~^]\d{0,4}){0,9}"
)
_COMMIT = re.compile(r"[0-9a-f]{40}")
# A partial clone must not fetch what it lacks: its configuration says how. GIT_ALLOW_PROTOCOL, unlike
# protocol.allow, cannot be overruled by it.
_CLOSED = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1", "GIT_NO_REPLACE_OBJECTS": "1"}
_FORMAT = (
    *("--no-ext-diff", "--no-textconv", "--no-color", "--no-signature", "--full-index", "--no-notes"),
    # A rename shows no content, and the lint refuses it: the same change is a removal and a new file.
    "--no-renames",
    *("--pretty=mboxrd", "--numbered-files", "--numbered", "--quiet"),
)


@dataclass(frozen=True, kw_only=True)
class _Places:
    """Where a clone keeps things."""

    objects: Path
    shallow: Path
    index: Path


class Clone:
    """The commits of ``commits`` (``A..B``, or one commit) in the clone at ``path``."""

    def __init__(self, path: Path, commits: str) -> None:
        self._path, self._range = path, commits

    def read(self, version: str) -> tuple[Series, Provenance]:
        """See ``Input.read``."""
        first, last = _ends(self._range)
        path = self._path.expanduser().resolve()
        places = _places(path)
        start = _resolve(path, first) if first else ""
        end = _resolve(path, last)
        with tempfile.TemporaryDirectory(prefix="gopatch-") as folder:
            own = _Own(Path(folder), places)
            commits = own.commits(start, end)
            _check(commits, self._range, own)
            raw = own.patches(start, end)
            letters = mails.read(raw, f"{path.name} {self._range}")
            _check_letters(letters, commits, own)
            notes = [*letters.notes, *own.unsaved(path, _resolve(path, "HEAD", must=False))]
        given = f"{start}..{end}" if start else end
        return mails.series(f"git-{end[:12]}", letters, path), Provenance(
            form="git",
            origin=f"{path}, {self._range}",
            options=(f"--from-git={path}", f"--range={given}"),
            revision=end,
            sha256=mails.sha256(raw),
            raw=raw,
            notes=tuple(notes),
        )


def _ends(text: str) -> tuple[str, str]:
    """Both ends of a range, the first '' for one commit; an end that is left out is HEAD, as for git."""
    first, dots, last = text.partition("..")
    first, last = (first or "HEAD", last or "HEAD") if dots else ("", first)
    for ref in (first, last):
        if ref and not _REF.fullmatch(ref):
            raise UsageError(
                f"--range {plain(text)!r} is neither a commit nor a range A..B",
                meaning="A...B and the like have no single order" if "..." in text else "",
                hint="each end is a branch, a tag, HEAD or a commit, perhaps with ~N: origin/master..HEAD",
            )
    return first, last


def _places(path: Path) -> _Places:
    """See _Places. UsageError for what is no clone."""
    hint = "give the top folder of a clone, such as ~/go"
    if not path.is_dir():
        raise UsageError(f"--from-git {path} is no folder", hint=hint)
    names = ("objects", "shallow", "index")
    words = [word for name in names for word in ("--git-path", name)]
    result = _ask(path, "rev-parse", "--path-format=absolute", *words)
    lines = result.stdout.splitlines()
    if not result.ok or len(lines) != len(names) or not Path(lines[0]).is_dir():
        said = next((line for line in result.tail.splitlines() if line.startswith("fatal:")), "")
        raise UsageError(f"--from-git {path} is no git clone", meaning=plain(said, 200), hint=hint)
    return _Places(objects=Path(lines[0]), shallow=Path(lines[1]), index=Path(lines[2]))


def _ask(path: Path, *words: str) -> proc.Result:
    # Owned by whom it may: of its settings, none that runs anything is used.
    return git.quiet(["-c", "safe.directory=*", *words], cwd=path, extra=_CLOSED)


def _resolve(path: Path, ref: str, *, must: bool = True) -> str:
    result = _ask(path, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    commit = result.stdout.strip()
    if result.ok and _COMMIT.fullmatch(commit):
        return commit
    if not must:
        return ""
    raise UsageError(
        f"{path} has no commit {ref!r}",
        meaning="a slip of the pen, or a branch that was never fetched there",
        hint=f"git -C {path} log --oneline -5 shows what HEAD is",
    )


class _Own:
    """A repository of our own that borrows the clone's objects. None of the clone's settings hold in it."""

    def __init__(self, folder: Path, places: _Places) -> None:
        self._folder, self._bare, self._index = folder, folder / "own.git", places.index
        self._git("init", "--bare", "--quiet", "--template=", str(self._bare))
        info = self._bare / "objects" / "info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "alternates").write_text(f"{places.objects.as_posix()}\n", encoding="utf-8")
        if places.shallow.is_file():  # where history was cut off, no parents are looked for
            lines = places.shallow.read_text(encoding="utf-8", errors="replace").split()
            kept = [line for line in lines if _COMMIT.fullmatch(line)]
            (self._bare / "shallow").write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def commits(self, start: str, end: str) -> list[tuple[str, ...]]:
        """Each commit of the range with its parents, oldest first."""
        words = [f"{start}..{end}"] if start else ["-1", end]
        text = self._read("rev-list", "--topo-order", "--reverse", "--parents", *words, "--")
        return [tuple(line.split()) for line in text.splitlines()]

    def patches(self, start: str, end: str) -> bytes:
        """The range as an mbox."""
        out = self._folder / "patches"
        words = [f"{start}..{end}"] if start else ["-1", end]
        self._read("format-patch", *_FORMAT, f"--output-directory={out}", *words, "--")
        return b"".join(path.read_bytes() for path in sorted(out.iterdir(), key=lambda one: int(one.name)))

    def subject(self, commit: str) -> str:
        """``0123456789ab (subject)``, as messages show a commit."""
        text = self._read("log", "-1", "--format=%s", "--no-show-signature", commit, "--")
        return f"{commit[:12]} ({plain(text, 60)})"

    def touched(self, commit: str) -> set[str]:
        """The paths that a commit changes."""
        text = self._read(
            "diff-tree", "-r", "--root", "--no-renames", "--no-commit-id", "--name-only", "-z", commit
        )
        return {name for name in text.split("\0") if name}

    def unsaved(self, tree: Path, head: str) -> list[str]:
        """A sentence when the clone's work tree or index holds what no commit does."""
        if not (head and self._index.is_file() and (tree / ".git").exists()):
            return []
        # A copy of the index, and none of the filters that the clone's settings name.
        shutil.copyfile(self._index, self._bare / "index")
        work = ["-c", "core.bare=false", f"--work-tree={tree}"]
        self._git(*work, "update-index", "-q", "--refresh", "--ignore-submodules", cwd=tree)
        quiet = ("--quiet", "--ignore-submodules=all", "--no-ext-diff")
        results = [
            self._git(*work, "diff-files", *quiet, cwd=tree),
            self._git(*work, "diff-index", "--cached", *quiet, head, "--", cwd=tree),
        ]
        if not any(result.returncode == 1 for result in results):
            return []
        return [f"{tree} holds changes that are in no commit: they are left out"]

    def _read(self, *words: str) -> str:
        result = self._git(*words)
        if not result.ok:
            lines = [line for line in result.tail.splitlines() if line.startswith(("fatal:", "error:"))]
            raise HostError(
                f"git could not read the clone: {plain(lines[-1], 200) if lines else result.returncode}",
                meaning="objects are missing or damaged; of a partial clone, nothing is fetched",
                hint="git fsck in the clone says what is wrong with it",
            )
        return result.stdout

    def _git(self, *words: str, cwd: Path | None = None) -> proc.Result:
        own = {"GIT_DIR": str(self._bare), "GIT_ATTR_NOSYSTEM": "1", "GIT_PAGER": "cat", **_CLOSED}
        return git.quiet(["--no-pager", *words], cwd=cwd or self._folder, extra=own)


def _check(commits: Sequence[tuple[str, ...]], given: str, own: _Own) -> None:
    """Refuse a range that is no series of patches."""
    if not commits:
        raise NothingToDoError(
            f"--range {given} holds no commit",
            meaning="the second end is reached from the first: the ends are the wrong way round, perhaps",
            hint="git log A..B shows what a range holds",
        )
    if len(commits) > mails.MAX_PATCHES:
        raise UsageError(
            f"--range {given} holds {len(commits)} commits; {mails.MAX_PATCHES} is the most of a series",
            meaning="the first end is not where the work began, perhaps",
        )
    if merges := [commit for commit, *parents in commits if len(parents) > 1]:
        more = f" and {len(merges) - 3} more" if len(merges) > 3 else ""
        raise UsageError(
            f"--range {given} holds merges: {', '.join(own.subject(one) for one in merges[:3])}{more}",
            meaning="a merge is no patch: what it resolved would be lost",
            hint="rebase the work on its base, so that it is a line of commits",
        )


def _check_letters(letters: Letters, commits: Sequence[tuple[str, ...]], own: _Own) -> None:
    """Each commit gave one patch, and changes what the patch changes: a message may hold what git takes for a
    diff when it reads the mail."""
    wanted = {commit[0] for commit in commits}
    for patch, commit in zip(letters.patches, letters.commits, strict=True):
        if commit not in wanted or set(patch.files) - own.touched(commit):
            raise UsageError(
                f"the message of {own.subject(commit or commits[-1][0])} holds what git takes for a patch",
                hint="indent the lines of a diff in a commit message",
            )
    if len(letters.patches) != len(commits):
        raise UsageError(f"{len(commits)} commits gave {len(letters.patches)} patches: one holds no change")
