"""The journal beside a GOROOT: what is under way there, and what was replaced. Written before each step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from pipeline.errors import HostError
from pipeline.install import beside as room
from pipeline.install.beside import Beside

# Lies at the top of each installed tree: says what it is, and tells it from all others.
MARKER = "gopatch.json"


def _ours(name: str) -> str:
    if "/" in name or "\\" in name or ".gopatch-" not in name:
        raise ValueError("should be a name that gopatch gave")
    return name


OurName = Annotated[str, AfterValidator(_ours)]


class Stored(BaseModel):
    """What a file holds; anything unknown in it is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Identity(Stored):
    """An installed toolchain. ``digest`` is over the files of bin and pkg/tool, ``tree`` over all."""

    stamp: str
    version: str
    series: str
    digest: str
    tree: str
    recipe: str
    run: str


class Folder(Stored):
    """An empty folder that gives way to a toolchain: what it takes to make it again."""

    mode: int
    user: int
    group: int


class Pending(Stored):
    """What is under way: ``step`` is the one that was begun last. ``empty`` is the folder that was there
    before, when it was an empty one."""

    action: Literal["install", "rollback"]
    stamp: str
    step: str
    new: OurName | None = None
    backup: OurName | None = None
    aside: OurName | None = None
    empty: Folder | None = None


class Replaced(Stored):
    """A finished replacement: what was put there, and what was there before (its version and digest)."""

    identity: Identity
    backup: OurName
    previous: str
    previous_digest: str


class Journal(Stored):
    """The file. ``done`` has the newest replacement last; ``trash`` may be removed at any time."""

    format: Literal[1] = 1
    pending: Pending | None = None
    done: tuple[Replaced, ...] = ()
    trash: tuple[OurName, ...] = ()


def read(beside: Beside) -> Journal:
    """The journal, an empty one where there is none. HostError when it cannot be understood: guessing
    could remove somebody's toolchain."""
    try:
        return Journal.model_validate_json(beside.journal.read_bytes())
    except FileNotFoundError:
        return Journal()
    except OSError as error:
        raise HostError(f"{beside.journal} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise HostError(
            f"{beside.journal} is not a journal that this version understands",
            meaning="it was edited, or another version of gopatch wrote it",
            hint=f"nothing was touched; see which of {beside.goroot}* you want, and move the journal away",
        ) from error


def write(beside: Beside, journal: Journal) -> None:
    """Have the journal on disk; one that says nothing is removed."""
    if journal == Journal():
        beside.journal.unlink(missing_ok=True)
        room.scratch_of(beside.journal).unlink(missing_ok=True)
        if beside.journal.parent.is_dir():
            room.sync_folder(beside.journal.parent)
        return
    room.write_json(beside.journal, journal.model_dump(mode="json"))


def identity_of(root: Path) -> Identity | None:
    """What the tree at ``root`` says it is; None for a tree that gopatch did not install."""
    try:
        return Identity.model_validate_json((root / MARKER).read_bytes())
    except (OSError, ValidationError):
        return None
