"""The series model: ``patches/<name>/series.yml`` and the patch files it lists."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pipeline import config
from pipeline.errors import UsageError
from pipeline.patch import lint
from pipeline.store import digest
from pipeline.values import CommitRules, Finding, Patch, Series, Threshold

SERIES_FILE = "series.yml"


def _matching(pattern: str, what: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(f"should be {what}")
        return value

    return AfterValidator(check)


def _specifier(value: str) -> str:
    try:
        SpecifierSet(value)
    except InvalidSpecifier as error:
        raise ValueError('should be a range of releases such as ">=1.27, <1.28"') from error
    return value


Name = Annotated[str, _matching(r"[a-z0-9][a-z0-9._-]{0,63}", "lower-case letters, digits, '.', '_' or '-'")]
FileName = Annotated[
    str, _matching(r"[\w][\w.+-]{0,199}\.(patch|diff)", "a plain file name ending in .patch")
]
Package = Annotated[
    str, _matching(r"[a-z][a-z0-9_]*(/[a-z0-9][a-z0-9_.]*)*", "an import path of the standard library")
]
TestName = Annotated[str, _matching(r"(Test|Example|Fuzz)\w{1,120}", "a test function's name")]
BenchmarkName = Annotated[str, _matching(r"Benchmark\w{1,120}", "a benchmark function's name")]


def _visible(value: str) -> str:
    if lint.hidden(value):
        raise ValueError("holds an invisible or control character")
    return value


Line = Annotated[str, _matching(r"[^\x00-\x1f\x7f]{1,200}", "one line of text"), AfterValidator(_visible)]


class SeriesFile(BaseModel):
    """What ``series.yml`` may hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    series: Name
    subject: Line
    issue: Annotated[str, _matching(r"[\w.-]+/[\w.-]+#\d+", "like golang/go#12345")] = ""
    base: Annotated[str, AfterValidator(_specifier)]
    patches: Annotated[list[FileName], Field(min_length=1, max_length=200)]
    packages: list[Package] = []
    tests: dict[Package, list[TestName]] = {}
    benchmarks: dict[Package, list[BenchmarkName]] = {}
    thresholds: dict[config.UnitName, config.ThresholdEntry] = {}


def find(name_or_path: str, patches: Path) -> Path:
    """The series folder: a path when it looks like one, else a name below ``patches``."""
    given = Path(name_or_path)
    if len(given.parts) > 1 or given.is_absolute() or name_or_path in {".", ".."}:
        folder = given.parent if given.name == SERIES_FILE else given
    else:
        folder = patches / name_or_path
    if (folder / SERIES_FILE).is_file():
        return folder.resolve()
    known = sorted(path.parent.name for path in patches.glob(f"*/{SERIES_FILE}"))
    raise UsageError(
        f"no series {name_or_path!r}: {folder / SERIES_FILE} does not exist",
        meaning=config.suggest(name_or_path, known),
        hint="a series is a folder with a series.yml; give its name below patches/ or its path",
    )


def load(folder: Path, commit_rules: CommitRules = "advice") -> Series:
    """Read and check a series folder. UsageError lists every mistake of series.yml at once, PatchError every
    error of the patches. ``commit_rules`` is what breaking Go's rules for messages counts as."""
    model = _model(folder)
    patches = tuple(_read(folder / name, commit_rules) for name in model.patches)
    lint.refuse(finding for _, findings in patches for finding in findings)
    return _series(folder, model, tuple(patch for patch, _ in patches))


def findings(folder: Path, commit_rules: CommitRules = "advice") -> tuple[Finding, ...]:
    """Everything that the lint has against the patches of a series folder, in their order."""
    model = _model(folder)
    return tuple(one for name in model.patches for one in _read(folder / name, commit_rules)[1])


def _model(folder: Path) -> SeriesFile:
    document = config.load(folder / SERIES_FILE)
    model = config.check(document, SeriesFile)
    missing = [
        f"{document.where(('patches', index))}: patches[{index}]: {name} does not exist in {folder}"
        for index, name in enumerate(model.patches)
        if not (folder / name).is_file()
    ]
    if missing:
        raise UsageError("\n".join(missing))
    return model


def _series(folder: Path, model: SeriesFile, patches: tuple[Patch, ...]) -> Series:
    return Series(
        name=model.series,
        subject=model.subject,
        issue=model.issue,
        base=model.base,
        root=folder,
        patches=patches,
        packages=tuple(model.packages),
        tests=_frozen(model.tests),
        benchmarks=_frozen(model.benchmarks),
        thresholds={unit: Threshold(**entry.model_dump()) for unit, entry in model.thresholds.items()},
        digest=digest([model.model_dump(mode="json"), [patch.sha256 for patch in patches]]),
    )


def _frozen(lists: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {package: tuple(names) for package, names in lists.items()}


def _read(path: Path, commit_rules: CommitRules) -> tuple[Patch, tuple[Finding, ...]]:
    """A patch file and all that the lint finds in it."""
    if path.is_symlink() and not path.resolve().is_relative_to(path.parent.resolve()):
        raise UsageError(f"{path} is a link that leaves the series folder")
    with path.open("rb") as stream:
        content = stream.read(lint.MAX_BYTES + 1)  # enough for the lint to see that it is too much
    found = lint.examine(path.name, content, commit_rules)
    patch = Patch(
        name=path.name,
        subject=found.message.subject,
        message=found.message.body,
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
        files=found.files,
        advice=tuple(one for one in found.findings if one.severity == "advice"),
    )
    return patch, found.findings


def supports(series: Series, version: str) -> bool:
    """Whether the series says that it is for this release; True when the version has no number."""
    try:
        return SpecifierSet(series.base).contains(Version(version), prereleases=True)
    except InvalidVersion:
        return True
