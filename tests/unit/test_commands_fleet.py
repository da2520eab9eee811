"""``bundle``, ``cell`` and ``merge`` on what they cannot work on: a message, its exit code, nothing left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.commands import bundle, cell, merge
from pipeline.errors import ExitCode
from pipeline.flow import bundling, merging
from pipeline.plan.plan import Request
from tests.unit import fleet

ROOT = fleet.ROOT


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "made").mkdir()
    bundling.pack(fleet.contents(tmp_path / "made", fleet.plan(monkeypatch)), tmp_path / "packed")
    return tmp_path / "packed"


def bundled(out: Path) -> ExitCode:
    return bundle.main(bundle.Options(request=Request(root=ROOT, profile="quick"), out=str(out)))


def ran(out: Path) -> ExitCode:
    return cell.main(cell.Options(root=ROOT, cell="x", bundle=str(out / "none"), out=str(out)))


def merged(out: Path) -> ExitCode:
    run = out.parent / "run"
    run.mkdir(exist_ok=True)
    (run / "ledger.jsonl").write_text("")
    return merge.main(merge.Options(root=ROOT, inputs=(str(run),), out=str(out)))


@pytest.mark.parametrize("verb", [bundled, ran])
def test_a_folder_that_holds_something_is_left_alone(
    verb: Callable[[Path], ExitCode], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("precious")
    assert verb(out) is ExitCode.USAGE
    assert f"{out} exists and is not an empty folder" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(("verb", "message"), [(ran, "holds no bundle"), (merged, "does not hold the start")])
def test_what_is_not_there_makes_no_folder(
    verb: Callable[[Path], ExitCode], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert verb(out) is ExitCode.USAGE
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_cell_that_is_not_there_leaves_nothing_that_is_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(merging, "read", lambda _: SimpleNamespace(waiting=()))
    inputs = (str(tmp_path), str(tmp_path / "none"))
    assert merge.main(merge.Options(root=ROOT, inputs=inputs, out=str(tmp_path / "out"))) is ExitCode.USAGE
    assert "none is no folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_another_cells_bundle(packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = cell.Options(root=ROOT, cell="darwin-arm64", bundle=str(packed), out=str(tmp_path / "out"))
    assert cell.main(options) is ExitCode.USAGE
    assert "is of the cell linux-amd64, not of darwin-arm64" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_nothing_to_merge(capsys: pytest.CaptureFixture[str]) -> None:
    assert merge.main(merge.Options(root=ROOT)) is ExitCode.USAGE
    assert "nothing to merge" in capsys.readouterr().err
