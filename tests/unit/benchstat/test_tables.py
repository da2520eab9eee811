"""Tables: layout, scaling, CSV, footnotes, and the other renderers' escaping."""

from __future__ import annotations

import io
import json
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.benchfmt import Config, Result, UnitTable, read
from pipeline.benchstat import (
    Table,
    TableOptions,
    build_tables,
    escape_markdown,
    render_csv,
    render_html,
    render_json,
    render_markdown,
    render_text,
)
from pipeline.benchstat.layout import CENTER, LEFT, RIGHT, Layout, Span
from pipeline.benchstat.scale import common_scale
from pipeline.errors import UsageError

SIDES = """\
side: base
BenchmarkA 1 100 ns/op
BenchmarkA 1 101 ns/op
BenchmarkA 1 102 ns/op
BenchmarkA 1 103 ns/op
BenchmarkB 1 7 ns/op
side: patched
BenchmarkA 1 200 ns/op
BenchmarkA 1 201 ns/op
BenchmarkA 1 202 ns/op
BenchmarkA 1 203 ns/op
BenchmarkC 1 9 ns/op
"""


def tables(text: str, **options: str) -> list[Table]:
    return build_tables(read(text.splitlines()), TableOptions(**options))  # type: ignore[arg-type]


def test_columns_by_a_key_of_the_file() -> None:
    # The medians are 101.5 and 201.5, the smallest p of 4 and 4 values is 2/70, and the footnote of the
    # last row widens the right column by two.
    assert render_text(tables(SIDES, col="side")) == (
        "        │     base     │                patched                │\n"
        "        │    sec/op    │    sec/op     vs base                 │\n"
        "A         101.5n ± ∞ ¹   201.5n ± ∞ ¹  +98.52% (p=0.029 n=4)\n"
        "B         7.000n ± ∞ ¹\n"
        "C                        9.000n ± ∞ ¹\n"
        "geomean   26.66n         42.59n        +98.52%               ²\n"
        "¹ need >= 6 samples for confidence interval at level 0.95\n"
        "² benchmark set differs from baseline; geomeans may not be comparable\n"
    )


def test_csv_rows_end_at_their_last_cell() -> None:
    # benchstat fills up the titles and the geomean, and nothing else.
    csv, warnings = render_csv(tables(SIDES, col="side"))
    lines = csv.splitlines()
    assert lines[:2] == [",base,,patched,,,", ",sec/op,CI,sec/op,CI,vs base,P"]
    assert lines[3] == "B,7.000000000000001e-09,∞"
    assert lines[4] == "C,,,9.000000000000001e-09,∞"
    assert lines[5].count(",") == 6
    assert warnings.splitlines()[0] == "B3: need >= 6 samples for confidence interval at level 0.95"
    assert warnings.splitlines()[-1].startswith("D6: benchmark set differs")


def test_csv_quotes_as_go_does() -> None:
    text = 'Benchmarka,b 1 1 x\nBenchmark"q" 1 1 x\n'
    csv, _ = render_csv(tables(text, col=""))
    assert '"a,b",1,∞' in csv
    assert '"""q""",1,∞' in csv


def test_csv_column_names_are_those_of_benchstat() -> None:
    lines = []
    for index in range(9):
        lines += [f"side: s{index}", f"BenchmarkA 1 {index + 1} x"]
    _, warnings = render_csv(tables("\n".join(lines), col="side"))
    # Column 31 would be AF in a spreadsheet; benchstat counts A as zero and says BF.
    assert {line.split("3:")[0] for line in warnings.splitlines()} >= {"B", "D", "BB", "BF"}


def test_several_column_fields_share_titles() -> None:
    text = "\n".join(
        line
        for goos in ("linux", "darwin")
        for side in ("a", "b")
        for line in (f"goos: {goos}", f"side: {side}", "BenchmarkX 1 5 ns/op")
    )
    lines = render_text(tables(text, col="goos,side")).splitlines()
    assert lines[0].count("linux") == lines[0].count("darwin") == 1
    assert lines[0].count("│") == 3
    assert lines[1].split() == ["│", "a", "│", "b", "│", "a", "│", "b", "│"]


def test_configuration_is_printed_where_it_changes() -> None:
    text = "goos: linux\npkg: b\nBenchmarkX 1 5 x 6 B/op\npkg: a\nBenchmarkX 1 5 x\npkg:\nBenchmarkX 1 1 y\n"
    lines = [line for line in render_text(tables(text, col="")).splitlines() if ":" in line]
    # Values of grouped keys sort by text, the missing one first.
    assert lines == ["goos: linux", "pkg: ", "pkg: a", "pkg: b"]


def test_varying_benchmarks_are_named() -> None:
    text = "goos: a\nBenchmarkX/p=1 1 5 x\nBenchmarkX/p=2 1 6 x\ngoos: b\nBenchmarkX/p=2 1 6 x\n"
    (table,) = tables(text, row=".name", table="", col="")
    assert table.cells[0][0] is not None
    assert table.cells[0][0].warnings == ("benchmarks vary in goos, .fullname",)
    (table,) = tables(text, row=".name", table="", col="", ignore=".fullname goos")
    assert table.cells[0][0] is not None
    assert table.cells[0][0].warnings == ()


def test_zero_is_measured_in_its_own_unit() -> None:
    text = "BenchmarkX 1 0 ns/op\nBenchmarkX 1 5 ns/op\n"
    assert [table.unit for table in tables(text, col="")] == ["ns/op", "sec/op"]


def test_nan_is_said_and_not_tested() -> None:
    text = "side: a\nBenchmarkX 1 nan x\nside: b\nBenchmarkX 1 2 x\n"
    out = render_text(tables(text, col="side"))
    assert "a sample holds NaN, so no test is possible" in out
    assert "NaN" in out.splitlines()[2]


def test_infinite_values() -> None:
    out = render_text(tables("side: a\nBenchmarkX 1 inf x\nside: b\nBenchmarkX 1 2 x\n", col="side"))
    assert "+Inf" in out


def test_empty_projections() -> None:
    out = render_text(tables(SIDES, table="", row="", col=""))
    assert "sec/op" in out
    assert render_csv(tables(SIDES, table="", row="", col=""))[0].startswith(",sec/op,CI\n")


def test_no_results_make_no_tables() -> None:
    assert render_text(tables("PASS\n")) == ""
    assert render_csv([]) == ("", "")
    assert render_markdown([]) == ""


def test_options_out_of_range() -> None:
    for options, message in (
        (TableOptions(alpha=1.5), "-alpha must be in range [0, 1]"),
        (TableOptions(confidence=-0.5), "-confidence must be in range [0, 1]"),
        (TableOptions(confidence=float("nan")), "-confidence must be in range [0, 1]"),
    ):
        with pytest.raises(UsageError) as caught:
            build_tables([], options)
        assert caught.value.what == message


# Expected strings: Go's benchunit rules, four significant digits at the steps where printing rounds.
@pytest.mark.parametrize(
    ("value", "binary", "text"),
    [
        (0.0, False, "0.000"),
        (1.0, False, "1.000"),
        (9.9995, False, "10.00"),
        (9.9994, False, "9.999"),
        (99.995, False, "100.0"),
        (999.94, False, "999.9"),
        (999.95, False, "1.000k"),
        (1e15, False, "1000.0T"),
        (-2.5e-6, False, "-2.500µ"),
        (1e-9, False, "1.000n"),
        (1e-10, False, "0.1000n"),
        (5e-14, False, "0.00005000n"),
        (1e-30, False, "0.0000000000n"),
        (1023.0, True, "1023.0"),
        (1024.0, True, "1.000Ki"),
        (1020 * 1024.0, True, "1020.0Ki"),
        (0.5, True, "0.5000"),
        (float("inf"), False, "+InfT"),
        (float("nan"), False, "NaNn"),
    ],
)
def test_scale(value: float, binary: bool, text: str) -> None:
    assert common_scale([value], binary=binary).format(value) == text


def test_one_scale_a_row_from_the_smallest() -> None:
    scale = common_scale([5e-3, 0.0, -2e-6], binary=False)
    assert scale.format(5e-3) == "5000.000µ"
    assert scale.format(0.0) == "0.000µ"


@given(st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: 0 < abs(x) < 1e300))
def test_a_scaled_number_shows_its_value(value: float) -> None:
    scale = common_scale([value], binary=False)
    shown = float(scale.format(value).removesuffix(scale.prefix) or 0) * scale.factor
    assert shown == pytest.approx(value, rel=1e-3, abs=scale.factor * 10.0**-scale.decimals)


def test_layout_widens_for_a_long_title() -> None:
    layout = Layout(
        rows=[
            [Span(1, 2, "a long title", CENTER, " │ "), Span(3, 1, "", LEFT, " │")],
            [Span(0, 1, "é", LEFT, ""), Span(1, 1, "12", RIGHT, " "), Span(2, 1, "3", RIGHT, " ")],
        ],
        shrink={2},
    )
    lines: list[str] = []
    layout.render(lines.append)
    # Column 2 keeps its two characters, so column 1 takes the rest of the twelve.
    assert "".join(lines) == "  │ a long title │\né           12 3\n"


def test_layout_pads_the_other_way_where_a_title_does_not_fit() -> None:
    # All columns under the title shrink, so nothing grows; Go then pads by the negative width.
    layout = Layout(
        rows=[
            [Span(0, 1, "abcdef", LEFT, ""), Span(1, 1, "x", LEFT, " ")],
            [Span(0, 2, "a title of many", LEFT, ""), Span(2, 1, "y", LEFT, " ")],
        ],
        shrink={0, 1},
    )
    lines: list[str] = []
    layout.render(lines.append)
    assert "".join(lines) == "abcdef x\na title of many        y\n"


HOSTILE = "a|b`c<script>alert(1)</script>*_[x](javascript:1)&amp;#1@me\x1b\u202e\udcff"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile_tables() -> list[Table]:
    results = [
        Result.of(HOSTILE, {HOSTILE: 1.0}, config=Config.of({"k": HOSTILE, "side": side}))
        for side in (HOSTILE, "b")
    ]
    return build_tables(results, TableOptions(col="side"))


def test_hostile_names_stay_plain_in_html() -> None:
    page = render_html(hostile_tables())
    parser = _Tags()
    parser.feed(page)
    assert set(parser.tags) <= {"div", "p", "br", "table", "thead", "tbody", "tr", "th", "td"}
    assert HOSTILE.split("\x1b", maxsplit=1)[0] in parser.text
    page.encode()


def test_hostile_names_stay_plain_in_markdown() -> None:
    block = render_markdown(hostile_tables())
    rows = [line for line in block.splitlines() if line.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1
    assert not set("`<*[]@") & set(block)
    block.encode()


@given(st.text())
def test_escaped_markdown_has_no_markup(text: str) -> None:
    escaped = escape_markdown(text)
    assert not set("\\`*_{}[]()<>+!|~$@\"'\n\r") & set(escaped)


def test_json_is_strict_and_complete() -> None:
    data = json.loads(render_json(tables(SIDES + "BenchmarkA 1 inf ns/op\n", col="side")))
    assert data["schema_version"] == 1
    row = data["tables"][0]["rows"][0]
    assert row["name"] == "A"
    assert row["cells"][0]["center"] == pytest.approx(101.5e-9)
    assert row["cells"][0]["ci"] == [None, None]
    comparison = row["cells"][1]["comparison"]
    assert comparison["significant"] is True
    assert comparison["ratio"] == pytest.approx(201.5 / 101.5)


def test_markdown_shows_what_text_shows() -> None:
    block = render_markdown(tables(SIDES, col="side"))
    assert block.splitlines()[0] == "| sec/op | base | patched | vs base | test |"
    assert "| A | 101.5n ± ∞ ¹ | 201.5n ± ∞ ¹ | &#43;98.52% | p=0.029 n=4 |" in block


def test_metadata_known_beforehand() -> None:
    units = UnitTable()
    records = list(read(["Unit x assume=exact better=higher", "BenchmarkA 1 2 x"]))
    (table,) = build_tables(records, TableOptions(col=""), units)
    assert table.better == 1
    assert units.is_exact("x")
    out = io.StringIO()
    out.write(render_text([table]))
    assert "2.000 ± 0%" in out.getvalue()


@pytest.mark.parametrize(
    ("unit", "better"),
    [("ns/op", -1), ("B/op", -1), ("MB/s", 1), ("ops/sec", 1), ("B/s", 1), ("p99-sec", -1), ("x", -1)],
)
def test_direction_without_metadata(unit: str, better: int) -> None:
    (table,) = tables(f"BenchmarkA 1 2 {unit}\n", col="")
    assert table.better == better
