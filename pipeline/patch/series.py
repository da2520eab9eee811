"""The series model: ``patches/<name>/series.yml`` and the patch files it lists."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pipeline import config
from pipeline.errors import UsageError
from pipeline.patch import lint, ranges
from pipeline.store import digest
from pipeline.values import Finding, Patch, Series, Threshold
from pipeline.words import LETTER, BenchmarkName, Identifier, Matching, Package, TestName

SERIES_FILE = "series.yml"


def _specifier(value: str) -> str:
    try:
        SpecifierSet(value)
    except InvalidSpecifier as error:
        raise ValueError('should be a range of releases such as ">=1.27, <1.28"') from error
    return value


FileName = Annotated[
    str,
    Matching(
        r"[\w][\w.+-]{0,199}\.(patch|diff)",
        "a plain file name ending in .patch",
        rf"{LETTER}[^\x00-\x2a\x2c\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]{{0,199}}\.(patch|diff)",
    ),
]


def _visible(value: str) -> str:
    if lint.hidden(value):
        raise ValueError("holds an invisible or control character")
    return value


Line = Annotated[str, Matching(r"[^\x00-\x1f\x7f]{1,200}", "one line of text"), AfterValidator(_visible)]


class VariantEntry(BaseModel):
    """Other patches for other releases; what it leaves out is as in the file's own top level."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    base: Annotated[str, AfterValidator(_specifier)]
    """The releases that this variant is for."""
    patches: Annotated[list[FileName], Field(min_length=1, max_length=200)]
    """Its patch files, in the order in which they apply."""
    packages: list[Package] | None = None
    """Import paths to compile."""
    tests: dict[Package, list[TestName]] | None = None
    """Tests to run, by their package's import path."""
    benchmarks: dict[Package, list[BenchmarkName]] | None = None
    """Benchmarks to measure, by their package's import path."""


class SeriesFile(BaseModel):
    """What ``series.yml`` may hold. Its own ``base`` and ``patches`` are the default variant."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    series: Identifier
    """The series' name, as its folder's."""
    subject: Line
    """What it does, in a line."""
    issue: Annotated[str, Matching(r"[\w.-]+/[\w.-]+#\d+", "like golang/go#12345")] = ""
    """The issue that it is about."""
    base: Annotated[str, AfterValidator(_specifier)]
    """The releases that it is for, such as ">=1.27, <1.28"."""
    patches: Annotated[list[FileName], Field(min_length=1, max_length=200)]
    """Its patch files, in the order in which they apply."""
    packages: list[Package] = []
    """Import paths to compile."""
    tests: dict[Package, list[TestName]] = {}
    """Tests to run, by their package's import path."""
    benchmarks: dict[Package, list[BenchmarkName]] = {}
    """Benchmarks to measure, by their package's import path."""
    thresholds: dict[config.UnitName, config.ThresholdEntry] = {}
    """When a change counts, for units that differ from matrix.yml."""
    variants: Annotated[list[VariantEntry], Field(max_length=50)] = []
    """Other patches for other releases."""

    @property
    def ranges(self) -> tuple[str, ...]:
        """The ranges of all variants, the default's first."""
        return (self.base, *(one.base for one in self.variants))

    def variant(self, index: int) -> SeriesFile:
        """The file as it would be if it had one of its variants alone; 0 is the default."""
        if not index:
            return self.model_copy(update={"variants": []})
        entry = self.variants[index - 1]
        named = {name: value for name, value in iter(entry) if value is not None}
        return self.model_copy(update={**named, "variants": []})


def is_path(name_or_path: str) -> bool:
    """Whether it is spelled as a path and not as a name: ``./mine`` and ``mine/`` as well."""
    return "/" in name_or_path or "\\" in name_or_path or name_or_path in {".", ".."}


def find(name_or_path: str, patches: Path) -> Path:
    """The series folder: a path when it is spelled as one, else a name below ``patches``."""
    given = Path(name_or_path)
    if is_path(name_or_path):
        folder = given.parent if given.name == SERIES_FILE else given
    else:
        folder = patches / name_or_path
    if (folder / SERIES_FILE).is_file():
        return folder.resolve()
    if folder.is_dir() and any(one.suffix in {".patch", ".diff", ".mbox"} for one in folder.iterdir()):
        raise UsageError(
            f"no series {name_or_path!r}: {folder / SERIES_FILE} does not exist",
            meaning="a folder of patches is a series only with a file that says their order and releases",
            hint=f"give --series the patch file itself, or write a {SERIES_FILE}",
        )
    known = sorted(path.parent.name for path in patches.glob(f"*/{SERIES_FILE}"))
    meant = config.suggest(name_or_path, known)
    if name_or_path and not is_path(name_or_path) and (given / SERIES_FILE).is_file():
        meant = f"did you mean the folder here? That is --series=./{name_or_path}"
    raise UsageError(
        f"no series {name_or_path!r}: {folder / SERIES_FILE} does not exist",
        meaning=meant,
        hint="a series is a folder with a series.yml: give its name below patches/ or its path, or a patch",
    )


def load(folder: Path, version: str = "") -> Series:
    """Read and check a series folder, and take its variant for the base ``version`` ('' for one that has no
    number). UsageError lists every mistake of series.yml at once; what the lint has against the patches is
    in them, and nothing may be applied before it was asked."""
    document = config.load(folder / SERIES_FILE)
    whole = config.check(document, SeriesFile)
    if mistakes := [
        *_missing(document, whole, folder),
        *_twice(document, whole),
        *_overlaps(document, whole),
    ]:
        raise UsageError("\n".join(mistakes))
    model = whole.variant(_index(whole, version))
    patches = tuple(_read(folder / name) for name in model.patches)
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
        variant=model.base if whole.variants else "",
        ranges=whole.ranges,
    )


def _lists(model: SeriesFile) -> list[tuple[tuple[str | int, ...], list[str]]]:
    return [(("patches",), model.patches)] + [
        (("variants", index, "patches"), one.patches) for index, one in enumerate(model.variants)
    ]


def _missing(document: config.Document, model: SeriesFile, folder: Path) -> list[str]:
    places = [((*path, index), name) for path, names in _lists(model) for index, name in enumerate(names)]
    return [
        f"{document.where(place)}: {config.dotted(place)}: {name} does not exist in {folder}"
        for place, name in places
        if not (folder / name).is_file()
    ]


def _twice(document: config.Document, model: SeriesFile) -> list[str]:
    places = [
        ((*path, index), name)
        for path, names in _lists(model)
        for index, name in enumerate(names)
        if name in names[:index]
    ]
    return [
        f"{document.where(place)}: {config.dotted(place)}: {name} is listed twice" for place, name in places
    ]


def _overlaps(document: config.Document, model: SeriesFile) -> list[str]:
    """Ranges that hold no release, and those of which a release would have two, so that nobody could say
    which of them holds."""
    places: list[tuple[str | int, ...]] = [("base",)]
    places += [("variants", index, "base") for index in range(len(model.variants))]
    named = list(zip(places, model.ranges, strict=True))
    found = []
    for at, (place, text) in enumerate(named):
        where = f"{document.where(place)}: {config.dotted(place)}"
        if not ranges.shared(text, text):
            found.append(f"{where}: no release is in {text!r}")
        for other, earlier in named[:at]:
            if both := ranges.shared(earlier, text):
                found.append(
                    f"{where}: {text!r} overlaps {config.dotted(other)} {earlier!r}: both hold Go {both}"
                )
    return found


def _index(model: SeriesFile, version: str) -> int:
    """Which variant is for ``version``. A release that none is for gets the default, which says so; a tree
    that is no release gets the newest: that is what development goes on from."""
    for index, text in enumerate(model.ranges):
        if ranges.admits(text, version):
            return index
    release = version and ranges.number(version) == version
    return 0 if release else ranges.newest(model.ranges)


def variant_note(series: Series, base: str, version: str) -> str:
    """Which variant of the series is in use for ``base``, and why; '' for a series without variants."""
    if not series.variant:
        return ""
    what = f"of {len(series.ranges)} variants, the one for Go {series.variant} is used"
    if ranges.admits(series.variant, version):
        return f"{what}: {base} is {ranges.number(version)}" if version != base else what
    if ranges.number(version):
        return f"{what}, though it is not for {base}" + (f" ({version})" if version != base else "")
    return f"{what}: {base} has no release number, and it is the newest"


def _frozen(lists: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {package: tuple(names) for package, names in lists.items()}


def _read(path: Path) -> Patch:
    if path.is_symlink() and not path.resolve().is_relative_to(path.parent.resolve()):
        raise UsageError(f"{path} is a link that leaves the series folder")
    with path.open("rb") as stream:
        content = stream.read(lint.MAX_BYTES + 1)  # enough for the lint to see that it is too much
    return examined(path.name, content)


def examined(name: str, content: bytes, told: tuple[str, str] | None = None) -> Patch:
    """A patch with all that the lint finds in it. ``told`` are its subject and message where they are known
    otherwise: they are looked at as they are shown."""
    found = lint.examine(name, content)
    subject, message = told or (found.message.subject, found.message.body)
    findings = found.findings
    if char := lint.hidden(subject + message):
        what = f"an invisible or control character in the message (U+{ord(char):04X})"
        findings += (Finding(severity="error", rule="character", file=name, line=1, message=what),)
    return Patch(
        name=name,
        subject=subject,
        message=message,
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
        files=found.files,
        findings=findings,
    )


def supports(series: Series, version: str) -> bool:
    """Whether the series says that it is for this release; True when the version has no number."""
    try:
        return SpecifierSet(series.base).contains(Version(version), prereleases=True)
    except InvalidVersion:
        return True
