"""Go's benchmark format: a streaming reader and a writer."""

from pipeline.benchfmt.files import Input, parse_inputs, read_inputs
from pipeline.benchfmt.reader import Reader, read
from pipeline.benchfmt.records import (
    Config,
    InputError,
    Record,
    Result,
    Setting,
    SyntaxProblem,
    Unit,
    UnitMetadata,
    UnitTable,
)
from pipeline.benchfmt.writer import Writer

__all__ = [
    "Config",
    "Input",
    "InputError",
    "Reader",
    "Record",
    "Result",
    "Setting",
    "SyntaxProblem",
    "Unit",
    "UnitMetadata",
    "UnitTable",
    "Writer",
    "parse_inputs",
    "read",
    "read_inputs",
]
