"""Ctrl-C and kill -9 in every stage: the right exit code, nothing half-made trusted, nothing lost."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path

import pytest

from pipeline.errors import ExitCode
from tests.integration import forked
from tests.integration.harness import (
    ROOT,
    Started,
    command,
    environment,
    light,
    quick,
    ring_series,
    validate,
    warmed,
)

pytestmark = pytest.mark.go

STAGES = ["fetch", "apply", "reach", "compile", "toolchain", "test binaries", "test", "benchmarks"]


@pytest.mark.parametrize("stage", STAGES)
def test_stopped_twice_and_resumed(
    stage: str, cache: Path, own_cache: Path, release: Path, tmp_path: Path
) -> None:
    used = own_cache
    if stage == "fetch":  # nothing to fetch, nothing to interrupt
        used = warmed(cache, tmp_path / "cache", without=("downloads", "releases"))
    series = ring_series(tmp_path / f"stop-{stage.replace(' ', '-')}", release)
    out = tmp_path / "out"
    root = light("random" if stage == "benchmarks" else "fixed")
    first = Started(used, out, *quick(series), root=root)
    first.wait_for(f"{stage} …")
    assert first.stop(signal.SIGINT) == ExitCode.INTERRUPTED, first.log.read_text()
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert (report["verdict"], report["exit_code"]) == ("interrupted", 130)
    assert "--resume" in first.log.read_text()

    second = Started(used, out, "--resume", *quick(series), root=root)
    # The tests may have ended before the signal came: then they are not run again.
    second.wait_for("benchmarks …" if stage == "test" else f"{stage} …")
    second.stop(signal.SIGKILL)
    if stage == "fetch":
        # A pip that outlives its run would make its folder again, after the next run has removed it.
        _wait_for_orphans(used)
    # Died without a word: the report on disk must not be a pass.
    assert json.loads((out / "report.json").read_text(encoding="utf-8"))["exit_code"] != 0

    done = validate(used, out, "--resume", *quick(series), root=root, plain=True)
    assert done.code in {ExitCode.PASS, ExitCode.INCONCLUSIVE}, done.err
    (row,) = [r for r in done.report["cells"][0]["benchmarks"] if r["unit"] == "sec/op"]
    assert row["n"] >= 6
    # What was measured before the kill counts once: no round is doubled, none has one side only.
    blocks = [
        line
        for line in (out / "bench/linux-amd64.txt").read_text().splitlines()
        if line.startswith("round: ")
    ]
    assert sorted(set(blocks)) == sorted(blocks[::2])
    assert all(blocks.count(block) == 2 for block in blocks)
    assert list((used / "v1").glob("*/.tmp-*")) == []


def _wait_for_orphans(cache: Path) -> None:
    """Until no program runs that names the cache."""
    deadline = time.monotonic() + 60
    while any(str(cache).encode() in _words(path) for path in Path("/proc").glob("[0-9]*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _words(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def test_sigterm_ends_like_ctrl_c_and_leaves_no_program(cache: Path, release: Path, tmp_path: Path) -> None:
    series = ring_series(tmp_path / "terminated", release, spin=_slow_spin())
    run = Started(cache, tmp_path / "out", *quick(series))
    run.wait_for("benchmarks …")
    deadline = time.monotonic() + 30
    while not (found := _children(run.process.pid, "container_ring.test")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert run.stop(signal.SIGTERM) == ExitCode.INTERRUPTED
    deadline = time.monotonic() + 10
    while left := [child for child in found if _runs(child)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def _runs(process: str) -> bool:
    """Whether a process is there and not just waiting to be reaped."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def _slow_spin() -> str:
    from tests.integration.harness import SPIN

    return SPIN.replace("n += r.Len()", "n += r.Len()\n\t\ttime.Sleep(20 * time.Second)").replace(
        'import "testing"', 'import (\n\t"testing"\n\t"time"\n)'
    )


def _children(parent: int, name: str) -> list[str]:
    """The process ids of the programs called ``name`` that ``parent`` has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            above = (path / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if int(above) == parent and Path(words[0].decode(errors="replace")).name == name:
            found.append(path.name)
    return found


def test_two_runs_at_once_share_one_store(cache: Path, release: Path, tmp_path: Path) -> None:
    series = ring_series(tmp_path / "twice", release)
    runs = [Started(cache, tmp_path / f"out{number}", *quick(series)) for number in (1, 2)]
    for run in runs:
        assert run.process.wait(300) in {ExitCode.PASS, ExitCode.INCONCLUSIVE}, run.log.read_text()
    waited = ("waiting for another run", "another run measures on this machine")
    assert any(words in run.log.read_text() for run in runs for words in waited)
    times = []
    for run in runs:
        records = [json.loads(line) for line in (run.out / "ledger.jsonl").read_text().splitlines()]
        pairs = [record["at"] for record in records if record["kind"] == "pair"]
        times.append((pairs[0], pairs[-1]))
    # One machine measures one thing at a time.
    times.sort()
    assert times[0][1] < times[1][0]


def test_resume_of_a_run_that_is_still_going_is_refused(cache: Path, release: Path, tmp_path: Path) -> None:
    series = ring_series(tmp_path / "going", release, spin=_slow_spin())
    run = Started(cache, tmp_path / "out", *quick(series))
    run.wait_for("benchmarks …")
    before = (tmp_path / "out/ledger.jsonl").read_bytes()
    done = validate(cache, tmp_path / "out", "--resume", *quick(series))
    assert done.code == ExitCode.ENVIRONMENT, done.err
    assert "still going in another process" in done.err
    assert (tmp_path / "out/ledger.jsonl").read_bytes().startswith(before)
    assert run.stop(signal.SIGINT) == ExitCode.INTERRUPTED


def test_resume_refuses_another_plan(cache: Path, release: Path, tmp_path: Path) -> None:
    series = ring_series(tmp_path / "changed", release)
    run = Started(cache, tmp_path / "out", *quick(series))
    run.wait_for("benchmarks …")
    run.stop(signal.SIGINT)
    patch = series / "0001-change.patch"
    patch.write_text(patch.read_text().replace("// changed", "// changed again"))
    done = validate(cache, tmp_path / "out", "--resume", *quick(series))
    assert done.code == ExitCode.USAGE
    assert "started under another plan" in done.err


def test_a_finished_run_has_nothing_to_resume(cache: Path, release: Path, tmp_path: Path) -> None:
    series = ring_series(tmp_path / "finished", release, benchmarks={})
    assert validate(cache, tmp_path / "out", *quick(series)).code == ExitCode.PASS
    done = validate(cache, tmp_path / "out", "--resume", *quick(series))
    assert done.code == ExitCode.NOTHING_TO_DO
    assert "is finished" in done.err


def test_clean_empties_the_cache_and_nothing_else(cache: Path, release: Path, tmp_path: Path) -> None:
    used = warmed(cache, tmp_path / "own cache")
    series = ring_series(tmp_path / "cleaned", release, benchmarks={}, tests={})
    assert validate(used, tmp_path / "out", *quick(series)).code == ExitCode.PASS
    env = environment(used)
    done = forked.run(command("clean", "--all"), cwd=ROOT, env=env, timeout=300)
    assert done.returncode == ExitCode.PASS, done.stderr
    assert [path.name for path in used.iterdir()] == ["CACHEDIR.TAG"]
    assert any((cache / "v1/gocache").iterdir()), "not through a link"
    assert (tmp_path / "out/report.json").exists()
    shutil.rmtree(used)
    used.mkdir()
    (used / "thesis.txt").write_text("precious")
    refused = forked.run(command("clean", "--all"), cwd=ROOT, env=env, timeout=300)
    assert refused.returncode == ExitCode.USAGE
    assert "not a gopatch cache" in refused.stderr
    assert (used / "thesis.txt").exists()
