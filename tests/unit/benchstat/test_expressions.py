"""Filters, projections and the regular expressions in them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.benchfmt import Config, Result
from pipeline.benchstat.fields import parse_fields
from pipeline.benchstat.filters import Filter
from pipeline.benchstat.lexer import ExpressionError, go_quote, unquote
from pipeline.benchstat.names import base_name, full_name_without, name_part, name_parts
from pipeline.benchstat.projection import ProjectionParser
from pipeline.benchstat.regex import RegexError, compile_regex


def result(name: str = "Sort/size=4/x-8", **config: str) -> Result:
    measurements = {"ns/op": 5.0, "B/op": 6.0}
    return Result.of(name, measurements, config=Config.of(config))


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("*", None),
        ("-*", [False, False]),
        ("goos:linux", None),
        ("goos:darwin", [False, False]),
        ("-goos:darwin", None),
        ("goos:linux -.name:Sort", [False, False]),
        ("goos:darwin OR .name:Sort", None),
        ("goos:(darwin OR linux)", None),
        ("goos:(darwin OR /lin/)", None),
        ("goos:linux AND AND .name:Sort", None),
        ("(goos:darwin OR *) (.name:Sort)", None),
        ('"goos":"linux"', None),
        ('.name:"So\\x72t"', None),
        (".name:/^S.*t$/", None),
        (".name:/^s/", [False, False]),
        (".name:/(?i)^s/", None),
        (".fullname:/size=4/", None),
        ("/size:4", None),
        ("/gomaxprocs:8", None),
        ("/absent:\"\"", None),
        ("absent:x", [False, False]),
        (".unit:ns/op", [True, False]),
        (".unit:sec/op", [True, False]),
        (".unit:(B/op OR ns/op)", None),
        ("-.unit:B/op", [True, False]),
        (".unit:B/op goos:linux", [False, True]),
        (".unit:B/op OR goos:darwin", [False, True]),
        (".unit:B/op OR goos:linux", None),
        (".unit:/x/", [False, False]),
        ("-(.unit:B/op OR .unit:ns/op)", [False, False]),
        ("foo-bar:*", [False, False]),
    ],
)  # fmt: skip
def test_filters(query: str, kept: list[bool] | None) -> None:
    if query == "foo-bar:*":
        # A star begins a word of its own, so it is no value.
        with pytest.raises(ExpressionError, match="expected key:value"):
            Filter(query)
        return
    assert Filter(query).selects(result(goos="linux")) == kept


# Each message and the column of its caret follow from the grammar in golang/perf's benchproc.
@pytest.mark.parametrize(
    ("query", "message", "column"),
    [
        ("", "expected key:value or subexpression", 0),
        ("  ", "expected key:value or subexpression", 2),
        ("a", "expected key:value", 0),
        ("  a", "expected key:value", 2),
        ("a:", "expected key:value", 0),
        ("a:b )", 'unexpected ")"', 4),
        ("a:b :", 'unexpected ":"', 4),
        ("a:b @c", 'unexpected "@"', 4),
        ("(a:b", 'missing ")"', 4),
        ("a:(b c)", "value list must be separated by OR", 5),
        ("a:()", "expected value", 3),
        ("a:(b OR )", "expected value", 8),
        ('a:"b', "missing end quote", 2),
        ('a:"\\q"', "bad escape sequence", 2),
        ("a:/b", 'missing close "/"', 2),
        ("a:/b/c", 'regexp must be followed by space or an operator (unescaped "/"?)', 5),
        ("a:/*/", "error parsing regexp: missing argument to repetition operator: `*`", 2),
        ("é:b .config:x", ".config is only allowed in projections", 4),
        ('"":x', "key must not be empty", 0),
        ("a:b OR", "expected key:value or subexpression", 6),
        ("-", "expected key:value or subexpression", 1),
    ],
)
def test_filter_errors_point_at_the_place(query: str, message: str, column: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        Filter(query)
    assert caught.value.what == f"syntax error: {message}\n\t{query}\n\t{' ' * column}^"


@pytest.mark.parametrize(
    ("expression", "message", "column"),
    [
        ("a@foo", 'unknown order "foo"', 2),
        ("a@", "expected named sort order or parenthesized list", 2),
        ("a@()", "nothing to match", 3),
        ("a@(b", "missing )", 4),
        ("a,,b", "expected key", 2),
        (",a", "expected key", 0),
        ("a b @", "expected named sort order or parenthesized list", 5),
        (".unit", ".unit is only allowed in filters", 0),
        ("x .config@(a b)", "fixed order not allowed for .config", 10),
        ('""', "key must not be empty", 0),
        ("*", "expected key", 0),
    ],
)
def test_projection_errors_point_at_the_place(expression: str, message: str, column: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        ProjectionParser(Filter("*")).parse(expression)
    assert caught.value.what == f"syntax error: {message}\n\t{expression}\n\t{' ' * column}^"


@given(st.text(alphabet=st.sampled_from(list('a:/"\\()@,-* ORAND.[]+é\x00')), max_size=20))
def test_no_expression_crashes(text: str) -> None:
    for parse in (Filter, ProjectionParser(Filter("*")).parse):
        with contextlib.suppress(ExpressionError):
            parse(text)


def test_fields() -> None:
    specs = [(one.key, one.order, one.fixed) for one in parse_fields('.name,/size@num  "a b"@(x "y z")')]
    assert specs == [(".name", "first", ()), ("/size", "num", ()), ("a b", "fixed", ("x", "y z"))]


def keys(expression: str, *results: Result) -> list[str]:
    projection = ProjectionParser(Filter("*")).parse(expression)
    return list(map(projection.text, projection.sort({projection.project(one): None for one in results})))


def sizes(*values: str) -> list[Result]:
    return [result(f"A/size={value}") for value in values]


def test_orders() -> None:
    values = sizes("2k", "x", "1Mi", "64", "a", "2000", "nan")
    assert keys("/size", *values) == ["2k", "x", "1Mi", "64", "a", "2000", "nan"]
    assert keys("/size@alpha", *values) == ["1Mi", "2000", "2k", "64", "a", "nan", "x"]
    assert keys("/size@num", *values) == ["64", "2000", "2k", "1Mi", "nan", "a", "x"]
    assert keys("/size@(a 64)", *sizes("64", "a")) == ["a", "64"]


def test_configuration_fields_sort_by_text() -> None:
    results = [result(pkg=pkg) for pkg in ("z", "a", "m")]
    assert keys(".config", *results) == ["a", "m", "z"]
    assert keys("pkg", *results) == ["z", "a", "m"]


def test_a_fixed_order_filters() -> None:
    selection = Filter("*")
    ProjectionParser(selection).parse("/size@(a b)")
    assert selection.selects(sizes("a")[0]) is None
    assert selection.selects(sizes("c")[0]) == [False, False]


def test_specific_keys_leave_the_groups() -> None:
    selection = Filter("*")
    parser = ProjectionParser(selection)
    rows = parser.parse(".fullname")
    columns = parser.parse("/size")
    tables = parser.parse(".config")
    parser.parse("goos")
    one = result(goos="linux", pkg="p")
    assert rows.text(rows.project(one)) == "Sort/x-8"
    assert columns.text(columns.project(one)) == "4"
    assert tables.text(tables.project(one)) == "p"
    assert parser.residue().fields() == []


def test_names() -> None:
    assert name_parts("A/b=1/c-8") == ("A", ["/b=1", "/c", "-8"])
    assert name_parts("A-8") == ("A", ["-8"])
    assert name_parts("A-8x") == ("A-8x", [])
    assert name_parts("A-") == ("A-", [])
    assert base_name(result("A-8")) == "A"
    assert base_name(result("A-8/b")) == "A-8"
    assert name_part("A/gomaxprocs=4", "/gomaxprocs") == "4"
    assert name_part("A/gomaxprocs=4-8", "/gomaxprocs") == "8"
    assert name_part("A/b=1/b=2", "/b") == "1"
    one = result("A/b=1/c-8")
    assert full_name_without([".name"])(one) == "*/b=1/c-8"
    assert full_name_without(["/gomaxprocs"])(one) == "A/b=1/c"
    assert full_name_without(["/b", ".name"])(one) == "*/c-8"
    assert full_name_without(["goos"])(one) == "A/b=1/c-8"


# Every answer and message here was given by Go's regexp package.
@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("a{,3}", "a{,3}", True),
        ("[[:alpha:]]$", "9x", True),
        ("\\Q.\\E", "x", False),
        ("b(?i)|", "é", True),
        ("(a(?i)B)", "ab", True),
        ("\\z", "a", True),
        ("$*", "aX9", True),
        ("\\d", "١", False),
        ("[]a]", "]", True),
        ("(?P<n>a)", "a", True),
        ("[a\\]]", "]", True),
        ("\\x41", "A", True),
    ],
)
def test_regular_expressions(pattern: str, text: str, found: bool) -> None:
    assert (compile_regex(pattern).search(text) is not None) is found


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("*?", "missing argument to repetition operator: `*?`"),
        ("{1001}", "invalid repeat count: `{1001}`"),
        ("a++", "invalid nested repetition operator: `++`"),
        ("\\E", "invalid escape sequence: `\\E`"),
        ("\\1", "invalid escape sequence: `\\1`"),
        ("(?=x)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?i)(", "missing closing ): `(?i)(`"),
        ("[a", "missing closing ]: `[a`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("a)", "unexpected ): `a)`"),
    ],
)
def test_regular_expressions_go_refuses(pattern: str, message: str) -> None:
    with pytest.raises(RegexError) as caught:
        compile_regex(pattern)
    assert str(caught.value) == f"error parsing regexp: {message}"


def test_quoting() -> None:
    assert go_quote('a"\n\x00\x7fé\u2028\udcff') == '"a\\"\\n\\x00\\x7fé\\u2028\\xff"'
    assert unquote("\\u00e9\\101\\xff") == "éA\udcff"
    assert unquote("\\'") is None
    assert unquote("\\400") is None
