"""A map from the command to its folder, on small trees: what ends one base, and what ends all."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline import proc, tree
from pipeline.commands import patch_map
from pipeline.commands.patch_map import Options
from pipeline.errors import ExitCode, HostError, PatchError, UsageError
from pipeline.flow import baseline, compiling, reaching
from pipeline.flow.context import Context
from pipeline.inputs import stream
from pipeline.ledger import Ledger
from pipeline.plan.plan import Request
from pipeline.records import CommandRan, GateResult, SeriesReach
from pipeline.source import base as source_room
from pipeline.source import offered
from pipeline.store import Store
from pipeline.values import GoTree

ROOT = Path(__file__).resolve().parents[2]
OLD = "package runtime\n\na\nb\nc\none\nd\ne\nf\ng\n"
NEW = OLD.replace("one", "eins")
HEAD = "Subject: [PATCH] runtime: count in German\n\n---\n"
BODY = "@@ -3,7 +3,7 @@\n a\n b\n c\n-one\n+eins\n d\n e\n f\n"
FILE = "diff --git a/src/runtime/x.go b/src/runtime/x.go\n--- a/src/runtime/x.go\n+++ b/src/runtime/x.go\n"
PATCH = HEAD + FILE + BODY
OTHER = HEAD + FILE + "@@ -1 +1 @@\n-other\n+anders\n"
CONTENT = {"1.27.3": OLD, "1.27.2": f"// moved\n{OLD}", "1.26.6": "other\n", "1.20.14": OLD, "1.27.9": NEW}

pytestmark = pytest.mark.usefixtures("processes")
Run = Callable[..., tuple[ExitCode, dict[str, Any]]]


class Fake:
    """A source of small trees; one that it does not know cannot be fetched."""

    def __init__(self, folder: Path, base: str, *, built: bool) -> None:
        self.folder, self.base, self.built = folder, base, built

    def check(self) -> None:
        pass

    def fetch(self, store: Store, shell: proc.Shell) -> tuple[GoTree, bool]:
        if self.base == "1.27.7":
            raise UsageError("Go 1.27.7 is not among the releases")
        if self.base not in {*CONTENT, "tip"}:
            raise HostError(f"Go {self.base} could not be fetched")
        root = self.folder / self.base
        (root / "src/runtime").mkdir(parents=True, exist_ok=True)
        (root / "src/runtime/x.go").write_text(CONTENT.get(self.base, OLD))
        manifest = tree.scan(root)
        version = "1.28-devel_0123456789 2026-01-01" if self.base == "tip" else self.base
        return GoTree(
            root=root, version=version, digest=tree.digest(manifest), manifest=manifest, built=self.built
        ), True


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "patches/kqueue-retry-backoff").mkdir(parents=True)
    shutil.copy(ROOT / "matrix.yml", root)
    return root


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> dict[str, Exception]:
    """The compile gate passes on two platforms, but for the versions in here."""
    ends: dict[str, Exception] = {}

    def find(context: Context, builder: Any, patched: Any) -> Any:
        reached = {"linux/amd64": ["runtime"], "darwin/arm64": ["runtime"]}
        context.ledger.append(
            SeriesReach(
                reached=reached, tests_only=[], untouched=["js/wasm"], dependents=0, host="linux/amd64"
            )
        )
        return builder.base.version

    def run(context: Context, builder: Any, reached: Any) -> None:
        depth = context.plan.profile.compile
        failing = ends.get(reached)
        for signal in ("types", "build"):
            if {"types": depth.types, "build": depth.build}[signal] == "none":
                continue
            for platform in ("linux/amd64", "darwin/arm64"):
                context.ledger.append(
                    GateResult(
                        gate="compile",
                        cell="",
                        subject="runtime",
                        status="fail" if failing and platform != "linux/amd64" else "pass",
                        signal=signal,
                        platform=platform,
                        number=1,
                    )
                )
        if failing:
            raise failing

    monkeypatch.setattr(reaching, "find", find)
    monkeypatch.setattr(compiling, "run", run)
    return ends


@pytest.fixture
def run(
    project: Path,
    tmp_path: Path,
    gate: Mapping[str, Exception],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    real = source_room.choose
    state = {"built": True}

    def choose(base: str, *more: Any) -> Any:
        real(base, *more)  # what is no base at all is refused as ever
        return Fake(tmp_path / "trees", base, built=state["built"])

    monkeypatch.setattr(source_room, "choose", choose)

    def go(bases: str | None, built: bool = True, **more: Any) -> tuple[ExitCode, dict[str, Any]]:
        state["built"] = built
        out = tmp_path / f"out{len(list(tmp_path.glob('out*')))}"
        asked = {key: more.pop(key) for key in ("series", "allowed") if key in more}
        request = Request(root=project, **asked)
        code = patch_map.main(Options(request=request, bases=bases, out=str(out), **more))
        path = out / "map.json"
        return code, json.loads(path.read_text()) if path.exists() else {}

    return go


def series(root: Path, base: str = ">=1.27, <1.28", patch: str = PATCH, more: str = "") -> str:
    folder = root / "patches/s"
    folder.mkdir(exist_ok=True)
    (folder / "0001-x.patch").write_text(patch)
    (folder / "series.yml").write_text(
        f'series: s\nsubject: "runtime: x"\nbase: "{base}"\npatches: [0001-x.patch]\n{more}'
    )
    return "s"


def results(found: Mapping[str, Any]) -> dict[str, str]:
    return {one["base"]: one["result"] for one in found["bases"]}


def rungs(found: Mapping[str, Any]) -> dict[str, list[str | None]]:
    return {one["base"]: [patch["rung"] for patch in one["patches"]] for one in found["bases"]}


def test_each_base_comes_as_far_as_it_can(
    run: Run, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = run("1.26.6,1.27.2,1.27.3", series=series(project))
    assert code is ExitCode.PASS
    assert results(found) == {"1.26.6": "FAIL", "1.27.2": "ok", "1.27.3": "ok"}
    assert rungs(found) == {"1.26.6": ["conflict"], "1.27.2": ["offset"], "1.27.3": ["exact"]}
    assert [one["tried"]["within"] for one in found["bases"]] == [False, True, True]
    assert found["bases"][2]["signals"]["types"] == {
        "platforms": {"ok": 2},
        "failing": [],
    }
    assert found["complete"]
    said = capsys.readouterr().out
    assert "not for this release" in said
    assert "2 ok" in said


@pytest.mark.parametrize(
    ("bases", "code"),
    [
        ("1.27.3", ExitCode.PASS),
        ("1.26.6", ExitCode.PASS),  # outside: information only
        ("1.27.3,1.27.8", ExitCode.ENVIRONMENT),
        ("1.27.3,1.27.7", ExitCode.ENVIRONMENT),
        ("1.25.0", ExitCode.ENVIRONMENT),
    ],
)
def test_exit_codes(bases: str, code: ExitCode, run: Run, project: Path) -> None:
    assert run(bases, series=series(project))[0] is code


def test_a_base_of_the_series_own_range_that_fails(run: Run, project: Path) -> None:
    code, found = run("1.27.8,1.26.6,1.27.3", series=series(project, base=">=1.26"))
    assert code is ExitCode.PATCH_FAILS
    assert results(found) == {"1.27.8": "unknown", "1.26.6": "FAIL", "1.27.3": "ok"}
    assert "could not be fetched" in found["bases"][0]["tried"]["reason"]


def test_a_form_without_a_range_counts_on_every_base(run: Run, project: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.patch"
    path.write_text(PATCH)
    assert run("1.27.3", series=str(path))[0] is ExitCode.PASS
    code, found = run("1.26.6,1.27.3", series=str(path))
    assert code is ExitCode.PATCH_FAILS
    assert [one["tried"]["range"] for one in found["bases"]] == ["", ""]


def test_standard_input_is_read_once(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe:
        buffer = io.BytesIO(PATCH.encode())

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr(stream.sys, "stdin", Pipe())  # type: ignore[attr-defined]
    code, found = run("1.27.2,1.27.3", series="-")
    assert code is ExitCode.PASS
    assert rungs(found) == {"1.27.2": ["offset"], "1.27.3": ["exact"]}
    kept = found["command"].partition(" < ")[2]
    assert (tmp_path / "out0" / kept).read_bytes() == PATCH.encode()


def test_the_variant_of_each_base(run: Run, project: Path, tmp_path: Path) -> None:
    name = series(project, more='variants:\n  - base: "<1.27"\n    patches: [0001-old.patch]\n')
    (project / "patches/s/0001-old.patch").write_text(OTHER)
    code, found = run("1.26.6,1.27.3", series=name)
    assert code is ExitCode.PASS
    assert [one["tried"]["variant"] for one in found["bases"]] == ["<1.27", ">=1.27, <1.28"]
    assert [one["patches"][0]["file"] for one in found["bases"]] == ["0001-old.patch", "0001-x.patch"]
    kept = sorted(path.name for path in (tmp_path / "out0/patches").iterdir())
    assert kept == ["0001-old.patch", "0001-x.patch"]
    assert results(found) == {"1.26.6": "ok", "1.27.3": "ok"}


def test_what_does_not_compile(run: Run, project: Path, gate: dict[str, Exception]) -> None:
    gate["1.27.2"] = PatchError("patch 1 of 1 does not compile on darwin/arm64")
    code, found = run("1.27.2,1.27.3", series=series(project))
    assert code is ExitCode.PATCH_FAILS
    assert results(found) == {"1.27.2": "FAIL", "1.27.3": "ok"}
    assert found["bases"][0]["signals"]["types"] == {
        "platforms": {"ok": 1, "FAIL": 1},
        "failing": ["darwin/arm64"],
    }


def test_a_machine_that_stops_the_gate_is_no_failure(
    run: Run, project: Path, gate: dict[str, Exception]
) -> None:
    gate["1.27.2"] = HostError("this release cannot build the type checker")
    code, found = run("1.27.2,1.27.3", series=series(project))
    assert code is ExitCode.ENVIRONMENT
    assert results(found) == {"1.27.2": "unknown", "1.27.3": "ok"}
    assert "cannot build the type checker" in found["bases"][0]["tried"]["reason"]


@pytest.mark.parametrize(("depth", "code"), [("none", ExitCode.PASS), ("types", ExitCode.ENVIRONMENT)])
def test_a_tree_without_tools_shows_how_the_patches_apply(
    depth: str, code: ExitCode, run: Run, project: Path
) -> None:
    found_code, found = run("tip", built=False, series=series(project, base=">=1.27"), compile=depth)
    assert found_code is code
    assert rungs(found) == {"tip": ["exact"]}
    assert found["bases"][0]["tried"]["reason"].startswith("no tools: not built" if depth == "types" else "")


def test_its_tools_are_built_where_that_is_asked_for(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_tools(place: object, tree: GoTree, sources: object) -> GoTree:
        return dataclasses.replace(tree, built=True)

    monkeypatch.setattr(baseline, "with_tools", with_tools)
    code, found = run("tip", built=False, series=series(project, base=">=1.27"), build_tools=True)
    assert code is ExitCode.PASS
    assert found["bases"][0]["signals"]["types"]["platforms"] == {"ok": 2}
    assert "--build-tools" in found["command"]


def test_tip_may_be_outside_the_range(run: Run, project: Path) -> None:
    code, found = run("tip,1.27.3", built=True, series=series(project))
    assert code is ExitCode.PASS
    assert [one["tried"]["within"] for one in found["bases"]] == [False, True]


def test_a_release_that_is_too_old_for_the_type_checker(run: Run, project: Path) -> None:
    name = series(project, base=">=1.20")
    code, found = run("1.20.14", series=name)
    assert code is ExitCode.ENVIRONMENT
    assert "needs Go 1.21 or later" in found["bases"][0]["tried"]["reason"]
    code, found = run("1.20.14", series=name, compile="build")
    assert code is ExitCode.PASS
    assert found["bases"][0]["signals"]["types"]["platforms"] == {}
    assert found["bases"][0]["signals"]["build"]["platforms"] == {"ok": 2}
    assert "needs Go 1.21 or later" in found["bases"][0]["tried"]["notes"][0]


def test_a_release_that_holds_the_series(run: Run, project: Path) -> None:
    name = series(project)
    assert run("1.27.9", series=name)[0] is ExitCode.PATCH_FAILS
    code, found = run("1.27.9", series=name, allowed=("already-applied",))
    assert code is ExitCode.PASS
    assert "holds the whole series" in found["bases"][0]["tried"]["notes"][0]


def test_an_interrupt_keeps_what_is_done(
    run: Run, project: Path, gate: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    gate["1.27.2"] = KeyboardInterrupt()
    code, found = run("1.27.3,1.27.2,1.26.6", series=series(project))
    assert code is ExitCode.INTERRUPTED
    assert results(found) == {"1.27.3": "ok", "1.27.2": "unknown", "1.26.6": "unknown"}
    assert not found["complete"]
    assert found["exit_code"] == ExitCode.ENVIRONMENT
    said = capsys.readouterr()
    assert "1.26.6\n  not tried: the map ended before" in said.out
    assert "interrupted" in said.err


def test_logs_of_bases_do_not_mix(run: Run, project: Path, tmp_path: Path) -> None:
    run("1.27.2,1.27.3", series=series(project), compile="none")
    records = Ledger(tmp_path / "out0/ledger.jsonl").records
    logs = {record.log for record in records if isinstance(record, CommandRan)}
    assert {log.split("/")[1] for log in logs} == {"01-1.27.2", "02-1.27.3"}
    assert all((tmp_path / "out0" / log).is_file() for log in logs)


@pytest.mark.parametrize(
    ("bases", "more", "code", "words"),
    [
        ("1.27.3", {"compile": "tests"}, 2, "none, types, build"),
        ("1.27.3", {"jobs": -1}, 2, "should not be negative"),
        ("1.27.3", {"allowed": ("offset",)}, 2, "no rung that can be allowed"),
        ("1.27.3", {"series": "nosuch"}, 2, "no series"),
        ("nonsense", {}, 2, "neither a Go release nor a folder"),
        (" , ", {}, 2, "names no release"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_made(
    bases: str,
    more: dict[str, Any],
    code: int,
    words: str,
    run: Run,
    project: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found_code, found = run(bases, **{"series": series(project), **more})
    assert found_code == code
    assert not found
    assert not list(tmp_path.glob("out*"))
    assert words in capsys.readouterr().err


def test_a_patch_that_the_lint_refuses_ends_all(run: Run, project: Path) -> None:
    bad = PATCH.replace("src/runtime/x.go", "../x.go")
    assert run("1.27.3", series=series(project, patch=bad)) == (ExitCode.PATCH_FAILS, {})


def test_the_default_is_the_newest_of_the_newest_minors(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = ("1.27.3", "1.27.2", "1.26.6", "1.20.14")
    monkeypatch.setattr(offered, "releases", lambda *_: listed)
    _, found = run(None, series=series(project), compile="none")
    assert list(results(found)) == ["1.20.14", "1.26.6", "1.27.3"]
    _, found = run("1.26..1.27", series=series(project), compile="none")
    assert list(results(found)) == ["1.26.6", "1.27.3"]
    assert "--bases=1.26.6,1.27.3" in found["command"]


def test_json_is_the_file(run: Run, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, found = run("1.27.3", series=series(project), json=True)
    said = capsys.readouterr()
    assert json.loads(said.out) == found
    assert said.err == ""
    assert found["schema_version"] == 1
