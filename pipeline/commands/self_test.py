"""``self-test``: proves on this machine that the gate fires when it must, and only then."""

from __future__ import annotations

import contextlib
import math
import sys
from pathlib import Path

from pipeline.bench.exclusive import exclusive
from pipeline.commands import entry
from pipeline.console import Console
from pipeline.errors import ExitCode
from pipeline.flow import baseline, selftest
from pipeline.flow.selftest import Outcome
from pipeline.flow.workspace import open_workspace
from pipeline.plan import plan as plan_room
from pipeline.plan.plan import Request
from pipeline.stats.decision import Verdict

_ROW = "{:<10}  {:<9}  {:<16}  {:<32}  {:>5}  {}\n"


def main(root: Path, *, base: str | None, out: str = "") -> ExitCode:
    """Measure patches of known effect and print what was found; 1 when the gate is wrong about one."""
    console = Console()
    return entry.guarded(console, lambda: _run(root, base, out, console))


def _run(root: Path, base: str | None, out: str, console: Console) -> ExitCode:
    ground = plan_room.ground(Request(root=root, base=base, profile="quick"))
    work = open_workspace(root, "self-test", ground.host, console, out=out)
    with console.stage("fetch"):
        source = baseline.fetch(work.place, ground.base, ground.sources)
    bench = selftest.Bench(
        builder=work.place.builder(source),
        cell=next(cell for cell in ground.cells if cell.native),
        profile=selftest.profile(ground.profile),
        ledger=work.ledger,
        folder=work.folder,
        progress=console,
        seed=work.folder.name,
    )
    with exclusive(console.note):
        outcomes = selftest.run(bench, lambda _: None)
    sys.stdout.write(_table(outcomes))
    sys.stdout.write(_conclusion(outcomes, work.folder, root))
    states = {one.state for one in outcomes}
    if "wrong" in states:
        return ExitCode.PATCH_FAILS
    return ExitCode.INCONCLUSIVE if "undecided" in states else ExitCode.PASS


_WORDS = {"right": "right", "undecided": "undecided", "wrong": "WRONG"}


def _table(outcomes: list[Outcome]) -> str:
    rows = [_ROW.format("patch", "unit", "must be", "found", "pairs", "")]
    for one in outcomes:
        pairs = one.verdict.summary.n if one.verdict else 0
        rows.append(
            _ROW.format(
                one.case,
                one.unit,
                one.expected,
                _found(one.verdict),
                pairs,
                _WORDS[one.state],
            )
        )
    return "\n" + "".join(line.rstrip() + "\n" for line in rows)


def _found(verdict: Verdict | None) -> str:
    if verdict is None:
        return "lost: it gave no number"
    word = verdict.word.replace("-", " ")
    estimate, low, high = (
        100 * math.expm1(value) if value < 700 else math.inf
        for value in (verdict.summary.estimate, verdict.summary.low, verdict.summary.high)
    )
    if verdict.phase == "exact":
        return f"{word} (exact)"
    if word == "no change":
        return f"{word} beyond ±{100 * verdict.resolution:.1f} %"
    return f"{word} {estimate:+.1f} % [{low:+.1f}, {high:+.1f}]"


def _conclusion(outcomes: list[Outcome], folder: Path, root: Path) -> str:
    wrong, undecided = (
        ", ".join(f"{one.case} {one.unit}" for one in outcomes if one.state == state)
        for state in ("wrong", "undecided")
    )
    where = folder
    with contextlib.suppress(ValueError):
        where = folder.relative_to(root)
    if wrong:
        return (
            f"\nThe gate is wrong about {wrong}: do not trust verdicts from this machine as it is now.\n"
            f"./inv doctor says what disturbs it; samples and logs: {where}\n"
        )
    if undecided:
        return (
            f"\nNothing is wrong, but this machine could not decide {undecided}: it is too restless for such "
            f"changes as it is now.\n./inv doctor says what disturbs it; samples and logs: {where}\n"
        )
    return f"\nThe gate fires when it must, and only then. Samples and logs: {where}\n"
