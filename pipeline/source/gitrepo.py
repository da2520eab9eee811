"""A Go tree from git: a branch, a tag or a commit of go.googlesource.com/go, of a mirror, or of a clone.

One ref is fetched, without its history, into a bare repository in the store. The tree is written from the
commit's own bytes, with no filter or attribute of anybody's applied. Commits are read by git itself and not
by GitPython: that takes GIT_* variables of the user's environment, which must not reach it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline import git, proc, tree
from pipeline.errors import HostError, PipelineError, UsageError
from pipeline.source.extract import extract
from pipeline.source.settings import Settings
from pipeline.store import Store, remove_tree
from pipeline.values import GoTree
from pipeline.web.address import is_local, shown

TIP = "tip"
FETCH_TIMEOUT = 1800.0
_GOVERSION = "src/internal/goversion/goversion.go"
_MAIN = ("refs/heads/master", "HEAD")
_COMMIT = re.compile(r"[0-9a-f]{40}")
# Stricter than git: nothing that could be an option, a range, a reflog, a glob or a refspec.
_REF = re.compile(r"(?!.*(\.\.|//|/\.|\.lock(/|$)|[./]$))[A-Za-z0-9][A-Za-z0-9._/+-]{0,199}")
_FETCHED = "refs/gopatch/fetched"
_FETCH_OPTIONS = ("--depth=1", "--no-tags", "--no-recurse-submodules", "--quiet")
# Whatever the tree's own .gitattributes say, git archive must write each file as it was committed.
_ATTRIBUTES = "* -export-ignore -export-subst -text -eol -ident -filter -working-tree-encoding\n"
# A stalled server ends the fetch after a minute; nothing goes on in the background.
_CONFIG = (
    *("-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60"),
    *("-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "fetch.fsckObjects=true"),
)
_NETWORK = re.compile(r"(https?|all|no)_proxy|ssl_cert_(file|dir)", re.IGNORECASE)
_CERTIFICATES = ("GIT_SSL_CAINFO", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
_NO_REF = re.compile(r"couldn't find remote ref|not our ref|unadvertised object|no such remote ref")
_NO_REPOSITORY = re.compile(
    r"does not appear to be a git repository|not found|error: 40[04]|a git repository\?"
)
_FORBIDDEN = re.compile(r"could not read Username|Authentication failed|terminal prompts|error: 40[13]")
_UNREACHABLE = re.compile(
    r"resolve (host|proxy)|connect to|timed out|too slow|early EOF|RPC failed|reset by peer|hung up"
    r"|error: 5\d\d|SSL|certificate|unable to access",
    re.IGNORECASE,
)


class GitTree:
    """The tree at ``ref``: ``tip``, a branch, a tag, a full ref name, or a commit's 40 digits."""

    def __init__(self, ref: str, settings: Settings) -> None:
        self.ref, self.url = ref, settings.git

    def check(self) -> None:
        """See ``Source.check``: UsageError for a ref that git may not see."""
        if not _REF.fullmatch(self.ref):
            raise UsageError(
                f"{self.ref[:100]!r} is no name of a branch, a tag or a commit",
                hint="give tip, git:release-branch.go1.27, git:go1.27.3, or a commit's 40 digits",
            )
        if is_local(self.url) and not Path(self.url).is_dir():
            raise UsageError(
                f"{self.url} is no folder",
                meaning="it is `sources: {git: {url: …}}` of matrix.yml",
                hint="give the path of a clone of Go, or an https:// URL",
            )

    def find(self, store: Store) -> Path | None:
        """See ``Source.find``: what a ref means now, only the server knows."""
        return None

    def fetch(self, store: Store, shell: proc.Shell) -> tuple[GoTree, bool]:
        """The tree, whose tools nobody has built. UsageError for a ref that is not there, HostError when the
        repository cannot be read."""
        self.check()
        key = hashlib.sha256(self.url.encode()).hexdigest()[:16]
        bare = _Bare(store.shared("git") / f"{key}.git", self.url, shell)
        used = self.ref
        with store.lock(f"git-{key}", shown(self.url)):
            if _COMMIT.fullmatch(self.ref):
                commit = self.ref  # it cannot have moved: the store may have it already
            else:
                commit, used = bare.fetch(self.ref, _candidates(self.ref))
            entry = store.fill("releases", {"git": commit}, lambda folder: _build(bare, commit, folder))
        at = f"commit {commit}" + (f", {used}" if used not in {self.ref, commit} else "")
        return GoTree(
            root=entry.path / "tree",
            version=str(entry.meta["version"]),
            digest=str(entry.meta["digest"]),
            manifest=tree.load(entry.path / "manifest.json"),
            origin=f"{self.ref} ({at}, from {shown(self.url)})",
            proof="git's own hashes cover the commit; it is no release, and nobody vouches for it",
            built=False,
        ), entry.reused


def _candidates(ref: str) -> tuple[str, ...]:
    """The full names that ``ref`` may stand for, in the order in which they are asked for."""
    if ref == TIP:
        return _MAIN
    if ref.startswith("refs/") or ref == "HEAD":
        return (ref,)
    return (f"refs/heads/{ref}", f"refs/tags/{ref}")


class _Bare:
    """The bare repository that refs of one repository are fetched into. Used under a lock."""

    def __init__(self, path: Path, url: str, shell: proc.Shell) -> None:
        self._path, self._url, self._shell = path, url, shell

    def fetch(self, asked: str, refs: Sequence[str]) -> tuple[str, str]:
        """Fetch the first of ``refs`` that is there; its commit's id, and which it was."""
        self._prepare()
        for ref in refs:
            result = self._git("fetch", *_FETCH_OPTIONS, "--", self._url, f"+{ref}:{_FETCHED}")
            if result.ok:
                return self._commit(asked), ref
            if result.timed_out or not _NO_REF.search(result.tail):
                raise self._failure(result)
        commit = bool(_COMMIT.fullmatch(asked))
        raise UsageError(
            f"{shown(self._url)} has no {'commit' if commit else 'branch or tag'} {asked}",
            meaning="a commit that no branch leads to, perhaps" if commit else "a slip of the pen, perhaps",
            hint=f"git ls-remote --heads --tags {shown(self._url)} lists what is there",
        )

    def has(self, commit: str) -> bool:
        """Whether the commit is here already."""
        return (self._path / "HEAD").is_file() and self._git("cat-file", "-e", f"{commit}^{{commit}}").ok

    def time(self, commit: str) -> datetime:
        """The committer's date of a commit."""
        return datetime.fromtimestamp(
            int(self._read("show", "--no-patch", "--format=%ct", commit, "--")), UTC
        )

    def export(self, commit: str, file: Path) -> None:
        """Write the files of a commit, below ``go/``, to a tar file."""
        self._read("archive", "--format=tar", "--prefix=go/", f"--output={file}", commit)

    def _prepare(self) -> None:
        if not (self._path / "HEAD").is_file():
            if self._path.exists():
                remove_tree(self._path)
            self._read("init", "--bare", "--quiet", "--template=")
        # A fetch that was killed leaves them, and git then waits for nobody.
        for stale in (*self._path.rglob("*.lock"), *self._path.glob("objects/pack/tmp_*")):
            stale.unlink()
        info = self._path / "info"
        info.mkdir(exist_ok=True)
        (info / "attributes").write_text(_ATTRIBUTES, encoding="utf-8")

    def _commit(self, asked: str) -> str:
        result = self._git("rev-parse", "--verify", "--quiet", f"{_FETCHED}^{{commit}}")
        if not result.ok:
            raise UsageError(
                f"{asked} in {shown(self._url)} is no commit", hint="give a branch or a tag of Go"
            )
        return result.stdout.strip()

    def _read(self, *words: str) -> str:
        result = self._git(*words)
        if not result.ok:
            raise self._failure(result)
        return result.stdout.strip()

    def _git(self, *words: str) -> proc.Result:
        allowed = f"protocol.{'file' if is_local(self._url) else self._url.partition(':')[0]}.allow=always"
        own = {name: value for name, value in os.environ.items() if _NETWORK.fullmatch(name)}
        if certificates := next((os.environ[name] for name in _CERTIFICATES if name in os.environ), ""):
            own["GIT_SSL_CAINFO"] = certificates
        return git.run(
            self._shell,
            f"git-{words[0]}",
            [*_CONFIG, "-c", allowed, f"--git-dir={self._path}", *words],
            cwd=self._path.parent,
            extra=own,
            timeout=FETCH_TIMEOUT,
        )

    def _failure(self, result: proc.Result) -> PipelineError:
        where, log = shown(self._url), f"git's output is in {result.log}"
        if cause := result.host_cause():
            return HostError(f"what git fetches could not be stored: {cause}", hint="free some space")
        if result.timed_out:
            return HostError(f"{where} sent nothing whole within {FETCH_TIMEOUT / 60:g} minutes", hint=log)
        if _NO_REPOSITORY.search(result.tail):
            return HostError(
                f"{where} is no git repository",
                meaning="the address is wrong, or something else answers there",
                hint=f"check `sources:` in matrix.yml; {log}",
            )
        if _FORBIDDEN.search(result.tail):
            return HostError(f"{where} wants credentials", hint=f"check `sources:` in matrix.yml; {log}")
        if "error: 429" in result.tail:
            return HostError(
                f"{where} asks to come again later (429)",
                meaning="too much was asked of it",
                hint=f"run again in some minutes, or give --base a local Go tree; {log}",
            )
        if found := list(_UNREACHABLE.finditer(result.tail)):
            return HostError(
                f"{where} cannot be reached by git ({found[-1].group(0)})",
                meaning="no network, a proxy that git does not know, or the server is down",
                hint=f"run again, or give --base a local Go tree; {log}",
            )
        lines = [line for line in result.tail.splitlines() if line.startswith(("fatal:", "error:"))]
        said = lines[-1] if lines and "proxy" not in lines[-1].lower() else f"exit code {result.returncode}"
        return HostError(f"git could not read {where}: {said}", hint=log)


def _build(bare: _Bare, commit: str, folder: Path) -> Mapping[str, Any]:
    if not bare.has(commit):
        bare.fetch(commit, (commit,))
    packed = folder / "tree.tar"
    bare.export(commit, packed)
    root = folder / "tree"
    manifest = extract(packed, root, f"commit {commit[:12]}")
    packed.unlink()
    if "src/runtime/proc.go" not in manifest or _GOVERSION not in manifest:
        raise UsageError(f"commit {commit} is no Go tree: it has no src/runtime or no {_GOVERSION}")
    if "VERSION" not in manifest:
        (root / "VERSION").write_bytes(_version(root, commit, bare.time(commit)).encode())
        manifest["VERSION"] = tree.entry(root / "VERSION")
    version = (root / "VERSION").read_text(encoding="utf-8").split("\n", 1)[0].removeprefix("go")
    tree.save(manifest, folder / "manifest.json")
    return {"version": version, "digest": tree.digest(manifest), "files": len(manifest)}


def _version(root: Path, commit: str, when: datetime) -> str:
    """A VERSION file as cmd/dist of this tree would name it; without one, and without .git, it refuses."""
    found = re.search(r"(?m)^const Version = (\d+)", (root / _GOVERSION).read_text(encoding="utf-8"))
    if not found:
        raise HostError(f"{_GOVERSION} of commit {commit} does not say which Go it is")
    minor = int(found.group(1))
    # The form of go.dev/issue/73372; an older cmd/dist takes what does not begin with devel for a release.
    newer = "-devel_" in (root / "src/cmd/dist/build.go").read_text(encoding="utf-8")
    name = f"go1.{minor}-devel_{commit[:10]}" if newer else f"devel go1.{minor}-{commit[:10]}"
    # A time line is known from 1.21 on.
    return f"{name} {when:%Y-%m-%d}\n" + (f"time {when:%Y-%m-%dT%H:%M:%SZ}\n" if minor >= 21 else "")
