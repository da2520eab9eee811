"""Which test binaries there are: of packages that one side lacks, or that are for other platforms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline import proc, tree, values
from pipeline.errors import HostError, PatchError
from pipeline.store import Store
from pipeline.toolchain import testbin
from pipeline.toolchain.build import Builder
from pipeline.toolchain.testbin import Baseline
from pipeline.values import GoTree, Platform

LINUX = Platform(goos="linux", goarch="amd64")
NO_FILES = """\
# net/other
package net/other: build constraints exclude all Go files in /go/src/net/other
FAIL	net/other [setup failed]
"""


def go_tree(root: Path, files: dict[str, str]) -> GoTree:
    for name, text in files.items():
        (root / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "src" / name).write_text(text)
    manifest = tree.scan(root)
    return GoTree(root=root, version="1.27.3", digest=tree.digest(manifest), manifest=manifest)


class Bench:
    """Two trees, and a compiler that says what it is told to of a package, or of one of its files."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, base: dict[str, str], series: dict[str, str]
    ) -> None:
        self.base = go_tree(folder / "base", base)
        self.patched = go_tree(folder / "patched", base | series)
        self.changed = tree.changed(self.base.manifest, self.patched.manifest)
        self.says: dict[str, tuple[int, str]] = {}
        shell = proc.Shell(logs=folder / "logs", observe=lambda _name, _result: None)
        self.builder = Builder(
            store=Store(folder / "store"), shell=shell, base=self.base, host=LINUX, jobs=1, work=folder / "w"
        )
        monkeypatch.setattr(testbin, "compile_one", self.compile_one)

    def compile_one(
        self, _builder: Any, _go: Any, of: GoTree, side: Any, package: str, *_: Any
    ) -> values.TestBinary:
        for name, (code, text) in self.says.items():
            if name == package or (f"src/{name}" in of.manifest and name.startswith(f"{package}/")):
                raise testbin.TestBuildError(package, result(code, text))
        return values.TestBinary(package=package, side=side, path=Path(package), sha256="", goroot=of.root)

    def baseline(self, *packages: str) -> Baseline:
        return testbin.compile_baseline(self.builder, self.patched, self.changed, packages)

    def new(self, *packages: str) -> list[str]:
        go = self.builder.go(self.patched.root, "")
        return list(testbin.compile_patched(self.builder, go, self.patched, "", packages))


def result(code: int, text: str) -> proc.Result:
    return proc.Result(
        argv=("go",),
        returncode=code,
        stdout=text,
        tail=text,
        seconds=0,
        cpu_seconds=0,
        max_rss=0,
        timed_out=False,
        log=None,
    )


OLD = {"net/net.go": "", "net/net_test.go": "", "bare/bare.go": "", "only/x_test.go": ""}


def test_a_package_that_the_series_brings_has_no_binary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, monkeypatch, OLD, {"fresh/a.go": "", "fresh/a_test.go": "", "net/b_test.go": ""})
    bench.says["fresh"] = 1, "it must not be asked for"
    found = bench.baseline("fresh", "net")
    assert list(found.binaries) == ["net"]
    assert [(one.file, one.reason) for one in found.dropped] == [
        ("src/fresh/a_test.go", "the baseline has no such package")
    ]
    assert "src/net/b_test.go" in found.tree.manifest
    assert "src/fresh/a_test.go" not in found.tree.manifest


def test_first_tests_are_compared_where_they_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, monkeypatch, OLD, {"bare/bare_test.go": "", "folder/x_test.go": ""})
    found = bench.baseline("bare", "folder")
    assert (list(found.binaries), found.dropped) == (["bare", "folder"], ())


def test_first_tests_that_do_not_compile_leave_no_binary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, monkeypatch, OLD, {"bare/bare.go": "more", "bare/bare_test.go": ""})
    bench.says["bare/bare_test.go"] = 1, "# bare\nbare/bare_test.go:3:1: undefined: more\n"
    found = bench.baseline("bare", "net")
    assert list(found.binaries) == ["net"]
    assert [one.reason for one in found.dropped] == ["line 3: undefined: more"]


@pytest.mark.parametrize("said", [(0, "?   \tnet/other\t[no test files]\n"), (1, NO_FILES)])
def test_what_is_for_other_platforms_is_left_out_on_either_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: tuple[int, str]
) -> None:
    bench = Bench(tmp_path, monkeypatch, OLD | {"net/other/a_test.go": ""}, {"net/net.go": "new"})
    bench.says["net/other"] = said
    assert bench.new("net", "net/other") == ["net"]
    assert list(bench.baseline("net", "net/other").binaries) == ["net"]


@pytest.mark.parametrize(
    "said",
    [
        (1, "# net\nnet/net.go:1:1: syntax error\nFAIL\tnet [build failed]\n"),
        (1, "# net\npackage net\n\timports net/other: build constraints exclude all Go files in /go/src\n"),
        (1, NO_FILES),
        (1, "package net: build constraints exclude all Go files in x.go:1: x\nFAIL\tnet [build failed]\n"),
    ],
)
def test_what_does_not_compile_is_charged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: tuple[int, str]
) -> None:
    bench = Bench(tmp_path, monkeypatch, OLD, {"net/net.go": "new", "net/net_test.go": "new"})
    bench.says["net"] = said
    with pytest.raises(PatchError, match="the tests of net do not compile with the series applied"):
        bench.new("net")
    with pytest.raises(HostError, match="the baseline's own tests of net do not compile"):
        bench.baseline("net")


def test_a_package_that_never_had_tests_is_not_another_platforms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, monkeypatch, OLD, {"bare/bare.go": "new"})
    bench.says["bare"] = 0, "?   \tbare\t[no test files]\n"
    with pytest.raises(PatchError, match="no test files"):
        bench.new("bare")
