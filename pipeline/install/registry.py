"""Which toolchains were installed where: a list of places. What lies there, the places say themselves."""

from __future__ import annotations

import os
from pathlib import Path

import filelock
import platformdirs
from pydantic import ValidationError

from pipeline.errors import HostError
from pipeline.install import beside
from pipeline.install.journal import Identity, Stored

NAME = "registry.json"


class Place(Stored):
    """A GOROOT. ``identity`` is what was put there last; None while the first install is under way.
    ``replaced`` says that another tree was there before."""

    path: str
    replaced: bool
    identity: Identity | None = None


class _File(Stored):
    places: tuple[Place, ...] = ()


def default_root() -> Path:
    """``$GOPATCH_TOOLCHAINS``, or the platform's data folder."""
    chosen = os.environ.get("GOPATCH_TOOLCHAINS")
    return Path(chosen).absolute() if chosen else Path(platformdirs.user_data_dir("gopatch")) / "toolchains"


def read(root: Path) -> tuple[Place, ...]:
    """The places, in the order in which they were first used. A file that cannot be understood is taken
    for none: the toolchains work without it."""
    try:
        return _File.model_validate_json((root / NAME).read_bytes()).places
    except (OSError, ValidationError):
        return ()


def put(root: Path, place: Place) -> None:
    """Add a place or replace what is known of it."""
    _change(root, place.path, place)


def drop(root: Path, path: str) -> None:
    """Forget a place."""
    if any(place.path == path for place in read(root)):
        _change(root, path, None)


def _change(root: Path, path: str, place: Place | None) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(root / f".{NAME}.lock", timeout=60):
            places = {one.path: one for one in read(root)}
            places.pop(path, None) if place is None else places.update({path: place})
            beside.write_json(root / NAME, _File(places=tuple(places.values())).model_dump(mode="json"))
    except (OSError, filelock.Timeout) as error:
        raise HostError(
            f"the list of installed toolchains in {root} cannot be written: {error}",
            hint="set GOPATCH_TOOLCHAINS to a folder you can write to",
        ) from error
