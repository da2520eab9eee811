"""``compare``: formats, the gate and its exit codes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from pipeline.commands.compare import compare, parse_gate
from pipeline.errors import ExitCode, HostError, UsageError


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, *groups: tuple[str, str, list[float]], head: str = "") -> str:
    lines = [head] + [
        f"Benchmark{bench} 1 {value} {unit}" for bench, unit, values in groups for value in values
    ]
    Path(name).write_text("\n".join(lines) + "\n")
    return name


def gate(*inputs: str, fail_on: str = "regression") -> tuple[ExitCode, str]:
    err = io.StringIO()
    return compare(inputs, fail_on=fail_on, out=io.StringIO(), err=err), err.getvalue()


LOW = [100.0, 101.0, 102.0, 103.0, 104.0, 105.0]
HIGH = [value * 1.1 for value in LOW]


def test_a_regression_fails() -> None:
    code, reason = gate(write("a", ("X", "ns/op", LOW)), write("b", ("X", "ns/op", HIGH)))
    assert code is ExitCode.PATCH_FAILS
    assert reason == "regression: X sec/op (b) is 10.00 % worse\n"


def test_an_improvement_passes() -> None:
    assert gate(write("a", ("X", "ns/op", HIGH)), write("b", ("X", "ns/op", LOW))) == (ExitCode.PASS, "")


def test_without_a_gate_nothing_fails() -> None:
    files = [write("a", ("X", "ns/op", LOW)), write("b", ("X", "ns/op", HIGH))]
    assert compare(files, out=io.StringIO()) is ExitCode.PASS


@pytest.mark.parametrize(
    ("fail_on", "code"),
    [
        ("regression:9.9", ExitCode.PATCH_FAILS),
        ("regression:9.9%", ExitCode.PATCH_FAILS),
        ("regression:10.1", ExitCode.PASS),
    ],
)
def test_threshold(fail_on: str, code: ExitCode) -> None:
    files = [write("a", ("X", "ns/op", LOW)), write("b", ("X", "ns/op", HIGH))]
    assert gate(*files, fail_on=fail_on)[0] is code


def test_a_threshold_of_exactly_the_change() -> None:
    files = [write("a", ("X", "x", [100.0] * 6)), write("b", ("X", "x", [150.0] * 6))]
    assert gate(*files, fail_on="regression:50")[0] is ExitCode.PATCH_FAILS
    assert gate(*files, fail_on="regression:50.01")[0] is ExitCode.PASS


@pytest.mark.parametrize("unit", ["MB/s", "ops/sec"])
def test_rates_should_be_high(unit: str) -> None:
    assert gate(write("a", ("X", unit, LOW)), write("b", ("X", unit, HIGH)))[0] is ExitCode.PASS
    assert gate(write("a", ("X", unit, HIGH)), write("b", ("X", unit, LOW)))[0] is ExitCode.PATCH_FAILS


def test_metadata_decides_the_direction() -> None:
    head = "Unit hits better=higher\nUnit MB/s better=lower"
    files = [write("a", ("X", "hits", LOW), head=head), write("b", ("X", "hits", HIGH))]
    assert gate(*files)[0] is ExitCode.PASS
    files = [write("a", ("X", "MB/s", LOW), head=head), write("b", ("X", "MB/s", HIGH))]
    assert gate(*files)[0] is ExitCode.PATCH_FAILS


def test_too_few_samples_are_inconclusive() -> None:
    code, reason = gate(write("a", ("X", "ns/op", LOW[:3])), write("b", ("X", "ns/op", HIGH[:3])))
    assert code is ExitCode.INCONCLUSIVE
    assert reason == "inconclusive: X sec/op (b) has too few samples to show a difference\n"


def test_unequal_samples_that_could_have_shown_a_difference() -> None:
    # 3 against 6 can reach p = 2/84, which benchstat's own warning for equal sizes does not see.
    assert gate(write("a", ("X", "x", LOW[:3])), write("b", ("X", "x", LOW)))[0] is ExitCode.PASS


def test_equal_samples_are_decided_only_if_there_are_enough() -> None:
    assert gate(write("a", ("X", "x", [1.0] * 6)), write("b", ("X", "x", [1.0] * 6)))[0] is ExitCode.PASS
    assert gate(write("a", ("X", "x", [1.0])), write("b", ("X", "x", [1.0])))[0] is ExitCode.INCONCLUSIVE


def test_a_regression_outweighs_what_is_undecided() -> None:
    files = [
        write("a", ("X", "ns/op", LOW), ("Y", "ns/op", [1.0])),
        write("b", ("X", "ns/op", HIGH), ("Y", "ns/op", [1.0])),
    ]
    assert gate(*files)[0] is ExitCode.PATCH_FAILS


def test_nothing_in_common_is_inconclusive() -> None:
    code, reason = gate(write("a", ("X", "ns/op", LOW)), write("b", ("Y", "ns/op", LOW)))
    assert code is ExitCode.INCONCLUSIVE
    assert "no benchmark" in reason
    assert gate(write("a", ("X", "ns/op", LOW)))[0] is ExitCode.INCONCLUSIVE
    assert gate(write("a"), write("b"))[0] is ExitCode.INCONCLUSIVE


def test_exact_units_need_one_sample() -> None:
    head = "Unit bytes assume=exact"
    files = [write("a", ("X", "bytes", [10.0]), head=head), write("b", ("X", "bytes", [11.0]))]
    assert gate(*files)[0] is ExitCode.PATCH_FAILS
    files = [write("a", ("X", "bytes", [10.0]), head=head), write("b", ("X", "bytes", [10.0]))]
    assert gate(*files)[0] is ExitCode.PASS


def test_from_zero_any_loss_counts() -> None:
    files = [write("a", ("X", "allocs/op", [0.0] * 6)), write("b", ("X", "allocs/op", [1.0] * 6))]
    code, reason = gate(*files, fail_on="regression:1000")
    assert code is ExitCode.PATCH_FAILS
    assert "inf % worse" in reason


def test_not_a_number_is_inconclusive() -> None:
    files = [write("a", ("X", "x", [*LOW, float("nan")])), write("b", ("X", "x", LOW))]
    assert gate(*files)[0] is ExitCode.INCONCLUSIVE


@pytest.mark.parametrize(
    "options",
    [
        {"format": "yaml"},
        {"fail_on": "improvement"},
        {"fail_on": "regression:"},
        {"fail_on": "regression:-1"},
        {"fail_on": "regression:1e9"},
        {"fail_on": "regression:nan"},
        {"sort": "name"},
        {"filter": "("},
        {"row": "a@b"},
        {"alpha": 2.0},
    ],
)
def test_usage_errors(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        compare([write("a", ("X", "x", LOW))], out=io.StringIO(), **options)  # type: ignore[arg-type]


def test_no_inputs_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        compare([], out=io.StringIO())


def test_missing_files_are_the_hosts_fault() -> None:
    with pytest.raises(HostError, match="no such file"):
        compare(["missing"], out=io.StringIO())


@pytest.mark.parametrize(
    ("output", "start"),
    [("text", "  │"), ("csv", ",a,"), ("markdown", "| sec/op |"), ("html", "<div"), ("json", "{")],
)
def test_formats(output: str, start: str) -> None:
    files = [write("a", ("X", "ns/op", LOW)), write("b", ("X", "ns/op", HIGH))]
    out = io.StringIO()
    compare(files, format=output, out=out)
    assert out.getvalue().startswith(start)


def test_sorting_by_effect_puts_the_worst_first() -> None:
    def groups(factors: dict[str, float]) -> list[tuple[str, str, list[float]]]:
        return [(name, "ns/op", [value * factor for value in LOW]) for name, factor in factors.items()]

    files = [
        write("a", *groups(dict.fromkeys("PQRS", 1.0))),
        write("b", *groups({"P": 0.5, "Q": 1.2, "R": 1.0, "S": 1.5})),
    ]
    out = io.StringIO()
    compare(files, format="json", sort="effect", out=out)
    assert [row["name"] for row in json.loads(out.getvalue())["tables"][0]["rows"]] == ["S", "Q", "R", "P"]


def test_lines_that_cannot_be_read_are_reported() -> None:
    Path("a").write_text("BenchmarkX 1\n")
    err = io.StringIO()
    compare(["a"], out=io.StringIO(), err=err)
    assert err.getvalue() == "a:1: missing measurements\n"


def test_a_gate_is_read() -> None:
    assert parse_gate("") is None
    zero, some = parse_gate("regression"), parse_gate("regression:2.5%")
    assert zero is not None
    assert zero.threshold == 0
    assert some is not None
    assert some.threshold == 2.5
