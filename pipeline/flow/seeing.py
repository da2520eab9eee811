"""What a program sees that is started as the cell's benchmarks are, by its own word."""

from __future__ import annotations

from pipeline.bench.runner import environment_of
from pipeline.errors import HostError
from pipeline.flow.context import Context
from pipeline.flow.sides import Sides
from pipeline.records import EnvironmentSeen
from pipeline.suites import environment

TIMEOUT = 60.0


def record(context: Context, sides: Sides) -> None:
    """Run the probe and record what it says; HostError when it cannot run, or sees something else than it was
    given."""
    cell, probe = sides.cell, sides.probe
    given = {"GOROOT": str(probe.goroot), **cell.build, **cell.environment, **cell.parameters}
    with context.where.pinned(cell.pin):
        result = context.there.run(
            "environment",
            [probe.path],
            env=environment_of(cell, probe, sides.go["patched"]),
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
    stamp = {
        name.removeprefix(environment.STAMP): value
        for name, value in seen.build.items()
        if name.startswith(environment.STAMP)
    }
    context.ledger.append(
        EnvironmentSeen(
            cell=cell.id,
            stamp=stamp,
            **seen.model_dump(exclude={"build"}),
            build={
                name: value
                for name, value in seen.build.items()
                if name.removeprefix("gopatch.") not in stamp
            },
        )
    )
    for name, value in given.items():
        if seen.variables.get(name) != value:
            raise HostError(
                f"{name} did not reach a program on {cell.id}: it sees {seen.variables.get(name)!r}, and not "
                f"{value!r}"
            )
