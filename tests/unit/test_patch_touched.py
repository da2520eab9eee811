"""Which benchmarks a series touches: tokens that look like code and are none, names, files that move."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.patch import touched
from pipeline.patch.touched import Touched

NONE = Touched(added=(), altered=())
A = "func BenchmarkA(b *testing.B) {\n\tfor b.Loop() {\n\t\tf()\n\t}\n}\n"


def body(text: str) -> str:
    return f"func BenchmarkA(b *testing.B) {{\n{text}\n}}\n"


def test_what_only_the_patched_side_has_is_added_and_what_differs_altered() -> None:
    before = "package p\n\n" + A + "\nfunc BenchmarkGone(b *testing.B) {}\n\n" + A.replace("A(", "Same(")
    after = before.replace("f()", "g()", 1).replace("BenchmarkGone", "BenchmarkZ")
    after += "func BenchmarkNew(b *testing.B) { bench(b, 1) }\n"
    assert touched.benchmarks(before, after) == Touched(
        added=("BenchmarkNew", "BenchmarkZ"), altered=("BenchmarkA",)
    )
    assert touched.benchmarks("", A) == Touched(added=("BenchmarkA",), altered=())
    assert touched.benchmarks(A, "") == NONE


def test_only_its_own_text_counts() -> None:
    before = f"package p\n\nfunc f() {{ g() }}\n\n// Of A.\n{A}\nvar x = 1\n"
    after = f'package p\n\nimport _ "x"\n\nfunc f() {{ h() }}\n\n// Of A, said better.\n{A}\nvar x = 2\n'
    assert touched.benchmarks(before, after) == NONE
    assert touched.benchmarks(A + before.replace(A, ""), before) == NONE, "moved within the file"


@pytest.mark.parametrize(
    "literal",
    [
        "`\n}\nfunc BenchmarkFake(b *testing.B) {\n`",
        "`\n}\n`",
        "`\\`",
        '"}"',
        '"{"',
        '"\\"}"',
        '"\\\\"',
        '"`"',
        '"// {"',
        '"/*"',
        "'{'",
        "'}'",
        "'\\''",
        "'\\\\'",
        "'\"'",
        "'`'",
        "'\\u007b'",
        "0 // }",
        "0 // it's \" and ` {",
        "0 /* } ` \" ' // */",
        "0 /*\n}\nfunc BenchmarkFake(b *testing.B) {\n*/",
        "0 /**/",
        "0 /***/",
        "1 / 2 /* { */ / 3",
        "func(b *testing.B) { f() }",
        "struct{ a, b int }{1, 2}",
    ],
)
def test_literals_and_comments_confuse_nothing(literal: str) -> None:
    """Inside a benchmark it ends where it ends; outside it hides none and invents none."""
    before = body(f"\tx := {literal}\n\tf(x)")
    assert touched.benchmarks(before + A.replace("A(", "B("), before + A.replace("A(", "C(")) == Touched(
        added=("BenchmarkC",), altered=()
    )
    assert touched.benchmarks(before, before.replace("f(x)", "g(x)")).altered == ("BenchmarkA",)
    outside = f"var x = {literal}\n"
    assert touched.benchmarks("", outside + A) == Touched(added=("BenchmarkA",), altered=())
    assert touched.benchmarks(outside + A, A + outside) == NONE


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ("func Benchmark(b *testing.B)", True),
        ("func Benchmark1(b *testing.B)", True),
        ("func Benchmark_x(b *testing.B)", True),
        ("func BenchmarkÄ(b *testing.B)", True),
        ("func Benchmark世界(b *testing.B)", True),
        ("func Benchmarkª(b *testing.B)", True),  # no lower-case letter to Go, though one to Python
        ("func Benchmarkä(b *testing.B)", False),
        ("func Benchmarking(b *testing.B)", False),
        ("func benchmarkX(b *testing.B)", False),
        ("func TestX(t *testing.T)", False),
        ("func BenchmarkX(*testing.B)", True),
        ("func BenchmarkX(_ *testing.B)", True),
        ("func BenchmarkX(b *B)", True),
        ("func BenchmarkX(b /* the */ *testing.B)", True),
        ("func BenchmarkX(b *testing.B, n int)", False),
        ("func BenchmarkX(b *testing.B) int", False),
        ("func BenchmarkX(t *testing.T)", False),
        ("func BenchmarkX()", False),
        ("func BenchmarkX[T any](b *testing.B)", False),
        ("func (s *suite) BenchmarkX(b *testing.B)", False),
    ],
)
def test_what_go_takes_for_a_benchmark(head: str, found: bool) -> None:
    assert bool(touched.benchmarks("", f"package p\n\n{head} {{\n\tf()\n}}\n").added) is found


@pytest.mark.parametrize("name", ["BenchmarkX", "Benchmark", "Benchmark9"])
def test_names_of_benchmarks(name: str) -> None:
    assert touched.is_benchmark(name)
    for wrong in (name.lower(), "x" + name, name + "\n", name + ":", name + "-2", "Benchmarks"):
        assert not touched.is_benchmark(wrong)


TOKENS = st.sampled_from(
    ["func", " ", "BenchmarkX", "(b *testing.B)", "{", "}", "`", '"', "'", "\\", "//", "/*", "*/", "\n", "é"]
)
SOURCES = st.one_of(st.text(), st.lists(TOKENS, max_size=60).map("".join))


@settings(max_examples=300, deadline=None)
@given(SOURCES, SOURCES)
def test_any_text_is_read_and_equal_texts_touch_nothing(before: str, after: str) -> None:
    assert touched.benchmarks(before, before) == NONE
    found = touched.benchmarks(before, after)
    assert not set(found.added) & set(found.altered)
    for name in (*found.added, *found.altered):
        assert touched.is_benchmark(name)
        assert name in after


CLOSED = st.text().map(lambda text: text.replace("`", "").replace("\r", ""))


@settings(max_examples=200, deadline=None)
@given(CLOSED)
def test_a_raw_string_hides_whatever_it_holds(text: str) -> None:
    source = body(f"\tx := `{text}`") + A.replace("A(", "B(")
    assert touched.benchmarks("", source).added == ("BenchmarkA", "BenchmarkB")


class Trees:
    """Two trees; ``put`` writes a file to one of them, or to both."""

    def __init__(self, root: Path) -> None:
        self.base, self.patched = root / "base", root / "patched"

    def put(self, name: str, base: str | bytes | None, patched: str | bytes | None) -> None:
        for root, text in ((self.base, base), (self.patched, patched)):
            if text is not None:
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text.encode() if isinstance(text, str) else text)

    def touched(self, *changed: str) -> dict[str, Touched]:
        return touched.of_series(self.base, self.patched, changed)


@pytest.fixture
def trees(tmp_path: Path) -> Trees:
    return Trees(tmp_path)


def test_a_series_by_package(trees: Trees) -> None:
    trees.put("src/runtime/a_test.go", A, A.replace("f()", "g()"))
    trees.put("src/net/http/x_test.go", None, A)
    trees.put("src/cmd/gone_test.go", A, None)
    assert trees.touched("src/runtime/a_test.go", "src/net/http/x_test.go", "src/cmd/gone_test.go") == {
        "cmd": NONE,
        "net/http": Touched(added=("BenchmarkA",), altered=()),
        "runtime": Touched(added=(), altered=("BenchmarkA",)),
    }


def test_files_that_hold_no_tests_of_a_package_do_not_count(trees: Trees) -> None:
    names = (
        "src/p/a.go",
        "src/p/testdata/a_test.go",
        "src/p/_a_test.go",
        "src/p/.a_test.go",
        "src/a_test.go",
        "test/a_test.go",
        "a_test.go",
    )
    for name in names:
        trees.put(name, "", A)
    assert trees.touched(*names) == {}


def test_one_that_moves_to_another_file_is_not_touched(trees: Trees) -> None:
    trees.put("src/p/a_test.go", A, "package p\n")
    trees.put("src/p/b_test.go", None, A)
    assert trees.touched("src/p/a_test.go", "src/p/b_test.go") == {"p": NONE}


def test_of_two_platforms_variants_either_may_be_altered(trees: Trees) -> None:
    other = A.replace("f()", "other()")
    for changed in ("src/p/a_linux_test.go", "src/p/a_windows_test.go"):
        trees.put("src/p/a_linux_test.go", A, A)
        trees.put("src/p/a_windows_test.go", other, other)
        trees.put(changed, A, A.replace("f()", "g()"))
        found = trees.touched("src/p/a_linux_test.go", "src/p/a_windows_test.go")
        assert found == {"p": Touched(added=(), altered=("BenchmarkA",))}


def test_bytes_that_are_no_text_are_read(trees: Trees) -> None:
    trees.put("src/p/a_test.go", b"\xff\xfe" + A.encode(), b"\xff// \x80\n" + A.encode())
    trees.put("src/p/b_test.go/x", "", None)
    trees.put("src/p/b_test.go", None, A.replace("A(", "B("))
    assert trees.touched("src/p/a_test.go", "src/p/b_test.go") == {
        "p": Touched(added=("BenchmarkB",), altered=())
    }


def test_code_that_is_no_go_hides_nothing_that_follows() -> None:
    assert touched.benchmarks("", "}\n}\n" + A).added == ("BenchmarkA",)
    assert touched.benchmarks("", "func f() {\n" + A + "}\n" + A.replace("A(", "B(")).added == ("BenchmarkB",)
    assert touched.benchmarks("", "var x = '\n" + A).added == ("BenchmarkA",)


def test_tests_examples_and_fuzz_tests_are_found_like_benchmarks() -> None:
    before = "func TestA(t *testing.T) { f() }\nfunc ExampleA() {\n\tf()\n}\n"
    after = before.replace("f() }", "g() }") + "func FuzzA(f *testing.F) {}\nfunc TestMain(m *testing.M) {}\n"
    after += (
        "func Testing(t *testing.T) {}\nfunc (x T) TestB(t *testing.T) {}\nfunc BenchmarkA(b *testing.B) {}\n"
    )
    assert touched.tests(before, after) == Touched(added=("FuzzA",), altered=("TestA",))
    assert touched.benchmarks(before, after) == Touched(added=("BenchmarkA",), altered=())


def test_what_test_run_runs() -> None:
    names = ("TestA", "Test", "Test1", "TestÄ", "ExampleRing_Len", "FuzzA")
    assert all(map(touched.is_test, names))
    assert not any(map(touched.is_test, ("BenchmarkA", "Testing", "testA", "Fuzzy", "ok", "TestA/sub")))


def test_the_tests_of_a_series_by_package(tmp_path: Path) -> None:
    for side, text in (("base", ""), ("patched", "func TestA(t *testing.T) {}\n")):
        (tmp_path / side / "src/net").mkdir(parents=True)
        (tmp_path / side / "src/net/x_test.go").write_text(f"package net\n{text}")
    found = touched.tests_of_series(tmp_path / "base", tmp_path / "patched", ["src/net/x_test.go"])
    assert found == {"net": Touched(added=("TestA",), altered=())}
