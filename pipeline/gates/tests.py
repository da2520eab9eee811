"""The test gate: the series' tests on both sides, charged only where the patch is at fault."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from pipeline import config, proc
from pipeline.errors import HostError, UsageError
from pipeline.gates import events
from pipeline.golang import Go
from pipeline.records import GateResult, GateStatus, Side
from pipeline.values import Cell, TestBinary

# A failure counts when it happens every time on the patched side and never on the baseline.
REPEATS = 2
LIST_TIMEOUT = 60.0


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Both sides of one package's test binary, and the go command its tests may call."""

    patched: TestBinary
    base: TestBinary
    go: Mapping[Side, Go]


def list_functions(shell: proc.Shell, binary: TestBinary, go: Go) -> tuple[str, ...]:
    """The tests and benchmarks that a binary holds, in its order."""
    result = shell.run(
        f"list-{binary.side}-{binary.package.replace('/', '_')}",
        [binary.path, "-test.list=.*"],
        env=go.env(extra={"GOROOT": str(binary.goroot)}),
        cwd=binary.cwd,
        timeout=LIST_TIMEOUT,
    )
    if not result.ok:
        raise HostError(
            f"the {binary.side} test binary of {binary.package} cannot list its tests:\n{result.tail}",
            hint=f"the log is {result.log}",
        )
    return tuple(result.stdout.split())


def require(package: str, wanted: Sequence[str], present: Collection[str], key: str) -> None:
    """UsageError when series.yml names a function that the patched package does not have."""
    for name in wanted:
        if name not in present:
            raise UsageError(
                f"series.yml: {key}.{package}: {name} does not exist in the patched tree on this host",
                meaning=config.suggest(name, sorted(present)),
            )


def check(
    shell: proc.Shell,
    *,
    cell: Cell,
    pair: Pair,
    names: Sequence[str],
    on_base: Collection[str],
    timeout: int,
    each: Callable[[GateResult], None],
) -> None:
    """Run ``names`` of one package on both sides and report one result a test.

    ``on_base`` is what the baseline has: a test that it lacks is ``new`` and judged on its own.
    """
    shared = [name for name in names if name in on_base]
    old = _run(shell, pair.base, pair.go["base"], shared, timeout, "") if shared else {}
    new = _run(shell, pair.patched, pair.go["patched"], names, timeout, "")
    for name in names:
        before, after = old.get(name), new.get(name)
        if after is None:
            both = name in on_base and before is None
            reason = "the test binary ended before it" + (" on both sides" if both else "")
            each(_result(cell, pair, name, "baseline-fails" if both else "fail", "not run", 0.0, reason))
            continue
        transition = f"{before.outcome if before else 'new'}→{after.outcome}"
        status: GateStatus
        if after.outcome == "fail" and (before is None or before.outcome == "fail"):
            status = "fail" if before is None else "baseline-fails"
        elif after.outcome == "fail":
            status, transition = _repeat(shell, pair, name, timeout, transition)
        else:
            status = "skipped" if after.outcome == "skip" else "pass"
        each(
            _result(
                cell,
                pair,
                name,
                status,
                transition,
                after.seconds,
                after.output if after.outcome == "fail" else "",
            )
        )


def _repeat(
    shell: proc.Shell, pair: Pair, name: str, timeout: int, transition: str
) -> tuple[GateStatus, str]:
    """Run a test that began to fail again on both sides: a flake is said, not charged."""
    for attempt in range(1, REPEATS + 1):
        after = _run(shell, pair.patched, pair.go["patched"], [name], timeout, f"-again{attempt}").get(name)
        before = _run(shell, pair.base, pair.go["base"], [name], timeout, f"-again{attempt}").get(name)
        if after is not None and after.outcome != "fail":
            return "pass", f"flaky: failed once, then passed on the patched side (attempt {attempt + 1})"
        if before is None or before.outcome == "fail":
            return "baseline-fails", f"flaky: the baseline fails too (attempt {attempt + 1})"
    return "fail", f"{transition}, {REPEATS + 1} times out of {REPEATS + 1}"


def _run(
    shell: proc.Shell, binary: TestBinary, go: Go, names: Sequence[str], timeout: int, suffix: str
) -> dict[str, events.TestOutcome]:
    pattern = "^(" + "|".join(names) + ")$"
    result = shell.run(
        f"test-{binary.side}-{binary.package.replace('/', '_')}{suffix}",
        [binary.path, "-test.v=test2json", f"-test.run={pattern}", f"-test.timeout={timeout}s"],
        env=go.env(extra={"GOROOT": str(binary.goroot)}),
        cwd=binary.cwd,
        timeout=timeout + 30,
    )
    if not result.ok and (full := proc.full_disk(binary.path.parent, shell.logs)):
        raise HostError(
            f"the tests of {binary.package} were stopped by this machine: no space left at {full}",
            hint=f"free some space and add --resume; the log is {result.log}",
        )
    return events.parse(result.stdout, crashed=not result.ok)


def _result(
    cell: Cell, pair: Pair, name: str, status: GateStatus, transition: str, seconds: float, detail: str
) -> GateResult:
    package = pair.patched.package
    return GateResult(
        gate="test",
        cell=cell.id,
        subject=f"{package}.{name}",
        status=status,
        transition=transition,
        seconds=seconds,
        detail=detail,
        log=f"test-patched-{package.replace('/', '_')}.log",
    )
