"""Schedules, samples of a fake test binary, and who is charged when one gives no number."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest

from pipeline import proc, running, values
from pipeline.bench import floor, measure, runner, schedule
from pipeline.cells import here
from pipeline.console import Console
from pipeline.errors import HostError, UsageError
from pipeline.golang import Go
from pipeline.records import BenchmarkLost, BenchmarkRetried, PairMeasured, Record, RoundEnded, Screened
from pipeline.stats.analysis import Rules
from pipeline.values import SIDES, Binaries, Cell, Platform, Profile, Threshold
from tests.unit.test_proc import gone

ROOT = Path(__file__).resolve().parents[2]
TARGET = measure.Target("runtime", "BenchmarkX")
PROFILE = Profile(
    name="quick",
    rounds=6,
    max_rounds=6,
    max_seconds=60,
    noise_rounds=0,
    benchtime="1x",
    layout="fixed",
    cooldown=0,
    budget=60,
    benchmark_timeout=2,
    test_timeout=5,
    toolchain="overlay",
)
GOOD = "printf 'goos: linux\\npkg: runtime\\nBenchmarkX-2 \\t 10\\t 100 ns/op\\nPASS\\n'"


def test_the_order_is_a_fair_coin_of_its_own_for_every_pair() -> None:
    """What makes the test exact: each order as often, and none tells of another one, near or far."""
    for benchmark in ("BenchmarkA", "BenchmarkB"):
        leads = [schedule.side_order("seed", benchmark, n)[0] == "base" for n in range(1, 4001)]
        assert abs(sum(leads) / 4000 - 0.5) < 0.03
        for apart in (1, 2, 3, 4, 8):
            alike = sum(a == b for a, b in zip(leads, leads[apart:], strict=False)) / (4000 - apart)
            assert abs(alike - 0.5) < 0.03, apart
    one, two = ([schedule.side_order("seed", name, n) for n in range(1, 2001)] for name in "AB")
    assert abs(sum(a == b for a, b in zip(one, two, strict=True)) / 2000 - 0.5) < 0.05


def test_benchmarks_are_shuffled_anew_each_round() -> None:
    names = list("abcdefgh")
    orders = [schedule.shuffled("seed", number, names) for number in range(1, 11)]
    assert all(sorted(order) == names for order in orders)
    assert len({tuple(order) for order in orders}) > 5
    assert schedule.shuffled("seed", 1, names) == orders[0]


def test_the_order_is_the_same_in_every_process(processes: None) -> None:
    code = "from pipeline.bench import schedule as s; print([s.side_order('x', 'B', n) for n in range(9)], "
    code += "s.shuffled('x', 1, list('abcdef')))"
    said = {
        subprocess.check_output(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        )
        for seed in ("1", "2")
    }
    assert len(said) == 1


class Bench:
    """Two fake test binaries and everything around them."""

    def __init__(self, tmp_path: Path, base: str, patched: str) -> None:
        self.records: list[Record] = []
        binaries = {}
        for side, body in zip(SIDES, (base, patched), strict=True):
            root = tmp_path / side
            (root / "src/runtime").mkdir(parents=True)
            script = root / "runtime.test"
            script.write_text(f"#!/bin/sh\n{body}\n")
            script.chmod(0o755)
            binaries[side] = {
                "runtime": values.TestBinary(
                    package="runtime", side=side, path=script, sha256=side, goroot=root
                )
            }
        go = Go(root=tmp_path / "go", cache=tmp_path / "c", work=tmp_path / "w")
        self.setup = measure.Setup(
            runner=runner.Runner(
                shell=proc.Shell(logs=tmp_path / "logs", observe=lambda *_: None),
                cell=Cell(id="here", platform=Platform(goos="linux", goarch="amd64"), native=True),
                profile=PROFILE,
            ),
            rules=Rules(threshold=Threshold(effect=0.03, margin=0.05)),
            seed="seed",
            binaries=binaries,
            go={"base": go, "patched": go},
            file=tmp_path / "bench" / "here.txt",
            record=self.records.append,
            progress=Console(quiet=True),
        )

    def run(self, history: tuple[Record, ...] = ()) -> list[Record]:
        self.records.clear()
        measure.measure(self.setup, [TARGET], history)
        return list(self.records)

    def lost(self) -> BenchmarkLost:
        (found,) = [record for record in self.run() if isinstance(record, BenchmarkLost)]
        return found


def test_measures_in_pairs(processes: None, tmp_path: Path) -> None:
    bench = Bench(tmp_path, GOOD, GOOD)
    records = bench.run()
    found = [record for record in records if isinstance(record, PairMeasured)]
    assert [record.round for record in found] == [1, 2, 3, 4, 5, 6]
    assert isinstance(records[-1], Screened)
    text = bench.setup.file.read_text()
    assert found[-1].size == len(text)
    assert text.count("side: base\n") == text.count("side: patched\n") == 6
    assert "PASS" not in text


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("echo 'panic: boom'; exit 2", "panic: boom"),
        ("echo 'fatal error: bad g'; exit 2", "fatal error: bad g"),
        ("echo '--- FAIL: BenchmarkX'; exit 1", "the benchmark reported a failure"),
        ("echo PASS", "it printed no result"),
        ("echo '--- SKIP: BenchmarkX'", "it skips itself on this host"),
        ("kill -SEGV $$", "ended by signal 11"),
        ("exit 7", "exit status 7"),
    ],
)
def test_what_fails_on_the_patched_side_alone_is_charged(
    processes: None, tmp_path: Path, body: str, reason: str
) -> None:
    found = Bench(tmp_path, GOOD, body).lost()
    assert (found.side, found.state, found.reason) == ("patched", "failed", reason)


@pytest.mark.parametrize("body", ["echo 'panic: boom'; exit 2", "echo PASS", "kill -SEGV $$"])
def test_what_fails_on_the_baseline_alone_is_missing_with_its_log(
    processes: None, tmp_path: Path, body: str
) -> None:
    found = Bench(tmp_path, body, GOOD).lost()
    assert (found.side, found.state) == ("base", "missing")
    assert (tmp_path / "logs" / found.log).is_file()


@pytest.mark.parametrize("seed", ["a", "b", "c", "d"])
def test_what_fails_on_both_sides_is_never_charged(processes: None, tmp_path: Path, seed: str) -> None:
    """Whichever side happens to go first."""
    bench = Bench(tmp_path, "exit 3", "exit 3")
    object.__setattr__(bench.setup, "seed", seed)
    found = bench.lost()
    assert (found.side, found.state) == ("both sides", "missing")


def test_the_machines_fault_ends_the_run_and_loses_no_benchmark(
    processes: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proc, "full_disk", lambda *places: places[0])
    bench = Bench(tmp_path, GOOD, "exit 1")
    with pytest.raises(HostError, match="stopped by its machine: no space left"):
        bench.run()
    assert [record for record in bench.records if isinstance(record, BenchmarkLost)] == []


@pytest.mark.parametrize("side", ["base", "patched"])
def test_one_failure_is_a_flake_and_not_charged(processes: None, tmp_path: Path, side: str) -> None:
    flaky = f"test -e {tmp_path}/once || {{ touch {tmp_path}/once; exit 3; }}\n{GOOD}"
    bench = Bench(tmp_path, *((flaky, GOOD) if side == "base" else (GOOD, flaky)))
    records = bench.run()
    assert [record for record in records if isinstance(record, BenchmarkLost)] == []
    assert sum(isinstance(record, PairMeasured) for record in records) == 6
    (retried,) = [record for record in records if isinstance(record, BenchmarkRetried)]
    assert (retried.side, retried.round, retried.reason) == (side, 1, "exit status 3")


def test_a_failure_is_charged_only_when_it_comes_back_every_time(processes: None, tmp_path: Path) -> None:
    found = Bench(tmp_path, GOOD, f"echo x >> {tmp_path}/tries; exit 3").lost()
    assert found.state == "failed"
    assert (tmp_path / "tries").read_text() == "x\n" * 3


@pytest.mark.parametrize(
    "line", ["BenchmarkX-2 3 x", "BenchmarkX-2 3 5 ns/op 6", f"BenchmarkX {'9' * 40} 5 ns/op"]
)
def test_a_result_that_cannot_be_read_is_a_failure_and_no_bug(
    processes: None, tmp_path: Path, line: str
) -> None:
    found = Bench(tmp_path, GOOD, f"echo '{line}'").lost()
    assert (found.side, found.state) == ("patched", "failed")
    assert "cannot be read" in found.reason


def test_a_benchmark_cannot_blame_the_machine_by_printing(processes: None, tmp_path: Path) -> None:
    found = Bench(tmp_path, GOOD, "echo 'write: no space left on device'; exit 1").lost()
    assert (found.side, found.state) == ("patched", "failed")


def test_a_hang_ends_at_its_limit_with_its_children(
    processes: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "GRACE_SECONDS", 0.5)
    bench = Bench(tmp_path, GOOD, f"sleep 60 & echo $! > {tmp_path}/pid; wait")
    real = proc.Shell.run

    def shorter(self: proc.Shell, *args: object, **options: object) -> proc.Result:
        return real(self, *args, **{**options, "timeout": 1.0})  # type: ignore[arg-type]

    monkeypatch.setattr(proc.Shell, "run", shorter)
    started = time.monotonic()
    found = bench.lost()
    assert (found.state, found.reason) == ("failed", "did not end within 2 s")
    assert time.monotonic() - started < 10
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_resumed_run_cuts_a_half_written_block_and_goes_on(processes: None, tmp_path: Path) -> None:
    bench = Bench(tmp_path, GOOD, GOOD)
    whole = bench.run()
    pairs = [record for record in whole if isinstance(record, PairMeasured)]
    text = bench.setup.file.read_bytes()
    bench.setup.file.write_bytes(text[: pairs[2].size] + b"side: base\nround: 4\nBenchm")
    again = bench.run(tuple(pairs[:3]))
    assert [record.round for record in again if isinstance(record, PairMeasured)] == [4, 5, 6]
    assert bench.setup.file.read_bytes() == text


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"100 ns/op", b"900 ns/op", 1),
        lambda data: b"# a comment\n" + data,
        lambda data: data[:-40],
        lambda _: b"",
    ],
    ids=["same length", "inserted", "cut", "emptied"],
)
def test_a_file_that_was_changed_is_not_resumed(
    processes: None, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    bench = Bench(tmp_path, GOOD, GOOD)
    pairs = tuple(record for record in bench.run() if isinstance(record, PairMeasured))
    bench.setup.file.write_bytes(change(bench.setup.file.read_bytes()))
    with pytest.raises(UsageError, match="is not what was measured"):
        bench.run(pairs)


def test_a_lost_benchmark_stays_lost_after_a_resume(processes: None, tmp_path: Path) -> None:
    bench = Bench(tmp_path, GOOD, "exit 1")
    lost = bench.lost()
    bench2 = bench.run((lost,))
    assert not any(isinstance(record, (PairMeasured, BenchmarkLost)) for record in bench2)


def test_a_sample_keeps_only_benchfmt(processes: None, tmp_path: Path) -> None:
    noisy = "printf 'hello\\ncpu: x\\nside: fake\\nround: 9\\nBenchmarkX-2 10 1 ns/op\\nBenchmarkX\\n'"
    bench = Bench(tmp_path, noisy, noisy).setup
    sample = bench.runner.run(bench.binaries["base"]["runtime"], bench.go["base"], "BenchmarkX")
    assert sample.config == ("cpu: x",)
    assert sample.results == ("BenchmarkX-2 10 1 ns/op",)


def under(bench: Bench, parameters: dict[str, str], pin: tuple[int, ...] = ()) -> measure.Setup:
    cell = dataclasses.replace(bench.setup.cell, parameters=parameters, pin=pin)
    return dataclasses.replace(bench.setup, runner=dataclasses.replace(bench.setup.runner, cell=cell))


def test_parameters_reach_the_process_and_stand_in_the_file(processes: None, tmp_path: Path) -> None:
    body = 'printf "BenchmarkX-2 1 $GOMAXPROCS ns/op $GOGC gogc\\n"'
    bench = Bench(tmp_path, body, body)
    bench.setup = under(bench, {"GOMAXPROCS": "3", "GOGC": "50"})
    bench.run()
    lines = bench.setup.file.read_text().splitlines()
    assert lines.count("gomaxprocs: 3") == lines.count("gogc: 50") == lines.count("benchtime: 1x") == 12
    assert lines.count("BenchmarkX-2 1 3 ns/op 50 gogc") == 12


@pytest.mark.skipif(not here.CAN_PIN, reason="this host cannot pin")
def test_pinned_benchmarks_see_the_cpus_they_are_pinned_to(processes: None, tmp_path: Path) -> None:
    cpu = max(os.sched_getaffinity(0))
    body = f"{GOOD}; grep Cpus_allowed_list /proc/self/status"
    bench = Bench(tmp_path, body, body)
    bench.setup = under(bench, {}, (cpu,))
    before = os.sched_getaffinity(0)
    bench.run()
    assert os.sched_getaffinity(0) == before
    assert bench.setup.file.read_text().count(f"pin: {cpu}\n") == 12
    assert f"Cpus_allowed_list:\t{cpu}\n" in (tmp_path / "logs/bench-base-runtime-BenchmarkX.log").read_text()


def test_a_system_that_cannot_pin_says_so(
    processes: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(here, "CAN_PIN", False)
    bench = Bench(tmp_path, GOOD, GOOD)
    bench.setup = under(bench, {}, (0,))
    with pytest.raises(HostError, match="this system cannot hold programs to CPUs"):
        bench.run()
    assert "Benchmark" not in bench.setup.file.read_text()


@pytest.mark.skipif(not here.CAN_PIN, reason="this host cannot pin")
def test_a_cpu_that_is_not_there_is_refused(processes: None, tmp_path: Path) -> None:
    bench = Bench(tmp_path, GOOD, GOOD)
    bench.setup = under(bench, {}, (0, 4095))
    with pytest.raises(HostError, match="cannot be pinned to CPU 4095"):
        bench.run()


def test_each_round_is_linked_with_a_seed_that_both_sides_share(processes: None, tmp_path: Path) -> None:
    bench = Bench(tmp_path, GOOD, GOOD)
    seeds: list[int] = []

    @contextlib.contextmanager
    def relink(seed: int, packages: Collection[str]) -> Iterator[Binaries]:
        seeds.append(seed)
        yield {
            side: {
                name: dataclasses.replace(bench.setup.binaries[side][name], layout_seed=seed)
                for name in packages
            }
            for side in SIDES
        }

    bench.setup = dataclasses.replace(bench.setup, relink=relink)
    bench.run()
    assert len(set(seeds)) == 6
    assert seeds == [schedule.layout_seed("seed", number) for number in range(1, 7)]
    found = [line for line in bench.setup.file.read_text().splitlines() if line.startswith("layout-seed: ")]
    assert found == [f"layout-seed: {seed}" for seed in seeds for _ in SIDES]


def test_it_waits_after_each_pair(processes: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    bench = Bench(tmp_path, GOOD, GOOD)
    profile = dataclasses.replace(PROFILE, cooldown=7)
    bench.setup = dataclasses.replace(
        bench.setup, runner=dataclasses.replace(bench.setup.runner, profile=profile)
    )
    bench.run()
    assert waited == [7] * 6


def test_the_baseline_stands_first_in_the_file_whichever_ran_first(processes: None, tmp_path: Path) -> None:
    """benchstat compares with the column that it sees first."""
    bench = Bench(tmp_path, GOOD, GOOD)
    records = bench.run()
    orders = {tuple(one.order) for one in records if isinstance(one, PairMeasured)}
    assert len(orders) == 2
    sides = [line for line in bench.setup.file.read_text().splitlines() if line.startswith("side: ")]
    assert sides == ["side: base", "side: patched"] * 6


def test_open_comparisons_get_no_more_rounds_after_max_seconds(processes: None, tmp_path: Path) -> None:
    wild = 'printf "pkg: runtime\\nBenchmarkX-2 1 $(od -An -N2 -tu2 /dev/urandom) ns/op\\n"'
    bench = Bench(tmp_path, wild, wild)
    for seconds, rounds in ((60, 10), (0, 8)):
        bench.setup.file.unlink(missing_ok=True)
        profile = dataclasses.replace(PROFILE, rounds=8, max_rounds=10, max_seconds=seconds)
        bench.setup = dataclasses.replace(
            bench.setup, runner=dataclasses.replace(bench.setup.runner, profile=profile)
        )
        found = [one.round for one in bench.run() if isinstance(one, PairMeasured)]
        assert max(found) == rounds


@pytest.mark.parametrize(
    ("cap", "seconds", "flagged"),
    [(16, 60, ["runtime X/changed-2 sec/op"]), (15, 60, []), (16, 0, [])],
    ids=["eight left", "seven left", "no time left"],
)
def test_nothing_is_flagged_that_too_few_rounds_are_left_to_confirm(
    processes: None, tmp_path: Path, cap: int, seconds: int, flagged: list[str]
) -> None:
    wild = 'printf "pkg: runtime\n"; for n in a b c d; do\n'
    wild += 'printf "BenchmarkX/$n-2 1 $(od -An -N2 -tu2 /dev/urandom) ns/op\n"; done\n'
    changed = "echo BenchmarkX/changed-2 1 {} ns/op"
    bench = Bench(tmp_path, wild + changed.format(100), wild + changed.format(150))
    profile = dataclasses.replace(PROFILE, rounds=8, max_rounds=cap, max_seconds=seconds)
    bench.setup = dataclasses.replace(
        bench.setup, runner=dataclasses.replace(bench.setup.runner, profile=profile)
    )
    first = next(one for one in bench.run() if isinstance(one, Screened))
    assert [one for one in first.flagged if "changed" in one] == flagged


def test_every_round_says_what_else_used_the_machine(processes: None, tmp_path: Path) -> None:
    bench = Bench(tmp_path, f"sleep 0.2; {GOOD}", GOOD)
    found = [record for record in bench.run() if isinstance(record, RoundEnded)]
    assert [one.round for one in found] == [1, 2, 3, 4, 5, 6]
    assert all(one.elsewhere is not None and one.elsewhere >= 0 for one in found)


def test_a_noise_floor_belongs_to_a_binary_and_not_to_a_name(processes: None, tmp_path: Path) -> None:
    place = floor.Place(folder=tmp_path, conditions={"cpu": "x"})
    one, again, other = (place.file(TARGET, binary) for binary in ("a" * 64, "a" * 64, "b" * 64))
    assert one == again != other
    assert floor.Place(folder=tmp_path, conditions={"cpu": "y"}).file(TARGET, "a" * 64) != one


def test_a_floor_is_measured_once_and_known_after(processes: None, tmp_path: Path) -> None:
    bench = Bench(tmp_path, GOOD, GOOD)
    profile = dataclasses.replace(PROFILE, noise_rounds=2)
    setup = dataclasses.replace(bench.setup, runner=dataclasses.replace(bench.setup.runner, profile=profile))
    place = floor.Place(folder=tmp_path / "noise", conditions={})
    pairs = [floor.measure(setup, [TARGET], place)[0].pairs for _ in range(2)]
    assert pairs == [2, 4]
    (found,) = (tmp_path / "noise").iterdir()
    found.write_text(found.read_text() + "damaged\n" + '{"values": 3}\n')
    assert floor.measure(setup, [TARGET], place)[0].pairs == 6
