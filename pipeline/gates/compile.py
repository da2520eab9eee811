"""The compile gate: the changed packages, for every platform that the series reaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from pipeline import proc
from pipeline.errors import HostError
from pipeline.golang import Go
from pipeline.patch.reach import Reach
from pipeline.records import GateResult
from pipeline.values import Cell

TIMEOUT = 1800.0


def check(
    shell: proc.Shell,
    *,
    before: Go,
    after: Go,
    cells: Sequence[Cell],
    reach: Mapping[str, Reach],
    packages: Sequence[str],
    jobs: int,
    each: Callable[[GateResult], None],
) -> list[GateResult]:
    """Build the changed packages and ``packages`` on each reached cell, ``jobs`` platforms at a time.

    A failure is charged only when the baseline compiles. ``each`` is called as results arrive.
    """
    wanted = [cell for cell in cells if reach[cell.id].reached]

    def one(cell: Cell) -> GateResult:
        names = sorted({*reach[cell.id].packages, *packages})
        return _cell(shell, before, after, cell, names, max(1, jobs // max(1, min(jobs, len(wanted)))))

    results = []
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        futures: list[Future[GateResult]] = [pool.submit(one, cell) for cell in wanted]
        try:
            for future in futures:
                results.append(future.result())
                each(results[-1])
        except BaseException:
            # One platform's end is every platform's: no result would be shown.
            proc.interrupt_all()
            pool.shutdown(cancel_futures=True)
            proc.reset_interrupt()
            raise
    return results


def _cell(
    shell: proc.Shell, before: Go, after: Go, cell: Cell, packages: Sequence[str], width: int
) -> GateResult:
    first = _build(shell, after, cell, packages, width, "patched")
    subject = ", ".join(packages)
    if first.ok:
        return GateResult(gate="compile", cell=cell.id, subject=subject, status="pass", seconds=first.seconds)
    _blame_host(first, cell)
    old = _build(shell, before, cell, packages, width, "base")
    _blame_host(old, cell)
    return GateResult(
        gate="compile",
        cell=cell.id,
        subject=subject,
        status="fail" if old.ok else "baseline-fails",
        seconds=first.seconds + old.seconds,
        detail=first.tail,
        log=first.log.name if first.log else "",
    )


def _build(
    shell: proc.Shell, go: Go, cell: Cell, packages: Sequence[str], width: int, role: str
) -> proc.Result:
    return shell.run(
        f"compile-{cell.id}-{role}",
        go.command("build", "-trimpath", f"-p={width}", *(f"./{package}" for package in packages)),
        env=go.env(cell.platform),
        cwd=go.root / "src",
        timeout=TIMEOUT,
    )


def _blame_host(result: proc.Result, cell: Cell) -> None:
    if cause := result.host_cause():
        raise HostError(
            f"compiling for {cell.platform} was stopped by this machine: {cause}",
            hint=f"the log is {result.log}",
        )
    if result.timed_out:
        raise HostError(
            f"compiling for {cell.platform} took longer than {TIMEOUT:.0f} s", hint=f"the log is {result.log}"
        )
