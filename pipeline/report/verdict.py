"""The verdict of a run: one word, its exit code, and two sentences.

A pass is claimed for what passed and for nothing else: the sentence is made of counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import ExitCode
from pipeline.records import GateResult, RunEnded
from pipeline.report.benchmarks import BenchmarkRow
from pipeline.report.cell import CellReport
from pipeline.report.compiling import CompileReport

_LOOK = "A further run is a further look at the patch, which no p-value here counts."


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The word and code of a verdict, what it says, and what to do next."""

    word: str
    code: ExitCode
    headline: str
    next_step: str


def decide(
    end: RunEnded | None, cells: Sequence[CellReport], compiled: CompileReport | None, go_on: str
) -> Decision:
    """What the records of a run amount to. ``go_on`` is what to do about one that did not come to its end."""
    if end is None:
        return Decision(
            word="incomplete",
            code=ExitCode.BUG,
            headline="The run did not finish.",
            next_step=go_on,
        )
    if end.failure_code:
        return _ended_early(end, go_on)
    failed = [gate for cell in cells for gate in cell.gates if gate.status == "fail"]
    if failed:
        return Decision(
            word="fail",
            code=ExitCode.PATCH_FAILS,
            headline=_failed_gates(failed),
            next_step="Read the failing gate's output below and mend the patch.",
        )
    return _worse(cells) or _unclear(cells) or _passed(cells, compiled)


def _ended_early(end: RunEnded, go_on: str) -> Decision:
    code = ExitCode(end.failure_code)
    steps = {
        ExitCode.PATCH_FAILS: "Mend the patch and run again.",
        ExitCode.INTERRUPTED: go_on,
        ExitCode.NOTHING_TO_DO: "Choose another base, or another series.",
    }
    words = {
        ExitCode.PATCH_FAILS: "fail",
        ExitCode.INTERRUPTED: "interrupted",
        ExitCode.NOTHING_TO_DO: "nothing",
    }
    return Decision(
        word=words.get(code, "error"),
        code=code,
        headline=_sentence(end.failure.splitlines()[0] if end.failure else "The run failed"),
        next_step=steps.get(
            code, "This speaks neither for nor against the patch; mend what the message says and run again."
        ),
    )


def _sentence(line: str) -> str:
    """The first line of a message, as a sentence that another follows."""
    return f"{line.rstrip().rstrip('.:;,')}."


def _failed_gates(failed: Sequence[GateResult]) -> str:
    gates = sorted({gate.gate for gate in failed})
    first = failed[0]
    more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
    return f"The patch fails the {' and '.join(gates)} gate: {first.subject} on {first.cell}{more}."


def _worse(cells: Sequence[CellReport]) -> Decision | None:
    found = [(cell, row) for cell in cells for row in cell.benchmarks]
    crashed = [(cell, row) for cell, row in found if row.verdict == "failed"]
    worse = [(cell, row) for cell, row in found if row.verdict == "worse"]
    if not crashed and not worse:
        return None
    kinds = (("makes benchmarks worse", worse), ("breaks benchmarks", crashed))
    parts = [f"{what}: {_names(pairs)}" for what, pairs in kinds if pairs]
    return Decision(
        word="fail",
        code=ExitCode.PATCH_FAILS,
        headline=f"The patch {'; it '.join(parts)}.",
        next_step="Find the cause before sending the change: the table below says how each row was decided.",
    )


def _names(pairs: Sequence[tuple[CellReport, BenchmarkRow]]) -> str:
    more = f", and {len(pairs) - 3} more" if len(pairs) > 3 else ""
    return ", ".join(f"{row.label} {row.change} on {cell.id}" for cell, row in pairs[:3]) + more


def _unclear(cells: Sequence[CellReport]) -> Decision | None:
    """Whatever keeps a run from being a pass without being the patch's fault."""
    found = [row for cell in cells for row in cell.benchmarks]
    gates = [(cell, gate) for cell in cells for gate in cell.gates]
    unclear = [row for row in found if row.verdict == "inconclusive"]
    lost = [row for row in found if row.verdict == "missing"]
    broken = [gate for _, gate in gates if gate.status == "error"]
    unsettled = [gate for _, gate in gates if gate.status == "unsettled"]
    missing = [cell.id for cell in cells if cell.exercise == "missing"]
    # What vet or the linker says of both sides is shown; a platform where neither builds is not checked.
    stuck = list(
        dict.fromkeys(
            cell.id
            for cell, gate in gates
            if gate.gate == "compile"
            and gate.status == "baseline-fails"
            and gate.signal not in {"vet", "tests"}
        )
    )
    parts = [_open(unclear, len(found))] if unclear else []
    parts += [_missing(lost)] if lost else []
    parts += [_crashing(cells)] if any(cell.crashing for cell in cells) else []
    parts += [_unsettled(unsettled)] if unsettled else []
    parts += [f"{len(broken)} gate checks could not run"] if broken else []
    parts += [f"cells did not report: {', '.join(missing)}"] if missing else []
    parts += [f"neither side compiles on {', '.join(stuck)}"] if stuck else []
    parts += _nothing_passed([gate for _, gate in gates if gate.gate == "test"])
    if not parts:
        return None
    step = _quieter(cells)
    if any(cell.crashing for cell in cells):
        step = "Find out why the patched side fails now and then: the logs are named below."
    elif unsettled:
        step = "Find out why a test fails with the patch now and then: its output is in the report."
    elif lost:
        step = "Read below why what is missing gave no number; running again does not mend that."
    elif not unclear:
        step = "Read the gates below: what they could not check is unknown, not passed."
    return Decision(
        word="inconclusive",
        code=ExitCode.INCONCLUSIVE,
        headline=f"The data cannot say: {'; '.join(parts)}.",
        next_step=step,
    )


def _open(unclear: Sequence[BenchmarkRow], number: int) -> str:
    shown = [row.label + _possible(row) for row in unclear[:3]]
    more = f" and {len(unclear) - 3} more" if len(unclear) > 3 else ""
    return (
        f"{len(unclear)} of {number} comparisons {'is' if len(unclear) == 1 else 'are'} inconclusive, "
        f"{', '.join(shown)}{more}"
    )


def _crashing(cells: Sequence[CellReport]) -> str:
    found = [one for cell in cells for one in cell.crashing]
    first = found[0]
    times = "once" if len(found) == 1 else f"{len(found)} times"
    return (
        f"benchmarks failed {times} on the patched side and never on the baseline, first "
        f"{first.package}.{first.benchmark.removeprefix('Benchmark')} ({first.reason})"
    )


def _unsettled(gates: Sequence[GateResult]) -> str:
    more = f" and {len(gates) - 1} more" if len(gates) > 1 else ""
    return f"{gates[0].subject}{more} failed on the patched side alone, too seldom to tell why"


def _missing(lost: Sequence[BenchmarkRow]) -> str:
    more = f", and {len(lost) - 1} more" if len(lost) > 1 else ""
    are = "1 comparison is missing" if len(lost) == 1 else f"{len(lost)} comparisons are missing"
    return f"{are}, {lost[0].label} ({lost[0].reason}){more}"


def _possible(row: BenchmarkRow) -> str:
    return f" (±{100 * row.resolution:.1f} % is possible)" if math.isfinite(row.resolution) else ""


def _quieter(cells: Sequence[CellReport]) -> str:
    """What to do about open comparisons: what disturbs the machine first, where that is known."""
    for cell in cells:
        for one in cell.machine.warnings if cell.machine else ():
            return (
                f"On {cell.id} {one.what}: {one.advice}; then run again, or with --profile rigorous. {_LOOK}"
            )
    return f"Run again on a quieter machine, or with --profile rigorous for more rounds. {_LOOK}"


def _nothing_passed(tests: Sequence[GateResult]) -> list[str]:
    if not tests or any(test.status == "pass" for test in tests):
        return []
    return [f"no test passed ({_count_tests(tests)})"]


_TEST_WORDS = {
    "pass": "pass",
    "skipped": "are skipped",
    "baseline-fails": "fail on the baseline too",
    "flaky": "are flaky on both sides",
}


def _count_tests(tests: Sequence[GateResult]) -> str:
    counts = {status: sum(test.status == status for test in tests) for status in _TEST_WORDS}
    return ", ".join(f"{count} {_TEST_WORDS[status]}" for status, count in counts.items() if count)


def _places(compiled: CompileReport | None) -> str:
    """On how many platforms it compiles, and on how many only its types were looked at."""
    built, typed = (compiled.compiled, compiled.typed) if compiled else (0, 0)
    said = f" and compiles on {_platforms(built)}" if built else ""
    return said + (
        f"{',' if built else ''} and its types check on {_platforms(typed, 'more ' * bool(built))}"
        if typed
        else ""
    )


def _platforms(number: int, word: str = "") -> str:
    return f"{number} {word}platform{'s' if number > 1 else ''}"


def _passed(cells: Sequence[CellReport], compiled: CompileReport | None) -> Decision:
    if cells and all(cell.exercise == "unaffected" for cell in cells):
        return Decision(
            word="nothing",
            code=ExitCode.NOTHING_TO_DO,
            headline="None of the chosen platforms compiles a changed file; nothing was measured.",
            next_step="Choose cells that the series reaches.",
        )
    tests = [gate for cell in cells for gate in cell.gates if gate.gate == "test"]
    measured = any(cell.benchmarks for cell in cells)
    if not tests and not measured and not (compiled and compiled.compiled + compiled.typed):
        return Decision(
            word="nothing",
            code=ExitCode.NOTHING_TO_DO,
            headline="The patch applies, and nothing of it was compiled, tested or measured.",
            next_step="Look at the files that it changes: no platform of the release compiles them.",
        )
    parts = [f"The patch applies{_places(compiled)}"]
    parts.append(f"tests: {_count_tests(tests)}" if tests else "no test ran")
    parts += _benchmarks([row for cell in cells for row in cell.benchmarks])
    return Decision(
        word="pass",
        code=ExitCode.PASS,
        headline="; ".join(parts) + ".",
        next_step="As far as it was exercised, nothing stands against sending the change: see the platforms.",
    )


def _benchmarks(rows: Sequence[BenchmarkRow]) -> list[str]:
    better = [row for row in rows if row.verdict == "better"]
    calm = [row for row in rows if row.verdict == "no-change"]
    bounded = sum(row.absolute not in {None, 0.0} for row in calm)
    reached = max((row.resolution for row in calm if math.isfinite(row.resolution)), default=0.0)
    parts = []
    if better:
        more = f", and {len(better) - 3} more" if len(better) > 3 else ""
        parts.append("better: " + ", ".join(f"{row.label} {row.change}" for row in better[:3]) + more)
    if calm:
        limit = f"{100 * reached:.1f} %"
        rest = f" ({bounded} without a ratio stayed within what counts in their unit)" if bounded else ""
        parts.append(
            f"no change beyond ±{limit} in the other rows{rest}"
            if better
            else f"no benchmark changed by more than {limit}{rest}"
        )
    return parts or ["nothing was measured"]
