"""``matrix.yml``, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline import config
from pipeline.config import Document
from pipeline.plan import mistakes
from pipeline.plan.file import MatrixFile


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """The file, and the place of everything in it."""

    file: MatrixFile
    document: Document


def read(path: Path) -> Matrix:
    """Read and check ``matrix.yml``; UsageError lists every mistake at once."""
    document = config.load(path)
    file = config.check(document, MatrixFile)
    config.refuse(document, mistakes.of(file))
    return Matrix(file=file, document=document)


def load(path: Path) -> MatrixFile:
    """The file alone; see ``read``."""
    return read(path).file
