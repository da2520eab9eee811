r"""Go's regular expressions, run by Python's ``re`` after translation.

Only whether a pattern is found matters here, so leftmost-first and leftmost-longest need not be told
apart. What one side has and the other lacks is translated (``\z``, ``[[:alpha:]]``, ``\Q…\E``) or refused
with Go's message (look-around, back-references, nested repetition).
"""

from __future__ import annotations

import re

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": "\\x00-\\x7F",
    "blank": "\\t ",
    "cntrl": "\\x00-\\x1F\\x7F",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\t\\n\\v\\f\\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_REPEAT = re.compile(r"[*+?]|\{(\d+)(,(\d*))?\}")
_MOST_REPEATS = 1000
_GROUP = re.compile(r"\(\?(?:P?<([A-Za-z_][A-Za-z0-9_]*)>|([imsU]*(?:-[imsU]+)?)([:)]))")
_KNOWN_ESCAPES = frozenset("AbBCdDfnrsStvwWz0a")
_KNOWN_IN_BRACKETS = frozenset("dDfnrsStvwW0a")
_ASSERTIONS = {"^": "(?:^)", "$": "(?:\\Z)", "A": "(?:\\A)", "b": "(?:\\b)", "B": "(?:\\B)", "z": "(?:\\Z)"}
_PERL_SPACE = "[\\t\\n\\f\\r ]"  # Go's \s has no vertical tab
_HEX = re.compile(r"\\x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))")


class RegexError(ValueError):
    """A pattern Go would refuse, with Go's message."""

    def __init__(self, problem: str, part: str) -> None:
        super().__init__(f"error parsing regexp: {problem}: `{part}`")


def compile_regex(text: str) -> re.Pattern[str]:
    """Translate and compile a Go pattern.

    Raises:
        RegexError: with the message of Go's regexp package.
    """
    source = _Translator(text).run()
    try:
        return re.compile(source, re.ASCII)
    except (re.error, OverflowError, RecursionError):
        raise RegexError("invalid or unsupported Perl syntax", text) from None


class _Translator:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.out: list[str] = []
        # The flag groups that are open in each of the open groups, the whole pattern first.
        self.flags: list[list[str]] = [[]]
        # Where the last repeatable piece began and whether it is a repetition already.
        self.repeatable = False
        self.last_repeat = -1

    def run(self) -> str:
        text = self.text
        while self.at < len(text):
            char = text[self.at]
            repeat = _REPEAT.match(text, self.at)
            if repeat:
                self._repeat(repeat)
                continue
            self.last_repeat = -1
            if char == "\\":
                self._escape()
            elif char == "[":
                self._bracket()
            elif char == "(":
                self._open()
            elif char == ")":
                self._close()
            else:
                self._literal(char)
        if len(self.flags) > 1:
            raise RegexError("missing closing )", text)
        return "".join(self.out) + ")" * len(self.flags[0])

    def _literal(self, char: str) -> None:
        self.at += 1
        self.repeatable = char != "|"
        if char == "|":
            opened = self.flags[-1]
            self.out.append(")" * len(opened) + "|" + "".join(opened))
        elif char in "{}":
            self.out.append("\\" + char)  # a brace that opens no repetition is literal for Go
        else:
            # A dollar ends the text and not a line, and an assertion may be repeated.
            self.out.append(_ASSERTIONS[char] if char in "^$" else char)

    def _repeat(self, match: re.Match[str]) -> None:
        end = match.end()
        if match[1] is not None:
            low = int(match[1])
            high = int(match[3]) if match[3] else low
            if max(low, high) > _MOST_REPEATS or high < low:
                raise RegexError("invalid repeat count", match[0])
        if self.text[end : end + 1] == "?":
            end += 1
        if self.last_repeat >= 0:
            raise RegexError("invalid nested repetition operator", self.text[self.last_repeat : end])
        if not self.repeatable:
            raise RegexError("missing argument to repetition operator", self.text[self.at : end])
        self.last_repeat = self.at
        self.out.append(self.text[self.at : end])
        self.at = end

    def _escape(self) -> None:
        text, at = self.text, self.at
        self.repeatable = True
        char = text[at + 1 : at + 2]
        if not char:
            raise RegexError("trailing backslash at end of expression", "")
        if char == "Q":
            literal, _, _ = text[at + 2 :].partition("\\E")
            self.out.append(re.escape(literal))
            self.at = min(at + 2 + len(literal) + 2, len(text))
            return
        self.out.append(self._escaped(char, _KNOWN_ESCAPES))

    def _escaped(self, char: str, known: frozenset[str]) -> str:
        """Translate one escape at the current place and move behind it."""
        text, at = self.text, self.at
        self.at += 2
        if char == "x":
            match = _HEX.match(text, at)
            if match is None:
                raise RegexError("invalid escape sequence", text[at : at + 4])
            self.at = match.end()
            return re.escape(chr(int(match[1] or match[2], 16)))
        if char in "pP":
            raise RegexError("invalid character class range", text[at : at + 3])
        if char.isalnum() and char.isascii() and char not in known:
            raise RegexError("invalid escape sequence", text[at : at + 2])
        special = _ASSERTIONS | {"a": "\\x07", "s": _PERL_SPACE, "S": "[^" + _PERL_SPACE[1:], "C": "."}
        if char in special:
            return special[char]
        return "\\" + char if char.isalnum() and char.isascii() else re.escape(char)

    def _bracket(self) -> None:
        text, start = self.text, self.at
        self.at += 1
        out = ["["]
        if text[self.at : self.at + 1] == "^":
            out.append("^")
            self.at += 1
        first = True
        while True:
            char = text[self.at : self.at + 1]
            if not char:
                raise RegexError("missing closing ]", text[start:])
            if char == "]" and not first:
                break
            out.append(self._bracket_item(char))
            first = False
        self.at += 1
        self.out.append("".join(out) + "]")
        self.repeatable = True

    def _bracket_item(self, char: str) -> str:
        text = self.text
        if text.startswith("[:", self.at):
            end = text.find(":]", self.at)
            name = text[self.at + 2 : end].removeprefix("^") if end >= 0 else ""
            if end >= 0:
                if name not in _CLASSES or text[self.at + 2] == "^":
                    raise RegexError("invalid character class range", text[self.at : end + 2])
                self.at = end + 2
                return _CLASSES[name]
        low = self._bracket_char(char)
        if text[self.at : self.at + 1] != "-" or text[self.at + 1 : self.at + 2] in ("", "]"):
            return low
        range_start = self.at - 1
        self.at += 1
        high = self._bracket_char(text[self.at])
        if len(low) == len(high) == 1 and high < low:
            raise RegexError("invalid character class range", text[range_start : self.at])
        return f"{low}-{high}"

    def _bracket_char(self, char: str) -> str:
        if char != "\\":
            self.at += 1
            return "\\" + char if char in "[]&~|" else char
        escaped = self.text[self.at + 1 : self.at + 2]
        if not escaped:
            raise RegexError("trailing backslash at end of expression", "")
        if escaped == "s":
            self.at += 2
            return _PERL_SPACE[1:-1]
        if escaped in "Sa":
            self.at += 2
            return "\\S" if escaped == "S" else "\\x07"
        return self._escaped(escaped, _KNOWN_IN_BRACKETS)

    def _open(self) -> None:
        text = self.text
        self.repeatable = False
        if not text.startswith("(?", self.at):
            self.flags.append([])
            self.out.append("(")
            self.at += 1
            return
        match = _GROUP.match(text, self.at)
        if match is None:
            raise RegexError("invalid or unsupported Perl syntax", text[self.at : self.at + 3])
        self.at = match.end()
        if match[1]:
            self.flags.append([])
            self.out.append(f"(?P<{match[1]}>")
            return
        flags = match[2].replace("U", "")  # swapping greediness does not change whether a match exists
        if match[3] == ":":
            self.flags.append([])
            self.out.append(f"(?{flags}:" if flags.strip("-") else "(?:")
        elif flags.strip("-"):
            # Flags hold to the end of the group, across alternatives; Python wants groups of their own.
            self.flags[-1].append(f"(?{flags}:")
            self.out.append(self.flags[-1][-1])

    def _close(self) -> None:
        if len(self.flags) == 1:
            raise RegexError("unexpected )", self.text)
        self.out.append(")" * len(self.flags.pop()) + ")")
        self.at += 1
        self.repeatable = True
