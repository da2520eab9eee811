"""One stage against make.bash, in time and in every file: ``./inv self-bench toolchain``.

Two series, each built from an empty store in stages and by make.bash -distpack: the default one, which
changes the runtime, and a change of what the compiler puts out (a longer run of instructions is worth a
conditional move), for which stages go on until two are the same. About 40 minutes on two cores.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.console import Console
from pipeline.flow import baseline
from pipeline.flow.workspace import open_workspace
from pipeline.patch import series as series_room
from pipeline.plan import plan as plan_room
from pipeline.plan.plan import Request
from pipeline.store import Store
from pipeline.toolchain import build, full, identity, recipes, trees
from pipeline.values import GoTree, Series, Toolchain
from tests.integration.harness import Edits, diff, make_series

ROOT = Path(__file__).resolve().parents[2]
# How many times as fast a single stage is, and how long what is built already may take.
FASTER, AGAIN = 4.0, 2.0
COMPILER = "src/cmd/compile/internal/ssa/branchelim.go"
OLD, NEW = "const maxfuseinsts = 2", "const maxfuseinsts = 3"


def main(argv: Sequence[str]) -> int:
    """Build and print; ``argv`` may name the series: runtime, compiler. 0 when every goal is met."""
    console = Console()
    ground = plan_room.ground(Request(root=ROOT))
    missed = []
    with tempfile.TemporaryDirectory(prefix="gopatch-bench-") as name:
        base = Path(name)
        work = open_workspace(ROOT, "bench", ground.host, console, out=str(base / "run"))
        source = baseline.fetch(work.place, ground.base, ground.sources)
        made: dict[str, Callable[[], Series]] = {
            "runtime": lambda: series_room.load(ROOT / "patches/kqueue-retry-backoff"),
            "compiler": lambda: series_room.load(
                make_series(
                    base / "series/compiler", [diff(source.root, Edits(replace={COMPILER: (OLD, NEW)}))]
                )
            ),
        }
        for title, load in made.items():
            if argv and title not in argv:
                continue
            store = Store(base / title)
            store.prepare()
            place = baseline.Place(
                store=store,
                shell=work.place.shell,
                progress=console,
                host=ground.host,
                jobs=work.place.jobs,
            )
            missed += [f"{title}: {what}" for what in _case(place, source, load(), title)]
            shutil.rmtree(store.root)
    sys.stdout.write(f"goals missed: {'; '.join(missed)}\n" if missed else "every goal is met\n")
    return 1 if missed else 0


def _case(place: baseline.Place, source: GoTree, series: Series, title: str) -> list[str]:
    builder = place.builder(source)
    patched = trees.patched(place.store, place.shell, source, series)
    own = build.touches_tools(builder, patched.changed)

    def stages() -> Toolchain:
        return build.build(builder, patched.tree, "staged", own_tools=own)

    staged, fast = _timed(stages)
    made, slow = _timed(lambda: full.build(builder, patched.tree))
    _, again = _timed(stages)
    files = identity.compare(*(recipes.tool_files(one.root, place.host) for one in (staged, made)))
    same = sum(one.likeness == "same" for one in files)
    sys.stdout.write(
        f"{title}: staged {fast:.0f} s ({staged.proof}), "
        f"make.bash -distpack {slow:.0f} s, {slow / fast:.1f} times; "
        f"{same} of {len(files)} files of bin and pkg/tool the same; built already: {again:.2f} s\n"
    )
    sys.stdout.flush()
    missed = []
    if not identity.proven(files):
        missed.append("not the same files")
    if not own and slow < FASTER * fast:
        missed.append(f"less than {FASTER:g} times as fast")
    if again > AGAIN:
        missed.append(f"what is built already takes over {AGAIN:g} s")
    return missed


def _timed(action: Callable[[], Toolchain]) -> tuple[Toolchain, float]:
    started = time.monotonic()
    found = action()
    return found, time.monotonic() - started
