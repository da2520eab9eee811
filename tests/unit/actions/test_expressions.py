"""The runner's expressions, against what GitHub documents of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.actions.expressions import Scope, condition, evaluate, fill
from tests.actions.functions import Function
from tests.actions.values import ExpressionError, Strict, from_yaml, text

CONTEXTS = from_yaml(
    {
        "github": {
            "ref": "refs/heads/main",
            "event": {"number": 7, "labels": [{"name": "a"}, {"name": "b"}]},
        },
        "needs": {"build": {"result": "success", "outputs": {"exit-code": "0"}}},
        "inputs": {"dry": False, "empty": ""},
    }
)
SCOPE = Scope(contexts=CONTEXTS)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("null", None),
        ("-9.2", -9.2),
        ("0xff", 255.0),
        ("-2.99e-2", -0.0299),
        ("'It''s'", "It's"),
        ("github.ref", "refs/heads/main"),
        ("GitHub.Ref", "refs/heads/main"),
        ("github['ref']", "refs/heads/main"),
        ("github.event.nothing.at.all", None),
        ("github.event.labels[1].name", "b"),
        ("github.event.labels[5]", None),
        ("needs.build.outputs.exit-code", "0"),
        ("needs.build.outputs['exit-' ]", None),
    ],
)
def test_literals_and_contexts(source: str, value: Any) -> None:
    assert evaluate(source, SCOPE) == value


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("1 == '1'", True),
        ("'' == 0", True),
        ("null == 0", True),
        ("true == 1", True),
        ("true == 'true'", False),  # 1 and NaN
        ("'abc' == 'ABC'", True),
        ("'a' != 'b'", True),
        ("github.event == github.event", True),
        ("fromJSON('[]') == fromJSON('[]')", False),
        ("2 > 10", False),
        ("'2' > '10'", True),  # as text
        ("'x' < 1", False),
        ("'x' >= 1", False),
        ("1 <= 1", True),
        ("!true", False),
        ("!''", True),
        ("!!fromJSON('[]')", True),
        ("false || 'x'", "x"),
        ("'x' && 0", 0.0),
        ("inputs.dry && 'yes' || 'no'", "no"),
        ("true || false && false", True),
        ("(true || false) && false", False),
        ("1 == 1 && 2 == 2", True),
    ],
)
def test_operators(source: str, value: Any) -> None:
    found = evaluate(source, SCOPE)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("contains('Hello', 'LL')", True),
        ("contains(fromJSON('[\"a\", 1]'), 'A')", True),
        ("contains(fromJSON('[\"ab\"]'), 'a')", False),
        ("contains(github.event.labels.*.name, 'b')", True),
        ("contains(github.event.labels.*.name, 'c')", False),
        ("contains(github.event.nothing.*.name, 'c')", False),
        ("startsWith('Hello', 'he')", True),
        ("endsWith('Hello', 'LO')", True),
        ("format('{{{0}}} {1}', 'a', 2)", "{a} 2"),
        ("join(github.event.labels.*.name, ', ')", "a, b"),
        ("fromJSON('{\"a\": [1.5]}').a[0]", 1.5),
        ("toJSON(needs.build.outputs)", '{\n  "exit-code": "0"\n}'),
        ("toJSON(7)", "7"),
    ],
)
def test_functions(source: str, value: Any) -> None:
    assert evaluate(source, SCOPE) == value


def test_what_is_not_evaluated_cannot_fail() -> None:
    assert evaluate("false && fromJSON('')", SCOPE) is False
    assert evaluate("true || fromJSON('')", SCOPE) is True


@pytest.mark.parametrize(
    "source",
    [
        "matrix.id",  # not offered here
        "nonsense()",
        "success()",  # only where a status is
        "github.",
        "github.ref ==",
        "(1",
        "f(1",
        "1 2",
        "'open",
        '"double"',
        "a = b",
        "fromJSON('{')",
        "fromJSON('')",
        "format('{1}', 'a')",
        "",
    ],
)
def test_what_github_refuses_is_refused(source: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(source, SCOPE)


def test_a_context_known_in_part_has_no_nulls() -> None:
    scope = Scope(contexts={"github": Strict(ref="x")})
    assert evaluate("github.ref", scope) == "x"
    with pytest.raises(ExpressionError, match="run_attempt"):
        evaluate("github.run_attempt", scope)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, ""), (True, "true"), (3.0, "3"), (0.25, "0.25"), ([], "Array"), ({}, "Object"), ("x", "x")],
)
def test_how_values_become_text(value: Any, shown: str) -> None:
    assert text(value) == shown


@pytest.mark.parametrize("word", ["x", "NaN", "1_0", "0x1_0", "1 0"])
def test_what_is_no_number_equals_none(word: str) -> None:
    assert evaluate(f"'{word}' == 0 || '{word}' == 10 || '{word}' == 16", SCOPE) is False


def test_expressions_in_a_text() -> None:
    assert fill("a ${{ 1 }} b${{ '}}' }}c ${{ null }}.", SCOPE) == "a 1 b}}c ."
    assert fill({"x": ["${{ true }}", 3]}, SCOPE) == {"x": [True, 3.0]}
    assert fill(" ${{ github.event.labels }} ", SCOPE) is CONTEXTS["github"]["event"]["labels"]
    with pytest.raises(ExpressionError, match="without its end"):
        fill("${{ 1 }} ${{ 2", SCOPE)


@pytest.mark.parametrize(
    ("source", "ok", "failed"),
    [
        (True, True, False),
        ("", True, False),
        ("github.ref == 'refs/heads/main'", True, False),
        ("${{ github.ref == 'refs/heads/main' }}", True, False),
        ("github.ref == 'x'", False, False),
        ("always()", True, True),
        ("Always() && github.ref == 'x'", False, False),
        ("failure()", False, True),
        ("!failure()", True, False),
        ("!cancelled()", True, True),
        ("needs.build.result == 'success' || failure()", True, True),
        ("contains('success()', 's')", True, False),  # in a string it is no call
    ],
)
def test_conditions_ask_for_success_unless_they_ask_for_a_status(source: Any, ok: bool, failed: bool) -> None:
    for success, expected in ((True, ok), (False, failed)):
        functions: dict[str, Function] = {
            "success": partial(bool, success),
            "failure": partial(bool, not success),
            "always": partial(bool, True),
            "cancelled": partial(bool, False),
        }
        assert condition(source, Scope(contexts=CONTEXTS, functions=functions)) is expected


def test_a_condition_that_is_only_in_part_an_expression_is_refused() -> None:
    # GitHub would take it for a text, and a text is true.
    with pytest.raises(ExpressionError, match="only a part"):
        condition("${{ github.ref == 'x' }} && true", Scope(contexts=CONTEXTS))
