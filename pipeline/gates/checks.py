"""The signals of the compile gate, run and remembered by what they depend on."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipeline import blame, parallel, proc
from pipeline.errors import HostError
from pipeline.golang import EXE, Go
from pipeline.records import Signal
from pipeline.store import Store, file_sha256
from pipeline.suites import typecheck
from pipeline.suites.typecheck import Finding
from pipeline.values import GoTree, Platform

TIMEOUT = 1800.0
# Nothing that is built is kept: a build cache has what the next one needs.
_COMMANDS: Mapping[Signal, tuple[str, ...]] = {
    "build": ("build", "-trimpath", "-o", os.devnull),
    "vet": ("vet", "-trimpath"),
    # Vet is a signal of its own: a finding of it must not be taken for one of the compiler.
    "tests": ("test", "-c", "-vet=off", "-trimpath", "-o", os.devnull),
}
_PLACE = re.compile(r":\d+(?::\d+)?\b")


@dataclass(frozen=True, kw_only=True)
class Task:
    """One signal for one platform. ``files`` is what decides its result besides the release: the changed
    files that matter there, each with its hash."""

    signal: Signal
    platform: Platform
    tree: GoTree
    packages: tuple[str, ...]
    files: Mapping[str, str]

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for tasks that must have the same result."""
        return (self.signal, str(self.platform), self.packages, tuple(sorted(self.files.items())))


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a tool said: ``findings`` with a place in a file, and the end of its output. ``unclear`` is a
    failure without a word about code: it is never kept, and whose it is only a comparison can tell."""

    ok: bool
    findings: tuple[Finding, ...]
    output: str
    seconds: float
    log: str
    reused: bool
    unclear: bool = False


class _UnclearError(Exception):
    """Ends the filling of the store with the outcome that must not be in it."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where tasks run. ``release`` is the digest of the release whose tools do it, and ``home`` its tree;
    ``go`` gives the go command of a tree; ``tags`` are each platform's own build tags."""

    store: Store
    shell: proc.Shell
    release: str
    go: Callable[[Path], Go]
    home: Path
    tags: Mapping[Platform, tuple[str, ...]]
    jobs: int


def run(place: Place, tasks: Sequence[Task], role: str, each: Callable[[Outcome], None]) -> list[Outcome]:
    """The outcomes of tasks of one signal, in order. ``role`` names the side in logs. HostError when the
    machine stopped one."""
    if tasks and tasks[0].signal == "types":
        outcomes = _check_types(place, tasks, role)
        for outcome in outcomes:
            each(outcome)
        return outcomes
    width = max(1, place.jobs // max(1, min(place.jobs, len(tasks))))
    return parallel.run(place.jobs, lambda task: _by_go(place, task, role, width), tasks, each)


def new_findings(after: Outcome, before: Outcome) -> list[Finding]:
    """What the patched side says and the baseline does not, by file and message: lines move."""
    left = Counter(map(_meaning, before.findings))
    found = []
    for one in after.findings:
        if left[_meaning(one)] > 0:
            left[_meaning(one)] -= 1
        else:
            found.append(one)
    return found


def _meaning(one: Finding) -> tuple[str, str]:
    return one.file, _PLACE.sub("", one.message)


def _inputs(place: Place, task: Task) -> dict[str, Any]:
    how: Any = _COMMANDS.get(task.signal)
    return {
        "charged": blame.CHARGED,
        "release": place.release,
        "signal": task.signal,
        "how": how or file_sha256(typecheck.SOURCE),
        "platform": str(task.platform),
        "packages": list(task.packages),
        "files": dict(task.files),
    }


def _outcome(meta: Mapping[str, Any], *, reused: bool) -> Outcome:
    return Outcome(
        ok=bool(meta["ok"]),
        findings=tuple(Finding(**one) for one in meta["findings"]),
        output=str(meta["output"]),
        seconds=float(meta["seconds"]),
        log="" if reused else str(meta["log"]),
        reused=reused,
    )


def _by_go(place: Place, task: Task, role: str, width: int) -> Outcome:
    def build(_: Path) -> Mapping[str, Any]:
        go = place.go(task.tree.root)
        name = f"{task.signal}-{task.platform.goos}-{task.platform.goarch}-{role}"
        verb, *flags = _COMMANDS[task.signal]
        result = place.shell.run(
            name,
            go.command(verb, *flags, f"-p={width}", *task.packages),
            env=go.build_env(task.platform),
            cwd=go.root / "src",
            timeout=TIMEOUT,
        )
        _blame_host(result, task)
        meta = {
            "ok": result.ok,
            "findings": [asdict(one) for one in parse(result.stdout, task.tree.root)],
            "output": "" if result.ok else result.tail,
            "seconds": round(result.seconds, 3),
            "log": result.log.name if result.log else "",
        }
        if blame.unclear(result):
            raise _UnclearError(replace(_outcome(meta, reused=False), unclear=True))
        return meta

    try:
        entry = place.store.fill("checks", _inputs(place, task), build)
    except _UnclearError as error:
        return error.outcome
    return _outcome(entry.meta, reused=entry.reused)


def parse(text: str, root: Path) -> list[Finding]:
    """The lines of a compiler or of vet that name a place in a file."""
    short = text.replace(f"{root / 'src'}{os.sep}", "")
    return [
        Finding(
            file=f"src/{file}",
            line=int(line),
            column=int(column or 0),
            message=message,
        )
        for file, line, column, message in blame.FINDING.findall(short)
    ]


def _blame_host(result: proc.Result, task: Task) -> None:
    if cause := blame.host_fault(result):
        raise blame.stopped(f"checking {task.platform} ({task.signal})", cause, result.log)


def _check_types(place: Place, tasks: Sequence[Task], role: str) -> list[Outcome]:
    """All tasks that the store does not know in one process, which reads what they share once."""
    inputs = [_inputs(place, task) for task in tasks]
    known = [place.store.find("checks", one) for one in inputs]
    left = [index for index, entry in enumerate(known) if entry is None]
    fresh: dict[int, Mapping[str, Any]] = {}
    if left:
        log, seconds, findings = _typecheck(place, [tasks[index] for index in left], role)
        for index, found in zip(left, findings, strict=True):
            fresh[index] = {
                "ok": not found,
                "findings": [asdict(one) for one in found],
                "output": "\n".join(map(str, found)),
                "seconds": round(seconds / len(left), 3),
                "log": log,
            }
    for index, meta in fresh.items():
        place.store.fill("checks", inputs[index], lambda _, meta=meta: meta)  # type: ignore[misc]
    return [
        _outcome(entry.meta, reused=True) if entry is not None else _outcome(fresh[index], reused=False)
        for index, entry in enumerate(known)
    ]


def _typecheck(
    place: Place, tasks: Sequence[Task], role: str
) -> tuple[str, float, list[tuple[Finding, ...]]]:
    jobs = [
        typecheck.Job(
            root=str(task.tree.root),
            goos=task.platform.goos,
            goarch=task.platform.goarch,
            tags=place.tags.get(task.platform, ()),
            packages=task.packages,
        )
        for task in tasks
    ]
    result = place.shell.run(
        f"types-{role}",
        [checker(place)],
        env=proc.base_env(),
        timeout=TIMEOUT,
        stdin=typecheck.request(jobs, place.jobs),
        merge=False,
    )
    _blame_host(result, tasks[0])
    try:
        findings = typecheck.results(result.stdout) if result.ok else []
    except ValueError:
        findings = []
    if len(findings) != len(tasks):
        raise HostError(f"the type checker failed:\n{result.tail}", hint=f"the log is {result.log}")
    return result.log.name if result.log else "", result.seconds, findings


def checker(place: Place) -> Path:
    """The type checker, built by the release itself and kept."""
    name = f"typecheck{EXE}"

    def build(folder: Path) -> Mapping[str, Any]:
        go = place.go(place.home)
        result = place.shell.run(
            "types-checker",
            go.command("build", "-trimpath", f"-p={place.jobs}", "-o", folder / name, typecheck.SOURCE),
            env=go.build_env(),
            cwd=go.work,
            timeout=TIMEOUT,
        )
        if not result.ok:
            raise HostError(
                f"this release cannot build the type checker:\n{result.tail}", hint=f"the log is {result.log}"
            )
        return {}

    source = file_sha256(typecheck.SOURCE)
    return place.store.fill("checkers", {"release": place.release, "source": source}, build).path / name
