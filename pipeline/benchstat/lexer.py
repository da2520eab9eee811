"""Tokens of filter and projection expressions, and syntax errors that point at a place."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.benchstat.regex import RegexError, compile_regex
from pipeline.errors import UsageError

_OPERATORS = "():@,"
_START_OPERATORS = _OPERATORS + "-*"
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([abfnrtv\\\"]))|([^\\\"\n])"
)
_SIMPLE_ESCAPES = dict(zip('abfnrtv\\"', '\a\b\f\n\r\t\v\\"', strict=True))
_NOT_GRAPHIC = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class ExpressionError(UsageError):
    """A filter or projection that cannot be understood, shown with a caret under the place."""

    def __init__(self, query: str, offset: int, message: str) -> None:
        before = sum(unicodedata.category(char) not in _NOT_GRAPHIC for char in query[:offset])
        super().__init__(f"syntax error: {message}\n\t{query}\n\t{' ' * before}^")


class Token(NamedTuple):
    """``kind`` is ``w`` (word), ``q`` (quoted word), ``r`` (regular expression), ``A``/``O`` (AND/OR), an
    operator character, or empty at the end; ``offset`` counts characters."""

    kind: str
    offset: int
    text: str
    pattern: re.Pattern[str] | None = None


@dataclass(slots=True)
class _Failure:
    query: str
    error: ExpressionError | None = None


@dataclass(slots=True)
class Tokens:
    """A position in an expression. Reading a token leaves the position behind it as a new object.

    The first error is kept, and moves to the end, so that parsing needs no exceptions of its own.
    """

    position: int
    failure: _Failure = field(repr=False)

    @classmethod
    def of(cls, query: str) -> Tokens:
        """Start reading ``query``."""
        return cls(0, _Failure(query))

    def next(self, *, value: bool = False) -> tuple[Token, Tokens]:
        """Read the next token; only where a ``value`` may stand does a slash begin a regular expression."""
        query = self.failure.query
        while self.position < len(query):
            char = query[self.position]
            if char in _START_OPERATORS:
                return self._token(char, char, self.position + 1)
            if is_space(char):
                # Skipping moves this position too: errors point at what comes after white space.
                self.position += 1
            elif value and char == "/":
                return self._regex()
            elif char == '"':
                return self._quoted()
            else:
                return self._word()
        return self._token("", "", self.position)

    def fail(self, message: str) -> Tokens:
        """Record an error here unless there was one, and go to the end."""
        if self.failure.error is None:
            self.failure.error = ExpressionError(self.failure.query, self.position, message)
        return Tokens(len(self.failure.query), self.failure)

    def finish(self) -> None:
        """Expect the end.

        Raises:
            ExpressionError: the first error of the whole expression.
        """
        token, _ = self.next()
        if token.kind:
            self.fail(f"unexpected {go_quote(token.text)}")
        if self.failure.error is not None:
            raise self.failure.error

    def _token(
        self, kind: str, text: str, end: int, pattern: re.Pattern[str] | None = None
    ) -> tuple[Token, Tokens]:
        return Token(kind, self.position, text, pattern), Tokens(end, self.failure)

    def _failed(self, message: str) -> tuple[Token, Tokens]:
        token = Token("", self.position, "")
        return token, self.fail(message)

    def _word(self) -> tuple[Token, Tokens]:
        query = self.failure.query
        end = self.position
        while end < len(query) and not is_space(query[end]) and query[end] not in _OPERATORS:
            end += 1
        word = query[self.position : end]
        return self._token({"AND": "A", "OR": "O"}.get(word, "w"), word, end)

    def _quoted(self) -> tuple[Token, Tokens]:
        query, start = self.failure.query, self.position
        end = start + 1
        while end < len(query) and (query[end] != '"' or query[end - 1] == "\\"):
            end += 1
        if end == len(query):
            return self._failed("missing end quote")
        word = unquote(query[start + 1 : end])
        if word is None:
            return self._failed("bad escape sequence")
        return self._token("q", word, end + 1)

    def _regex(self) -> tuple[Token, Tokens]:
        query = self.failure.query
        end = _regex_end(query, self.position + 1)
        if end < 0:
            return self._failed('missing close "/"')
        text = query[self.position + 1 : end]
        try:
            pattern = compile_regex(text)
        except RegexError as error:
            return self._failed(str(error))
        after = query[end + 1 : end + 2]
        if after and not is_space(after) and after not in _START_OPERATORS:
            self.position = end + 1
            return self._failed('regexp must be followed by space or an operator (unescaped "/"?)')
        return self._token("r", text, end + 1, pattern)


def _regex_end(query: str, start: int) -> int:
    """Find the slash that ends a regular expression: outside brackets and parentheses, not escaped."""
    brackets = parentheses = 0
    index = start
    while index < len(query):
        char = query[index]
        if char == "/" and brackets == parentheses == 0:
            return index
        if char == "[":
            brackets += 1
        elif char == "]":
            brackets = max(brackets - 1, 0)
        elif char == "(" and not brackets:
            parentheses += 1
        elif char == ")" and not brackets:
            parentheses -= 1
        index += 2 if char == "\\" else 1
    return -1


def is_space(char: str) -> bool:
    """White space as Go has it (Python adds four separators)."""
    return char.isspace() and not "\x1c" <= char <= "\x1f"


def unquote(text: str) -> str | None:
    """Resolve Go's escapes in the inside of a double-quoted string; None if one is wrong."""
    out = bytearray()
    position = 0
    while position < len(text):
        match = _ESCAPE.match(text, position)
        if match is None:
            return None
        hexadecimal, octal, short, long, simple, plain = match.groups()
        if hexadecimal or octal:
            number = int(hexadecimal, 16) if hexadecimal else int(octal, 8)
            if number > 255:
                return None
            out.append(number)
        elif short or long:
            code = int(short or long, 16)
            if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
                return None
            out += chr(code).encode()
        else:
            out += (_SIMPLE_ESCAPES[simple] if simple else plain).encode("utf-8", "surrogateescape")
        position = match.end()
    return out.decode("utf-8", "surrogateescape")


def go_quote(text: str) -> str:
    """Quote as Go's ``%q`` does."""
    simple = {value: "\\" + key for key, value in _SIMPLE_ESCAPES.items()}
    out = []
    for char in text:
        code = ord(char)
        if char in simple:
            out.append(simple[char])
        elif 0xDC80 <= code <= 0xDCFF:  # an undecodable byte
            out.append(f"\\x{code - 0xDC00:02x}")
        elif char == " " or char.isprintable():
            out.append(char)
        elif code < 0x80:
            out.append(f"\\x{code:02x}")
        else:
            out.append(f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}")
    return '"' + "".join(out) + '"'
