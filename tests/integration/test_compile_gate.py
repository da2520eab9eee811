"""The compile gate on real Go: platforms that this host cannot run, prefixes, vet, and what is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline import proc, tree
from pipeline.errors import ExitCode
from pipeline.flow.context import LEDGER
from pipeline.gates import compile as gate
from pipeline.gates.checks import Place
from pipeline.gates.compile import Prefix, Wanted
from pipeline.golang import host_platform
from pipeline.ledger import Ledger
from pipeline.patch import listing, reach, series
from pipeline.patch.listing import Asker
from pipeline.records import CommandRan, GateResult
from pipeline.store import Store
from pipeline.toolchain import trees
from pipeline.toolchain.build import Builder
from pipeline.values import Depth, GoTree
from tests.integration.harness import ROOT, Edits, Outcome, check, diff, make_series, validate

pytestmark = pytest.mark.go

TESTS = 'package errors_test\n\nimport "testing"\n\nfunc TestQuirk(t *testing.T) {\n'
BROKEN = TESTS + '\tvar n int = "one"\n\t_ = n\n}\n'
ILL = TESTS + '\tt.Errorf("%d", "one")\n}\n'
ILL_TWICE = TESTS + '\t// Moved down.\n\tt.Errorf("%d", "one")\n\tt.Errorf("%d", "one")\n}\n'
KQUEUE = "src/runtime/netpoll_kqueue.go"


def commands(done: Outcome) -> list[str]:
    """The programs that a run started, by what they were started for."""
    records = Ledger(done.folder / LEDGER).records
    return [record.name for record in records if isinstance(record, CommandRan)]


def results(done: Outcome) -> list[GateResult]:
    return [record for record in Ledger(done.folder / LEDGER).records if isinstance(record, GateResult)]


@pytest.fixture(scope="module")
def three(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three patches, of which the second breaks the tests of one platform that this host is not."""
    edits = [
        Edits(replace={"src/errors/errors.go": ("// Package errors implements", "// Package errors does")}),
        Edits(add={"src/errors/quirk_windows_arm64_test.go": BROKEN}),
        Edits(replace={"src/errors/join.go": ("// Join returns an error", "// Join gives an error")}),
    ]
    return make_series(tmp_path_factory.mktemp("s") / "three", [diff(release, one) for one in edits])


def test_the_second_patch_breaks_one_platform_and_nothing_is_asked_twice(
    cache: Path, release: Path, three: Path, tmp_path: Path
) -> None:
    done = check(cache, tmp_path / "first", f"--series={three}")
    assert done.code == ExitCode.PATCH_FAILS, done.err
    assert "patch 2 of 3 (0002-change.patch) does not compile on windows/arm64\n" in done.err
    assert "src/errors/quirk_windows_arm64_test.go:6:14: cannot use" in done.err
    found = results(done)
    assert {(one.platform, one.number) for one in found if one.status == "fail"} == {
        ("windows/arm64", 2),
        ("windows/arm64", 3),
    }
    # Patch 2 changes nothing for any other platform.
    assert {one.platform for one in found if one.number == 2} == {"windows/arm64"}
    assert len({one.platform for one in found}) > 40
    # What fails stands first, by itself.
    assert done.out.split("platforms\n", 1)[1].split()[:5] == ["FAIL", "–", "–", "–", "windows/arm64"]

    again = check(cache, tmp_path / "second", f"--series={three}")
    assert again.code == ExitCode.PATCH_FAILS
    assert all(one.reused for one in results(again))
    assert {name for name in commands(again) if not name.startswith("apply-")} == set()


def test_a_kqueue_change_is_compiled_on_every_kqueue_platform_and_proven_harmless_elsewhere(
    cache: Path, release: Path, tmp_path: Path
) -> None:
    edits = Edits(replace={KQUEUE: ("runtime: kqueue failed with", "runtime: kqueue did fail with")})
    series_folder = make_series(tmp_path / "kqueue", [diff(release, edits)])
    cells = "--cells=linux-amd64,darwin-arm64"
    done = validate(cache, tmp_path / "out", f"--series={series_folder}", "--profile=quick", cells, root=ROOT)
    assert done.code == ExitCode.PASS, done.err
    levels = {cell["id"]: cell["exercise"] for cell in done.report["cells"]}
    assert levels == {
        "linux-amd64": "unaffected",
        "darwin-arm64": "compiled",
    }
    proof = done.report["cells"][0]["same_bits"]
    assert proof["same"] is True
    assert len(proof["base"]["runtime"]) == 64
    assert proof["base"] == proof["patched"]
    assert "same bits on both sides: runtime.test sha256" in done.summary
    names = {row["platform"] for row in done.report["compile"]["platforms"]}
    assert {name.split("/")[0] for name in names} == {
        "darwin",
        "dragonfly",
        "freebsd",
        "ios",
        "netbsd",
        "openbsd",
    }
    assert {row["signals"]["types"] for row in done.report["compile"]["platforms"]} == {"ok"}
    assert "benchmarks" not in done.report["timings"]
    assert "test" not in done.report["timings"]


class Bench:
    """The gate by itself, on trees made here."""

    def __init__(self, cache: Path, release: Path, folder: Path) -> None:
        self.store = Store(cache)
        self.shell = proc.Shell(logs=folder / "logs", observe=lambda _name, _result: None)
        manifest = tree.load(release.parent / "manifest.json")
        self.base = GoTree(root=release, version="1.27.3", digest=tree.digest(manifest), manifest=manifest)
        self.host = host_platform()
        self.builder = Builder(
            store=self.store,
            shell=self.shell,
            base=self.base,
            host=self.host,
            jobs=2,
            work=self.store.shared("work"),
        )
        self.folder = folder

    def patched(self, base: GoTree, name: str, edits: Edits) -> GoTree:
        folder = make_series(self.folder / name, [diff(base.root, edits)])
        return trees.patched(self.store, self.shell, base, series.load(folder)).tree

    def check(
        self,
        base: GoTree,
        steps: Sequence[GoTree],
        depth: Depth,
        *,
        importers: bool = False,
        cells: Sequence[str] = (),
    ) -> list[GateResult]:
        asker = Asker(store=self.store, shell=self.shell, release=base.digest, jobs=2)
        home = self.builder.go(self.base.root, self.base.digest)
        release = listing.of_release(asker, home, self.host)
        changed = {name for one in steps for name in tree.changed(base.manifest, one.manifest)}
        packages = reach.changed_packages(changed)
        before = listing.of_tree(asker, home, base.manifest, packages, release.platforms)
        prefixes = []
        for number, one in enumerate(steps, 1):
            own = self.builder.go(one.root, self.base.digest)
            after = listing.of_tree(asker, own, one.manifest, packages, release.platforms)
            names = tuple(tree.changed(base.manifest, one.manifest))
            found = reach.of_platforms(before, after, names)
            prefixes.append(
                Prefix(number=number, patch=f"{number}.patch", tree=one, changed=names, reach=found)
            )
        place = Place(
            store=self.store,
            shell=self.shell,
            release=base.digest,
            go=lambda root: self.builder.go(root, self.base.digest),
            home=self.base.root,
            tags=release.tags,
            jobs=2,
        )
        wanted = Wanted(
            base=base,
            prefixes=prefixes,
            depth=depth,
            packages=(),
            cells={one: str(one) for one in release.platforms if str(one) in cells},
            host=self.host,
            importing={
                platform: release.importing(packages, platform.goos)
                for platform in release.platforms
                if importers
            },
        )
        return gate.check(place, wanted, lambda *_: None)


@pytest.fixture
def bench(cache: Path, release: Path, tmp_path: Path) -> Bench:
    return Bench(cache, release, tmp_path)


VET = Depth(types="none", build="none", tests="host")


def test_a_new_vet_finding_is_charged_and_one_that_the_baseline_has_is_not(bench: Bench) -> None:
    ill = bench.patched(bench.base, "ill", Edits(add={"src/errors/quirk_test.go": ILL}))
    (charged,) = bench.check(bench.base, [ill], VET)
    assert (charged.signal, charged.status) == ("vet", "fail")
    assert charged.detail.startswith("src/errors/quirk_test.go:6:")

    calm = bench.patched(
        ill, "calm", Edits(replace={"src/errors/join.go": ("// Join returns an", "// It is an")})
    )
    vet, tests = bench.check(ill, [calm], VET)
    assert (vet.signal, vet.status) == ("vet", "baseline-fails")
    assert (tests.signal, tests.status) == ("tests", "pass")

    worse = bench.patched(ill, "worse", Edits(replace={"src/errors/quirk_test.go": (ILL, ILL_TWICE)}))
    (charged,) = bench.check(ill, [worse], VET)
    assert (charged.signal, charged.status) == ("vet", "fail")
    assert len(charged.detail.splitlines()) == 1


TYPES = Depth(types="all", build="none", tests="none")
FEW, CELLS = Depth(types="cells", build="none", tests="none"), ("linux/amd64", "plan9/386")


def test_code_that_needs_its_own_tests_does_not_compile(bench: Bench) -> None:
    needs = bench.patched(
        bench.base,
        "needs",
        Edits(
            replace={
                "src/errors/join.go": ("// Join returns an", "var _ = onlyTested\n\n// Join returns an")
            },
            add={"src/errors/only_test.go": "package errors\n\nvar onlyTested = 1\n"},
        ),
    )
    found = bench.check(bench.base, [needs], FEW, cells=CELLS)
    assert [one.status for one in found] == ["fail", "fail"]
    assert "undefined: onlyTested" in found[0].detail


def test_a_circle_through_a_test_is_said_once(bench: Bench) -> None:
    inside = 'package errors\n\nimport "testing"\n\nfunc TestInside(t *testing.T) {}\n'
    circle = bench.patched(bench.base, "circle", Edits(add={"src/errors/inside_test.go": inside}))
    found = bench.check(bench.base, [circle], FEW, cells=CELLS)
    assert [one.detail for one in found] == ["src/errors: import cycle not allowed in test"] * 2


def test_who_imports_a_changed_package_is_checked_with_it(bench: Bench) -> None:
    method = "func (fd *FD) WriteTo(buf []byte, sa syscall.Sockaddr) (int, error) {"
    renamed = Edits(
        replace={"src/internal/poll/fd_windows.go": (method, method.replace("WriteTo", "SendTo"))}
    )
    tree_ = bench.patched(bench.base, "renamed", renamed)
    found = bench.check(bench.base, [tree_], TYPES, importers=True)
    assert {one.platform.split("/")[0] for one in found} == {"windows"}
    assert {one.status for one in found} == {"fail"}
    assert "src/net/fd_posix.go" in found[0].detail
    assert {one.status for one in bench.check(bench.base, [tree_], TYPES)} == {"pass"}


@pytest.mark.parametrize("package", ["runtime", "net", "cmd/internal/obj"])
def test_who_is_built_from_a_package_is_as_the_go_command_says(bench: Bench, package: str) -> None:
    asker = Asker(store=bench.store, shell=bench.shell, release=bench.base.digest, jobs=2)
    go = bench.builder.go(bench.base.root, bench.base.digest)
    release = listing.of_release(asker, go, bench.host)
    rows = go.list(bench.shell, "deps", ["std", "cmd"], target=bench.host, fields=("ImportPath", "Deps"))
    # The dependencies of a program with a profile carry its name: runtime [cmd/compile].
    deps = {row["ImportPath"]: {name.partition(" ")[0] for name in row.get("Deps") or ()} for row in rows}
    expected = {name for name, found in deps.items() if package in found}
    assert set(release.dependents([package], bench.host.goos)) == expected


def test_unchanged_packages_have_nothing_to_find_on_any_platform(bench: Bench) -> None:
    packages = ["src/internal/poll/fd.go", "src/os/file.go", "src/vendor/golang.org/x/net/idna/idna.go"]
    comment = {}
    for name in packages:
        first = (bench.base.root / name).read_text(encoding="utf-8").split("\n", 1)[0]
        comment[name] = (f"{first}\n", f"{first} \n")
    same = bench.patched(bench.base, "same", Edits(replace=comment))
    found = bench.check(bench.base, [same], TYPES)
    assert len(found) > 40
    assert [one.detail for one in found if one.status != "pass"] == []


def test_every_platform_is_built_where_that_is_asked_for(bench: Bench) -> None:
    """On a package that imports nothing: what one of the runtime costs, 47 platforms cost 47 times."""
    name = "src/unicode/utf8/utf8.go"
    wrong = Edits(
        replace={name: ("// Package utf8 implements", "// Package utf8 holds")},
        add={
            "src/unicode/utf8/own_plan9.go": "package utf8\n\nfunc init() { var a [1 << 50]byte; _ = a }\n",
        },
    )
    tree_ = bench.patched(bench.base, "utf8", wrong)
    found = bench.check(bench.base, [tree_], Depth(types="none", build="all", tests="none"))
    assert len(found) > 40
    failed = {one.platform for one in found if one.status != "pass"}
    assert failed == {one.platform for one in found if one.platform.startswith("plan9/")} != set()
