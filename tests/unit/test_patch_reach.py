"""Reach: which changed files a platform compiles, in either tree, and who is built from them."""

from __future__ import annotations

import pytest

from pipeline.patch import listing, reach
from pipeline.patch.listing import Listing, Listings, Release
from pipeline.values import Platform

LINUX = Platform(goos="linux", goarch="amd64")
DARWIN = Platform(goos="darwin", goarch="arm64")


def listings(**files: tuple[list[str], list[str]]) -> Listings:
    """By GOOS: the code and the tests of package p."""
    platforms = {"linux": LINUX, "darwin": DARWIN}
    return {
        platforms[name]: {
            "p": Listing(
                code=frozenset(f"src/p/{one}" for one in code),
                tests=frozenset(f"src/p/{one}" for one in tests),
                tested=bool(tests),
            )
        }
        for name, (code, tests) in files.items()
    }


def test_only_the_platforms_that_compile_a_changed_file_are_reached() -> None:
    both = listings(linux=(["p.go", "p_linux.go"], ["p_test.go"]), darwin=(["p.go", "p_darwin.go"], []))
    found = reach.of_platforms(both, both, ["src/p/p_darwin.go"])
    assert (found[DARWIN].packages, found[DARWIN].files) == (("p",), ("src/p/p_darwin.go",))
    assert found[LINUX].files == ()
    assert not found[LINUX].reached


def test_a_removed_file_reaches_where_the_baseline_compiled_it() -> None:
    before = listings(linux=(["p.go", "p_linux.go"], []), darwin=(["p.go"], []))
    after = listings(linux=(["p.go"], []), darwin=(["p.go"], []))
    found = reach.of_platforms(before, after, ["src/p/p_linux.go"])
    assert found[LINUX].reached
    assert not found[DARWIN].reached


def test_a_build_line_that_changes_reaches_both_where_the_file_was_and_where_it_is() -> None:
    before = listings(linux=(["p.go", "x.go"], []), darwin=(["p.go"], []))
    after = listings(linux=(["p.go"], []), darwin=(["p.go", "x.go"], []))
    found = reach.of_platforms(before, after, ["src/p/x.go"])
    assert found[LINUX].reached
    assert found[DARWIN].reached


def test_where_only_tests_change_nothing_is_reached_but_something_changes() -> None:
    both = listings(linux=(["p.go"], ["p_test.go"]), darwin=(["p.go"], ["p_test.go", "p_darwin_test.go"]))
    found = reach.of_platforms(both, both, ["src/p/p_darwin_test.go"])[DARWIN]
    assert not found.reached
    assert (found.test_packages, found.changed, found.tested) == (("p",), ("p",), ("p",))


def test_dependents_are_transitive_and_leave_out_what_changed() -> None:
    release = Release(tags={LINUX: ()}, importers={"linux": {"a": ("b",), "b": ("c", "d"), "c": ("d",)}})
    assert release.dependents(["a"], "linux") == ("b", "c", "d")
    assert release.dependents(["a", "c"], "linux") == ("b", "d")
    assert release.dependents(["d"], "linux") == ()


def test_who_imports_directly_leaves_out_commands_and_what_changed() -> None:
    release = Release(
        tags={LINUX: ()},
        importers={"linux": {"a": ("b", "cmd/x", "c"), "b": ("d",)}, "darwin": {"b": ("e",)}},
    )
    assert release.importing(["a", "b"], "linux") == ("c", "d")
    assert release.importing(["a", "b"], "darwin") == ("e",)
    assert release.importing(["a", "b"], "plan9") == ()


@pytest.mark.parametrize("name", ["runtime", "internal/poll", "vendor/golang.org/x/net/idna", "cmd/go"])
def test_packages(name: str) -> None:
    assert listing.is_package(name)


@pytest.mark.parametrize(
    "name", ["-exec=x", "...", "net/...", "all", "std", "a b", "", "x@v1", "a/-b", "a//b"]
)
def test_a_folder_that_the_go_command_would_take_for_something_else_is_no_package(name: str) -> None:
    assert not listing.is_package(name)


def test_what_no_platform_lists_is_named_unless_it_is_for_tests_or_outside_src() -> None:
    both = listings(linux=(["p.go", "p_linux.go"], ["p_test.go"]), darwin=(["p.go"], []))
    changed = [
        "src/p/p_linux.go",
        "src/p/p_test.go",
        "src/p/odd.go",
        "src/p/odd_test.go",
        "src/p/testdata/x.go",
        "src/go.mod",
        "doc/x.html",
    ]
    found = reach.of_platforms(both, both, changed)
    assert reach.unlisted(found.values(), changed) == ["src/go.mod", "src/p/odd.go"]
