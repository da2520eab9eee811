"""Files from a seeded generator in the style of the recorded cases, checked for what must always hold."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path

import pytest

from pipeline.benchstat.__main__ import run

FLAGS: tuple[list[str], ...] = (
    [],
    ["-row", ".name"],
    ["-row", ".name", "-col", "/size@num"],
    ["-col", "/size,.file"],
    ["-col", "goos .file", "-table", "pkg"],
    ["-table", "", "-row", "goos,.fullname@alpha"],
    ["-filter", ".unit:(ns/op OR MB/s) -goos:darwin"],
    ["-filter", "/size:/^1/ OR .name:A", "-ignore", "goos"],
    ["-alpha", "0", "-confidence", "0"],
    ["-alpha", "1", "-confidence", "1"],
    ["-confidence", "0.999", "-alpha", "0.3"],
    ["-col", ".name@(B A)", "-row", "/size"],
    ["-row", "", "-col", "", "-table", ""],
)

NAMES = ("A", "B/size=1", "B/size=2k", "C/x/size=10-8", "Ü/size=1Mi")
UNITS = ("ns/op", "B/op", "MB/s")
ODD = ("BenchmarkX 1", "BenchmarkX", "PASS", "k:v", "note:", "Unit", "\x00")


def write(path: Path, seed: int) -> None:
    """Benchmarks that come and go, values of all signs and sizes, and lines that are wrong."""
    rng = random.Random(seed)
    lines = rng.choice([[], ["Unit B/op assume=exact", "Unit ns/op better=higher"]])
    for block in range(rng.randrange(1, 4)):
        lines += [f"goos: {rng.choice(['linux', 'darwin', ''])}", f"pkg: p{block}"]
        for name in rng.sample(
            ["A", "B/size=1", "B/size=2k", "C/x/size=10-8", "Ü/size=1Mi"], rng.randrange(1, 6)
        ):
            for _ in range(rng.choice([1, 2, 5, 6, 10, 11, 31])):
                scale = 10 ** rng.uniform(-3, 9)
                choices = [0, -scale, scale, round(scale), 1e300, 1e-300, 100, 100, 101]
                fields = [f"{rng.choice(choices):.4g} {unit}" for unit in UNITS]
                lines.append(f"Benchmark{name} {rng.randrange(1, 1000)} " + "\t".join(fields))
                if rng.random() < 0.02:
                    lines.append(rng.choice(ODD))
    path.write_text(rng.choice(["\n", "\r\n"]).join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize("seed", range(40))
def test_what_must_always_hold(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["a", "b", "c"][: seed % 3 + 1]
    for index, name in enumerate(names):
        write(tmp_path / name, 100 * seed + index)
    for flags in FLAGS:
        outputs = {}
        for output in ("text", "csv"):
            out, err = io.StringIO(), io.StringIO()
            assert run([*flags, "-format", output, *names], out, err) == 0
            outputs[output] = out.getvalue()
            assert "benchstat:" not in err.getvalue()
        check_text(outputs["text"])
        check_agreement(outputs["text"], outputs["csv"])


def check_text(text: str) -> None:
    """No line of a table ends in white space; a configuration key without a value does."""
    for line in text.splitlines():
        assert line == line.rstrip() or line.endswith(": ")


def check_agreement(text: str, table: str) -> None:
    """Text and CSV show the same changes and tests in the same order."""
    changes = [field for row in csv.reader(io.StringIO(table)) for field in row if field.startswith("p=")]
    shown = [part.split(")")[0] for part in text.split("(")[1:] if part.startswith("p=")]
    assert changes == shown
