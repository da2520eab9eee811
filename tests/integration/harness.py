"""Series made from edits of a real release, and runs of the real command."""

from __future__ import annotations

import atexit
import contextlib
import difflib
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import yaml

from tests.integration import forked
from tests.integration.forked import Forked

ROOT = Path(__file__).resolve().parents[2]
RELEASE = "1.27.3"
HEADER = "// Copyright 2026 The Go Authors.\n\npackage ring\n\n"
# A benchmark that comes with the change and compiles on the baseline: a walk over a ring in cache.
SPIN = (
    HEADER
    + 'import "testing"\n\nfunc BenchmarkSpin(b *testing.B) {\n\tr := New(1000)\n\tn := 0\n'
    + "\tfor b.Loop() {\n\t\tn += r.Len()\n\t}\n\t_ = n\n}\n"
)
LEN = "\t\t\tn++\n\t\t}\n\t}\n\treturn n\n"


@dataclass(frozen=True, kw_only=True)
class Edits:
    """A change to a tree: replacements by path, and new files."""

    replace: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    add: Mapping[str, str] = field(default_factory=dict)


def diff(tree: Path, edits: Edits) -> str:
    """The edits as one patch in git's form."""
    parts = []
    for name, (old, new) in edits.replace.items():
        before = (tree / name).read_text(encoding="utf-8")
        assert before.count(old) == 1, f"{old!r} occurs {before.count(old)} times in {name}"
        parts.append(_unified(name, before, before.replace(old, new)))
    for name, text in edits.add.items():
        lines = _unified(name, "", text).replace(f"--- a/{name}", "--- /dev/null", 1)
        header, rest = lines.split("\n", 1)
        parts.append(f"{header}\nnew file mode 100644\n{rest}")
    return "".join(parts)


def _unified(name: str, before: str, after: str) -> str:
    body = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{name}", f"b/{name}"
    )
    return f"diff --git a/{name} b/{name}\n" + "".join(body)


def make_series(folder: Path, patches: Sequence[str], **keys: Any) -> Path:
    """Write a series folder; ``keys`` go to series.yml."""
    folder.mkdir(parents=True)
    names = []
    for number, text in enumerate(patches, 1):
        names.append(f"{number:04d}-change.patch")
        (folder / names[-1]).write_text(
            f"Subject: [PATCH] ring: change {number}\n\n---\n{text}", encoding="utf-8"
        )
    settings = {"series": folder.name, "subject": "ring: change", "base": ">=1.27,<1.28", "patches": names}
    (folder / "series.yml").write_text(yaml.safe_dump({**settings, **keys}), encoding="utf-8")
    return folder


def ring_series(folder: Path, tree: Path, *, body: str = LEN, spin: str = SPIN, **keys: Any) -> Path:
    """A series on container/ring: ``body`` replaces the end of Ring.Len; BenchmarkSpin comes with it."""
    keys.setdefault("tests", {"container/ring": ["TestCornerCases", "TestNew"]})
    keys.setdefault("benchmarks", {"container/ring": ["BenchmarkSpin"]})
    # Whatever else this machine does is soon "no change" by these: most runs are not about their numbers.
    keys.setdefault("thresholds", {"sec/op": {"effect": "90%", "margin": "95%"}})
    edits = Edits(
        # The comment makes every series' code its own, so that no build is found in a cache.
        replace={"src/container/ring/ring.go": (LEN, f"{body}\t// {folder.name}\n")},
        # Without benchmarks there is none to be chosen either: the package has no other.
        add={"src/container/ring/spin_test.go": spin} if keys["benchmarks"] else {},
    )
    return make_series(folder, [diff(tree, edits)], **keys)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run of the command left."""

    code: int
    out: str
    err: str
    folder: Path

    @property
    def report(self) -> dict[str, Any]:
        """report.json."""
        data: dict[str, Any] = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))
        return data

    @property
    def summary(self) -> str:
        """summary.md."""
        return (self.folder / "summary.md").read_text(encoding="utf-8")


# What a run would fetch and compile again, and no test is about. Entries are never written to once they are
# there, so names of their own are enough.
_WARM = ("downloads", "releases", "identities", "listings", "platforms", "checkers")


def warmed(cache: Path, target: Path, without: Collection[str] = ()) -> Path:
    """A cache of one's own at ``target`` with ``cache``'s release, but for the kinds in ``without``.
    Go's own cache is the same one, which any number of go commands may share."""
    for kind in (one for one in _WARM if one not in without):
        source = cache / "v1" / kind
        left_out = _others(source) if kind == "releases" else set()
        for folder, below, names in os.walk(source):
            # One that is being filled by another test at this moment has such a name.
            below[:] = [name for name in below if ".tmp-" not in name and Path(folder, name) not in left_out]
            own = target / "v1" / kind / Path(folder).relative_to(source)
            own.mkdir(parents=True, exist_ok=True)
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    os.link(Path(folder, name), own / name)
    (cache / "v1/gocache").mkdir(parents=True, exist_ok=True)
    (target / "v1").mkdir(parents=True, exist_ok=True)
    (target / "v1/gocache").symlink_to(cache / "v1/gocache")
    (target / "CACHEDIR.TAG").write_bytes((cache / "CACHEDIR.TAG").read_bytes())
    return target


def _others(releases: Path) -> set[Path]:
    """Those that are not ``RELEASE`` for this host: each has 12,000 files."""
    entries = [one for one in releases.glob("*") if (one / "tree/VERSION").is_file()]
    ours = {
        one
        for one in entries
        if (one / "tree/VERSION").read_text().split()[0] == f"go{RELEASE}" and (one / "tree/bin/go").exists()
    }
    return set(entries) - ours


def linked(release: Path, target: Path, *, tests_of: str | None = None) -> Path:
    """A tree of one's own at ``target``, of links: what is changed in it is to be written anew. With
    ``tests_of`` it has the tests of that package only, and half the files."""

    def left_out(folder: str, names: list[str]) -> list[str]:
        if tests_of is None or Path(folder) == release / "src" / tests_of:
            return []
        return [name for name in names if name == "testdata" or name.endswith("_test.go")]

    shutil.copytree(release, target, copy_function=os.link, ignore=left_out)
    return target


def rewrite(path: Path, text: str) -> None:
    """Give a file of a ``linked`` tree another text."""
    path.unlink(missing_ok=True)
    path.write_text(text, encoding="utf-8")


def command(*arguments: str, root: Path = ROOT) -> list[str]:
    """``./inv ARGUMENTS`` in this environment; for another project's ``root`` by plain ``invoke``."""
    if root == ROOT:
        return [sys.executable, "-m", "pipeline.commands", *arguments]
    return [sys.executable, "-m", "invoke", f"--search-root={root}", *arguments]


def environment(cache: Path, **extra: str) -> dict[str, str]:
    """The tests' own environment with a cache of their own."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "GOPATCH_CACHE": str(cache), **extra}


def validate(
    cache: Path,
    out: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
    root: Path | None = None,
    plain: bool = False,
) -> Outcome:
    """Run ``patch-validate --out OUT ARGUMENTS`` to its end in the project ``root``, or in a light one;
    ``plain`` starts Python for it, as a ``prefix`` does."""
    root, env = root or light(), env or environment(cache)
    words = command("patch-validate", f"--out={out}", *arguments, root=root)
    if prefix or plain:
        words = [*prefix, *words]
        done = subprocess.run(
            words, cwd=root, env=env, capture_output=True, text=True, timeout=1500, check=False
        )
    else:
        done = forked.run(words, cwd=root, env=env, timeout=1500)
    return Outcome(code=done.returncode, out=done.stdout, err=done.stderr, folder=out)


def check(cache: Path, out: Path, *arguments: str) -> Outcome:
    """Run ``patch-check --out OUT ARGUMENTS`` to its end."""
    words = command("patch-check", f"--out={out}", *arguments)
    done = forked.run(words, cwd=ROOT, env=environment(cache), timeout=900)
    return Outcome(code=done.returncode, out=done.stdout, err=done.stderr, folder=out)


@functools.cache
def light(layout: str = "fixed") -> Path:
    """A project whose quick profile is as small as one can be: most runs are not about what is measured, nor
    about how it was linked, nor about platforms that this host is not."""
    root = Path(tempfile.mkdtemp(prefix="gopatch-light-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    depth = {"types": "cells", "build": "cells", "tests": "none"}
    project(root, rounds=8, max_rounds=8, noise_rounds=0, benchtime="5ms", compile=depth, layout=layout)
    author = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    for words in (("init", "-q"), ("add", "."), (*author, "commit", "-q", "-m", "A project")):
        subprocess.run(["git", *words], cwd=root, check=True)
    return root


def project(root: Path, profile: str = "quick", **keys: Any) -> Path:
    """A project like this one for ``command(root=…)``, with keys of a profile replaced."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "patches").symlink_to(ROOT / "patches")
    (root / "tasks.py").write_text((ROOT / "tasks.py").read_text(encoding="utf-8"), encoding="utf-8")
    matrix = yaml.safe_load((ROOT / "matrix.yml").read_text(encoding="utf-8"))
    assert keys.keys() <= {*matrix["profiles"][profile], "tests", "variants"}
    matrix["profiles"][profile].update(keys)
    (root / "matrix.yml").write_text(yaml.safe_dump(matrix, sort_keys=False), encoding="utf-8")
    return root


def quick(series: Path) -> list[str]:
    """The options of a short run on the host's cell."""
    return [f"--series={series}", "--profile=quick", "--cells=linux-amd64"]


class Started:
    """A run in the background that can be stopped when it has reached a stage."""

    live: ClassVar[list[Started]] = []

    def __init__(self, cache: Path, out: Path, *arguments: str, root: Path | None = None) -> None:
        self.out = out
        self.log = out.with_suffix(".err")
        self.log.write_text("")
        words = command("patch-validate", f"--out={out}", *arguments, root=root or light())
        self.process = Forked(words, cwd=ROOT, env=environment(cache), out=self.log, err=self.log)
        self.live.append(self)

    @classmethod
    def end_all(cls) -> None:
        """What a failed test left running must not hold the machine's lock."""
        for run in cls.live:
            if run.process.poll() is None:
                run.process.terminate()
                run.process.wait(30)
        cls.live.clear()

    def wait_for(self, text: str, seconds: float = 300) -> None:
        """Until the run has printed ``text``."""
        end = time.monotonic() + seconds
        while text not in self.log.read_text():
            assert self.process.poll() is None, f"ended before {text!r}:\n{self.log.read_text()}"
            assert time.monotonic() < end, f"{text!r} did not come:\n{self.log.read_text()}"
            time.sleep(0.02)

    def stop(self, signum: signal.Signals) -> int:
        """Send a signal to the run alone, as a terminal or a system would, and wait for its end."""
        self.process.send_signal(signum)
        return self.process.wait(60)
