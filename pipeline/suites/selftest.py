"""Patches with a known effect: what the gate must find, and what it must not.

They change hash/fnv, whose 64-bit FNV-1a is a chain of multiplications: each byte waits for the one before,
so the time is proportional to the bytes hashed, whatever the processor can do at once. Hashing 3 % of the
input again costs 3 %.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.store import digest
from pipeline.values import Patch, Series

PACKAGE = "hash/fnv"
BENCHMARK = "BenchmarkSelfTest"
_CODE = "src/hash/fnv/fnv.go"
_TEST = "src/hash/fnv/selftest_test.go"

# A size that the first-level cache holds, and a loop that also the oldest supported release compiles. The sum
# is kept: without a use of it the compiler leaves the multiplications out.
_BENCHMARK_SOURCE = """\
package fnv

import "testing"

func BenchmarkSelfTest(b *testing.B) {
	data := make([]byte, 20000)
	for i := range data {
		data[i] = byte(i)
	}
	h := New64a()
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		h.Reset()
		h.Write(data)
		selfTestSum = h.Sum64()
	}
}

var selfTestSum uint64
"""

_BEFORE = ("func (s *sum64a) Write(data []byte) (int, error) {", "\thash := *s")
_LOOP = ("\tfor _, c := range data {", "\t\thash ^= sum64a(c)", "\t\thash *= prime64", "\t}")
_AFTER = ("\t*s = hash", "\treturn len(data), nil", "}")
# git holds a hunk without lines below to the end of the file.
_BELOW = ("", "func (s *sum128) Write(data []byte) (int, error) {")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A patch and the truth about it: ``change`` is the true change of sec/op as a fraction, ``allocs`` that
    of allocs/op."""

    name: str
    change: float
    allocs: int
    patch: str


def _again(percent: int) -> Case:
    lines = (
        "\tagain := hash",
        f"\tfor _, c := range data[:len(data)*{percent}/100] {{",
        "\t\tagain ^= sum64a(c)",
        "\t\tagain *= prime64",
        "\t}",
        "\tselfTestSink = again",
    )
    patch = _patch(_LOOP, lines, ("", "var selfTestSink sum64a"))
    return Case(name=f"slower-{percent}", change=percent / 100, allocs=0, patch=patch)


def _less(percent: int) -> Case:
    loop = (f"\tfor _, c := range data[:len(data)*{100 - percent}/100] {{", *_LOOP[1:])
    return Case(name=f"faster-{percent}", change=-percent / 100, allocs=0, patch=_patch(loop))


def _allocating() -> Case:
    patch = _patch(_LOOP, ("\tselfTestSink = new([16]byte)",), ("", "var selfTestSink *[16]byte"))
    return Case(name="allocates", change=0.0, allocs=1, patch=patch)


def cases() -> tuple[Case, ...]:
    """Everything that the self-test measures, the unchanged code first."""
    same = Case(name="same", change=0.0, allocs=0, patch=_new_file())
    return (same, _again(3), _again(5), _again(20), _less(5), _allocating())


def _patch(loop: Sequence[str], added: Sequence[str] = (), end: Sequence[str] = ()) -> str:
    """The change of sum64a.Write: ``loop`` in place of the loop, ``added`` after it, ``end`` after the
    function."""
    removed = _LOOP if loop != _LOOP else ()
    kept = () if removed else _LOOP
    body = [
        *(f" {line}" for line in (*_BEFORE, *kept)),
        *(f"-{line}" for line in removed),
        *(f"+{line}" for line in (*(loop if removed else ()), *added)),
        *(f" {line}" for line in _AFTER),
        *(f"+{line}" for line in end),
        *(f" {line}" for line in _BELOW),
    ]
    old = sum(line[0] in " -" for line in body)
    new = sum(line[0] in " +" for line in body)
    head = f"diff --git a/{_CODE} b/{_CODE}\n--- a/{_CODE}\n+++ b/{_CODE}\n@@ -127,{old} +127,{new} @@\n"
    return head + "\n".join(body) + "\n" + _new_file()


def _new_file() -> str:
    lines = _BENCHMARK_SOURCE.splitlines()
    head = f"diff --git a/{_TEST} b/{_TEST}\nnew file mode 100644\n--- /dev/null\n+++ b/{_TEST}\n"
    return head + f"@@ -0,0 +1,{len(lines)} @@\n" + "".join(f"+{line}\n" for line in lines)


def series(case: Case) -> Series:
    """The case as a series of one patch."""
    content = case.patch.encode()
    patch = Patch(
        name=f"{case.name}.patch",
        subject=f"hash/fnv: self-test {case.name}",
        message="",
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
        files=(_CODE, _TEST) if _CODE in case.patch else (_TEST,),
    )
    return Series(
        name=f"self-test-{case.name}",
        subject=patch.subject,
        issue="",
        base="",
        root=Path(),
        patches=(patch,),
        packages=(),
        tests={},
        benchmarks={PACKAGE: (BENCHMARK,)},
        thresholds={},
        digest=digest([case.name, patch.sha256]),
    )
