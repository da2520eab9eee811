"""Numbers by Go's rules. Expected values were printed by Go's own strconv and fmt."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.benchfmt.numbers import NumberError, format_fixed, format_float, parse_float, parse_int


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0x1p-2", 0.25),
        ("0X1.8p1", 3.0),
        ("-0x.8p1", -1.0),
        ("1_000", 1000.0),
        ("1_0.2_5e1_0", 10.25e10),
        ("0x_1p0", 1.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("+5e-3", 0.005),
        ("1e308", 1e308),
        ("1e-999", 0.0),
        ("inf", math.inf),
        ("+Infinity", math.inf),
        ("-INF", -math.inf),
        ("9223372036854775808", 9223372036854775808.0),
    ],
)
def test_float(text: str, value: float) -> None:
    assert parse_float(text) == value


def test_negative_zero_and_nan() -> None:
    assert math.copysign(1, parse_float("-0")) == -1
    assert math.isnan(parse_float("NaN"))


@pytest.mark.parametrize(
    "text",
    ["", "nope", "1__0", "_1", "1_", "1_.5", "1._5", "0x1", "0xp1", "+nan", "-nan", "1e", "e5", ".", "+",
     "١", "1 ", "infin", "0x1_p1", "0x1p", "--1", "1,5", "0b1p0"],
)  # fmt: skip
def test_float_syntax(text: str) -> None:
    with pytest.raises(NumberError, match=r"^invalid syntax$"):
        parse_float(text)


@pytest.mark.parametrize("text", ["1e999", "-1e309", "0x1p1024"])
def test_float_range(text: str) -> None:
    with pytest.raises(NumberError, match=r"^value out of range$"):
        parse_float(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5), ("+5", 5), ("-5", -5), ("007", 7), ("9223372036854775807", 2**63 - 1),
     ("-9223372036854775808", -(2**63))],
)  # fmt: skip
def test_int(text: str, value: int) -> None:
    assert parse_int(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid syntax"),
        ("+", "invalid syntax"),
        ("1_0", "invalid syntax"),
        ("1.0", "invalid syntax"),
        ("²", "invalid syntax"),
        ("9223372036854775808", "value out of range"),
        ("-9223372036854775809", "value out of range"),
        ("99999999999999999999x", "value out of range"),
        ("9999999999999999999x", "invalid syntax"),
    ],
)
def test_int_errors(text: str, message: str) -> None:
    with pytest.raises(NumberError, match=f"^{message}$"):
        parse_int(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (3.0, "3"),
        (999999.0, "999999"),
        (1e6, "1e+06"),
        (3457344.31, "3.45734431e+06"),
        (-123456789.0, "-1.23456789e+08"),
        (1e20, "1e+20"),
        (1e21, "1e+21"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (0.95, "0.95"),
        (5e-324, "5e-324"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_format(value: float, text: str) -> None:
    assert format_float(value) == text


def test_fixed_formats_name_what_is_not_finite() -> None:
    assert format_fixed(math.inf, 2, signed=True) == "+Inf"
    assert format_fixed(-math.inf, 2) == "-Inf"
    assert format_fixed(math.nan, 0) == "NaN"


@given(st.floats(allow_nan=False))
def test_printed_floats_read_back(value: float) -> None:
    assert parse_float(format_float(value)) == value
