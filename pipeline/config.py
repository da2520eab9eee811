"""Strict YAML with positions: every mistake in a file is reported at once, with line and column.

``safe`` YAML only; duplicate keys, anchors and aliases are refused (an alias bomb is a few lines that
grow to gigabytes), and so are files over a size limit.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator

from pipeline.errors import UsageError
from pipeline.words import Percent

MAX_BYTES = 1 << 20
MAX_DEPTH = 40
Path_ = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)


def _unit(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z%][\w%./-]{0,39}", value):
        raise ValueError("should be a unit such as sec/op or B/op")
    if value in _TIDIED:
        raise ValueError(f"should be {_TIDIED[value]}: benchmarks are compared in benchstat's units")
    return value


# What the testing package prints, and what it is called once it is read.
_TIDIED = {"ns/op": "sec/op", "MB/s": "B/s", "ns": "sec", "MB": "B"}
UnitName = Annotated[str, AfterValidator(_unit)]


class ThresholdEntry(BaseModel):
    """When a change counts: both files that configure a run say it in the same words."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    effect: Percent
    """The smallest change that counts."""
    margin: Percent
    """How near to no change a result must be, all of its interval, to be called that."""

    @model_validator(mode="after")
    def _ordered(self) -> ThresholdEntry:
        if self.margin < self.effect:
            raise ValueError("margin should not be below effect: what counts could then be called no change")
        return self


@dataclass(frozen=True)
class Mistake:
    """What is wrong at ``path``: of a document, or below the model whose validator found it."""

    path: Path_
    message: str


class MistakesError(ValueError):
    """For a model's validator that finds several mistakes, or one that is not where the model stands."""

    def __init__(self, *found: Mistake) -> None:
        super().__init__("; ".join(one.message for one in found))
        self.found = found


@dataclass(frozen=True, kw_only=True)
class Position:
    """A place in a file, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, kw_only=True)
class Document:
    """A parsed file: plain values, and the position of every key and item by its path."""

    name: str
    data: Any
    marks: Mapping[Path_, Position]

    def position(self, path: Sequence[str | int]) -> Position | None:
        """Where ``path`` or its nearest parent stands; None in a file that holds nothing."""
        marks = (self.marks.get(tuple(path[:end])) for end in range(len(path), -1, -1))
        return next((mark for mark in marks if mark is not None), None)

    def known(self, path: Sequence[str | int]) -> Path_:
        """As much of ``path`` as the file has: pydantic adds parts of its own (union branches, "[key]"), and
        a word may stand for a list of one."""
        found: Path_ = ()
        for part in path:
            if (*found, part) in self.marks:
                found = (*found, part)
        return found

    def where(self, path: Sequence[str | int]) -> str:
        """``file:line:column`` of ``position``."""
        mark = self.position(path)
        return f"{self.name}:{mark.line}:{mark.column}" if mark else self.name

    def line(self, mistake: Mistake) -> str:
        """A mistake as messages write it: ``file:line:column: path: message``."""
        named = f"{dotted(mistake.path)}: " if mistake.path else ""
        return f"{self.where(mistake.path)}: {named}{mistake.message}"


def suggest(word: str, known: Sequence[str]) -> str:
    """``did you mean …?`` for a near miss, else what is known (at most eight), else ''."""
    near = difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(near)}?"
    shown = ", ".join(list(known)[:8]) + (", …" if len(known) > 8 else "")
    return f"known: {shown}" if known else ""


def load(path: Path) -> Document:
    """Parse a YAML file. UsageError for anything a strict reader does not take."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    if len(raw) > MAX_BYTES:
        raise UsageError(f"{path}: larger than {MAX_BYTES} bytes")
    try:
        text = raw.decode("utf-8")
        _check_tokens(path, text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 at byte {error.start}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise UsageError(f"{path}{place}: {error.problem or 'not valid YAML'}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"{path}: not valid YAML: {str(error).splitlines()[0]}") from error
    builder = _Builder(str(path))
    data = builder.build(node, ()) if node is not None else {}
    if builder.errors:
        raise UsageError("\n".join(builder.errors))
    return Document(name=str(path), data=data, marks=builder.marks)


_OPENS = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_CLOSES = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


def _check_tokens(path: Path, text: str) -> None:
    """Refuse aliases, and nesting so deep that parsing it would take minutes or end in a RecursionError."""
    depth = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        mark = token.start_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}"
        if isinstance(token, (yaml.AliasToken, yaml.AnchorToken)):
            raise UsageError(f"{place}: anchors and aliases are not allowed here", hint="write the value out")
        depth += isinstance(token, _OPENS) - isinstance(token, _CLOSES)
        if depth > MAX_DEPTH:
            raise UsageError(f"{place}: nested deeper than {MAX_DEPTH} levels")


class _Builder:
    """Turns YAML nodes into plain values and remembers where each stood."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.marks: dict[Path_, Position] = {}
        self.errors: list[str] = []

    def build(self, node: yaml.Node, path: Path_) -> Any:
        self.marks.setdefault(path, _position(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._error(key_node, path, "a key must be plain text")
                continue
            key = str(key_node.value)
            if key in result:
                first = self.marks[(*path, key)]
                self._error(key_node, (*path, key), f"duplicate key; first on line {first.line}")
                continue
            self.marks[(*path, key)] = _position(key_node)
            result[key] = self.build(value_node, (*path, key))
        return result

    def _scalar(self, node: yaml.Node) -> Any:
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_object(node)
        except (yaml.YAMLError, ValueError, LookupError, AttributeError) as error:
            # PyYAML's own converters fail in all these ways on a value that a tag calls something else.
            problem = str(error).splitlines()[0] if isinstance(error, (yaml.YAMLError, ValueError)) else ""
            self._error(node, (), problem or f"not a value of the type {node.tag.rpartition(':')[2]}")
            return None

    def _error(self, node: yaml.Node, path: Path_, message: str) -> None:
        place = _position(node)
        shown = f"{dotted(path)}: " if path else ""
        self.errors.append(f"{self.name}:{place.line}:{place.column}: {shown}{message}")


def _position(node: yaml.Node) -> Position:
    return Position(line=node.start_mark.line + 1, column=node.start_mark.column + 1)


def dotted(path: Sequence[str | int]) -> str:
    """A path as messages write it: ``variants[0].base``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def check(document: Document, model: type[M]) -> M:
    """Validate a document. UsageError lists every mistake as ``file:line:column: path: message``."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        found = [one for problem in error.errors() for one in _mistakes(document, model, problem)]
        raise refusal(document, found) from error


def refuse(document: Document, mistakes: Iterable[Mistake]) -> None:
    """For what no model can see of itself: UsageError with every mistake, if there is any."""
    if found := list(mistakes):
        raise refusal(document, found)


def refusal(document: Document, mistakes: Iterable[Mistake]) -> UsageError:
    """Every mistake with its place, from the top of the file to its end."""

    def place(one: Mistake) -> tuple[int, int]:
        at = document.position(one.path)
        return (at.line, at.column) if at else (0, 0)

    lines = [document.line(one) for one in sorted(mistakes, key=place)]
    return UsageError("\n".join(dict.fromkeys(lines)))


def _mistakes(document: Document, model: type[BaseModel], problem: Any) -> list[Mistake]:
    path = document.known(problem["loc"])
    if isinstance(raised := problem.get("ctx", {}).get("error"), MistakesError):
        return [Mistake(document.known((*path, *one.path)), one.message) for one in raised.found]
    shown = (*path, problem["loc"][-1]) if problem["type"] == "missing" else path
    hint = ""
    if problem["type"] == "extra_forbidden":
        hint = suggest(str(path[-1]), _fields_at(model, path[:-1]))
    return [Mistake(shown, _message(problem) + (f"; {hint}" if hint else ""))]


def _message(problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        return "unknown key"
    if problem["type"] == "missing":
        return "is required"
    if problem["type"] in {"too_short", "too_long"}:
        short = problem["type"] == "too_short"
        limit = problem["ctx"]["min_length" if short else "max_length"]
        items = f"{limit} item{'' if limit == 1 else 's'}"
        return f"should have at {'least' if short else 'most'} {items} (found {len(problem['input'])})"
    text = str(problem["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    value = problem.get("input")
    if isinstance(value, (str, int, float, bool)) and repr(value) not in text:
        text += f" (found {str(value)[:60]!r})"
    return text


def _fields_at(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The keys that ``model`` knows at ``path``: walks fields, mappings and lists of models."""
    current: Any = model
    for part in path:
        fields = getattr(current, "model_fields", None)
        if fields is not None and part in fields:
            current = fields[part].annotation
        for argument in getattr(current, "__args__", ()):
            if isinstance(argument, type) and issubclass(argument, BaseModel):
                current = argument
    return sorted(getattr(current, "model_fields", {}))
