"""GitHub's expressions: ``a.b == 'c' && f(x)``, alone or as ``${{ … }}`` in a text.

A context or function that is not known is an error, as it is on GitHub. A property that an object does not
have is null, as it is there; of a ``Strict`` object it is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.actions.functions import FUNCTIONS, Function
from tests.actions.values import ExpressionError, Strict, Value, equal, from_yaml, less, text, truth

# A parsed expression: computes its value in a scope.
Node = Callable[["Scope"], Value]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>-?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?))|(?P<string>'(?:[^']|'')*')"
    r"|(?P<name>[A-Za-z_][\w-]*)|(?P<sign>&&|\|\||[=!<>]=|[<>!()\[\].,*]))"
)
_INSERTED = re.compile(r"\$\{\{((?:'(?:[^']|'')*'|(?!\}\}).)*)\}\}", re.DOTALL)
_WORDS = {"true": True, "false": False, "null": None}
STATUS = ("success", "always", "failure", "cancelled")


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What an expression may name: contexts, and functions besides those that work everywhere."""

    contexts: Mapping[str, Value]
    functions: Mapping[str, Function] = field(default_factory=dict)


def _lookup(container: Value, key: Value) -> Value:
    if isinstance(container, list):
        whole = isinstance(key, float) and key.is_integer() and 0 <= key < len(container)
        return container[int(key)] if whole else None
    if not isinstance(container, dict):
        return None
    wanted = text(key)
    for name, value in container.items():
        if name.lower() == wanted.lower():
            return value
    if isinstance(container, Strict):
        raise ExpressionError(
            f"this runner does not know {wanted!r} of a context; it has {sorted(container)}"
        )
    return None


class _Each(list[Value]):
    """What ``.*`` gives: a further name is looked up in each item."""


def _all_of(container: Value) -> Value:
    if isinstance(container, dict):
        return _Each(container.values())
    return _Each(container) if isinstance(container, list) else _Each()


def _step_into(container: Value, key: Value) -> Value:
    if isinstance(container, _Each):
        found = (_lookup(item, key) for item in container)
        return _Each(one for one in found if one is not None)
    return _lookup(container, key)


class _Parser:
    """Recursive descent, weakest operator first."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens: list[tuple[str, str]] = []
        self.used: set[str] = set()
        place = 0
        while source[place:].strip():
            found = _TOKEN.match(source, place)
            if not found:
                raise ExpressionError(f"cannot read {source[place:].strip()!r} in {source!r}")
            kind = str(found.lastgroup)
            self.tokens.append((kind, found.group(kind)))
            place = found.end()

    def parse(self) -> Node:
        node = self._or()
        if self.tokens:
            raise ExpressionError(f"{self.tokens[0][1]!r} is one too many in {self.source!r}")
        return node

    def _accept(self, *signs: str) -> str:
        if self.tokens and self.tokens[0][0] == "sign" and self.tokens[0][1] in signs:
            return self.tokens.pop(0)[1]
        return ""

    def _expect(self, sign: str) -> None:
        if not self._accept(sign):
            raise ExpressionError(f"{sign!r} is missing in {self.source!r}")

    def _or(self) -> Node:
        node = self._and()
        while self._accept("||"):
            node = _either(node, self._and())
        return node

    def _and(self) -> Node:
        node = self._compared()
        while self._accept("&&"):
            node = _both(node, self._compared())
        return node

    def _compared(self) -> Node:
        node = self._unary()
        while sign := self._accept("==", "!=", "<=", ">=", "<", ">"):
            node = _comparison(sign, node, self._unary())
        return node

    def _unary(self) -> Node:
        if self._accept("!"):
            inner = self._unary()
            return lambda scope: not truth(inner(scope))
        return self._postfix(self._primary())

    def _primary(self) -> Node:
        if self._accept("("):
            node = self._or()
            self._expect(")")
            return node
        if not self.tokens or self.tokens[0][0] == "sign":
            raise ExpressionError(f"a value is missing in {self.source!r}")
        kind, word = self.tokens.pop(0)
        if kind == "number":
            return _constant(float(int(word, 16)) if "0x" in word else float(word))
        if kind == "string":
            return _constant(word[1:-1].replace("''", "'"))
        if word in _WORDS:
            return _constant(_WORDS[word])
        if self._accept("("):
            return self._call(word)
        return lambda scope: _context(scope, word)

    def _call(self, name: str) -> Node:
        self.used.add(name.lower())
        arguments: list[Node] = []
        while not self._accept(")"):
            if arguments:
                self._expect(",")
            arguments.append(self._or())
        return lambda scope: _function(scope, name)(*(argument(scope) for argument in arguments))

    def _postfix(self, node: Node) -> Node:
        while sign := self._accept(".", "["):
            if self._accept("*"):
                node = _wildcard(node)
            elif sign == ".":
                if not self.tokens or self.tokens[0][0] != "name":
                    raise ExpressionError(f"a name is missing after '.' in {self.source!r}")
                node = _index(node, _constant(self.tokens.pop(0)[1]))
            else:
                node = _index(node, self._or())
            if sign == "[":
                self._expect("]")
        return node


def _constant(value: Value) -> Node:
    return lambda _scope: value


def _either(left: Node, right: Node) -> Node:
    def node(scope: Scope) -> Value:
        value = left(scope)
        return value if truth(value) else right(scope)

    return node


def _both(left: Node, right: Node) -> Node:
    def node(scope: Scope) -> Value:
        value = left(scope)
        return right(scope) if truth(value) else value

    return node


def _comparison(sign: str, left: Node, right: Node) -> Node:
    compare: Mapping[str, Callable[[Value, Value], bool]] = {
        "==": equal,
        "!=": lambda a, b: not equal(a, b),
        "<": less,
        ">": lambda a, b: less(b, a),
        "<=": lambda a, b: less(a, b) or equal(a, b),
        ">=": lambda a, b: less(b, a) or equal(a, b),
    }
    return lambda scope: compare[sign](left(scope), right(scope))


def _wildcard(node: Node) -> Node:
    return lambda scope: _all_of(node(scope))


def _index(node: Node, key: Node) -> Node:
    return lambda scope: _step_into(node(scope), key(scope))


def _context(scope: Scope, name: str) -> Value:
    for known, value in scope.contexts.items():
        if known == name.lower():
            return value
    raise ExpressionError(f"no context {name!r} here; there are {sorted(scope.contexts)}")


def _function(scope: Scope, name: str) -> Function:
    known = {**FUNCTIONS, **{key.lower(): function for key, function in scope.functions.items()}}
    if name.lower() not in known:
        raise ExpressionError(f"no function {name!r} here; there are {sorted(known)}")
    return known[name.lower()]


def evaluate(source: str, scope: Scope) -> Value:
    """The value of one expression, without ``${{ }}`` around it."""
    return _Parser(source).parse()(scope)


def fill(value: Any, scope: Scope) -> Value:
    """A value of a workflow file with every ``${{ }}`` in it replaced; one that is nothing else keeps its
    type."""
    if isinstance(value, dict):
        return {key: fill(item, scope) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, scope) for item in value]
    if not isinstance(value, str):
        return from_yaml(value)
    if whole := _INSERTED.fullmatch(value.strip()):
        return evaluate(whole.group(1), scope)
    filled = _INSERTED.sub(lambda found: text(evaluate(found.group(1), scope)), value)
    if "${{" in _INSERTED.sub("", value):
        raise ExpressionError(f"'${{{{' without its end in {value!r}")
    return filled


def condition(source: Any, scope: Scope) -> bool:
    """Whether an ``if`` holds: success() is part of each that asks for no status itself."""
    if isinstance(source, bool):
        source = "true" if source else "false"
    source = str(source).strip()
    if whole := _INSERTED.fullmatch(source):
        source = whole.group(1)
    elif "${{" in source:
        # GitHub takes the text around it as a string, which is always true.
        raise ExpressionError(f"an expression is only a part of: if: {source}")
    parser = _Parser(source or "true")
    node = parser.parse()
    if not parser.used & set(STATUS) and not truth(_function(scope, "success")()):
        return False
    return truth(node(scope))
