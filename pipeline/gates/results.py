"""What both sides' outcomes of one test amount to, as records."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pipeline.gates import flaky
from pipeline.gates.execute import Outcomes
from pipeline.gates.flaky import Counts
from pipeline.gates.repeat import Kind
from pipeline.records import GateResult, GateStatus, Repeats

Own = Literal["added", "altered"]
_WITHOUT = {"fail": "fails", "pass": "passes", "skip": "is skipped"}
MAX_SUBTESTS = 50
SHOWN_BROKEN = 5


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where results belong: see ``tests.Job``. ``package`` has the variant with it."""

    cell: str
    package: str
    log: str
    on_base: Collection[str]
    own: Mapping[str, Own]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Both sides' outcomes and the repetitions. ``stored`` is the day of the baseline's, except for those of
    ``live``; ``complete`` that the baseline ran all that it has; ``subtests`` are those of either side, by
    their test."""

    old: Outcomes
    new: Outcomes
    kinds: Mapping[str, Kind]
    counts: Mapping[str, Counts]
    stored: str
    live: Collection[str]
    complete: bool
    subtests: Mapping[str, Collection[str]]


@dataclass(frozen=True, kw_only=True)
class _Judged:
    status: GateStatus
    transition: str
    note: str = ""


def of_test(place: Place, compared: Compared, name: str) -> Iterator[GateResult]:
    """The result of a test, then those of its subtests that it does not speak for."""
    judged = _judge(place, compared, name)
    subtests = sorted(compared.subtests.get(name, ()))
    yield _result(place, compared, name, judged, _subtests(compared, subtests))
    if judged.status in {"fail", "flaky", "unsettled"}:
        return
    shown = 0
    for sub in subtests:
        before, after = compared.old.get(sub), compared.new.get(sub)
        if before is None or after is None or shown == MAX_SUBTESTS:
            continue
        changed = "skip" in {before.outcome, after.outcome} and before.outcome != after.outcome
        if sub in compared.kinds or (changed and after.outcome != "fail"):
            shown += 1
            yield _result(place, compared, sub, _judge(place, compared, sub), "")


def _judge(place: Place, compared: Compared, name: str) -> _Judged:
    before, after = compared.old.get(name), compared.new.get(name)
    known = before is not None or name not in place.on_base
    left = before.outcome if before else "new" if name not in place.on_base and "/" not in name else "not run"
    if after is None:
        if before is None and not known:
            return _Judged(
                status="skipped", transition="not run", note="the time limit ended both sides before it"
            )
        status: GateStatus = "error" if compared.complete else "skipped"
        return _Judged(
            status=status,
            transition=f"{left}→not run",
            note="the patched side's process died or used up its time before it",
        )
    if name in compared.kinds:
        return _repeated(compared.kinds[name], compared.counts[name], left)
    transition = f"{left}→{after.outcome}"
    if after.outcome == "fail":
        return _Judged(status="baseline-fails", transition=transition)
    return _Judged(status="skipped" if after.outcome == "skip" else "pass", transition=transition)


def _repeated(kind: Kind, counts: Counts, left: str) -> _Judged:
    if kind == "new":
        failed, runs = counts.patched_failed + 1, counts.patched_runs + 1
        return _Judged(status="fail", transition="new→fail", note=f"failed {failed} of {runs}")
    if kind == "mended":
        if counts.base_failed < counts.base_runs or counts.patched_failed:
            return _Judged(status="flaky", transition="flaky", note=f"repeated: {counts.plain}")
        return _Judged(status="pass", transition="fail→pass", note=f"repeated: {counts.plain}")
    word = flaky.judge(counts, over=True)
    note = f"repeated: {counts}"
    if word == "fails":
        return _Judged(status="fail", transition=f"{left}→fail", note=f"newly fails every time; {note}")
    if word == "fails-more":
        return _Judged(status="fail", transition=f"{left}→flaky", note=f"flaky by the patch; {note}")
    if word == "flaky":
        return _Judged(status="flaky", transition="flaky", note=f"on both sides; {note}")
    if word == "baseline-fails":
        return _Judged(status="baseline-fails", transition="fail→fail", note=f"began to fail here; {note}")
    return _Judged(
        status="unsettled",
        transition="unsettled",
        note=f"fails on the patched side alone, too seldom to charge or to excuse; {note}",
    )


def _subtests(compared: Compared, names: Collection[str]) -> str:
    """Which subtests fail with the patch alone, and how many only one side has."""
    broken = [name for name in names if _fails(compared.new, name) and not _fails(compared.old, name)]
    if broken:
        more = f" and {len(broken) - SHOWN_BROKEN} more" if len(broken) > SHOWN_BROKEN else ""
        return f"in {', '.join(broken[:SHOWN_BROKEN])}{more}"
    new = sum(name not in compared.old for name in names)
    gone = sum(name not in compared.new for name in names)
    parts = [f"{count} {word}" for count, word in ((new, "new"), (gone, "gone")) if 0 < count < len(names)]
    return f"subtests: {', '.join(parts)}" if parts else ""


def _fails(found: Outcomes, name: str) -> bool:
    return name in found and found[name].outcome == "fail"


def _result(place: Place, compared: Compared, name: str, judged: _Judged, more: str) -> GateResult:
    before, after = compared.old.get(name), compared.new.get(name)
    counts = compared.counts.get(name)
    own = place.own.get(name, "")
    without = ""
    if own:
        without = "is flaky" if judged.status == "flaky" else _WITHOUT[before.outcome] if before else ""
        without = without or ("is not compiled" if name not in place.on_base else "was not run")
    output = after.output if after and after.outcome != "pass" else ""
    if not output and before and before.outcome == "fail":
        output = before.output
    return GateResult(
        gate="test",
        cell=place.cell,
        subject=f"{place.package}.{name}",
        status=judged.status,
        transition=judged.transition,
        note="; ".join(part for part in (judged.note, more) if part),
        seconds=after.seconds if after else 0.0,
        detail=output,
        log=place.log,
        package=place.package,
        test=name,
        own=own,
        without=without,
        stored=compared.stored if before and name not in compared.live else "",
        repeats=Repeats(
            base_failed=counts.base_failed,
            base_runs=counts.base_runs,
            patched_failed=counts.patched_failed,
            patched_runs=counts.patched_runs,
        )
        if counts
        else None,
    )
