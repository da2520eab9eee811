"""The reader: what it understands, what it reports, and what it survives."""

from __future__ import annotations

import errno
import io
import math
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.benchfmt import (
    Config,
    InputError,
    Reader,
    Record,
    Result,
    SyntaxProblem,
    Unit,
    UnitMetadata,
    Writer,
    parse_inputs,
    read,
)
from pipeline.benchfmt.units import is_binary, tidy


def records(text: str | bytes) -> list[Record]:
    data = text.encode() if isinstance(text, str) else text
    return list(Reader().read(io.BytesIO(data), "f"))


def results(text: str | bytes) -> list[Result]:
    return [record for record in records(text) if isinstance(record, Result)]


def problems(text: str | bytes) -> list[str]:
    return [str(record) for record in records(text) if isinstance(record, SyntaxProblem)]


def test_values_are_in_base_units_and_keep_what_was_written() -> None:
    (result,) = results("BenchmarkX-8 \t 100\t 1500 ns/op\t 2.5 MB/s\t 7 B/op\n")
    assert result.name == "X-8"
    assert result.iterations == 100
    assert result.units == (Unit("sec/op", "ns/op"), Unit("B/s", "MB/s"), Unit("B/op"))
    assert result.values == [1500 * 1e-9, 2.5e6, 7.0]
    assert result.raw == [1500.0, 2.5, 7.0]


def test_the_second_of_two_equal_lines_reads_like_the_first() -> None:
    # The first line of a kind goes through the exact reader and later ones through the quick one.
    first, second = results("BenchmarkX 5 1500 ns/op 3 B/op\nBenchmarkX 5 1500 ns/op 3 B/op\n")
    assert first._replace(line=0) == second._replace(line=0)
    assert first.units is second.units


def test_zero_and_infinity_keep_their_unit() -> None:
    text = "BenchmarkX 1 5 ns/op\nBenchmarkX 1 0 ns/op\nBenchmarkX 1 inf ns/op\nBenchmarkX 1 nan ns/op\n"
    assert [result.units[0].name for result in results(text)] == ["sec/op", "ns/op", "ns/op", "sec/op"]


def test_configuration_is_changed_and_deleted() -> None:
    text = "goos: linux\nkey:   two words \nBenchmarkA 1 1 x\ngoos:\nkey: 3\nBenchmarkB 1 1 x\n"
    first, second = results(text)
    assert first.config.file_values() == {"goos": "linux", "key": "two words "}
    assert second.config.file_values() == {"key": "3"}


def test_deleting_moves_the_last_key_into_the_hole() -> None:
    (result,) = results("a: 1\nb: 2\nc: 3\na:\nBenchmarkA 1 1 x\n")
    assert list(result.config.file_values()) == ["c", "b"]


def test_equal_configurations_are_shared() -> None:
    text = "pkg: a\nBenchmarkA 1 1 x\npkg: b\nBenchmarkA 1 1 x\npkg: a\nBenchmarkA 1 1 x\n"
    first, second, third = results(text)
    assert first.config is third.config
    assert first.config is not second.config


@pytest.mark.parametrize(
    "line",
    ["Key: v", "key :v", "key:v", "kEy: v", ": v", "key v", "ke y: v", "8: v", "ª: v", "PASS", "ok  \tx\t1s"],
)
def test_lines_that_are_no_configuration(line: str) -> None:
    (result,) = results(line + "\nBenchmarkA 1 1 x\n")
    assert result.config.file_values() == {}


@pytest.mark.parametrize(
    ("line", "key"), [("é: v", "é"), ("a/b.c: v", "a/b.c"), ("a\x00: v", "a\x00"), ("a::\tv", "a")]
)
def test_odd_keys(line: str, key: str) -> None:
    (result,) = results(line + "\nBenchmarkA 1 1 x\n")
    if line.startswith("a::"):
        assert result.config.file_values() == {}  # the value must be set off by a space or tab
    else:
        assert result.config.file_values() == {key: "v"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("BenchmarkX ", "missing iteration count"),
        ("BenchmarkX x 1 ns/op", "parsing iteration count: invalid syntax"),
        ("BenchmarkX 1_0 1 ns/op", "parsing iteration count: invalid syntax"),
        ("BenchmarkX 99999999999999999999 1 ns/op", "parsing iteration count: value out of range"),
        ("BenchmarkX 5", "missing measurements"),
        ("BenchmarkX 5 7", "missing units"),
        ("BenchmarkX 5 7 ns/op 8", "missing units"),
        ("BenchmarkX 5 nope ns/op", "parsing measurement: invalid syntax"),
        ("BenchmarkX 5 1e999 ns/op", "parsing measurement: value out of range"),
        ("BenchmarkX 5 7 a 8 b nope", "parsing measurement: invalid syntax"),
        ("Unit", "missing unit"),
        ("Unit x y", "expected key=value"),
        ("Unit x =y", "expected key=value"),
    ],
)
def test_problems_carry_file_and_line(line: str, message: str) -> None:
    assert problems(f"goos: x\n{line}\r\nBenchmarkOK 1 1 ns/op\n") == [f"f:2: {message}"]
    assert len(results(f"{line}\nBenchmarkOK 1 1 ns/op\n")) == 1


def test_a_bare_name_is_skipped() -> None:
    assert records("BenchmarkX\nBenchmarkX/y=1-8\r\nBenchmark\n") == []


def test_an_empty_name_is_a_name() -> None:
    (result,) = results("Benchmark 5 1 x\n")
    assert result.name == ""


def test_lines_without_a_final_newline_and_with_carriage_returns() -> None:
    first, second = results("goos: linux\r\nBenchmarkA 1 1 x\r\nBenchmarkA 2 1 x")
    assert first.config.get("goos") == "linux"
    assert second.iterations == 2
    assert second.units == (Unit("x"),)


def test_unit_metadata() -> None:
    text = "Unit ns/op better=lower assume=exact\nUnit sec/op better=higher\nUnit ns/op better=lower\n"
    first, second, problem = records(text)
    assert isinstance(first, UnitMetadata)
    assert (first.unit, first.written, first.key, first.value) == ("sec/op", "ns/op", "better", "lower")
    assert isinstance(second, UnitMetadata)
    assert str(problem) == "f:2: metadata better of unit sec/op already set to lower"


def test_unit_metadata_holds_across_inputs() -> None:
    reader = Reader()
    list(reader.read(io.BytesIO(b"Unit x assume=exact\n"), "a"))
    assert reader.units.is_exact("x")
    (problem,) = reader.read(io.BytesIO(b"Unit x assume=nothing\n"), "b")
    assert str(problem) == "b:1: metadata assume of unit x already set to exact"


def test_white_space_is_that_of_go() -> None:
    text = "BenchmarkA\u00a01\u20031 x\u3000\nBenchmarkB\x1c 1 1 x\nBenchmarkB\x1c 1 1 x\n"
    assert [result.name for result in results(text)] == ["A", "B\x1c", "B\x1c"]


def test_numbers_in_other_scripts_are_no_numbers() -> None:
    text = "BenchmarkA 1 1 x\nBenchmarkA ١ 1 x\nBenchmarkA 1 ١ x\n"
    assert len(results(text)) == 1
    assert len(problems(text)) == 2


def test_bytes_that_are_not_utf8_pass_through() -> None:
    (result,) = results(b"note: \xff\xfe\nBenchmark\xe9/a 1 1 x\n")
    assert result.config.get("note").encode("utf-8", "surrogateescape") == b"\xff\xfe"
    assert result.name.encode("utf-8", "surrogateescape") == b"\xe9/a"


def test_nul_bytes_are_ordinary_characters() -> None:
    (result,) = results("BenchmarkA\x00B 1 1 x\n")
    assert result.name == "A\x00B"


@pytest.mark.parametrize("length", [65535, 65536])
def test_the_longest_line_is_that_of_go(length: int) -> None:
    line = b"x" * length
    data = b"BenchmarkA 1 1 x\n" + line + b"\nBenchmarkA 1 1 x\n"
    found: list[Record] = []
    reader = Reader().read(io.BytesIO(data), "f")
    if length < 65536:
        assert len(list(reader)) == 2
        return
    with pytest.raises(InputError, match=r"^f:1: bufio.Scanner: token too long$"):
        found.extend(reader)
    assert len(found) == 1


def test_a_huge_line_is_refused_without_being_held() -> None:
    class Endless(io.RawIOBase):
        served = 0

        def read(self, size: int = -1, /) -> bytes:
            self.served += size
            return b"x" * size

    endless = Endless()
    with pytest.raises(InputError, match="token too long"):
        list(Reader().read(endless, "f"))  # type: ignore[arg-type]
    assert endless.served < 1 << 20


def test_lines_across_blocks() -> None:
    count = 30_000
    text = "".join(f"BenchmarkName{index} 1 {index} ns/op\n" for index in range(1, count + 1))
    found = results(text)
    assert [result.line for result in found] == list(range(1, count + 1))
    assert found[-1].raw == [float(count)]


def test_missing_files_and_folders(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(InputError, match=f"^open {missing}: no such file or directory$"):
        list(read(missing))
    with pytest.raises(InputError, match=f"^{tmp_path}:0: read {tmp_path}: is a directory$"):
        list(read(tmp_path))
    with pytest.raises(InputError, match=r"^open : no such file or directory$"):
        list(read(""))


def test_a_failing_read_is_reported_with_the_line() -> None:
    class Failing(io.RawIOBase):
        blocks: ClassVar = [b"BenchmarkA 1 1 x\nBenchmark"]

        def read(self, _size: int = -1, /) -> bytes:
            if self.blocks:
                return self.blocks.pop()
            raise PermissionError(errno.EACCES, "Permission denied")

    with pytest.raises(InputError, match=r"^f:1: read f: permission denied$"):
        list(Reader().read(Failing(), "f"))  # type: ignore[arg-type]


def test_labels() -> None:
    inputs = parse_inputs(["a", "b=a", "a", "c", "=d", "e=f=g"])
    assert [(one.path, one.label) for one in inputs] == [
        ("a", "a#0"),
        ("a", "b"),
        ("a", "a#1"),
        ("c", "c"),
        ("d", ""),
        ("f=g", "e"),
    ]


def test_reading_lines_in_memory_with_a_label() -> None:
    (result,) = read(["side: base", "BenchmarkA 1 1 x"], "label")
    assert isinstance(result, Result)
    assert result.config.get(".file") == "label"
    assert result.config.file_values() == {"side": "base"}


@pytest.mark.parametrize(
    ("unit", "tidied", "factor"),
    [
        ("ns/op", "sec/op", 1e-9),
        ("MB/s", "B/s", 1e6),
        ("p99-ns", "p99-sec", 1e-9),
        ("ns*MB/ns", "sec*B/ns", 1e-9 * 1e6),
        ("op/ns", "op/ns", 1.0),
        ("conns/op", "conns/op", 1.0),
        ("x/y*ns", "x/y*sec", 1e-9),
    ],
)
def test_tidy(unit: str, tidied: str, factor: float) -> None:
    assert tidy(unit) == (tidied, factor)


@pytest.mark.parametrize(
    ("unit", "binary"),
    [("B/op", True), ("total-bytes", True), ("MB/s", True), ("op/B", False), ("KB/s", False), ("", False)],
)
def test_binary_units(unit: str, binary: bool) -> None:
    assert is_binary(unit) is binary


_WORD = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=8)
_KEY = st.from_regex(r"[a-z][a-z0-9/._-]{0,6}", fullmatch=True)
_VALUE = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=8)
_RESULT = st.builds(
    Result.of,
    _WORD,
    st.dictionaries(_WORD, st.floats(allow_nan=False), min_size=1, max_size=4),
    iterations=st.integers(-(2**63), 2**63 - 1),
    config=st.dictionaries(_KEY, _VALUE, max_size=3).map(Config.of),
)


@given(st.lists(_RESULT, max_size=6))
def test_what_is_written_reads_back(written: list[Result]) -> None:
    out = io.StringIO()
    writer = Writer(out)
    for result in written:
        writer.write(result)
    got = list(read(out.getvalue().split("\n")))
    assert all(isinstance(record, Result) for record in got)
    assert [_essence(record) for record in got if isinstance(record, Result)] == list(map(_essence, written))


def _essence(result: Result) -> object:
    units = [unit.written or unit.name for unit in result.units]
    return result.name, result.iterations, units, list(result.raw), result.config.file_values()


def test_the_writer_prints_only_changes() -> None:
    out = io.StringIO()
    writer = Writer(out)
    for values in ({"side": "base", "round": "1"}, {"side": "base", "round": "2"}, {"side": "base"}):
        writer.write(Result.of("A", {"ns/op": 2.0}, config=Config.of(values)))
    assert out.getvalue() == (
        "side: base\nround: 1\n\nBenchmarkA 1 2 ns/op\n"
        "\nround: 2\n\nBenchmarkA 1 2 ns/op\n"
        "\nround:\n\nBenchmarkA 1 2 ns/op\n"
    )


@given(st.binary(max_size=400))
@example(b"Benchmark\xff 1 1 x\n\x00\r\n:\nUnit \xff\n")
@example(b"BenchmarkX 1 NaN ns/op 0x1p-2 MB/s\n")
def test_no_input_crashes_the_reader(data: bytes) -> None:
    for record in Reader().read(io.BytesIO(data), "f"):
        assert record.file == "f"


@given(
    st.lists(st.sampled_from(["Benchmark", "X", " ", "\t", "1", "ns/op", "Unit", "k", ":", "=", "\n", "1e9"]))
)
def test_no_likely_input_crashes_the_reader(pieces: list[str]) -> None:
    for record in records("".join(pieces)):
        assert not isinstance(record, Result) or not any(map(math.isnan, record.values))
