"""What stands in for actions keeps the traits of theirs that bite."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from tests.actions.commands import StepError
from tests.actions.stand_ins import Place, UnsupportedError, checkout, download, setup_python, upload
from tests.unit.contributor import Repository


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty workspace and shelf."""
    made = Place(
        workspace=tmp_path / "work",
        artifacts=tmp_path / "artifacts",
        other={"7": tmp_path / "others"},
        repository=tmp_path,
        commit="",
    )
    made.workspace.mkdir()
    return made


def write(root: Path, *names: str) -> None:
    """Files that hold their own names."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def names(root: Path) -> list[str]:
    """The files below a folder."""
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_an_artifact_loses_run_bits_hidden_files_links_and_empty_folders(place: Place) -> None:
    write(place.workspace, "out/a", "out/deep/b", "out/.hidden", "out/.git/c")
    (place.workspace / "out/a").chmod(0o755)
    (place.workspace / "out/empty").mkdir()
    (place.workspace / "out/link").symlink_to("a")
    (place.workspace / "out/broken").symlink_to("nowhere")
    upload(place, {"name": "x", "path": "out"})
    download(place, {"name": "x", "path": "in"})
    got = place.workspace / "in"
    assert names(got) == ["a", "deep/b", "link"]
    assert not (got / "link").is_symlink()
    assert not (got / "empty").exists()
    assert not os.access(got / "a", os.X_OK)


def test_a_single_file_and_hidden_ones_when_asked_for(place: Place) -> None:
    write(place.workspace, "out/a", "out/.b")
    upload(place, {"name": "one", "path": "out/a"})
    upload(place, {"name": "all", "path": "out", "include-hidden-files": True})
    assert names(place.artifacts) == ["all/.b", "all/a", "one/a"]


def test_a_pattern_that_matches_one_artifact_makes_no_folder_for_it(place: Place) -> None:
    write(place.artifacts, "cell-a/x", "run/y")
    download(place, {"pattern": "cell-*", "path": "in"})
    assert names(place.workspace) == ["in/x"]


def test_a_pattern_that_matches_several_does(place: Place) -> None:
    write(place.artifacts, "cell-a/x", "cell-b/x", "run/y")
    download(place, {"pattern": "cell-*", "path": "in"})
    download(place, {"pattern": "cell-*", "path": "merged", "merge-multiple": True})
    download(place, {"pattern": "none-*", "path": "none"})
    assert names(place.workspace) == ["in/cell-a/x", "in/cell-b/x", "merged/x"]


def test_an_artifact_of_another_run(place: Place) -> None:
    write(place.other["7"], "report/r")
    download(place, {"name": "report", "path": "in", "run-id": "7", "github-token": "t"})
    assert names(place.workspace) == ["in/r"]
    for given in ({"run-id": "8", "github-token": "t"}, {"run-id": "7"}):
        with pytest.raises(StepError):
            download(place, {"name": "report", **given})


def test_what_fails_a_step(place: Place) -> None:
    write(place.workspace, "out/a", "odd/a:b")
    with pytest.raises(StepError, match="not found for name"):
        download(place, {"name": "x"})
    upload(place, {"name": "x", "path": "out"})
    for given in (
        {"name": "x", "path": "out"},  # once a run
        {"name": "y/z", "path": "out"},
        {"name": "y:z", "path": "out"},
        {"name": "y", "path": "odd"},
        {"name": "y", "path": "none", "if-no-files-found": "error"},
    ):
        with pytest.raises(StepError):
            upload(place, given)
    assert "No files" in upload(place, {"name": "y", "path": "none"})
    assert not (place.artifacts / "y").exists()


def test_what_is_not_known_is_an_error(place: Place) -> None:
    write(place.workspace, "out/a")
    for given in ({"path": "out", "unheard": 1}, {"path": "out/*"}, {"path": "out\nmore"}, {"name": "x"}):
        with pytest.raises(UnsupportedError):
            upload(place, given)


@pytest.mark.usefixtures("processes")
def test_a_checkout_is_a_clone_of_its_own(place: Place, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "origin")
    commit = repository.commit({"a": "committed"}, "one")
    repository.commit({"a": "later"}, "two")
    there = dataclasses.replace(place, repository=repository.path, commit=commit)
    checkout(there, {"persist-credentials": False, "fetch-depth": 2.0})
    assert (place.workspace / "a").read_text() == "committed"
    assert not (place.workspace / ".git/objects/info/alternates").exists()
    with pytest.raises(UnsupportedError, match="ref"):
        checkout(there, {"ref": "other"})


def test_python_is_the_one_that_is_here(place: Place, tmp_path: Path) -> None:
    setup_python(place, {"python-version": "3.13"})
    assert list(place.workspace.iterdir()) == []
    setup_python(dataclasses.replace(place, venv=tmp_path), {"python-version": "3.13"})
    assert (place.workspace / ".venv").resolve() == tmp_path
