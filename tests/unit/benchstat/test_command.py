"""The drop-in as a user meets it: flags, errors, exit status, and a pipe that closes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.benchstat.__main__ import run
from pipeline.benchstat.flags import USAGE, parse_arguments

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.usefixtures("processes")


def benchstat(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    status = run(arguments, out, err)
    return status, out.getvalue(), err.getvalue()


def process(*arguments: str | bytes, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline.benchstat", *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "LC_ALL": "C"},
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# The messages were printed by Go's flag package with benchstat's flags defined.
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-alpha", "x", "f"], 'invalid value "x" for flag -alpha: parse error'),
        (["-alpha", "1e999"], 'invalid value "1e999" for flag -alpha: value out of range'),
        (["-alpha=", "f"], 'invalid value "" for flag -alpha: parse error'),
        (["-alpha", "+nan", "f"], 'invalid value "+nan" for flag -alpha: parse error'),
        (["-confidence", "é"], 'invalid value "é" for flag -confidence: parse error'),
        (["-foo"], "flag provided but not defined: -foo"),
        (["--foo=3"], "flag provided but not defined: -foo"),
        (["-=x"], "bad flag syntax: -=x"),
        (["---x"], "bad flag syntax: ---x"),
        (["-alpha"], "flag needs an argument: -alpha"),
    ],
)
def test_flag_errors(arguments: list[str], message: str) -> None:
    assert benchstat(*arguments) == (2, "", f"{message}\n{USAGE}")


def test_help_and_no_inputs() -> None:
    assert benchstat("-h") == (0, "", USAGE)
    assert benchstat("--help", "x") == (0, "", USAGE)
    assert benchstat() == (2, "", USAGE)
    assert benchstat("-row", ".name") == (2, "", USAGE)
    assert benchstat("--") == (2, "", USAGE)


def test_flags() -> None:
    command = parse_arguments(
        ["-alpha", "1_0e-2", "--row=", "-col=a=b", "-format", "csv", "x=y", "-row", "z"]
    )
    assert command.options.alpha == 0.1
    assert command.options.row == ""
    assert command.options.col == "a=b"
    assert command.format == "csv"
    assert command.inputs == ("x=y", "-row", "z")
    assert parse_arguments(["-", "a"]).inputs == ("-", "a")
    assert parse_arguments(["-alpha=0x1p-3", "--", "-row"]).inputs == ("-row",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-alpha", "2", "f"], "-alpha must be in range [0, 1]"),
        (["-confidence", "-1", "f"], "-confidence must be in range [0, 1]"),
        (["-format", "html", "f"], "-format must be text or csv"),
        (["-filter", "a:b )", "f"], 'parsing -filter: syntax error: unexpected ")"\n\ta:b )\n\t    ^'),
        (["-row", "a@b", "-col", "@", "f"], 'parsing -row: syntax error: unknown order "b"\n\ta@b\n\t  ^'),
        (["-ignore", "@", "f"], "parsing -ignore: syntax error: expected key\n\t@\n\t^"),
        (["missing"], "open missing: no such file or directory"),
        (["label=missing"], "open missing: no such file or directory"),
        (["."], ".:0: read .: is a directory"),
        ([""], "open : no such file or directory"),
    ],
)
def test_errors_leave_status_zero(folder: Path, arguments: list[str], message: str) -> None:
    assert benchstat(*arguments) == (0, "", f"benchstat: {message}\n")


def test_problems_before_an_error_are_shown(folder: Path) -> None:
    (folder / "a").write_text("BenchmarkX 1\nBenchmarkX 1 1 ns/op\n")
    assert benchstat("a", "b") == (
        0,
        "",
        "a:1: missing measurements\nbenchstat: open b: no such file or directory\n",
    )


def test_repeated_paths_are_told_apart(folder: Path) -> None:
    (folder / "a").write_text("BenchmarkX 1 1 ns/op\n")
    _, out, _ = benchstat("a", "a", "L=a")
    assert [word for word in out.splitlines()[0].split() if word != "│"] == ["a#0", "a#1", "L"]


def test_equal_labels_share_a_column(folder: Path) -> None:
    (folder / "a").write_text("BenchmarkX 1 1 ns/op\n")
    _, out, _ = benchstat("L=a", "L=a")
    assert out.splitlines()[0].split() == ["│", "L", "│"]


def test_files_of_different_benchmarks(folder: Path) -> None:
    (folder / "a").write_text("BenchmarkX 1 1 x\n")
    (folder / "b").write_text("BenchmarkY 1 1 x\n")
    _, out, _ = benchstat("a", "b")
    # Nothing is compared, so the columns of the change stay narrow and "vs base" pushes the rule out by the
    # negative width Go pads with.
    assert out == (
        "        │      a      │         b          │\n"
        "        │      x      │      x       vs base   │\n"
        "X         1.000 ± ∞ ¹\n"
        "Y                       1.000 ± ∞ ¹\n"
        "geomean   1.000         1.000        ? ² ³\n"
        "¹ need >= 6 samples for confidence interval at level 0.95\n"
        "² benchmark set differs from baseline; geomeans may not be comparable\n"
        "³ ratios must be >0 to compute geomean\n"
    )


def test_unit_conflicts_are_reported_and_the_first_holds(folder: Path) -> None:
    (folder / "a").write_text("Unit x assume=exact\nBenchmarkX 1 1 x\n")
    (folder / "b").write_text("Unit x assume=nothing\nBenchmarkX 1 2 x\n")
    _, out, err = benchstat("a", "b")
    assert err == "b:1: metadata assume of unit x already set to exact\n"
    assert "+100.00% (n=1)" in out


def test_binary_files_make_no_table(folder: Path) -> None:
    (folder / "a").write_bytes(bytes(range(256)) * 100)
    assert benchstat("a") == (0, "", "")


def test_standard_input_and_bytes_that_are_not_utf8() -> None:
    done = process("-", stdin=b"BenchmarkX\xff 1 5 ns/op\n")
    assert done.returncode == 0
    assert b"X\xff" in done.stdout
    assert done.stderr == b""


def test_arguments_that_are_not_utf8() -> None:
    done = process(b"\xff")
    assert (done.returncode, done.stderr) == (0, b"benchstat: open \xff: no such file or directory\n")


def test_status_and_usage_of_a_process() -> None:
    done = process("-nope")
    assert done.returncode == 2
    assert done.stderr.decode() == f"flag provided but not defined: -nope\n{USAGE}"
    assert process("-h").returncode == 0


def test_a_closed_pipe_is_no_error(folder: Path) -> None:
    (folder / "a").write_text("".join(f"Benchmark{index} 1 5 ns/op\n" for index in range(5000)))
    reader, writer = os.pipe()
    child = subprocess.Popen(
        [sys.executable, "-m", "pipeline.benchstat", "a"],
        stdout=writer,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT)},
    )
    os.close(writer)
    os.close(reader)
    _, err = child.communicate()
    assert err == b""
    assert child.returncode == 141


def test_a_hundred_megabyte_line(folder: Path) -> None:
    with (folder / "a").open("wb") as out:
        out.write(b"BenchmarkX 1 5 ns/op\n")
        out.seek(100_000_000, os.SEEK_CUR)
        out.write(b"\n")
    assert benchstat("a") == (0, "", "benchstat: a:1: bufio.Scanner: token too long\n")
