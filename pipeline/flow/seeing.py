"""What a program sees that is started as the cell's benchmarks are, by its own word."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.bench.runner import environment_of
from pipeline.errors import HostError
from pipeline.flow.context import Context
from pipeline.flow.sides import Sides
from pipeline.records import EnvironmentSeen
from pipeline.suites import environment
from pipeline.toolchain import stamp

TIMEOUT = 60.0


def record(context: Context, sides: Sides) -> None:
    """Run the probe and record what it says; HostError when it cannot run, or sees something else than it was
    given."""
    cell, probe = sides.cell, sides.probe
    given = environment_of(cell, probe, sides.go["patched"])
    with context.where.pinned(cell.pin):
        result = context.there.run(
            "environment",
            [probe.path],
            env=given,
            cwd=probe.goroot / "src",
            timeout=TIMEOUT,
            merge=False,
        )
    if not result.ok:
        raise HostError(
            f"a small program does not run on {cell.id}: {result.tail.strip()[-300:]}",
            meaning="nothing else would: it is linked as the test binaries are",
            hint=f"the log is {result.log}",
        )
    seen = environment.read(result.stdout)
    own, others = _parted(seen.build)
    context.ledger.append(
        EnvironmentSeen(cell=cell.id, stamp=own, build=others, **seen.model_dump(exclude={"build"}))
    )
    for name in ("GOROOT", *cell.variables):
        value = given[name]
        if seen.variables.get(name) != value:
            raise HostError(
                f"{name} did not reach a program on {cell.id}: it sees {seen.variables.get(name)!r}, and not "
                f"{value!r}"
            )


def _parted(build: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The settings of a program's build information that are its stamp's, and the others."""
    own = {name: value for name, value in build.items() if name.startswith(stamp.PREFIX)}
    others = {name: value for name, value in build.items() if name not in own}
    return {name.removeprefix(stamp.PREFIX): value for name, value in own.items()}, others
