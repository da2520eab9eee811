"""The toolchain that a run built, and whether it is still what the run measured."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import tree
from pipeline.errors import HostError, NothingToDoError, UsageError
from pipeline.golang import EXE
from pipeline.install.journal import MARKER
from pipeline.toolchain.build import tools_digest
from pipeline.values import Platform

REPORT = "report.json"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A patched toolchain as its run's report names it. ``digest`` is over bin and pkg/tool; ``verdict``
    is the run's."""

    root: Path
    version: str
    series: str
    digest: str
    recipe: str
    run: str
    verdict: str

    @property
    def name(self) -> str:
        """``1.27.3-my-series.1a2b3c4d``: a folder's name, whatever the report holds. Tools that were built
        have the series in their version; the release's own have not."""
        named = f"-{self.series}." in self.version
        text = self.version if named else f"{self.version}-{self.series}"
        kept = "".join(c if c.isascii() and (c.isalnum() or c in "._+-") else "-" for c in text)
        return kept.lstrip(".") or "toolchain"


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A candidate whose files were read. ``tree`` is the digest over all of them, ``size`` bytes. ``sources``
    says that the files besides the tools were held against the patched tree's list, which ``clean`` may have
    removed."""

    candidate: Candidate
    manifest: Mapping[str, str]
    tree: str
    size: int
    sources: bool

    @property
    def note(self) -> str:
        """What the user must know of the check; '' for nothing."""
        if self.sources:
            return ""
        return (
            f"note: only the tools in {self.candidate.root} were compared with what run {self.candidate.run} "
            "measured: the store no longer has the list of the others. ./inv patch-validate makes it again"
        )


def from_run(folder: Path) -> Candidate:
    """What the run in ``folder`` built. NothingToDoError when it built nothing, UsageError when it is no
    run's folder."""
    path = folder / REPORT
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(
            f"{folder} holds no run: it has no {REPORT}",
            hint="give the folder of a finished run, such as --run=runs/latest",
        ) from error
    except (OSError, ValueError) as error:
        raise HostError(
            f"{path} cannot be read: {error}", hint="validate again: ./inv patch-validate"
        ) from error
    found = parse(report)
    if found is None:
        raise NothingToDoError(
            f"the run in {folder} built no patched toolchain",
            meaning="it ended before that, or it is a run of another command",
            hint="see its summary.md; ./inv patch-validate builds one",
        )
    return found


def parse(report: Any) -> Candidate | None:
    """The patched toolchain in report.json, or None. Pure."""
    try:
        row = next(one for one in report["toolchains"] if one["role"] == "patched")
        values = {key: str(row[key]) for key in ("version", "digest", "recipe")}
        return Candidate(
            root=Path(row["path"]),
            series=str(report["series"]["name"]),
            run=str(report["run_id"]),
            verdict=str(report["verdict"]),
            **values,
        )
    except (KeyError, TypeError, StopIteration):
        return None


def check(candidate: Candidate, host: Platform) -> Checked:
    """Read the toolchain's files and hold them against what the run recorded. HostError when it is gone,
    for another machine, or not what was measured."""
    root = candidate.root
    again = "build it again: ./inv patch-validate with that run's --series and --base"
    if not (root / "bin").is_dir():
        raise HostError(
            f"the toolchain of run {candidate.run} is no longer at {root}",
            meaning="./inv clean removed it, or the run was made on another machine",
            hint=again,
        )
    if not (root / "bin" / f"go{EXE}").is_file() or not (root / _tools(host)).is_dir():
        raise HostError(
            f"the toolchain at {root} has no tools for {host}",
            meaning="the run was made on another kind of machine",
            hint="make the run on the machine that shall use the toolchain",
        )
    manifest = {name: value for name, value in tree.scan(root).items() if name != MARKER}
    measured = _measured(root)
    changed = [] if measured is None else _changed_sources(manifest, measured, host)
    if tools_digest(root, host) != candidate.digest:
        changed = [f"bin or {_tools(host)}", *changed]
    if changed:
        raise HostError(
            f"the toolchain at {root} is not the one that run {candidate.run} measured: "
            f"{', '.join(changed[:5])}{' …' if len(changed) > 5 else ''} changed since",
            meaning="something wrote into the store; it cannot be trusted",
            # Only an entry of the store is ours to give away: a report may name any folder.
            hint=f"remove {root.parent}, and {again}" if (root.parent / "entry.json").is_file() else again,
        )
    size = sum((root / name).stat().st_size for name in manifest)
    return Checked(
        candidate=candidate,
        manifest=manifest,
        tree=tree.digest(manifest),
        size=size,
        sources=measured is not None,
    )


def _tools(host: Platform) -> str:
    return f"pkg/tool/{host.goos}_{host.goarch}"


def _measured(root: Path) -> Mapping[str, str] | None:
    """The file list of the patched tree from which this toolchain was made, as the store has it: beside it,
    or in the entry that its own entry names. None where that was cleaned away: by age, which goes by entry,
    the tree may go before the toolchain that was made from it."""
    try:
        entry = json.loads((root.parent / "entry.json").read_text(encoding="utf-8"))
        if entry["kind"] == "trees":
            return tree.load(root.parent / "manifest.json")
        wanted = entry["inputs"]["tree"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    for path in (root.parent.parent.parent / "trees").glob("*/manifest.json"):
        with contextlib.suppress(OSError, ValueError, TypeError):  # a damaged one hides no other
            manifest = tree.load(path)
            if tree.digest(manifest) == wanted:
                return manifest
    return None


def _changed_sources(now: Mapping[str, str], then: Mapping[str, str], host: Platform) -> list[str]:
    """What differs besides the tools, which have a digest of their own. Pure."""
    tools = ("bin/", f"{_tools(host)}/")
    return [name for name in tree.changed(then, now) if not name.startswith(tools)]
