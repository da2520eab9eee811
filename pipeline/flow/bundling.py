"""A cell's bundle: all that it is tested and measured with, on a machine where nothing has to be compiled.

``bundle.json`` says what is there; ``files.tar.gz`` holds every content once, called by its sha256. What does
not have the hash that it should have is never used.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import os
import re
import shutil
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline import tree
from pipeline.errors import HostError, UsageError
from pipeline.flow.sides import Batch, Sides
from pipeline.golang import Go
from pipeline.plan.plan import Plan
from pipeline.records import Side
from pipeline.source.settings import Settings
from pipeline.store import file_sha256
from pipeline.toolchain import recipes
from pipeline.values import SIDES, Kit, Platform, TestBinary

MANIFEST, FILES = "bundle.json", "files.tar.gz"
MAX_MANIFEST = 64 << 20
MAX_UNPACKED = 8 << 30
_PORTION = 1 << 20
_T = TypeVar("_T")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Of both sides one length: where a program is and what it is called is part of what it measures.
_ROOTS: Mapping[Side, str] = {"base": "trees/0", "patched": "trees/1"}
_AREAS = (*_ROOTS.values(), "programs", "archives")


class Bundle(BaseModel):
    """What is in a bundle. ``plan`` is the run's, as the cell's machine carries it out, and ``plan_digest``
    that of the whole run's; ``sides`` have paths below the bundle. ``files`` maps each path there to its
    sha256, with ``x`` for what is run."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    form: Literal[1] = 1
    run_id: str
    commit: str
    plan_digest: str
    plan: Plan
    sides: Sides
    files: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What to pack. ``tools`` are the files of bin and pkg/tool that each side's tree has on the cell's
    platform, by their path below GOROOT; ``host`` is the platform whose tools the trees have now."""

    run_id: str
    commit: str
    plan: Plan
    plan_digest: str
    sides: Sides
    tools: Mapping[Side, Mapping[str, Path]]
    host: Platform


def pack(contents: Contents, folder: Path) -> dict[str, int]:
    """Write the bundle; its files and their sizes."""
    sources: dict[str, Path] = {}
    files: dict[str, str] = {}
    for name, path, value in _files(contents):
        files[name] = value
        sources[value.split(" ")[0]] = path
    bundle = Bundle(
        run_id=contents.run_id,
        commit=contents.commit,
        plan_digest=contents.plan_digest,
        plan=_without_contents(contents.plan),
        sides=moved(contents.sides, Path()),
        files=files,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_text(bundle.model_dump_json(), encoding="utf-8")
    _write(folder / FILES, sources)
    return {name: (folder / name).stat().st_size for name in (MANIFEST, FILES)}


def _without_contents(plan: Plan) -> Plan:
    """The plan without the patches' bytes, which are in the trees by now, and without where Go is fetched
    from: that is this machine's business."""
    patches = tuple(dataclasses.replace(one, content=b"") for one in plan.series.patches)
    series = dataclasses.replace(plan.series, patches=patches, root=Path())
    origin = dataclasses.replace(plan.origin, raw=b"")
    return dataclasses.replace(plan, series=series, origin=origin, sources=Settings())


def _files(contents: Contents) -> Iterable[tuple[str, Path, str]]:
    """Every file: its path in the bundle, where it is now, and its manifest value."""
    sides = contents.sides
    for side in SIDES:
        found, root = sides.trees[side], _ROOTS[side]
        own = recipes.tool_files(found.root, contents.host)
        for name, value in found.manifest.items():
            if name not in own:
                yield f"{root}/{name}", found.root / name, value
        for name, path in contents.tools[side].items():
            yield f"{root}/{name}", path, f"{file_sha256(path)} x"
        for kit in sides.kits[side].values():
            for archive in (*kit.archives.values(), kit.main):
                yield f"archives/{archive}", kit.folder / archive, archive
    for one in sides.programs():
        yield _program(one).as_posix(), one.path, f"{one.sha256} x"


def _program(binary: TestBinary) -> PurePosixPath:
    return PurePosixPath("programs", binary.sha256[:32], binary.path.name)


def moved(sides: Sides, root: Path) -> Sides:
    """The same in the bundle unpacked at ``root``; ``Path()`` for how the bundle itself says it."""

    def program(one: TestBinary) -> TestBinary:
        return dataclasses.replace(one, path=root / _program(one), goroot=root / _ROOTS[one.side])

    def kit(one: Kit) -> Kit:
        return dataclasses.replace(one, folder=root / "archives")

    def batch(one: Batch) -> Batch:
        return dataclasses.replace(one, programs={side: program(each) for side, each in one.programs.items()})

    return dataclasses.replace(
        sides,
        go={side: Go(root=root / _ROOTS[side], cache=root / "cache", work=root / "work") for side in SIDES},
        trees={
            side: dataclasses.replace(one, root=root / _ROOTS[side], manifest={})
            for side, one in sides.trees.items()
        },
        binaries={side: _each(program, sides.binaries[side]) for side in SIDES},
        kits={side: _each(kit, sides.kits[side]) for side in SIDES},
        batches=tuple(batch(one) for one in sides.batches),
        probe=program(sides.probe),
        attendant=program(sides.attendant) if sides.attendant else None,
    )


def _each(change: Callable[[_T], _T], found: Mapping[str, _T]) -> dict[str, _T]:
    return {name: change(one) for name, one in found.items()}


def _write(archive: Path, sources: Mapping[str, Path]) -> None:
    # The lowest level: what is packed is read once, and whoever carries it may pack it again.
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=1, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as writer,
    ):
        for sha256, path in sorted(sources.items()):
            member = tarfile.TarInfo(sha256)
            member.size = path.stat().st_size
            member.mode = 0o600
            with path.open("rb") as stream:
                writer.addfile(member, stream)


def load(folder: Path) -> tuple[Bundle, str]:
    """The bundle in ``folder`` and the sha256 of its manifest. UsageError where there is none, HostError for
    one that cannot be trusted."""
    path = folder / MANIFEST
    try:
        if path.stat().st_size > MAX_MANIFEST:
            raise HostError(f"{path} is larger than {MAX_MANIFEST} bytes", hint=_AGAIN)
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(
            f"{folder} holds no bundle (no {MANIFEST})",
            hint="./inv bundle makes one for every cell that has a machine",
        ) from error
    try:
        bundle = Bundle.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise HostError(f"{path} is no bundle: {place}: {first['msg']}", hint=_AGAIN) from error
    for name, value in bundle.files.items():
        _check(path, name, value)
    return bundle, hashlib.sha256(data).hexdigest()


_AGAIN = "download it again, or make it again with ./inv bundle by the same version of this project"


def _check(path: Path, name: str, value: str) -> None:
    parts = PurePosixPath(name).parts
    plain = name == "/".join(parts) and not re.search(r'[\x00-\x1f\\:*?"<>|]', name)
    inside = plain and not {"..", "."} & set(parts) and name.startswith(tuple(f"{area}/" for area in _AREAS))
    if not inside or not _SHA256.fullmatch(value.removesuffix(" x")):
        raise HostError(f"{path} names a file that no bundle holds: {name[:200]!r}", hint=_AGAIN)


def unpack(folder: Path, bundle: Bundle, root: Path) -> Sides:
    """Write the bundle's files below ``root``, each with the hash that it should have; the sides there.
    HostError for anything else."""
    objects = root / "objects"
    objects.mkdir(parents=True)
    wanted = {value.removesuffix(" x") for value in bundle.files.values()}
    try:
        _extract(folder / FILES, wanted, objects)
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, ValueError) as error:
        raise HostError(f"{folder / FILES} cannot be read: {error}", hint=_AGAIN) from error
    except FileNotFoundError as error:
        raise HostError(f"{folder / FILES} is not there", hint=_AGAIN) from error
    tree.make_folders(root, bundle.files)
    for name, value in bundle.files.items():
        sha256, _, executable = value.partition(" ")
        _place(objects / sha256, root / name, executable=bool(executable))
    shutil.rmtree(objects)
    for area in ("cache", "work"):
        (root / area).mkdir()
    return moved(bundle.sides, root)


def _extract(archive: Path, wanted: set[str], objects: Path) -> None:
    missing, total = set(wanted), 0
    with tarfile.open(archive, mode="r|gz") as reader:
        for member in reader:
            total += member.size
            if not member.isfile() or member.name not in missing or total > MAX_UNPACKED:
                raise HostError(f"{archive} holds what it should not: {member.name[:200]!r}", hint=_AGAIN)
            state = hashlib.sha256()
            stream = reader.extractfile(member)
            with (objects / member.name).open("xb") as out:
                while stream is not None and (portion := stream.read(_PORTION)):
                    state.update(portion)
                    out.write(portion)
            if state.hexdigest() != member.name:
                raise HostError(
                    f"{archive} was altered: the file with sha256 {member.name} has {state.hexdigest()}",
                    hint=_AGAIN,
                )
            missing.discard(member.name)
    if missing:
        raise HostError(f"{archive} lacks {len(missing)} files, first {min(missing)}", hint=_AGAIN)


def _place(blob: Path, target: Path, *, executable: bool) -> None:
    if executable:
        shutil.copyfile(blob, target)
        target.chmod(0o755)
        return
    try:
        os.link(blob, target)
    except OSError:
        shutil.copyfile(blob, target)
