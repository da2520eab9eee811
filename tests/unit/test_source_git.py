"""Go from git, against real repositories: which refs are taken, what is written, and how it fails."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import proc, tree
from pipeline.errors import HostError, UsageError
from pipeline.golang import read_version
from pipeline.source import base, gitrepo
from pipeline.source.gitrepo import GitTree
from pipeline.source.settings import Settings
from pipeline.store import Store
from pipeline.values import GoTree
from tests.unit import goserver as go

pytestmark = pytest.mark.usefixtures("processes")

Fetch = Callable[[str], GoTree]
NEW = 'version := fmt.Sprintf("go1.%s-devel_", m[1])\n'
FILES = {
    "src/runtime/proc.go": "package runtime\r\n",
    "src/internal/goversion/goversion.go": "package goversion\n\nconst Version = 28\n",
    "src/cmd/dist/build.go": NEW,
    "src/make.bash": "#!/bin/sh\n",
    ".gitattributes": "*.go eol=crlf ident\nsrc/make.bash export-ignore\nnote export-subst\n",
    "note": "$Format:%H$ $Id$\n",
}


class Repository:
    """A repository of Go's shape."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "--quiet", "--initial-branch=master")
        self.commit(FILES)

    def git(self, *words: str) -> str:
        env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_DATE": "2026-11-20T23:30:00-0800",
            "GIT_COMMITTER_DATE": "2026-11-20T23:30:00-0800",
        }
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        done = subprocess.run(
            ["git", *who, *words], cwd=self.path, env=env, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, str]) -> str:
        for name, text in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        (self.path / "src/make.bash").chmod(0o755)
        self.git("-c", "core.attributesFile=/dev/null", "add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=x")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "a clöne")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "cache")
    made.prepare()
    return made


@pytest.fixture
def shell(tmp_path: Path) -> proc.Shell:
    return proc.Shell(logs=tmp_path / "logs", observe=lambda *_: None)


@pytest.fixture
def fetch(repository: Repository, store: Store, shell: proc.Shell) -> Fetch:
    def one(ref: str) -> GoTree:
        return GitTree(ref, Settings(git=str(repository.path))).fetch(store, shell)[0]

    return one


def releases(store: Store) -> list[Path]:
    return list((store.area / "releases").glob("*"))


def test_tip(repository: Repository, store: Store, shell: proc.Shell) -> None:
    source = GitTree("tip", Settings(git=str(repository.path)))
    found, reused = source.fetch(store, shell)
    commit = repository.git("rev-parse", "HEAD")
    assert not reused
    assert not found.built
    assert found.origin == f"tip (commit {commit}, refs/heads/master, from {repository.path})"
    assert "no release" in found.proof
    version = f"1.28-devel_{commit[:10]} 2026-11-21"
    assert found.version == version == read_version(found.root)
    assert (found.root / "VERSION").read_text() == f"go{version}\ntime 2026-11-21T07:30:00Z\n"
    assert sorted(found.manifest) == sorted([*FILES, "VERSION"])
    assert found.manifest == tree.scan(found.root)
    for name, text in FILES.items():  # as committed, whatever .gitattributes say
        assert (found.root / name).read_bytes() == repository_bytes(repository, name), name
        assert text
    assert found.manifest["src/make.bash"].endswith(" x")
    again, reused = source.fetch(store, shell)
    assert reused
    assert again == found


def repository_bytes(repository: Repository, name: str) -> bytes:
    done = subprocess.run(
        ["git", "cat-file", "blob", f"HEAD:{name}"], cwd=repository.path, check=True, capture_output=True
    )
    return done.stdout


def test_branch_tag_commit_and_full_name(repository: Repository, fetch: Fetch, store: Store) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.git("tag", "--annotate", "--message=x", "weekly", first)
    second = repository.commit({"src/runtime/proc.go": "package runtime // 2\n"})
    repository.git("branch", "release-branch.go1.27", first)
    repository.git("update-ref", "refs/changes/45/12345/2", second)
    repository.commit({"src/runtime/proc.go": "package runtime // 3\n"})
    assert f"commit {first}, refs/tags/weekly" in fetch("weekly").origin
    assert f"commit {first}, refs/heads/release" in fetch("release-branch.go1.27").origin
    assert f"commit {second}, from" in fetch("refs/changes/45/12345/2").origin
    assert (fetch(second).root / "src/runtime/proc.go").read_text() == "package runtime // 2\n"
    assert fetch(second).origin.startswith(f"{second} (commit {second}, from ")
    assert len(releases(store)) == 2


def test_a_commit_is_not_fetched_twice(repository: Repository, fetch: Fetch) -> None:
    commit = repository.git("rev-parse", "HEAD")
    found = fetch(commit)
    for name in ("objects", "refs"):
        (repository.path / ".git" / name).rename(repository.path / ".git" / f"{name}-gone")
    assert fetch(commit) == found


def test_a_branch_that_moved(repository: Repository, fetch: Fetch, store: Store) -> None:
    before = fetch("tip")
    repository.commit({"src/runtime/proc.go": "package runtime // moved\n"})
    repository.git("commit", "--quiet", "--amend", "--message=rewritten")
    after = fetch("tip")
    assert after.digest != before.digest
    assert (after.root / "src/runtime/proc.go").read_text() == "package runtime // moved\n"
    assert (before.root / "src/runtime/proc.go").read_text() == "package runtime\n"
    assert len(releases(store)) == 2


@pytest.mark.parametrize("ref", ["nonsense", "go1.99", "refs/heads/none", "0" * 39 + "1", "HEADER"])
def test_a_ref_that_is_not_there(fetch: Fetch, store: Store, ref: str) -> None:
    with pytest.raises(UsageError, match=f"has no (branch or tag|commit) {ref}") as caught:
        fetch(ref)
    assert "ls-remote" in caught.value.hint
    assert releases(store) == []


HOSTILE = [
    "",
    "-x",
    "--upload-pack=touch owned",
    "--output=owned",
    "a..b",
    "a...b",
    "../x",
    "a/../b",
    "a//b",
    "/a",
    "a/",
    "a.",
    "a.lock",
    "a.lock/b",
    ".a",
    "a/.b",
    "a b",
    "a\nb",
    "a\x00b",
    "a\x7fb",
    "a:b",
    "+a",
    "a^{commit}",
    "a~1",
    "HEAD@{1}",
    "@",
    "a*",
    "a?",
    "a[b",
    "a\\b",
    "ä",
    "x" * 500,
    "a\n",
]


@pytest.mark.parametrize("ref", HOSTILE)
def test_a_ref_that_git_may_not_see(fetch: Fetch, store: Store, tmp_path: Path, ref: str) -> None:
    with pytest.raises(UsageError, match="is no name of a branch, a tag or a commit"):
        fetch(ref)
    with pytest.raises(UsageError, match="is no name of"):
        base.choose(f"git:{ref}").check()
    assert not (store.area / "git").exists()
    assert not (tmp_path / "logs").exists()


def test_a_tag_of_no_commit(repository: Repository, fetch: Fetch, store: Store) -> None:
    repository.git("tag", "blob", repository.git("rev-parse", "HEAD:note"))
    with pytest.raises(UsageError, match=r"blob in .* is no commit"):
        fetch("blob")
    assert releases(store) == []


def test_what_is_no_go_tree(repository: Repository, fetch: Fetch, store: Store) -> None:
    repository.git("rm", "--quiet", "-r", "src/internal")
    repository.commit({})
    with pytest.raises(UsageError, match="is no Go tree"):
        fetch("tip")
    repository.commit({"src/internal/goversion/goversion.go": "package goversion\n"})
    with pytest.raises(HostError, match="does not say which Go"):
        fetch("tip")
    assert releases(store) == []


def test_a_link_in_a_commit(repository: Repository, fetch: Fetch, store: Store) -> None:
    (repository.path / "src/link.go").symlink_to("/etc/passwd")
    repository.commit({})
    with pytest.raises(HostError, match=r"commit [0-9a-f]{12} holds a symbolic link: 'go/src/link.go'"):
        fetch("tip")
    assert releases(store) == []


@pytest.mark.parametrize(
    ("minor", "dist", "expected"),
    [
        (28, NEW, "go1.28-devel_{} 2026-11-21\ntime 2026-11-21T07:30:00Z\n"),
        (24, "devel go1.%s-", "devel go1.24-{} 2026-11-21\ntime 2026-11-21T07:30:00Z\n"),
        (19, "devel go1.%s-", "devel go1.19-{} 2026-11-21\n"),
    ],
)
def test_the_version_is_as_the_trees_own_dist_writes_it(
    repository: Repository, fetch: Fetch, minor: int, dist: str, expected: str
) -> None:
    commit = repository.commit(
        {"src/internal/goversion/goversion.go": f"const Version = {minor}\n", "src/cmd/dist/build.go": dist}
    )
    found = fetch("tip")
    assert (found.root / "VERSION").read_text() == expected.format(commit[:10])
    assert found.version == expected.format(commit[:10]).split("\n")[0].removeprefix("go")


def test_a_version_that_is_committed_stays(repository: Repository, fetch: Fetch) -> None:
    repository.commit({"VERSION": "go1.27.3\ntime 2026-10-19T22:20:36Z\n"})
    repository.git("tag", "go1.27.3")
    found = fetch("go1.27.3")
    assert found.version == "1.27.3"
    assert not found.built


def test_what_a_killed_fetch_leaves_stops_nothing(repository: Repository, fetch: Fetch, store: Store) -> None:
    fetch("tip")
    (bare,) = (store.area / "git").glob("*.git")
    for stale in ("shallow.lock", "refs/gopatch/fetched.lock", "config.lock"):
        (bare / stale).write_text("")
    repository.commit({"note": "2\n"})
    fetch("tip")
    (bare / "HEAD").unlink()
    repository.commit({"note": "3\n"})
    fetch("tip")


def test_the_users_git_set_up_reaches_nothing(
    repository: Repository, fetch: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "gitconfig"
    config.write_text('[url "https://evil.invalid/"]\n\tinsteadOf = /\n[core]\n\tautocrlf = true\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "protocol.allow")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "never")
    assert not fetch("tip").built


def test_what_is_no_repository(store: Store, shell: proc.Shell, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no folder"):
        GitTree("tip", Settings(git=str(tmp_path / "none"))).fetch(store, shell)
    (tmp_path / "empty").mkdir()
    with pytest.raises(HostError, match="is no git repository") as caught:
        GitTree("tip", Settings(git=str(tmp_path / "empty"))).fetch(store, shell)
    assert "git-fetch.log" in caught.value.hint
    assert releases(store) == []


def test_over_http(store: Store, shell: proc.Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    server = go.GoServer()
    at = f"{server.url}/go"
    path = "/go/info/refs"
    try:
        for behaviour, what in (
            (go.status(404), "is no git repository"),
            (go.page, "is no git repository"),
            (go.status(401, WWW_Authenticate="Basic realm=x"), "wants credentials"),
            (go.status(429, Retry_After=3600), r"asks to come again later \(429\)"),
            (go.status(503), "cannot be reached by git .error: 503"),
            (go.status(302, Location="https://127.0.0.1:1/go/info/refs"), "127.0.0.1|git"),
        ):
            server.scripts[path] = [behaviour] * 2
            with pytest.raises(HostError, match=what):
                GitTree("tip", Settings(git=at)).fetch(store, shell)
    finally:
        server.stop()
    with pytest.raises(HostError, match=r"cannot be reached by git .connect to"):
        GitTree("tip", Settings(git=at)).fetch(store, shell)
    assert releases(store) == []


def test_a_fetch_has_a_time_limit(store: Store, shell: proc.Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    server = go.GoServer()
    server.files["/go/info/refs"] = b"x" * 100
    server.scripts["/go/info/refs"] = [go.stall(0)]
    monkeypatch.setattr(gitrepo, "FETCH_TIMEOUT", 2.0)
    try:
        with pytest.raises(HostError, match="sent nothing whole within"):
            GitTree("tip", Settings(git=f"{server.url}/go")).fetch(store, shell)
    finally:
        server.stop()
    assert releases(store) == []
