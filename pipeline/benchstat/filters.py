"""Filter expressions: ``goos:linux -.name:/^X/ .unit:(ns/op OR B/op)``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.benchfmt import Result
from pipeline.benchstat.lexer import ExpressionError, Token, Tokens, go_quote
from pipeline.benchstat.names import extractor

# A matcher answers for the whole result, or with one truth value a measurement if units are involved.
Match = bool | list[bool]
Matcher = Callable[[Result], Match]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Term:
    key: str
    offset: int
    literal: str
    pattern: re.Pattern[str] | None

    def accepts(self, value: str) -> bool:
        if self.pattern is not None:
            return self.pattern.search(value) is not None
        return value == self.literal


@dataclass(frozen=True, slots=True)
class _Operation:
    operator: str  # "and", "or", "not"
    parts: tuple[_Node, ...]


_Node = _Term | _Operation | None  # None only after an error


class Filter:
    """A compiled filter. Projections with a fixed order add their own conditions to it."""

    def __init__(self, query: str) -> None:
        tokens = Tokens.of(query)
        node, tokens = _either(tokens)
        tokens.finish()
        self._matcher = _compile(node, query)

    def require(self, conditions: Sequence[Matcher]) -> None:
        """Demand ``conditions`` besides what is demanded already."""
        self._matcher = all_of([*conditions, self._matcher])

    def selects(self, result: Result) -> list[bool] | None:
        """Tell which measurements of ``result`` to keep; None stands for all of them.

        The answer depends on configuration, name and units, never on values.
        """
        match = self._matcher(result)
        if isinstance(match, bool):
            match = [match] * len(result.units)
        return None if all(match) else match


def _either(tokens: Tokens) -> tuple[_Node, Tokens]:
    nodes: list[_Node] = []
    while True:
        node, tokens = _both(tokens)
        nodes.append(node)
        operator, after = tokens.next()
        if operator.kind != "O":
            break
        tokens = after
    return (nodes[0] if len(nodes) == 1 else _Operation("or", tuple(nodes))), tokens


def _both(tokens: Tokens) -> tuple[_Node, Tokens]:
    node, tokens = _match(tokens)
    nodes = [node]
    while True:
        operator, after = tokens.next()
        if operator.kind == "A":
            tokens = after
        elif operator.kind in ("(", "-", "*", "w", "q"):
            node, tokens = _match(tokens)
            nodes.append(node)
        elif operator.kind in (")", "O", ""):
            break
        else:
            return None, tokens.fail(f"unexpected {go_quote(operator.text)}")
    return (nodes[0] if len(nodes) == 1 else _Operation("and", tuple(nodes))), tokens


def _match(start: Tokens) -> tuple[_Node, Tokens]:
    token, rest = start.next()
    if token.kind == "(":
        node, rest = _either(rest)
        closing, after = rest.next()
        if closing.kind != ")":
            return None, rest.fail('missing ")"')
        return node, after
    if token.kind == "-":
        node, rest = _match(rest)
        return _Operation("not", (node,)), rest
    if token.kind == "*":
        return _Operation("and", ()), rest
    if token.kind in ("w", "q"):
        return _term(start, token, rest)
    return None, start.fail("expected key:value or subexpression")


def _term(start: Tokens, key: Token, rest: Tokens) -> tuple[_Node, Tokens]:
    colon, rest = rest.next()
    if colon.kind != ":":
        return None, start.fail("expected key:value")
    value, after = rest.next(value=True)
    if value.kind in ("w", "q", "r"):
        return _leaf(key, value), after
    if value.kind == "(":
        return _alternatives(key, after)
    return None, start.fail("expected key:value")


def _alternatives(key: Token, rest: Tokens) -> tuple[_Node, Tokens]:
    leaves: list[_Node] = []
    while True:
        value, after = rest.next(value=True)
        if value.kind not in ("w", "q", "r"):
            return None, rest.fail("expected value")
        leaves.append(_leaf(key, value))
        rest = after
        separator, after = rest.next(value=True)
        if separator.kind == ")":
            return _Operation("or", tuple(leaves)), after
        if separator.kind != "O":
            return None, rest.fail("value list must be separated by OR")
        rest = after


def _leaf(key: Token, value: Token) -> _Term:
    return _Term(key=key.text, offset=key.offset, literal=value.text, pattern=value.pattern)


def _compile(node: _Node, query: str) -> Matcher:
    if isinstance(node, _Operation):
        parts = [_compile(part, query) for part in node.parts]
        if node.operator == "not":
            return _negate(parts[0])
        return all_of(parts) if node.operator == "and" else _any_of(parts)
    if node is None:
        raise AssertionError("an unparsed filter was compiled")
    if node.key == ".unit":
        return _unit_matcher(node)
    if node.key == ".config":
        raise ExpressionError(query, node.offset, ".config is only allowed in projections")
    try:
        extract = extractor(node.key)
    except ValueError as error:
        raise ExpressionError(query, node.offset, str(error)) from None
    accepts = node.accepts
    return lambda result: accepts(extract(result))


def _unit_matcher(term: _Term) -> Matcher:
    def match(result: Result) -> Match:
        return [
            term.accepts(unit.name) or (unit.written != "" and term.accepts(unit.written))
            for unit in result.units
        ]

    return match


def _negate(part: Matcher) -> Matcher:
    def match(result: Result) -> Match:
        found = part(result)
        return [not one for one in found] if isinstance(found, list) else not found

    return match


def all_of(parts: Sequence[Matcher]) -> Matcher:
    """Combine conditions that must all hold."""

    def match(result: Result) -> Match:
        mask: list[bool] | None = None
        for part in parts:
            found = part(result)
            if found is False:
                return False
            if isinstance(found, list):
                mask = found if mask is None else [a and b for a, b in zip(mask, found, strict=True)]
        return True if mask is None else mask

    return match


def _any_of(parts: Sequence[Matcher]) -> Matcher:
    def match(result: Result) -> Match:
        mask: list[bool] | None = None
        for part in parts:
            found = part(result)
            if found is True:
                return True
            if isinstance(found, list):
                mask = found if mask is None else [a or b for a, b in zip(mask, found, strict=True)]
        return False if mask is None else mask

    return match
