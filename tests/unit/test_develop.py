"""``lint``: one failing check fails it, and what each prints comes in their order. The calls of ``test``."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from pipeline.commands import develop
from pipeline.errors import ExitCode


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The exit codes of checks, by a word of theirs; the first one takes longest."""
    codes: dict[str, int] = {}

    def ran(_root: Path, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        time.sleep(0.1 if "mypy" in command else 0)
        code = next((code for word, code in codes.items() if word in command), 0)
        return subprocess.CompletedProcess(command, code, stdout=f"said by {command[-1]}\n")

    monkeypatch.setattr(develop, "_captured", ran)
    monkeypatch.setattr(develop, "workflow_steps", lambda *_: [["zizmor", "file.yml"]])
    return codes


def test_every_check_is_shown_in_its_order(
    checks: dict[str, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert develop.lint(tmp_path) == ExitCode.PASS
    said = [line.removeprefix("said by ") for line in capsys.readouterr().out.splitlines()]
    assert said == ["mypy", ".", ".", "--no-cache", "--check", "file.yml"]


@pytest.mark.parametrize("word", ["mypy", "check", "--check", "--no-cache", "workflows", "zizmor"])
def test_one_that_fails_fails_it_and_is_named(
    checks: dict[str, int], word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checks[word] = 1
    assert develop.lint(tmp_path) == ExitCode.PATCH_FAILS
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 6, "the others ran all the same"
    assert all(line.startswith("failed: ") and word in line for line in err.splitlines())
    assert err


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize(("codes", "result"), [((0, 0), ExitCode.PASS), ((0, 1), ExitCode.PATCH_FAILS)])
def test_all_tests_are_two_calls_on_one_cache_of_which_nothing_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, codes: tuple[int, int], result: ExitCode
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv(develop.TEST_CACHE, raising=False)
    called: list[tuple[str, str]] = []

    def call(_root: Path, command: Sequence[str], extra: Mapping[str, str]) -> int:
        assert "--everything" in command
        cache = Path(extra[develop.TEST_CACHE])
        (cache / "v1").mkdir(parents=True, exist_ok=True)
        called.append((command[command.index("-m", 2) + 1], str(cache)))
        return codes[len(called) - 1]

    monkeypatch.setattr(develop, "_call", call)
    assert develop.test(tmp_path, everything=True, args=()) == result
    assert [marker for marker, _ in called] == ["not measures", "measures"]
    assert len({cache for _, cache in called}) == 1
    deadline = time.monotonic() + 10
    while list(tmp_path.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
