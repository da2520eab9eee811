"""Commits of a clone: the right ones, and nothing that a hostile clone names is run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline import proc
from pipeline.errors import HostError, NothingToDoError, PatchError, UsageError
from pipeline.inputs.clone import Clone
from pipeline.inputs.folder import Folder
from pipeline.inputs.stream import PatchFile, Stdin
from pipeline.patch import apply, lint
from pipeline.values import Provenance, Series
from tests.unit.contributor import FILE, Repository

pytestmark = pytest.mark.usefixtures("processes")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "a clöne")
    made.edit(3, "line three", "runtime: a\n\nThe body.\n\nFixes #1\n")
    made.edit(20, "line twenty", "runtime: b\n")
    return made


def read(repository: Repository, commits: str) -> tuple[Series, Provenance]:
    return Clone(repository.path, commits).read("1.27.3")


@pytest.mark.parametrize("commits", ["HEAD~2..HEAD", "master~2..master", "master~2..", "{first}..{last}"])
def test_a_range(repository: Repository, commits: str) -> None:
    first, last = (repository.git("rev-parse", name) for name in ("HEAD~2", "HEAD"))
    series, origin = read(repository, commits.format(first=first, last=last))
    assert series.name == f"git-{last[:12]}"
    assert [patch.subject for patch in series.patches] == ["runtime: a", "runtime: b"]
    assert series.subject == "runtime: a"
    assert series.patches[0].message == "The body.\n\nFixes #1"
    assert [patch.name for patch in series.patches] == ["0001-runtime-a.patch", "0002-runtime-b.patch"]
    assert series.patches[0].files == (FILE,)
    assert (series.base, series.tests, series.benchmarks, series.packages) == ("", {}, {}, ())
    assert origin.revision == last
    assert origin.options == (f"--from-git={repository.path}", f"--range={first}..{last}")
    assert origin.notes == ()


def test_the_options_bring_the_same_again(repository: Repository) -> None:
    series, origin = read(repository, "HEAD~2..")
    repository.edit(30, "later", "runtime: later\n")
    repository.git("config", "diff.context", "9")
    repository.git("config", "format.subjectPrefix", "X")
    again, _ = read(repository, origin.options[1].removeprefix("--range="))
    assert again == series


def test_one_commit(repository: Repository) -> None:
    series, origin = read(repository, "HEAD~1")
    assert [patch.subject for patch in series.patches] == ["runtime: a"]
    assert origin.options[1] == f"--range={repository.git('rev-parse', 'HEAD~1')}"


def test_it_applies_as_the_commits_do(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"src/net/new.go": "package net\n"}, "net: new\n")
    repository.git("mv", FILE, "src/runtime/moved.go")
    repository.commit({}, "runtime: move\n")
    series, _ = read(repository, "HEAD~4..")
    repository.git("checkout", "--quiet", "-b", "again", "HEAD~4")
    for patch in series.patches:
        repository.raw("apply", "--index", "-", stdin=patch.content)
        assert not [one for one in patch.findings if one.severity == "error"]
    assert repository.git("write-tree") == repository.git("rev-parse", "master^{tree}")


def test_an_empty_range(repository: Repository) -> None:
    for commits in ("HEAD..HEAD", "HEAD..HEAD~1"):
        with pytest.raises(NothingToDoError, match="holds no commit"):
            read(repository, commits)


def test_merges_are_named(repository: Repository) -> None:
    repository.git("checkout", "--quiet", "-b", "side", "HEAD~1")
    repository.edit(35, "side", "runtime: side\n")
    repository.git("checkout", "--quiet", "master")
    repository.git("merge", "--quiet", "--no-ff", "-m", "Merge side \x1b[31m", "side")
    merge = repository.git("rev-parse", "HEAD")
    with pytest.raises(UsageError, match="holds merges") as caught:
        read(repository, "HEAD~2..")
    assert f"{merge[:12]} (Merge side ?[31m)" in caught.value.what
    with pytest.raises(UsageError, match="holds merges"):
        read(repository, "HEAD")


@pytest.mark.parametrize(
    "commits",
    [
        "--output=/tmp/x",
        "-1",
        "HEAD..--output=x",
        "A...B",
        "HEAD:src",
        "HEAD^{/x}",
        "@{u}",
        ":/x",
        "a b",
        "*",
        "a..b..c",
        "x\ny",
        "../x",
        "a.lock",
        "x" * 300,
    ],
)
def test_what_is_no_range_never_reaches_git(
    repository: Repository, commits: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.git.quiet", lambda *_, **__: pytest.fail("git was asked"))
    with pytest.raises(UsageError, match="is neither a commit nor a range"):
        read(repository, commits)


def test_what_is_not_there(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no commit 'topic'"):
        read(repository, "topic")
    blob = repository.git("rev-parse", f"HEAD:{FILE}")
    with pytest.raises(UsageError, match="has no commit"):
        read(repository, blob)
    with pytest.raises(UsageError, match="is no folder"):
        Clone(tmp_path / "none", "HEAD").read("")
    (tmp_path / "plain").mkdir()
    with pytest.raises(UsageError, match="is no git clone"):
        Clone(tmp_path / "plain", "HEAD").read("")
    with pytest.raises(UsageError, match="is no git clone"):  # not the clone around it
        Clone(repository.path / "src", "HEAD").read("")


def test_bare_linked_and_shallow_clones(repository: Repository, tmp_path: Path) -> None:
    expected, _ = read(repository, "HEAD~1..")
    repository.git("clone", "--quiet", "--bare", str(repository.path), str(tmp_path / "bare.git"))
    repository.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
    repository.git("clone", "--quiet", "--depth=2", f"file://{repository.path}", str(tmp_path / "shallow"))
    repository.git("clone", "--quiet", "--shared", str(repository.path), str(tmp_path / "shared"))
    for name in ("bare.git", "linked", "shallow", "shared"):
        found, origin = Clone(tmp_path / name, "HEAD~1..").read("")
        assert found.patches == expected.patches, name
        assert origin.notes == (), name
    with pytest.raises(UsageError, match="has no commit 'HEAD~2'"):
        Clone(tmp_path / "shallow", "HEAD~2..").read("")


def test_what_is_not_committed_is_said(repository: Repository) -> None:
    def notes() -> tuple[str, ...]:
        return read(repository, "HEAD")[1].notes

    path = repository.path / FILE
    text = path.read_text()
    os.utime(path, (1, 1))  # touched, and the same
    assert notes() == ()
    path.write_text(text + "more\n")
    assert notes() == (f"{repository.path} holds changes that are in no commit: they are left out",)
    repository.git("add", "--all")
    index = (repository.path / ".git/index").read_bytes()
    assert len(notes()) == 1
    assert (repository.path / ".git/index").read_bytes() == index
    repository.git("commit", "--quiet", "-m", "x")
    (repository.path / "untracked").write_text("x")
    assert notes() == ()


def test_a_message_that_holds_a_diff(repository: Repository) -> None:
    other = "src/net/x.go"
    inline = f"diff --git a/{other} b/{other}\n--- a/{other}\n+++ b/{other}\n@@ -1 +1 @@\n-a\n+b\n"
    repository.edit(30, "x", f"runtime: c\n\nAs in\n\n{inline}")
    with pytest.raises(UsageError, match=r"\(runtime: c\) holds what git takes for a patch"):
        read(repository, "HEAD")


def test_from_lines_in_a_message_make_no_mail(repository: Repository) -> None:
    commit = repository.git("rev-parse", "HEAD")
    body = f"From {commit} Mon Sep 17 00:00:00 2001\nFrom: x <x@y>\nSubject: other\n"
    repository.edit(30, "x", f"runtime: c\n\n{body}")
    series, _ = read(repository, "HEAD")
    assert [patch.subject for patch in series.patches] == ["runtime: c"]
    assert series.patches[0].message == body.strip()


def test_what_lint_refuses(repository: Repository) -> None:
    repository.commit({"README": "x\n"}, "all: readme\n")
    with pytest.raises(PatchError, match=r"a path outside Go's source .*: README"):
        lint.refuse(lint.of(read(repository, "HEAD")[0].patches))
    repository.commit({"src/x.bin": "\0\1\2"}, "all: binary\n")
    with pytest.raises(PatchError, match="a binary file"):
        lint.refuse(lint.of(read(repository, "HEAD")[0].patches))


def trap(tmp_path: Path) -> tuple[Path, Path]:
    """A program, and the file that it leaves when anything runs it."""
    program, trace = tmp_path / "trap", tmp_path / "it ran"
    program.write_text(f"#!/bin/sh\necho \"$0 $@\" >> '{trace}'\nexit 1\n")
    program.chmod(0o755)
    return program, trace


def hostile(repository: Repository, program: Path) -> None:
    """Every place in which a repository can name a program that reading it might run."""
    settings = {
        "diff.external": "",
        "diff.evil.command": "",
        "diff.evil.textconv": "",
        "filter.evil.clean": "",
        "filter.evil.smudge": "",
        "filter.evil.process": "",
        "core.fsmonitor": "",
        "core.pager": "",
        "pager.log": "",
        "pager.format-patch": "",
        "core.editor": "",
        "core.sshCommand": "",
        "core.alternateRefsCommand": "",
        "gpg.program": "",
        "trailer.x.command": "",
        "format.signatureFile": "",
    }
    for name in settings:
        repository.git("config", name, str(program))
    for name, value in {
        "core.hooksPath": str(program.parent / "hooks"),
        "log.showSignature": "true",
        "core.attributesFile": str(program.parent / "attributes"),
        "filter.evil.required": "true",
        "protocol.allow": "always",
        "protocol.ext.allow": "always",
    }.items():
        repository.git("config", name, value)
    hooks = program.parent / "hooks"
    hooks.mkdir()
    for name in ("pre-commit", "post-checkout", "post-index-change", "fsmonitor-watchman", "query-watchman"):
        (hooks / name).write_bytes(program.read_bytes())
        (hooks / name).chmod(0o755)
    attributes = "* diff=evil filter=evil\n"
    (program.parent / "attributes").write_text(attributes)
    (repository.path / ".git/info/attributes").write_text(attributes)
    (repository.path / ".gitattributes").write_text(attributes)


def test_a_hostile_clone_runs_nothing(repository: Repository, tmp_path: Path) -> None:
    expected, _ = read(repository, "HEAD~2..")
    program, trace = trap(tmp_path)
    hostile(repository, program)
    path = repository.path / FILE
    path.write_text(path.read_text())
    os.utime(path, (1, 1))
    found, _ = read(repository, "HEAD~2..")
    assert found.patches == expected.patches
    assert not trace.exists(), trace.read_text()
    # The trap works: plain git falls into it.
    repository.run("-c", "core.quotePath=true", "diff", "HEAD~1")
    assert trace.exists()


def test_a_partial_clone_fetches_nothing(repository: Repository, tmp_path: Path) -> None:
    program, trace = trap(tmp_path)
    blob = repository.git("rev-parse", f"HEAD:{FILE}")
    (repository.path / ".git/objects" / blob[:2] / blob[2:]).unlink()
    for name, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": f"ext::{program} x",
        "remote.origin.promisor": "true",
        "protocol.ext.allow": "always",
    }.items():
        repository.git("config", name, value)
    with pytest.raises(HostError, match="git could not read the clone") as caught:
        read(repository, "HEAD")
    assert "nothing is fetched" in caught.value.meaning
    missing = "0" * 39 + "1"
    with pytest.raises(UsageError, match="has no commit"):
        read(repository, missing)
    assert not trace.exists(), trace.read_text()
    repository.run("cat-file", "-e", missing)
    assert trace.exists()


def test_every_form_keeps_carriage_returns(repository: Repository, tmp_path: Path) -> None:
    repository.git("config", "core.autocrlf", "false")
    repository.commit({"src/errors/dos.go": "package errors\r\n\r\n// a\r\n"}, "errors: new\n")
    repository.commit({"src/errors/dos.go": "package errors\r\n\r\n// b\r\n"}, "errors: other\n")
    folder = tmp_path / "crlf"
    folder.mkdir()
    (folder / "1.patch").write_bytes(repository.raw("format-patch", "--stdout", "-1"))
    (folder / "2.diff").write_bytes(repository.raw("diff", "HEAD~1", "HEAD"))
    (folder / "series.yml").write_text('{series: crlf, subject: x, base: ">=1.27", patches: [1.patch]}')
    forms = [
        read(repository, "HEAD~1..HEAD")[0],
        read(repository, "HEAD")[0],
        PatchFile(folder / "1.patch").read("1.27.3")[0],
        PatchFile(folder / "2.diff").read("1.27.3")[0],
        Stdin((folder / "1.patch").read_bytes()).read("1.27.3")[0],
        Folder(str(folder), tmp_path).read("1.27.3")[0],
    ]
    tree = tmp_path / "tree" / "src" / "errors"
    tree.mkdir(parents=True)
    (tree / "dos.go").write_bytes(b"package errors\r\n\r\n// a\r\n")
    shell = proc.Shell(logs=tmp_path / "logs", observe=lambda *_: None)
    for series in forms:
        outcome = apply.apply_series(shell, tmp_path / "tree", series.patches).require()
        assert [one.rung for one in outcome.applied] == ["exact"]
        assert outcome.files == {"src/errors/dos.go": b"package errors\r\n\r\n// b\r\n"}
