"""The compile gate: what is asked for, in which order, and what is charged to which patch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import HostError
from pipeline.flow import compiling
from pipeline.gates import checks
from pipeline.gates import compile as gate
from pipeline.gates.checks import Outcome, Place, Task
from pipeline.gates.compile import Prefix, Wanted
from pipeline.patch.reach import Reach
from pipeline.records import GateResult
from pipeline.store import Store
from pipeline.suites import typecheck
from pipeline.suites.typecheck import Finding
from pipeline.values import Depth, GoTree, Platform

LINUX = Platform(goos="linux", goarch="amd64")
DARWIN = Platform(goos="darwin", goarch="arm64")
WINDOWS = Platform(goos="windows", goarch="arm64")
BASE = GoTree(
    root=Path("base"), version="1.27.3", digest="b", manifest={"src/p/p.go": "0", "src/p/p_windows.go": "0"}
)
EVERYWHERE = Depth(types="all", build="all", tests="all")
# Signal, GOOS and the number of the prefix (0: the baseline) to what is found there.
Answers = Mapping[tuple[str, str, int], Sequence[str]]


def prefixes(*steps: Mapping[str, str]) -> list[Prefix]:
    """A prefix a step: the changed files of package p with their hashes, so far."""
    found = []
    for number, files in enumerate(steps, 1):
        reach = {}
        for platform in (LINUX, DARWIN, WINDOWS):
            names = tuple(
                name
                for name in files
                if "_" not in Path(name).stem or Path(name).stem.endswith(platform.goos)
            )
            packages = ("p",) if names else ()
            reach[platform] = Reach(
                platform=platform, packages=packages, test_packages=(), tested=(), files=names
            )
        tree = GoTree(
            root=Path(str(number)), version="1.27.3", digest=str(number), manifest={**BASE.manifest, **files}
        )
        found.append(
            Prefix(number=number, patch=f"{number}.patch", tree=tree, changed=tuple(files), reach=reach)
        )
    return found


def finding(text: str) -> Finding:
    """``p.go:3 message``."""
    place, message = text.split(" ", 1)
    file, line = place.split(":")
    return Finding(file=f"src/p/{file}", line=int(line), column=1, message=message)


class Fake:
    """Stands for the tools: answers by signal, platform and prefix, and remembers what it was asked."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str, int]] = []
        self.packages: dict[tuple[str, str, int], tuple[str, ...]] = {}
        self.files: dict[tuple[str, str, int], Mapping[str, str]] = {}

    def run(
        self, _place: Place, tasks: Sequence[Task], _role: str, each: Callable[[Outcome], None]
    ) -> list[Outcome]:
        return [self._one(task) for task in tasks]

    def _one(self, task: Task) -> Outcome:
        name = task.tree.root.name
        key = (task.signal, task.platform.goos, 0 if name == "base" else int(name))
        self.asked.append(key)
        self.packages[key] = task.packages
        self.files[key] = task.files
        found = tuple(finding(text) for text in self.answers.get(key, ()) if text != "!")
        ok = key not in self.answers
        return Outcome(
            ok=ok, findings=found, output="" if ok else "link: no", seconds=1, log="", reused=False
        )


def check(
    monkeypatch: pytest.MonkeyPatch,
    answers: Answers,
    *steps: Mapping[str, str],
    depth: Depth = EVERYWHERE,
    packages: tuple[str, ...] = (),
    cells: Mapping[Platform, str] | None = None,
    importing: Mapping[Platform, tuple[str, ...]] | None = None,
) -> tuple[list[GateResult], Fake]:
    fake = Fake(answers)
    monkeypatch.setattr(checks, "run", fake.run)
    place: Any = None
    wanted = Wanted(
        base=BASE,
        prefixes=prefixes(*steps),
        depth=depth,
        packages=packages,
        cells=cells or {LINUX: "linux-amd64"},
        host=LINUX,
        importing=importing or {},
    )
    return gate.check(place, wanted, lambda *_: None), fake


def test_cheapest_first_and_the_baseline_is_not_asked_when_all_is_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results, fake = check(monkeypatch, {}, {"src/p/p.go": "1"})
    order = [key for key, _ in itertools.groupby(signal for signal, _, _ in fake.asked)]
    assert order == ["types", "build", "vet", "tests"]
    assert len(results) == 12
    assert {one.status for one in results} == {"pass"}
    assert all(number == 1 for _, _, number in fake.asked)
    assert {one.cell for one in results if one.platform == "linux/amd64"} == {"linux-amd64"}
    assert {one.cell for one in results if one.platform != "linux/amd64"} == {""}


def test_the_depth_decides_where_each_signal_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    _, fake = check(
        monkeypatch, {}, {"src/p/p.go": "1"}, depth=Depth(types="all", build="cells", tests="none")
    )
    assert sorted(set(fake.asked)) == [
        ("build", "linux", 1),
        ("types", "darwin", 1),
        ("types", "linux", 1),
        ("types", "windows", 1),
    ]


def test_a_prefix_that_changes_nothing_on_a_platform_is_not_checked_there_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = {"src/p/p.go": "1"}
    _, fake = check(
        monkeypatch, {}, first, {**first, "src/p/p_darwin.go": "2"}, depth=Depth(types="all", build="none")
    )
    assert sorted(fake.asked) == [
        ("types", "darwin", 1),
        ("types", "darwin", 2),
        ("types", "linux", 1),
        ("types", "windows", 1),
    ]


def test_the_types_of_importers_are_checked_on_the_platforms_that_have_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, fake = check(monkeypatch, {}, {"src/p/p.go": "1"}, importing={WINDOWS: ("net",)})
    assert fake.packages["types", "windows", 1] == ("net", "p")
    assert fake.packages["types", "linux", 1] == ("p",)
    assert fake.packages["build", "windows", 1] == ("p",)


def keys(monkeypatch: pytest.MonkeyPatch, *steps: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
    """By GOOS: what the key of the whole series' types is made of."""
    _, fake = check(monkeypatch, {}, *steps, depth=Depth(types="all", build="none"))
    return {platform: fake.files["types", platform, len(steps)] for _, platform, _ in fake.asked}


def test_a_key_holds_every_changed_file_of_the_folder_though_no_platform_lists_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = {"src/p/p.go": "1", "src/p/p_dariwn.go": "2", "src/p/testdata/x_": "3", "src/q/p_windows.go": "4"}
    found = keys(monkeypatch, files)
    assert found["linux"] == {"src/p/p.go": "1", "src/p/p_dariwn.go": "2"}
    assert set(found["windows"]) == {"src/p/p.go", "src/p/p_dariwn.go", "src/q/p_windows.go"}


def test_a_file_for_another_platform_is_in_the_key_and_yet_no_reason_to_ask_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, both = {"src/p/p.go": "1"}, {"src/p/p.go": "1", "src/p/p_darwin.go": "2"}
    _, fake = check(monkeypatch, {}, both, {**both, "src/p/p_windows.go": "3"}, depth=Depth(types="all"))
    assert fake.files["types", "linux", 1] == both
    assert ("types", "linux", 2) not in fake.asked
    assert keys(monkeypatch, one)["linux"] != fake.files["types", "linux", 1]


def test_a_prefix_that_differs_in_what_no_platform_lists_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    first = {"src/p/p.go": "1"}
    _, fake = check(monkeypatch, {}, first, {**first, "src/p/p_dariwn.go": "2"}, depth=Depth(types="all"))
    assert ("types", "linux", 2) in fake.asked


def test_packages_that_the_series_names_are_built_on_the_cells_where_the_series_is_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = {"src/p/p.go": "1"}
    _, fake = check(
        monkeypatch,
        {},
        first,
        {**first, "src/p/p_darwin.go": "2"},
        depth=Depth(types="none", build="all"),
        packages=("net",),
        cells={LINUX: "linux-amd64", DARWIN: "darwin-arm64"},
    )
    assert fake.packages == {
        ("build", "linux", 1): ("net", "p"),
        ("build", "windows", 1): ("p",),
        ("build", "darwin", 1): ("p",),
        ("build", "darwin", 2): ("net", "p"),
    }


def test_changed_assembly_is_built_where_only_types_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    _, fake = check(
        monkeypatch, {}, {"src/p/p_windows.s": "1", "src/p/p.go": "1"}, depth=Depth(types="all", build="none")
    )
    assert ("build", "windows", 1) in fake.packages
    assert not {platform for signal, platform, _ in fake.packages if signal == "build"} - {"windows"}


def test_the_first_bad_patch_is_named_with_its_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, three = {"src/p/p.go": "1"}, {"src/p/p_windows.go": "2"}, {"src/p/p_linux.go": "3"}
    steps = (one, {**one, **two}, {**one, **two, **three})
    results, fake = check(monkeypatch, {("types", "windows", 2): ["p_windows.go:3 undefined: x"]}, *steps)
    (bad,) = [result for result in results if result.status == "fail"]
    assert (bad.number, bad.patch, bad.platform, bad.signal) == (2, "2.patch", "windows/arm64", "types")
    assert {signal for signal, _, _ in fake.asked} == {"types"}
    error = compiling.failure(results, 3, "logs")
    assert error.what.splitlines() == [
        "patch 2 of 3 (2.patch) does not compile on windows/arm64",
        "windows/arm64:",
        "    src/p/p_windows.go:3:1: undefined: x",
    ]
    assert error.meaning == ""


@pytest.mark.parametrize("signal", ["types", "build"])
def test_a_patch_that_a_later_one_mends_is_bad_all_the_same(
    monkeypatch: pytest.MonkeyPatch, signal: str
) -> None:
    answers = {(signal, "windows", 1): ["p_windows.go:3 undefined: x"]}
    steps = ({"src/p/p.go": "1", "src/p/p_windows.go": "1"}, {"src/p/p.go": "1", "src/p/p_windows.go": "2"})
    results, fake = check(monkeypatch, answers, *steps)
    error = compiling.failure(results, 2, "logs")
    assert error.what.startswith("patch 1 of 2 (1.patch) does not compile on windows/arm64\n")
    assert error.meaning.startswith("patch 2 (2.patch) mends it on windows/arm64")
    # After a failure a later prefix is only asked where it may mend it.
    if signal == "build":
        assert [key for key in fake.asked if key[0] == "build" and key[2] == 2] == [("build", "windows", 2)]


def test_what_the_baseline_says_too_is_not_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    old = ["p.go:3 possible misuse of unsafe.Pointer"]
    moved = ["p.go:9 possible misuse of unsafe.Pointer"]
    answers = {("vet", "linux", 1): moved, ("vet", "linux", 0): old}
    results, _ = check(monkeypatch, answers, {"src/p/p.go": "1"})
    (result,) = [one for one in results if one.status != "pass"]
    assert (result.status, result.signal) == ("baseline-fails", "vet")


def test_a_new_finding_beside_an_old_one_is_charged_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    old = ["p.go:3 self-assignment of x"]
    answers = {("vet", "linux", 1): ["p.go:9 self-assignment of x", "p.go:5 self-assignment of x"]}
    results, _ = check(monkeypatch, {**answers, ("vet", "linux", 0): old}, {"src/p/p.go": "1"})
    (result,) = [one for one in results if one.status == "fail"]
    assert result.detail == "src/p/p.go:5:1: self-assignment of x"
    assert "is not accepted by go vet" in compiling.failure(results, 1, "logs").what


def test_a_platform_that_cannot_link_at_all_is_not_charged_but_its_errors_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    linkless = {("tests", "darwin", 1): ["!"], ("tests", "darwin", 0): ["!"]}
    results, _ = check(monkeypatch, linkless, {"src/p/p.go": "1"})
    assert [one.status for one in results if one.status != "pass"] == ["baseline-fails"]
    broken = {**linkless, ("tests", "darwin", 1): ["p.go:3 undefined: x"]}
    results, _ = check(monkeypatch, broken, {"src/p/p.go": "1"})
    assert [one.detail for one in results if one.status == "fail"] == ["src/p/p.go:3:1: undefined: x"]


UNKNOWN = Outcome(ok=False, findings=(), output="link: hm", seconds=1, log="l", reused=False, unclear=True)
KNOWN = Outcome(ok=False, findings=(), output="import cycle not allowed", seconds=1, log="", reused=False)
FINE = Outcome(ok=True, findings=(), output="", seconds=1, log="", reused=False)


def settled(
    monkeypatch: pytest.MonkeyPatch, *answers: tuple[str, Outcome], base: bool = True
) -> list[GateResult]:
    """The gate's results where the build of one platform is answered thus, by role, in order."""
    left = list(answers)

    def run(_place: Place, tasks: Sequence[Task], role: str, _each: object) -> list[Outcome]:
        if not tasks or tasks[0].signal != "build":
            return [FINE for _ in tasks]
        due, outcome = left.pop(0)
        assert (role, len(tasks)) == (due, 1)
        return [outcome]

    monkeypatch.setattr(checks, "run", run)
    place: Any = None
    wanted = Wanted(
        base=BASE if base else GoTree(root=Path("base"), version="1.27.3", digest="b", manifest={}),
        prefixes=prefixes({"src/p/p_linux.go": "1"}),
        depth=EVERYWHERE,
        packages=(),
        cells={},
        host=LINUX,
    )
    results = gate.check(place, wanted, lambda *_: None)
    assert left == []
    return [one for one in results if one.signal == "build"]


def test_a_failure_without_a_word_about_code_is_the_patchs_if_it_comes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (bad,) = settled(monkeypatch, ("patched", UNKNOWN), ("base", FINE), ("again", UNKNOWN))
    assert (bad.status, bad.detail) == ("fail", "link: hm")
    (good,) = settled(monkeypatch, ("patched", UNKNOWN), ("base", FINE), ("again", FINE))
    assert good.status == "pass"


@pytest.mark.parametrize(
    ("after", "before"),
    [(UNKNOWN, UNKNOWN), (UNKNOWN, KNOWN), (KNOWN, UNKNOWN)],
    ids=["both", "one", "other"],
)
def test_where_the_baseline_fails_beside_it_nobody_is_charged(
    monkeypatch: pytest.MonkeyPatch, after: Outcome, before: Outcome
) -> None:
    with pytest.raises(HostError, match=r"linux/amd64 \(build\) failed without a word about code:\nlink: hm"):
        settled(monkeypatch, ("patched", after), ("base", before))


def test_what_only_the_series_has_is_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    (bad,) = settled(monkeypatch, ("patched", UNKNOWN), ("again", UNKNOWN), base=False)
    assert bad.status == "fail"


def test_a_package_that_only_the_series_has_is_not_asked_of_the_baseline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = {("types", "linux", 1): ["new.go:3 undefined: x"]}
    fake = Fake(answers)
    monkeypatch.setattr(checks, "run", fake.run)
    base = GoTree(root=Path("base"), version="1.27.3", digest="b", manifest={"src/q/q.go": "0"})
    place: Any = None
    wanted = Wanted(
        base=base,
        prefixes=prefixes({"src/p/new.go": "1"}),
        depth=EVERYWHERE,
        packages=(),
        cells={},
        host=LINUX,
    )
    results = gate.check(place, wanted, lambda *_: None)
    assert [one.platform for one in results if one.status == "fail"] == ["linux/amd64"]
    assert all(number == 1 for _, _, number in fake.asked)


def test_thirty_platforms_with_one_output_are_one_paragraph() -> None:
    results = [
        GateResult(
            gate="compile",
            cell="",
            subject="p",
            status="fail",
            detail="src/p/p.go:1:1: no",
            signal="types",
            platform=f"os{number}/cpu",
            patch="1.patch",
            number=1,
        )
        for number in range(30)
    ]
    lines = compiling.failure(results, 1, "logs").what.splitlines()
    assert len(lines) == 3
    assert lines[0].endswith("os4/cpu, os5/cpu and 24 more")


def test_lines_of_compiler_and_vet_are_found_wherever_the_tree_is() -> None:
    text = (
        "# runtime\nruntime/p.go:3:2: undefined: x\n./os/q.go:7: old style\n"
        "/x/tree/src/net/n.go:1:1: far\nvet: errors/e.go:4:5: no\nok done: 3\n"
    )
    found = [str(one) for one in checks.parse(text, Path("/x/tree"))]
    assert found == [
        "src/runtime/p.go:3:2: undefined: x",
        "src/os/q.go:7:0: old style",
        "src/net/n.go:1:1: far",
        "src/errors/e.go:4:5: no",
    ]


def test_types_that_are_known_start_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "store")
    store.prepare()
    shell: Any = None
    place = Place(store=store, shell=shell, release="r", go=lambda _: shell, home=Path(), tags={}, jobs=2)
    task = Task(signal="types", platform=LINUX, tree=BASE, packages=("p",), files={"src/p/p.go": "1"})
    calls: list[int] = []

    def checker(_place: Place, tasks: Sequence[Task], _role: str) -> Any:
        calls.append(len(tasks))
        return "types.log", 1.0, [(finding("p.go:3 no"),) for _ in tasks]

    monkeypatch.setattr(checks, "_typecheck", checker)
    first = checks.run(place, [task], "patched", lambda _: None)
    other = Task(signal="types", platform=DARWIN, tree=BASE, packages=("p",), files={"src/p/p.go": "1"})
    second = checks.run(place, [task, other], "patched", lambda _: None)
    assert calls == [1, 1]
    assert [one.reused for one in (*first, *second)] == [False, True, False]
    assert second[0].findings == first[0].findings


def test_what_the_checker_wrote_must_be_what_it_writes() -> None:
    assert typecheck.results('[{"findings": []}]') == [()]
    with pytest.raises(ValueError, match="not the type checker's output"):
        typecheck.results('[{"found": []}]')
