"""What stands in for the actions that the workflows use, with the traits of theirs that bite.

An artifact loses the run bits, hidden files and empty folders; a name exists once a run; a pattern that
matches one artifact unpacks it without a folder of its name.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline import proc
from tests.actions.commands import StepError
from tests.actions.values import Value, text

# What an artifact's files may not be called: some file system would not take it.
_REFUSED = re.compile(r'[":<>|*?\r\n]')


class UnsupportedError(Exception):
    """Something that this runner does not know: the test has to say what it should do."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a stand-in works: the job's ``workspace``, the run's ``artifacts``, those of ``other`` runs by
    id, the ``repository`` with its ``commit``, and the ``venv`` that jobs get, if any."""

    workspace: Path
    artifacts: Path
    other: Mapping[str, Path]
    repository: Path
    commit: str
    venv: Path | None = None


def _known(given: Mapping[str, Value], **defaults: str) -> dict[str, str]:
    if unknown := sorted(set(given) - {name.replace("_", "-") for name in defaults}):
        raise UnsupportedError(f"inputs {unknown}")
    return {name: text(given.get(name.replace("_", "-"), value)) for name, value in defaults.items()}


def checkout(place: Place, given: Mapping[str, Value]) -> str:
    """A clone of its own, whole whatever the depth asked for."""
    _known(given, persist_credentials="true", fetch_depth="1")
    env = proc.base_env({"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"})
    clone = ["git", "clone", "--quiet", "--no-hardlinks", "--no-checkout", str(place.repository), "."]
    for words in (clone, ["git", "checkout", "--quiet", "--detach", place.commit]):
        done = proc.run(words, env=env, cwd=place.workspace, timeout=120)
        if not done.ok:
            raise StepError(done.stdout)
    return f"checked out {place.commit}"


def setup_python(place: Place, given: Mapping[str, Value]) -> str:
    """The Python that is here; with ``venv``, what ``./inv`` would install is there already."""
    _known(given, python_version="")
    if place.venv is not None:
        (place.workspace / ".venv").symlink_to(place.venv)
    return f"the Python that is here: {place.venv or 'nothing of it is installed'}"


def upload(place: Place, given: Mapping[str, Value]) -> str:
    """Copies files into the run's folder of artifacts."""
    asked = _known(
        given,
        name="artifact",
        path="",
        if_no_files_found="warn",
        retention_days="",
        overwrite="",
        compression_level="6",
        include_hidden_files="false",
    )
    if not asked["path"] or any(sign in asked["path"] for sign in "*?[!\n"):
        raise UnsupportedError(f"a path that is no plain file or folder: {asked['path']!r}")
    if _REFUSED.search(asked["name"]) or "/" in asked["name"] or "\\" in asked["name"]:
        raise StepError(f"The artifact name is not valid: {asked['name']}")
    source, hidden = place.workspace / asked["path"], asked["include_hidden_files"] == "true"
    files = _files(source, hidden) if source.is_dir() else {source.name: source} if source.is_file() else {}
    if not files:
        said = f"No files were found with the provided path: {asked['path']}. No artifacts will be uploaded."
        if asked["if_no_files_found"] == "error":
            raise StepError(said)
        return said
    if refused := next((name for name in files if _REFUSED.search(name)), None):
        raise StepError(f"The path for one of the files in artifact is not valid: {refused}")
    target = place.artifacts / asked["name"]
    if target.exists():
        raise StepError(f"an artifact named {asked['name']} already exists on the workflow run")
    _copy(files, target)
    return f"{asked['name']}: {len(files)} files"


def _files(root: Path, hidden: bool) -> dict[str, Path]:
    found = {}
    for folder, folders, names in os.walk(root, followlinks=True):
        folders[:] = sorted(name for name in folders if hidden or not name.startswith("."))
        for name in sorted(names):
            path = Path(folder) / name
            if path.is_file() and (hidden or not name.startswith(".")):
                found[path.relative_to(root).as_posix()] = path
    return found


def _copy(files: Mapping[str, Path], target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name, path in files.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / name)
        (target / name).chmod(0o644)


def download(place: Place, given: Mapping[str, Value]) -> str:
    """Copies artifacts of this run, or of another by ``run-id``, into the workspace."""
    asked = _known(given, name="", pattern="", path=".", merge_multiple="false", run_id="", github_token="")
    shelf = place.artifacts
    if asked["run_id"]:
        if not asked["github_token"] or asked["run_id"] not in place.other:
            raise StepError(f"no artifacts of the run {asked['run_id']}, or no token to ask for them")
        shelf = place.other[asked["run_id"]]
    there = sorted(path.name for path in shelf.iterdir()) if shelf.is_dir() else []
    target = place.workspace / asked["path"]
    if asked["name"]:
        if asked["name"] not in there:
            raise StepError(f"Unable to download artifact(s): Artifact not found for name: {asked['name']}")
        chosen = [asked["name"]]
    else:
        chosen = [name for name in there if fnmatch.fnmatchcase(name, asked["pattern"] or "*")]
    flat = asked["merge_multiple"] == "true" or len(chosen) == 1
    for name in chosen:
        _copy(_files(shelf / name, True), target if flat else target / name)
    return f"downloaded {chosen}"


STAND_INS: Mapping[str, Callable[[Place, Mapping[str, Value]], str]] = {
    "actions/checkout": checkout,
    "actions/setup-python": setup_python,
    "actions/upload-artifact": upload,
    "actions/download-artifact": download,
}
