"""Layouts of the rounds: where their programs are, and for how long."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import values
from pipeline.cells.here import HERE
from pipeline.flow import relinking

BINARY = values.TestBinary(package="p", side="base", path=Path("p.test"), sha256="0" * 64, goroot=Path())


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def relinked(_c: Any, _s: Any, side: Any, package: str, folder: Path, *, seed: int) -> values.TestBinary:
        folder.mkdir(parents=True)
        program = folder / "p.test"
        program.write_text(f"{side} {package} {seed}")
        return dataclasses.replace(BINARY, side=side, package=package, path=program, layout_seed=seed)

    monkeypatch.setattr(relinking, "relinked", relinked)
    profile = SimpleNamespace(layout="random")
    return SimpleNamespace(folder=tmp_path, where=HERE, jobs=2, plan=SimpleNamespace(profile=profile))


def programs(binaries: Any) -> list[Path]:
    return [one.path for side in ("base", "patched") for one in binaries[side].values()]


def test_only_the_last_round_s_programs_are_there(context: Any) -> None:
    sides: Any = SimpleNamespace(layouts=True)
    before: list[Path] = []
    with relinking.layouts(context, sides) as relink:
        assert relink is not None
        for seed in (5, 6, 7):
            with relink(seed, {"a", "b"}) as binaries:
                now = programs(binaries)
                assert [one.read_text() for one in now] == [
                    f"{side} {package} {seed}" for side in ("base", "patched") for package in "ab"
                ]
                assert not any(one.exists() for one in before)
                assert len({len(str(one)) for one in now}) == 1
            before = now
    assert list(context.folder.iterdir()) == []


def test_none_is_left_by_a_run_that_was_killed_or_failed(context: Any) -> None:
    stale = context.folder / ".layouts/0/0/0/p.test"
    stale.parent.mkdir(parents=True)
    stale.write_text("killed")
    sides: Any = SimpleNamespace(layouts=True)

    def fails() -> None:
        with relinking.layouts(context, sides) as relink:
            assert relink is not None
            assert not stale.exists()
            with relink(1, {"a"}):
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert list(context.folder.iterdir()) == []


@pytest.mark.parametrize(("layout", "known"), [("fixed", True), ("random", False)])
def test_one_layout_for_all(context: Any, layout: str, known: bool) -> None:
    context.plan.profile.layout = layout
    sides: Any = SimpleNamespace(layouts=known)
    with relinking.layouts(context, sides) as relink:
        assert relink is None
