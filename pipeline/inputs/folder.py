"""A series folder: ``patches/<name>`` or a path, with its series.yml."""

from __future__ import annotations

from pathlib import Path

from pipeline.patch import series as series_room
from pipeline.values import Provenance, Series


class Folder:
    """The series folder that a name below ``patches`` or a path stands for."""

    def __init__(self, name_or_path: str, patches: Path) -> None:
        self._given, self._patches = name_or_path, patches

    def read(self, version: str) -> tuple[Series, Provenance]:
        """See ``Input.read``."""
        folder = series_room.find(self._given, self._patches)
        series = series_room.load(folder, version)
        named = folder.parent == self._patches.resolve() and folder.name == self._given
        return series, Provenance(
            form="folder",
            origin=str(folder),
            options=(f"--series={self._given if named else folder}",),
        )
